//! A connection whose peer has stopped answering, which is not known to be dead.
//!
//! - It takes nothing new: another connection is made.
//! - What it carries goes on, since the peer may be heard again; nobody knows that anything else
//!   is any better. What may be sent twice is as good as waiting meanwhile.
//! - Once another connection is established, that is called back and goes there (MUTE-OVERTAKEN),
//!   once, unless its answer has begun. It costs nothing of what a request may be sent again by
//!   itself: nothing has failed.

use super::tables::{Connection, Lull};
use super::{Action, Out, Pool, Turn};
use crate::id::{ConnectionId, RequestId};
use crate::record::{Kind, Rule};
use crate::types::{BodyState, Phase, RetrySafe};

impl Connection {
    /// Whether that its peer has stopped answering would be news, and of use.
    pub(crate) const fn may_be_mute(&self) -> bool {
        !self.is_connecting() && !self.closing && !self.mute
    }
}

impl Pool {
    /// Whether somebody hopes for another connection, and nobody waits for whom one is made.
    pub(crate) const fn wants_for_hopeful(&self) -> bool {
        let nobody_else = self.waiting.is_empty() && self.failing.is_empty();
        self.hoping > 0 && nobody_else && self.connecting.is_empty()
    }
}

impl<O: Out> Turn<'_, O> {
    /// The peer of an established connection has stopped answering.
    pub(crate) fn on_mute(&mut self, connection: ConnectionId) {
        let is_open = match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.may_be_mute() => {
                slot.mute = true;
                slot.is_open()
            }
            _ => return self.stale(connection),
        };
        self.tables.note(Kind::Mute, Rule::None, connection);
        if is_open {
            self.drain(connection);
        }
        for request in self.streams_of(connection) {
            if let Some(slot) = self.tables.requests.get_mut(request)
                && slot.lull == Lull::Never
                && slot.ending.is_none()
                && slot.method.is_idempotent()
                && !self.pool.draining
            {
                slot.lull = Lull::Hoping;
                self.pool.hoping += 1;
            }
        }
        self.call_all_back();
        self.settle();
    }

    fn streams_of(&self, connection: ConnectionId) -> Vec<RequestId> {
        let slot = self.tables.connections.get(connection);
        let streams = slot.into_iter().flat_map(|slot| slot.streams.iter(&self.tables.requests));
        streams.map(|(request, _)| request).collect()
    }

    /// Where another connection is established, whoever hoped for one goes there.
    pub(super) fn call_all_back(&mut self) {
        if self.pool.open == self.pool.shut {
            return;
        }
        let mut next = self.pool.held.first();
        while let Some(place) = next {
            next = self.pool.held.after(&self.tables.connections, place);
            let is_mute = self.tables.connections.at(place).is_some_and(|slot| slot.mute);
            if is_mute && let Some(connection) = self.tables.connections.id_at(place) {
                self.call_back(connection);
            }
        }
    }

    /// The pool drains: nothing more is made for those who could stay where they are.
    pub(super) fn leave_hope(&mut self) {
        let mut next = self.pool.held.first().filter(|_| self.pool.hoping > 0);
        while let Some(place) = next {
            next = self.pool.held.after(&self.tables.connections, place);
            let is_mute = self.tables.connections.at(place).is_some_and(|slot| slot.mute);
            if is_mute && let Some(connection) = self.tables.connections.id_at(place) {
                for request in self.streams_of(connection) {
                    self.stop_hoping(request);
                }
            }
        }
    }

    fn call_back(&mut self, connection: ConnectionId) {
        for request in self.streams_of(connection) {
            let Some(slot) = self.tables.requests.get_mut(request) else { continue };
            if slot.lull == Lull::Hoping && slot.ending.is_none() {
                slot.lull = Lull::Called;
                self.pool.hoping -= 1;
                self.out.push(Action::Recall { connection, request });
            }
        }
    }

    /// The stream of a request has ended: it hopes no longer.
    #[inline]
    pub(super) fn stop_hoping(&mut self, request: RequestId) {
        if let Some(slot) = self.tables.requests.get_mut(request)
            && slot.lull == Lull::Hoping
        {
            slot.lull = Lull::Never;
            self.pool.hoping -= 1;
        }
    }

    /// MUTE-OVERTAKEN: whether it was called back, and in time.
    pub(super) fn is_called_back(
        &self,
        request: RequestId,
        (retry, body): (RetrySafe, BodyState),
    ) -> bool {
        let slot = self.tables.requests.get(request);
        let is_called = slot.is_some_and(|slot| slot.lull == Lull::Called);
        is_called && retry != RetrySafe::Answered && !matches!(body, BodyState::Spent)
    }

    /// Sends again what was called back.
    pub(super) fn send_called_again(&mut self, connection: ConnectionId, request: RequestId) {
        if self.is_late(request) {
            return self.refuse(request, self.tables.late(Phase::Answering), None);
        }
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.lull = Lull::Again;
            slot.avoid = Some(connection);
            slot.assigned = None;
        }
        self.queue_again(connection, request, Rule::MuteOvertaken);
    }
}
