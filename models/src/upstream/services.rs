//! What must be true of HTTPS records, whatever they say: who asks for what and how often, how far
//! aliases are followed, and how long anybody waits for an answer.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::altsvc::{HttpsRecords, Said};
use regatta_core::id::{ConnectionId, PoolId};
use regatta_core::types::{Key, Origin, Scheme, Transport};
use regatta_core::upstream::{Event, PoolView, Upstream};
use regatta_core::{Duration, Instant};

use super::{World, races, sights};

/// Most aliases that are followed.
const ALIASES_MAX: u32 = 8;

/// For how long an answer holds at least, and at most.
const LIFETIME: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// What is known of every pool's HTTPS records.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// Questions under way.
    asked: BTreeMap<PoolId, Asked>,
    /// What pools may ask for next, because an alias led there in this call.
    aliases: BTreeMap<PoolId, Asked>,
    /// Last answers.
    answered: BTreeMap<PoolId, Answered>,
    /// Since when addresses are known to whoever is held back; nothing if there are none yet.
    held: BTreeMap<PoolId, Option<Instant>>,
    /// Origins of which somebody has said something, or may have.
    offered: BTreeSet<Origin>,
    /// A file was read: it may be about anything.
    restored: bool,
    /// How often the network has changed, and when it did last.
    networks: u64,
    changed: Option<Instant>,
    /// Since when somebody has waited in a pool: what is begun now may have been wanted then.
    wanting: BTreeMap<PoolId, Instant>,
    /// Since when somebody had waited when a connection was made, which may begin much later.
    made: BTreeMap<ConnectionId, Instant>,
    /// Connections over TCP that were begun in this call.
    begun: BTreeSet<ConnectionId>,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    /// The name, where an alias led to it.
    alias: Option<Box<str>>,
    aliases: u32,
    network: u64,
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    at: Instant,
    until: Instant,
    network: u64,
}

impl Services {
    /// A pool whose question nobody has answered yet.
    pub(super) fn any(&self) -> Option<PoolId> {
        self.asked.keys().next().copied()
    }

    /// All of them.
    pub(super) fn pools(&self) -> Vec<PoolId> {
        self.asked.keys().copied().collect()
    }

    pub(super) fn is_asked(&self, pool: PoolId) -> bool {
        self.asked.contains_key(&pool)
    }

    /// Whether somebody may have said that an origin has HTTP/3.
    pub(super) fn may_have_quic(&self, origin: &Origin) -> bool {
        self.restored || self.offered.contains(origin)
    }

    /// Whether an alias led to what is asked.
    pub(super) fn follows(&self, pool: PoolId) -> bool {
        self.asked.get(&pool).is_some_and(|asked| asked.aliases > 0)
    }

    /// Writes down what the world said.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        event: &Event,
        origin: Option<&Origin>,
        old: Duration,
    ) {
        match event {
            Event::Learnt { origin, said: Said::Offers(_), .. } => {
                self.offered.insert(origin.clone());
            }
            Event::Restored { .. } => self.restored = true,
            Event::NetworkChanged => {
                self.networks += 1;
                self.changed = Some(now);
            }
            Event::ServicesResolved { pool, records, ttl } => {
                let asked = self.asked.remove(pool).expect("it is legal");
                let outdated = asked.network != self.networks;
                match records {
                    HttpsRecords::Alias(name) if !outdated && asked.aliases < ALIASES_MAX => {
                        let (alias, aliases) = (Some(name.clone()), asked.aliases + 1);
                        self.aliases.insert(*pool, Asked { alias, aliases, ..asked });
                        return;
                    }
                    HttpsRecords::Offers(offers) if !offers.is_empty() => {
                        self.offered.extend(origin.cloned());
                    }
                    _ => {}
                }
                let lifetime = ttl.unwrap_or(old).clamp(LIFETIME.0, LIFETIME.1);
                let (at, until, network) = (now, now + lifetime, asked.network);
                self.answered.insert(*pool, Answered { at, until, network });
            }
            _ => {}
        }
    }

    /// A pool asks for the records of a name.
    fn ask(&mut self, now: Instant, pool: PoolId, name: &str, own: &str) {
        let asked = match self.aliases.remove(&pool) {
            Some(asked) => {
                assert_eq!(asked.alias.as_deref(), Some(name), "{pool} follows another alias");
                asked
            }
            None => {
                assert_eq!(name, own, "{pool} asks for another name");
                let known = self.answered.get(&pool);
                let known = known.filter(|known| known.network == self.networks);
                assert!(known.is_none_or(|known| known.until <= now), "{pool} knows them");
                Asked { network: self.networks, ..Asked::default() }
            }
        };
        assert!(self.asked.insert(pool, asked).is_none(), "{pool} asks twice at once");
    }

    pub(super) fn begun(&mut self, connection: ConnectionId, transport: Transport) {
        if transport == Transport::Tcp {
            self.begun.insert(connection);
        }
    }

    /// A connection over TCP was begun: unless somebody has offered something its pool has asked.
    fn has_asked(&self, pool: PoolId, key: &Key, made: Instant) -> bool {
        let answered = self.answered.get(&pool).is_some_and(|known| {
            known.at >= made || known.until > made && known.network == self.networks
        });
        let moved = self.changed.is_some_and(|at| at >= made);
        answered || moved || self.may_have_quic(&key.origin) || self.is_asked(pool)
    }
}

