//! Draws what becomes of streams, requests and connections; shared by the worlds of the pool
//! and of the upstream.

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{
    BodyState, Cause, Limit, MethodClass, Outcome, Protocol, ProtocolFault, RetrySafe, TlsFault,
};

use crate::books::{Books, Connection, Place};
use crate::settings::ms;
use crate::tape::Tape;

pub(crate) fn method(tape: &mut Tape) -> MethodClass {
    use MethodClass::{Connect, Idempotent, Other, Safe};
    tape.pick("method", &[Safe, Other, Idempotent, Connect])
}

pub(crate) fn deadline(tape: &mut Tape, now: Instant) -> Option<Instant> {
    match tape.weighted("deadline", &[6, 1, 1, 1]) {
        0 => None,
        1 => Some(now),
        2 => Some(now + ms(u64::from(tape.draw("ms", 1_500)))),
        _ => Some(Instant::EPOCH),
    }
}

pub(crate) fn cause(tape: &mut Tape) -> Cause {
    const OFTEN: [Cause; 6] = [
        Cause::ConnectionReset,
        Cause::Closed,
        Cause::Refused,
        Cause::StreamReset(7),
        Cause::GoAway(0),
        Cause::Tls(TlsFault::NameMismatch),
    ];
    match tape.draw("cause", 256) {
        255 => Cause::Unreachable,
        254 => Cause::Os(113),
        253 => Cause::Protocol(ProtocolFault::StartLine),
        252 => Cause::ConnectTimeout,
        often => OFTEN[often as usize % OFTEN.len()],
    }
}

pub(crate) fn limit(tape: &mut Tape) -> Limit {
    match tape.weighted("limit", &[8, 1]) {
        0 => Limit::Concurrent(tape.pick("granted", &[100, 0, 1, 2, 3, u32::MAX])),
        _ => Limit::Total(u64::from(tape.pick("total", &[100_u32, 0, 1, 3]))),
    }
}

/// What comes out of a handshake.
pub(crate) fn established(tape: &mut Tape, http1_alone: bool) -> (Protocol, Limit) {
    match tape.weighted("protocol", &[3, 4, 1]) {
        1 if !http1_alone => (Protocol::Http2, limit(tape)),
        2 if !http1_alone => (Protocol::Http3, limit(tape)),
        _ => (Protocol::Http1, Limit::Concurrent(1)),
    }
}

/// How a stream ends: on a dying connection it fails, after a reset it may be torn.
pub(crate) fn end(
    tape: &mut Tape,
    dying: bool,
    was_reset: bool,
) -> (Outcome, RetrySafe, BodyState) {
    use BodyState::{Replayable, Spent, Untouched};
    use RetrySafe::{Answered, Unknown, Unprocessed, Unsent};
    let how = tape.weighted("end", &[4, 1, 2, 2, 2]);
    if how == 0 && !dying {
        let outcome = if was_reset { Outcome::Reset } else { Outcome::Complete };
        return (outcome, Answered, tape.pick("body", &[Untouched, Spent]));
    }
    let retry = [Answered, Answered, Unsent, Unprocessed, Unknown][how];
    let body = match retry {
        Unsent => Untouched,
        _ => tape.pick("body", &[Untouched, Replayable, Spent]),
    };
    (Outcome::Failed(cause(tape)), retry, body)
}

/// One of those for which `of` holds, if there is one.
pub(crate) fn some_connection(
    tape: &mut Tape,
    books: &Books,
    of: impl Fn(ConnectionId, &Connection) -> bool,
) -> Option<ConnectionId> {
    let all = books.connections.iter().filter(|(id, c)| of(**id, c));
    let all: Vec<_> = all.map(|(id, _)| *id).collect();
    (!all.is_empty()).then(|| tape.pick("connection", &all))
}

/// One of those that are not over, if there is one.
pub(crate) fn some_request(
    tape: &mut Tape,
    books: &Books,
    of: impl Fn(&Place) -> bool,
) -> Option<RequestId> {
    let all = books.requests.iter().filter(|(_, r)| of(&r.place));
    let all: Vec<_> = all.map(|(id, _)| *id).collect();
    (!all.is_empty()).then(|| tape.pick("request", &all))
}

/// An id of any time, or one that was never given out.
pub(crate) fn any_connection(tape: &mut Tape, books: &Books) -> ConnectionId {
    let living = some_connection(tape, books, |_, _| true);
    let past = books.past_connections.iter().next_back().copied();
    let forged =
        ConnectionId::new(tape.pick("slot", &[0, 1, 2, u32::MAX]), tape.draw("generation", 3));
    let ids: Vec<_> = living.into_iter().chain(past).chain([forged]).collect();
    tape.pick("id", &ids)
}

/// As [`any_connection`].
pub(crate) fn any_request(tape: &mut Tape, books: &Books) -> RequestId {
    let living = some_request(tape, books, |_| true);
    let past = books.past_requests.iter().next_back().copied();
    let forged =
        RequestId::new(tape.pick("slot", &[0, 1, 2, u32::MAX]), tape.draw("generation", 3));
    let ids: Vec<_> = living.into_iter().chain(past).chain([forged]).collect();
    tape.pick("id", &ids)
}
