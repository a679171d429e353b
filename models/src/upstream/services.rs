//! What must be true of HTTPS records, whatever they say: what is asked for and how often, how far
//! aliases are followed, and how long anybody waits for an answer.

use std::collections::BTreeMap;

use regatta_core::altsvc::HttpsRecords;
use regatta_core::id::PoolId;
use regatta_core::types::{Key, Origin, Scheme};
use regatta_core::upstream::{Event, PoolView};
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
    /// How often the network has changed.
    networks: u64,
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

    /// Whether an alias led to what is asked.
    pub(super) fn follows(&self, pool: PoolId) -> bool {
        self.asked.get(&pool).is_some_and(|asked| asked.aliases > 0)
    }

    /// Writes down what the world said.
    pub(super) fn hear(&mut self, now: Instant, event: &Event, old: Duration) {
        match event {
            Event::NetworkChanged => self.networks += 1,
            Event::ServicesResolved { pool, records, ttl } => {
                let asked = self.asked.remove(pool).expect("it is legal");
                if let HttpsRecords::Alias(name) = records
                    && asked.network == self.networks
                    && asked.aliases < ALIASES_MAX
                {
                    let (alias, aliases) = (Some(name.clone()), asked.aliases + 1);
                    self.aliases.insert(*pool, Asked { alias, aliases, ..asked });
                    return;
                }
                let lifetime = ttl.unwrap_or(old).clamp(LIFETIME.0, LIFETIME.1);
                let (until, network) = (now + lifetime, asked.network);
                self.answered.insert(*pool, Answered { until, network });
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
}

impl<const RACES: bool> World<RACES> {
    /// The world has said something.
    pub(super) fn hear_of_services(&mut self, event: &Event) {
        self.services.hear(self.books.now, event, self.config.address_lifetime);
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
    pub(super) fn services_are_right(&mut self, after: &[PoolView], done: bool) {
        if !self.config.profiles[0].https_records {
            return;
        }
        let now = self.books.now;
        self.services.aliases.clear();
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
