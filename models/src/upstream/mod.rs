//! The whole upstream in a world of resolvers, handshakes and peers: the same books as for one
//! pool, kept for several that share sockets, hosts and circuit breakers.

mod anarchy;
mod begun;
mod draws;
mod early;
mod entries;
mod events;
mod journaled;
mod line;
mod races;
mod room;
mod services;
mod sights;

pub use anarchy::Anarchy;
pub use journaled::{Configured, Journaled};
pub use sights::{expected, expected_of_anarchy, expected_of_raced_anarchy, expected_of_races};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core::net::{IpAddr, SocketAddr};

use regatta_core::id::{AttemptId, ConnectionId, HostId, PoolId};
use regatta_core::pool::State;
use regatta_core::record::Kind;
use regatta_core::types::{
    AllFailed, BodyState, Cause, Key, Limit, Outcome, Priority, Protocol, RetrySafe, Scheme,
    Timing, Transport,
};
use regatta_core::upstream::{Action, Cluster, Config, ConnectionView, Event, PoolView, Upstream};
use regatta_core::{Instant, Machine};

use crate::books::{Books, Connection, Doom, Kindness, Place, Rules};
use crate::harness::{Input, Rest, Subject};
use crate::seen::Seen;
use crate::tape::Tape;

use draws::{ADDRESSES, draw, keys};
use line::Line;
use services::Services;

/// The world around an upstream; where `RACES`, QUIC and TCP race for the first profile's pools.
#[derive(Debug)]
pub struct World<const RACES: bool = false> {
    config: Config,
    keys: Vec<Key>,
    books: Books,
    /// Handshakes under way.
    attempts: BTreeMap<AttemptId, ConnectionId>,
    past_attempts: BTreeMap<AttemptId, SocketAddr>,
    /// Those that are made over QUIC.
    quic: BTreeSet<ConnectionId>,
    /// Names that are being looked up, and whether an address was told.
    resolving: BTreeMap<HostId, bool>,
    services: Services,
    told: BTreeSet<IpAddr>,
    names: BTreeMap<HostId, Arc<str>>,
    /// Until when the addresses of a name may be used without asking again.
    known: BTreeMap<Arc<str>, Instant>,
    /// Lookups that began in an old network: what they tell is not kept.
    outdated: BTreeSet<HostId>,
    /// The name whose lookup ended in this call, and whether it has addresses.
    looked_up: Option<(Arc<str>, bool)>,
    /// The pools after the last call.
    before: Vec<PoolView>,
    line: Line,
    /// How often HTTP/3 was suspect before the last call, and how often the network has changed.
    suspects: u64,
    networks: u64,
    /// On which network each connection began.
    began: BTreeMap<ConnectionId, u64>,
    /// What those go over that were being established after the last call.
    legs: BTreeMap<ConnectionId, Transport>,
    /// How many connections had failed before the last call.
    failures: u64,
}

impl<const RACES: bool> World<RACES> {
    fn pool_of(&self, key: &Key) -> Option<usize> {
        self.keys.iter().position(|known| known == key)
    }

    fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.books.connections.get(&id).filter(|c| !c.gone)
    }

    fn is_up(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(|c| c.up.is_some())
    }

    /// Whether the driver's contract allows this event now; all others must do nothing.
    fn is_legal(&self, event: &Event) -> bool {
        match event {
            Event::Requested { .. } | Event::NetworkChanged => true,
            Event::Drain | Event::Close { .. } => true,
            Event::BudgetSpent(_) | Event::Learnt { .. } | Event::Restored { .. } => true,
            Event::Cancelled(id) => self.books.requests.contains_key(id),
            Event::Resolved { host, .. } | Event::ResolveFinished { host, .. } => {
                self.resolving.contains_key(host)
            }
            Event::ServicesResolved { pool, .. } => self.services.is_asked(*pool),
            Event::AttemptProgress(attempt)
            | Event::Connected { attempt, .. }
            | Event::EarlyData { attempt, .. }
            | Event::AttemptFailed { attempt, .. } => self.attempts.contains_key(attempt),
            Event::Confirmed { connection, .. } => {
                self.connection(*connection).is_some_and(|c| c.takes_early_data() && !c.closing)
            }
            Event::Closed { connection, .. } => {
                let early = self.connection(*connection).is_some_and(Connection::takes_early_data);
                early || self.is_up(*connection)
            }
            Event::Limit { connection, .. } | Event::Misdirected(connection) => {
                self.is_up(*connection)
            }
            Event::Refusing(connection) => self.is_up(*connection),
            Event::StreamEnded { connection, request, .. } => {
                let request = self.books.requests.get(request);
                request.is_some_and(|r| matches!(r.place, Place::On(at) if at == *connection))
            }
            Event::Probed(id) => self.connection(*id).is_some_and(|c| c.probing),
            Event::Mute(id) => {
                self.is_up(*id) && self.connection(*id).is_some_and(|c| !c.closing && !c.mute)
            }
        }
    }

    /// The last attempt of a connection failed: its addresses are not to be used again.
    fn notice_bad_addresses(&mut self, lost: Option<ConnectionId>, after: &[PoolView]) {
        // That UDP is swallowed says nothing about the addresses.
        let Some(lost) = lost.filter(|lost| !self.quic.contains(lost)) else { return };
        if !after.iter().flat_map(|view| &view.connections).any(|view| view.id == lost) {
            let pool = self.books.connection(lost).pool;
            let name = &self.keys[pool].origin.host;
            self.known.remove(name);
        }
    }

    /// Whoever waits with an address in hand, be it for the other family or for HTTPS records,
    /// waits for one resolution delay in all.
    fn addresses_are_tried(&self, machine: &Upstream, after: &[PoolView]) {
        for view in after {
            let delay = self.config.clusters[view.key.cluster.slot()].eyeballs.resolution_delay;
            for id in connecting(view) {
                let Some(timeline) = machine.connection_timeline(id) else { continue };
                let Some(known) = timeline.resolved else { continue };
                let late = timeline.attempts.is_empty() && self.books.now >= known + delay;
                assert!(!late, "{id} has had an address since {known:?} and tried none");
                self.books.tally.held(sights::TRIED);
            }
        }
    }

    /// What a failed connection says about its attempts is what the world saw.
    fn is_true(&self, failed: &AllFailed, pool: usize) {
        for line in &failed.attempts {
            let known = self.past_attempts.get(&line.attempt);
            let same = known.is_none_or(|address| *address == line.address);
            assert!(same, "{} went elsewhere", line.attempt);
            let over = !self.attempts.contains_key(&line.attempt);
            assert!(over, "{} failed and is under way", line.attempt);
            self.books.tally.held(sights::TRUTH);
        }
        // Who had no race any more before the call failed earlier, and is told only now.
        let key = &self.keys[pool];
        let raced = self.before.iter().find(|view| view.key == *key);
        let raced = raced.is_some_and(|view| connecting(view).next().is_some());
        if let Some((name, true)) = &self.looked_up
            && *name == key.origin.host
            && raced
        {
            assert!(!failed.attempts.is_empty(), "{name} has addresses that nobody tried");
        }
    }

    /// Finds out which pools lost their last connecting connection in this call; where it is not
    /// `done`, another leg may only not have been begun yet.
    fn notice_failures(&mut self, after: &[PoolView], won: Option<usize>, done: bool) {
        for view in &self.before {
            let Some(pool) = self.keys.iter().position(|key| *key == view.key) else { continue };
            // What QUIC has beaten was given up, and has not failed.
            if won == Some(pool) {
                continue;
            }
            let now = after.iter().find(|now| now.id == view.id);
            let left = now.map(|now| connecting(now).collect::<BTreeSet<_>>()).unwrap_or_default();
            let failed = |id: &ConnectionId| !left.contains(id) && !self.is_up(*id);
            let some_failed = connecting(view).any(|id| failed(&id));
            let some_last = connecting(view).any(|id| left.contains(&id));
            // What is open now was open then: only its own event establishes a connection.
            let is_served = now.is_some_and(|now| now.connections.iter().any(grants));
            if !some_failed || some_last || is_served {
                continue;
            }
            // One that is left may have been begun before the last one failed, and one that was
            // open may have been drained before.
            let races = RACES && races::is_raced(&self.keys[pool]);
            // Another leg has followed, or stands in line: nobody is told of a failure.
            if races && (!left.is_empty() || now.is_some_and(|now| now.awaits_turn)) {
                continue;
            }
            let may_be_served = !left.is_empty() || self.books.has_granting(pool);
            let doom = match may_be_served {
                true => Doom::Perhaps,
                false if races && !done => Doom::Undecided,
                false => Doom::Yes,
            };
            self.books.doom(pool, doom);
        }
    }

    /// Finds out what a call that was cut short had left undecided: where another leg has followed
    /// nobody is told of a failure, and where all work is done everybody was.
    fn decide(&mut self, after: &[PoolView], done: bool) {
        for pool in 0..self.keys.len() {
            let view = after.iter().find(|view| view.key == self.keys[pool]);
            let follows = view.is_some_and(|v| v.awaits_turn || connecting(v).next().is_some());
            if follows {
                self.books.decide(pool, Doom::No);
            } else if done {
                self.books.decide(pool, Doom::Yes);
            }
        }
    }

    /// Forgets connections that never were: their race ended without success.
    fn sweep(&mut self, after: &[PoolView]) {
        let living: BTreeSet<_> = after.iter().flat_map(connecting).collect();
        let lost = self.books.connections.iter();
        let lost: Vec<_> = lost
            .filter(|(id, c)| c.is_connecting() && !living.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            let left = self.attempts.values().any(|attempt| *attempt == id);
            assert!(!left, "{id} is gone and its attempts are not");
            self.books.gone(id);
        }
        let seen = after.iter().filter(|view| connecting(view).next().is_some());
        self.books.connecting = seen.filter_map(|view| self.pool_of(&view.key)).collect();
    }

    fn compare(&self, machine: &Upstream, after: &[PoolView]) {
        let books = &self.books;
        assert!(after.len() <= self.config.max_pools as usize, "too many pools");
        let mut sockets = 0;
        for view in after {
            let pool = self.pool_of(&view.key).expect("a pool has a known key");
            let waiting = books.waiting(|other| other == pool).count();
            assert_eq!(view.waiting as usize, waiting, "{}: requests that wait", view.id);
            for seen in &view.connections {
                let mine = self.attempts.values().filter(|connection| **connection == seen.id);
                let attempts = mine.count();
                sockets += attempts.max(1);
                let known = books.connections.get(&seen.id);
                assert_eq!(known.map_or(0, |c| c.streams.len()), seen.streams as usize);
                let up = known.is_some_and(|c| c.up.is_some());
                assert_eq!(up, seen.protocol.is_some(), "{}: whether it is up", seen.id);
            }
        }
        assert_eq!(machine.sockets() as usize, sockets, "sockets");
        assert!(machine.sockets() <= self.config.max_sockets, "too many sockets");
        assert_eq!(machine.requests(), books.requests.len(), "living requests");
        let seen: usize = after.iter().map(|view| view.connections.len()).sum();
        assert!(books.connections.len() <= seen, "a connection is forgotten");
        books.tally.held(sights::COUNTS);
    }
}

