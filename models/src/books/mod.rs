//! What the world outside a pool knows: every request and connection, in plain tables, recounted
//! after each step. The models of the pool and of the whole upstream keep their books here.
//!
//! It says of every action whether it was allowed: a request waits, is on one connection, or is
//! over; a connection takes a stream only while it is up, willing, and below its limit.

mod deeds;
mod early;
mod events;
mod invariants;
mod mute;
mod rest;

pub(crate) use invariants::{
    INVARIANTS, INVARIANTS_IN_SIGHT, INVARIANTS_OF_EARLY_DATA, INVARIANTS_OF_SILENCE,
};

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{BodyState, Limit, MethodClass, Outcome, Protocol, RetrySafe};
use regatta_core::{limits, pool};

use crate::seen::Tally;

/// Settings of one pool, and which circuit breakers it shares.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) pool: pool::Config,
    /// Its index in [`Books::breakers`].
    pub(crate) breaker: usize,
    /// Only HTTP/1 can come out of its connections.
    pub(crate) http1_alone: bool,
    /// What the last connection granted.
    granted: Option<u32>,
    /// A connection failed and nothing has happened since: none is begun at once.
    backs_off: bool,
    /// A request came or was given a connection in this call, or a connection that had carried
    /// one was told to take no more: whether any is made ahead of need must be judged.
    moved: bool,
    /// The same since a call ended with nothing left to do: it may be judged.
    ahead: bool,
}

impl Rules {
    pub(crate) const fn new(pool: pool::Config, breaker: usize, http1_alone: bool) -> Self {
        Self {
            pool,
            breaker,
            http1_alone,
            granted: None,
            backs_off: false,
            moved: false,
            ahead: false,
        }
    }
}

/// How a stream ended, as the world told it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) connection: ConnectionId,
    pub(crate) outcome: Outcome,
    pub(crate) retry: RetrySafe,
    pub(crate) body: BodyState,
    /// Its connection's handshake was not complete.
    pub(crate) early: bool,
}

impl End {
    /// A response was complete, or had begun.
    fn is_answered(&self) -> bool {
        self.outcome == Outcome::Complete || self.retry == RetrySafe::Answered
    }
}

/// What became of a request on a connection whose peer has stopped answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lull {
    Never,
    Called,
    Again,
}

/// What became of a request in early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flight {
    Never,
    Early,
    Again,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Asked for in this very call.
    Arriving,
    Waiting,
    On(ConnectionId),
    /// Its stream ended in this very call: a verdict must come.
    Judged(End),
    Over,
}

/// Whether a request will be refused because a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doom {
    No,
    /// An open connection may be draining, unseen.
    Perhaps,
    /// The call was cut short: the next one tells of the failure, or begins another leg.
    Undecided,
    Yes,
}

/// What must become of a request when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forecast {
    /// The pool drains.
    Refused,
    /// A connection has room and nobody was there before it.
    Assigned,
    /// It would have to wait and too many do.
    PendingOverflow,
    /// It waits, or the breakers of pools and sockets have a word.
    Waits,
    /// A connection's fate is not known outside.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) pool: usize,
    pub(crate) method: MethodClass,
    pub(crate) deadline: Option<Instant>,
    pub(crate) place: Place,
    /// Its turn among those that wait; resent ones go before all others.
    line: u64,
    resent: bool,
    /// The last connecting connection failed while it waited: it will hear so.
    pub(crate) doomed: Doom,
    /// What its arrival must lead to, where that is certain.
    forecast: Forecast,
    pub(crate) cancelled: bool,
    pub(crate) was_reset: bool,
    pub(crate) flight: Flight,
    /// It was reset because another connection was ready first.
    recalled: bool,
    /// On a connection whose peer had stopped answering: it was called back to another one.
    pub(crate) lull: Lull,
    /// Its last stream was lost to a connection that had served before and was closing.
    stale: bool,
    /// Whether that was so cannot be known outside.
    unsure: bool,
    /// How often it went again because nothing of it was sent, stale connections aside.
    unsent: u32,
    /// How often it went again because it was proven unprocessed.
    unprocessed: u32,
    /// How often it went again although its fate was unknown.
    guessed: u32,
    /// The connection that failed it last.
    pub(crate) avoid: Option<ConnectionId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) pool: usize,
    pub(crate) up: Option<(Protocol, Limit)>,
    /// It takes early data, and so many streams were granted the last time.
    pub(crate) early: Option<Limit>,
    /// It takes nothing new, because of this.
    pub(crate) stopped: Option<&'static str>,
    /// Since then.
    stopped_at: Instant,
    pub(crate) probing: bool,
    /// The machine said `Shutdown` or `Abort`.
    pub(crate) closing: bool,
    pub(crate) aborted: bool,
    pub(crate) gone: bool,
    /// Its peer has stopped answering.
    pub(crate) mute: bool,
    pub(crate) streams: BTreeSet<RequestId>,
    carried: u64,
    /// When it was begun; when it was established, once it is.
    pub(crate) since: Instant,
    /// When it last gave a sign of life.
    alive: Instant,
    /// When it was last used: established, a stream ended, a probe answered.
    used: Instant,
    /// Since which call it has room and no stream, as of the end of the last one.
    rests: Option<Instant>,
}

