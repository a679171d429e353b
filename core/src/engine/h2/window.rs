//! Receive windows that grow with the path.
//!
//! A sender may have one window under way, so a window below what the path holds (bandwidth times
//! round trip) leaves the path idle. A PING beside the data tells how long a round trip takes, and
//! the stream that brought most in that time tells whether its window is what holds it back.
//!
//! ```text
//!   waiting --a stream brings START--> PING out --pong--> near the window? grown : wait longer
//! ```
//!
//! What a stream brought is what came *and* was read: while a reader is the slow one, its window
//! stays the bound of memory. The window grows only while that makes the transfer faster: a queue
//! on the way that fills instead lengthens the round trip at the same rate, and ends the growth.
//!
//! PINGs are few, because servers count them: none before a stream has brought [`START`] since the
//! last one, so that there is new data before each (gRPC's servers count PINGs between data), one
//! in [`SOONEST`] to [`LATEST`] (Jetty takes some 50 frames of control in a second), and none once
//! the window has reached its most.

use core::task::{Context, Poll, Waker};

use super::{Connection, H2};
use crate::engine::Config;
use crate::time::{Duration, Instant};

/// A stream that has brought less is not worth a PING.
const START: u64 = 64 << 10;
/// How long after a PING that has grown nothing the next may follow; twice as long each time ..
const SOONEST: Duration = Duration::from_millis(100);
/// .. up to this.
const LATEST: Duration = Duration::from_secs(2);
/// The connection's window is so many streams' windows: few unread bodies stop nobody else.
const STREAMS: u32 = 16;
/// A new stream's window while the connection is narrow: a pipe's worth (RFC 9113 6.9.2).
const NARROW: u32 = 65_535;
/// The largest window (RFC 9113 6.9.1).
const LARGEST: u32 = (1 << 31) - 1;

/// What a connection has measured.
#[derive(Debug)]
pub(super) struct Windows {
    /// The window of every stream.
    pub(super) stream: u32,
    most: u32,
    /// Which round it is, for the streams to know when they count anew.
    round: u32,
    /// Whether the round has begun and not ended.
    is_open: bool,
    /// The most that one stream brought in it.
    brought: u64,
    /// When the PING that is on its way was sent.
    pinged: Option<Instant>,
    /// The next round begins no sooner.
    not_before: Instant,
    wait: Duration,
    /// The highest rate so far, in bytes a second.
    fastest: u128,
    /// The driver's bodies hold much: new streams are granted little, and nothing grows.
    is_narrow: bool,
    /// Streams' windows have shrunk once.
    pub(super) has_shrunk: bool,
}

/// What a stream had brought when a round began for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    round: u32,
    came: u64,
    read: u64,
}

impl Mark {
    /// Something is about to come in `round`, behind `came` bytes of which `read` were read.
    pub(super) const fn set(&mut self, round: u32, came: u64, read: u64) {
        if self.round != round {
            *self = Self { round, came, read };
        }
    }

    /// How much has come in `round`, and how much of as much was read.
    pub(super) fn since(&self, round: u32, came: u64, read: u64) -> Brought {
        if self.round != round {
            return Brought::default();
        }
        let came = came - self.came;
        Brought { came, read: came.min(read - self.read) }
    }
}

/// What a stream has brought in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) came: u64,
    pub(super) read: u64,
}

