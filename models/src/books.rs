//! What the world outside a pool knows: every request and connection, in plain tables, recounted
//! after each step. The models of the pool and of the whole upstream keep their books here.
//!
//! It says of every action whether it was allowed: a request waits, is on one connection, or is
//! over; a connection takes a stream only while it is up, willing, and below its limit.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{
    BodyState, Limit, MethodClass, Outcome, Phase, Protocol, Refusal, RetrySafe,
};
use regatta_core::{limits, pool};

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
}

impl Rules {
    pub(crate) const fn new(pool: pool::Config, breaker: usize, http1_alone: bool) -> Self {
        Self { pool, breaker, http1_alone, granted: None, backs_off: false }
    }
}

/// How a stream ended, as the world told it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) connection: ConnectionId,
    pub(crate) outcome: Outcome,
    pub(crate) retry: RetrySafe,
    pub(crate) body: BodyState,
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
    /// Its last stream was lost to a connection that had served before and was closing.
    stale: bool,
    /// Whether that was so cannot be known outside.
    unsure: bool,
    /// How often it went again because it was proven unsent or unprocessed, stale connections
    /// aside.
    proven: u32,
    /// How often it went again although its fate was unknown.
    guessed: u32,
    /// The connection that failed it last.
    pub(crate) avoid: Option<ConnectionId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) pool: usize,
    pub(crate) up: Option<(Protocol, Limit)>,
    /// It takes nothing new, because of this.
    pub(crate) stopped: Option<&'static str>,
    pub(crate) probing: bool,
    /// The machine said `Shutdown` or `Abort`.
    pub(crate) closing: bool,
    pub(crate) aborted: bool,
    pub(crate) gone: bool,
    pub(crate) streams: BTreeSet<RequestId>,
    carried: u64,
    since: Instant,
    /// When it last gave a sign of life.
    alive: Instant,
    /// When it was last used: established, a stream ended, a probe answered.
    used: Instant,
}

impl Connection {
    pub(crate) const fn is_connecting(&self) -> bool {
        self.up.is_none() && !self.gone
    }

    /// Established, and nothing is known to stand against streams on it.
    const fn is_open(&self) -> bool {
        self.up.is_some() && !self.gone && self.stopped.is_none()
    }
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
    pub(crate) now: Instant,
    pub(crate) lines: u64,
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
        let Some((protocol, limit)) = connection.up else { return 0 };
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

    /// Whether another pool has the same circuit breakers.
    pub(crate) fn shares(&self, pool: usize, other: usize) -> bool {
        self.rules[pool].breaker == self.rules[other].breaker
    }
}

/// What the world did.
impl Books {
    pub(crate) fn arrive(
        &mut self,
        id: RequestId,
        pool: usize,
        method: MethodClass,
        deadline: Option<Instant>,
    ) {
        let forecast = self.forecast(pool);
        self.lines += 1;
        let request = Request {
            pool,
            method,
            deadline,
            place: Place::Arriving,
            line: self.lines,
            resent: false,
            doomed: Doom::No,
            forecast,
            cancelled: false,
            was_reset: false,
            stale: false,
            unsure: false,
            proven: 0,
            guessed: 0,
            avoid: None,
        };
        let fresh = self.requests.insert(id, request).is_none();
        assert!(fresh && !self.past_requests.contains(&id), "{id} was given out before");
    }

    fn forecast(&self, pool: usize) -> Forecast {
        let limits = self.limits(pool);
        let waiting = self.waiting(|other| self.shares(pool, other)).count();
        let full = waiting >= limits.max_pending_requests.unwrap_or(u32::MAX) as usize;
        let mut usable = self.usable(pool).peekable();
        let line = || self.waiting(|other| other == pool).filter(|id| self.is_in_line(*id));
        if self.draining {
            Forecast::Refused
        } else if self.is_uncertain(pool) || self.usable(pool).any(|id| self.needs_probe(id)) {
            Forecast::Unknown
        } else if usable.peek().is_some() && !line().any(|id| self.blocks(id)) {
            // Those that wait avoid what is free; a spent budget still lets them go first.
            if line().next().is_none() { Forecast::Assigned } else { Forecast::Unknown }
        } else if full {
            Forecast::PendingOverflow
        } else {
            Forecast::Waits
        }
    }

