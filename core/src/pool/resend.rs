//! The end of a stream: what becomes of its request, and of its connection.

use super::tables::{Ending, Place};
use super::{Action, Out, State, Turn};
use crate::id::{ConnectionId, RequestId};
use crate::limits::Resource;
use crate::record::{Kind, Record, Rule, pack};
use crate::types::{BodyState, Cause, Limit, MethodClass, Outcome, Phase, Refusal, RetrySafe};

/// May a request whose stream failed go again, as far as the request itself is concerned?
///
/// - Unsent or unprocessed: nobody acted on it, so any method may (RFC 9113 8.7).
/// - Unknown fate: only an idempotent method may (RFC 9110 9.2.2).
/// - Answered: never.
/// - A body that cannot be sent a second time never.
pub(super) const fn rule(method: MethodClass, retry: RetrySafe, body: BodyState) -> Option<Rule> {
    if matches!(body, BodyState::Spent) {
        return None;
    }
    match retry {
        RetrySafe::Unsent => Some(Rule::ResendUnsent),
        RetrySafe::Unprocessed => Some(Rule::ResendUnprocessed),
        RetrySafe::Unknown if method.is_idempotent() => Some(Rule::ResendIdempotent),
        RetrySafe::Unknown | RetrySafe::Answered => None,
    }
}

