//! The one object that a runtime drives: every cluster's pools, races, hosts and limits.
//!
//! It finds the machine that an event belongs to, lets it decide, and settles: what that machine
//! wants becomes an outer action or an event for another. It decides itself only which pool a
//! key has, when a name is looked up again, and who gets the last sockets.
//!
//! ```text
//! request(key) -> OriginTable -> pool --Assign, Refuse, Finished, ..--------------> actions
//!                                 | Connect          ^ Connected, ConnectFailed
//!                                 v                  |
//!                  host --addresses--> eyeballs --Connect, AbortAttempt----------> actions
//! ```
//!
//! Where QUIC and TCP race for a pool, `grid` stands between the pool and eyeballs: the pool wants
//! a connection, the race between the transports says which, and what its legs teach goes to the
//! ledger of alternatives.
//!
//! - Where nothing over QUIC is known, `services` asks for the origin's HTTPS records first.
//! - A host is resolved once for all its pools and used for `address_lifetime`, or until a race
//!   over all its addresses is lost; late answers join every race under way (HE3-14).
//! - No more than `max_handshakes` connections are established at once: pools stand in line, and
//!   whoever is called begins one and stands behind the others if it needs more.
//! - `max_sockets` has no exception: a connection counts for one socket from its first moment
//!   until it is closed, each further attempt beside the first for one more. Who finds none waits,
//!   pools in the line of those that wait for their turn. For each that waits the connection that
//!   has been idle for the longest is closed, whose pool it may be.
//! - At `max_pools` the pool that is empty for the longest goes; none empty, none made.
//! - One call ends or assigns at most `burst` requests; then `poll_timeout` is due at once.

mod check;
mod close;
mod cluster;
mod config;
mod course;
mod early;
mod event;
mod grid;
mod host;
mod news;
mod outgoing;
mod race;
mod recent;
mod services;
mod settle;
#[cfg(test)]
mod tests;
mod turns;
mod view;

use std::collections::VecDeque;

pub use config::{Cluster, Config, NoWay, Profile, Protocols};
pub use event::{Action, Event};
pub use race::AttemptLine;
pub use view::{ConnectionTimeline, ConnectionView, PoolView, RequestTimeline};

use cluster::{Empties, Member, Settings, Turns};
use grid::Grid;
use host::Hosts;
use outgoing::Outgoing;
use race::{Attempt, Race};
use recent::Recent;
use settle::{Prize, Won};

use crate::altsvc::{self, Heard, Ledger};
use crate::arena::Arena;
use crate::eyeballs;
use crate::id::{AttemptId, ConnectionId, PoolId, RequestId};
use crate::list::List;
use crate::machine::{Machine, Outbox};
use crate::origins::OriginTable;
use crate::pool::{self, Handshakes, Place, Pool, State, Tables};
use crate::record::{Kind, Record, Rule};
use crate::time::{Duration, Instant};
use crate::timers::Timers;
use crate::types::{Cause, Key, Limit, MethodClass, Protocol, Refusal};

/// The one object that a runtime drives.
#[derive(Clone, Debug)]
pub struct Upstream {
    settings: Vec<Settings>,
    profiles: Vec<Profile>,
    max_pools: usize,
    /// Most addresses that a host keeps: enough for the most generous cluster, both families.
    max_addresses: usize,
    pool_idle_timeout: Duration,
    address_lifetime: Duration,
    draining: bool,
    /// The deadline of [`Event::Close`] has passed and every connection was told.
    cut_off: bool,
    tables: Tables,
    origins: OriginTable<PoolId>,
    pools: Arena<PoolId, Member>,
    empties: List<Empties>,
    hosts: Hosts,
    /// What else serves each origin.
    ledger: Ledger,
    /// By connection slot.
    races: Vec<Option<Box<Race>>>,
    attempts: Arena<AttemptId, Attempt>,
    /// Pools that wait for their turn to begin a connection.
    turns: List<Turns>,
    /// Attempts that wait for a socket.
    parked: VecDeque<AttemptId>,
    pool_timers: Timers,
    grid_timers: Timers,
    race_timers: Timers,
    /// Pools whose work the budget cut off.
    unfinished: VecDeque<PoolId>,
    inner: Outbox<pool::Action>,
    eyes: Outbox<eyeballs::Action>,
    legs: Outbox<crate::race::Action>,
    /// The pool that decides would make a connection, and its race is to be asked.
    wants: bool,
    out: Outgoing,
    last: Option<RequestId>,
    /// The pool that was asked for last, alive or not.
    last_pool: PoolId,
    recent: Recent,
}

