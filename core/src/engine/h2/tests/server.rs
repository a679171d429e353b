//! A server engine and a scripted client.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io::IoSlice;

use tokio::io::AsyncWrite;

use super::super::io::Io;
use super::super::tap::Tap;
use super::*;
use crate::engine::Shutdown;
use crate::time::Duration;
use crate::types::Cause;

/// The stream of the `n`-th request event among those that wait.
fn requests(peer: &mut Scripted) -> Vec<StreamId> {
    let is_request = |event: Event| match event {
        Event::Head { stream, head: Head::Request(_), .. } => Some(stream),
        _ => None,
    };
    events(&mut peer.engine).into_iter().filter_map(is_request).collect()
}

// rule: M-6b
#[test]
fn answers_of_every_shape() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    assert_eq!(peer.told(), ["s0.0 GET https://a.b/ end"]);
    let stream = StreamId::new(0, 0);
    peer.engine.respond(NOW, stream, &status(103), false);
    peer.engine.respond(NOW, stream, &status(200), false);
    peer.engine.send(NOW, stream, bytes(5), false);
    let said = peer.frames();
    let kinds: Vec<u8> = said.iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::HEADERS, kind::HEADERS, kind::DATA]);
    assert_eq!(peer.told(), ["s0.0 capacity"]);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    peer.engine.trailers(NOW, stream, trailers);
    let said = peer.frames_of(kind::HEADERS);
    assert_eq!(said[0].flags, flag::END_STREAM | flag::END_HEADERS);
    assert_eq!(peer.told(), ["s0.0 ended"]);

    // A response without content says nothing after its head, whatever is sent.
    peer.feed(&block(3, true, &[vec![0x42, 4], b"HEAD".to_vec(), REQUEST[1..].to_vec()].concat()));
    let head = requests(&mut peer)[0];
    peer.engine.respond(NOW, head, &status(200), false);
    peer.engine.send(NOW, head, bytes(5), false);
    peer.engine.send(NOW, head, bytes(5), true);
    let said = peer.frames();
    assert!(said.iter().all(|frame| frame.kind != kind::DATA || frame.payload.is_empty()));
    assert_eq!(peer.told(), [format!("{head} ended")]);
}

// rule: H2-5a H2-5b H2-5c H2-5d H2-6a H2-7b A13 A23 A47a
#[test]
fn requests_are_made_whole_or_refused() {
    let cookies = [REQUEST.to_vec(), field("cookie", "a=1"), field("cookie", "b=2")].concat();
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&block(1, true, &cookies));
    let events = events(&mut peer.engine);
    let Event::Head { head: Head::Request(head), .. } = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(head.headers()["cookie"], "a=1; b=2");

    // A23: each is a stream error or a 431, and never told of.
    let connect = vec![0x42, 7, b'C', b'O', b'N', b'N', b'E', b'C', b'T'];
    let path = |path: &str| [vec![4, u8::try_from(path.len()).unwrap()], path.into()].concat();
    for (n, fields) in (0_u32..).zip([
        [REQUEST.to_vec(), field("host", "c.d")].concat(),
        [REQUEST.to_vec(), field("host", "a.b"), field("host", "a.b")].concat(),
        [REQUEST.to_vec(), field("connection", "close")].concat(),
        [REQUEST.to_vec(), field("te", "gzip")].concat(),
        [REQUEST.to_vec(), field("transfer-encoding", "chunked")].concat(),
        [REQUEST.to_vec(), field("Upper", "x")].concat(),
        [REQUEST.to_vec(), field("", "x")].concat(),
        [REQUEST.to_vec(), field("x", "a\r\nb: c")].concat(),
        [REQUEST.to_vec(), field(":path", "/")].concat(),
        [REQUEST.to_vec(), field("a", "b"), vec![0x84]].concat(),
        [REQUEST.to_vec(), field(":unknown", "b")].concat(),
        [vec![0x82, 0x87], path("/a b"), REQUEST[3..].to_vec()].concat(),
        [connect, REQUEST[1..].to_vec()].concat(),
        [REQUEST.to_vec(), field("x", "y").repeat(101)].concat(),
        REQUEST[1..].to_vec(),
    ]) {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&block(1, true, &fields));
        let said = peer.frames();
        let told = peer.told();
        assert!(told.iter().all(|word| !word.contains("https")), "{n}: {told:?}");
        let refused = |frame: &Seen| match frame.kind {
            kind::RST_STREAM | kind::GOAWAY => true,
            kind::HEADERS => n == 13,
            _ => false,
        };
        assert!(said.iter().any(refused), "{n}: {said:?}");
    }
}

