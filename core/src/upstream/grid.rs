//! The race between the transports behind one pool: what the race wants becomes connections of
//! the pool, and what becomes of those goes back to the race. What is learnt goes to the ledger.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Upstream;
use super::services::Services;
use crate::altsvc::{self, Alternative, Source};
use crate::id::{ConnectionId, Id as _, PoolId, ProfileId, RequestId};
use crate::machine::Machine as _;
use crate::pool;
use crate::race::{self, Health, Leg, LegId, Mark, Next, Offer, Target};
use crate::record::{Kind, Rule};
use crate::time::{Duration, Instant};
use crate::types::{AllFailed, Cause, FailedAttempt, Outcome, Protocol, RetrySafe, Scheme};

/// Most attempts of earlier legs that an error lists.
const FAILED_MAX: usize = 32;

/// The race behind one pool, and its legs.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) race: race::Race,
    /// By slot of the leg: the connection that it is.
    legs: Vec<Option<(LegId, ConnectionId)>>,
    /// Started by the race, in order: they wait for a socket, or for the pool's turn.
    owed: VecDeque<Start>,
    /// What the race knows by its number.
    targets: Vec<Alternative>,
    /// What the legs of the race under way have tried in vain.
    failed: Vec<FailedAttempt>,
    /// The alternative that a connection over QUIC shook hands with and never heard of again.
    unanswered: Option<Alternative>,
    /// What is known of the origin's HTTPS records.
    pub(super) services: Services,
}

/// A leg that the race has started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) leg: LegId,
    pub(super) runner: Leg,
    target: Option<Target>,
    rule: Rule,
}

/// What a connection knows of the leg that it is.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    pub(super) id: LegId,
    pub(super) leg: Leg,
    /// Where it goes, if that is not the origin itself.
    pub(super) alternative: Option<Alternative>,
    /// DNS alone says so: that is the origin itself, and no alternative service (RFC 9460 9.3).
    by_dns: bool,
}

impl Grid {
    pub(super) fn new(config: &race::Config, asks: bool) -> Self {
        Self {
            race: race::Race::new(config),
            legs: Vec::new(),
            owed: VecDeque::new(),
            targets: Vec::new(),
            failed: Vec::new(),
            unanswered: None,
            services: if asks { Services::Unknown } else { Services::Off },
        }
    }

    /// When something is due by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.race.poll_timeout().into_iter().chain(self.services.opens()).min()
    }

    /// The number of an alternative.
    fn target(&mut self, alternative: &Alternative) -> Target {
        let known = self.targets.iter().position(|known| known == alternative);
        let at = known.unwrap_or_else(|| {
            // Nobody under way or established has a number any more.
            if self.race.running() == 0 && !self.race.has_quic() {
                self.targets.clear();
            }
            self.targets.push(alternative.clone());
            self.targets.len() - 1
        });
        Target(u32::try_from(at).unwrap_or(u32::MAX))
    }

    fn alternative(&self, target: Target) -> Option<&Alternative> {
        self.targets.get(target.0 as usize)
    }

    /// How QUIC has worked there.
    pub(super) fn health(&self, known: &altsvc::Known<'_>) -> Health {
        match known.state {
            altsvc::State::Suspect if self.unanswered.as_ref() == Some(known.alternative) => {
                Health::Failed
            }
            altsvc::State::Suspect | altsvc::State::Broken(_) => Health::Suspect,
            altsvc::State::Confirmed => Health::Confirmed,
            altsvc::State::Unknown => Health::Unknown,
        }
    }

    fn put(&mut self, leg: LegId, connection: ConnectionId) {
        if self.legs.len() <= leg.slot() {
            self.legs.resize(leg.slot() + 1, None);
        }
        if let Some(place) = self.legs.get_mut(leg.slot()) {
            *place = Some((leg, connection));
        }
    }

    /// The connection of a leg, which is not one any more.
    fn take(&mut self, leg: LegId) -> Option<ConnectionId> {
        let place = self.legs.get_mut(leg.slot())?;
        Some(place.take_if(|(known, _)| *known == leg)?.1)
    }

    /// The connections of all legs.
    pub(super) fn connections(&self) -> impl Iterator<Item = (LegId, ConnectionId)> + '_ {
        self.legs.iter().flatten().copied()
    }

    pub(super) fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Adds what a leg has tried to what the error of all will list.
    fn note_failed(&mut self, failed: &AllFailed) {
        self.failed.extend_from_slice(&failed.attempts);
        let too_many = self.failed.len().saturating_sub(FAILED_MAX);
        self.failed.drain(..too_many);
    }

    /// The error of all legs, the last of which ended with `failed`.
    fn failure(&self, failed: &AllFailed) -> Arc<AllFailed> {
        let attempts = self.failed.clone();
        Arc::new(AllFailed { attempts, resolution: failed.resolution })
    }
}