/// The pool that has this connection.
fn pool_with(connection: ConnectionId, views: &[PoolView]) -> Option<PoolId> {
    let has = |view: &&PoolView| view.connections.iter().any(|seen| seen.id == connection);
    views.iter().find(has).map(|view| view.id)
}

fn connecting(view: &PoolView) -> impl Iterator<Item = ConnectionId> {
    let connecting = |c: &&ConnectionView| matches!(c.state, State::Connecting | State::EarlyData);
    view.connections.iter().filter(connecting).map(|c| c.id)
}

/// Whether it may carry streams.
fn grants(view: &ConnectionView) -> bool {
    let nothing = view.limit.is_some_and(Limit::grants_nothing);
    matches!(view.state, State::Ready | State::Busy) && !nothing
}

impl<const RACES: bool> Configured for World<RACES> {
    fn config(&self) -> &Config {
        &self.config
    }
}

impl<const RACES: bool> Subject for World<RACES> {
    type Machine = Upstream;

    fn new(tape: &mut Tape) -> Self {
        let mut config = draw(tape);
        if RACES {
            races::draw(tape, &mut config);
        }
        let keys = keys();
        let rules = keys.iter().map(|key| {
            let cluster = key.cluster.slot();
            let breaker = cluster * 2 + usize::from(key.priority == Priority::High);
            let plain = key.origin.scheme == Scheme::Http && key.profile.0 == 0;
            Rules::new(config.clusters[cluster].pool.clone(), breaker, plain)
        });
        let limits = |cluster: &Cluster| [cluster.limits.clone(), cluster.limits_high.clone()];
        let books = Books {
            rules: rules.collect(),
            breakers: config.clusters.iter().flat_map(limits).collect(),
            out_of_sight: true,
            no_sockets: config.max_sockets == 0,
            ..Books::default()
        };
        Self {
            config,
            keys,
            books,
            attempts: BTreeMap::new(),
            past_attempts: BTreeMap::new(),
            quic: BTreeSet::new(),
            resolving: BTreeMap::new(),
            services: Services::default(),
            told: BTreeSet::new(),
            names: BTreeMap::new(),
            known: BTreeMap::new(),
            outdated: BTreeSet::new(),
            looked_up: None,
            before: vec![],
            line: Line::default(),
            suspects: 0,
            networks: 0,
            began: BTreeMap::new(),
            legs: BTreeMap::new(),
            failures: 0,
        }
    }