impl Windows {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            stream: config.stream_window,
            most: config.stream_window_max.min(LARGEST),
            round: 0,
            is_open: false,
            brought: 0,
            pinged: None,
            not_before: Instant::EPOCH,
            wait: SOONEST,
            fastest: 0,
            is_narrow: false,
            has_shrunk: false,
        }
    }

    /// The round that streams count for; begins the next if it is time.
    pub(super) fn round(&mut self, now: Instant) -> u32 {
        if !self.is_open && !self.is_narrow && now >= self.not_before && self.stream < self.most {
            self.is_open = true;
            self.round = self.round.wrapping_add(1);
            self.brought = 0;
        }
        self.round
    }

    /// Whether a measuring PING is on its way.
    pub(super) const fn is_measuring(&self) -> bool {
        self.pinged.is_some()
    }

    /// A stream has brought so much in this round. Returns whether a PING is due.
    pub(super) fn note(&mut self, brought: Brought) -> bool {
        self.brought = self.brought.max(brought.read);
        self.is_open && self.pinged.is_none() && brought.came >= START
    }

    /// The PING goes out.
    pub(super) const fn begin(&mut self, now: Instant) {
        self.pinged = Some(now);
    }

    /// The answer has come. Returns the window to grow to.
    pub(super) fn end(&mut self, now: Instant) -> Option<u32> {
        let round_trip = now.saturating_since(self.pinged.take()?);
        self.is_open = false;
        if self.is_narrow {
            return None;
        }
        let rate = u128::from(self.brought) * 1_000_000_000 / round_trip.as_nanos().max(1);
        // By an eighth at least, or chance would do.
        let is_faster = rate > self.fastest + self.fastest / 8;
        self.fastest = self.fastest.max(rate);
        // h2 gives room back by halves of a window, so that one fills its path once it is twice
        // what that holds: a round trip brings half of it then, and more before.
        if is_faster && self.brought >= u64::from(self.stream / 2) {
            self.wait = SOONEST;
            // What comes until then was sent by the old window.
            self.not_before = now + round_trip;
            return Some(self.stream.saturating_mul(2).min(self.most));
        }
        self.not_before = now + self.wait;
        self.wait = (self.wait * 2).min(LATEST);
        None
    }
}

impl H2 {
    /// A stream brought bytes, or bytes were read: measures the path if it is time.
    pub(super) fn measure(&mut self, now: Instant, brought: Brought) {
        if self.windows.note(brought) && self.clock.begin_measuring() {
            self.windows.begin(now);
            self.ready.wake_connection();
        }
    }

    /// The answer to a PING has come.
    pub(super) fn measured(&mut self, now: Instant) {
        if let Some(window) = self.windows.end(now)
            && self.grow(window)
        {
            self.windows.stream = window;
            self.ready.wake_connection();
        }
    }

    /// Whether new streams are granted little. See [`Engine::narrow`](crate::engine::Engine).
    pub fn narrow(&mut self, narrow: bool) {
        if self.windows.is_narrow == narrow || self.windows.stream <= NARROW {
            return;
        }
        let window = if narrow { NARROW } else { self.windows.stream };
        // Not while earlier SETTINGS wait for their ACK: the driver asks again.
        let is_told = match &mut self.connection {
            Connection::Client(connection) => connection.set_initial_window_size(window).is_ok(),
            Connection::Server(connection) => connection.set_initial_window_size(window).is_ok(),
            Connection::Handshake(_) | Connection::Done => false,
        };
        if is_told {
            self.windows.is_narrow = narrow;
            self.windows.has_shrunk |= narrow;
            self.ready.wake_connection();
        }
    }

    /// Grows every stream's window, and the connection's. Not while earlier SETTINGS wait for
    /// their ACK, which h2 does not allow.
    fn grow(&mut self, window: u32) -> bool {
        let most = self.config.connection_window.max(window.saturating_mul(STREAMS)).min(LARGEST);
        match &mut self.connection {
            Connection::Client(connection) => {
                connection.set_target_window_size(most);
                connection.set_initial_window_size(window).is_ok()
            }
            Connection::Server(connection) => {
                connection.set_target_window_size(most);
                connection.set_initial_window_size(window).is_ok()
            }
            Connection::Handshake(_) | Connection::Done => false,
        }
    }

    /// Looks whether the answer to a PING has come.
    pub(super) fn poll_pong(&mut self, now: Instant) {
        let is_measuring = self.windows.is_measuring();
        let Some(pings) = self.clock.pings_under_way(is_measuring) else { return };
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(_)) = pings.poll_pong(&mut cx) {
            for _ in 0..self.clock.pong() {
                self.events.push_back(crate::engine::Event::Pong);
            }
            self.measured(now);
        }
    }
}