impl Upstream {
    pub(super) fn grid(&mut self, pool: PoolId) -> Option<&mut Grid> {
        self.pools.get_mut(pool)?.grid.as_deref_mut()
    }

    /// Whether QUIC and TCP race for connections with this profile to origins of this scheme.
    pub fn races(&self, profile: ProfileId, scheme: Scheme) -> bool {
        self.profiles.get(usize::from(profile.0)).is_some_and(|profile| profile.races(scheme))
    }

    /// The value of `Alt-Used` (RFC 7838 5) in requests on this connection: it goes to an
    /// alternative that the origin has told, or somebody who knows it.
    pub fn alt_used(&self, connection: ConnectionId) -> Option<String> {
        let race = self.races.get(connection.slot())?.as_deref()?;
        let runner = race.runner.as_ref().filter(|_| race.connection == connection)?;
        let runner = Some(runner).filter(|runner| !runner.by_dns)?;
        let origin = &self.pools.get(race.pool)?.key.origin;
        Some(runner.alternative.as_ref()?.alt_used(origin))
    }

    /// The best alternative over QUIC for a pool's origin, and how far that is away.
    pub(super) fn offer(&mut self, pool: PoolId) -> (Option<Offer>, Option<Duration>) {
        let Some(member) = self.pools.get_mut(pool) else { return (None, None) };
        let Some(grid) = &mut member.grid else { return (None, None) };
        let (now, origin) = (self.tables.now, &member.key.origin);
        let best = self.ledger.best(now, origin, Protocol::Http3);
        let offer = best.map(|known| Offer {
            target: grid.target(known.alternative),
            health: grid.health(&known),
        });
        (offer, self.ledger.rtt(origin))
    }

    /// The pool would make a connection: the leg that is owed for the longest, or another.
    pub(super) fn on_want(&mut self, pool: PoolId) {
        if self.turn(pool, |turn| turn.still_wishes()) == Some(false) {
            self.turn(pool, |turn| turn.on_wish_told(false));
            return;
        }
        let made = self.connections_of(pool);
        match self.grid(pool).and_then(|grid| grid.owed.pop_front()) {
            Some(start) => {
                self.turn(pool, |turn| turn.on_leg_settled());
                self.start_leg(pool, start, true);
                self.run_legs(pool, false);
            }
            None => {
                if let Some(member) = self.pools.get_mut(pool) {
                    member.quiet = false;
                }
                self.tell_wanted(pool, true);
            }
        }
        let made = self.connections_of(pool) > made;
        self.turn(pool, |turn| turn.on_wish_told(made));
    }

    /// Tells the race that another connection is wanted. Where nothing over QUIC is known, DNS is
    /// asked first, unless it was lately.
    fn tell_wanted(&mut self, pool: PoolId, admitted: bool) {
        let (quic, rtt) = self.offer(pool);
        if quic.is_none() {
            self.ask_for_services(pool);
        }
        self.tell_grid(pool, race::Event::Wanted { quic, rtt }, admitted);
    }

    fn connections_of(&self, pool: PoolId) -> u32 {
        self.pools.get(pool).map_or(0, |member| member.pool.connections())
    }

    /// Tells the race something and carries out what follows; the pool is not settled yet. Where
    /// `admitted`, the first leg that starts needs no permission any more.
    pub(super) fn tell_grid(&mut self, pool: PoolId, event: race::Event, admitted: bool) {
        self.tell_race_of(pool, event);
        self.run_legs(pool, admitted);
    }

    /// Tells the race something; what follows is to be carried out.
    fn tell_race_of(&mut self, pool: PoolId, event: race::Event) {
        let now = self.tables.now;
        let Some(member) = self.pools.get_mut(pool) else { return };
        if let Some(grid) = member.grid.as_deref_mut() {
            grid.race.handle_event(now, event, &mut self.legs);
        }
    }

