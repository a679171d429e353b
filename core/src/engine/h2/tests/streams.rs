//! RFC 9113 5.1, 6.8, 6.9 and 8: streams that cannot be, and messages that are not whole.

use super::*;
use crate::engine::OpenError;
use crate::types::{Cause, Limit};

/// POST, with a Content-Length.
fn ask_with_length(stream: u32, length: &str) -> Vec<u8> {
    let post = [&[0x83][..], &REQUEST[1..]].concat();
    block(stream, false, &[post, field("content-length", length)].concat())
}

// rule: H2-2b
#[test]
fn the_last_stream_number_is_the_end_of_the_connection() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    assert!(peer.engine.last_number < 0x7fff_ffff);
    // Not to be reached by opening them all.
    peer.engine.last_number = 5;
    for number in [1, 3] {
        peer.open(&get("/"), true);
        assert_eq!(peer.frames_of(kind::HEADERS)[0].stream, number);
        peer.feed(&answer(number, true));
        assert_eq!(peer.told().len(), 2);
    }
    let last = peer.open(&get("/"), true);
    assert_eq!(peer.frames_of(kind::HEADERS)[0].stream, 5);
    assert_eq!(peer.told(), ["GoAway { code: 0 }"]);
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::Refusing));
    peer.feed(&answer(5, true));
    assert_eq!(peer.told()[..2], [format!("{last} 200 end"), format!("{last} ended")]);
}

// rule: H2-2d
#[test]
fn numbers_rise_and_are_odd() {
    for (first, second, code) in [(5, 3, 1), (5, 4, 1), (2, 2, 1)] {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&ask(first, true));
        peer.feed(&ask(second, true));
        let said = peer.frames_of(kind::GOAWAY);
        assert_eq!(said.first().map(Seen::code), Some(code), "{first} then {second}");
    }
}

// rule: H2-3b
#[test]
fn the_last_stream_of_a_goaway_never_rises() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    for _ in 0..3 {
        peer.open(&get("/"), true);
    }
    peer.frames();
    peer.feed(&go_away(3, 0));
    assert_eq!(peer.told(), ["GoAway { code: 0 }", "s2.0 GoAway(0) Unprocessed"]);
    peer.feed(&go_away(5, 0));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1);
    let told = peer.told();
    assert_eq!(told.last().unwrap(), "Closed { cause: Protocol(Connection(1)) }");
    // What was given back stays given back, and the others are not known.
    assert_eq!(
        told[..2],
        ["s0.0 Protocol(Connection(1)) Unknown", "s1.0 Protocol(Connection(1)) Unknown"]
    );
}

// rule: H2-4a H2-4b
#[test]
fn windows_that_cannot_be() {
    // Of a stream: at least the stream ends. Of the connection: the connection.
    for (frame, codes) in [
        (window_update(1, 0), [1, 1]),
        (window_update(1, 0x7fff_ffff), [3, 3]),
        (window_update(0, 0), [1, 1]),
        (window_update(0, 0x7fff_ffff), [3, 3]),
    ] {
        let mut server = Scripted::client(&Config::default());
        server.feed(&ask(1, false));
        let mut client = Scripted::server(&Config::default(), &[]);
        client.open(&get("/"), false);
        client.frames();
        for (mut peer, code) in [server, client].into_iter().zip(codes) {
            peer.told();
            peer.feed(&frame);
            let said = peer.frames();
            let of = |kind| said.iter().find(|frame| frame.kind == kind).map(Seen::code);
            let whole = of(kind::GOAWAY);
            let stream = of(kind::RST_STREAM).filter(|_| frame[8] == 1);
            assert_eq!(whole.or(stream), Some(code), "{frame:?}: {said:?}");
        }
    }
}

// rule: H2-7a A47a
#[test]
fn a_body_has_the_length_that_it_says() {
    for (length, parts, whole) in [
        ("5", &[(5, true)][..], true),
        ("5", &[(2, false), (3, true)], true),
        ("5", &[(4, true)], false),
        ("5", &[(6, true)], false),
        ("5", &[(6, false)], false),
        ("5", &[(0, true)], false),
        ("0", &[(1, true)], false),
        ("+5", &[(5, true)], false),
        ("x", &[(5, true)], false),
    ] {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&ask_with_length(1, length));
        for (n, end) in parts {
            peer.feed(&data(1, *n, *end));
        }
        let told = peer.told();
        let ended = told.iter().any(|word| word.ends_with("bytes end"));
        assert_eq!(ended, whole, "{length} {parts:?}: {told:?}");
        let reset = peer.frames_of(kind::RST_STREAM);
        assert_eq!(reset.first().map(Seen::code), (!whole).then_some(1), "{length} {parts:?}");
    }
    // Two of them, or one without a body.
    for (end, fields) in [
        (false, [field("content-length", "5"), field("content-length", "6")].concat()),
        (true, field("content-length", "5")),
    ] {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&block(1, end, &[&REQUEST[..], &fields].concat()));
        let told = peer.told();
        assert_eq!(peer.frames_of(kind::RST_STREAM).first().map(Seen::code), Some(1), "{told:?}");
    }
}

