//! Draws what happens to an upstream: mostly what may, now and then what may not.

use regatta_core::Instant;
use regatta_core::id::{AttemptId, HostId, ProfileId};
use regatta_core::types::{BodyState, Cause, MethodClass, Outcome, Protocol, RetrySafe, Timing};
use regatta_core::upstream::Event;

use super::{ADDRESSES, World, early, races};
use crate::books::{Connection, Lull, Place};
use crate::streams;
use crate::tape::Tape;

impl<const RACES: bool> World<RACES> {
    pub(super) fn draw(&self, tape: &mut Tape, now: Instant) -> Option<Event> {
        let seldom = if RACES && self.allows_early_data() { 4 } else { 8 };
        if RACES && tape.one_in("learn", seldom) {
            return Some(races::learnt(tape, &self.keys));
        }
        let asked = self.services.pools();
        if !asked.is_empty() && tape.one_in("services", 4) {
            let pool = tape.pick("asks", &asked);
            return Some(races::services(tape, pool, self.services.follows(pool)));
        }
        let books = &self.books;
        let up = |c: &Connection| c.up.is_some() && !c.gone;
        if RACES && tape.one_in("misdirected", 24) {
            let connection = streams::some_connection(tape, books, |_, c| up(c))?;
            return Some(Event::Misdirected(connection));
        }
        if RACES && tape.one_in("mute", 12) {
            let carries = |_, c: &Connection| up(c) && !c.streams.is_empty();
            return Some(Event::Mute(streams::some_connection(tape, books, carries)?));
        }
        if RACES
            && self.allows_early_data()
            && let Some(event) = self.draw_early(tape)
        {
            return Some(event);
        }
        let event = match tape.weighted("event", &[9, 8, 6, 5, 3, 3, 2, 2, 2, 2, 1]) {
            0 => self.requested(tape, now),
            1 => self.stream_ended(tape)?,
            2 => self.attempt_ends(tape)?,
            3 => self.resolver_says(tape)?,
            4 => {
                let request = streams::some_request(tape, books, |p| !matches!(p, Place::Over))?;
                Event::Cancelled(request)
            }
            5 => Event::Limit {
                connection: streams::some_connection(tape, books, |_, c| up(c))?,
                limit: streams::limit(tape),
            },
            6 => Event::Refusing(streams::some_connection(tape, books, |_, c| up(c))?),
            7 => {
                let over = |c: &Connection| up(c) && c.streams.is_empty();
                let connection = streams::some_connection(tape, books, |_, c| over(c))?;
                Event::Closed { connection, cause: streams::cause(tape) }
            }
            8 => Event::Probed(streams::some_connection(tape, books, |_, c| c.probing && up(c))?),
            9 => self.illegal(tape),
            _ if tape.one_in("rare", 2) => {
                tape.pick("all", &[Event::NetworkChanged, Event::NetworkChanged, Event::Drain])
            }
            _ => self.illegal(tape),
        };
        Some(event)
    }

    pub(super) fn requested(&self, tape: &mut Tape, now: Instant) -> Event {
        let mut key = tape.pick("key", &self.keys);
        if tape.one_in("unknown", 24) {
            key.profile = ProfileId(99);
        }
        let mut method = streams::method(tape);
        let often = matches!(method, MethodClass::Safe | MethodClass::Idempotent);
        if RACES && self.allows_early_data() && often {
            method = MethodClass::Early;
        }
        Event::Requested { key, method, deadline: streams::deadline(tape, now) }
    }

    fn stream_ended(&self, tape: &mut Tape) -> Option<Event> {
        let request = streams::some_request(tape, &self.books, |p| matches!(p, Place::On(_)))?;
        let slot = self.books.request(request);
        let Place::On(connection) = slot.place else { return None };
        let dying = self.books.connection(connection).aborted;
        let (mut outcome, mut retry, mut body) = streams::end(tape, dying, slot.was_reset);
        if slot.lull == Lull::Called && !slot.was_reset && tape.one_in("called back", 2) {
            outcome = Outcome::Reset;
            retry = RetrySafe::Unknown;
            body = tape.pick("body", &[BodyState::Untouched, BodyState::Replayable]);
        }
        if RACES && outcome != Outcome::Complete && tape.one_in("silent", 3) {
            outcome = Outcome::Failed(Cause::KeepAliveTimeout);
        }
        let (outcome, retry, body) = match self.books.connection(connection).takes_early_data() {
            true => early::lost(outcome, retry),
            false => (outcome, retry, body),
        };
        let timing = Timing::default();
        Some(Event::StreamEnded { connection, request, outcome, retry, body, timing })
    }

