//! The ledger itself: origins in the order of their last use, and what is known of each.

mod check;
mod load;
mod notes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::health::{Health, State};
use super::{Alternative, Config, Offer, Said, Source, authority};
use crate::arena::Arena;
use crate::id::Id;
use crate::list::{Link, Linked, List};
use crate::origins::OriginTable;
use crate::time::{Duration, Instant};
use crate::types::{Origin, Protocol, Scheme};

/// What else serves each of many origins.
#[derive(Clone, Debug)]
pub struct Ledger {
    config: Config,
    entries: Arena<Place, Entry>,
    table: OriginTable<u32>,
    /// The most recently used first.
    order: List<Recency>,
    /// Who speaks for a suffix, by its place in the configuration and the port.
    canonical: BTreeMap<(u32, u16), Place>,
    /// Counts the networks that there were.
    network: u32,
    evicted: u64,
    refused: u64,
}

/// One alternative as it is known at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// Which.
    pub alternative: &'a Alternative,
    /// How well it has worked.
    pub state: State,
    /// Until when it is offered.
    pub until: Instant,
    /// Who said so.
    pub source: Source,
    /// Whether it outlives a change of network.
    pub persist: bool,
}

/// Where something was heard, and how old it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where.
    pub source: Source,
    /// The response's Age, taken off `ma` (RFC 7838 3.1, AS-7).
    pub age: Duration,
}

impl From<Source> for Heard {
    /// Just now.
    fn from(source: Source) -> Self {
        Self { source, age: Duration::ZERO }
    }
}

/// Why nothing was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotLearnt {
    /// The origin is of plain text: nothing could prove that an alternative speaks for it.
    NotSecure,
    /// A guess, where something is known.
    AlreadyKnown,
}

/// An origin's place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    slot: u32,
    generation: u32,
}

impl Id for Place {
    fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
    fn slot(self) -> usize {
        self.slot as usize
    }
    fn generation(self) -> u32 {
        self.generation
    }
}

#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    link: Link,
    /// On which network it was last written.
    network: u32,
    /// In microseconds; 0 is unknown.
    rtt: u32,
    /// Said, then told by DNS, then no longer offered and remembered; each in its order.
    held: SmallVec<[Held; 1]>,
}

#[derive(Clone, Debug)]
struct Held {
    alternative: Alternative,
    /// Until when the origin has said so; the epoch where it has not.
    said: Instant,
    /// Until when DNS has.
    dns: Instant,
    health: Health,
    /// Who said so, where anyone has; else DNS.
    source: Source,
    persist: bool,
    /// Its place among those that DNS offers.
    rank: u8,
}

#[derive(Clone, Copy, Debug)]
enum Recency {}

impl Linked<Entry> for Recency {
    fn link(entry: &Entry) -> &Link {
        &entry.link
    }
    fn link_mut(entry: &mut Entry) -> &mut Link {
        &mut entry.link
    }
}

/// Who offers it, if anyone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Said,
    Dns,
    Remembered,
}

impl Held {
    const fn remembered(alternative: Alternative, health: Health) -> Self {
        let (said, dns) = (Instant::EPOCH, Instant::EPOCH);
        Self { alternative, said, dns, health, source: Source::Dns, persist: false, rank: 0 }
    }

    fn class(&self) -> Class {
        if self.said > Instant::EPOCH {
            Class::Said
        } else if self.dns > Instant::EPOCH {
            Class::Dns
        } else {
            Class::Remembered
        }
    }

    /// In this order they stand.
    fn place(&self) -> (Class, u8) {
        let class = self.class();
        (class, if class == Class::Dns { self.rank } else { 0 })
    }
}

impl Ledger {
    /// Knows nothing yet.
    pub fn new(mut config: Config) -> Self {
        for least_one in
            [&mut config.max_origins, &mut config.max_alternatives, &mut config.max_hosts]
        {
            *least_one = (*least_one).max(1);
        }
        Self {
            table: OriginTable::new(config.seed),
            config,
            entries: Arena::new(),
            order: List::default(),
            canonical: BTreeMap::new(),
            network: 0,
            evicted: 0,
            refused: 0,
        }
    }

