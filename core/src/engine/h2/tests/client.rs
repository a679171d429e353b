//! A client engine and a scripted server.

use super::*;
use crate::engine::{OpenError, Shutdown};
use crate::time::Duration;
use crate::types::{Cause, Limit};

/// Opens a request with nothing after its head.
fn ask_for(peer: &mut Scripted, n: usize) -> Vec<StreamId> {
    (0..n).map(|_| peer.open(&get("/"), true)).collect()
}

// rule: H2-3a
#[test]
fn go_away_tells_which_requests_were_not_acted_on() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    ask_for(&mut peer, 3);
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 3);
    // Graceful (RFC 9113 6.8): first a promise, then the real last stream.
    peer.feed(&go_away(0x7fff_ffff, 0));
    assert_eq!(peer.told(), ["GoAway { code: 0 }"]);
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::Refusing));
    peer.feed(&go_away(3, 0));
    assert_eq!(peer.told(), ["s2.0 GoAway(0) Unprocessed"]);
    // Those at or below the last stream go on.
    peer.feed(&answer(1, true));
    peer.feed(&answer(3, true));
    assert_eq!(
        peer.told(),
        ["s0.0 200 end", "s0.0 ended", "s1.0 200 end", "s1.0 ended", "Closed { cause: GoAway(0) }"]
    );
}

#[test]
fn go_away_with_an_error_and_the_end_of_the_connection() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    ask_for(&mut peer, 3);
    peer.frames();
    peer.feed(&answer(1, false));
    peer.feed(&go_away(3, 2));
    peer.engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(
        peer.told(),
        [
            "s0.0 200",
            "GoAway { code: 2 }",
            "s2.0 GoAway(2) Unprocessed",
            "s0.0 GoAway(2) Answered",
            "s1.0 GoAway(2) Unknown",
            "Closed { cause: GoAway(2) }",
        ]
    );
}

#[test]
fn resets_of_every_kind() {
    // What came before RST_STREAM, its code, what is told of the stream.
    let body_only = [answer(1, false), data(1, 3, false)].concat();
    let whole = [answer(1, false), data(1, 3, true)].concat();
    for (before, code, expected) in [
        (vec![], 7, vec!["s0.0 StreamReset(7) Unprocessed"]),
        (vec![], 0, vec!["s0.0 StreamReset(0) Unknown"]),
        (vec![], 2, vec!["s0.0 StreamReset(2) Unknown"]),
        (vec![], 8, vec!["s0.0 StreamReset(8) Unknown"]),
        (vec![], 11, vec!["s0.0 StreamReset(11) Unknown"]),
        (vec![], 13, vec!["s0.0 StreamReset(13) Unknown"]),
        (vec![], 99, vec!["s0.0 StreamReset(99) Unknown"]),
        (answer(1, false), 8, vec!["s0.0 200", "s0.0 StreamReset(8) Answered"]),
        (answer(1, false), 7, vec!["s0.0 200", "s0.0 StreamReset(7) Answered"]),
        (body_only, 2, vec!["s0.0 200", "s0.0 3 bytes", "s0.0 StreamReset(2) Answered"]),
        (whole.clone(), 0, vec!["s0.0 200", "s0.0 3 bytes end", "s0.0 ended"]),
        (whole.clone(), 8, vec!["s0.0 200", "s0.0 3 bytes end", "s0.0 ended"]),
    ] {
        for at_once in [true, false] {
            let mut peer = Scripted::server(&Config::default(), &[]);
            peer.told();
            // The request's body is still being sent.
            let stream = peer.open(&post("/"), false);
            peer.engine.send(NOW, stream, bytes(10), false);
            peer.frames();
            assert_eq!(peer.told(), ["s0.0 capacity"]);
            let mut told = Vec::new();
            if at_once {
                peer.feed(&[before.clone(), reset(1, code)].concat());
            } else {
                peer.feed(&before);
                told = peer.told();
                peer.feed(&reset(1, code));
            }
            told.append(&mut peer.told());
            assert_eq!(told, expected, "{code} at once: {at_once}");
            // The connection lives.
            let next = peer.open(&get("/"), true);
            peer.frames();
            peer.feed(&answer(3, true));
            assert_eq!(peer.told(), [format!("{next} 200 end"), format!("{next} ended")]);
        }
    }
}

