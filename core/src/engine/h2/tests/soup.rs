//! Frames and commands at random: whatever comes, the contract of an engine holds.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::Shutdown;
use crate::rng::Rng;
use crate::time::Duration;
use crate::types::Cause;

/// How far the scripted side of a stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Idle,
    Open,
    Closed,
}

/// One engine under fire, and what its events have told so far.
struct Soup {
    rng: Rng,
    peer: Scripted,
    is_server: bool,
    /// Frames against the rules come once in so many.
    manners: u64,
    /// The scripted side's streams.
    halves: BTreeMap<u32, Half>,
    next: u32,
    unacked: u32,
    live: BTreeSet<StreamId>,
    closed: bool,
}

impl Soup {
    fn new(seed: u64, is_server: bool) -> Self {
        let mut rng = Rng::new(seed);
        let config = Config {
            stream_window: 500 + rng.below(5_000) as u32,
            keep_alive_interval: (rng.below(2) == 0).then_some(Duration::from_secs(3)),
            ..Config::default()
        };
        let peer = if is_server {
            Scripted::client(&config)
        } else {
            Scripted::server(&config, &[(4, rng.below(70_000) as u32)])
        };
        let manners = [10, 100, 1_000_000][rng.below(3) as usize];
        Self {
            rng,
            peer,
            is_server,
            manners,
            halves: BTreeMap::new(),
            next: 1,
            unacked: 0,
            live: BTreeSet::new(),
            closed: false,
        }
    }

    fn pick(&mut self) -> Option<StreamId> {
        let n = self.rng.below(self.live.len().max(1) as u64) as usize;
        self.live.iter().nth(n).copied()
    }

    fn pick_half(&mut self, half: Half) -> Option<u32> {
        let all = self.halves.iter().filter(|(_, is)| **is == half).map(|(number, _)| *number);
        let all: Vec<u32> = all.collect();
        let n = self.rng.below(all.len().max(1) as u64) as usize;
        all.get(n).copied()
    }

    /// What a peer with manners would say now.
    fn legal(&mut self) -> Option<Vec<u8>> {
        let end = self.rng.below(4) == 0;
        let close = if end { Half::Closed } else { Half::Open };
        let small = self.rng.below(200) as u32;
        Some(match self.rng.below(24) {
            0..5 if self.is_server => {
                let number = self.next;
                self.next += 2;
                self.halves.insert(number, close);
                ask(number, end)
            }
            0..5 => {
                let number = self.pick_half(Half::Idle)?;
                self.halves.insert(number, close);
                answer(number, end)
            }
            5..11 => {
                let number = self.pick_half(Half::Open)?;
                self.halves.insert(number, close);
                data(number, small as usize, end)
            }
            11 => {
                let number = self.pick_half(Half::Open)?;
                self.halves.insert(number, Half::Closed);
                block(number, true, &field("trailer", "1"))
            }
            12 => {
                let number = self.pick_half(Half::Open)?;
                self.halves.insert(number, Half::Closed);
                reset(number, small % 15)
            }
            13 => {
                let number = self.pick_half(Half::Closed)?;
                reset(number, small % 15)
            }
            14..17 => window_update(0, small + 1),
            17 | 18 => {
                let number = self.pick_half(Half::Open)?;
                window_update(number, small + 1)
            }
            19 => settings(&[(3, small % 20), (4, small * 300)]),
            20 => encode(kind::PING, 0, 0, &[1; 8]),
            21 if self.unacked > 0 => {
                self.unacked -= 1;
                encode(kind::SETTINGS, flag::ACK, 0, &[])
            }
            22 if !self.is_server => {
                let number = self.pick_half(Half::Idle)?;
                block(number, false, &[0x48, 3, b'1', b'0', b'3'])
            }
            23 if small < 5 => go_away(self.next, small % 15),
            _ => return None,
        })
    }

    /// Anything.
    fn illegal(&mut self) -> Vec<u8> {
        let number = self.rng.below(u64::from(self.next) + 4) as u32;
        let payload: Vec<u8> = (0..self.rng.below(30)).map(|_| self.rng.next_u64() as u8).collect();
        match self.rng.below(8) {
            0 => answer(number, false),
            1 => data(number, 7_000, true),
            2 => window_update(number, self.rng.below(1 << 31) as u32),
            3 => settings(&[(self.rng.below(8) as u16, self.rng.next_u64() as u32)]),
            4 => encode(kind::HEADERS, 0, number, &[0x88]),
            5 => reset(number, 8),
            6 => go_away(number, 0),
            _ => {
                let (kind, flags) = (self.rng.below(12) as u8, self.rng.next_u64() as u8);
                encode(kind, flags, number, &payload)
            }
        }
    }

    fn frame(&mut self) -> Vec<u8> {
        if self.rng.below(self.manners) == 0 {
            return self.illegal();
        }
        self.legal().unwrap_or_default()
    }

