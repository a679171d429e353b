//! What the world did, entered into the books.

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{Limit, MethodClass, Outcome, Protocol, RetrySafe};

use super::{Books, Doom, End, Flight, Forecast, Lull, Place, Request};

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
            flight: Flight::Never,
            recalled: false,
            lull: Lull::Never,
            stale: false,
            unsure: false,
            unsent: 0,
            unprocessed: 0,
            guessed: 0,
            avoid: None,
        };
        let fresh = self.requests.insert(id, request).is_none();
        assert!(fresh && !self.past_requests.contains(&id), "{id} was given out before");
    }

    pub(super) fn forecast(&self, pool: usize) -> Forecast {
        let limits = self.limits(pool);
        let waiting = self.waiting(|other| self.shares(pool, other)).count();
        let full = waiting >= limits.max_pending_requests.unwrap_or(u32::MAX) as usize;
        let mut usable = self.usable(pool).peekable();
        let line = || self.waiting(|other| other == pool).filter(|id| self.is_in_line(*id));
        if self.draining {
            Forecast::Refused
        } else if self.no_pool_left
            || self.is_uncertain(pool)
            || self.early().any(|(_, c)| c.pool == pool)
            || self.usable(pool).any(|id| self.needs_probe(id))
        {
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
    pub(super) fn blocks(&self, id: RequestId) -> bool {
        let avoids = self.request(id).avoid;
        let avoids = avoids.filter(|avoid| self.connections.contains_key(avoid));
        self.is_in_line(id) && !avoids.is_some_and(|avoid| self.is_usable(avoid))
    }

    pub(super) fn is_in_line(&self, id: RequestId) -> bool {
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
        let one = Limit::Concurrent(1);
        connection.up = Some((protocol, if protocol == Protocol::Http1 { one } else { limit }));
        let (pool, carried) = (connection.pool, connection.carried);
        let most = self.rules[pool].pool.max_requests_per_connection;
        if most.is_some_and(|most| carried >= most.get().into()) {
            self.stop(id, "it has carried all it may");
        }
        self.learn(id);
    }

    /// What this connection grants is expected of the next one as well.
    pub(super) fn learn(&mut self, id: ConnectionId) {
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

    /// The pool is gone, and another one may come in its place.
    pub(crate) fn forget_granted(&mut self, pool: usize) {
        self.rules[pool].granted = None;
    }

    /// Something happened in the pool that lets it think again about connections.
    pub(crate) fn stir(&mut self, pool: usize) {
        self.rules[pool].backs_off = false;
    }

    /// Something happened in the pool that lets it think again about what is ahead of need.
    pub(super) fn moves(&mut self, pool: usize) {
        let rules = &mut self.rules[pool];
        (rules.moved, rules.ahead) = (true, true);
    }

    /// A connection ended: who waits for none makes none.
    pub(crate) fn stands_still(&mut self, pool: usize) {
        self.rules[pool].ahead = false;
    }

    /// Time passed, and one thing after the other was due: what was judged when a request moved
    /// may have changed since.
    pub(crate) fn judged_before(&mut self) {
        for rules in &mut self.rules {
            rules.moved = false;
        }
    }

    /// The call is over; whether all its work is done as well.
    pub(crate) fn over(&mut self, done: bool) {
        for rules in &mut self.rules {
            (rules.moved, rules.ahead) = (false, rules.ahead && !done);
        }
    }

    /// The peer takes no more streams there.
    pub(crate) fn refusing(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        let pool = connection.pool;
        if connection.stopped.is_none() && connection.carried > 0 {
            if self.is_aged(id) {
                // It may have been drained for its age before, which nobody hears of while it
                // is in use.
                self.rules[pool].ahead = true;
            } else {
                self.moves(pool);
            }
        }
        self.stop(id, "its peer refuses");
    }

    /// A connection was not established in time: its failure comes next, and nothing is begun in
    /// its place.
    pub(crate) fn timed_out(&mut self, pool: usize) {
        self.rules[pool].backs_off = true;
    }

    pub(crate) fn limited(&mut self, id: ConnectionId, new: Limit) {
        if let Some((protocol, limit)) = &mut self.connection_mut(id).up {
            *limit = match (*protocol, *limit, new) {
                (Protocol::Http1, old, _) => old,
                (_, Limit::Total(old), Limit::Total(new)) => Limit::Total(old.max(new)),
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
        if mine().any(|(id, c)| c.is_connecting() || c.grants() && !self.is_aged(*id)) {
            return;
        }
        self.doom(pool, if mine().any(|(_, c)| c.grants()) { Doom::Perhaps } else { Doom::Yes });
    }

    /// Whether a connection of the pool is established, may carry streams, and is not known to
    /// take nothing new.
    pub(crate) fn has_granting(&self, pool: usize) -> bool {
        self.connections.values().any(|c| c.pool == pool && c.grants())
    }

    pub(crate) fn doom(&mut self, pool: usize, doom: Doom) {
        for request in self.requests.values_mut() {
            if request.pool == pool
                && matches!(request.place, Place::Waiting)
                && request.doomed != Doom::Yes
            {
                request.doomed = doom;
            }
        }
    }

    /// What a call that was cut short has left undecided is known now.
    pub(crate) fn decide(&mut self, pool: usize, doom: Doom) {
        for request in self.requests.values_mut() {
            if request.pool == pool && request.doomed == Doom::Undecided {
                request.doomed = doom;
            }
        }
    }

    /// Nothing that is established takes anything new.
    pub(crate) fn stop_all(&mut self, pool: usize, why: &'static str) {
        for connection in self.connections.values_mut() {
            if connection.pool == pool && connection.up.is_some() {
                connection.stop(self.now, why);
            }
        }
    }

    /// It takes nothing new any more.
    pub(crate) fn stop(&mut self, id: ConnectionId, why: &'static str) {
        let now = self.now;
        self.connection_mut(id).stop(now, why);
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
        let early = connection.up.is_none();
        let others = connection.streams.len() as u64;
        let stale = connection.carried > others + 1 || !connection.is_open();
        if unsent && !fell && !early {
            self.stop(end.connection, "it did not send what it was given");
        }
        let unsure = self.is_aged(end.connection);
        let request = self.request_mut(id);
        request.unsure |= unsure;
        request.stale = unsent && stale && !fell;
        request.place = Place::Judged(End { early, ..end });
    }

    pub(crate) fn gone(&mut self, id: ConnectionId) {
        let connection = self.connection_mut(id);
        assert!(connection.streams.is_empty(), "the world closes {id} under its streams");
        connection.gone = true;
    }
}