// rule: H2-2a
#[test]
fn limits_fall_to_zero_and_rise_again() {
    let mut peer = Scripted::server(&Config::default(), &[(3, 2)]);
    assert_eq!(peer.told(), ["Limit(Concurrent(2))"]);
    ask_for(&mut peer, 2);
    peer.frames();
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::NoCapacity));
    peer.feed(&settings(&[(3, 0)]));
    assert_eq!(peer.told(), ["Limit(Concurrent(0))"]);
    // Open streams go on, and an end gives no capacity.
    peer.feed(&answer(1, true));
    assert_eq!(peer.told(), ["s0.0 200 end", "s0.0 ended"]);
    peer.feed(&answer(3, true));
    peer.told();
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::NoCapacity));
    assert_eq!(peer.engine.limit(), Limit::Concurrent(0));
    peer.feed(&settings(&[(3, 1)]));
    assert_eq!(peer.told(), ["Limit(Concurrent(1))"]);
    ask_for(&mut peer, 1);
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 1);
    peer.feed(&answer(5, true));
    assert_eq!(peer.told(), ["s1.1 200 end", "s1.1 ended"]);
}

#[test]
fn a_request_that_never_left_is_unsent() {
    let mut peer = Scripted::server(&Config::default(), &[(3, 1)]);
    peer.told();
    ask_for(&mut peer, 1);
    // The limit falls while the request is still here.
    peer.feed(&settings(&[(3, 0)]));
    assert_eq!(peer.told(), ["Limit(Concurrent(0))"]);
    assert_eq!(peer.frames_of(kind::HEADERS), []);
    peer.engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(peer.told(), ["s0.0 Closed Unsent", "Closed { cause: Closed }"]);
    let mut fresh = H2::client(&Config::default(), NOW);
    fresh.open(NOW, &get("/"), true).unwrap();
    fresh.receive_end(NOW, false, Cause::ConnectionReset);
    assert_eq!(
        told(&mut fresh),
        ["s0.0 ConnectionReset Unsent", "Closed { cause: ConnectionReset }"]
    );
}

#[test]
fn the_end_of_the_connection_in_each_state_of_a_stream() {
    for (clean, came, expected) in [
        (true, vec![], "s0.0 Closed Unknown"),
        (false, vec![], "s0.0 ConnectionReset Unknown"),
        (true, answer(1, false), "s0.0 Incomplete Answered"),
        (false, answer(1, false), "s0.0 ConnectionReset Answered"),
        (true, block(1, false, &[0x48, 3, b'1', b'0', b'3']), "s0.0 Incomplete Answered"),
        (true, answer(1, true), "s0.0 ended"),
    ] {
        let mut peer = Scripted::server(&Config::default(), &[]);
        ask_for(&mut peer, 1);
        peer.frames();
        peer.feed(&came);
        peer.engine.receive_end(NOW, clean, Cause::ConnectionReset);
        let told = peer.told();
        let closed = told.len() - 1;
        assert_eq!(told[closed - 1], expected, "{told:?}");
        assert!(told[closed].starts_with("Closed"), "{told:?}");
        assert_eq!(peer.engine.poll_timeout(), None);
    }
}