impl Connection {
    pub(crate) const fn is_connecting(&self) -> bool {
        self.up.is_none() && !self.gone
    }

    /// It takes nothing new from `now` on, unless that began before.
    pub(crate) const fn stop(&mut self, now: Instant, why: &'static str) {
        if self.stopped.is_none() {
            self.stopped = Some(why);
            self.stopped_at = now;
        }
        self.probing = false;
    }

    /// Whether it has had any stream.
    pub(crate) const fn has_carried(&self) -> bool {
        self.carried > 0
    }

    /// Established, and nothing is known to stand against streams on it.
    const fn is_open(&self) -> bool {
        self.up.is_some() && !self.gone && self.stopped.is_none()
    }

    /// Open, and may carry streams at all.
    fn grants(&self) -> bool {
        self.is_open() && self.up.is_some_and(|(_, limit)| !limit.grants_nothing())
    }
}

/// What a world in which nothing goes wrong does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kindness {
    Probed(ConnectionId),
    Complete(ConnectionId, RequestId),
    Closed(ConnectionId),
    Limit(ConnectionId, Limit),
}

/// Every request and connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) rules: Vec<Rules>,
    pub(crate) breakers: Vec<limits::Config>,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    /// Every id of a request that is over: none comes back.
    pub(crate) past_requests: BTreeSet<RequestId>,
    /// Every id of a connection that is gone: none comes back.
    pub(crate) past_connections: BTreeSet<ConnectionId>,
    pub(crate) draining: bool,
    /// Connections are made out of sight: what is being established is told by `connecting`.
    pub(crate) out_of_sight: bool,
    /// Out of sight: pools in which something is being established.
    pub(crate) connecting: BTreeSet<usize>,
    /// Out of sight: pools that stand in line for a turn or a socket.
    pub(crate) in_line: BTreeSet<usize>,
    /// Out of sight: what was shut down in this call for no reason of its own, and since when it
    /// was idle.
    pub(crate) gave_way: Vec<(ConnectionId, Instant)>,
    /// No connection can ever be made.
    pub(crate) no_sockets: bool,
    /// The next request finds no room for its pool.
    pub(crate) no_pool_left: bool,
    pub(crate) now: Instant,
    pub(crate) lines: u64,
    /// Which of [`INVARIANTS`] were evaluated.
    pub(crate) tally: Tally,
}

impl Books {
    pub(crate) fn request(&self, id: RequestId) -> &Request {
        self.requests.get(&id).unwrap_or_else(|| panic!("{id} is no request"))
    }

