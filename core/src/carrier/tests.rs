//! A carrier over plain text against a server's engine, in memory: what the upstream hears.

use std::io;

use bytes::Bytes;
use http::{Request, Response};

use super::{Carrier, Event};
use crate::engine::{self, Config, Engine, Output, Stack, h1::H1, h2::H2};
use crate::id::{AttemptId, ConnectionId, RequestId, StreamId};
use crate::rng::Rng;
use crate::time::Instant;
use crate::types::{BodyState, Protocol, Timing};
use crate::upstream::{self, Action};

const ATTEMPT: AttemptId = AttemptId::new(1, 0);
const CONNECTION: ConnectionId = ConnectionId::new(2, 0);
const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

fn request(slot: u32) -> RequestId {
    RequestId::new(slot, 0)
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn get() -> Request<()> {
    Request::get("http://a.test/").body(()).unwrap()
}

/// Both ends.
struct Pair {
    carrier: Carrier,
    server: Engine,
    now: Instant,
    /// Streams that the server has heard of and not answered.
    asked: Vec<StreamId>,
    /// What the carrier said, as words.
    said: Vec<String>,
}

impl Pair {
    fn connecting(protocol: Protocol) -> Self {
        let config = Config::default();
        let server = match protocol {
            Protocol::Http2 => Engine::H2(Box::new(H2::server(&config, at(0)))),
            _ => Engine::H1(Box::new(H1::server(&config, at(0)))),
        };
        let stack = Stack::plain(Engine::client(protocol, &config, at(0)).unwrap());
        let carrier = Carrier::new(ATTEMPT, CONNECTION, stack);
        Self { carrier, server, now: at(0), asked: Vec::new(), said: Vec::new() }
    }

    /// Established, and what was said until then forgotten.
    fn new(protocol: Protocol) -> Self {
        let mut pair = Self::connecting(protocol);
        pair.carrier.connected();
        pair.run();
        pair.said.clear();
        pair
    }

    /// Carries bytes both ways until there are none.
    fn run(&mut self) {
        loop {
            let (mut up, mut down) = (Output::new(), Output::new());
            self.carrier.transmit(self.now, &mut up, usize::MAX);
            self.server.transmit(self.now, &mut down, usize::MAX);
            if up.is_empty() && down.is_empty() {
                return self.listen();
            }
            while let Some(bytes) = up.pop() {
                self.server.receive(self.now, &bytes);
            }
            while let Some(event) = self.server.poll_event() {
                match event {
                    engine::Event::Head { stream, .. } => self.asked.push(stream),
                    engine::Event::Data { stream, bytes, .. } => {
                        self.server.allow(self.now, stream, bytes.len());
                    }
                    _ => {}
                }
            }
            while let Some(bytes) = down.pop() {
                self.carrier.receive(self.now, &bytes);
            }
            self.listen();
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.carrier.poll_event(self.now) {
            self.said.push(words(event));
        }
    }

    /// What was said since the last call, bytes carried.
    fn says(&mut self) -> String {
        self.run();
        core::mem::take(&mut self.said).join("; ")
    }

    fn assign(&mut self, slot: u32, end: bool) {
        self.carrier.assign(self.now, request(slot), &get(), end);
    }

    /// Answers the oldest request.
    fn answer(&mut self, length: usize, body: &'static str) {
        let stream = self.asked.remove(0);
        let head = Response::builder().header("content-length", length).body(()).unwrap();
        self.server.respond(self.now, stream, &head, length == 0);
        if length > 0 {
            let end = length == body.len();
            self.server.send(self.now, stream, Bytes::from_static(body.as_bytes()), end);
        }
    }
}

fn words(event: Event) -> String {
    use upstream::Event as Up;
    match event {
        Event::Upstream(event) => match event {
            Up::AttemptProgress(ATTEMPT) => "progress".to_owned(),
            Up::Connected { attempt: ATTEMPT, protocol, .. } => format!("connected {protocol}"),
            Up::AttemptFailed { attempt: ATTEMPT, cause } => format!("failed {cause:?}"),
            Up::Limit { connection: CONNECTION, .. } => "limit".to_owned(),
            Up::Refusing(CONNECTION) => "refusing".to_owned(),
            Up::Probed(CONNECTION) => "probed".to_owned(),
            Up::Closed { connection: CONNECTION, cause } => format!("closed {cause:?}"),
            Up::StreamEnded { connection: CONNECTION, request, outcome, retry, body, .. } => {
                format!("{request} {outcome:?} {retry:?} {body:?}")
            }
            other => format!("UNEXPECTED {other:?}"),
        },
        Event::Informational { request, .. } => format!("{request} interim"),
        Event::Head { request, head, .. } => format!("{request} {}", head.status().as_u16()),
        Event::Data { request, bytes, .. } => format!("{request} {} bytes", bytes.len()),
        Event::Trailers { request, .. } => format!("{request} trailers"),
        Event::Capacity { request } => format!("{request} capacity"),
    }
}

#[test]
fn a_request_is_carried() {
    for protocol in BOTH {
        let mut pair = Pair::connecting(protocol);
        assert!(!pair.carrier.wants_input() && !pair.carrier.is_connected());
        let mut up = Output::new();
        pair.carrier.transmit(pair.now, &mut up, usize::MAX);
        pair.listen();
        assert!(up.is_empty() && pair.said.is_empty(), "nothing is said while the socket connects");
        pair.carrier.connected();
        let begun = pair.says();
        assert!(begun.starts_with(&format!("progress; connected {protocol}")), "{begun}");
        pair.assign(7, true);
        assert_eq!(pair.says(), "");
        pair.answer(2, "ok");
        assert_eq!(pair.says(), "r7.0 200; r7.0 2 bytes; r7.0 Complete Answered Untouched");
        assert!(!pair.carrier.is_over() && pair.carrier.wants_input());
    }
}

#[test]
fn the_stages_are_timed() {
    let mut pair = Pair::new(Protocol::Http2);
    pair.now = at(10);
    pair.assign(7, true);
    pair.run();
    pair.now = at(25);
    pair.answer(5, "ab");
    pair.run();
    pair.now = at(40);
    let action = Action::Reset { connection: CONNECTION, request: request(7) };
    pair.carrier.carry_out(pair.now, &action);
    let ended = core::iter::from_fn(|| pair.carrier.poll_event(at(40))).find_map(|event| {
        let Event::Upstream(upstream::Event::StreamEnded { timing, .. }) = event else {
            return None;
        };
        Some(timing)
    });
    let timing = Timing { opened: Some(at(10)), first_byte: Some(at(25)), ended: at(40) };
    assert_eq!(ended, Some(timing));
}

/// What is left of the body is what the last frame's sender said.
#[test]
fn a_body_is_sent_frame_by_frame() {
    for (protocol, left) in BOTH.into_iter().zip([BodyState::Replayable, BodyState::Spent]) {
        let mut pair = Pair::new(protocol);
        pair.assign(7, false);
        for _ in 0..2 {
            let frame = Bytes::from_static(b"frame");
            pair.carrier.send(pair.now, request(7), frame, false, left);
            assert_eq!(pair.says(), "r7.0 capacity", "{protocol}");
        }
        pair.carrier.send(pair.now, request(7), Bytes::new(), true, left);
        pair.run();
        pair.answer(0, "");
        let ended = pair.says();
        assert!(ended.ends_with(&format!("r7.0 Complete Answered {left:?}")), "{ended}");
    }
}

#[test]
fn a_socket_that_cannot_connect_fails_its_attempt() {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let late = io::Error::from(io::ErrorKind::TimedOut);
    for (error, cause) in [(refused, "Refused"), (late, "ConnectTimeout")] {
        let mut pair = Pair::connecting(Protocol::Http1);
        pair.carrier.receive_end(pair.now, Some(&error));
        pair.carrier.receive_end(pair.now, Some(&error));
        pair.carrier.connected();
        assert_eq!(pair.says(), format!("failed {cause}"));
        assert!(pair.carrier.is_over());
    }
}

/// An HTTP/1 connection is refused before its request goes elsewhere, and closed last.
#[test]
fn a_broken_connection_is_told_in_order() {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    for broken in [None, Some(&reset)] {
        let mut pair = Pair::new(Protocol::Http1);
        pair.assign(7, true);
        pair.run();
        pair.answer(10, "half");
        assert_eq!(pair.says(), "r7.0 200; r7.0 4 bytes");
        pair.carrier.receive_end(pair.now, broken);
        let said = pair.says();
        let expected = "refusing; r7.0 Failed(Incomplete) Answered Untouched; closed ";
        assert!(said.starts_with(expected), "{said}");
        assert!(pair.carrier.is_over() && !pair.carrier.wants_input());
        // What the upstream assigned before it heard of that.
        pair.assign(8, true);
        assert_eq!(pair.says(), "r8.0 Failed(ShutDown) Unsent Untouched");
    }
    let unsent = words(Event::Upstream(Carrier::unsent(at(0), CONNECTION, request(8))));
    assert_eq!(unsent, "r8.0 Failed(Closed) Unsent Untouched");
}

#[test]
fn a_reset_ends_the_stream_once() {
    let cancelled = "r7.0 Reset Unknown Untouched";
    let http1 = format!("refusing; {cancelled}; closed Cancelled");
    for (protocol, expected) in BOTH.into_iter().zip([http1.as_str(), cancelled]) {
        let mut pair = Pair::new(protocol);
        pair.assign(7, true);
        pair.run();
        let action = Action::Reset { connection: CONNECTION, request: request(7) };
        pair.carrier.carry_out(pair.now, &action);
        pair.carrier.carry_out(pair.now, &action);
        assert_eq!(pair.says(), expected);
    }
}

#[test]
fn what_cannot_be_opened_is_unsent() {
    let mut pair = Pair::new(Protocol::Http1);
    pair.assign(7, true);
    pair.assign(8, true);
    assert_eq!(pair.says(), "r8.0 Failed(Cancelled) Unsent Untouched", "HTTP/1 carries one");
    let mut pair = Pair::new(Protocol::Http2);
    let nowhere = Request::get("/").body(()).unwrap();
    pair.carrier.assign(pair.now, request(7), &nowhere, true);
    assert_eq!(pair.says(), "r7.0 Reset Unsent Untouched", "no other connection could say it");
}

#[test]
fn commands_of_the_upstream_are_carried_out() {
    for protocol in BOTH {
        let mut pair = Pair::new(protocol);
        pair.carrier.carry_out(pair.now, &Action::Probe(CONNECTION));
        assert_eq!(pair.says(), "probed");
        pair.assign(7, true);
        pair.run();
        pair.carrier.carry_out(pair.now, &Action::Shutdown(CONNECTION));
        assert!(!pair.says().contains("closed"), "{protocol}: it ends what is under way");
        pair.answer(2, "ok");
        let said = pair.says();
        let end = "r7.0 Complete Answered Untouched; closed ShutDown";
        assert!(said.ends_with(end), "{protocol}: {said}");
        assert!(pair.carrier.is_finished());
        let mut pair = Pair::new(protocol);
        pair.assign(7, true);
        pair.run();
        pair.carrier.carry_out(pair.now, &Action::Abort(CONNECTION));
        let said = pair.says();
        assert!(said.contains("r7.0 Failed(ShutDown) Unknown Untouched; closed"), "{said}");
    }
}

/// The law: one `StreamEnded` for each assignment, whatever happens in whatever order.
#[test]
fn each_assignment_ends_once() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut pair = Pair::new(BOTH[rng.below(2) as usize]);
        let count = 12;
        for slot in 0..count {
            pair.assign(slot, rng.below(2) == 0);
            let some = request(rng.below(u64::from(slot) + 1) as u32);
            match rng.below(9) {
                0 => pair
                    .carrier
                    .carry_out(pair.now, &Action::Reset { connection: CONNECTION, request: some }),
                1 if slot > 6 => pair.carrier.carry_out(pair.now, &Action::Shutdown(CONNECTION)),
                2 if slot > 6 => pair.carrier.receive_end(pair.now, None),
                3 if slot > 6 => pair.carrier.carry_out(pair.now, &Action::Abort(CONNECTION)),
                4 => {
                    let (bytes, left) = (Bytes::from_static(b"body"), BodyState::Replayable);
                    pair.carrier.send(pair.now, some, bytes, rng.below(2) == 0, left);
                }
                5 => pair.carrier.allow(pair.now, some, 1),
                _ => pair.run(),
            }
            if rng.below(3) > 0 && !pair.asked.is_empty() {
                pair.answer(2, ["ok", "o"][rng.below(2) as usize]);
            }
            pair.listen();
        }
        pair.run();
        pair.carrier.carry_out(pair.now, &Action::Abort(CONNECTION));
        pair.run();
        assert!(pair.carrier.is_over(), "seed {seed}");
        let held = (pair.carrier.lanes.len(), pair.carrier.streams.len());
        assert_eq!(held, (0, 0), "seed {seed}: what has ended is forgotten");
        let heard = &pair.said;
        for slot in 0..count {
            let name = format!("r{slot}.0 ");
            let left = ["Untouched", "Replayable"];
            let is_end = |said: &&String| {
                said.starts_with(&name) && left.iter().any(|left| said.ends_with(left))
            };
            let ends = heard.iter().filter(is_end).count();
            assert_eq!(ends, 1, "seed {seed}, {name}: {heard:#?}");
        }
        let closed = heard.iter().filter(|said| said.starts_with("closed")).count();
        assert_eq!(closed, 1, "seed {seed}: {heard:#?}");
    }
}