    fn attempt_ends(&self, tape: &mut Tape) -> Option<Event> {
        let running: Vec<_> = self.attempts.keys().copied().collect();
        if running.is_empty() {
            return None;
        }
        let attempt = tape.pick("attempt", &running);
        Some(match tape.weighted("attempt ends", &[4, 3, 1]) {
            0 => {
                let connection = self.attempts[&attempt];
                let pool = self.books.connection(connection).pool;
                self.connected(tape, attempt, self.books.rules[pool].http1_alone)
            }
            1 => Event::AttemptFailed { attempt, cause: streams::cause(tape) },
            _ => Event::AttemptProgress(attempt),
        })
    }

    /// A handshake is complete. Out of QUIC comes HTTP/3 and nothing else, also where the attempt
    /// was only guessed at.
    fn connected(&self, tape: &mut Tape, attempt: AttemptId, http1_alone: bool) -> Event {
        let over_quic = self.attempts.get(&attempt).is_some_and(|id| self.quic.contains(id));
        let (mut protocol, mut limit) = streams::established(tape, http1_alone);
        match (over_quic, protocol) {
            (true, _) => (protocol, limit) = races::established(limit),
            (false, Protocol::Http3) if RACES => protocol = Protocol::Http2,
            _ => {}
        }
        Event::Connected { attempt, protocol, limit }
    }

    fn resolver_says(&self, tape: &mut Tape) -> Option<Event> {
        let hosts: Vec<_> = self.resolving.keys().copied().collect();
        if hosts.is_empty() {
            return None;
        }
        let host = tape.pick("host", &hosts);
        Some(match tape.weighted("resolver", &[3, 2]) {
            0 if RACES && tape.one_in("both families", 2) => {
                Event::Resolved { host, addresses: ADDRESSES.to_vec() }
            }
            0 => {
                let many = tape.draw("addresses", 4);
                let addresses = (0..many).map(|_| tape.pick("address", &ADDRESSES)).collect();
                Event::Resolved { host, addresses }
            }
            _ => {
                let said = [None, Some(Cause::NameNotFound), Some(Cause::ResolveFailed)];
                Event::ResolveFinished { host, failed: tape.pick("said", &said) }
            }
        })
    }

    /// Any event about anything: most are stale, twice, too early or about nothing.
    fn illegal(&self, tape: &mut Tape) -> Event {
        let books = &self.books;
        let connection = streams::any_connection(tape, books);
        let request = streams::any_request(tape, books);
        let past = self.past_attempts.keys().next_back().copied();
        let forged = AttemptId::new(tape.draw("slot", 3), tape.draw("generation", 3));
        let attempt = past.filter(|_| tape.one_in("past", 2)).unwrap_or(forged);
        let host = HostId::new(tape.draw("slot", 3), tape.draw("generation", 3));
        match tape.draw("illegal", 12) {
            0 => self.connected(tape, attempt, true),
            1 => Event::AttemptFailed { attempt, cause: Cause::Refused },
            2 => Event::Limit { connection, limit: streams::limit(tape) },
            3 => Event::Refusing(connection),
            4 => {
                let (outcome, retry, body) = streams::end(tape, false, false);
                let timing = Timing::default();
                Event::StreamEnded { connection, request, outcome, retry, body, timing }
            }
            5 => Event::Probed(connection),
            6 if books.connections.get(&connection).is_none_or(|c| c.streams.is_empty()) => {
                Event::Closed { connection, cause: Cause::Closed }
            }
            7 => Event::AttemptProgress(attempt),
            8 => Event::Resolved { host, addresses: vec![ADDRESSES[0]] },
            9 => Event::ResolveFinished { host, failed: None },
            10 => Event::BudgetSpent(connection),
            _ => Event::Cancelled(request),
        }
    }
}