    /// Whether nobody may overtake it: it would take any connection that has room.
    fn blocks(&self, id: RequestId) -> bool {
        let avoids = self.request(id).avoid;
        let avoids = avoids.filter(|avoid| self.connections.contains_key(avoid));
        self.is_in_line(id) && !avoids.is_some_and(|avoid| self.is_usable(avoid))
    }

    fn is_in_line(&self, id: RequestId) -> bool {
        self.request(id).doomed == Doom::No
    }

    /// The caller gave up. What is over stays over.
    pub(crate) fn cancel(&mut self, id: RequestId) {
        if let Some(request) = self.requests.get_mut(&id)
            && !matches!(request.place, Place::Over)
        {
            request.cancelled = true;
        }
    }

    pub(crate) fn connected(&mut self, id: ConnectionId, protocol: Protocol, limit: Limit) {
        let now = self.now;
        let connection = self.connection_mut(id);
        (connection.since, connection.alive, connection.used) = (now, now, now);
        assert!(connection.up.is_none() && !connection.gone, "the world connects {id} twice");
        connection.up = Some((protocol, limit));
        self.learn(id);
    }

    /// What this connection grants is expected of the next one as well.
    fn learn(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        let pool = connection.pool;
        let granted = match connection.up {
            None => return,
            Some((Protocol::Http1, _)) => 1,
            Some((_, Limit::Concurrent(granted))) => granted.max(1),
            Some((_, Limit::Total(granted))) => u32::try_from(granted).unwrap_or(u32::MAX).max(1),
        };
        self.rules[pool].granted = Some(granted);
    }

    /// Something happened in the pool that lets it think again about connections.
    pub(crate) fn stir(&mut self, pool: usize) {
        self.rules[pool].backs_off = false;
    }

    pub(crate) fn limited(&mut self, id: ConnectionId, new: Limit) {
        if let Some((_, limit)) = &mut self.connection_mut(id).up {
            *limit = match (*limit, new) {
                (Limit::Total(old), Limit::Total(new)) => Limit::Total(old.max(new)),
                _ => new,
            };
        }
        self.connection_mut(id).alive = self.now;
        self.learn(id);
    }

    /// The answer to a probe came.
    pub(crate) fn probed(&mut self, id: ConnectionId) {
        let now = self.now;
        let connection = self.connection_mut(id);
        connection.probing = false;
        (connection.alive, connection.used) = (now, now);
    }

    /// It could not be established. Where it was the last hope, all that wait are doomed.
    pub(crate) fn connect_failed(&mut self, id: ConnectionId) {
        self.gone(id);
        let pool = self.connection(id).pool;
        self.rules[pool].backs_off = true;
        let mine = || self.connections.iter().filter(|(_, c)| c.pool == pool);
        if mine().any(|(id, c)| c.is_connecting() || c.is_open() && !self.is_aged(*id)) {
            return;
        }
        self.doom(pool, if mine().any(|(_, c)| c.is_open()) { Doom::Perhaps } else { Doom::Yes });
    }

    fn doom(&mut self, pool: usize, doom: Doom) {
        for request in self.requests.values_mut() {
            if request.pool == pool
                && matches!(request.place, Place::Waiting)
                && request.doomed != Doom::Yes
            {
                request.doomed = doom;
            }
        }
    }

    /// Nothing that is established takes anything new.
    pub(crate) fn stop_all(&mut self, pool: usize, why: &'static str) {
        for connection in self.connections.values_mut() {
            if connection.pool == pool && connection.up.is_some() {
                connection.stopped.get_or_insert(why);
                connection.probing = false;
            }
        }
    }