#[test]
fn five_thousand_cancelled_streams_with_late_frames() {
    let mut peer = Scripted::server(&Config::default(), &[(3, 100)]);
    peer.told();
    for n in 0..5_000 {
        let number = 2 * n + 1;
        let stream = peer.open(&get("/"), true);
        assert_eq!(peer.frames_of(kind::HEADERS)[0].stream, number);
        peer.engine.reset(NOW, stream);
        assert_eq!(peer.told(), [format!("{stream} Cancelled Unknown")]);
        assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 8);
        // What was on its way.
        peer.feed(&answer(number, false));
        peer.feed(&data(number, 50, false));
        peer.feed(&data(number, 0, true));
        let said = peer.frames();
        assert!(said.iter().all(|frame| frame.kind != kind::GOAWAY), "{said:?}");
    }
    assert_eq!(peer.told(), [""; 0]);
    let stream = peer.open(&get("/"), true);
    peer.frames();
    peer.feed(&answer(10_001, true));
    assert_eq!(peer.told(), [format!("{stream} 200 end"), format!("{stream} ended")]);
}

/// The head still goes out: a stream that was not opened cannot be reset.
#[test]
fn a_request_given_up_before_it_was_sent_is_not_unsent() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    let stream = peer.open(&post("/"), false);
    peer.engine.reset(NOW, stream);
    assert_eq!(peer.told(), [format!("{stream} Cancelled Unknown")]);
    let kinds: Vec<u8> = peer.frames().iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::HEADERS, kind::RST_STREAM]);
}

#[test]
fn requests_given_up_do_not_pile_up_behind_a_peer_that_reads_nothing() {
    let mut peer = Scripted::server(&Config::default(), &[(3, 10)]);
    peer.told();
    // The output is full.
    let full = peer.open(&post("/"), false);
    peer.engine.send(NOW, full, bytes(65_000), false);
    peer.feed(&window_update(0, 1 << 20));
    peer.feed(&window_update(1, 1 << 20));
    let another = peer.open(&post("/"), false);
    peer.engine.send(NOW, another, bytes(65_000), false);
    peer.feed(&window_update(0, 1));
    let mut opened = 0;
    while let Ok(stream) = peer.engine.open(NOW, &get("/"), true) {
        peer.engine.reset(NOW, stream);
        peer.feed(&window_update(0, 1));
        opened += 1;
        assert!(opened < 1_000);
    }
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::NoCapacity));
    peer.frames();
    assert!(peer.engine.open(NOW, &get("/"), true).is_ok());
}

// rule: H-5a A49
#[test]
fn interim_responses() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    ask_for(&mut peer, 1);
    peer.frames();
    let early_hints = block(1, false, &[0x48, 3, b'1', b'0', b'3']);
    let go_on = block(1, false, &[0x48, 3, b'1', b'0', b'0']);
    peer.feed(&[early_hints.clone(), go_on, early_hints.clone(), answer(1, true)].concat());
    assert_eq!(peer.told(), ["s0.0 103", "s0.0 103", "s0.0 200 end", "s0.0 ended"]);

    let switching = block(3, false, &[0x48, 3, b'1', b'0', b'1']);
    ask_for(&mut peer, 1);
    peer.frames();
    peer.feed(&switching);
    assert_eq!(peer.told(), ["s0.1 Protocol(Upgrade) Answered"]);

    ask_for(&mut peer, 1);
    peer.frames();
    for _ in 0..17 {
        peer.feed(&block(5, false, &[0x48, 3, b'1', b'0', b'3']));
    }
    assert_eq!(peer.told()[16], "s0.2 Protocol(Excessive) Answered");
}