// rule: H2-4b L-8
#[test]
fn a_request_body_comes_with_back_pressure() {
    let config = Config { stream_window: 100, ..Config::default() };
    let mut peer = Scripted::client(&config);
    peer.feed(&ask(1, false));
    let stream = requests(&mut peer)[0];
    peer.feed(&data(1, 100, false));
    assert_eq!(peer.told(), ["s0.0 100 bytes"]);
    assert_eq!(peer.frames_of(kind::WINDOW_UPDATE), []);
    peer.engine.allow(NOW, stream, 60);
    let said = peer.frames_of(kind::WINDOW_UPDATE);
    assert_eq!((said[0].stream, said[0].code()), (1, 60));
    // More than was allowed is the peer's fault, on its stream.
    peer.feed(&data(1, 61, false));
    assert_eq!(peer.told(), ["s0.0 Protocol(Stream(3)) Unknown"]);
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 3);
}

// rule: H2-1d A18
#[test]
fn a_window_that_shrinks_while_a_body_comes_opens_again() {
    // The client sends by the default window before it hears of the smaller one.
    let config = Config { stream_window: 1_000, ..Config::default() };
    let mut peer = Scripted::of(H2::server(&config, NOW));
    peer.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer.feed(&[settings(&[]), ask(1, false), data(1, 1_500, false)].concat());
    let stream = requests(&mut peer)[0];
    peer.engine.allow(NOW, stream, 1_500);
    peer.frames();
    // Its window is at -500 now.
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    let said = peer.frames_of(kind::WINDOW_UPDATE);
    assert_eq!((said[0].stream, said[0].code()), (1, 1_500));
}

// rule: H-7c
#[test]
fn a_client_that_waits_for_continue_is_told() {
    let expecting = [REQUEST.to_vec(), field("expect", "100-continue")].concat();
    let start = || {
        let mut peer = Scripted::client(&Config::default());
        peer.feed(&block(1, false, &expecting));
        let stream = requests(&mut peer)[0];
        assert_eq!(peer.frames_of(kind::HEADERS), []);
        (peer, stream)
    };
    // The reader asks; time passes; the service says so: once each.
    for way in 0..3 {
        let (mut peer, stream) = start();
        match way {
            0 => peer.engine.allow(NOW, stream, 0),
            1 => peer.engine.handle_timeout(NOW + Duration::from_secs(1)),
            _ => peer.engine.respond(NOW, stream, &status(100), false),
        }
        assert_eq!(peer.frames_of(kind::HEADERS).len(), 1, "{way}");
        peer.engine.allow(NOW, stream, 0);
        peer.engine.handle_timeout(NOW + Duration::from_secs(1));
        assert_eq!(peer.frames_of(kind::HEADERS), [], "{way}");
    }
    // The body comes by itself; the answer is final.
    let (mut peer, stream) = start();
    peer.feed(&data(1, 3, false));
    peer.engine.allow(NOW, stream, 3);
    assert_eq!(peer.frames_of(kind::HEADERS), []);
    let (mut peer, stream) = start();
    peer.engine.respond(NOW, stream, &status(417), true);
    peer.engine.allow(NOW, stream, 0);
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 1);
}

// rule: A15 L-7
#[test]
fn a_peer_that_does_not_read_is_not_listened_to() {
    let mut peer = Scripted::client(&Config::default());
    let mut n = 0;
    // Nothing is transmitted: the answers pile up, then the questions.
    while peer.engine.wants_input() {
        peer.now = peer.now + Duration::from_millis(2);
        peer.feed(&encode(kind::PING, 0, 0, &[7; 8]));
        n += 1;
        assert!(n < 30_000, "never stopped");
    }
    assert_eq!(peer.frames_of(kind::PING).len(), n);
    assert!(peer.engine.wants_input());
}

#[test]
fn resets() {
    // The client gives up while the server works.
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    requests(&mut peer);
    peer.feed(&reset(1, 8));
    assert_eq!(peer.told(), ["s0.0 StreamReset(8) Unknown"]);

    // The server gives up: before, in, and after its response.
    peer.feed(&ask(3, true));
    let stream = requests(&mut peer)[0];
    peer.engine.reset(NOW, stream);
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 2);
    peer.feed(&ask(5, true));
    let stream = requests(&mut peer).pop().unwrap();
    peer.engine.respond(NOW, stream, &status(200), false);
    peer.frames();
    peer.engine.reset(NOW, stream);
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 2);
    peer.feed(&ask(7, false));
    let stream = requests(&mut peer).pop().unwrap();
    peer.engine.respond(NOW, stream, &status(200), false);
    peer.engine.send(NOW, stream, bytes(3), true);
    peer.frames();
    peer.engine.reset(NOW, stream);
    // RFC 9113 8.1: a whole response, then NO_ERROR.
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 0);
    // Late frames harm nobody.
    peer.feed(&data(7, 10, true));
    peer.feed(&ask(9, true));
    assert_eq!(requests(&mut peer).len(), 1);
}