    /// It takes nothing new any more.
    pub(crate) fn stop(&mut self, id: ConnectionId, why: &'static str) {
        let connection = self.connection_mut(id);
        connection.stopped.get_or_insert(why);
        connection.probing = false;
    }

    pub(crate) fn stream_ended(&mut self, id: RequestId, end: End) {
        let now = self.now;
        let fell = self.room(end.connection) < 0;
        let connection = self.connection_mut(end.connection);
        let there = connection.streams.remove(&id);
        assert!(there, "the world ends a stream of {id} that is not on {}", end.connection);
        (connection.alive, connection.used) = (now, now);
        // A connection that had room and did not send is closing; it gets nothing more.
        let unsent = matches!((end.outcome, end.retry), (Outcome::Failed(_), RetrySafe::Unsent));
        let others = connection.streams.len() as u64;
        let stale = connection.carried > others + 1 || !connection.is_open();
        if unsent && !fell {
            self.stop(end.connection, "it did not send what it was given");
        }
        let unsure = self.is_aged(end.connection);
        let request = self.request_mut(id);
        request.unsure |= unsure;
        request.stale = unsent && stale && !fell;
        request.place = Place::Judged(end);
    }

    pub(crate) fn gone(&mut self, id: ConnectionId) {
        let connection = self.connection_mut(id);
        assert!(connection.streams.is_empty(), "the world closes {id} under its streams");
        connection.gone = true;
    }
}

/// What the machine did: each panics where it was not allowed.
impl Books {
    pub(crate) fn made(&mut self, id: ConnectionId, pool: usize) {
        let mine = self.connections.values().filter(|c| c.pool == pool && !c.gone);
        let is_first = mine.count() == 0;
        let all = self.connections.values().filter(|c| !c.gone && self.shares(pool, c.pool));
        let all = all.count();
        let most = self.limits(pool).max_connections.unwrap_or(u32::MAX) as usize;
        assert!(is_first || all < most, "{id} is made beside {all}, {most} are allowed");
        let wanted = self.is_uncertain(pool) || self.wish(pool);
        assert!(wanted, "{id} is made and nobody needs it");
        let connection = Connection {
            pool,
            up: None,
            stopped: None,
            probing: false,
            closing: false,
            aborted: false,
            gone: false,
            streams: BTreeSet::new(),
            carried: 0,
            since: self.now,
            alive: self.now,
            used: self.now,
        };
        let fresh = self.connections.insert(id, connection).is_none();
        assert!(fresh && !self.past_connections.contains(&id), "{id} was given out before");
    }

    /// Close when the last stream has ended: it must have been the last, and there is a reason.
    pub(crate) fn shutdown(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        assert!(connection.up.is_some() && !connection.gone, "{id} is shut down and is not up");
        assert!(!connection.closing, "{id} is shut down twice");
        assert!(connection.streams.is_empty(), "{id} is shut down under its streams");
        let idle = self.rules[connection.pool].pool.idle_timeout;
        let idle = idle.is_some_and(|idle| connection.used + idle <= self.now);
        let why = connection.stopped.is_some() || self.is_aged(id) || self.draining || idle;
        assert!(why, "{id} is shut down for no reason");
        self.connection_mut(id).closing = true;
        self.stop(id, "it was shut down");
    }

    pub(crate) fn abort(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        assert!(connection.up.is_some() && !connection.gone, "{id} is aborted and is not up");
        assert!(!connection.aborted, "{id} is aborted twice");
        let stopped = connection.stopped.is_some() || self.is_aged(id);
        assert!(stopped || connection.probing, "{id} is aborted for no reason");
        let connection = self.connection_mut(id);
        connection.closing = true;
        connection.aborted = true;
        connection.probing = false;
        self.stop(id, "it was aborted");
    }

    pub(crate) fn probe(&mut self, id: ConnectionId) {
        let usable = self.is_usable(id) && self.needs_probe(id);
        assert!(usable, "{id} is probed and need not be");
        let pool = self.connection(id).pool;
        let probing = self.connections.values().any(|c| c.pool == pool && c.probing && !c.gone);
        assert!(!probing, "{id} is probed beside another");
        self.connection_mut(id).probing = true;
    }