// rule: H-7a H-7d
#[test]
fn a_body_waits_for_continue() {
    let expecting =
        Request::post("https://example.com/").header("expect", "100-continue").body(()).unwrap();
    let start = |answer: &[u8]| {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        let stream = peer.open(&expecting, false);
        peer.engine.send(NOW, stream, bytes(10), true);
        assert_eq!(peer.frames_of(kind::DATA), []);
        peer.feed(answer);
        peer
    };
    // Told to go on.
    let mut peer = start(&block(1, false, &[0x48, 3, b'1', b'0', b'0']));
    assert_eq!(peer.frames_of(kind::DATA)[0].payload.len(), 10);
    peer.feed(&answer(1, true));
    assert_eq!(peer.told(), ["s0.0 200 end", "s0.0 ended"]);
    // Told nothing for a second.
    let mut peer = start(&[]);
    assert_eq!(peer.engine.poll_timeout(), Some(NOW + Duration::from_secs(1)));
    peer.now = NOW + Duration::from_secs(1);
    peer.engine.handle_timeout(peer.now);
    assert_eq!(peer.frames_of(kind::DATA)[0].payload.len(), 10);
    // Answered without it: the body never goes.
    let mut peer = start(&block(1, true, &[0x48, 3, b'4', b'1', b'7']));
    assert_eq!(peer.told(), ["s0.0 417 end", "s0.0 ended"]);
    let said = peer.frames();
    assert!(said.iter().any(|frame| frame.kind == kind::RST_STREAM), "{said:?}");
    assert!(said.iter().all(|frame| frame.kind != kind::DATA), "{said:?}");
}

// rule: H-6d
#[test]
fn connect_waits_for_its_answer() {
    let connect = Request::connect("a.b:443").body(()).unwrap();
    for end in [true, false] {
        // A tunnel.
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        let stream = peer.open(&connect, end);
        peer.engine.send(NOW, stream, bytes(3), false);
        let said = peer.frames();
        assert_eq!(said.len(), 1, "nothing goes before 2xx: {said:?}");
        assert_eq!(said[0].flags & flag::END_STREAM, 0);
        peer.feed(&answer(1, false));
        assert_eq!(peer.frames_of(kind::DATA)[0].payload.len(), 3);
        assert_eq!(peer.told(), ["s0.0 200", "s0.0 capacity"]);
        // None.
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        let stream = peer.open(&connect, end);
        if !end {
            peer.engine.send(NOW, stream, bytes(3), false);
        }
        peer.frames();
        peer.feed(&block(1, true, &[0x48, 3, b'4', b'0', b'3']));
        let said = peer.frames_of(kind::DATA);
        assert_eq!((said[0].flags, said[0].payload.len()), (flag::END_STREAM, 0));
        assert_eq!(peer.told(), ["s0.0 403 end", "s0.0 ended"]);
    }
}

// rule: H2-1d A18
#[test]
fn flow_control_holds_a_body_and_others_go_on() {
    // Windows: 10 bytes for each stream, 65,535 for the connection.
    let mut peer = Scripted::server(&Config::default(), &[(4, 10)]);
    peer.told();
    let slow = peer.open(&post("/"), false);
    let fast = peer.open(&post("/"), false);
    peer.engine.send(NOW, slow, bytes(25), true);
    peer.engine.send(NOW, fast, bytes(25), true);
    let sent = |peer: &mut Scripted, stream: u32| -> usize {
        let frames = peer.frames_of(kind::DATA);
        frames.iter().filter(|frame| frame.stream == stream).map(|f| f.payload.len()).sum()
    };
    assert_eq!(peer.frames_of(kind::DATA).len(), 2);
    peer.feed(&window_update(3, 15));
    assert_eq!(sent(&mut peer, 3), 15);
    peer.feed(&answer(3, true));
    assert_eq!(peer.told(), ["s1.0 200 end", "s1.0 ended"]);
    peer.feed(&window_update(1, 5));
    assert_eq!(sent(&mut peer, 1), 5);
    // A window that shrinks below nothing, and grows again (A18).
    peer.feed(&settings(&[(4, 0)]));
    peer.feed(&window_update(1, 10));
    assert_eq!(sent(&mut peer, 1), 0);
    peer.feed(&window_update(1, 10));
    assert_eq!(sent(&mut peer, 1), 10);
    // One that SETTINGS push past 2^31-1.
    let stream = peer.open(&post("/"), false);
    peer.engine.send(NOW, stream, bytes(1), false);
    peer.frames();
    peer.feed(&window_update(5, 0x7fff_ffff));
    peer.feed(&settings(&[(4, 0x7fff_ffff)]));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 3);
}

