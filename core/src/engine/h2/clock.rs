//! The engine's deadlines: keep-alive, slow heads, idle connections, `Expect`, bodies that nobody
//! takes.

use std::collections::VecDeque;

use h2::Reason;

use super::frame::code;
use super::stream::Stream;
use super::{Connection, H2};
use crate::downstream::Cut;
use crate::engine::{Config, Event};
use crate::id::StreamId;
use crate::time::{Duration, Instant};
use crate::types::{Cause, ProtocolFault};

/// How long a header block may take from its first frame to its last (A04).
const BLOCK_TIME: Duration = Duration::from_secs(10);

/// All deadlines of one connection.
#[derive(Debug)]
pub(super) struct Clock {
    interval: Option<Duration>,
    timeout: Duration,
    pings: Option<h2::PingPong>,
    /// When the PING that is on its way was sent; also h2's own at the begin of a drain.
    pinged: Option<Instant>,
    drained: Option<Instant>,
    /// How many answers the driver waits for.
    wanted: u32,
    /// A server's limit on the preface.
    preface: Option<Instant>,
    idle_timeout: Option<Duration>,
    idle_since: Option<Instant>,
    expect_timeout: Duration,
    expecting: VecDeque<(Instant, StreamId)>,
    linger_timeout: Duration,
    lingering: VecDeque<Linger>,
}

/// A client's stream that has its answer and not sent all.
#[derive(Debug)]
struct Linger {
    stream: StreamId,
    /// When it is looked at again.
    at: Instant,
    /// What the server had taken when it was last looked at.
    taken: usize,
}

impl Clock {
    pub(super) fn new(config: &Config, now: Instant, is_server: bool) -> Self {
        Self {
            interval: config.keep_alive_interval,
            timeout: config.keep_alive_timeout,
            pings: None,
            pinged: None,
            drained: None,
            wanted: 0,
            preface: is_server.then(|| now + config.head_timeout),
            idle_timeout: config.idle_timeout.filter(|_| is_server),
            idle_since: is_server.then_some(now),
            expect_timeout: config.expect_timeout,
            expecting: VecDeque::new(),
            linger_timeout: config.linger_timeout,
            lingering: VecDeque::new(),
        }
    }

    /// The connection is established and can send PING.
    pub(super) fn set_pings(&mut self, pings: Option<h2::PingPong>) {
        self.pings = pings;
        self.preface = None;
    }

    /// Sends a PING that only measures: nobody is dead for want of its answer. Returns whether it
    /// goes out.
    pub(super) fn begin_measuring(&mut self) -> bool {
        let idle = self.pinged.is_none();
        let pings = self.pings.as_mut().filter(|_| idle);
        pings.is_some_and(|pings| pings.send_ping(h2::Ping::opaque()).is_ok())
    }

    /// The PINGs, if one is on its way: h2 knows one at a time.
    pub(super) fn pings_under_way(&mut self, is_measuring: bool) -> Option<&mut h2::PingPong> {
        let under_way = is_measuring || self.pinged.is_some();
        self.pings.as_mut().filter(|_| under_way)
    }

    /// The answer has come. Returns how many the driver waits for.
    pub(super) const fn pong(&mut self) -> u32 {
        self.pinged = None;
        core::mem::replace(&mut self.wanted, 0)
    }

    /// The driver waits for an answer.
    pub(super) const fn want_pong(&mut self) {
        self.wanted = self.wanted.saturating_add(1);
    }

    /// The stream's body waits for 100 (Continue).
    pub(super) fn expect(&mut self, now: Instant, stream: StreamId) {
        self.expecting.push_back((now + self.expect_timeout, stream));
    }

    /// The stream has its answer, and not sent all.
    pub(super) fn linger(&mut self, now: Instant, id: StreamId, stream: &mut Stream) {
        if !core::mem::replace(&mut stream.is_timed, true) {
            let (at, (_, taken)) = (now + self.linger_timeout, stream.outstanding());
            self.lingering.push_back(Linger { stream: id, at, taken });
        }
    }

