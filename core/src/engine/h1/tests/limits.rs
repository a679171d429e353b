//! What a server takes of a client at most, and how slow it may be.

use core::num::NonZeroU32;

use super::*;
use crate::engine::Pace;

fn cuts(engine: &mut H1) -> Vec<Cut> {
    let cut = |event| match event {
        Event::Cut(cut) => Some(cut),
        _ => None,
    };
    events(engine).into_iter().filter_map(cut).collect()
}

const fn seconds(n: u64) -> Instant {
    Instant::from_millis(n * 1000)
}

/// A server that waits ten seconds for ten bytes.
fn brisk() -> H1 {
    let pace = Some(Pace { bytes: 10, window: Duration::from_secs(10) });
    H1::server(&Config { pace, ..Config::default() }, NOW)
}

fn posted(engine: &mut H1, length: usize) -> StreamId {
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    engine.receive(NOW, head.as_bytes());
    let Some(Event::Head { stream, .. }) = engine.poll_event() else { panic!("no request") };
    stream
}

/// Each limit has its status and its name, whichever way the input is cut.
#[test]
fn limits_have_statuses_and_names() {
    let config = Config {
        max_request_line: 40,
        max_head_bytes: 120,
        max_head_fields: 3,
        max_body_bytes: Some(5),
        ..Config::default()
    };
    let long = "x".repeat(50);
    let rows = [
        (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), "414", Cut::TargetTooLong),
        (format!("GET /{long}"), "414", Cut::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nhost: a\r\na: {}", long.repeat(3)), "431", Cut::HeadTooLarge),
        ("GET / HTTP/1.1\r\nhost: a\r\na:b\r\na:b\r\na:b\r\n\r\n".into(), "431", Cut::HeadTooLarge),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n".into(),
            "413",
            Cut::BodyTooLarge,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef".into(),
            "413",
            Cut::BodyTooLarge,
        ),
        ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n".into(), "400", Cut::Malformed),
    ];
    for (input, status, cut) in rows {
        for step in [1, input.len()] {
            let mut engine = H1::server(&config, NOW);
            for piece in input.as_bytes().chunks(step) {
                engine.receive(NOW, piece);
            }
            assert_eq!(cuts(&mut engine), [cut], "{input:?} by {step}");
            let answer = written(&mut engine);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{input:?}: {answer}");
        }
    }
    // What is just within the limits passes.
    let within =
        "POST /23456789012345678901234 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345";
    let mut engine = H1::server(&config, NOW);
    engine.receive(NOW, within.as_bytes());
    assert_eq!(said(&mut engine), "POST /23456789012345678901234; \"12345\"; end");
}

/// A body over the limit whose response has begun ends with the connection, without a second one.
#[test]
fn a_body_too_large_behind_a_response() {
    let config = Config { max_body_bytes: Some(5), ..Config::default() };
    let mut engine = H1::server(&config, NOW);
    engine.receive(NOW, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let Some(Event::Head { stream, .. }) = engine.poll_event() else { panic!("no request") };
    engine.respond(NOW, stream, &status(200), false);
    written(&mut engine);
    engine.receive(NOW, b"6\r\nabcdef\r\n");
    assert_eq!(
        said(&mut engine),
        "reset Protocol(BodyTooLarge) Unknown; closed Protocol(BodyTooLarge)"
    );
    assert_eq!(written(&mut engine), "");
}

/// A tunnel is no body.
#[test]
fn a_tunnel_has_no_length_and_no_pace() {
    let config = Config { max_body_bytes: Some(5), ..Config::default() };
    let mut engine = H1::server(&config, NOW);
    engine.receive(NOW, b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n");
    let Some(Event::Head { stream, .. }) = engine.poll_event() else { panic!("no request") };
    engine.respond(NOW, stream, &status(200), false);
    engine.receive(NOW, b"0123456789");
    assert_eq!(said(&mut engine), "goaway; \"0123456789\"");
    assert_eq!(engine.poll_timeout(), None);
}

/// A21: a byte now and then is too slow, however soon each is read.
#[test]
fn a_slow_body() {
    let mut engine = brisk();
    let stream = posted(&mut engine, 1_000);
    assert_eq!(engine.poll_timeout(), Some(seconds(10)));
    for at in 1..=9 {
        engine.receive(seconds(at), b"x");
        engine.allow(seconds(at), stream, 1);
    }
    assert_eq!(engine.poll_timeout(), Some(seconds(10)), "bytes do not put it off");
    engine.receive(seconds(9), b"x");
    engine.allow(seconds(9), stream, 1);
    engine.handle_timeout(seconds(10));
    assert_eq!(engine.poll_timeout(), Some(seconds(20)), "ten bytes in ten seconds are enough");
    engine.receive(seconds(15), b"123456789");
    engine.allow(seconds(15), stream, 9);
    engine.handle_timeout(seconds(19));
    said(&mut engine);
    engine.handle_timeout(seconds(20));
    assert_eq!(cuts(&mut engine), [Cut::BodyTooSlow]);
    assert!(written(&mut engine).starts_with("HTTP/1.1 408 "));
}

/// The clock stands while what came waits to be read.
#[test]
fn a_body_that_nobody_reads_is_not_slow() {
    let mut engine = brisk();
    let stream = posted(&mut engine, 1_000);
    engine.receive(seconds(4), b"1234");
    assert_eq!(engine.poll_timeout(), None, "the reader is behind, not the client");
    engine.allow(seconds(100), stream, 4);
    assert_eq!(engine.poll_timeout(), Some(seconds(106)), "six seconds are left");
    engine.respond(seconds(101), stream, &status(200), false);
    engine.send(seconds(102), stream, Bytes::from_static(b"x"), false);
    engine.handle_timeout(seconds(106));
    assert_eq!(cuts(&mut engine), [], "the response moves meanwhile");
    engine.handle_timeout(seconds(116));
    assert_eq!(cuts(&mut engine), [Cut::BodyTooSlow]);
    assert_eq!(engine.poll_timeout(), None);
}

/// The last request that a connection may carry says so.
#[test]
fn requests_are_numbered() {
    let max_requests = NonZeroU32::new(2);
    let mut engine = H1::server(&Config { max_requests, ..Config::default() }, NOW);
    for (last, expected) in [(false, "GET /; end"), (true, "ended; GET /; end; goaway")] {
        engine.receive(NOW, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let stream = StreamId::new(0, u32::from(last));
        assert_eq!(said(&mut engine), expected);
        engine.respond(NOW, stream, &status(204), true);
        assert_eq!(written(&mut engine).contains("connection: close"), last);
    }
    assert_eq!(said(&mut engine), "ended; closed ShutDown");
}

/// What times out says which time it was.
#[test]
fn timeouts_have_names() {
    let mut engine = H1::server(&Config::default(), NOW);
    engine.handle_timeout(seconds(60));
    assert_eq!(cuts(&mut engine), [Cut::HeadTimeout]);
    let (mut engine, stream) = heard("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    engine.respond(NOW, stream, &status(204), true);
    written(&mut engine);
    engine.handle_timeout(seconds(60));
    assert_eq!(cuts(&mut engine), [Cut::IdleTimeout]);
}
