//! What must hold between two calls.

use std::collections::BTreeMap;

use regatta_core::id::ConnectionId;

use super::invariants as law;
use super::{Books, Doom, Forecast, Place, Request};

impl Books {
    /// Whether the pool has a connection or a waiting request.
    pub(crate) fn is_occupied(&self, pool: usize) -> bool {
        self.waiting(|other| other == pool).next().is_some()
            || self.connections.values().any(|c| c.pool == pool && !c.gone)
    }

    pub(super) fn busy_pools(&self, pool: usize) -> usize {
        let sharing = (0..self.rules.len()).filter(|other| self.shares(pool, *other));
        sharing.filter(|other| self.is_occupied(*other)).count()
    }

    /// Ends a call: every stream that ended has its verdict, and who was not served waits.
    pub(crate) fn close(&mut self) {
        for pool in 0..self.rules.len() {
            let hopes = |id| self.request(id).doomed != Doom::Yes;
            let waits = self.waiting(|other| other == pool).any(hopes) || self.anybody_hopes(pool);
            if self.draining && !waits && self.arriving(pool) == 0 {
                self.stop_all(pool, "the pool drains");
            }
        }
        for (id, request) in &mut self.requests {
            let forecast = core::mem::replace(&mut request.forecast, Forecast::Unknown);
            match request.place {
                Place::Arriving => {
                    request.place = Place::Waiting;
                    let rules = &mut self.rules[request.pool];
                    (rules.moved, rules.ahead) = (true, true);
                    let fits = matches!(forecast, Forecast::Waits | Forecast::Unknown);
                    assert!(fits, "{id} waits, expected was {forecast:?}");
                }
                Place::On(_) => {
                    assert!(!request.cancelled || request.was_reset, "{id} was cancelled in vain");
                }
                Place::Judged(end) => panic!("{id}'s stream ended and nothing was said: {end:?}"),
                _ => {}
            }
        }
        self.tally.held(law::VERDICT);
        let over = |request: &Request| matches!(request.place, Place::Over);
        self.past_requests.extend(self.requests.iter().filter(|(_, r)| over(r)).map(|(id, _)| *id));
        self.requests.retain(|_, request| !over(request));
        let gone = self.connections.iter().filter(|(_, c)| c.gone);
        self.past_connections.extend(gone.map(|(id, _)| *id));
        self.connections.retain(|_, connection| !connection.gone);
        let idle: BTreeMap<_, _> = self.idle().collect();
        for (id, connection) in &mut self.connections {
            connection.rests = idle.get(id).copied();
        }
    }

    /// What was due has been done.
    pub(crate) fn nothing_is_late(&self) {
        for (id, request) in &self.requests {
            let late = request.deadline.is_some_and(|at| at <= self.now);
            assert!(!late || request.was_reset, "{id} lives beyond its deadline");
        }
        for (id, connection) in self.connections.iter().filter(|(_, c)| !c.aborted) {
            if let Some(most) = self.rules[connection.pool].pool.drain_timeout
                && connection.stopped.is_some()
            {
                let late = connection.stopped_at + most <= self.now;
                assert!(!late, "{id} drains for longer than it may");
                self.tally.held(law::DRAIN_TIMEOUT);
            }
            if connection.closing || !connection.streams.is_empty() || connection.up.is_none() {
                continue;
            }
            assert_eq!(connection.stopped, None, "{id} has nothing left to do and stays");
            assert!(!self.is_aged(*id), "{id} is older than it may be and stays");
            let idle = self.rules[connection.pool].pool.idle_timeout;
            let idle = idle.is_some_and(|idle| connection.used + idle <= self.now);
            assert!(!idle || connection.probing, "{id} is idle for longer than it may be");
        }
        self.tally.held(law::IN_TIME);
    }