    /// What the engine says tells the scripted side what is legal.
    fn transmit(&mut self) {
        self.peer.room = 1 + self.rng.below(2_000) as usize;
        for frame in self.peer.frames() {
            match frame.kind {
                kind::HEADERS if !self.is_server && frame.stream >= self.next => {
                    self.next = frame.stream + 2;
                    self.halves.insert(frame.stream, Half::Idle);
                }
                kind::SETTINGS if frame.flags & flag::ACK == 0 => self.unacked += 1,
                // Sometimes it goes on a little: late frames.
                kind::RST_STREAM if self.rng.below(2) == 0 => {
                    self.halves.insert(frame.stream, Half::Closed);
                }
                kind::PING if frame.flags & flag::ACK == 0 => {
                    self.peer.feed(&encode(kind::PING, flag::ACK, 0, &frame.payload));
                }
                _ => {}
            }
        }
    }

    fn command(&mut self) {
        let now = self.peer.now;
        let end = self.rng.below(3) == 0;
        let n = self.rng.below(3_000) as usize;
        let (mut head, mut response) = (post("/"), status(200));
        if n < 500 {
            // Larger than a frame.
            let value: http::HeaderValue = "v".repeat(40 * n).parse().unwrap();
            for name in ["x", "y", "z"] {
                head.headers_mut().insert(name, value.clone());
                response.headers_mut().insert(name, value.clone());
            }
        }
        if !self.is_server
            && self.rng.below(3) == 0
            && let Ok(id) = self.peer.engine.open(now, &head, end)
        {
            assert!(self.live.insert(id), "{id} is given out twice");
        }
        let Some(id) = self.pick() else {
            return;
        };
        match self.rng.below(40) {
            0..8 => self.peer.engine.send(now, id, bytes(n * 10), end),
            8..12 => self.peer.engine.respond(now, id, &response, end),
            12 => self.peer.engine.respond(now, id, &status(103), end),
            13 => self.peer.engine.respond(now, id, &status(101), end),
            14..20 => self.peer.engine.allow(now, id, n),
            20 | 21 => self.peer.engine.reset(now, id),
            22 => {
                let mut trailers = http::HeaderMap::new();
                trailers.insert("a", "b".parse().unwrap());
                self.peer.engine.trailers(now, id, trailers);
            }
            23 => self.peer.engine.ping(now),
            24 => self.peer.engine.set_max_concurrent_streams(now, n as u32 % 5),
            25 if n < 30 => self.peer.engine.shutdown(now, Shutdown::Graceful),
            26 if n < 30 => self.peer.engine.shutdown(now, Shutdown::Now),
            27 if n < 30 => self.peer.engine.receive_end(now, end, Cause::ConnectionReset),
            28 => {
                // A stale id is harmless.
                let stale = StreamId::new(u32::try_from(id.slot()).unwrap(), 1_000_000);
                self.peer.engine.reset(now, stale);
                self.peer.engine.send(now, stale, bytes(n), end);
            }
            _ => {}
        }
    }

    fn hear(&mut self) {
        for event in events(&mut self.peer.engine) {
            assert!(!self.closed, "after Closed: {event:?}");
            match &event {
                Event::Head { stream, head: Head::Request(_), .. } => {
                    assert!(self.live.insert(*stream), "{event:?}");
                }
                Event::Ended { stream } | Event::Reset { stream, .. } => {
                    assert!(self.live.remove(stream), "{event:?}");
                }
                Event::Head { stream, .. }
                | Event::Data { stream, .. }
                | Event::Informational { stream, .. }
                | Event::Trailers { stream, .. }
                | Event::Capacity { stream } => {
                    assert!(self.live.contains(stream), "{event:?}");
                }
                Event::Closed { .. } => {
                    assert!(self.live.is_empty(), "{event:?} with {:?}", self.live);
                    self.closed = true;
                }
                _ => {}
            }
        }
    }

    fn run(&mut self) {
        for _ in 0..150 {
            let mut came = Vec::new();
            for _ in 0..self.rng.below(3) {
                came.append(&mut self.frame());
            }
            while !came.is_empty() {
                let n = 1 + self.rng.below(came.len() as u64) as usize;
                let rest = came.split_off(n);
                self.peer.engine.receive(self.peer.now, &came);
                came = rest;
            }
            self.command();
            if self.rng.below(4) > 0 {
                self.transmit();
            }
            if self.rng.below(2) == 0 {
                self.hear();
            }
            self.peer.now = self.peer.now + Duration::from_millis(self.rng.below(200));
            if self.peer.engine.poll_timeout().is_some_and(|at| at <= self.peer.now) {
                self.peer.engine.handle_timeout(self.peer.now);
                let left = self.peer.engine.poll_timeout();
                assert!(
                    left.is_none_or(|at| at > self.peer.now || at == Instant::EPOCH),
                    "{left:?}"
                );
            }
        }
        // At the latest the end of the connection ends everything.
        self.peer.engine.receive_end(self.peer.now, true, Cause::Closed);
        for _ in 0..10 {
            self.peer.engine.transmit(self.peer.now, &mut Output::new(), usize::MAX);
        }
        self.hear();
        assert!(self.closed && self.live.is_empty());
        assert_eq!(self.peer.engine.poll_timeout(), None);
    }
}

#[test]
fn whatever_comes_each_stream_ends_once_and_closed_is_last() {
    for seed in 0..300 {
        let result = std::panic::catch_unwind(|| Soup::new(seed, seed % 2 == 0).run());
        assert!(result.is_ok(), "seed {seed}");
    }
}