    /// The stream is gone.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.lingering.retain(|linger| linger.stream != id);
    }

    /// A stream has begun.
    pub(super) const fn busy(&mut self, _now: Instant) {
        self.idle_since = None;
    }

    /// The last stream has ended.
    pub(super) fn idle(&mut self, now: Instant) {
        self.idle_since = self.idle_timeout.map(|_| now);
    }

    /// A drain has begun: h2 waits for the answer to its PING.
    pub(super) const fn draining(&mut self, now: Instant) {
        self.drained = Some(now);
        self.idle_timeout = None;
    }

    /// The drain's PING was answered.
    pub(super) const fn drain_answered(&mut self) {
        self.drained = None;
    }

    /// The next deadline, where bytes last came at `received` and a header block has been
    /// incomplete since `block`.
    pub(super) fn next(&self, received: Instant, block: Option<Instant>) -> Option<Instant> {
        let keep_alive = self
            .interval
            .filter(|_| self.pinged.is_none() && self.pings.is_some())
            .map(|interval| received + interval);
        [
            keep_alive,
            self.dead_at(received),
            self.preface,
            block.map(|since| since + BLOCK_TIME),
            self.idle_at(),
            self.expecting.front().map(|(at, _)| *at),
            self.lingering.front().map(|linger| linger.at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the peer is dead if nothing comes: each byte that comes is a sign of life.
    fn dead_at(&self, received: Instant) -> Option<Instant> {
        let since = self.pinged.into_iter().chain(self.drained).min()?;
        Some(since.max(received) + self.timeout)
    }

    fn idle_at(&self) -> Option<Instant> {
        Some(self.idle_since? + self.idle_timeout?)
    }
}

impl H2 {
    /// Sends a PING unless one is on its way; the answer to one that measures will do.
    pub(super) fn send_ping(&mut self, now: Instant) {
        let is_measuring = self.windows.is_measuring();
        let clock = &mut self.clock;
        if clock.pinged.is_none()
            && let Some(pings) = &mut clock.pings
            && (is_measuring || pings.send_ping(h2::Ping::opaque()).is_ok())
        {
            clock.pinged = Some(now);
            self.ready.wake_connection();
        }
    }

    /// Sends the PING that the driver asked for before there was a connection.
    pub(super) fn send_wanted_ping(&mut self, now: Instant) {
        if self.clock.wanted > 0 {
            self.send_ping(now);
        }
    }

    /// Does what is due by `now`.
    pub(super) fn on_clock(&mut self, now: Instant) {
        if matches!(self.connection, Connection::Done) {
            return;
        }
        let (received, block) = {
            let wire = self.io.wire();
            (wire.tap.last_received(), wire.tap.block_since())
        };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.clock.dead_at(received)) {
            return self.fail(now, Cause::KeepAliveTimeout, Some(code::NO_ERROR));
        }
        if is_due(self.clock.preface) || is_due(block.map(|since| since + BLOCK_TIME)) {
            self.cut(Cut::HeadTimeout);
            let cause = Cause::Protocol(ProtocolFault::Excessive);
            return self.fail(now, cause, Some(code::ENHANCE_YOUR_CALM));
        }
        if is_due(self.clock.idle_at()) {
            self.cut(Cut::IdleTimeout);
            self.drain(now);
        }
        if is_due(self.clock.interval.map(|interval| received + interval)) {
            self.send_ping(now);
        }
        while let Some((at, id)) = self.clock.expecting.front().copied()
            && at <= now
        {
            self.clock.expecting.pop_front();
            if let Some(stream) = self.streams.get_mut(id) {
                stream.wait_no_longer();
            }
        }
        self.end_lingering(now);
    }

    /// Ends the streams whose server has all said and takes nothing; one that takes something, or
    /// whose caller is slow, goes on.
    fn end_lingering(&mut self, now: Instant) {
        // Each at most once, also where the time is zero.
        for _ in 0..self.clock.lingering.len() {
            let due = self.clock.lingering.pop_front_if(|linger| linger.at <= now);
            let Some(linger) = due else { return };
            let id = linger.stream;
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let (waits, taken) = stream.outstanding();
            if waits && taken == linger.taken {
                stream.reset(Reason::CANCEL);
                self.remove(now, id, Event::Ended { stream: id });
            } else {
                let at = now + self.clock.linger_timeout;
                self.clock.lingering.push_back(Linger { stream: id, at, taken });
            }
        }
    }
}
