//! aioquic, in Python: `serves_http3.py` serves what the other peers do, as far as it is told to.

use std::path::Path;
use std::process::Command;

use super::site::{Served, Settings, Site, Way};
use super::{Peer, Start};
use crate::peers::program::get;

const SMALL: &str = "its library brings no such thing";

pub(super) const PEER: Peer = Peer {
    name: "aioquic",
    program: "aioquic_python",
    behind: None,
    ways: &[Way::Quic],
    lacks: &[
        ("304 to a known ETag", SMALL),
        ("ranges", SMALL),
        ("ranges that are not there", SMALL),
        ("gzip", SMALL),
        ("few streams at once", "it has no such setting"),
        ("few requests on a connection, HTTP/3", "it has no such limit"),
        ("a new configuration under load", "it has no configuration"),
        ("a graceful end", "it ends at once"),
    ],
    commands,
    reload: |_, _, _| {},
    stop: "TERM",
    end: "KILL",
};

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let idle = settings.idle.unwrap_or(60).to_string();
    let mut command = Command::new(program);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/origins/serves_http3.py"));
    command.args([&site.tls.to_string(), site.root(), &idle]);
    // Nothing of it listens over TCP.
    vec![(command, vec![])]
}

tests_of!(tests, PEER);

/// The second connection's request goes with its first flight, and is answered out of it.
#[test]
fn takes_early_data() {
    let Some(served) = Served::start(&PEER, &Settings::default()) else { return };
    let url = format!("{}/epoch", served.site.at(Way::Quic));
    let ask = |words: &[&str]| {
        let words = [&served.site.options(Way::Quic), words, &[url.as_str(), &url]].concat();
        get(&words)
    };
    assert_eq!(ask(&[]).well(), "full\nfull\n");
    let early = ask(&["--early-data", "-v"]);
    assert!(early.err.contains("* Sent as early data"), "{}", early.err);
    assert_eq!(early.well(), "full\nearly\n");
}
