//! Recounts a pool from its tables.

use core::cmp::Reverse;

use super::tables::{Clock, Connection, Flight, Lull, Place, Request};
use super::{Pool, State, Tables};
use crate::arena::Arena;
use crate::id::{ConnectionId, PoolId};
use crate::limits::Resource;
use crate::list::Chain;
use crate::types::{MethodClass, Protocol};

/// What one pool has taken from its circuit breakers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) connections: u32,
    pub(crate) pending: u32,
    pub(crate) requests: u32,
    pub(crate) retries: u32,
    pub(crate) pools: u32,
    deadlines: usize,
}

impl Used {
    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.pending += other.pending;
        self.requests += other.requests;
        self.retries += other.retries;
        self.pools += other.pools;
        self.deadlines += other.deadlines;
    }
}

impl Pool {
    /// Panics on the first counter, list or index that does not agree with the slots.
    pub(crate) fn check(&self, tables: &Tables) -> Used {
        let connections = &tables.connections;
        self.check_lists(connections);
        assert!(!self.wished, "the race was not told of a wish");
        let mut used = Used::default();
        let (mut open, mut shut, mut room, mut active) = (0, 0, 0, 0);
        let all = self.members(tables);
        for (id, connection) in all {
            assert_eq!(connection.pool, self.id, "{id} is in a list of another pool");
            used.connections += 1;
            self.check_connection(id, connection);
            let streams = connection.streams.check(&tables.requests, "streams");
            active += streams;
            for (request, slot) in connection.streams.iter(&tables.requests) {
                assert_eq!(slot.place, Place::Assigned(id), "{request} is not where it is listed");
                check_request(self.id, slot, &mut used);
            }
            if connection.is_open() {
                open += 1;
                shut += u32::from(connection.is_shut());
                room += connection.room(&self.config);
            }
        }
        assert_eq!(used.connections, self.members, "{}: connections", self.id);
        assert_eq!((open, shut), (self.open, self.shut), "{}: open and shut connections", self.id);
        assert_eq!(room, self.room, "{}: room of open connections", self.id);
        assert_eq!(active, self.active, "{}: requests on connections", self.id);
        used.requests = active;
        used.pending = self.check_queues(tables, &mut used);
        used.pools = u32::from(self.occupied);
        let occupied = used.connections > 0 || used.pending > 0;
        assert_eq!(self.occupied, occupied, "{}: whether it is occupied", self.id);
        self.check_early(tables);
        self.check_clocks(tables);
        self.check_rest(tables);
        used
    }

