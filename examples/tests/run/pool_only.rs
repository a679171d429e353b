//! The blocking client, with our server and with nginx.

use super::nginx::{BIG, Nginx};
use super::origin::{Origin, Trust};
use super::program::{dead_port, run};

const HOST: &str = "127.0.0.1";

#[test]
fn two_connections_carry_everything() {
    let origin = Origin::plain();
    let mut words = vec![HOST.to_owned(), origin.port()];
    words.extend((0..20).map(|n| format!("/bytes/{n}")));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let out = run("pool_only", &words).well();
    for n in 0..20 {
        assert!(out.contains(&format!("200 /bytes/{n}, {n} bytes\n")), "{out}");
    }
    assert!(out.ends_with("20 requests on 2 connections\n"), "{out}");
}

/// A connection whose server ends it gets no other request, and none is lost.
#[test]
fn a_drained_connection_is_replaced() {
    let origin = Origin::plain();
    let port = origin.port();
    let words = [&[HOST, &port], ["/goaway", "/protocol"].repeat(3).as_slice()].concat();
    let out = run("pool_only", &words).well();
    assert_eq!(out.matches("200 /goaway, 8 bytes\n").count(), 3, "{out}");
    assert_eq!(out.matches("200 /protocol, 8 bytes\n").count(), 3, "{out}");
    // Three were ended, and at most two are left.
    let made = out.lines().last().unwrap();
    assert!((3..=5).any(|n| made == format!("6 requests on {n} connections")), "{out}");
}

/// nginx ends a connection after four requests: ten take three connections, or four.
#[test]
fn nginx_is_asked() {
    let trust = Trust::new();
    let Some(nginx) = Nginx::start(&trust) else { return };
    let port = nginx.plain.to_string();
    let words = [&[HOST, &port, "/big", "/nothing"], ["/hello"; 8].as_slice()].concat();
    let out = run("pool_only", &words).well();
    assert!(out.contains(&format!("200 /big, {BIG} bytes\n")), "{out}");
    assert!(out.contains("404 /nothing, "), "{out}");
    assert_eq!(out.matches("200 /hello, 6 bytes\n").count(), 8, "{out}");
    let made = out.lines().last().unwrap();
    assert!((3..=4).any(|n| made == format!("10 requests on {n} connections")), "{out}");
    // nginx says in plain text that it wanted TLS.
    let tls = nginx.tls.to_string();
    assert!(run("pool_only", &[HOST, &tls, "/"]).well().starts_with("400 /, "));
    // A GET whose connection ended without a word goes again once, and then fails.
    let cut = run("pool_only", &[HOST, &port, "/cut"]).failed();
    assert!(cut.ends_with("/cut: the peer closed the connection before it answered"), "{cut}");
}

#[test]
fn failures_are_one_sentence() {
    let port = dead_port().to_string();
    let refused = run("pool_only", &[HOST, &port, "/"]).failed();
    let expected = format!("http://{HOST}:{port}/: cannot connect: connection refused");
    assert!(refused.starts_with(&expected), "{refused}");
    // What a TLS server answers to plain text is no status line.
    let origin = Origin::tls(&Trust::new(), &[]);
    let port = origin.port();
    let tls = run("pool_only", &[HOST, &port, "/"]).failed();
    assert!(tls.ends_with("/: the connection ended in the middle of a response"), "{tls}");
    let wrong = run("pool_only", &[HOST, "http", "/"]).failed();
    assert_eq!(wrong, "`http` is not a port: expected a number up to 65535");
    assert_eq!(run("pool_only", &[]).failed(), "expected a host, a port and the paths to get");
}
