//! nghttpd: HTTP/2 and nothing else, by another hand.

use std::path::Path;
use std::process::Command;

use super::site::{Served, Settings, Site, Way};
use super::{Peer, Start};
use crate::peers::program::{Running, find};

const FILES: &str = "it serves files and nothing else";

pub(super) const PEER: Peer = Peer {
    name: "nghttpd",
    program: "nghttpd",
    behind: None,
    ways: &[Way::Http2, Way::Tls2],
    lacks: &[
        ("methods and fields", FILES),
        ("204", FILES),
        ("304 to a known ETag", "it has no ETag"),
        ("302, followed", FILES),
        ("103", FILES),
        ("100 before a body, HTTP/2", "it sends no 100"),
        ("ranges", "it has none"),
        ("ranges that are not there", "it has none"),
        ("gzip", "it packs nothing"),
        ("closed without an answer", FILES),
        ("few requests on a connection, HTTP/1.1", "it speaks HTTP/2 alone"),
        ("few requests on a connection, HTTP/2", "it has no such limit"),
        ("idle connections closed", "its time for that cannot be set"),
        ("a new configuration under load", "it has no configuration"),
        ("a new configuration under load, HTTP/2 without TLS", "it has no configuration"),
        ("a graceful end", "it ends at once"),
        ("a graceful end, HTTP/2 without TLS", "it ends at once"),
    ],
    commands,
    reload: |_, _, _| {},
    stop: "TERM",
    end: "TERM",
};

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let echo = ["--echo-upload", "--trailer", "x-trailer: behind the body"];
    started(program, site, settings, &echo)
}

/// One in plain text, one over TLS.
fn started(program: &Path, site: &Site, settings: &Settings, options: &[&str]) -> Vec<Start> {
    let streams = settings.streams.unwrap_or(100).to_string();
    let start = |more: &[&str], port: u16| {
        let number = port.to_string();
        let mut command = Command::new(program);
        command.args(["-a", "127.0.0.1", "-d", site.root(), "-m", &streams]);
        command.args(options).arg(number).args(more);
        (command, vec![port])
    };
    vec![start(&["--no-tls"], site.http2), start(&[&site.key, &site.certificate], site.tls)]
}

tests_of!(tests, PEER);

/// An answer that comes before the whole request stands (RFC 9113 8.1).
#[test]
fn early_answers() {
    let Some(program) = find(PEER.program) else { return };
    let site = Site::new(false);
    let start = |(mut command, ports): (_, Vec<u16>)| Running::start(&mut command, &ports);
    let commands = started(&program, &site, &Settings::default(), &["--early-response"]);
    let served = Served { running: commands.into_iter().map(start).collect(), site };
    for way in PEER.ways {
        let ask = served.ask(*way);
        let data = format!("@{}", ask.file("big"));
        assert_eq!(ask.path(&["--data-binary", &data], "/hello").well(), "hello\n");
    }
}