    fn request_mut(&mut self, id: RequestId) -> &mut Request {
        self.requests.get_mut(&id).unwrap_or_else(|| panic!("{id} is no request"))
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> &Connection {
        self.connections.get(&id).unwrap_or_else(|| panic!("{id} is no connection"))
    }

    pub(crate) fn connection_mut(&mut self, id: ConnectionId) -> &mut Connection {
        self.connections.get_mut(&id).unwrap_or_else(|| panic!("{id} is no connection"))
    }

    /// How many streams the connection may still take now; below 0 when its limit has fallen.
    pub(crate) fn room(&self, id: ConnectionId) -> i64 {
        let connection = self.connection(id);
        let config = &self.rules[connection.pool].pool;
        let early = connection.early.map(|limit| (Protocol::Http3, limit));
        let Some((protocol, limit)) = connection.up.or(early) else { return 0 };
        let open = connection.streams.len() as i64;
        let room = match (protocol, limit) {
            (Protocol::Http1, Limit::Concurrent(most)) => i64::from(most.min(1)) - open,
            (Protocol::Http1, Limit::Total(_)) => 1 - open,
            (_, Limit::Concurrent(most)) => {
                i64::from(most.min(config.max_concurrent_streams.get())) - open
            }
            (_, Limit::Total(most)) => most.saturating_sub(connection.carried).min(1 << 40) as i64,
        };
        let most = config.max_requests_per_connection.map_or(u64::MAX, |most| most.get().into());
        room.min(most.saturating_sub(connection.carried).min(1 << 40) as i64)
    }

    /// Whether a stream may be given to it now.
    pub(crate) fn is_usable(&self, id: ConnectionId) -> bool {
        let connection = self.connection(id);
        connection.is_open() && !connection.probing && self.room(id) > 0
    }

    /// Whether a PING must be answered before it is used again.
    fn needs_probe(&self, id: ConnectionId) -> bool {
        let connection = self.connection(id);
        let idle = self.now.saturating_since(connection.alive);
        let is_http2 = matches!(connection.up, Some((Protocol::Http2, _)));
        let after = self.rules[connection.pool].pool.probe_after_idle;
        is_http2 && connection.streams.is_empty() && after.is_some_and(|after| idle > after)
    }

    /// Whether the machine may have begun to drain it and told nobody yet: it is too old.
    fn is_aged(&self, id: ConnectionId) -> bool {
        let connection = self.connection(id);
        let most = self.rules[connection.pool].pool.max_connection_duration;
        most.is_some_and(|most| connection.since + most <= self.now)
    }

    pub(crate) fn usable(&self, pool: usize) -> impl Iterator<Item = ConnectionId> {
        let mine = self.connections.iter().filter(move |(_, c)| c.pool == pool);
        mine.map(|(id, _)| *id).filter(|id| self.is_usable(*id))
    }

    /// Those that have room and no stream, with the instant since when.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (ConnectionId, Instant)> {
        let empty = self.connections.iter().filter(|(_, c)| !c.gone && c.streams.is_empty());
        let usable = empty.filter(|(id, _)| self.is_usable(**id));
        usable.map(|(id, c)| (*id, c.rests.unwrap_or(self.now)))
    }

    /// How many were told to close and are not closed.
    pub(crate) fn leaving(&self) -> usize {
        self.connections.values().filter(|c| c.closing && !c.gone).count()
    }

    /// Those that wait, in every pool for which `of` holds.
    pub(crate) fn waiting(&self, of: impl Fn(usize) -> bool) -> impl Iterator<Item = RequestId> {
        let all = self.requests.iter();
        all.filter(move |(_, r)| matches!(r.place, Place::Waiting) && of(r.pool)).map(|(id, _)| *id)
    }

    /// Those on a connection, in every pool for which `of` holds.
    pub(crate) fn active(&self, of: impl Fn(usize) -> bool) -> usize {
        let all = self.requests.values();
        all.filter(|r| matches!(r.place, Place::On(_)) && of(r.pool)).count()
    }

    pub(crate) fn limits(&self, pool: usize) -> &limits::Config {
        &self.breakers[self.rules[pool].breaker]
    }

    /// The next good deed of a kind world, as far as established connections go.
    pub(crate) fn kindness(&self) -> Option<Kindness> {
        self.connections.iter().find_map(|(&id, connection)| {
            let (_, limit) = connection.up?;
            if connection.probing {
                Some(Kindness::Probed(id))
            } else if let Some(&request) = connection.streams.first() {
                Some(Kindness::Complete(id, request))
            } else if connection.closing {
                Some(Kindness::Closed(id))
            } else if limit == Limit::Concurrent(0) {
                Some(Kindness::Limit(id, Limit::Concurrent(100)))
            } else if matches!(limit, Limit::Total(_)) && self.room(id) <= 0 {
                Some(Kindness::Limit(id, Limit::Total(1 << 40)))
            } else {
                None
            }
        })
    }

    /// Whether another pool has the same circuit breakers.
    pub(crate) fn shares(&self, pool: usize, other: usize) -> bool {
        self.rules[pool].breaker == self.rules[other].breaker
    }
}