    /// A race's delay has passed.
    pub(super) fn on_grid_timeout(&mut self, slot: usize) {
        let now = self.tables.now;
        let Some(pool) = self.pools.id_at(slot) else { return };
        self.open_gate_when_due(pool);
        if let Some(member) = self.pools.get_mut(pool)
            && let Some(grid) = member.grid.as_deref_mut()
        {
            grid.race.handle_timeout(now, &mut self.legs);
            self.run_legs(pool, false);
            self.settle(pool);
        }
    }

    /// As [`Upstream::carry_out`]; the pool makes what it may.
    fn run_legs(&mut self, pool: PoolId, admitted: bool) {
        if self.carry_out(pool, admitted) {
            self.turn(pool, |turn| turn.on_more());
        }
    }

    /// Carries out what the race wants, re-arms its deadline, and tells the pool whether more
    /// may begin. Whether that is news.
    fn carry_out(&mut self, pool: PoolId, mut admitted: bool) -> bool {
        while let Some(action) = self.legs.pop() {
            match action {
                race::Action::Start { leg, runner, target, rule } => {
                    let start = Start { leg, runner, target, rule };
                    self.start_leg(pool, start, core::mem::take(&mut admitted));
                }
                race::Action::Abort(leg) => self.abort_leg(pool, leg),
                race::Action::Mark { target, mark } => self.mark(pool, target, mark),
                race::Action::GiveUp => self.give_up(pool),
            }
        }
        let Some(grid) = self.grid(pool) else { return false };
        let (at, runs) = (grid.poll_timeout(), grid.race.running() > 0);
        if !runs {
            grid.failed.clear();
        }
        self.grid_timers.set(pool.slot(), at);
        let quic = if runs { self.offer(pool).0 } else { None };
        let Some(member) = self.pools.get_mut(pool) else { return false };
        let Some(grid) = member.grid.as_deref() else { return false };
        let holds = matches!(grid.race.next(quic), Next::Wait | Next::Full | Next::Draining);
        let released = member.pool.holds && !holds;
        member.pool.holds = holds;
        released
    }

    fn start_leg(&mut self, pool: PoolId, start: Start, admitted: bool) {
        let Start { leg, runner, target, rule } = start;
        match self.turn(pool, |turn| turn.on_leg(rule, runner, admitted)) {
            Some(pool::Leg::Made(connection)) => {
                let Some(grid) = self.grid(pool) else { return };
                grid.put(leg, connection);
                let alternative = target.and_then(|target| grid.alternative(target)).cloned();
                let by_dns = self.is_by_dns(pool, alternative.as_ref());
                let runner = Runner { id: leg, leg: runner, alternative, by_dns };
                self.start_race(pool, connection, Some(runner));
            }
            Some(pool::Leg::Owed) => {
                if let Some(grid) = self.grid(pool) {
                    grid.owed.push_back(start);
                }
            }
            Some(pool::Leg::Denied) | None => {
                self.tell_grid(pool, race::Event::Withdrawn(leg), false);
            }
        }
    }

    /// Whether DNS alone offers this alternative.
    fn is_by_dns(&self, pool: PoolId, which: Option<&Alternative>) -> bool {
        let (Some(member), Some(which)) = (self.pools.get(pool), which) else { return false };
        let mut known = self.ledger.known(self.tables.now, &member.key.origin);
        let known = known.find(|known| known.alternative == which);
        known.is_some_and(|known| known.source == Source::Dns)
    }

    fn abort_leg(&mut self, pool: PoolId, leg: LegId) {
        if self.forget_owed(pool, leg) {
            return;
        }
        if let Some(connection) = self.grid(pool).and_then(|grid| grid.take(leg)) {
            if let Some(race) = self.race(connection) {
                race.runner = None;
            }
            self.turn(pool, |turn| turn.on_leg_aborted(connection));
        }
    }

    fn mark(&mut self, pool: PoolId, target: Target, mark: Mark) {
        let now = self.tables.now;
        let Some(member) = self.pools.get(pool) else { return };
        let (Some(grid), origin) = (&member.grid, &member.key.origin) else { return };
        let Some(which) = grid.alternative(target) else { return };
        let kind = match mark {
            Mark::Broken => {
                self.ledger.mark_broken(now, origin, which);
                Kind::Http3Broken
            }
            Mark::Suspect => {
                self.ledger.mark_suspect(now, origin, which);
                Kind::Http3Suspect
            }
            Mark::Confirmed => {
                self.ledger.mark_confirmed(now, origin, which);
                Kind::Http3Confirmed
            }
        };
        self.tables.note(kind, mark.rule(), pool);
        if mark != Mark::Suspect
            && let Some(grid) = self.grid(pool)
        {
            grid.unanswered = None;
        }
    }