    pub(crate) fn assign(&mut self, id: RequestId, connection: ConnectionId) {
        let request = self.request(id).clone();
        let fits = !matches!(request.forecast, Forecast::Refused | Forecast::PendingOverflow);
        assert!(fits, "{id} is assigned, expected was {:?}", request.forecast);
        let pool = request.pool;
        assert!(
            matches!(request.place, Place::Arriving | Place::Waiting),
            "{id} does not wait and is assigned: {:?}",
            request.place
        );
        assert!(
            request.doomed != Doom::Yes,
            "{id} was assigned, but its pool's last connection failed"
        );
        for other in self.waiting(|other| other == pool).filter(|other| *other != id) {
            let before = self.request(other);
            let overtaken = match (before.resent, request.resent) {
                (true, false) => true,
                (false, false) => before.line < request.line,
                (_, true) => false,
            };
            let excused = before.doomed != Doom::No || before.avoid == Some(connection);
            assert!(!overtaken || excused, "{id} overtakes {other}");
        }
        let to = self.connection(connection);
        assert_eq!(to.pool, pool, "{id} is assigned to a connection of another pool");
        assert!(to.up.is_some() && !to.gone, "{id} is assigned to {connection}, which is not up");
        assert_eq!(to.stopped, None, "{id} is assigned to {connection}, which takes nothing");
        assert!(!to.probing, "{id} is assigned to {connection}, which is being probed");
        assert!(self.room(connection) > 0, "{id} is one stream too many on {connection}");
        let active = self.active(|other| self.shares(pool, other));
        let most = self.limits(pool).max_requests.unwrap_or(u32::MAX) as usize;
        assert!(active < most, "{active} requests are active, {most} are allowed");
        self.best_is_taken(connection, request.avoid);
        self.request_mut(id).place = Place::On(connection);
        let to = self.connection_mut(connection);
        to.streams.insert(id);
        to.carried += 1;
        let carried = to.carried;
        let most = self.rules[pool].pool.max_requests_per_connection;
        if most.is_some_and(|most| carried >= most.get().into()) {
            self.stop(connection, "it has carried all it may");
        }
    }

    /// No other connection of the pool would have been the better choice.
    fn best_is_taken(&self, taken: ConnectionId, avoid: Option<ConnectionId>) {
        let chosen = self.connection(taken);
        let protocol = chosen.up.map(|up| up.0);
        for other in self.usable(chosen.pool).filter(|id| *id != taken && Some(*id) != avoid) {
            if self.is_aged(other) || self.needs_probe(other) {
                continue;
            }
            let candidate = self.connection(other);
            let rank = candidate.up.map(|up| up.0);
            assert!(rank <= protocol, "{taken} was taken, {other} speaks a higher protocol");
            let later = rank == Some(Protocol::Http1) && candidate.used > chosen.used;
            assert!(rank < protocol || !later, "{taken} was taken, {other} was used later");
            let in_use = chosen.streams.is_empty() && !candidate.streams.is_empty();
            assert!(rank < protocol || !in_use, "{taken} was taken, {other} is in use");
        }
    }

    pub(crate) fn reset(&mut self, id: RequestId, connection: ConnectionId) {
        let now = self.now;
        let request = self.request_mut(id);
        assert!(
            matches!(request.place, Place::On(there) if there == connection),
            "{id} is reset on {connection}, where it is not"
        );
        let late = request.deadline.is_some_and(|at| at <= now);
        assert!(!request.was_reset, "{id} is reset twice");
        request.was_reset = true;
        let dropped = self.connection(connection).closing;
        let request = self.request(id);
        assert!(request.cancelled || late || dropped, "{id} is reset and nobody gave it up");
    }

