//! Settling: what the inner machines want becomes outer actions, or events for each other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Upstream;
use super::course::Course;
use super::event::Action;
use super::grid::Runner;
use super::host::Found;
use super::outgoing::Outgoing;
use super::race::{Attempt, AttemptLine, Race};
use crate::eyeballs;
use crate::id::{AttemptId, ConnectionId, HostId, PoolId, RequestId};
use crate::machine::{Machine, Outbox};
use crate::pool;
use crate::race::LegId;
use crate::record::{Kind, Rule};
use crate::types::{AllFailed, Cause, Limit, Protocol};

/// What a race has won, while it is told of its success.
pub(super) type Won = Option<Prize>;

/// What the winner is from now on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Prize {
    /// An established connection.
    Established(Protocol, Limit),
    /// One that takes early data, and whose handshake goes on.
    EarlyData(Limit),
}

impl Upstream {
    /// Lets one pool decide and brings it to rest.
    #[inline(always)]
    pub(super) fn act<R>(
        &mut self,
        pool: PoolId,
        decide: impl FnOnce(&mut pool::Turn<'_, Sorter<'_>>) -> R,
    ) -> Option<R> {
        let member = self.pools.get_mut(pool)?;
        let decided = decide(&mut pool::Turn {
            id: pool,
            now: self.tables.now,
            pool: &mut member.pool,
            tables: &mut self.tables,
            out: Sorter { inner: &mut self.inner, out: &mut self.out, wants: &mut self.wants },
        });
        if !member.is_at_rest() || !self.inner.is_empty() || self.wants {
            self.settle(pool);
            self.make_room();
        }
        Some(decided)
    }

    /// Does what a pool wants of the races, and brings the pool to rest.
    #[inline(never)]
    pub(super) fn settle(&mut self, pool: PoolId) {
        loop {
            if !self.inner.is_empty() {
                self.settle_races(pool);
            }
            if core::mem::take(&mut self.wants) {
                self.on_want(pool);
            } else if !self.note_demand(pool) {
                break;
            }
        }
        self.rest(pool);
    }

    fn settle_races(&mut self, pool: PoolId) {
        let mut dropped = VecDeque::new();
        loop {
            while let Some(action) = self.inner.pop() {
                match action {
                    pool::Action::Connect(connection) => self.start_race(pool, connection, None),
                    pool::Action::ConnectTimedOut(connection) => self.time_race_out(connection),
                    pool::Action::AbortConnect(connection) => {
                        dropped.extend(self.abort_race(connection));
                    }
                    // The others went out at once.
                    _ => {}
                }
            }
            // Each may have another leg begun, in the slot of one that was given up as well.
            let Some((pool, leg, held)) = dropped.pop_front() else { break };
            self.on_leg_dropped(pool, leg);
            self.let_go(held);
        }
    }

    /// Re-arms a pool's deadline and notes whether it is empty or unfinished.
    fn rest(&mut self, id: PoolId) {
        let now = self.tables.now;
        let Some(member) = self.pools.get_mut(id) else { return };
        if member.pool.wake < member.armed {
            member.armed = member.pool.wake;
            self.pool_timers.set(id.slot(), Some(member.armed));
        }
        if member.pool.unfinished && !member.in_line {
            member.in_line = true;
            self.unfinished.push_back(id);
        }
        if member.pool.wants_turn != member.awaits_turn {
            self.queue_for_turn(id);
        }
        let Some(member) = self.pools.get_mut(id) else { return };
        match (member.pool.occupied, member.is_empty) {
            (true, true) => {
                member.is_empty = false;
                self.empties.remove(&mut self.pools, id.slot());
            }
            (false, false) => {
                member.is_empty = true;
                member.since = now;
                self.empties.push_back(&mut self.pools, id.slot());
            }
            _ => {}
        }
    }