    fn machine(&self) -> Upstream {
        Upstream::new(self.config.clone())
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> Event {
        self.draw(tape, now).unwrap_or_else(|| self.requested(tape, now))
    }

    fn observe(
        &mut self,
        now: Instant,
        input: &Input<Event>,
        actions: &[Action],
        machine: &Upstream,
    ) {
        self.books.now = now;
        self.looked_up = None;
        let after = machine.snapshot(now);
        let (mut failing, mut won) = (None, None);
        if let Input::Event(event) = input {
            if let Event::AttemptFailed { attempt, .. } = event {
                failing = self.attempts.get(attempt).copied();
            }
            if self.is_legal(event) {
                won = self.won_by_quic(event);
                self.enter(event, machine);
            } else {
                assert!(actions.is_empty(), "{event:?} is stale and did {actions:?}");
                self.books.tally.held(sights::STALE);
            }
        }
        let done = Machine::poll_timeout(machine).is_none_or(|at| at > now);
        self.notice_failures(&after, won, done);
        for action in actions {
            self.obey(action);
        }
        self.decide(&after, done);
        self.notice_bad_addresses(failing, &after);
        self.sweep(&after);
        self.room_is_made(machine, &after, done);
        self.books.close();
        self.books.no_pool_left = false;
        let sockets_left = machine.sockets() < self.config.max_sockets;
        let probed = actions.iter().filter_map(|action| match action {
            Action::Probe(connection) => Some(*connection),
            _ => None,
        });
        let hoped = probed.filter_map(|id| pool_with(id, &self.before)).collect();
        self.line.observe(&self.config, &after, &hoped, (done, sockets_left), RACES);
        let in_line = after.iter().filter(|view| view.awaits_turn);
        self.books.in_line = in_line.filter_map(|view| self.pool_of(&view.key)).collect();
        self.books.tally.held(sights::TURNS);
        self.forget_pools(&after);
        if done {
            self.addresses_are_tried(machine, &after);
            self.enough_is_begun(input, machine, &after);
            self.books.nothing_is_late();
            self.books.nobody_is_forgotten(true);
        }
        self.compare(machine, &after);
        self.resolving.retain(|host, _| machine.host_name(*host).is_some());
        self.services_are_right(machine, &after, done);
        for id in after.iter().flat_map(connecting) {
            self.began.entry(id).or_insert(self.networks);
        }
        let legs = after.iter().flat_map(connecting);
        let legs = legs.filter_map(|id| Some((id, machine.connection_timeline(id)?.transport)));
        self.legs = legs.collect();
        self.before = after;
        self.suspects = machine.count(Kind::Http3Suspect);
        self.failures = machine.count(Kind::ConnectFailed);
    }

    fn see(
        &self,
        input: &Input<Event>,
        actions: &[Action],
        machine: &mut Upstream,
        seen: &mut Seen,
    ) {
        sights::see(input, actions, machine, seen);
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.books.tally.tell(seen);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, machine: &Upstream) -> Rest<Event> {
        if let Some(pool) = self.services.any() {
            return Rest::Event(races::no_services(pool));
        }
        if let Some((&host, &told)) = self.resolving.iter().next() {
            return Rest::Event(match told {
                true => Event::ResolveFinished { host, failed: None },
                false => Event::Resolved { host, addresses: vec![ADDRESSES[0]] },
            });
        }
        if let Some((&attempt, &connection)) = self.attempts.iter().next() {
            let pool = self.books.connection(connection).pool;
            let (protocol, limit) = match self.books.rules[pool].http1_alone {
                _ if self.quic.contains(&connection) => (Protocol::Http3, Limit::Total(100)),
                true => (Protocol::Http1, Limit::Concurrent(1)),
                false => (Protocol::Http2, Limit::Concurrent(100)),
            };
            return Rest::Event(Event::Connected { attempt, protocol, limit });
        }
        if let Some(event) = self.kind_to_early_data() {
            return Rest::Event(event);
        }
        if let Some(kindness) = self.books.kindness() {
            return Rest::Event(kind(kindness));
        }
        if !self.books.requests.is_empty() {
            return Rest::Work;
        }
        if Machine::poll_timeout(machine).is_some() {
            return Rest::Sleep;
        }
        match self.books.connections.keys().next() {
            Some(&connection) => Rest::Event(Event::Closed { connection, cause: Cause::Closed }),
            None => Rest::Done,
        }
    }

    fn at_rest(&self, machine: &Upstream) {
        assert_eq!(machine.snapshot(Instant::MAX), vec![], "every pool is gone");
        assert_eq!((machine.sockets(), machine.requests()), (0, 0), "nothing is left");
        self.books.tally.held(sights::EMPTY);
    }

    fn actions_max(&self) -> usize {
        let views = self.before.iter();
        let connections: usize = views.map(|view| view.connections.len()).sum();
        let burst = self.config.burst.get() as usize;
        4 * (burst + connections + self.keys.len()) + 2 * self.attempts.len() + 8
    }
}

fn kind(kindness: Kindness) -> Event {
    match kindness {
        Kindness::Probed(connection) => Event::Probed(connection),
        Kindness::Complete(connection, request) => {
            let outcome = Outcome::Complete;
            let (retry, body) = (RetrySafe::Answered, BodyState::Spent);
            let timing = Timing::default();
            Event::StreamEnded { connection, request, outcome, retry, body, timing }
        }
        Kindness::Closed(connection) => Event::Closed { connection, cause: Cause::ShutDown },
        Kindness::Limit(connection, limit) => Event::Limit { connection, limit },
    }
}

#[cfg(test)]
mod tests {
    use super::{Anarchy, World};
    use crate::testing::{regressions, tapes};