impl<const RACES: bool> World<RACES> {
    /// The world has said something.
    pub(super) fn hear_of_services(&mut self, event: &Event) {
        let origin = match event {
            Event::ServicesResolved { pool, .. } => {
                let view = self.before.iter().find(|view| view.id == *pool);
                view.map(|view| view.key.origin.clone())
            }
            _ => None,
        };
        let old = self.config.address_lifetime;
        self.services.hear(self.books.now, event, origin.as_ref(), old);
    }

    /// A pool asks for HTTPS records.
    pub(super) fn services_asked(&mut self, pool: PoolId, origin: &Origin, name: &str) {
        let raced = |key: &Key| key.origin == *origin && races::is_raced(key);
        let wanted = self.config.profiles[0].https_records;
        assert!(wanted && self.keys.iter().any(raced), "nobody asked for {origin}");
        let own = match origin.port == Scheme::Https.default_port() {
            true => origin.host.to_string(),
            false => format!("_{}._https.{}", origin.port, origin.host),
        };
        self.services.ask(self.books.now, pool, name, &own);
        self.books.tally.held(sights::LOOKUP);
    }

    /// After each call; where no timer is due any more, nobody has waited for too long.
    pub(super) fn services_are_right(
        &mut self,
        machine: &Upstream,
        after: &[PoolView],
        done: bool,
    ) {
        if !self.config.profiles[0].https_records {
            return;
        }
        let now = self.books.now;
        let services = &mut self.services;
        for view in after.iter().filter(|view| races::is_raced(&view.key)) {
            let since = services.wanting.get(&view.id).copied().unwrap_or(now);
            for connection in &view.connections {
                services.made.entry(connection.id).or_insert(since);
            }
        }
        for connection in core::mem::take(&mut self.services.begun) {
            let Some(timeline) = machine.connection_timeline(connection) else { continue };
            let view = after.iter().find(|view| view.id == timeline.pool);
            let Some(view) = view.filter(|view| races::is_raced(&view.key)) else { continue };
            let wanted = self.services.made.get(&connection).copied().unwrap_or(now);
            let asked = self.services.has_asked(view.id, &view.key, wanted.min(timeline.made));
            assert!(asked, "{connection} was begun and {} never asked for services", view.id);
            self.books.tally.held(sights::SERVICES_ASKED);
        }
        self.services.aliases.clear();
        let lives = |id: &ConnectionId| {
            after.iter().any(|view| view.connections.iter().any(|connection| connection.id == *id))
        };
        self.services.made.retain(|connection, _| lives(connection));
        let waits = |view: &&PoolView| view.waiting > 0 || view.awaits_turn;
        let wanting = after.iter().filter(waits).map(|view| {
            let since = self.services.wanting.get(&view.id).copied();
            (view.id, since.unwrap_or(now))
        });
        self.services.wanting = wanting.collect();
        let alive = |pool: &PoolId| after.iter().any(|view| view.id == *pool);
        self.services.answered.retain(|pool, _| alive(pool));
        self.services
            .held
            .retain(|pool, _| after.iter().any(|view| view.id == *pool && view.is_held_back));
        for view in after.iter().filter(|view| view.is_held_back) {
            assert!(self.services.is_asked(view.id), "{} waits for nothing", view.id);
            let usable = self.has_addresses(&view.key.origin.host);
            let since = self.services.held.entry(view.id).or_default();
            *since = since.or(usable.then_some(now));
            let delay = self.config.clusters[view.key.cluster.slot()].eyeballs.resolution_delay;
            let over = since.is_some_and(|since| now >= since + delay);
            assert!(!(done && over), "{} is held back for too long", view.id);
            self.books.tally.held(sights::HELD_BACK);
        }
    }

    /// Whether there is an address to connect to.
    fn has_addresses(&self, name: &str) -> bool {
        let asked = self
            .resolving
            .iter()
            .filter(|(host, _)| self.names.get(host).is_some_and(|known| **known == *name));
        // Of one name there may be a host in each cluster.
        match asked.map(|(_, told)| *told).reduce(|one, other| one && other) {
            Some(told) => told,
            None => self.known.get(name).is_some_and(|until| self.books.now < *until),
        }
    }
}
