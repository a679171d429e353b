//! A pool by itself.

use core::num::NonZeroU32;
use std::sync::Arc;

use super::{Action, Admission, Config, Event, Handshakes, Pool, State, Tables, Turn};
use crate::id::{ConnectionId, PoolId, RequestId};
use crate::limits::{self, Limits};
use crate::machine::{Machine, Outbox};
use crate::record::{Kind, Record};
use crate::time::Instant;

/// One pool with tables of its own: the machine as models and tests drive it.
#[derive(Clone, Debug)]
pub struct Solo {
    pub(super) pool: Pool,
    pub(super) tables: Tables,
    last: Option<RequestId>,
}

/// Settings of a [`Solo`].
#[derive(Clone, Debug)]
pub struct SoloConfig {
    /// The pool's own.
    pub pool: Config,
    /// Its circuit breakers.
    pub limits: limits::Config,
    /// Only HTTP/1 can come out of its connections.
    pub http1_alone: bool,
    /// As the upstream's.
    pub max_sockets: u32,
    /// As the upstream's.
    pub max_handshakes: Option<NonZeroU32>,
    /// As the upstream's.
    pub burst: u32,
}

impl Default for SoloConfig {
    fn default() -> Self {
        Self {
            pool: Config::default(),
            limits: limits::Config::default(),
            http1_alone: false,
            max_sockets: 16_384,
            max_handshakes: None,
            burst: 64,
        }
    }
}

impl Solo {
    /// An empty pool.
    pub fn new(config: &SoloConfig) -> Self {
        let limits = vec![Limits::new(&config.limits)];
        let pool = Arc::new(config.pool.clone());
        let handshakes = Handshakes::new(config.max_handshakes);
        let burst = config.burst.max(1);
        Self {
            pool: Pool::new(PoolId::new(0, 0), pool, 0, config.http1_alone),
            tables: Tables::new(limits, config.max_sockets, handshakes, burst, 1_024),
            last: None,
        }
    }

    /// The id that the newest [`Event::Requested`] minted.
    pub const fn last_request(&self) -> Option<RequestId> {
        self.last
    }

    /// Whether a connection would be made now, and why not.
    pub fn admission(&self) -> Admission {
        self.pool.admission(&self.tables)
    }

    /// The state of a connection; [`State::Closed`] when it is unknown.
    pub fn state(&self, connection: ConnectionId) -> State {
        self.tables.connections.get(connection).map_or(State::Closed, |slot| slot.state)
    }

    /// How many requests wait and were not refused.
    pub const fn waiting(&self) -> u32 {
        self.pool.waiting.len()
    }

    /// How many of a circuit breaker's resource are in use.
    pub fn used(&self, what: limits::Resource) -> u32 {
        self.tables.limits.first().map_or(0, |limits| limits.used(what))
    }

    /// How often something happened.
    pub fn count(&self, kind: Kind) -> u64 {
        self.tables.recorder.count(kind)
    }

    /// The oldest record.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.tables.recorder.poll_record()
    }

    fn turn<'a>(
        &'a mut self,
        now: Instant,
        out: &'a mut Outbox<Action>,
    ) -> Turn<'a, &'a mut Outbox<Action>> {
        let now = self.tables.begin(now);
        Turn { id: self.pool.id, now, pool: &mut self.pool, tables: &mut self.tables, out }
    }
}

impl Machine for Solo {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        if let Event::Requested { method, deadline } = event {
            self.last = Some(self.turn(now, out).on_requested(method, deadline));
        } else {
            self.turn(now, out).handle_event(event);
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        let mut turn = self.turn(now, out);
        turn.handle_timeout();
        if turn.pool.unfinished {
            turn.resume();
        }
        turn.handle_deadlines();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.pool.unfinished {
            return Some(self.tables.now);
        }
        let deadline = self.tables.deadlines.peek().map_or(Instant::MAX, |(at, _)| at);
        Some(deadline.min(self.pool.wake)).filter(|at| *at < Instant::MAX)
    }

    fn check(&self) {
        self.tables.check(core::iter::once(&self.pool));
        assert_eq!(self.tables.sockets as usize, self.tables.connections.len(), "sockets");
    }
}