    /// Every leg has failed.
    fn give_up(&mut self, pool: PoolId) {
        let Some(grid) = self.grid(pool) else { return };
        // TCP does no better.
        grid.unanswered = None;
        let failed = grid.failure(&AllFailed { attempts: Vec::new(), resolution: None });
        self.turn(pool, |turn| turn.on_given_up(failed));
    }

    /// A leg's handshakes are complete: the round trip is known, and the race goes on without it.
    pub(super) fn on_leg_connected(&mut self, connection: ConnectionId, number: u32) {
        let Some(race) = self.race(connection) else { return };
        let (pool, leg) = (race.pool, race.runner.as_ref().map(|runner| runner.id));
        let line = race.lines.get(number as usize);
        let rtt = line.and_then(|line| Some(line.progress?.saturating_since(line.started)));
        let Some(leg) = leg else { return };
        if let Some(member) = self.pools.get(pool)
            && let Some(rtt) = rtt
        {
            self.ledger.note_rtt(&member.key.origin, rtt);
        }
        self.tell_race_of(pool, race::Event::Connected(leg));
        // The pool hears of it next: nobody is given anything in between.
        self.carry_out(pool, false);
    }

    /// A leg failed: the next one starts before anybody who waits is told of it.
    pub(super) fn on_leg_failed(
        &mut self,
        pool: PoolId,
        connection: ConnectionId,
        leg: LegId,
        (failed, early_data): (&AllFailed, bool),
    ) {
        let was_quic = self.tables.connections.get(connection).is_some_and(|slot| slot.over_quic);
        let Some(grid) = self.grid(pool) else { return };
        grid.take(leg);
        grid.note_failed(failed);
        let failed = grid.failure(failed);
        self.tell_race_of(pool, race::Event::Failed { leg, early_data });
        let follows = self.legs.iter().any(|action| matches!(action, race::Action::Start { .. }));
        let told = Arc::clone(&failed);
        self.turn(pool, |turn| turn.on_early_failed(connection, told, follows));
        self.carry_out(pool, false);
        if follows {
            // The leg that was to follow may have been denied, and the race does not give up where
            // TCP was in use when it began: who waits would wait for nothing.
            self.turn(pool, |turn| turn.on_given_up(failed));
        }
        // What QUIC has held back, or was to carry, begins with TCP. Nothing else is begun at once,
        // lest a port that refuses be called in a loop.
        if was_quic && self.grid(pool).is_some_and(|grid| grid.race.running() > 0) {
            self.turn(pool, |turn| turn.on_more());
        }
    }

    /// The pool gave a leg up: nobody needs it.
    pub(super) fn on_leg_dropped(&mut self, pool: PoolId, leg: LegId) {
        let Some(grid) = self.grid(pool) else { return };
        grid.take(leg);
        // Nothing follows where nobody waits; a request that is sent again may want another leg.
        if let Some(member) = self.pools.get_mut(pool)
            && member.pool.nobody_waits()
        {
            member.quiet = true;
            self.tell_grid(pool, race::Event::Unwanted, false);
        }
        self.tell_grid(pool, race::Event::Withdrawn(leg), false);
    }

    /// The connection that a leg had become is of no use any more.
    pub(super) fn on_leg_closed(&mut self, connection: ConnectionId, silent: bool) {
        let Some(race) = self.race(connection) else { return };
        let pool = race.pool;
        let Some(runner) = race.runner.take_if(|_| race.eyeballs.is_none()) else { return };
        if let Some(grid) = self.grid(pool) {
            grid.take(runner.id);
        }
        self.tell_race_of(pool, race::Event::Closed { leg: runner.id, silent });
        // The pool hears of it next, and makes then what it may.
        self.carry_out(pool, false);
    }

    /// A stream ended because its peer had fallen silent: that is known before the connection's
    /// end is told, and before the request goes again.
    pub(super) fn note_silence(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        (outcome, retry): (Outcome, RetrySafe),
    ) {
        let silent = outcome == Outcome::Failed(Cause::KeepAliveTimeout);
        // What falls silent in its handshake has failed.
        let established = !self.takes_early_data(connection);
        if silent && established && self.connection_of(request) == Some(connection) {
            if retry != RetrySafe::Answered {
                self.note_unanswered(connection);
            }
            self.on_leg_closed(connection, true);
        }
    }