#[test]
fn a_reader_that_stops_stops_nobody_else() {
    let config = Config { stream_window: 1_000, connection_window: 70_000, ..Config::default() };
    let mut peer = Scripted::server(&config, &[]);
    peer.told();
    let streams = ask_for(&mut peer, 64);
    peer.frames();
    for n in 0..64 {
        peer.feed(&answer(2 * n + 1, false));
        peer.feed(&data(2 * n + 1, 1_000, false));
    }
    let told = peer.told();
    assert_eq!(told.iter().filter(|word| word.ends_with("1000 bytes")).count(), 64);
    // All but the first read, and get more.
    for &stream in &streams[1..] {
        peer.engine.allow(NOW, stream, 1_000);
    }
    let updated: Vec<u32> =
        peer.frames_of(kind::WINDOW_UPDATE).iter().map(|frame| frame.stream).collect();
    assert!(!updated.contains(&1), "the window of the first is full");
    assert_eq!(updated.iter().filter(|stream| **stream > 1).count(), 63);
    for n in 1..64 {
        peer.feed(&data(2 * n + 1, 1_000, true));
    }
    let told = peer.told();
    assert_eq!(told.iter().filter(|word| word.ends_with("ended")).count(), 63);
    // What the first had not read is given back to the connection when it ends.
    peer.engine.reset(NOW, streams[0]);
    peer.frames();
    for n in 64..264 {
        ask_for(&mut peer, 1);
        peer.frames();
        peer.feed(&answer(2 * n + 1, false));
        peer.feed(&data(2 * n + 1, 1_000, true));
        peer.frames();
    }
    let told = peer.told();
    assert_eq!(told.iter().filter(|word| word.ends_with("ended")).count(), 200);
}

#[test]
fn keep_alive() {
    let interval = Some(Duration::from_secs(5));
    let config = Config { keep_alive_interval: interval, ..Config::default() };
    let mut peer = Scripted::server(&config, &[]);
    peer.told();
    ask_for(&mut peer, 1);
    peer.frames();
    assert_eq!(peer.engine.poll_timeout(), Some(at(5_001)));
    // Anything that comes is a sign of life.
    peer.now = at(3_001);
    peer.feed(&window_update(0, 1));
    assert_eq!(peer.engine.poll_timeout(), Some(at(8_001)));
    peer.now = at(8_001);
    peer.engine.handle_timeout(peer.now);
    let ping = peer.frames_of(kind::PING);
    assert_eq!(ping.len(), 1);
    peer.now = at(8_500);
    peer.feed(&encode(kind::PING, flag::ACK, 0, &ping[0].payload));
    assert_eq!(peer.told(), [""; 0], "nobody had asked");
    assert_eq!(peer.engine.poll_timeout(), Some(at(13_500)));
    // No answer for ten seconds.
    peer.now = at(13_500);
    peer.engine.handle_timeout(peer.now);
    assert_eq!(peer.frames_of(kind::PING).len(), 1);
    assert_eq!(peer.engine.poll_timeout(), Some(at(23_500)));
    peer.now = at(20_000);
    peer.feed(&window_update(0, 1));
    assert_eq!(peer.engine.poll_timeout(), Some(at(30_000)));
    peer.now = at(30_000);
    peer.engine.handle_timeout(peer.now);
    assert_eq!(
        peer.told(),
        ["s0.0 KeepAliveTimeout Unknown", "Closed { cause: KeepAliveTimeout }"]
    );
    assert_eq!(peer.frames_of(kind::GOAWAY).len(), 1);
}

#[test]
fn a_probe_is_answered_by_pong() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    peer.engine.ping(NOW);
    let ping = peer.frames_of(kind::PING);
    assert_eq!(peer.told(), [""; 0]);
    peer.feed(&encode(kind::PING, flag::ACK, 0, &ping[0].payload));
    assert_eq!(peer.told(), ["Pong"]);
    peer.engine.ping(NOW);
    assert_eq!(peer.frames_of(kind::PING).len(), 1);
    peer.now = NOW + Duration::from_secs(10);
    peer.engine.handle_timeout(peer.now);
    assert_eq!(peer.told(), ["Closed { cause: KeepAliveTimeout }"]);
}