// rule: H-6b H2-7b A23
#[test]
fn connect_is_an_authority_and_nothing_more() {
    let method = vec![0x42, 7, b'C', b'O', b'N', b'N', b'E', b'C', b'T'];
    let short = REQUEST[3..].to_vec();
    let authority = field(":authority", "a.b:1");
    let (scheme, path) = (vec![0x87], vec![0x84]);
    let protocol = field(":protocol", "websocket");
    for (fields, expected) in [
        (vec![&method, &authority], Some("s0.0 CONNECT a.b:1")),
        (vec![&method, &scheme, &authority], None),
        (vec![&method, &path, &authority], None),
        (vec![&method], None),
        (vec![&method, &short], None),
        (vec![&method, &field(":authority", "a.b:")], None),
        (vec![&method, &field(":authority", "a.b:0")], None),
        (vec![&method, &field("host", "a.b:1")], None),
        (vec![&method, &scheme, &path, &short, &protocol], Some("s0.0 CONNECT https://a.b/")),
        (vec![&method, &authority, &protocol], None),
    ] {
        let mut peer = Scripted::client(&Config::default());
        let fields: Vec<u8> = fields.into_iter().flatten().copied().collect();
        peer.feed(&block(1, false, &fields));
        let told = peer.told();
        assert_eq!(told.first().map(String::as_str), expected, "{fields:?}");
        let reset = peer.frames_of(kind::RST_STREAM);
        assert_eq!(reset.first().map(Seen::code), expected.is_none().then_some(1), "{fields:?}");
    }
}

// rule: H2-5d A23
#[test]
fn a_request_names_one_host() {
    let name = |authority: &str| field(":authority", authority);
    for (names, whole) in [
        (name("a.b"), true),
        (name("a.b:443"), true),
        (field("host", "a.b"), true),
        ([name("a.b"), field("host", "a.b")].concat(), true),
        ([name("A.b"), field("host", "a.B:443")].concat(), true),
        (vec![], false),
        (name("u@a.b"), false),
        (name("a.b:"), false),
        (name("a.b:x"), false),
        (name(""), false),
        (field("host", "a b"), false),
        ([name("a.b"), field("host", "c.d")].concat(), false),
        ([field("host", "a.b"), field("host", "a.b")].concat(), false),
        ([name("a.b"), name("a.b")].concat(), false),
    ] {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&block(1, true, &[&REQUEST[..3], &names].concat()));
        let told = peer.told();
        assert_eq!(told.len(), usize::from(whole), "{names:?}: {told:?}");
        let reset = peer.frames_of(kind::RST_STREAM);
        assert_eq!(reset.first().map(Seen::code), (!whole).then_some(1), "{names:?}");
    }
}

// rule: H2-2a
#[test]
fn a_server_that_grants_nothing_yet_is_asked_for_no_more_than_a_hundred() {
    let mut peer = Scripted::of(H2::client(&Config::default(), NOW));
    assert_eq!(peer.engine.limit(), Limit::Concurrent(100));
    for _ in 0..100 {
        peer.open(&get("/"), true);
    }
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::NoCapacity));
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 100);
}

// rule: H2-1e
#[test]
fn nothing_is_pushed() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.open(&get("/"), true);
    peer.frames();
    peer.told();
    peer.feed(&encode(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2, 0x82]));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1);
    assert_eq!(peer.told().last().unwrap(), "Closed { cause: Protocol(Connection(1)) }");
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&encode(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2, 0x82]));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1);
}

// rule: M-7c
#[test]
fn an_end_in_the_middle_is_told_as_such() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    peer.open(&get("/"), true);
    peer.frames();
    peer.feed(&[answer(1, false), data(1, 3, false)].concat());
    peer.engine.receive_end(NOW, true, Cause::Closed);
    let told = peer.told();
    assert_eq!(told[2], "s0.0 Incomplete Answered", "{told:?}");
}
