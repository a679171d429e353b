//! Who waits: requests join, are assigned in order, cancelled, refused.

use std::sync::Arc;

use super::connections::ROOM_MAX;
use super::tables::{Clock, Ending, Place, Request};
use super::{Action, Out, State, Turn};
use crate::id::{ConnectionId, RequestId};
use crate::limits::Resource;
use crate::record::{Kind, Record, Rule, pack};
use crate::time::Instant;
use crate::types::{AllFailed, MethodClass, Outcome, Phase, Refusal};

impl<O: Out> Turn<'_, O> {
    /// Mints a request and assigns, queues or refuses it.
    pub(crate) fn on_requested(
        &mut self,
        method: MethodClass,
        deadline: Option<Instant>,
    ) -> RequestId {
        let (pool, now) = (self.id, self.now);
        // Blank from a constant, then the three that differ: put together elsewhere it would be
        // copied here in pieces wider than those it was just written in.
        let request = self.tables.requests.insert_filled(Request::BLANK, |slot| {
            slot.pool = pool;
            slot.method = method;
            slot.requested = now;
        });
        self.tables.note(Kind::Requested, Rule::None, request);
        if self.pool.draining {
            self.refuse(request, Refusal::Draining, None);
            return request;
        }
        if let Some(at) = deadline {
            self.tables.deadlines.set(request.slot(), Some(at));
            if let Some(slot) = self.tables.requests.get_mut(request) {
                slot.has_deadline = true;
            }
        }
        // First come, first served: nobody overtakes those whom a spent budget left waiting.
        if self.is_free_way()
            && let Some(connection) = self.pick(None)
        {
            self.assign(request, connection);
        } else if self.pool.early > 0
            && !self.pool.unfinished
            && let Some(connection) = self.pick_early(request)
        {
            self.assign_early(request, connection);
        } else if !self.may(Resource::Pending) {
            self.refuse(request, Refusal::PendingOverflow, None);
        } else if !self.pool.occupied && !self.may(Resource::Pools) {
            self.refuse(request, Refusal::PoolOverflow, None);
        } else {
            self.pool.ahead = true;
            self.join(request);
            self.pool.waiting.push_back(&mut self.tables.requests, request.slot());
        }
        self.settle();
        request
    }

    /// The caller gave up.
    pub(super) fn on_cancelled(&mut self, request: RequestId) {
        let Some(slot) = self.tables.requests.get_mut(request) else {
            return self.stale(request);
        };
        match (slot.place, slot.ending) {
            (Place::Assigned(connection), ending) => {
                slot.ending = Some(Ending::Cancelled);
                self.tables.note(Kind::Cancelled, Rule::None, request);
                if ending.is_none() {
                    self.reset(request, connection);
                }
            }
            (Place::Waiting { .. }, _) => {
                self.leave(request);
                self.tables.note(Kind::Cancelled, Rule::None, request);
                self.finish(request, Outcome::Reset);
                self.settle();
            }
        }
    }

    /// Ends what has passed its deadline, as far as the budget goes.
    pub(super) fn handle_deadlines(&mut self) {
        while self.tables.budget > 0
            && let Some(slot) = self.tables.deadlines.pop_due(self.now)
        {
            if let Some(request) = self.tables.requests.id_at(slot) {
                self.on_deadline(request);
            }
        }
    }

    /// A request's deadline passed.
    pub(crate) fn on_deadline(&mut self, request: RequestId) {
        let ending = match self.tables.late(Phase::Answering) {
            Refusal::Closed => Ending::Closed,
            _ => Ending::Deadline,
        };
        let Some(slot) = self.tables.requests.get_mut(request) else { return };
        slot.has_deadline = false;
        match (slot.place, slot.ending) {
            (Place::Assigned(connection), None) => {
                slot.ending = Some(ending);
                self.reset(request, connection);
                self.tables.budget = self.tables.budget.saturating_sub(1);
            }
            (Place::Assigned(_), Some(Ending::Recalled)) => slot.ending = Some(ending),
            (Place::Assigned(_), Some(_)) => {}
            (Place::Waiting { .. }, _) => {
                let phase = self.waiting_phase();
                self.leave(request);
                self.refuse(request, self.tables.late(phase), None);
                self.settle();
            }
        }
    }

    /// What those who wait are waiting for.
    pub(crate) fn waiting_phase(&self) -> Phase {
        let eldest = self.pool.connecting.last();
        match eldest.and_then(|eldest| self.tables.connections.at(eldest)) {
            None => Phase::Queued,
            Some(connection) if connection.started => Phase::Connecting,
            Some(_) => Phase::Resolving,
        }
    }

    /// Gives connections to those who wait, in order: what is ready, then what takes early data.
    /// Where not `choosy`, also what failed a request last.
    pub(super) fn pump(&mut self, choosy: bool) {
        self.serve(choosy);
        if self.pool.early > 0 {
            self.serve_early();
        }
    }

    fn serve(&mut self, choosy: bool) {
        let mut next = self.pool.waiting.first_id(&self.tables.requests);
        while let Some(request) = next {
            let Some(connection) = self.pick(self.avoids(request).filter(|_| choosy)) else {
                if !self.is_choosy(request) {
                    return;
                }
                next = self.behind(request);
                continue;
            };
            if self.tables.budget == 0 {
                return self.run_out();
            }
            next = self.behind(request);
            self.leave(request);
            self.assign(request, connection);
        }
    }

    pub(super) fn behind(&self, request: RequestId) -> Option<RequestId> {
        let next = self.pool.waiting.after(&self.tables.requests, request.slot())?;
        self.tables.requests.id_at(next)
    }

    fn avoids(&self, request: RequestId) -> Option<ConnectionId> {
        self.tables.requests.get(request).and_then(|slot| slot.avoid)
    }

    /// Whether it waits only because of whom it avoids: those behind it need not wait for that.
    fn is_choosy(&self, request: RequestId) -> bool {
        let avoided = self.avoids(request).and_then(|avoid| self.tables.connections.get(avoid));
        avoided.is_some_and(|avoided| avoided.state == State::Ready)
    }

    /// Whether nobody waits but those who are choosy; they stand before all others, and who
    /// stands among them would have been served unless the budget ended.
    fn is_free_way(&self) -> bool {
        let last = self.pool.waiting.last().and_then(|slot| self.tables.requests.id_at(slot));
        last.is_none_or(|last| !self.pool.unfinished && self.is_choosy(last))
    }

    /// Tells those who failed, as many as the budget allows.
    pub(super) fn fail(&mut self) {
        while let Some(request) = self.pool.failing.first_id(&self.tables.requests) {
            if self.tables.budget == 0 {
                return self.run_out();
            }
            self.leave(request);
            let (reason, failed) = self.pool.failure.clone().unwrap_or((Refusal::Draining, None));
            self.refuse(request, reason, failed);
        }
        self.pool.failure = None;
    }

    /// Everyone who waits now is refused; whoever joins later is not.
    pub(super) fn fail_all(&mut self, reason: Refusal, failed: Option<Arc<AllFailed>>) {
        if self.pool.waiting.is_empty() {
            return;
        }
        // Whoever joins from now on belongs to the next batch.
        self.pool.batch = self.pool.batch.wrapping_add(1);
        self.pool.failing.append(&mut self.tables.requests, &mut self.pool.waiting);
        self.pool.failure = Some((reason, failed));
        self.fail();
    }

    pub(super) fn run_out(&mut self) {
        if !self.pool.unfinished {
            self.pool.unfinished = true;
            self.tables.note(Kind::Burst, Rule::None, self.pool.id);
        }
    }

    /// Counts a request among those who wait; which end it joins is the caller's choice.
    pub(super) fn join(&mut self, request: RequestId) {
        self.tables.note(Kind::Queued, Rule::None, request);
        self.take_or_give(Resource::Pending, true);
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.place = Place::Waiting { batch: self.pool.batch };
        }
    }

    /// Takes a request that is not assigned out of the list it is in.
    pub(super) fn leave(&mut self, request: RequestId) {
        let Some(slot) = self.tables.requests.get(request) else { return };
        let list = match slot.place {
            Place::Waiting { batch } if batch == self.pool.batch => &mut self.pool.waiting,
            Place::Waiting { .. } => &mut self.pool.failing,
            Place::Assigned(_) => return,
        };
        list.remove(&mut self.tables.requests, request.slot());
        self.take_or_give(Resource::Pending, false);
    }

    /// Puts a request, which is in no list, on a connection that has room.
    #[inline(always)]
    fn assign(&mut self, request: RequestId, connection: ConnectionId) {
        if self.give(request, connection) {
            self.carry(request, connection);
        }
    }

    /// Tells everyone that a request, which is in no list, goes on a connection. Whether it does.
    #[inline(always)]
    pub(super) fn give(&mut self, request: RequestId, connection: ConnectionId) -> bool {
        if !self.may(Resource::Requests) {
            self.refuse(request, Refusal::ActiveOverflow, None);
            return false;
        }
        self.take_or_give(Resource::Requests, true);
        self.tables.budget = self.tables.budget.saturating_sub(1);
        self.pool.active += 1;
        self.pool.ahead = true;
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.place = Place::Assigned(connection);
            slot.assigned = Some(self.now);
        }
        self.tables.note_both(Kind::Assigned, Rule::None, request, connection);
        self.out.assign(request, connection);
        true
    }

    /// Counts a stream on its connection, which may be full or used up by it.
    #[inline(always)]
    fn carry(&mut self, request: RequestId, connection: ConnectionId) {
        let (pool, tables) = (&mut *self.pool, &mut *self.tables);
        let most = pool.config.max_requests_per_connection;
        let Some(slot) = tables.connections.get_mut(connection) else { return };
        let before = slot.room(&pool.config);
        slot.streams.push_back(&mut tables.requests, request.slot());
        slot.total += 1;
        // One stream takes one place, unless there are so many that they are not all counted.
        let after = match before {
            1..ROOM_MAX => before - 1,
            _ => slot.room(&pool.config),
        };
        pool.room += after - before;
        let is_used_up = most.is_some_and(|most| slot.total >= u64::from(most.get()));
        if let Some(link) = slot.stop_clock(Clock::Idle) {
            pool.clocks.of_mut(Clock::Idle).left(&mut tables.connections, link);
        }
        if is_used_up {
            self.tables.note(Kind::MaxRequests, Rule::None, connection);
            self.drain(connection);
        } else if after > 0 {
            self.shelve(connection);
        } else {
            self.fill_up(connection);
        }
    }

    /// A ready connection has no more room.
    #[inline(always)]
    fn fill_up(&mut self, connection: ConnectionId) {
        let (pool, all) = (&mut *self.pool, &mut self.tables.connections);
        if let Some(slot) = all.get_mut(connection)
            && slot.state == State::Ready
        {
            let left = slot.fill_up(&pool.held);
            pool.filled_up(all, connection.slot(), left);
            self.note_state(connection, State::Ready, State::Busy);
        }
    }

    fn reset(&mut self, request: RequestId, connection: ConnectionId) {
        self.tables.note_both(Kind::ResetByUs, Rule::None, request, connection);
        self.out.push(Action::Reset { connection, request });
    }

    /// Ends a request that is in no list, with a no.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse(
        &mut self,
        request: RequestId,
        reason: Refusal,
        failed: Option<Arc<AllFailed>>,
    ) {
        let (kind, value) = match reason {
            Refusal::PendingOverflow => (Some(Kind::PendingOverflow), 0),
            Refusal::ActiveOverflow => (Some(Kind::ActiveOverflow), 0),
            Refusal::PoolOverflow => (Some(Kind::PoolOverflow), 0),
            Refusal::ConnectFailed(_) | Refusal::SocketOverflow => (Some(Kind::PendingFailed), 0),
            Refusal::Deadline(phase) => (Some(Kind::Deadline), phase as u64),
            Refusal::Closed => {
                self.tables.cut += 1;
                (None, 0)
            }
            Refusal::StreamFailed(_) | Refusal::Draining | Refusal::UnknownKey => (None, 0),
        };
        if let Some(kind) = kind {
            self.tables.recorder.record(Record {
                at: self.now,
                kind,
                rule: match reason {
                    Refusal::ConnectFailed(_) => Rule::LastConnectFailed,
                    _ => Rule::None,
                },
                from: 0,
                to: 0,
                a: pack(request),
                b: 0,
                value,
            });
        }
        self.retire(request);
        self.out.push(Action::Refuse { request, reason, failed });
    }

    /// Ends a request that is in no list.
    #[inline(always)]
    pub(super) fn finish(&mut self, request: RequestId, outcome: Outcome) {
        self.retire(request);
        if outcome == Outcome::Complete {
            self.out.complete(request);
        } else {
            self.out.push(Action::Finished { request, outcome });
        }
    }

    #[inline(always)]
    fn retire(&mut self, request: RequestId) {
        self.tables.budget = self.tables.budget.saturating_sub(1);
        let Some(slot) = self.tables.requests.remove(request) else { return };
        if slot.has_deadline {
            self.tables.deadlines.set(request.slot(), None);
        }
        if slot.holds_retry {
            self.take_or_give(Resource::Retries, false);
        }
    }
}