    /// A connection fell silent: where it has never answered, its requests go over TCP alone, or
    /// a handshake that passes where nothing else does would take them for ever.
    pub(super) fn note_unanswered(&mut self, connection: ConnectionId) {
        if self.tables.connections.get(connection).is_none_or(|slot| slot.answered) {
            return;
        }
        let Some(race) = self.race(connection) else { return };
        let (pool, Some(runner)) = (race.pool, &race.runner) else { return };
        let alternative = runner.alternative.clone();
        if let Some(grid) = self.grid(pool) {
            grid.unanswered = alternative;
        }
    }

    /// Nobody waits in the queue, and somebody would be served sooner by another connection.
    pub(super) fn want_for_hopeful(&mut self, pool: PoolId) {
        let Some(member) = self.pools.get_mut(pool).filter(|member| member.races) else { return };
        member.quiet = false;
        self.tell_wanted(pool, false);
    }

    /// A request of a pool that races was asked for: where TCP serves it, QUIC may start beside.
    pub(super) fn note_served(&mut self, pool: PoolId, request: RequestId) {
        let over_tcp = self.connection_of(request).is_some_and(|connection| {
            let slot = self.tables.connections.get(connection);
            slot.is_some_and(|slot| slot.protocol != Protocol::Http3)
        });
        let has_quic = self.grid(pool).is_none_or(|grid| grid.race.has_quic());
        let room = self.tables.sockets_left() > 0 && self.tables.handshakes.may();
        if !over_tcp || has_quic || !room || self.draining {
            return;
        }
        if let (Some(quic), rtt) = self.offer(pool) {
            self.tell_grid(pool, race::Event::Served { quic, rtt }, false);
            self.settle(pool);
        }
    }

    /// Tells the race whether somebody waits, where that has changed. Whether it did.
    pub(super) fn note_demand(&mut self, pool: PoolId) -> bool {
        let Some(member) = self.pools.get_mut(pool) else { return false };
        let Some(grid) = member.grid.as_deref() else { return false };
        let quiet = member.pool.nobody_waits();
        if quiet == member.quiet {
            return false;
        }
        member.quiet = quiet;
        if grid.race.running() == 0 {
            return false;
        }
        if !quiet {
            self.tell_wanted(pool, false);
        } else {
            let owed: Vec<_> = grid.owed.iter().map(|start| start.leg).collect();
            let gives_up = grid.race.is_about_quic() && !member.pool.is_eager();
            for leg in owed {
                if self.forget_owed(pool, leg) {
                    self.tell_grid(pool, race::Event::Withdrawn(leg), false);
                }
            }
            if gives_up {
                self.tell_grid(pool, race::Event::Unwanted, false);
            }
        }
        true
    }

    /// Takes a leg off those that wait for their turn. Whether it was one.
    fn forget_owed(&mut self, pool: PoolId, leg: LegId) -> bool {
        let Some(grid) = self.grid(pool) else { return false };
        let before = grid.owed.len();
        grid.owed.retain(|start| start.leg != leg);
        let is_owed = grid.owed.len() < before;
        if is_owed {
            self.turn(pool, |turn| turn.on_leg_settled());
        }
        is_owed
    }

    /// Whether the addresses of a leg's host are of both families.
    pub(super) fn note_families(&mut self, connection: ConnectionId) {
        let Some(race) = self.race(connection) else { return };
        let (pool, host) = (race.pool, race.host);
        if race.runner.as_ref().is_none_or(|runner| runner.leg != Leg::Quic) {
            return;
        }
        let Some(host) = self.hosts.get(host) else { return };
        let v4 = host.addresses.iter().any(|address| address.to_canonical().is_ipv4());
        let v6 = host.addresses.iter().any(|address| address.to_canonical().is_ipv6());
        self.tell_grid(pool, race::Event::BothFamilies(v4 && v6), false);
    }

    pub(super) fn grids_changed_network(&mut self) {
        self.ledger.network_changed();
        for pool in self.pool_ids() {
            if let Some(grid) = self.grid(pool) {
                grid.services.outdate();
            }
            self.tell_grid(pool, race::Event::NetworkChanged, false);
            self.settle(pool);
        }
    }
}