// rule: H-1a H-1b H-3c
#[test]
fn what_is_said_of_a_request() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    for (head, expected) in [
        (Request::get("https://u:p@a.b/x"), Ok("a.b")),
        (Request::get("https://a.b/").header("host", "other:1"), Ok("other:1")),
        (Request::get("/x"), Err(OpenError::Unsayable)),
        (Request::get("/x").header("host", "a.b"), Err(OpenError::Unsayable)),
        (Request::connect("a.b:443"), Ok("a.b:443")),
    ] {
        let head = head
            .header("connection", "x-secret, TE")
            .header("x-secret", "1")
            .header("keep-alive", "1")
            .header("te", "gzip, trailers")
            .body(())
            .unwrap();
        let made = super::super::head::request(&head);
        let authority = made.as_ref().map(|made| made.uri().authority().unwrap().as_str());
        assert_eq!(authority, expected.ok());
        if let Some(made) = made {
            let names: Vec<&str> = made.headers().keys().map(|name| name.as_str()).collect();
            assert_eq!(names, ["te"], "{made:?}");
            assert_eq!(made.headers()["te"], "trailers");
        }
        assert_eq!(peer.engine.open(NOW, &head, true).err(), expected.err());
    }
}

// rule: H2-5b H2-5c H2-5e H2-7a L-4a
#[test]
fn malformed_responses_fail_their_stream_only() {
    for (came, expected) in [
        // No :status; a field of the connection; more data than Content-Length says; less.
        (block(1, true, &field("a", "b")), "s0.0 Protocol(Stream(1)) Answered"),
        (
            block(1, true, &[vec![0x88], field("connection", "close")].concat()),
            "s0.0 Protocol(Stream(1)) Answered",
        ),
        (
            [
                block(1, false, &[vec![0x88], field("content-length", "2")].concat()),
                data(1, 3, true),
            ]
            .concat(),
            "s0.0 Protocol(Stream(1)) Answered",
        ),
        (
            [
                block(1, false, &[vec![0x88], field("content-length", "4")].concat()),
                data(1, 3, true),
            ]
            .concat(),
            "s0.0 Protocol(Stream(1)) Answered",
        ),
        (
            block(1, true, &[vec![0x88], field("x", "y").repeat(101)].concat()),
            "s0.0 Protocol(HeadTooLarge) Answered",
        ),
    ] {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        let stream = peer.open(&post("/"), false);
        peer.frames();
        peer.feed(&came);
        assert_eq!(peer.told().last().unwrap(), expected, "{came:?}");
        assert!(peer.frames_of(kind::RST_STREAM).iter().any(|frame| frame.stream == 1));
        assert_eq!(stream.slot(), 0);
        ask_for(&mut peer, 1);
        peer.frames();
        peer.feed(&answer(3, true));
        assert_eq!(peer.told(), ["s0.1 200 end", "s0.1 ended"]);
    }
}

// rule: H2-1g H2-9a
#[test]
fn errors_of_the_connection() {
    for (came, code) in [
        (data(9, 1, false), 1),
        (window_update(1, 0), 1),
        (encode(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2, 0x82]), 1),
        (encode(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), 3),
        (encode(kind::DATA, 0, 1, &vec![0; 16_385]), 6),
        (block(1, true, &[0x80]), 1),
    ] {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        ask_for(&mut peer, 1);
        peer.frames();
        peer.feed(&came);
        let fault = format!("Protocol(Connection({code}))");
        assert_eq!(
            peer.told(),
            [format!("s0.0 {fault} Unknown"), format!("Closed {{ cause: {fault} }}")]
        );
        assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), code);
    }
}

