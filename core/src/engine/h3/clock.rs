//! The engine's deadlines: `Expect`, answers that nobody waits for any longer, signs of life, the
//! two halves of a goodbye.

use std::collections::VecDeque;

use super::{H3, code};
use crate::engine::integer;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
use crate::engine::quic::idle_timeout;
use crate::engine::{Config, Event};
use crate::id::StreamId;
use crate::time::{Duration, Instant};
use crate::types::Cause;

/// How long a server's first GOAWAY is given to arrive where the path is fast, so that requests
/// on their way are served (RFC 9114 5.2).
const LEAST_NOTICE: Duration = Duration::from_millis(10);

/// For which part of the time that ends a connection by silence nothing need come while answers are
/// outstanding. What has come is looked at only so often: a PING goes after twice that at the
/// latest, and has as much left to be lost and sent again.
const SILENT_PART: u32 = 3;

/// All deadlines of one connection.
#[derive(Debug, Default)]
pub(super) struct Clock {
    expecting: VecDeque<(Instant, StreamId)>,
    /// Streams of a client that have their answer and not sent all: when they are looked at, and
    /// how much the transport had taken before.
    lingering: VecDeque<(Instant, StreamId, u64)>,
    /// How many answers the driver waits for, since when, and how many acknowledgements had come
    /// when the question was asked.
    wanted: u32,
    asked: Option<Instant>,
    acknowledged: Option<u64>,
    /// Client: for how long nothing need come while answers are outstanding; `None` within where
    /// silence ends nothing, and outside before the handshake is complete.
    patience: Option<Option<Duration>>,
    /// Client: when it looks whether anything has come, and how many datagrams had when it looked
    /// last.
    attending: Option<(Instant, u64)>,
    notice: Notice,
    /// When a connection that is empty is closed, whatever was not acknowledged, and how many
    /// acknowledgements had come then: who takes what was said is waited for.
    closing: Option<(Instant, u64)>,
}

/// A server's first GOAWAY, which is to arrive before the second says which requests are served.
#[derive(Debug, Default)]
enum Notice {
    #[default]
    None,
    /// It goes out with the next pump, which knows the round trip.
    Given,
    Until(Instant),
    /// The second one has been said, and is given this time to leave before an empty connection
    /// is closed: what is closed sends nothing more.
    Said(Instant),
}

impl Clock {
    /// The stream's body waits for 100 (Continue).
    pub(super) fn expect(&mut self, at: Instant, stream: StreamId) {
        self.expecting.push_back((at, stream));
    }

    /// The client's stream has its answer, and not sent all.
    pub(super) fn linger(&mut self, at: Instant, stream: StreamId, written: u64) {
        self.lingering.push_back((at, stream, written));
    }