    /// Every connection of the pool.
    pub(crate) fn members<'a>(
        &self,
        tables: &'a Tables,
    ) -> impl Iterator<Item = (ConnectionId, &'a Connection)> + use<'a> {
        let arena = &tables.connections;
        let ready = self.ready.into_iter().flat_map(|list| list.iter(arena));
        self.connecting.iter(arena).chain(ready).chain(self.held.iter(arena))
    }

    fn check_lists(&self, arena: &Arena<ConnectionId, Connection>) {
        self.connecting.check(arena, "connecting");
        for list in &self.ready {
            list.check(arena, "ready");
        }
        self.held.check(arena, "held");
        for (_, connection) in self.connecting.iter(arena) {
            let state = connection.state;
            assert!(connection.is_connecting(), "{state:?} among the connecting");
        }
        for (shelf, list) in self.ready.iter().enumerate() {
            for (id, connection) in list.iter(arena) {
                assert_eq!(connection.state, State::Ready, "{id}");
                assert_eq!(usize::from(connection.shelf), shelf, "{id} is on another shelf");
                assert_eq!(
                    usize::from(connection.best_shelf()),
                    shelf,
                    "{id} is on the wrong shelf"
                );
                assert!(connection.room(&self.config) > 0, "{id} is ready without room");
            }
            let idle = list.iter(arena).filter(|(_, slot)| slot.streams.is_empty());
            let probed = idle.filter(|(_, slot)| slot.protocol == Protocol::Http2);
            let heard: Vec<_> = probed.map(|(_, slot)| Reverse(slot.alive)).collect();
            assert!(heard.is_sorted(), "the one heard of last is not the first to be taken");
        }
        for (id, connection) in self.held.iter(arena) {
            let held = matches!(connection.state, State::Busy | State::Draining);
            assert!(held, "{id} is {:?} among the busy and draining", connection.state);
        }
    }

    fn check_connection(&self, id: ConnectionId, connection: &Connection) {
        let probing = self.probing == Some(id);
        assert_eq!(probing, connection.probing, "{id}: whether it is probed");
        let empty = connection.streams.is_empty();
        match connection.state {
            State::Connecting => assert!(empty, "{id} has streams and is not established"),
            State::Busy if !probing => {
                assert!(connection.room(&self.config) <= 0, "{id} is busy and has room");
            }
            State::Draining if empty => assert!(connection.closing, "{id} drains for ever"),
            _ => {}
        }
        let most = self.config.max_requests_per_connection;
        let most = most.map_or(u64::MAX, |most| u64::from(most.get()));
        assert!(connection.total <= most, "{id} carried more than {most} streams");
        let expected = match connection.state {
            State::Ready | State::Busy if probing => Some(Clock::Connect),
            State::Ready | State::Busy if empty => self.config.idle_timeout.map(|_| Clock::Idle),
            State::Ready | State::Busy => None,
            // These may have fired already.
            _ => connection.clock,
        };
        assert_eq!(connection.clock, expected, "{id}: which clock runs");
        let aging = connection.is_open() && self.config.max_connection_duration.is_some();
        assert_eq!(connection.aging, aging, "{id}: whether its age is watched");
    }

    /// Who takes early data, and who went so.
    fn check_early(&self, tables: &Tables) {
        let early = self.members(tables).filter(|(_, slot)| slot.state == State::EarlyData);
        let (mut many, mut hoping) = (0, 0);
        for (id, slot) in early {
            many += 1;
            hoping += slot.streams.len();
            for (request, stream) in slot.streams.iter(&tables.requests) {
                assert_eq!(stream.flight, Flight::Early, "{request} is on {id}");
                assert_eq!(stream.method, MethodClass::Early, "{request} is on {id}");
            }
        }
        for (id, slot) in self.members(tables).filter(|(_, slot)| slot.mute) {
            assert!(!slot.is_open(), "{id} is mute and takes more");
            for (_, stream) in slot.streams.iter(&tables.requests) {
                hoping += u32::from(stream.lull == Lull::Hoping);
            }
        }
        assert_eq!((many, hoping), (self.early, self.hoping), "{}: who hopes", self.id);
    }

    fn check_queues(&self, tables: &Tables, used: &mut Used) -> u32 {
        let waiting = self.waiting.check(&tables.requests, "waiting");
        let failing = self.failing.check(&tables.requests, "failing");
        for (list, fails) in [(&self.waiting, false), (&self.failing, true)] {
            for (request, slot) in list.iter(&tables.requests) {
                let waits = matches!(slot.place, Place::Waiting { batch }
                    if (batch != self.batch) == fails);
                assert!(waits, "{request} is in the wrong queue: {:?}", slot.place);
                check_request(self.id, slot, used);
            }
        }
        assert!(failing == 0 || self.unfinished, "{}: failed and never told", self.id);
        waiting + failing
    }

    fn check_clocks(&self, tables: &Tables) {
        let arena = &tables.connections;
        for clock in Clock::ALL {
            let list = self.clocks.of(clock);
            let listed = check_order(list, arena, "clock", |connection| {
                assert_eq!(connection.clock, Some(clock), "listed under another clock");
                connection.since
            });
            let under = self.members(tables).filter(|(_, slot)| slot.clock == Some(clock)).count();
            assert_eq!(listed as usize, under, "how many connections stand under {clock:?}");
            if let (Some(duration), Some((_, first))) =
                (self.duration(clock), list.iter(arena).next())
            {
                assert!(self.wake <= first.since + duration, "{clock:?} would fire late");
            }
        }
        let listed = check_order(&self.ages, arena, "age", |connection| {
            connection.connected.unwrap_or(connection.made)
        });
        let aging = self.members(tables).filter(|(_, slot)| slot.aging).count();
        assert_eq!(listed as usize, aging, "{}: how many ages are watched", self.id);
    }

    /// Nobody waits beside room that it may have, nor for nothing.
    fn check_rest(&self, tables: &Tables) {
        if self.unfinished {
            return;
        }
        for (request, slot) in self.waiting.iter(&tables.requests) {
            let wakes = self.connections() > 0 || self.wants_turn;
            assert!(wakes, "{request} waits and nothing will wake it");
            let hope = !self.connecting.is_empty() || self.probing.is_some() || self.wants_turn;
            let free = self.ready.iter().flat_map(|list| list.iter(&tables.connections));
            for (id, connection) in free {
                let avoided = slot.avoid == Some(id) && hope;
                let asked = self.probing.is_some() && connection.streams.is_empty();
                assert!(avoided || asked, "{request} waits beside {id}, which has room");
            }
        }
    }
}