impl Upstream {
    /// Builds it from its settings.
    pub fn new(config: Config) -> Self {
        let limits = cluster::limits(&config.clusters);
        let most = config.clusters.iter().map(|cluster| cluster.eyeballs.max_addresses).max();
        Self {
            settings: config.clusters.iter().map(Settings::new).collect(),
            profiles: config.profiles,
            max_pools: config.max_pools as usize,
            max_addresses: most.unwrap_or(0).max(1) as usize * 2,
            pool_idle_timeout: config.pool_idle_timeout,
            address_lifetime: config.address_lifetime,
            draining: false,
            cut_off: false,
            tables: Tables::new(
                limits,
                config.max_sockets,
                Handshakes::new(config.max_handshakes),
                config.burst.get(),
                config.records,
            ),
            origins: OriginTable::new(config.seed),
            pools: Arena::new(),
            empties: List::default(),
            hosts: Hosts::new(config.seed),
            ledger: Ledger::new(altsvc::Config { seed: config.seed, ..config.alternatives }),
            races: Vec::new(),
            attempts: Arena::new(),
            turns: List::default(),
            parked: VecDeque::new(),
            pool_timers: Timers::new(),
            grid_timers: Timers::new(),
            race_timers: Timers::new(),
            unfinished: VecDeque::new(),
            inner: Outbox::new(),
            eyes: Outbox::new(),
            legs: Outbox::new(),
            wants: false,
            out: Outgoing::default(),
            last: None,
            last_pool: PoolId::new(u32::MAX, u32::MAX),
            recent: Recent::default(),
        }
    }

    /// Asks for a stream to `key`'s origin and returns the request's id. What follows is
    /// `Assign` or `Refuse`, possibly at once.
    pub fn request(
        &mut self,
        now: Instant,
        key: &Key,
        method: MethodClass,
        deadline: Option<Instant>,
    ) -> RequestId {
        self.tables.begin(now);
        let pool = match self.is_pool_of(self.last_pool, key) {
            true => self.last_pool,
            false => match self.pool_for(key) {
                Ok(pool) => {
                    self.last_pool = pool;
                    pool
                }
                Err(reason) => {
                    let request = self.refuse_at_once(method, reason);
                    self.last = Some(request);
                    return request;
                }
            },
        };
        let request = self.act(pool, |turn| turn.on_requested(method, deadline));
        let request = request.unwrap_or(RequestId::new(u32::MAX, u32::MAX));
        self.last = Some(request);
        if self.pools.get(pool).is_some_and(|member| member.races) {
            self.note_served(pool, request);
        }
        request
    }

    /// The id that the newest request or [`Event::Requested`] minted.
    pub const fn last_request(&self) -> Option<RequestId> {
        self.last
    }