    /// Establishes a connection: the pool's own, or one that a leg of its race is.
    pub(super) fn start_race(
        &mut self,
        pool: PoolId,
        connection: ConnectionId,
        runner: Option<Runner>,
    ) {
        let now = self.tables.now;
        let Some(course) = self.course(pool, runner.as_ref()) else { return };
        let gated = self.is_behind_gate(pool, runner.as_ref().map(|runner| runner.leg));
        let Course { host: host_id, own_host, transport, mut eyeballs, fixed } = course;
        let Some(host) = self.hosts.get_mut(host_id) else { return };
        host.racing.push(connection);
        let mut resolved = None;
        let mut resolving = None;
        let found = match fixed {
            Some(fixed) => Found::All(fixed),
            None => self.find_addresses(host_id),
        };
        match found {
            Found::Nothing => resolving = Some(now),
            Found::SoFar(addresses, since) => {
                resolving = Some(now);
                resolved = (!addresses.is_empty()).then_some(now);
                if !gated {
                    let event = eyeballs::Event::Known { addresses, since };
                    eyeballs.handle_event(now, event, &mut self.eyes);
                }
            }
            Found::All(_) if gated => {}
            Found::All(addresses) => {
                let event = eyeballs::Event::Resolved(addresses);
                eyeballs.handle_event(now, event, &mut self.eyes);
                let event = eyeballs::Event::ResolveFinished { failed: None };
                eyeballs.handle_event(now, event, &mut self.eyes);
            }
        }
        if self.races.len() <= connection.slot() {
            self.races.resize_with(connection.slot() + 1, || None);
        }
        if let Some(slot) = self.races.get_mut(connection.slot()) {
            *slot = Some(Box::new(Race {
                connection,
                pool,
                host: host_id,
                own_host,
                runner,
                gated,
                transport,
                early: None,
                eyeballs: Some(eyeballs),
                lines: Vec::new(),
                running: 0,
                resolving,
                resolved,
            }));
        }
        self.settle_race(connection, None);
        self.note_families(connection);
        if gated {
            self.tables.note(Kind::HeldBack, Rule::None, connection);
        }
        if gated && self.hosts.get(host_id).is_some_and(|host| !host.addresses.is_empty()) {
            self.note_addresses(connection);
        }
    }

    /// What is known of a host's addresses; where nothing is, the resolver is asked.
    pub(super) fn find_addresses(&mut self, id: HostId) -> Found {
        let now = self.tables.now;
        let Some(host) = self.hosts.get_mut(id) else { return Found::SoFar(Vec::new(), now) };
        let found = host.find(now);
        if found == Found::Nothing {
            let name = Arc::clone(&host.name);
            self.out.push(Action::Resolve { host: id, name });
            self.tables.note(Kind::Resolving, Rule::None, id);
        }
        found
    }

    /// The race behind a connection.
    pub(super) fn race(&mut self, connection: ConnectionId) -> Option<&mut Race> {
        let race = self.races.get_mut(connection.slot())?.as_deref_mut()?;
        (race.connection == connection).then_some(race)
    }

    /// Tells a race something and carries out what follows. The pool is not settled yet.
    pub(super) fn tell_race(&mut self, connection: ConnectionId, event: eyeballs::Event, won: Won) {
        let now = self.tables.now;
        let race = self.races.get_mut(connection.slot()).and_then(Option::as_deref_mut);
        if let Some(race) = race.filter(|race| race.connection == connection)
            && let Some(eyeballs) = &mut race.eyeballs
        {
            eyeballs.handle_event(now, event, &mut self.eyes);
            self.settle_race(connection, won);
        }
    }

    /// Empties a race's outbox and re-arms its deadline.
    pub(super) fn settle_race(&mut self, connection: ConnectionId, won: Won) {
        while let Some(action) = self.eyes.pop() {
            match action {
                eyeballs::Action::Connect { attempt, address, rule } => {
                    let connection_id = connection;
                    let parked = Attempt { connection, number: attempt, parked: true };
                    let id = self.attempts.insert(parked);
                    let started = self.tables.now;
                    if let Some(race) = self.race(connection) {
                        race.lines.push(AttemptLine {
                            attempt: id,
                            address,
                            started,
                            progress: None,
                            ended: None,
                            failed: None,
                        });
                    }
                    self.tables.note_both(Kind::AttemptStarted, rule, id, connection_id);
                    if !self.start_attempt(id) {
                        self.parked.push_back(id);
                    }
                }
                eyeballs::Action::Abort(number) => self.abort_attempt(connection, number),
                eyeballs::Action::AddressesDropped(many) => {
                    let Some(host) = self.race(connection).map(|race| race.host) else { continue };
                    self.tables.note_value(Kind::AddressesDropped, host, u64::from(many));
                }
                eyeballs::Action::Finish(Ok(number)) => self.on_won(connection, number, won),
                eyeballs::Action::Finish(Err(failure)) => self.on_lost(connection, failure),
            }
        }
        // Where it has ended, another connection may have its slot by now.
        if let Some(race) = self.race(connection) {
            let at = race.eyeballs.as_ref().and_then(Machine::poll_timeout);
            self.race_timers.set(connection.slot(), at);
        }
    }

