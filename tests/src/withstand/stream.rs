//! Bodies that stream: however long they are, neither end holds more than its buffers.
//! `regatta-benches stream` does it with a gigabyte.

use core::time::Duration;
use std::process::{Command, Stdio};
use std::thread;

use super::said::most_memory;
use crate::peers::program::{Folder, Origin, regatta};

/// Bytes each way: more than may be held.
const LENGTH: u64 = 64_000_000;

/// What each process may ever have held, in KiB.
const MOST: u64 = 32 << 10;

/// How often a running process is looked at; its greatest need is what the system keeps.
const LOOK: Duration = Duration::from_millis(2);

fn check(options: &[&str], words: &[&str]) {
    let folder = Folder::new();
    let long = folder.at("long");
    // A file of nothing but a length.
    std::fs::File::create(&long).and_then(|file| file.set_len(LENGTH)).unwrap();
    for (direction, way, path) in [
        ("down", &[][..], format!("/bytes/{LENGTH}")),
        ("up and down", &["-T", &long][..], "/echo".to_owned()),
    ] {
        let origin = Origin::start(options);
        let scheme = if options.is_empty() { "http" } else { "https" };
        let mut get = Command::new(regatta());
        get.args(["get", "-sS", "-k", "-o", "/dev/null", "-w", "%{size_download}"]);
        get.args(words).args(way).arg(format!("{scheme}://{}{path}", origin.address));
        let mut get = get.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut client = 0;
        while get.try_wait().unwrap().is_none() {
            client = client.max(most_memory(get.id()));
            thread::sleep(LOOK);
        }
        let server = most_memory(origin.running.id());
        let said = get.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), LENGTH.to_string(), "{words:?}");
        println!("{words:?}, {direction}: client {client} KiB, server {server} KiB at most");
        assert!(client < MOST && server < MOST, "{words:?}, {direction}: {client}, {server} KiB");
    }
}

#[test]
fn http1() {
    check(&[], &["--http1.1"]);
}

#[test]
fn http2() {
    check(&[], &["--http2-prior-knowledge"]);
}

#[test]
fn http2_over_tls() {
    check(&["--tls", "self-signed"], &["--http2"]);
}