    /// Its settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many origins are remembered.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many origins were forgotten to make room.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many alternatives were passed over because a limit or a rule says so.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Every alternative that `origin` offers now, the best first: what it has said itself, then
    /// what DNS says. An origin that offers none has those of its canonical suffix.
    pub fn known(&self, now: Instant, origin: &Origin) -> impl Iterator<Item = Known<'_>> {
        let entry = self.speaker(now, origin).and_then(|place| self.entries.get(place));
        entry.into_iter().flat_map(move |entry| {
            entry.held.iter().filter_map(move |held| self.shown(now, entry, held))
        })
    }

    /// The first alternative for `protocol` that may be tried. O(1) in origins.
    pub fn best(&self, now: Instant, origin: &Origin, protocol: Protocol) -> Option<Known<'_>> {
        let mut known = self.known(now, origin);
        known.find(|known| known.alternative.protocol == protocol && known.state.is_usable())
    }

    /// The smoothed round trip to the origin as it was last measured on this network, or that of
    /// its canonical suffix.
    pub fn rtt(&self, origin: &Origin) -> Option<Duration> {
        let own = self.find(origin).and_then(|place| self.rtt_at(place));
        own.or_else(|| self.rtt_at(self.canonical(origin)?))
    }

    fn rtt_at(&self, place: Place) -> Option<Duration> {
        let entry = self.entries.get(place).filter(|entry| entry.network == self.network)?;
        (entry.rtt > 0).then(|| Duration::from_micros(entry.rtt.into()))
    }

    /// An alternative as it is now, if it is offered.
    fn shown<'a>(&self, now: Instant, entry: &Entry, held: &'a Held) -> Option<Known<'a>> {
        let here = entry.network == self.network;
        let said = if here || held.persist { held.said } else { Instant::EPOCH };
        let dns = if here { held.dns } else { Instant::EPOCH };
        let (until, source) = if said > now { (said, held.source) } else { (dns, Source::Dns) };
        if until <= now {
            return None;
        }
        let state = if here { held.health.state(now) } else { State::Unknown };
        let persist = held.persist && source != Source::Dns;
        Some(Known { alternative: &held.alternative, state, until, source, persist })
    }

    fn find(&self, origin: &Origin) -> Option<Place> {
        let is = |slot: u32| self.entries.at(slot as usize).is_some_and(|e| e.origin == *origin);
        let slot = self.table.find(self.table.hash_origin(origin), is)?;
        self.entries.id_at(slot as usize)
    }

    fn offers_any(&self, now: Instant, place: Place) -> bool {
        self.entries.get(place).is_some_and(|entry| {
            entry.held.iter().any(|held| self.shown(now, entry, held).is_some())
        })
    }

    /// Whose entry speaks for `origin`: its own, or that of its suffix where only that offers.
    fn speaker(&self, now: Instant, origin: &Origin) -> Option<Place> {
        let own = self.find(origin);
        if own.is_some_and(|place| self.offers_any(now, place)) {
            return own;
        }
        let canonical = self.canonical(origin).filter(|place| self.offers_any(now, *place));
        canonical.or(own)
    }

    /// The suffix of a host, and its port.
    fn suffix(&self, origin: &Origin) -> Option<(u32, u16)> {
        if origin.scheme != Scheme::Https {
            return None;
        }
        let suffixes = (0..).zip(&self.config.canonical_suffixes);
        let mut fitting = suffixes
            .filter(|(_, suffix)| suffix.starts_with('.') && origin.host.ends_with(&***suffix));
        fitting.next().map(|(index, _)| (index, origin.port))
    }

    fn canonical(&self, origin: &Origin) -> Option<Place> {
        if self.config.canonical_suffixes.is_empty() {
            return None;
        }
        let place = *self.canonical.get(&self.suffix(origin)?)?;
        self.entries.contains(place).then_some(place)
    }

    /// Whether an origin may send its clients there (AS-12).
    fn may(&self, origin: &Origin, alternative: &Alternative) -> bool {
        let to = alternative.host.as_deref();
        let private = self.config.refuse_private
            && to.is_some_and(authority::is_private)
            && !authority::is_private(&origin.host);
        let user_port = self.config.refuse_user_ports
            && to.is_none()
            && origin.port < 1_024
            && alternative.port >= 1_024;
        !private && !user_port
    }
}