    /// Tells the driver to start an attempt, if a socket is left for it.
    fn start_attempt(&mut self, id: AttemptId) -> bool {
        let Some(attempt) = self.attempts.get_mut(id) else { return true };
        let connection = attempt.connection;
        let race = self.races.get_mut(connection.slot()).and_then(Option::as_deref_mut);
        let Some(race) = race else { return true };
        let Some(line) = race.lines.get(attempt.number as usize) else { return true };
        let Some(member) = self.pools.get(race.pool) else { return true };
        let transport = race.transport;
        if race.running > 0 {
            if self.tables.sockets >= self.tables.max_sockets {
                return false;
            }
            self.tables.sockets += 1;
        }
        race.running += 1;
        attempt.parked = false;
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.started = true;
        }
        self.out.push(Action::Connect {
            attempt: id,
            connection,
            transport,
            address: line.address,
            origin: member.key.origin.clone(),
            profile: member.key.profile,
        });
        true
    }

    /// Starts what waited for a socket, in order, as far as there are sockets now.
    pub(super) fn unpark(&mut self) {
        for _ in 0..self.parked.len() {
            let Some(id) = self.parked.pop_front() else { return };
            if !self.start_attempt(id) {
                self.parked.push_back(id);
            }
        }
    }

    /// Retires an attempt's id. Whether the driver knew it.
    pub(super) fn retire_attempt(&mut self, id: AttemptId) -> bool {
        let Some(attempt) = self.attempts.remove(id) else { return false };
        if attempt.parked {
            self.parked.retain(|parked| *parked != id);
            return false;
        }
        let Some(race) = self.race(attempt.connection) else { return true };
        let before = race.extra_sockets();
        race.running -= 1;
        let freed = before - race.extra_sockets();
        self.tables.sockets -= freed;
        true
    }

    fn abort_attempt(&mut self, connection: ConnectionId, number: u32) {
        let now = self.tables.now;
        let Some(race) = self.race(connection) else { return };
        race.end(number, now, Some(Cause::Cancelled));
        let Some(id) = race.lines.get(number as usize).map(|line| line.attempt) else { return };
        self.tables.note_both(Kind::AttemptAborted, Rule::None, id, connection);
        if self.retire_attempt(id) {
            self.out.push(Action::AbortAttempt(id));
        }
    }

    fn on_won(&mut self, connection: ConnectionId, number: u32, won: Won) {
        let now = self.tables.now;
        let Some(race) = self.race(connection) else { return };
        let winner = race.lines.get(number as usize).map(|line| line.attempt);
        let Some((winner, prize)) = winner.zip(won) else { return };
        match prize {
            Prize::Established(..) => race.end(number, now, None),
            Prize::EarlyData(_) => race.early = Some(number),
        }
        self.tables.note_both(Kind::AttemptWon, Rule::He2FirstWins, winner, connection);
        self.retire_attempt(winner);
        let Some(pool) = self.end_race(connection) else { return };
        match prize {
            Prize::Established(protocol, limit) => {
                self.on_leg_connected(connection, number);
                self.turn(pool, |turn| {
                    turn.handle_event(pool::Event::Connected { connection, protocol, limit });
                });
            }
            Prize::EarlyData(limit) => {
                self.turn(pool, |turn| turn.on_early_data(connection, limit));
            }
        }
    }

    fn on_lost(&mut self, connection: ConnectionId, failure: eyeballs::Failure) {
        let Some(race) = self.race(connection) else { return };
        let lines = &race.lines;
        let host = race.host;
        // That UDP is swallowed says nothing about the addresses: TCP will tell.
        let tried = !failure.attempts.is_empty() && !race.shares_addresses();
        let failed = failure.into_all_failed(|number| {
            let line = lines.get(number as usize);
            line.map_or(AttemptId::new(u32::MAX, u32::MAX), |line| line.attempt)
        });
        if tried && let Some(host) = self.hosts.get_mut(host) {
            host.disappoint();
        }
        self.fail_connection(connection, failed);
    }

    /// The pool's connect timeout: all that is under way is given up and named in the error.
    fn time_race_out(&mut self, connection: ConnectionId) {
        let now = self.tables.now;
        let Some(race) = self.race(connection) else { return };
        let (host, began) = (race.host, !race.lines.is_empty());
        let shares = race.shares_addresses();
        for number in 0..u32::try_from(race.lines.len()).unwrap_or(u32::MAX) {
            race.end(number, now, Some(Cause::ConnectTimeout));
        }
        let resolution = (!began).then_some(Cause::ResolveTimeout);
        let failed = race.failure(now, resolution);
        if began
            && !shares
            && let Some(host) = self.hosts.get_mut(host)
        {
            host.disappoint();
        }
        self.tell_race(connection, eyeballs::Event::Cancelled, None);
        self.fail_connection(connection, failed);
    }

    fn fail_connection(&mut self, connection: ConnectionId, failed: AllFailed) {
        let Some(pool) = self.end_race(connection) else { return };
        let leg = self.race(connection).and_then(|race| race.runner.as_ref().map(|r| r.id));
        let held = self.forget_race(connection);
        if let Some(leg) = leg {
            self.on_leg_failed(pool, connection, leg, (&failed, false));
            return self.let_go(held);
        }
        let failed = Arc::new(failed);
        self.turn(pool, |turn| {
            turn.handle_event(pool::Event::ConnectFailed { connection, failed });
        });
    }

    /// The pool does not need the connection any more; its slot is free already. The leg that it
    /// was, whose race is to be told, and the host that is let go then.
    fn abort_race(&mut self, connection: ConnectionId) -> Option<(PoolId, LegId, Option<HostId>)> {
        self.tell_race(connection, eyeballs::Event::Cancelled, None);
        let pool = self.end_race(connection);
        let leg = self.race(connection).and_then(|race| race.runner.as_ref().map(|r| r.id));
        let held = self.forget_race(connection);
        let dropped = pool.zip(leg);
        if dropped.is_none() {
            self.let_go(held);
        }
        dropped.map(|(pool, leg)| (pool, leg, held))
    }

    /// The race is decided: its host need not tell it anything more.
    fn end_race(&mut self, connection: ConnectionId) -> Option<PoolId> {
        let race = self.races.get_mut(connection.slot())?.as_deref_mut()?;
        if race.connection != connection {
            return None;
        }
        race.eyeballs.take()?;
        self.race_timers.set(connection.slot(), None);
        if let Some(host) = self.hosts.get_mut(race.host) {
            host.racing.retain(|racing| *racing != connection);
        }
        Some(race.pool)
    }

    /// Drops the memory of a connection that is gone. The host that was its own: its addresses are
    /// known until it is let go, which a leg that follows to the other family depends on.
    #[must_use]
    pub(super) fn forget_race(&mut self, connection: ConnectionId) -> Option<HostId> {
        self.race(connection)?;
        let race = self.races.get_mut(connection.slot())?.take()?;
        race.own_host.then_some(race.host)
    }

    /// A connection that is gone does not need its own host any more.
    pub(super) fn let_go(&mut self, held: Option<HostId>) {
        if let Some(host) = held {
            self.hosts.give(host);
        }
    }

    /// Lets one pool decide; what it wants of the races waits for [`Upstream::settle`].
    pub(super) fn turn<R>(
        &mut self,
        pool: PoolId,
        decide: impl FnOnce(&mut pool::Turn<'_, Sorter<'_>>) -> R,
    ) -> Option<R> {
        let member = self.pools.get_mut(pool)?;
        Some(decide(&mut pool::Turn {
            id: pool,
            now: self.tables.now,
            pool: &mut member.pool,
            tables: &mut self.tables,
            out: Sorter { inner: &mut self.inner, out: &mut self.out, wants: &mut self.wants },
        }))
    }
}

