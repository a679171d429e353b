//! Hosts: names and their addresses, shared by all pools of a name.

use core::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::arena::Arena;
use crate::id::{ConnectionId, HostId};
use crate::origins::OriginTable;
use crate::time::{Duration, Instant};

/// What is known of a host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    /// Nothing.
    Unknown,
    /// The resolver is at work; `outdated` when the network changed meanwhile.
    Resolving { outdated: bool },
    /// They may be used until then.
    Known { until: Instant },
}

/// One name.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: Arc<str>,
    hash: u64,
    /// How many pools are of this name.
    pools: u32,
    lookup: Lookup,
    pub(super) addresses: Vec<IpAddr>,
    /// When the first of them came.
    since: Instant,
    /// The connections whose race is under way.
    pub(super) racing: SmallVec<[ConnectionId; 2]>,
}

/// What a race that begins finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the resolver has to be asked.
    Nothing,
    /// Some addresses perhaps, the first of which came then; the resolver is at work.
    SoFar(Vec<IpAddr>, Instant),
    /// All of them.
    All(Vec<IpAddr>),
}

impl Host {
    /// The addresses for a race that begins now; after [`Found::Nothing`] it is resolving.
    pub(super) fn find(&mut self, now: Instant) -> Found {
        match self.lookup {
            Lookup::Resolving { .. } => Found::SoFar(self.addresses.clone(), self.since),
            Lookup::Known { until } if now < until => Found::All(self.addresses.clone()),
            Lookup::Known { .. } | Lookup::Unknown => {
                self.addresses.clear();
                self.lookup = Lookup::Resolving { outdated: false };
                Found::Nothing
            }
        }
    }

    pub(super) const fn is_resolving(&self) -> bool {
        matches!(self.lookup, Lookup::Resolving { .. })
    }

    /// Takes addresses in, each once, at most `most` of them.
    pub(super) fn add(&mut self, now: Instant, addresses: &[IpAddr], most: usize) {
        if self.addresses.is_empty() {
            self.since = now;
        }
        for address in addresses {
            if self.addresses.len() < most && !self.addresses.contains(address) {
                self.addresses.push(*address);
            }
        }
    }

    /// The resolver is done.
    pub(super) fn finish(&mut self, now: Instant, lifetime: Duration) {
        let outdated = self.lookup == Lookup::Resolving { outdated: true };
        self.lookup = if outdated || self.addresses.is_empty() {
            Lookup::Unknown
        } else {
            Lookup::Known { until: now + lifetime }
        };
    }

    /// The addresses are of no use any more.
    pub(super) fn forget(&mut self) {
        match &mut self.lookup {
            Lookup::Resolving { outdated } => *outdated = true,
            Lookup::Known { .. } | Lookup::Unknown => self.lookup = Lookup::Unknown,
        }
    }

    /// All addresses failed: ask again next time. An answer under way may be better.
    pub(super) fn disappoint(&mut self) {
        if !self.is_resolving() {
            self.forget();
        }
    }
}

/// Every host, by id and by name.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    arena: Arena<HostId, Host>,
    names: OriginTable<HostId>,
}

impl Hosts {
    pub(super) fn new(seed: u64) -> Self {
        Self { arena: Arena::new(), names: OriginTable::new(seed) }
    }

    pub(super) fn get(&self, host: HostId) -> Option<&Host> {
        self.arena.get(host)
    }

    pub(super) fn get_mut(&mut self, host: HostId) -> Option<&mut Host> {
        self.arena.get_mut(host)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (HostId, &Host)> {
        self.arena.iter()
    }

    /// Counts one more pool of `name`.
    pub(super) fn take(&mut self, name: &Arc<str>) -> HostId {
        let hash = self.names.hash_name(name);
        let is = |id| self.arena.get(id).is_some_and(|host: &Host| host.name == *name);
        if let Some(id) = self.names.find(hash, is) {
            if let Some(host) = self.arena.get_mut(id) {
                host.pools += 1;
            }
            return id;
        }
        let id = self.arena.insert(Host {
            name: Arc::clone(name),
            hash,
            pools: 1,
            lookup: Lookup::Unknown,
            addresses: Vec::new(),
            since: Instant::EPOCH,
            racing: SmallVec::new(),
        });
        self.names.insert(hash, id);
        id
    }

    /// Counts one pool less; a host without pools is forgotten.
    pub(super) fn give(&mut self, id: HostId) {
        let Some(host) = self.arena.get_mut(id) else { return };
        host.pools -= 1;
        if host.pools == 0 {
            let hash = host.hash;
            self.arena.remove(id);
            self.names.remove(hash, id);
        }
    }

    /// Panics unless names, ids and `pools` (the host of each pool) agree.
    pub(super) fn check(&self, pools: impl Iterator<Item = HostId>) {
        let mut users = vec![0; self.arena.iter().map(|(id, _)| id.slot() + 1).max().unwrap_or(0)];
        for host in pools {
            assert!(self.arena.contains(host), "a pool is of {host}, which does not live");
            if let Some(count) = users.get_mut(host.slot()) {
                *count += 1;
            }
        }
        for (id, host) in self.arena.iter() {
            assert_eq!(users.get(id.slot()), Some(&host.pools), "{id}: how many pools it has");
            assert_eq!(self.names.find(host.hash, |known| known == id), Some(id), "name of {id}");
        }
        assert_eq!(self.names.len(), self.arena.len(), "names and hosts");
    }
}
