//! Early data: requests that go with the first flight of a handshake (RFC 8470), on a connection
//! that is not established for anybody else.
//!
//! ```text
//!              EarlyData, somebody would go             Confirmed
//! Connecting -----------------------------> EarlyData ------------> Ready, Busy
//!                                               |
//!                                               | ConnectFailed
//!                                               v
//!                                             Closed
//! ```
//!
//! - Who goes early has the class for it, goes so once, and only while nothing else is open.
//! - It is as good as waiting: another connection that is established calls it back
//!   (EARLY-OVERTAKEN), so that it waits for QUIC no longer than others do.
//! - What came to nothing goes again once over a full handshake (RESEND-EARLY): what the handshake
//!   or the server refused, what was called back, and what was lost with its handshake. That costs
//!   nothing of what a request may be sent again by itself.
//! - A connection that takes early data and is of no use is told to close, and its end is awaited:
//!   its driver has requests of it.

use std::sync::Arc;

use super::tables::{Clock, Connection, Ending, Flight, Request};
use super::{Action, Out, Pool, State, Turn};
use crate::id::{ConnectionId, RequestId};
use crate::race::{self, Early, Health};
use crate::record::{Kind, Rule};
use crate::time::Duration;
use crate::types::{
    AllFailed, BodyState, Cause, Limit, Outcome, Phase, Protocol, RetrySafe, Transport,
};

impl Connection {
    /// Its handshakes are not complete.
    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting | State::EarlyData)
    }
}

impl Request {
    /// Whether it may go with the first flight, as far as the request itself is concerned; of the
    /// connection its owner has judged.
    fn may_go_early(&self) -> bool {
        let early = Early {
            allowed: true,
            transport: Transport::Quic,
            method: self.method,
            health: Health::Unknown,
            refused: self.flight != Flight::Never,
        };
        race::early_data(&early).is_ok()
    }
}

impl Pool {
    /// How long a handshake may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout
    }

    /// Whether nobody waits for a handshake: neither in the queue, nor on early data, nor on a
    /// connection whose peer has stopped answering.
    pub(crate) const fn nobody_waits(&self) -> bool {
        self.waiting.is_empty() && self.hoping == 0
    }
}

