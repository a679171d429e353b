//! Early data: who may go with the first flight of a handshake, and what must become of it.

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{BodyState, Cause, Limit, MethodClass, Outcome, RetrySafe};

use super::invariants as law;
use super::{Books, Connection, End, Flight, Place};

impl Connection {
    /// Its handshake is not complete, and requests go on it all the same.
    pub(crate) const fn takes_early_data(&self) -> bool {
        self.early.is_some() && self.up.is_none() && !self.gone
    }
}

impl Books {
    /// It may, as far as it is concerned itself.
    pub(crate) fn may_go_early(&self, id: RequestId) -> bool {
        let request = self.request(id);
        request.method == MethodClass::Early && request.flight == Flight::Never
    }

    /// A connection takes early data from now on.
    pub(crate) fn takes_early_data(&mut self, id: ConnectionId, limit: Limit, made: Instant) {
        let connection = self.connection_mut(id);
        assert!(connection.is_connecting() && connection.early.is_none(), "{id} takes early data");
        connection.early = Some(limit);
        // It may have looked a name up before it was seen.
        connection.since = made;
    }

    /// Connections that take early data.
    pub(crate) fn early(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        let all = self.connections.iter().filter(|(_, c)| c.takes_early_data());
        all.map(|(id, c)| (*id, c))
    }

    /// Whether somebody waits for a handshake with whose first flight he went: an open connection
    /// that drained meanwhile could not serve him.
    pub(super) fn anybody_hopes(&self, pool: usize) -> bool {
        self.early().any(|(_, c)| c.pool == pool && !c.streams.is_empty())
    }

    /// A request goes early: it may, and for the first time.
    pub(super) fn assign_early(&mut self, id: RequestId, connection: ConnectionId) {
        assert!(self.may_go_early(id), "{id} goes early and must not: {:?}", self.request(id));
        let to = self.connection(connection);
        assert!(!to.closing, "{id} goes early on {connection}, which closes");
        let pool = to.pool;
        let open = self.connections.iter().filter(|(_, c)| c.pool == pool && c.is_open());
        let open = open.filter(|(id, _)| !self.is_aged(**id)).count();
        assert_eq!(open, 0, "{id} goes early on {connection} beside what is open");
        self.request_mut(id).flight = Flight::Early;
        self.tally.held(law::EARLY);
    }

    /// Another connection is up while a request that went early waits for its handshake.
    pub(super) fn may_be_recalled(&self, id: RequestId, connection: ConnectionId) -> bool {
        let from = self.connection(connection);
        let others = self.connections.values().filter(|c| c.pool == from.pool);
        let beaten = from.takes_early_data() && others.filter(|c| c.since == self.now).count() > 0;
        beaten && self.request(id).flight == Flight::Early
    }

    /// Early data came to nothing: it goes again once, whatever it may go again by else.
    pub(super) fn is_early_again(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        let refused = Outcome::Failed(Cause::EarlyDataRefused);
        let refused = end.outcome == refused && end.retry != RetrySafe::Unknown;
        request.flight == Flight::Early
            && (end.early || refused || request.recalled)
            && end.outcome != Outcome::Complete
            && end.retry != RetrySafe::Answered
            && end.body != BodyState::Spent
            && !request.cancelled
            && (!request.was_reset || request.recalled)
    }

    /// Early data that came to nothing goes again.
    pub(super) fn resend_early(&mut self, id: RequestId, end: End) {
        let refused = end.outcome == Outcome::Failed(Cause::EarlyDataRefused);
        let request = self.request_mut(id);
        request.flight = Flight::Again;
        request.place = Place::Waiting;
        request.resent = true;
        request.doomed = super::Doom::No;
        (request.was_reset, request.recalled) = (false, false);
        request.avoid = (!refused).then_some(end.connection);
        self.tally.held(law::EARLY_AGAIN);
    }

    /// Who may go early does not wait beside a connection that would take it, and who went so does
    /// not wait for it beside one that is established.
    pub(super) fn nobody_misses_the_first_flight(&self, pool: usize) {
        let open = self.connections.iter().filter(|(_, c)| c.pool == pool && c.is_open());
        let mut sure = open.clone().filter(|(id, _)| !self.is_aged(**id));
        if sure.next().is_some() {
            let early = self.early().filter(|(_, c)| c.pool == pool);
            for id in early.flat_map(|(_, c)| &c.streams) {
                assert!(self.request(*id).was_reset, "{id} waits for a handshake, and need not");
            }
        }
        let open = open.count() > 0;
        let room = |(id, c): &(ConnectionId, &Connection)| {
            c.pool == pool && !c.closing && self.room(*id) > 0
        };
        if open || !self.early().any(|early| room(&early)) {
            return;
        }
        for id in self.waiting(|other| other == pool) {
            assert!(!self.may_go_early(id), "{id} waits and could go early");
        }
    }
}