// rule: H2-3c
#[test]
fn a_graceful_end_has_two_phases() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    let first = requests(&mut peer)[0];
    peer.engine.shutdown(NOW, Shutdown::Graceful);
    let said = peer.frames();
    assert_eq!(said[0].payload[..4], [0x7f, 0xff, 0xff, 0xff]);
    let ping = said.iter().find(|frame| frame.kind == kind::PING).unwrap();
    // What was on its way is still served.
    peer.feed(&ask(3, true));
    let second = requests(&mut peer)[0];
    peer.feed(&encode(kind::PING, flag::ACK, 0, &ping.payload));
    let said = peer.frames_of(kind::GOAWAY);
    assert_eq!(said[0].payload[..4], [0, 0, 0, 3]);
    peer.feed(&ask(5, true));
    assert_eq!(requests(&mut peer), [], "after the second GOAWAY nothing is taken");
    peer.engine.respond(NOW, first, &status(200), true);
    peer.engine.respond(NOW, second, &status(200), true);
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 2);
    assert_eq!(
        peer.told(),
        [format!("{first} ended"), format!("{second} ended"), "Closed { cause: ShutDown }".into()]
    );
}

#[test]
fn a_graceful_end_does_not_wait_for_a_dead_peer() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    requests(&mut peer);
    peer.engine.shutdown(NOW, Shutdown::Graceful);
    peer.frames();
    let due = NOW + Duration::from_secs(10);
    assert_eq!(peer.engine.poll_timeout(), Some(due));
    peer.engine.handle_timeout(due);
    assert_eq!(
        peer.told(),
        ["s0.0 KeepAliveTimeout Unknown", "Closed { cause: KeepAliveTimeout }"]
    );
}

// rule: H2-1c H2-2c
#[test]
fn the_stream_limit_changes_while_the_connection_lives() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    let first = requests(&mut peer)[0];
    peer.engine.set_max_concurrent_streams(NOW, 0);
    let said = peer.frames_of(kind::SETTINGS);
    assert_eq!(said[0].payload, [0, 3, 0, 0, 0, 0]);
    // Before its ACK the client may not know.
    peer.feed(&ask(3, true));
    let second = requests(&mut peer)[0];
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    peer.feed(&ask(5, true));
    assert_eq!(requests(&mut peer), []);
    let said = peer.frames_of(kind::RST_STREAM);
    assert_eq!((said[0].stream, said[0].code()), (5, 7));
    // Open streams go on.
    for stream in [first, second] {
        peer.engine.respond(NOW, stream, &status(200), true);
    }
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 2);
    peer.told();
    peer.engine.set_max_concurrent_streams(NOW, 1);
    peer.frames();
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    peer.feed(&ask(7, true));
    peer.feed(&ask(9, true));
    assert_eq!(requests(&mut peer).len(), 1);
    assert_eq!(peer.frames_of(kind::RST_STREAM)[0].stream, 9);
    // One goes and one comes in the same bytes.
    peer.feed(&[reset(7, 8), ask(11, true)].concat());
    assert_eq!(requests(&mut peer).len(), 1);
    // Never above what it began with, which h2 enforces.
    peer.engine.set_max_concurrent_streams(NOW, 1_000);
    assert_eq!(peer.frames_of(kind::SETTINGS)[0].payload, [0, 3, 0, 0, 0, 100]);
    // An ACK of nothing is an error still.
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1);
}

/// What a client had sent when it heard of the limit may lie in front of its ACK in one read.
// rule: H2-1c H2-2c
#[test]
fn a_lowered_limit_holds_from_its_ack_on_wherever_the_bytes_are_cut() {
    let ack = encode(kind::SETTINGS, flag::ACK, 0, &[]);
    let came = [ask(1, true), ask(3, true), ack.clone(), ask(5, true), ack, ask(7, true)].concat();
    for size in [1, 7, 9, 40, came.len()] {
        let mut peer = Scripted::client(&Config::default());
        peer.engine.set_max_concurrent_streams(NOW, 3);
        peer.engine.set_max_concurrent_streams(NOW, 0);
        peer.frames();
        came.chunks(size).for_each(|piece| peer.feed(piece));
        assert_eq!(requests(&mut peer).len(), 3, "{size}");
        let refused: Vec<_> = peer.frames_of(kind::RST_STREAM).iter().map(|f| f.stream).collect();
        assert_eq!(refused, [7], "{size}");
    }
}