    pub(crate) fn resend(&mut self, id: RequestId) {
        let request = self.request(id);
        let Place::Judged(end) = request.place else { panic!("{id} is resent out of the blue") };
        assert!(self.may_resend(id, end), "{id} must not go again: {end:?}, {:?}", request.method);
        let request = self.request_mut(id);
        match end.retry {
            RetrySafe::Unsent | RetrySafe::Unprocessed => {
                request.proven += u32::from(!request.stale);
            }
            _ => request.guessed += 1,
        }
        request.place = Place::Waiting;
        request.resent = true;
        request.doomed = Doom::No;
        request.avoid = Some(end.connection);
        let pool = request.pool;
        let most = self.limits(pool).max_retries.unwrap_or(u32::MAX) as usize;
        assert!(self.guessed(pool) <= most, "{id} is one retry too many");
    }

    /// The rules of a resend, circuit breakers aside.
    pub(crate) fn may_resend(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        let most = self.rules[request.pool].pool.max_resends;
        let fits = match end.retry {
            RetrySafe::Unsent | RetrySafe::Unprocessed => {
                request.stale || request.unsure || request.proven < most
            }
            RetrySafe::Unknown => request.guessed < most && request.method.is_idempotent(),
            RetrySafe::Answered => false,
        };
        let wanted = !request.cancelled && !request.was_reset;
        let failed = matches!(end.outcome, Outcome::Failed(_));
        fits && wanted && failed && end.body != BodyState::Spent
    }

    /// Whether nothing stands against sending it again.
    fn must_resend(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        let guess = end.retry == RetrySafe::Unknown;
        let most = self.limits(request.pool).max_retries.unwrap_or(u32::MAX) as usize;
        let open = request.guessed > 0 || self.guessed(request.pool) < most;
        !request.unsure && self.may_resend(id, end) && (!guess || (open && !self.draining))
    }

    /// How many requests under way were sent again although their fate was unknown.
    pub(crate) fn guessed(&self, pool: usize) -> usize {
        let all = self.requests.values();
        all.filter(|r| {
            !matches!(r.place, Place::Over) && r.guessed > 0 && self.shares(pool, r.pool)
        })
        .count()
    }

    pub(crate) fn finish(&mut self, id: RequestId, outcome: Outcome) {
        let request = self.request_mut(id);
        match request.place {
            Place::Judged(end) => {
                let expected = match end.outcome {
                    Outcome::Failed(_) if request.cancelled => Outcome::Reset,
                    told => told,
                };
                assert_eq!(outcome, expected, "{id} ended otherwise");
            }
            Place::Waiting => {
                assert!(request.cancelled, "{id} waits, nobody gave it up, and it is finished");
                assert_eq!(outcome, Outcome::Reset, "{id} was cancelled while it waited");
            }
            place => panic!("{id} is finished while {place:?}"),
        }
        request.place = Place::Over;
    }

