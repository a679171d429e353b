//! nghttpx: HTTP/3 by ngtcp2 and nghttp3, whose QPACK uses the dynamic table; it answers nothing
//! itself, so that HAProxy stands behind it.

use std::path::Path;
use std::process::Command;

use super::site::{Settings, Site, Way};
use super::{Peer, Start, haproxy};
use crate::peers::program::find;

pub(super) const PEER: Peer = Peer {
    name: "nghttpx",
    program: "nghttpx_http3",
    behind: Some("haproxy"),
    ways: &[Way::Quic],
    lacks: &[
        ("a new configuration under load", "all that it could say is said behind it"),
        ("few requests on a connection, HTTP/3", "it has no such limit"),
    ],
    commands,
    reload: |_, _, _| {},
    stop: "QUIT",
    end: "TERM",
};

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let Site { certificate, key, tls, .. } = site;
    let backend = site.http2;
    let streams = settings.streams.unwrap_or(100);
    let idle = settings.idle.unwrap_or(60);
    // Looked for before.
    let haproxy = find("haproxy").unwrap();
    let behind = haproxy::plain(&haproxy, site, settings);
    let mut command = Command::new(program);
    command.args(["--conf=/dev/null", "--workers=1", "--accesslog-file=/dev/null", "-L", "ERROR"]);
    command.args(["--errorlog-file=/dev/stderr", "--no-location-rewrite"]);
    command.arg(format!("--frontend=127.0.0.1,{tls}"));
    command.arg(format!("--frontend=127.0.0.1,{tls};quic"));
    command.arg(format!("--backend=127.0.0.1,{backend};;proto=h2"));
    command.arg(format!("--frontend-http3-max-concurrent-streams={streams}"));
    command.arg(format!("--frontend-quic-idle-timeout={idle}s"));
    command.args([key, certificate]);
    vec![(command, vec![*tls]), behind]
}

tests_of!(tests, PEER);