#[test]
fn the_engines_own_frames_stand_between_those_of_h2() {
    let large = |code: u16| {
        let mut head = status(code);
        for name in ["x", "y", "z"] {
            head.headers_mut().insert(name, "v".repeat(15_000).parse().unwrap());
        }
        head
    };
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&settings(&[(4, 1 << 20)]));
    peer.feed(&window_update(0, 1 << 20));
    for n in 0..8 {
        peer.feed(&ask(2 * n + 1, true));
    }
    // More than the output takes: h2 is stopped in a body, then in heads.
    let streams = requests(&mut peer);
    peer.engine.respond(NOW, streams[0], &status(200), false);
    peer.engine.send(NOW, streams[0], bytes(300_000), true);
    peer.feed(&window_update(0, 1));
    peer.engine.set_max_concurrent_streams(NOW, 50);
    let said = peer.frames();
    assert!(said.iter().any(|frame| frame.kind == kind::SETTINGS && frame.payload.len() == 6));
    let body = said.iter().filter(|frame| frame.kind == kind::DATA);
    assert_eq!(body.map(|frame| frame.payload.len()).sum::<usize>(), 300_000);
    for &stream in &streams[1..] {
        peer.engine.respond(NOW, stream, &large(200), true);
    }
    peer.feed(&window_update(0, 1));
    peer.engine.set_max_concurrent_streams(NOW, 40);
    let said = peer.frames();
    let place = said.iter().position(|frame| frame.kind == kind::SETTINGS).unwrap();
    assert!(0 < place && place < said.len() - 1, "it is between others");
    assert_eq!(said.iter().filter(|frame| frame.kind == kind::HEADERS).count(), 7);
}

#[test]
fn writing_stops_between_frames_only() {
    let io = Io::new(Tap::new(true, 0, u32::MAX, NOW), 0);
    let mut cx = Context::from_waker(Waker::noop());
    // The output fills up within the second frame.
    let (first, second) = (data(1, 65_520, false), data(1, 100, false));
    let slices = [&first[..], &second[..9], &second[9..], &second[..]].map(IoSlice::new);
    let written = pin!(io.clone()).poll_write_vectored(&mut cx, &slices);
    assert!(matches!(written, Poll::Ready(Ok(n)) if n == first.len() + second.len()));
    assert!(pin!(io.clone()).poll_write(&mut cx, &second).is_pending());
    let mut out = Output::new();
    assert!(io.wire().transmit(&mut out, usize::MAX), "h2 is told of the room");
    assert_eq!(out.len(), first.len() + second.len());
    assert!(pin!(io).poll_write(&mut cx, &second).is_ready());
}

#[test]
fn refused_streams_are_remembered_too() {
    let mut peer = Scripted::client(&Config::default());
    peer.engine.set_max_concurrent_streams(NOW, 0);
    peer.frames();
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    for n in 0..900 {
        assert_eq!(peer.frames_of(kind::GOAWAY), [], "{n}");
        peer.feed(&ask(2 * n + 1, true));
    }
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 0);
}

// rule: A21 L-5 L-9 L-10
#[test]
fn slow_and_silent_clients_are_closed() {
    // Nothing, or half a preface.
    for came in [&b""[..], b"PRI * HT"] {
        let mut engine = H2::server(&Config::default(), NOW);
        engine.receive(NOW, came);
        let due = NOW + Duration::from_secs(60);
        assert_eq!(engine.poll_timeout(), Some(due));
        engine.handle_timeout(due);
        assert!(told(&mut engine)[0].starts_with("Closed"));
    }
    // Half a head (A21).
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true)[..12]);
    let due = NOW + Duration::from_secs(10);
    assert_eq!(peer.engine.poll_timeout(), Some(due));
    peer.engine.handle_timeout(due);
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 11);
    // Nothing to do.
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    let stream = requests(&mut peer)[0];
    assert_eq!(peer.engine.poll_timeout(), None);
    peer.engine.respond(NOW, stream, &status(200), true);
    peer.frames();
    let due = NOW + Duration::from_secs(60);
    assert_eq!(peer.engine.poll_timeout(), Some(due));
    peer.engine.handle_timeout(due);
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 0);
}

// rule: H2-1a
#[test]
fn what_is_not_http2_is_told_so() {
    let mut engine = H2::server(&Config::default(), NOW);
    engine.receive(NOW, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(told(&mut engine), ["Closed { cause: Protocol(Connection(1)) }"]);
    let mut peer = Scripted::of(engine);
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1);
}

#[test]
fn the_client_goes_away() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&[ask(1, true), go_away(0, 0)].concat());
    assert_eq!(peer.told(), ["GoAway { code: 0 }", "s0.0 GET https://a.b/ end"]);
    peer.engine.respond(NOW, StreamId::new(0, 0), &status(200), true);
    peer.frames();
    assert_eq!(peer.told(), ["s0.0 ended", "Closed { cause: GoAway(0) }"]);

    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, true));
    peer.told();
    peer.engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(peer.told(), ["s0.0 Closed Unknown", "Closed { cause: Closed }"]);
}