fn check_order<L: crate::list::Linked<Connection>>(
    list: &Chain<L>,
    arena: &Arena<ConnectionId, Connection>,
    what: &str,
    at: impl Fn(&Connection) -> crate::time::Instant,
) -> u32 {
    let count = list.check(arena, what);
    let times: Vec<_> = list.iter(arena).map(|(_, connection)| at(connection)).collect();
    assert!(times.is_sorted(), "{what}: the earliest is not first");
    count
}

fn check_request(pool: PoolId, slot: &Request, used: &mut Used) {
    assert_eq!(slot.pool, pool, "a request is in a list of another pool");
    used.retries += u32::from(slot.holds_retry);
    used.deadlines += usize::from(slot.has_deadline);
}

impl Tables {
    /// Panics unless what all pools share is exactly what they use.
    pub(crate) fn check<'a>(&self, pools: impl Iterator<Item = &'a Pool>) {
        self.deadlines.check();
        let mut used = vec![Used::default(); self.limits.len()];
        for pool in pools {
            let part = pool.check(self);
            if let Some(used) = used.get_mut(pool.breaker as usize) {
                used.add(part);
            }
        }
        let mut whole = Used::default();
        for (limits, used) in self.limits.iter().zip(&used) {
            whole.add(*used);
            let counted = [used.connections, used.pending, used.requests, used.retries, used.pools];
            for (what, counted) in Resource::ALL.into_iter().zip(counted) {
                assert_eq!(limits.used(what), counted, "circuit breaker of {what:?}");
            }
        }
        assert_eq!(self.connections.len(), whole.connections as usize, "connections outside pools");
        let connecting = self.connections.iter().filter(|(_, c)| c.is_connecting());
        assert_eq!(self.handshakes.under_way as usize, connecting.count(), "handshakes");
        assert!(!self.handshakes.called, "a pool was called and is not heard of");
        let leaving = self.connections.iter().filter(|(_, slot)| slot.closing).count();
        assert_eq!(self.leaving as usize, leaving, "connections that were told to close");
        self.check_resting();
        let requests = (whole.pending + whole.requests) as usize;
        assert_eq!(self.requests.len(), requests, "requests outside pools");
        assert_eq!(self.deadlines.len(), whole.deadlines, "deadlines");
    }

    /// Every idle connection can be found, the longest idle first.
    fn check_resting(&self) {
        self.resting.check(&self.connections, "connections that were idle");
        for (id, _) in self.connections.iter().filter(|(_, slot)| slot.is_idle()) {
            let listed = self.resting.holds(&self.connections, id.slot());
            assert!(listed, "{id} is idle and would not be found");
        }
        let idle = self.resting.iter(&self.connections).filter(|(_, slot)| slot.is_idle());
        // The clock of the others runs on while their peer grants nothing for a time.
        let told = idle.filter(|(_, slot)| slot.protocol == Protocol::Http1);
        let timed = told.filter(|(_, slot)| slot.clock == Some(Clock::Idle));
        assert!(timed.map(|(_, slot)| slot.since).is_sorted(), "the longest idle is not first");
    }
}