impl<O: Out> Turn<'_, O> {
    /// Whether early data would be of use: somebody waits who may go so, and nothing is open.
    pub(crate) fn would_go_early(&self) -> bool {
        let mut waiting = self.pool.waiting.iter(&self.tables.requests);
        self.pool.open == 0 && waiting.any(|(_, request)| request.may_go_early())
    }

    /// A connection that is being established takes early data.
    pub(crate) fn on_early_data(&mut self, connection: ConnectionId, limit: Limit) {
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.state == State::Connecting => {
                slot.protocol = Protocol::Http3;
                slot.limit = limit;
                // In the same list: its handshake goes on.
                slot.state = State::EarlyData;
            }
            _ => return self.stale(connection),
        }
        self.pool.early += 1;
        self.tables.note(Kind::EarlyData, Rule::None, connection);
        self.note_state(connection, State::Connecting, State::EarlyData);
        self.settle();
    }

    /// The handshake of a connection that takes early data is complete, which the race hears
    /// first: nothing more goes early.
    pub(crate) fn on_confirming(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.connected = Some(self.now);
        }
    }

    /// The handshake of a connection that takes early data is complete.
    pub(crate) fn on_confirmed(&mut self, connection: ConnectionId, limit: Limit) {
        let now = self.now;
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.state == State::EarlyData && !slot.closing => {
                slot.limit = limit;
                slot.alive = now;
            }
            _ => return self.stale(connection),
        }
        self.establish(connection, Protocol::Http3);
        let most = self.pool.config.max_requests_per_connection;
        let slot = self.tables.connections.get(connection);
        let total = slot.filter(|slot| slot.is_open()).map_or(0, |slot| slot.total);
        if most.is_some_and(|most| total >= u64::from(most.get())) {
            self.tables.note(Kind::MaxRequests, Rule::None, connection);
            self.drain(connection);
            self.settle();
        }
    }

    /// A connection that took early data is gone before its handshake was complete.
    pub(crate) fn on_early_failed(
        &mut self,
        connection: ConnectionId,
        failed: Arc<AllFailed>,
        follows: bool,
    ) {
        // Every stream should have ended before; what did not is lost, its fate unknown.
        let cause = failed.cause();
        while let Some(request) = self.first_stream(connection) {
            let (retry, body) = (RetrySafe::Unknown, BodyState::Spent);
            self.end_stream(connection, request, Outcome::Failed(cause), retry, body);
        }
        self.on_connect_failed(connection, failed, follows);
    }

    /// The connection whose first flight a request may go with.
    pub(super) fn pick_early(&self, request: RequestId) -> Option<ConnectionId> {
        let slot = self.tables.requests.get(request)?;
        if self.pool.open > 0 || !slot.may_go_early() {
            return None;
        }
        let config = &self.pool.config;
        let mut connecting = self.pool.connecting.iter(&self.tables.connections);
        let takes = |connection: &Connection| {
            let is_early = connection.state == State::EarlyData && connection.connected.is_none();
            is_early && !connection.closing && connection.room(config) > 0
        };
        connecting.find(|(_, connection)| takes(connection)).map(|(id, _)| id)
    }

    /// Sends those early who may go so, in order; the others wait on.
    pub(super) fn serve_early(&mut self) {
        let mut next = self.pool.waiting.first_id(&self.tables.requests);
        while let Some(request) = next {
            next = self.behind(request);
            let Some(connection) = self.pick_early(request) else { continue };
            if self.tables.budget == 0 {
                return self.run_out();
            }
            self.leave(request);
            self.assign_early(request, connection);
        }
    }

    /// Puts a request, which is in no list, on a connection that takes early data.
    pub(super) fn assign_early(&mut self, request: RequestId, connection: ConnectionId) {
        if !self.give(request, connection) {
            return;
        }
        self.tables.note_both(Kind::EarlyDataSent, Rule::None, request, connection);
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.flight = Flight::Early;
        }
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.streams.push_back(&mut self.tables.requests, request.slot());
            slot.total += 1;
            self.pool.hoping += 1;
        }
    }

    /// Another connection is established: what went early waits no longer than the others.
    pub(super) fn recall(&mut self) {
        let mut next = self.pool.connecting.first();
        while let Some(place) = next {
            next = self.pool.connecting.after(&self.tables.connections, place);
            let Some(connection) = self.tables.connections.id_at(place) else { continue };
            self.recall_from(connection);
        }
    }

    fn recall_from(&mut self, connection: ConnectionId) {
        let Some(slot) = self.tables.connections.get(connection) else { return };
        let streams = slot.streams.iter(&self.tables.requests);
        let kept = streams.filter(|(_, request)| request.ending.is_none());
        let all: Vec<RequestId> = kept.map(|(request, _)| request).collect();
        for request in all {
            if let Some(slot) = self.tables.requests.get_mut(request) {
                slot.ending = Some(Ending::Recalled);
            }
            let (kind, rule) = (Kind::ResetByUs, Rule::EarlyOvertaken);
            self.tables.note_both(kind, rule, request, connection);
            self.out.push(Action::Reset { connection, request });
        }
    }

    /// RESEND-EARLY: whether a stream's end means that early data came to nothing.
    pub(super) fn is_early_again(
        &self,
        connection: ConnectionId,
        request: RequestId,
        cause: Cause,
        (retry, body): (RetrySafe, BodyState),
    ) -> bool {
        let Some(slot) = self.tables.requests.get(request) else { return false };
        let held = self.tables.connections.get(connection);
        let is_open = held.is_none_or(|held| held.state != State::EarlyData);
        let is_refused = cause == Cause::EarlyDataRefused && retry != RetrySafe::Unknown;
        let to_nothing = !is_open || is_refused || slot.ending == Some(Ending::Recalled);
        let may = retry != RetrySafe::Answered && !matches!(body, BodyState::Spent);
        slot.flight == Flight::Early && may && to_nothing
    }

    /// Sends early data again over a full handshake.
    pub(super) fn send_early_again(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        cause: Cause,
    ) {
        if self.is_late(request) {
            return self.refuse(request, self.tables.late(Phase::Answering), None);
        }
        // Nothing is wrong with a connection that only refused early data.
        let avoid = (cause != Cause::EarlyDataRefused).then_some(connection);
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.flight = Flight::Again;
            slot.ending = None;
            slot.avoid = avoid;
            slot.assigned = None;
        }
        self.tables.note(Kind::EarlyDataRefused, Rule::ResendEarly, request);
        self.queue_again(connection, request, Rule::ResendEarly);
    }

    /// Gives a connection up that is being established. One that takes early data is told to
    /// close.
    pub(super) fn give_up(&mut self, connection: ConnectionId) {
        let slot = self.tables.connections.get(connection);
        if slot.is_none_or(|slot| slot.state != State::EarlyData) {
            return self.abort_connect(connection);
        }
        self.stop_clock(connection, Clock::Connect);
        if self.tables.begin_close(connection) {
            self.out.push(Action::Abort(connection));
        }
    }
}
