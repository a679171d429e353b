//! The race between addresses, on loopback.

use std::net::TcpListener;

use super::program::{dead_port, run};

/// The demo's race goes as its comment says: refused, silent, greeted.
#[test]
fn the_demo_passes_over_who_refuses_and_who_is_silent() {
    let out = run("eyeballs_only", &[]).well();
    let order = [
        "as attempt 0 (HE2-SORT)",
        "attempt 0 failed: connection refused",
        "as attempt 1 (HE2-NEXT-ON-FAILURE)",
        "attempt 1: TCP is up",
        "as attempt 2 (HE2-ATTEMPT-DELAY)",
        "attempt 2 has won",
        "give attempt 1 up",
        "connected to 127.0.0.4:",
    ];
    let mut rest = out.as_str();
    for words in order {
        let at = rest.find(words).unwrap_or_else(|| panic!("no {words:?} in order:\n{out}"));
        rest = &rest[at + words.len()..];
    }
}

#[test]
fn a_host_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let out = run("eyeballs_only", &["localhost", &at.port().to_string()]).well();
    assert!(out.ends_with(&format!("connected to {at}\n")), "{out}");
}

#[test]
fn failures_are_one_sentence() {
    let port = dead_port().to_string();
    let refused = run("eyeballs_only", &["127.0.0.1", &port]).failed();
    let expected = format!("cannot connect to 127.0.0.1 port {port}: 127.0.0.1:{port}: ");
    assert!(refused.starts_with(&expected), "{refused}");
    assert!(refused.contains("connection refused, nobody listens on that port"), "{refused}");
    let unknown = run("eyeballs_only", &["no-such-host.invalid", "443"]).failed();
    assert!(unknown.starts_with("cannot connect to no-such-host.invalid port 443"), "{unknown}");
    let wrong = run("eyeballs_only", &["127.0.0.1", "http"]).failed();
    assert_eq!(wrong, "`http` is not a port: expected a number up to 65535");
}