    #[test]
    fn the_books_agree_on_short_tapes() {
        tapes::<World>(20, 160);
    }

    #[test]
    fn the_books_agree_on_long_tapes() {
        tapes::<World>(5, 1_200);
    }

    #[test]
    fn the_contract_holds_in_anarchy() {
        tapes::<Anarchy>(10, 300);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<World>(&[
            // Progress of an attempt that waited for a socket, which no driver could know of.
            &[
                91, 212, 225, 240, 251, 255, 245, 46, 147, 48, 181, 239, 253, 228, 204, 226, 188,
                110, 136, 5, 1, 65, 74, 153, 165, 128, 22, 35, 243, 197, 206, 249, 88, 223, 79,
                162, 78, 57, 40, 168, 140, 81, 60, 163, 93, 68, 180, 156, 236, 236, 197, 207, 54,
                32, 28, 148, 191, 111, 36, 88, 133, 55, 156, 212, 22, 105, 77, 179, 135, 13, 18,
                197, 80, 217, 11, 91, 202, 167, 65, 156, 194, 68, 245, 72, 208, 152, 212, 137, 47,
                177, 154, 185, 126, 33, 214, 205, 23, 7, 115, 39, 149, 39, 20, 117, 170, 223, 235,
                157, 123, 67, 117, 14, 125, 184, 166, 241, 89, 222, 64, 244, 11, 121, 44, 83, 84,
                133, 157, 119, 107, 19, 197, 144, 242, 185, 255, 58, 198, 7, 94, 169, 252, 141,
                207, 195, 57, 213, 255, 245, 154, 254, 163, 69, 211, 112, 151, 158, 85, 221, 13,
                212, 253, 37, 175, 248, 236, 72, 249, 211, 186, 150, 113, 90, 123, 74, 145, 13,
                244, 252, 149, 175, 177, 163, 96, 233, 101, 225, 209, 254, 32, 88, 36, 155, 244,
                133, 75, 192, 189, 149, 158, 124, 116, 137, 117, 16, 238, 250, 43, 174, 176, 182,
                41, 13, 7, 169, 255, 176, 5, 92, 83, 232, 80, 148, 210, 227, 105, 186, 66, 190,
                200, 114, 195, 29, 83, 29, 112, 134, 82, 154, 62, 144, 240, 193, 83, 213, 23, 43,
                71, 75, 0, 59, 141, 22, 190, 51, 12, 91, 23, 222, 5, 203, 154, 102, 103, 3, 160,
                80, 197, 51, 16, 198, 85, 107, 241, 160, 169, 137, 213, 126, 232, 121, 135, 20,
            ],
            // The second race of a host never heard of its addresses.
            &[
                0, 20, 138, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 215, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 10, 0, 0, 0, 0, 207, 0, 0, 0, 0, 49,
                24, 0, 43, 0, 0, 0, 0, 0, 43, 11,
            ],
            // Its own idle connection made room for who stood in line, and waits for its end.
            &[
                0, 13, 176, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 223, 0, 0, 0, 243, 5, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 115, 0, 0, 0, 0, 0, 0, 0, 117, 0, 0, 0, 0, 0, 0, 23, 0, 182, 116, 0,
                0, 0, 0, 0, 211, 0, 0, 0, 0, 0, 0, 103, 0, 0, 0, 27, 1, 0, 132, 0, 0, 0, 52, 51,
            ],
            // What a burst had left of an old failure was told beside a new lookup.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 21, 0,
                0, 29, 0, 0, 0, 0, 0, 42, 0, 0, 0, 23, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23,
                0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 146, 4,
            ],
            // Who hoped for a sign of life left the line, and came to it again in the same call.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 83, 0, 0, 1, 0,
                0, 2, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0,
                0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 66, 1, 0, 117, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 17, 0, 51, 0, 0, 0, 0, 0, 9, 0, 0, 0, 29, 1,
            ],
        ]);
    }
}