    /// What must hold between two calls, unless the machine has asked to be called again now.
    pub(crate) fn nobody_is_forgotten(&self, sockets_left: bool) {
        for pool in 0..self.rules.len() {
            if !self.out_of_sight {
                self.enough_is_made(pool, sockets_left);
            }
            self.nobody_misses_the_first_flight(pool);
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
                self.tally.held(law::NOBODY_FORGOTTEN);
            }
        }
    }

    /// Whether the true state of a connection or request cannot be known outside.
    pub(crate) fn is_uncertain(&self, pool: usize) -> bool {
        let mine = self.connections.iter().filter(|(_, c)| c.pool == pool && c.is_open());
        let perhaps = |id| matches!(self.request(id).doomed, Doom::Perhaps | Doom::Undecided);
        mine.map(|(id, _)| *id).any(|id| self.is_aged(id))
            || self.waiting(|other| other == pool).any(perhaps)
    }

    /// A connection that carries many streams came up: what it makes needless is given up.
    pub(crate) fn nothing_is_needless(&self, pool: usize) {
        let mine = self.connections.values().filter(|c| c.pool == pool && c.is_connecting());
        let connecting = mine.count() as i64;
        if connecting > 0 && !self.is_uncertain(pool) {
            let wanted = self.wish_beside(pool, connecting - 1);
            assert!(wanted, "{connecting} connections are being made, one less would do");
            self.tally.held(law::NOTHING_NEEDLESS);
        }
    }

    /// Whether one more connection is wanted: for those who wait, or, where that is judged now,
    /// ahead of need.
    pub(super) fn wish(&self, pool: usize, judged: bool) -> bool {
        let mine = self.connections.values().filter(|c| c.pool == pool && c.is_connecting());
        let connecting = mine.count() as i64;
        self.needs_beside(pool, connecting) || judged && self.wish_beside(pool, connecting)
    }

    /// Whether one more is wanted if so many are connecting, whenever that is judged.
    pub(crate) fn wish_beside(&self, pool: usize, connecting: i64) -> bool {
        self.needs_beside(pool, connecting) || self.is_eager_beside(pool, connecting)
    }

    /// How many streams those are counted for that are connecting.
    fn carried_by(&self, pool: usize, connecting: i64) -> i64 {
        let rules = &self.rules[pool];
        let config = &rules.pool;
        let carries = config.max_requests_per_connection.map_or(u32::MAX, |most| most.get());
        let assumed = match rules.granted {
            _ if rules.http1_alone => 1,
            Some(granted) => granted.min(config.max_concurrent_streams.get()).min(carries).max(1),
            None => {
                config.assumed_streams.get().min(config.max_concurrent_streams.get()).min(carries)
            }
        };
        connecting * i64::from(assumed)
    }

    /// How many wait for a connection.
    fn in_line(&self, pool: usize) -> i64 {
        let in_line = self.waiting(|other| other == pool).filter(|id| self.is_in_line(*id));
        in_line.count() as i64 + self.arriving(pool)
    }

    pub(crate) fn needs_beside(&self, pool: usize, connecting: i64) -> bool {
        let mine = self.connections.iter().filter(|(_, c)| c.pool == pool && !c.gone);
        let probed: i64 = mine.filter(|(_, c)| c.probing).map(|(id, _)| self.room(*id)).sum();
        self.in_line(pool) > self.carried_by(pool, connecting) + probed
    }

    fn is_eager_beside(&self, pool: usize, connecting: i64) -> bool {
        let permille = self.rules[pool].pool.preconnect_permille;
        let permille = i64::from(permille.clamp(1_000, 3_000));
        if permille == 1_000 || self.draining {
            return false;
        }
        let mine = self.connections.iter().filter(|(_, c)| c.pool == pool && c.is_open());
        let room: i64 = mine.map(|(id, _)| self.room(*id)).sum();
        let active = self.active(|other| other == pool) as i64;
        let there = self.carried_by(pool, connecting) + room + active;
        (self.in_line(pool) + active) * permille > there * 1_000
    }

    pub(super) fn arriving(&self, pool: usize) -> i64 {
        let mine = self.requests.values().filter(|r| r.pool == pool);
        mine.filter(|r| matches!(r.place, Place::Arriving)).count() as i64
    }

    /// Whether neither a circuit breaker nor unkind peers stand against one more connection.
    pub(super) fn has_room_for_one_more(&self, pool: usize) -> bool {
        let mine = self.connections.values().filter(|c| c.pool == pool && c.is_open());
        let shut = mine.filter(|c| c.up.is_some_and(|(_, limit)| limit.grants_nothing()));
        let shut = shut.count();
        let all = self.connections.values().filter(|c| !c.gone && self.shares(pool, c.pool));
        let most = self.limits(pool).max_connections.unwrap_or(u32::MAX) as usize;
        shut < 2 && all.count() < most
    }

    /// A wanted connection that nothing stands against has been made.
    pub(super) fn enough_is_made(&self, pool: usize, sockets_left: bool) {
        let mine = || self.connections.values().filter(|c| c.pool == pool && !c.gone);
        let allowed = mine().count() == 0 || self.has_room_for_one_more(pool);
        let free = allowed && sockets_left && !self.rules[pool].backs_off;
        let moved = self.rules[pool].moved;
        let wanted = free && !self.is_uncertain(pool) && self.wish(pool, moved);
        assert!(!wanted, "a connection is wanted, allowed, and not made");
    }

    /// Whether something is under way that can serve who waits, or make room for it.
    pub(super) fn has_hope(&self, pool: usize) -> bool {
        self.in_line.contains(&pool)
            || self.connecting.contains(&pool)
            || self.connections.iter().filter(|(_, c)| c.pool == pool && !c.gone).any(|(id, c)| {
                c.is_connecting()
                    || c.probing
                    || c.stopped.is_some()
                    || self.is_aged(*id)
                    || self.room(*id) <= 0
            })
    }
}
