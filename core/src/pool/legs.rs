//! Connections that the race between the transports makes: the pool wants them, the race says
//! which, and when another starts beside them.

use std::sync::Arc;

use super::tables::Connection;
use super::{Out, Pool, State, Tables, Turn};
use crate::id::ConnectionId;
use crate::limits::Resource;
use crate::race::Leg as Runner;
use crate::record::{Kind, Rule};
use crate::types::{AllFailed, Refusal};

/// What becomes of a leg that the race has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// This connection.
    Made(ConnectionId),
    /// It goes over TCP and waits for a socket, or for the pool's turn, in which it begins.
    Owed,
    /// Nothing: the `max_connections` circuit breaker is open, the pool drains and nobody waits, or
    /// it goes over QUIC and there is no socket, or no turn.
    Denied,
}

impl Pool {
    /// Its connections are made by the race between the transports.
    pub(crate) const fn let_race(&mut self) {
        self.races = true;
    }

    /// How many legs wait for a socket, or for the pool's turn.
    pub(crate) const fn owed(&self) -> u32 {
        self.owed
    }

    /// POOL-FIRST-CONNECTION, of each transport: the breaker is open for others.
    fn is_first_leg(&self, tables: &Tables, over_quic: bool) -> bool {
        !self.members(tables).any(|(_, connection)| connection.over_quic == over_quic)
    }

    /// The newest connection that is being established, QUIC's not among them: that one will
    /// serve what comes later.
    pub(super) fn newest_spare(&self, tables: &Tables) -> Option<ConnectionId> {
        let mut connecting = self.connecting.iter(&tables.connections);
        let spare = |connection: &Connection| {
            !connection.over_quic && connection.state == State::Connecting
        };
        connecting.find(|(_, connection)| spare(connection)).map(|(id, _)| id)
    }
}

impl<O: Out> Turn<'_, O> {
    /// The race starts a leg. One that answers a wish was admitted; all others wait like any
    /// connection, and where the breaker is open only the first over its transport is made.
    pub(crate) fn on_leg(&mut self, rule: Rule, runner: Runner, admitted: bool) -> Leg {
        let over_quic = runner.is_quic();
        if self.pool.draining && self.pool.nobody_waits() {
            return Leg::Denied;
        }
        let allowed = self.may(Resource::Connections);
        if !admitted && !allowed && !self.pool.is_first_leg(self.tables, over_quic) {
            self.tables.note(Kind::ConnectionOverflow, rule, self.pool.id);
            return Leg::Denied;
        }
        let may_begin = self.tables.sockets_left() > 0 && self.tables.handshakes.may();
        if !admitted && !may_begin {
            // It may serve later: that is not worth waiting for.
            if over_quic {
                return Leg::Denied;
            }
            self.pool.owed += 1;
            self.pool.wants_turn = !self.pool.nobody_waits();
            return Leg::Owed;
        }
        let connection = self.make(rule, over_quic);
        self.rest();
        Leg::Made(connection)
    }

    /// A leg that waited begins now, or is not needed any more.
    pub(crate) fn on_leg_settled(&mut self) {
        self.pool.owed = self.pool.owed.saturating_sub(1);
    }

    /// The race gives a connection up that is being established.
    pub(crate) fn on_leg_aborted(&mut self, connection: ConnectionId) {
        self.give_up(connection);
        self.rest();
    }

    /// Whether what it has wished for is still wanted: everybody may have been told of a failure
    /// since.
    pub(crate) fn still_wishes(&self) -> bool {
        self.pool.wishes(self.tables)
    }

    /// The race was told of the pool's wish. Where that has `made` a connection, one more may be
    /// wanted.
    pub(crate) fn on_wish_told(&mut self, made: bool) {
        self.pool.wished = false;
        if made {
            self.settle();
        } else {
            self.rest();
        }
    }

    /// More may be wanted than before.
    pub(crate) fn on_more(&mut self) {
        self.settle();
    }

    /// Every leg has failed: who waits hears of it, unless an open connection may serve.
    pub(crate) fn on_given_up(&mut self, failed: Arc<AllFailed>) {
        let pool = &self.pool;
        if pool.connecting.is_empty() && pool.open == pool.shut && pool.owed == 0 {
            self.fail_all(Refusal::ConnectFailed(failed.cause()), Some(failed));
            self.rest();
        }
    }
}
