//! Early data in a world in which QUIC and TCP race: who offers it, and what comes of it.

use regatta_core::id::{AttemptId, ConnectionId};
use regatta_core::pool::State;
use regatta_core::record::Kind;
use regatta_core::types::{BodyState, Cause, Limit, Outcome, RetrySafe, Timing};
use regatta_core::upstream::{Event, Upstream};

use super::{World, races, sights};
use crate::books::{Flight, Place};
use crate::streams;
use crate::tape::Tape;

/// How a stream ends whose handshake is not complete: nothing can have been answered, and such a
/// request has no body.
pub(super) fn lost(outcome: Outcome, retry: RetrySafe) -> (Outcome, RetrySafe, BodyState) {
    let outcome = match outcome {
        Outcome::Complete => Outcome::Failed(Cause::ConnectionReset),
        other => other,
    };
    let retry = match retry {
        RetrySafe::Answered => RetrySafe::Unknown,
        other => other,
    };
    (outcome, retry, BodyState::Untouched)
}

impl<const RACES: bool> World<RACES> {
    pub(super) fn allows_early_data(&self) -> bool {
        self.config.profiles[0].early_data
    }

    pub(super) fn draw_early(&self, tape: &mut Tape) -> Option<Event> {
        let limit = Limit::Total(tape.pick("early granted", &[100, 1, 2, 0]));
        // As soon as there is somebody to offer it; then other things happen meanwhile.
        let running = self.attempts.iter().filter(|(_, connection)| self.quic.contains(connection));
        let running: Vec<_> = running.map(|(attempt, _)| *attempt).collect();
        if !running.is_empty() && tape.one_in("offer", 3) {
            let attempt = tape.pick("attempt", &running);
            return Some(Event::EarlyData { attempt, limit });
        }
        if !tape.one_in("early", 8) {
            return None;
        }
        match tape.weighted("early event", &[3, 2, 2, 1]) {
            0 => {
                let early =
                    streams::some_connection(tape, &self.books, |_, c| c.takes_early_data());
                Some(Event::Confirmed { connection: early?, limit })
            }
            1 => {
                let over =
                    |c: &crate::books::Connection| c.takes_early_data() && c.streams.is_empty();
                let early = streams::some_connection(tape, &self.books, |_, c| over(c));
                Some(Event::Closed { connection: early?, cause: streams::cause(tape) })
            }
            2 => self.refused(tape),
            _ => {
                // TCP offers none, and what is established has nothing to confirm.
                let attempts: Vec<_> = self.attempts.keys().copied().collect();
                let connection = streams::any_connection(tape, &self.books);
                let early = self.connection(connection).is_some_and(|c| c.takes_early_data());
                match attempts.is_empty() || tape.one_in("confirmed", 2) {
                    true if early => None,
                    true => Some(Event::Confirmed { connection, limit }),
                    false => {
                        Some(Event::EarlyData { attempt: tape.pick("attempt", &attempts), limit })
                    }
                }
            }
        }
    }

    /// The handshake, or the server by 425, refuses what went early.
    fn refused(&self, tape: &mut Tape) -> Option<Event> {
        let all = self.books.requests.iter().filter(|(_, request)| {
            let on = matches!(request.place, Place::On(_));
            on && request.flight == Flight::Early && !request.was_reset
        });
        let all: Vec<_> = all.map(|(id, _)| *id).collect();
        let request = (!all.is_empty()).then(|| tape.pick("request", &all))?;
        let Place::On(connection) = self.books.request(request).place else { return None };
        let outcome = Outcome::Failed(Cause::EarlyDataRefused);
        let (retry, body) = (RetrySafe::Unprocessed, BodyState::Untouched);
        let timing = Timing::default();
        Some(Event::StreamEnded { connection, request, outcome, retry, body, timing })
    }

    /// An attempt would take early data: whether it does is told by its connection, and it does so
    /// by the rule.
    pub(super) fn offer_early_data(
        &mut self,
        attempt: AttemptId,
        limit: Limit,
        machine: &Upstream,
    ) {
        let connection = self.attempts[&attempt];
        let pool = self.books.connection(connection).pool;
        let taken = machine.takes_early_data(connection);
        if taken {
            assert!(self.quic.contains(&connection), "{attempt} takes early data over TCP");
            assert!(self.allows_early_data(), "early data was not allowed");
            assert!(races::is_raced(&self.keys[pool]), "{attempt} has another profile");
            self.attempts.remove(&attempt);
            let made = machine.connection_timeline(connection).map(|timeline| timeline.made);
            self.books.takes_early_data(connection, limit, made.unwrap_or_default());
        }
        let allowed = machine.early_data(connection).is_ok();
        let wanted = self.would_go_early(pool);
        assert!(taken || !allowed || !wanted, "{attempt} offers early data in vain");
        assert!(!taken || allowed && wanted, "{attempt} takes early data and should not");
    }

    /// Whether somebody waited who may go early, and nothing was open, before this call.
    fn would_go_early(&self, pool: usize) -> bool {
        let before = self.before.iter().find(|view| view.key == self.keys[pool]);
        let open = before.into_iter().flat_map(|view| &view.connections);
        let open = open.filter(|c| matches!(c.state, State::Ready | State::Busy)).count();
        let failing = |id| self.books.request(id).doomed != crate::books::Doom::No;
        let mut waiting = self.books.waiting(|other| other == pool).filter(|id| !failing(*id));
        open == 0 && waiting.any(|id| self.books.may_go_early(id))
    }

    /// The pool whose race QUIC has won by this event.
    pub(super) fn won_by_quic(&self, event: &Event) -> Option<usize> {
        let connection = match event {
            Event::Connected { attempt, .. } => *self.attempts.get(attempt)?,
            Event::Confirmed { connection, .. } => *connection,
            _ => return None,
        };
        let pool = self.books.connection(connection).pool;
        (RACES && self.quic.contains(&connection)).then_some(pool)
    }

    /// A connection is gone.
    pub(super) fn lost(&mut self, id: ConnectionId, machine: &Upstream) {
        self.notice_lost_flight(id, machine);
        self.books.gone(id);
    }

    /// RACE-SUSPECT-DEAD: a handshake failed that carried early data.
    fn notice_lost_flight(&mut self, id: ConnectionId, machine: &Upstream) {
        let connection = self.books.connection(id);
        if !connection.takes_early_data() || connection.closing {
            return;
        }
        let here = self.began.get(&id) == Some(&self.networks);
        let suspect = u64::from(here && connection.has_carried());
        let marked = machine.count(Kind::Http3Suspect) - self.suspects;
        assert_eq!(marked, suspect, "{id} failed with early data, HTTP/3 was suspect so often");
        self.books.tally.held(sights::EARLY_SUSPECT);
    }

    /// In a kind world handshakes are completed, and what was given up ends.
    pub(super) fn kind_to_early_data(&self) -> Option<Event> {
        let (connection, early) = self.books.early().next()?;
        if !early.closing {
            return Some(Event::Confirmed { connection, limit: Limit::Total(100) });
        }
        Some(match early.streams.first() {
            Some(&request) => {
                let outcome = Outcome::Failed(Cause::ShutDown);
                let (retry, body) = (RetrySafe::Unknown, BodyState::Untouched);
                let timing = Timing::default();
                Event::StreamEnded { connection, request, outcome, retry, body, timing }
            }
            None => Event::Closed { connection, cause: Cause::ShutDown },
        })
    }
}
