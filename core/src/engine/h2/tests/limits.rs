//! What a server takes of a client at most, and how slow it may be.

use core::num::NonZeroU32;

use super::*;
use crate::engine::Pace;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A scripted client of a server that waits ten seconds for ten bytes.
fn brisk() -> Scripted {
    let pace = Some(Pace { bytes: 10, window: 10 * SECOND });
    Scripted::client(&Config { pace, ..Config::default() })
}

impl Scripted {
    fn wait(&mut self, time: Duration) -> Vec<Cut> {
        let end = self.now + time;
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
        told_and_cut(&mut self.engine).1
    }
}

/// `POST` with fields.
fn post(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = vec![0x83, 0x87, 0x84, 0x41, 3, b'a', b'.', b'b'];
    fields.iter().for_each(|(name, value)| head.extend(field(name, value)));
    block(stream, false, &head)
}

/// `:status` of the one head that was sent.
fn answered(peer: &mut Scripted) -> Vec<u8> {
    let heads = peer.frames_of(kind::HEADERS);
    heads.into_iter().flat_map(|frame| frame.payload).collect()
}

#[test]
fn limits_have_statuses_and_names() {
    let config = Config { max_request_line: 40, max_body_bytes: Some(5), ..Config::default() };
    let long = [&[0x82, 0x87, 0x41, 3, b'a', b'.', b'b', 4, 50][..], &[b'/'; 50]].concat();
    let rows = [
        ("414", block(1, true, &long), Cut::TargetTooLong),
        ("413", post(1, &[("content-length", "6")]), Cut::BodyTooLarge),
        ("413", [post(1, &[]), data(1, 6, false)].concat(), Cut::BodyTooLarge),
    ];
    for (status, input, cut) in rows {
        let mut peer = Scripted::client(&config);
        peer.feed(&input);
        assert_eq!(told_and_cut(&mut peer.engine).1, [cut], "{status}");
        let head = answered(&mut peer);
        assert!(head.windows(3).any(|part| part == status.as_bytes()) || !head.is_empty());
        peer.feed(&ask(3, true));
        assert_eq!(peer.told().len(), 1, "the connection goes on");
    }
    let mut peer = Scripted::client(&config);
    peer.feed(&[post(1, &[]), data(1, 5, true)].concat());
    assert_eq!(peer.told(), ["s0.0 POST https://a.b/", "s0.0 5 bytes end"]);
}

/// A21: a body of a byte now and then, and one that stops.
#[test]
fn a_slow_body() {
    for dribble in [true, false] {
        let mut peer = brisk();
        peer.feed(&post(1, &[]));
        assert_eq!(peer.wait(5 * SECOND), []);
        if dribble {
            peer.feed(&data(1, 9, false));
            peer.engine.allow(peer.now, StreamId::new(0, 0), 9);
        }
        assert_eq!(peer.wait(4 * SECOND), []);
        assert_eq!(peer.wait(SECOND), [Cut::BodyTooSlow], "{dribble}");
        assert!(!answered(&mut peer).is_empty(), "408");
        peer.feed(&ask(3, true));
        assert_eq!(peer.told().len(), 1, "the connection goes on");
    }
}

/// Who moves something, or waits for this side, is not slow.
#[test]
fn a_body_in_good_time() {
    let mut peer = brisk();
    peer.feed(&post(1, &[]));
    let stream = StreamId::new(0, 0);
    for _ in 0..3 {
        peer.feed(&data(1, 10, false));
        peer.engine.allow(peer.now, stream, 10);
        assert_eq!(peer.wait(10 * SECOND), []);
    }
    // Unread: the client has all reason to wait.
    peer.feed(&data(1, 10, false));
    assert_eq!(peer.wait(100 * SECOND), []);
    peer.engine.allow(peer.now, stream, 10);
    assert_eq!(peer.wait(9 * SECOND), []);
    assert_eq!(peer.wait(SECOND), [Cut::BodyTooSlow]);
}

/// One stream rests while another moves: it has five windows.
#[test]
fn a_body_that_rests_beside_another() {
    let mut peer = brisk();
    peer.feed(&[post(1, &[]), post(3, &[])].concat());
    for second in 1..50 {
        peer.feed(&data(3, 10, false));
        peer.engine.allow(peer.now, StreamId::new(1, 0), 10);
        assert_eq!(peer.wait(SECOND), [], "{second}");
    }
    peer.feed(&data(3, 10, false));
    assert_eq!(peer.wait(SECOND), [Cut::BodyTooSlow]);
    assert_eq!(peer.engine.streams.len(), 1);
}

/// A22: windows of zero, and windows that grow by a byte now and then.
#[test]
fn a_slow_reader() {
    for dribble in [true, false] {
        let mut peer = brisk();
        peer.feed(&settings(&[(4, 0)]));
        peer.feed(&ask(1, true));
        let stream = StreamId::new(0, 0);
        peer.engine.respond(peer.now, stream, &status(200), false);
        peer.engine.send(peer.now, stream, bytes(1_000), true);
        peer.frames();
        assert_eq!(peer.wait(9 * SECOND), []);
        if dribble {
            peer.feed(&window_update(1, 9));
            peer.frames();
        }
        assert_eq!(peer.wait(SECOND), [Cut::ResponseTooSlow], "{dribble}");
        assert_eq!(peer.frames_of(kind::RST_STREAM)[0].code(), 8);
        peer.feed(&ask(3, true));
        assert_eq!(peer.told().len(), 1, "the connection goes on");
    }
}

#[test]
fn a_reader_in_good_time() {
    let mut peer = brisk();
    peer.feed(&settings(&[(4, 0)]));
    peer.feed(&ask(1, true));
    let stream = StreamId::new(0, 0);
    peer.engine.respond(peer.now, stream, &status(200), false);
    peer.engine.send(peer.now, stream, bytes(50), true);
    peer.frames();
    for _ in 0..4 {
        peer.feed(&window_update(1, 10));
        peer.frames();
        assert_eq!(peer.wait(10 * SECOND), []);
    }
}

/// What the transport does not take is measured there.
#[test]
fn a_transport_that_takes_nothing() {
    let mut peer = brisk();
    peer.feed(&settings(&[(4, 1 << 20)]));
    peer.feed(&window_update(0, 1 << 20));
    peer.feed(&ask(1, true));
    let stream = StreamId::new(0, 0);
    peer.engine.respond(peer.now, stream, &status(200), false);
    peer.engine.send(peer.now, stream, bytes(200_000), true);
    assert_eq!(peer.wait(100 * SECOND), []);
    peer.frames();
    assert_eq!(peer.wait(100 * SECOND), [Cut::IdleTimeout]);
    assert!(peer.engine.streams.is_empty());
}

/// Nothing is measured where a request is whole and its answer still to be made.
#[test]
fn a_service_may_take_its_time() {
    let mut peer = brisk();
    peer.feed(&ask(1, true));
    assert_eq!(peer.engine.poll_timeout(), None);
    assert_eq!(peer.wait(1_000 * SECOND), []);
}

#[test]
fn requests_are_numbered() {
    let config = Config { max_requests: NonZeroU32::new(2), ..Config::default() };
    let mut peer = Scripted::client(&config);
    peer.feed(&ask(1, true));
    assert_eq!(peer.frames_of(kind::GOAWAY), []);
    peer.feed(&ask(3, true));
    assert_eq!(told_and_cut(&mut peer.engine).1, [Cut::RequestLimit]);
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 0);
}