impl<O: Out> Turn<'_, O> {
    #[inline(always)]
    pub(crate) fn on_stream_ended(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        outcome: Outcome,
        retry: RetrySafe,
        body: BodyState,
    ) {
        match self.tables.requests.get(request) {
            Some(slot) if slot.place == Place::Assigned(connection) => {}
            _ => return self.stale(request),
        }
        self.end_stream(connection, request, outcome, retry, body);
        self.settle();
    }

    /// Gives the stream's capacity back and ends its request or queues it again.
    #[inline(always)]
    pub(super) fn end_stream(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        outcome: Outcome,
        retry: RetrySafe,
        body: BodyState,
    ) {
        // `Cancelled` is this side's own: the head cannot be said, or a limit just fell.
        let is_refused = retry == RetrySafe::Unsent
            && matches!(outcome, Outcome::Failed(cause) if cause != Cause::Cancelled);
        let answered = outcome == Outcome::Complete || retry == RetrySafe::Answered;
        let free = self.release(connection, request, is_refused, answered);
        let Some(slot) = self.tables.requests.get(request) else { return };
        match (outcome, slot.ending) {
            (Outcome::Complete, _) => {
                self.tables.note_both(Kind::Completed, Rule::None, request, connection);
                self.finish(request, Outcome::Complete);
            }
            (Outcome::Reset, None) if self.is_called_back(request, (retry, body)) => {
                self.send_called_again(connection, request);
            }
            (_, Some(Ending::Cancelled)) | (Outcome::Reset, None) => {
                self.finish(request, Outcome::Reset);
            }
            (_, Some(Ending::Deadline)) => {
                self.refuse(request, Refusal::Deadline(Phase::Answering), None);
            }
            (_, Some(Ending::Closed)) => self.refuse(request, Refusal::Closed, None),
            (Outcome::Reset, Some(Ending::Recalled)) if self.is_late(request) => {
                self.refuse(request, self.tables.late(Phase::Answering), None);
            }
            (Outcome::Reset, Some(Ending::Recalled)) => {
                let cause = Cause::Cancelled;
                self.on_stream_failed(connection, request, cause, free, (retry, body));
            }
            (Outcome::Failed(cause), None | Some(Ending::Recalled)) => {
                if matches!(cause, Cause::StreamReset(_)) {
                    self.tables.note_both(Kind::ResetByPeer, Rule::None, request, connection);
                }
                self.on_stream_failed(connection, request, cause, free, (retry, body));
            }
        }
    }

    /// Gives the stream's capacity back. Whether the request was lost to a stale connection.
    #[inline(always)]
    fn release(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        unsent: bool,
        answered: bool,
    ) -> bool {
        self.take_or_give(Resource::Requests, false);
        self.pool.active -= 1;
        if self.pool.hoping > 0 {
            self.stop_hoping(request);
        }
        let Some(slot) = self.tables.connections.get_mut(connection) else { return false };
        let before = slot.room(&self.pool.config);
        slot.streams.remove(&mut self.tables.requests, request.slot());
        let after = slot.room(&self.pool.config);
        slot.alive = self.now;
        slot.answered |= answered;
        let is_open = slot.is_open();
        if is_open {
            self.pool.room += after - before;
        } else if slot.state == State::EarlyData {
            self.pool.hoping -= 1;
        }
        // It had room and did not take the stream: it is closing or refusing, and will say so.
        // A limit that fell below what is in use explains it as well.
        let fell = matches!(slot.limit, Limit::Concurrent(_)) && before < 0;
        let reused = slot.total > u64::from(slot.streams.len()) + 1 || !is_open;
        if unsent && is_open && !fell {
            self.drain(connection);
        } else {
            self.refresh_to(connection, after);
        }
        unsent && reused && !fell
    }

    #[cold]
    #[inline(never)]
    fn on_stream_failed(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        cause: Cause,
        free: bool,
        (retry, body): (RetrySafe, BodyState),
    ) {
        if self.is_early_again(connection, request, cause, (retry, body)) {
            return self.send_early_again(connection, request, cause);
        }
        if self.is_called_back(request, (retry, body)) {
            return self.send_called_again(connection, request);
        }
        let refusal = Refusal::StreamFailed(cause);
        let Some(slot) = self.tables.requests.get(request) else { return };
        let Some(rule) = rule(slot.method, retry, body) else {
            return self.refuse(request, refusal, None);
        };
        let is_retry = rule == Rule::ResendIdempotent;
        // Each reason has a count of its own: one does not use up what another may.
        let config = &self.pool.config;
        let (used, most) = match rule {
            Rule::ResendUnsent => (slot.unsent, config.max_resends),
            Rule::ResendUnprocessed => (slot.unprocessed, config.max_unprocessed_resends),
            _ => (slot.retries, config.max_resends),
        };
        let holds_retry = slot.holds_retry;
        if self.is_late(request) {
            return self.refuse(request, self.tables.late(Phase::Answering), None);
        }
        if !free && used >= most {
            self.tables.note(Kind::ResendLimit, rule, request);
            return self.refuse(request, refusal, None);
        }
        if is_retry && self.pool.draining {
            return self.refuse(request, refusal, None);
        }
        if is_retry && !holds_retry && !self.may(Resource::Retries) {
            self.tables.note(Kind::ResendOverflow, rule, request);
            return self.refuse(request, refusal, None);
        }
        if is_retry && !holds_retry {
            self.take_or_give(Resource::Retries, true);
        }
        if let Some(slot) = self.tables.requests.get_mut(request) {
            slot.holds_retry |= is_retry;
            slot.retries += u32::from(is_retry);
            slot.unprocessed += u32::from(rule == Rule::ResendUnprocessed);
            slot.unsent += u32::from(rule == Rule::ResendUnsent && !free);
            slot.avoid = Some(connection);
            slot.assigned = None;
        }
        self.queue_again(connection, request, rule);
    }

    pub(super) fn queue_again(&mut self, connection: ConnectionId, request: RequestId, rule: Rule) {
        self.join(request);
        self.pool.waiting.push_front(&mut self.tables.requests, request.slot());
        self.tables.recorder.record(Record {
            at: self.now,
            kind: Kind::Resent,
            rule,
            from: 0,
            to: 0,
            a: pack(request),
            b: pack(connection),
            value: 0,
        });
        self.tables.budget = self.tables.budget.saturating_sub(1);
        self.out.push(Action::Resend(request));
    }

    pub(super) fn is_late(&self, request: RequestId) -> bool {
        let has = self.tables.requests.get(request).is_some_and(|slot| slot.has_deadline);
        has && self.tables.deadlines.get(request.slot()).is_some_and(|at| at <= self.now)
    }
}