    /// Takes in one event.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        if let Event::Requested { key, method, deadline } = event {
            self.request(now, &key, method, deadline);
            return;
        }
        self.tables.begin(now);
        // Turns that the last call's burst left are given where the rest is done, and so is room.
        let (turns_are_left, room_is_left) = (self.tables.turn_is_due(), self.room_is_due());
        match event {
            Event::Requested { .. } => {}
            Event::StreamEnded { connection, request, outcome, retry, body, timing: _ } => {
                match self.pool_of(request) {
                    Some(pool) => {
                        self.note_silence(connection, request, (outcome, retry));
                        self.act(pool, |turn| {
                            turn.on_stream_ended(connection, request, outcome, retry, body);
                        });
                    }
                    None => self.stale(request),
                }
            }
            Event::Cancelled(request) => self.on_request(request, pool::Event::Cancelled(request)),
            Event::Resolved { host, addresses } => self.on_resolved(host, &addresses),
            Event::ResolveFinished { host, failed } => self.on_resolve_finished(host, failed),
            Event::ServicesResolved { pool, records, ttl } => {
                self.on_services(pool, records, ttl);
            }
            Event::AttemptProgress(attempt) => self.on_progress(attempt),
            Event::Connected { attempt, protocol, limit } => {
                self.on_connected(attempt, protocol, limit);
            }
            Event::EarlyData { attempt, limit } => self.on_early_data(attempt, limit),
            Event::Confirmed { connection, limit } => self.on_confirmed(connection, limit),
            Event::AttemptFailed { attempt, cause } => self.on_attempt_failed(attempt, cause),
            Event::Limit { connection, limit } => {
                self.on_connection(connection, pool::Event::Limit { connection, limit });
            }
            Event::Refusing(connection) => {
                self.on_connection(connection, pool::Event::Refusing(connection));
            }
            Event::Probed(connection) => {
                self.on_connection(connection, pool::Event::Probed(connection));
            }
            Event::Mute(connection) => self.on_mute(connection),
            Event::Closed { connection, cause } => self.on_closed(connection, cause),
            Event::BudgetSpent(connection) => {
                self.tables.note(Kind::BudgetSpent, Rule::None, connection);
            }
            Event::Learnt { origin, said, source, age } => {
                self.on_learnt(&origin, &said, Heard { source, age });
            }
            Event::Restored { unix, text } => self.on_restored(unix, &text),
            Event::Misdirected(connection) => self.on_misdirected(connection),
            Event::NetworkChanged => self.on_network_changed(),
            Event::Drain => self.on_drain(),
            Event::Close { at } => self.on_close(at),
        }
        if !self.parked.is_empty() {
            self.unpark();
        }
        if !turns_are_left {
            self.give_turns();
        }
        if !room_is_left {
            self.make_room();
        }
    }

    /// Does what is due. Calling it early, late or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tables.begin(now);
        for _ in 0..self.unfinished.len() {
            if self.tables.budget == 0 {
                break;
            }
            let Some(pool) = self.unfinished.pop_front() else { break };
            if let Some(member) = self.pools.get_mut(pool) {
                member.in_line = false;
            }
            self.turn(pool, |turn| turn.resume());
            self.settle(pool);
        }
        while let Some(slot) = self.race_timers.pop_due(now) {
            self.on_race_timeout(slot);
        }
        while let Some(slot) = self.grid_timers.pop_due(now) {
            self.on_grid_timeout(slot);
        }
        while let Some(slot) = self.pool_timers.pop_due(now) {
            if let Some(pool) = self.pools.id_at(slot) {
                if let Some(member) = self.pools.get_mut(pool) {
                    member.armed = Instant::MAX;
                }
                self.turn(pool, |turn| turn.handle_timeout());
                self.settle(pool);
            }
        }
        while self.tables.budget > 0
            && let Some(slot) = self.tables.deadlines.pop_due(now)
        {
            if let Some(request) = self.tables.requests.id_at(slot)
                && let Some(pool) = self.pool_of(request)
            {
                self.turn(pool, |turn| turn.on_deadline(request));
                self.settle(pool);
            }
        }
        self.cut_off();
        while let Some(at) = self.next_empty()
            && at <= now
        {
            self.evict();
        }
        self.unpark();
        self.give_turns();
        self.make_room();
    }

    /// When [`Upstream::handle_timeout`] wants to be called next: at once when the last call's
    /// burst left work. May be early, is never late.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.unfinished.is_empty() || self.tables.turn_is_due() || self.room_is_due() {
            return Some(self.tables.now);
        }
        let timers =
            [&self.pool_timers, &self.grid_timers, &self.race_timers, &self.tables.deadlines];
        let mut first = self.next_empty().into_iter().chain(self.cut_off_at()).min();
        for (at, _) in timers.into_iter().filter_map(Timers::peek) {
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        first
    }

    /// The oldest action that was not taken yet.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop()
    }

    /// The oldest record that was neither taken nor lost.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.tables.recorder.poll_record()
    }

    /// What else serves each origin, as far as it is known.
    pub const fn alternatives(&self) -> &Ledger {
        &self.ledger
    }

    /// How often something happened.
    pub fn count(&self, kind: Kind) -> u64 {
        self.tables.recorder.count(kind)
    }

    /// How many records were lost because nobody took them.
    pub const fn lost_records(&self) -> u64 {
        self.tables.recorder.lost()
    }

    /// Requests for one origin come in rows: every hash is spared where the last pool fits.
    #[inline]
    fn is_pool_of(&self, pool: PoolId, key: &Key) -> bool {
        !self.draining && self.pools.get(pool).is_some_and(|member| member.is_of(key))
    }

    /// The pool of a key, made if there is none.
    #[inline(never)]
    fn pool_for(&mut self, key: &Key) -> Result<PoolId, Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        let mark = recent::mark(key);
        if let Some(pool) = self.recent.find(mark)
            && self.is_pool_of(pool, key)
        {
            return Ok(pool);
        }
        let hash = self.origins.hash_key(key);
        let is = |id| self.pools.get(id).is_some_and(|member: &Member| member.is_of(key));
        if let Some(pool) = self.origins.find(hash, is) {
            self.recent.put(mark, pool);
            return Ok(pool);
        }
        self.make_pool(key, hash)
    }

    /// Makes the pool of a key, which has none.
    fn make_pool(&mut self, key: &Key, hash: u64) -> Result<PoolId, Refusal> {
        let settings = self.settings.get(key.cluster.slot());
        let settings = settings.filter(|_| key.cluster.generation() == 0);
        let profile = self.profiles.get(usize::from(key.profile.0));
        let Some((settings, profile)) = settings.zip(profile) else {
            return Err(Refusal::UnknownKey);
        };
        let http1_alone = cluster::is_http1_alone(profile.protocols, key.origin.scheme);
        let races = profile.races(key.origin.scheme);
        let grid = races.then(|| Box::new(Grid::new(&settings.race, profile.https_records)));
        let config = std::sync::Arc::clone(&settings.pool);
        let name = std::sync::Arc::clone(&profile.via.as_ref().unwrap_or(&key.origin).host);
        if self.pools.len() >= self.max_pools && !self.evict() {
            return Err(Refusal::PoolOverflow);
        }
        let host = self.hosts.take(&name);
        let breaker = u32::try_from(cluster::breaker(key)).unwrap_or(u32::MAX);
        let pool = self.pools.insert_with(|id| {
            Member::new(Pool::new(id, config, breaker, http1_alone), key.clone(), host, grid)
        });
        self.origins.insert(hash, pool);
        self.tables.note(Kind::PoolMade, Rule::None, pool);
        Ok(pool)
    }

    /// Mints a request that no pool takes.
    fn refuse_at_once(&mut self, method: MethodClass, reason: Refusal) -> RequestId {
        let nowhere = PoolId::new(u32::MAX, u32::MAX);
        let request = pool::Request::new(nowhere, method, self.tables.now);
        let request = self.tables.requests.insert(request);
        self.tables.requests.remove(request);
        self.tables.note(Kind::Requested, Rule::None, request);
        if reason == Refusal::PoolOverflow {
            self.tables.note(Kind::PoolOverflow, Rule::None, request);
        }
        self.out.push(Action::Refuse { request, reason, failed: None });
        request
    }

    /// Drops the pool that has been empty for the longest. Whether there was one.
    fn evict(&mut self) -> bool {
        let Some(id) = self.empties.first_id(&self.pools) else { return false };
        self.empties.remove(&mut self.pools, id.slot());
        self.pool_timers.set(id.slot(), None);
        self.grid_timers.set(id.slot(), None);
        if let Some(member) = self.pools.remove(id) {
            self.origins.remove(self.origins.hash_key(&member.key), id);
            self.hosts.give(member.host);
        }
        self.tables.note(Kind::PoolDropped, Rule::None, id);
        true
    }

    fn next_empty(&self) -> Option<Instant> {
        let first = self.pools.at(self.empties.first()?)?;
        first.is_empty.then(|| first.since + self.pool_idle_timeout)
    }

    fn on_request(&mut self, request: RequestId, event: pool::Event) {
        match self.pool_of(request) {
            Some(pool) => self.on_pool(pool, event),
            None => self.stale(request),
        }
    }

    fn on_connection(&mut self, connection: ConnectionId, event: pool::Event) {
        match self.tables.connections.get(connection).map(|slot| slot.pool) {
            Some(pool) => self.on_pool(pool, event),
            None => self.stale(connection),
        }
    }

    fn on_pool(&mut self, pool: PoolId, event: pool::Event) {
        self.turn(pool, |turn| turn.handle_event(event));
        self.settle(pool);
    }

    fn stale(&mut self, id: impl crate::id::Id) {
        self.tables.note(Kind::Stale, Rule::None, id);
    }

    fn on_closed(&mut self, connection: ConnectionId, cause: Cause) {
        let established = self.tables.connections.get(connection);
        if established.is_some_and(|slot| slot.state == State::EarlyData) {
            return self.on_early_closed(connection, cause);
        }
        if established.is_some_and(|slot| slot.state != State::Connecting) {
            self.on_leg_closed(connection, false);
            let held = self.forget_race(connection);
            self.let_go(held);
        }
        self.on_connection(connection, pool::Event::Closed { connection, cause });
    }

    /// Tells a race something and settles its pool.
    fn on_race(&mut self, connection: ConnectionId, event: eyeballs::Event, won: Won) {
        let Some(pool) = self.race(connection).map(|race| race.pool) else { return };
        self.tell_race(connection, event, won);
        self.settle(pool);
    }

    fn on_progress(&mut self, attempt: AttemptId) {
        // One that waits for a socket was never told to the driver.
        let Some(&Attempt { connection, number, parked: false }) = self.attempts.get(attempt)
        else {
            return self.stale(attempt);
        };
        let now = self.tables.now;
        if let Some(race) = self.race(connection)
            && let Some(line) = race.lines.get_mut(number as usize)
        {
            line.progress.get_or_insert(now);
        }
        self.on_race(connection, eyeballs::Event::Progress(number), None);
    }

    fn on_connected(&mut self, attempt: AttemptId, protocol: Protocol, limit: Limit) {
        match self.attempts.get(attempt) {
            Some(&Attempt { connection, number, parked: false }) => {
                let won = Some(Prize::Established(protocol, limit));
                self.on_race(connection, eyeballs::Event::Connected(number), won);
            }
            _ => self.stale(attempt),
        }
    }

    fn on_attempt_failed(&mut self, attempt: AttemptId, cause: Cause) {
        let now = self.tables.now;
        match self.attempts.get(attempt) {
            Some(&Attempt { connection, number, parked: false }) => {
                self.tables.note_both(Kind::AttemptFailed, Rule::None, attempt, connection);
                self.retire_attempt(attempt);
                if let Some(race) = self.race(connection) {
                    race.end(number, now, Some(cause));
                }
                let event = eyeballs::Event::Failed { attempt: number, cause };
                self.on_race(connection, event, None);
            }
            _ => self.stale(attempt),
        }
    }

    fn on_race_timeout(&mut self, slot: usize) {
        let now = self.tables.now;
        let race = self.races.get_mut(slot).and_then(Option::as_deref_mut);
        let Some(race) = race else { return };
        let (connection, pool) = (race.connection, race.pool);
        if let Some(eyeballs) = &mut race.eyeballs {
            eyeballs.handle_timeout(now, &mut self.eyes);
            self.settle_race(connection, None);
            self.settle(pool);
        }
    }

    fn on_drain(&mut self) {
        self.draining = true;
        for pool in self.pool_ids() {
            self.on_pool(pool, pool::Event::Drain);
        }
    }

    fn pool_ids(&self) -> Vec<PoolId> {
        self.pools.iter().map(|(_, member)| member.id()).collect()
    }
}

/// The same by the contract of every machine: the actions go to the given outbox.
impl Machine for Upstream {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        Self::handle_event(self, now, event);
        while let Some(action) = self.poll_action() {
            out.push(action);
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        Self::handle_timeout(self, now);
        while let Some(action) = self.poll_action() {
            out.push(action);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn check(&self) {
        Self::check(self);
    }
}