#[test]
fn shutdown() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    ask_for(&mut peer, 1);
    peer.frames();
    peer.engine.shutdown(NOW, Shutdown::Graceful);
    peer.frames();
    assert_eq!(peer.engine.open(NOW, &get("/"), true), Err(OpenError::Refusing));
    assert_eq!(peer.told(), [""; 0]);
    peer.feed(&answer(1, true));
    assert_eq!(peer.told(), ["s0.0 200 end", "s0.0 ended", "Closed { cause: ShutDown }"]);
    assert_eq!(peer.frames_of(kind::GOAWAY).len(), 1);

    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    ask_for(&mut peer, 1);
    peer.frames();
    peer.engine.shutdown(NOW, Shutdown::Now);
    assert_eq!(peer.told(), ["s0.0 ShutDown Unknown", "Closed { cause: ShutDown }"]);
    assert_eq!(peer.frames_of(kind::GOAWAY).len(), 1);
}

#[test]
fn who_says_goodbye_at_once_begins_with_settings() {
    // Found by the pairs of the fuzzer, whose server takes nothing else for a first frame.
    let mut peer = Scripted::of(H2::client(&Config::default(), NOW));
    peer.engine.shutdown(NOW, Shutdown::Now);
    let kinds: Vec<u8> = peer.frames().iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::SETTINGS, kind::GOAWAY]);
}

#[test]
fn a_client_that_has_nothing_left_does_not_wait_for_its_transport() {
    // Found by the explorer: what was written for streams that had been reset stood before the
    // goodbye, and a transport that took nothing was waited for until TCP gave it up.
    let config = Config::default();
    let mut peer = Scripted::server(&config, &[]);
    let id = peer.open(&post("/"), false);
    assert_eq!(peer.engine.patience(), None);
    peer.engine.shutdown(NOW, Shutdown::Graceful);
    assert_eq!(peer.engine.patience(), None, "who waits for the answer decides");
    peer.engine.reset(NOW, id);
    assert_eq!(peer.engine.patience(), Some(config.close_timeout));
}

#[test]
fn a_server_that_has_answered_and_takes_no_more_is_not_waited_for() {
    let mut peer = Scripted::server(&Config::default(), &[(4, 3)]);
    let linger = Config::default().linger_timeout;
    let id = peer.open(&post("/"), false);
    peer.engine.send(NOW, id, bytes(10), true);
    assert_eq!(peer.frames_of(kind::DATA)[0].payload.len(), 3);
    peer.feed(&answer(1, true));
    peer.told();
    // What it takes buys time.
    peer.now = NOW + linger / 2;
    peer.feed(&window_update(1, 2));
    peer.frames();
    assert_eq!(peer.engine.poll_timeout(), Some(NOW + linger));
    peer.now = NOW + linger;
    peer.engine.handle_timeout(peer.now);
    assert_eq!(peer.told(), [""; 0]);
    assert_eq!(peer.engine.poll_timeout(), Some(NOW + 2 * linger));
    peer.now = NOW + 2 * linger;
    peer.engine.handle_timeout(peer.now);
    assert_eq!(peer.told(), ["s0.0 ended"]);
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), u32::from(h2::Reason::CANCEL));
    assert_eq!(peer.engine.poll_timeout(), None);
}

#[test]
fn a_caller_is_waited_for_after_the_answer() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    let id = peer.open(&post("/"), false);
    peer.frames();
    peer.feed(&answer(1, true));
    assert_eq!(peer.told(), ["s0.0 200 end"]);
    for hour in 1..4 {
        peer.now = at(hour * 3_600_000);
        peer.engine.handle_timeout(peer.now);
        assert_eq!(peer.told(), [""; 0]);
        assert!(peer.engine.poll_timeout() > Some(peer.now));
        peer.engine.send(peer.now, id, bytes(1), false);
        peer.frames();
        assert_eq!(peer.told(), ["s0.0 capacity"]);
    }
    peer.engine.send(peer.now, id, bytes(1), true);
    peer.frames();
    assert_eq!(peer.told(), ["s0.0 ended"]);
    assert_eq!(peer.engine.poll_timeout(), None);
}
