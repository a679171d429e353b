//! What happens in the world around one pool, drawn from a tape.

use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::pool::Event;
use regatta_core::types::{AllFailed, Cause};

use super::World;
use crate::books::{Connection, Place};
use crate::streams;
use crate::tape::Tape;

impl World {
    /// What happens next; nothing where that would need somebody who is not there.
    pub(super) fn draw(&self, tape: &mut Tape, now: Instant) -> Option<Event> {
        let books = &self.books;
        let up = |c: &Connection| c.up.is_some() && !c.gone;
        let event = match tape.weighted("event", &[9, 8, 5, 2, 3, 2, 2, 2, 2, 1]) {
            0 => self.requested(tape, now),
            1 => self.stream_ended(tape)?,
            2 => {
                let fresh = |id, c: &Connection| c.is_connecting() && !self.timed_out.contains(&id);
                let connection = streams::some_connection(tape, books, fresh)?;
                let (protocol, limit) = streams::established(tape, self.config.http1_alone);
                Event::Connected { connection, protocol, limit }
            }
            3 => self.connect_failed(tape)?,
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
            _ if tape.one_in("rare", 3) => tape.pick("all", &[Event::Renew, Event::Drain]),
            _ => self.illegal(tape),
        };
        Some(event)
    }

    pub(super) fn requested(&self, tape: &mut Tape, now: Instant) -> Event {
        let method = streams::method(tape);
        Event::Requested { method, deadline: streams::deadline(tape, now) }
    }

    fn stream_ended(&self, tape: &mut Tape) -> Option<Event> {
        let request = streams::some_request(tape, &self.books, |p| matches!(p, Place::On(_)))?;
        let slot = self.books.request(request);
        let Place::On(connection) = slot.place else { return None };
        let dying = self.books.connection(connection).aborted;
        let (outcome, retry, body) = streams::end(tape, dying, slot.was_reset);
        Some(Event::StreamEnded { connection, request, outcome, retry, body })
    }

    fn connect_failed(&self, tape: &mut Tape) -> Option<Event> {
        let due = self.timed_out.first().copied();
        let connecting = |_, c: &Connection| c.is_connecting();
        let connection = match due {
            Some(due) => due,
            None => streams::some_connection(tape, &self.books, connecting)?,
        };
        Some(Event::ConnectFailed { connection, failed: failed(streams::cause(tape)) })
    }

    /// Any event about anything: most are stale, twice, too early or about nothing.
    pub(super) fn illegal(&self, tape: &mut Tape) -> Event {
        let books = &self.books;
        let connection = streams::any_connection(tape, books);
        let request = streams::any_request(tape, books);
        match tape.draw("illegal", 8) {
            0 => {
                let (protocol, limit) = streams::established(tape, self.config.http1_alone);
                Event::Connected { connection, protocol, limit }
            }
            1 => Event::ConnectFailed { connection, failed: failed(Cause::Refused) },
            2 => Event::Limit { connection, limit: streams::limit(tape) },
            3 => Event::Refusing(connection),
            4 => {
                let (outcome, retry, body) = streams::end(tape, false, false);
                Event::StreamEnded { connection, request, outcome, retry, body }
            }
            5 => Event::Probed(connection),
            6 if books.connections.get(&connection).is_none_or(|c| c.streams.is_empty()) => {
                Event::Closed { connection, cause: Cause::Closed }
            }
            _ => Event::Cancelled(request),
        }
    }
}

pub(super) fn failed(cause: Cause) -> Arc<AllFailed> {
    Arc::new(AllFailed { attempts: vec![], resolution: Some(cause) })
}