    pub(crate) fn refuse(&mut self, id: RequestId, reason: Refusal) {
        let now = self.now;
        let request = self.request(id).clone();
        let fits = match request.forecast {
            Forecast::Refused => reason == Refusal::Draining,
            Forecast::Assigned => reason == Refusal::ActiveOverflow,
            Forecast::PendingOverflow => reason == Refusal::PendingOverflow,
            Forecast::Waits => matches!(
                reason,
                Refusal::PoolOverflow | Refusal::SocketOverflow | Refusal::ActiveOverflow
            ),
            Forecast::Unknown => true,
        };
        assert!(fits, "{id} is refused by {reason:?}, expected was {:?}", request.forecast);
        let pool = request.pool;
        let late = request.deadline.is_some_and(|at| at <= now);
        let limits = self.limits(pool);
        let over = |most: Option<u32>, used: usize| used >= most.unwrap_or(u32::MAX) as usize;
        match (request.place, reason) {
            (Place::Arriving, Refusal::PendingOverflow) => {
                let waiting = self.waiting(|other| self.shares(pool, other)).count();
                assert!(over(limits.max_pending_requests, waiting), "{id}: {waiting} wait");
            }
            (Place::Arriving | Place::Waiting, Refusal::ActiveOverflow) => {
                let active = self.active(|other| self.shares(pool, other));
                assert!(over(limits.max_requests, active), "{id}: {active} are active");
            }
            (Place::Arriving, Refusal::PoolOverflow) => {
                let busy = self.busy_pools(pool);
                let occupied = self.is_occupied(pool);
                assert!(!occupied && over(limits.max_connection_pools, busy), "{id}: {busy} pools");
            }
            (Place::Arriving, Refusal::Draining) => assert!(self.draining, "nothing drains"),
            (Place::Arriving | Place::Waiting, Refusal::Deadline(phase)) => {
                assert!(late && phase != Phase::Answering, "{id} had time left in {phase:?}");
            }
            (Place::Arriving | Place::Waiting, Refusal::SocketOverflow) => {
                let left = self.connections.values().any(|c| c.pool == pool && !c.gone);
                assert!(request.doomed != Doom::No || !left, "{id} had a connection to wait for");
                self.doom(pool, Doom::Yes);
            }
            (Place::Waiting, Refusal::ConnectFailed(_)) => {
                assert!(request.doomed != Doom::No, "{id} had a connection to wait for");
            }
            (Place::Judged(end), Refusal::StreamFailed(cause)) => {
                assert_eq!(end.outcome, Outcome::Failed(cause), "{id} failed otherwise");
                assert!(!self.must_resend(id, end), "{id} should have gone again: {end:?}");
            }
            (Place::Judged(_), Refusal::Deadline(Phase::Answering)) => {
                assert!(late, "{id} had time left");
            }
            (place, reason) => panic!("{id} is refused with {reason:?} while {place:?}"),
        }
        self.request_mut(id).place = Place::Over;
    }

    /// Whether the pool has a connection or a waiting request.
    pub(crate) fn is_occupied(&self, pool: usize) -> bool {
        self.waiting(|other| other == pool).next().is_some()
            || self.connections.values().any(|c| c.pool == pool && !c.gone)
    }

    fn busy_pools(&self, pool: usize) -> usize {
        let sharing = (0..self.rules.len()).filter(|other| self.shares(pool, *other));
        sharing.filter(|other| self.is_occupied(*other)).count()
    }

    /// Ends a call: every stream that ended has its verdict, and who was not served waits.
    pub(crate) fn close(&mut self) {
        for pool in 0..self.rules.len() {
            let hopes = |id| self.request(id).doomed != Doom::Yes;
            let waits = self.waiting(|other| other == pool).any(hopes);
            if self.draining && !waits && self.arriving(pool) == 0 {
                self.stop_all(pool, "the pool drains");
            }
        }
        for (id, request) in &mut self.requests {
            let forecast = core::mem::replace(&mut request.forecast, Forecast::Unknown);
            match request.place {
                Place::Arriving => {
                    request.place = Place::Waiting;
                    let fits = matches!(forecast, Forecast::Waits | Forecast::Unknown);
                    assert!(fits, "{id} waits, expected was {forecast:?}");
                }
                Place::Judged(end) => panic!("{id}'s stream ended and nothing was said: {end:?}"),
                _ => {}
            }
        }
        let over = |request: &Request| matches!(request.place, Place::Over);
        self.past_requests.extend(self.requests.iter().filter(|(_, r)| over(r)).map(|(id, _)| *id));
        self.requests.retain(|_, request| !over(request));
        let gone = self.connections.iter().filter(|(_, c)| c.gone);
        self.past_connections.extend(gone.map(|(id, _)| *id));
        self.connections.retain(|_, connection| !connection.gone);
    }