/// Sends a pool's actions straight out, but for those that concern a race.
pub(super) struct Sorter<'a> {
    inner: &'a mut Outbox<pool::Action>,
    out: &'a mut Outgoing,
    wants: &'a mut bool,
}

impl pool::Out for Sorter<'_> {
    #[inline(always)]
    fn assign(&mut self, request: RequestId, connection: ConnectionId) {
        self.out.assign(request, connection);
    }

    #[inline(always)]
    fn complete(&mut self, request: RequestId) {
        self.out.complete(request);
    }

    fn want(&mut self) {
        *self.wants = true;
    }

    // Where the action is known, so is its way.
    #[inline(always)]
    fn push(&mut self, action: pool::Action) {
        self.out.push(match action {
            pool::Action::Connect(_)
            | pool::Action::ConnectTimedOut(_)
            | pool::Action::AbortConnect(_) => return self.inner.push(action),
            pool::Action::Assign { request, connection } => Action::Assign { request, connection },
            pool::Action::Reset { connection, request } => Action::Reset { connection, request },
            pool::Action::Recall { connection, request } => Action::Recall { connection, request },
            pool::Action::Resend(request) => Action::Resend(request),
            pool::Action::Refuse { request, reason, failed } => {
                Action::Refuse { request, reason, failed }
            }
            pool::Action::Finished { request, outcome } => Action::Finished { request, outcome },
            pool::Action::Probe(connection) => Action::Probe(connection),
            pool::Action::Shutdown(connection) => Action::Shutdown(connection),
            pool::Action::Abort(connection) => Action::Abort(connection),
        });
    }
}