    /// The stream is gone.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.lingering.retain(|(_, stream, _)| *stream != id);
    }

    /// The driver waits for an answer.
    pub(super) const fn want_pong(&mut self, now: Instant) {
        self.wanted = self.wanted.saturating_add(1);
        if self.asked.is_none() {
            self.asked = Some(now);
        }
    }

    /// The next deadline.
    pub(super) fn next(&self, config: &Config) -> Option<Instant> {
        let last_call = match self.notice {
            Notice::Until(at) | Notice::Said(at) => Some(at),
            Notice::None | Notice::Given => None,
        };
        [
            self.expecting.front().map(|(at, _)| *at),
            self.lingering.front().map(|(at, ..)| *at),
            self.asked.map(|at| at + config.keep_alive_timeout),
            self.attending.map(|(at, _)| at),
            last_call,
            self.closing.map(|(at, _)| at),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Where there is no cryptography there is no connection.
#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
const fn idle_timeout(_: &quinn_proto::Connection) -> Option<Duration> {
    None
}

impl H3 {
    /// Does what is due by `now`.
    pub(super) fn on_clock(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let config = &self.config;
        if is_due(self.clock.asked.map(|at| at + config.keep_alive_timeout)) {
            return self.fail(code::NO_ERROR, Cause::KeepAliveTimeout);
        }
        // Whether it is over shows by the connection's acknowledgements.
        self.is_stirred |= is_due(self.clock.closing.map(|(at, _)| at));
        self.is_stirred |= is_due(self.clock.attending.map(|(at, _)| at));
        while let Some((_, id)) = self.clock.expecting.pop_front_if(|(at, _)| *at <= now) {
            self.go_on(id);
            if self.streams.get(id).is_some_and(|stream| !stream.is_connect) {
                self.release(id);
            }
        }
        self.end_lingering(now);
        self.lose_patience(now);
        match self.clock.notice {
            Notice::Until(at) if at <= now => {
                self.clock.notice = Notice::Said(now + LEAST_NOTICE);
                self.say_go_away(4 * self.accepted);
            }
            Notice::Said(at) if at <= now => self.clock.notice = Notice::None,
            _ => {}
        }
    }

    /// Ends the streams whose server has all said and takes nothing; one that takes something, or
    /// whose caller is slow, goes on.
    fn end_lingering(&mut self, now: Instant) {
        // Each at most once, also where the time is zero.
        for _ in 0..self.clock.lingering.len() {
            let due = self.clock.lingering.pop_front_if(|(at, ..)| *at <= now);
            let Some((_, id, before)) = due else { return };
            let Some(stream) = self.streams.get(id) else { continue };
            if stream.has_output() && stream.written == before {
                self.end(id, code::REQUEST_CANCELLED, Event::Ended { stream: id });
            } else {
                let written = stream.written;
                self.clock.linger(now + self.config.linger_timeout, id, written);
            }
        }
    }

    /// Asks for a sign of life, and looks whether one has come: QUIC acknowledges a PING.
    pub(super) fn pump_pings(&mut self, conn: &mut quinn_proto::Connection) {
        if self.clock.wanted == 0 {
            return;
        }
        let acknowledged = conn.stats().frame_rx.acks;
        match self.clock.acknowledged {
            None => {
                conn.ping();
                self.clock.acknowledged = Some(acknowledged);
            }
            Some(before) if acknowledged > before => {
                self.clock.acknowledged = None;
                self.clock.asked = None;
                for _ in 0..core::mem::take(&mut self.clock.wanted) {
                    self.events.push_back(Event::Pong);
                }
            }
            Some(_) => {}
        }
    }

    /// A client keeps the connection open while answers are outstanding (RFC 9114 5.1): a server
    /// may take its time, and a NAT on the way may forget who asked, of which only what the client
    /// says can tell the server.
    pub(super) fn pump_attention(&mut self, now: Instant, conn: &mut quinn_proto::Connection) {
        match self.clock.attending {
            None if self.is_server || self.streams.is_empty() => return,
            Some((at, _)) if now < at => return,
            _ => {}
        }
        let before = self.clock.attending.take();
        if self.streams.is_empty() || conn.is_handshaking() {
            return;
        }
        let patience = &mut self.clock.patience;
        let patience = patience.get_or_insert_with(|| Some(idle_timeout(conn)? / SILENT_PART));
        let Some(patience) = *patience else { return };
        let came = conn.stats().udp_rx.datagrams;
        if before.is_some_and(|(_, before)| before == came) {
            conn.ping();
        }
        self.clock.attending = Some((now + patience, came));
    }

    /// Takes nothing new and lets the streams end.
    pub(super) fn drain(&mut self) {
        if self.closed || self.draining {
            return;
        }
        self.refusing = true;
        self.draining = true;
        // RFC 9114 5.2: a server says first that it will, then from which request on. A client
        // names a push, of which there are none.
        let first = if self.is_server { integer::MOST - 3 } else { 0 };
        self.say_go_away(first);
        if self.is_server {
            self.clock.notice = Notice::Given;
        }
    }

    /// A server's notice lasts a round trip at least; then, and when all is acknowledged, an empty
    /// connection is closed.
    pub(super) fn pump_drain(&mut self, now: Instant, conn: &mut quinn_proto::Connection) {
        if !self.draining || self.closed {
            return;
        }
        if matches!(self.clock.notice, Notice::Given) {
            self.clock.notice = Notice::Until(now + conn.rtt().max(LEAST_NOTICE));
        }
        let is_noticed = matches!(self.clock.notice, Notice::None);
        if !is_noticed || !self.streams.is_empty() || !self.aborts.is_empty() {
            self.clock.closing = None;
            return;
        }
        let own = self.control.opened() + self.stash.len();
        if conn.streams().send_streams() <= own {
            return self.fail(code::NO_ERROR, Cause::ShutDown);
        }
        let acknowledged = conn.stats().frame_rx.acks;
        match self.clock.closing {
            Some((at, _)) if now < at => {}
            Some((_, before)) if before == acknowledged => {
                self.fail(code::NO_ERROR, Cause::ShutDown);
            }
            _ => self.clock.closing = Some((now + self.config.close_timeout, acknowledged)),
        }
    }
}