    /// What must hold between two calls, unless the machine has asked to be called again now.
    pub(crate) fn nobody_is_forgotten(&self, sockets_left: bool) {
        for pool in 0..self.rules.len() {
            self.enough_is_made(pool, sockets_left);
            for id in self.waiting(|other| other == pool) {
                let request = self.request(id);
                assert!(request.doomed != Doom::Yes, "{id} should have been told of its failure");
                if request.doomed == Doom::Perhaps {
                    continue;
                }
                let free = |other: &ConnectionId| {
                    Some(*other) != request.avoid
                        && !self.is_aged(*other)
                        && !self.needs_probe(*other)
                };
                let free: Vec<_> = self.usable(pool).filter(free).collect();
                assert!(free.is_empty(), "{id} waits while {free:?} have room");
                assert!(self.has_hope(pool), "{id} waits for nothing");
            }
        }
    }

    /// Whether the true state of a connection or request cannot be known outside.
    fn is_uncertain(&self, pool: usize) -> bool {
        let mine = self.connections.iter().filter(|(_, c)| c.pool == pool && c.is_open());
        let perhaps = |id| self.request(id).doomed == Doom::Perhaps;
        mine.map(|(id, _)| *id).any(|id| self.is_aged(id))
            || self.waiting(|other| other == pool).any(perhaps)
    }

    /// Whether one more connection is wanted: for those who wait, or ahead of need.
    fn wish(&self, pool: usize) -> bool {
        let rules = &self.rules[pool];
        let config = &rules.pool;
        let mine = || self.connections.iter().filter(|(_, c)| c.pool == pool && !c.gone);
        let carries = config.max_requests_per_connection.map_or(u32::MAX, |most| most.get());
        let assumed = match rules.granted {
            _ if rules.http1_alone => 1,
            Some(granted) => granted.min(config.max_concurrent_streams.get()).min(carries).max(1),
            None => {
                config.assumed_streams.get().min(config.max_concurrent_streams.get()).min(carries)
            }
        };
        let connecting = mine().filter(|(_, c)| c.is_connecting()).count() as i64;
        let connecting = connecting * i64::from(assumed);
        let probed: i64 = mine().filter(|(_, c)| c.probing).map(|(id, _)| self.room(*id)).sum();
        let in_line = self.waiting(|other| other == pool).filter(|id| self.is_in_line(*id));
        let waiting = in_line.count() as i64 + self.arriving(pool);
        if waiting > connecting + probed {
            return true;
        }
        let permille = i64::from(config.preconnect_permille.clamp(1_000, 3_000));
        if permille == 1_000 || self.draining {
            return false;
        }
        let room: i64 = mine().filter(|(_, c)| c.is_open()).map(|(id, _)| self.room(*id)).sum();
        let active = self.active(|other| other == pool) as i64;
        (waiting + active) * permille > (connecting + room + active) * 1_000
    }

    fn arriving(&self, pool: usize) -> i64 {
        let mine = self.requests.values().filter(|r| r.pool == pool);
        mine.filter(|r| matches!(r.place, Place::Arriving)).count() as i64
    }

    /// A wanted connection that nothing stands against has been made.
    fn enough_is_made(&self, pool: usize, sockets_left: bool) {
        let mine = || self.connections.values().filter(|c| c.pool == pool && !c.gone);
        let shut = mine().filter(|c| c.is_open());
        let shut = shut.filter(|c| matches!(c.up, Some((_, Limit::Concurrent(0))))).count();
        let all = self.connections.values().filter(|c| !c.gone && self.shares(pool, c.pool));
        let most = self.limits(pool).max_connections.unwrap_or(u32::MAX) as usize;
        let allowed = mine().count() == 0 || all.count() < most;
        let free = allowed && sockets_left && shut < 2 && !self.rules[pool].backs_off;
        let wanted = free && !self.is_uncertain(pool) && self.wish(pool);
        assert!(!wanted, "a connection is wanted, allowed, and not made");
    }

    /// Whether something is under way that can serve who waits, or make room for it.
    fn has_hope(&self, pool: usize) -> bool {
        self.connections.iter().filter(|(_, c)| c.pool == pool && !c.gone).any(|(id, c)| {
            c.is_connecting()
                || c.probing
                || c.stopped.is_some()
                || self.is_aged(*id)
                || self.room(*id) <= 0
        })
    }
}
