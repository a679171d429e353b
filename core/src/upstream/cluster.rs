//! Clusters as pools need them, and the pools by key.

use std::sync::Arc;

use super::config::{Cluster, Profile, Protocols};
use super::grid::Grid;
use crate::eyeballs;
use crate::id::{ClusterId, HostId, PoolId};
use crate::limits::Limits;
use crate::list::{Link, Linked};
use crate::pool::{self, Pool};
use crate::race;
use crate::time::Instant;
use crate::types::{Key, Priority, Scheme, Transport};

/// One cluster's settings, shared with its pools.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) pool: Arc<pool::Config>,
    pub(super) eyeballs: eyeballs::Config,
    pub(super) race: race::Config,
}

impl Settings {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            pool: Arc::new(cluster.pool.clone()),
            eyeballs: cluster.eyeballs.clone(),
            race: cluster.race.clone(),
        }
    }
}

/// The circuit breakers of all clusters, two each.
pub(super) fn limits(clusters: &[Cluster]) -> Vec<Limits> {
    let both = clusters.iter().flat_map(|cluster| [&cluster.limits, &cluster.limits_high]);
    both.map(Limits::new).collect()
}

/// The index of a key's circuit breakers in [`limits`].
pub(super) const fn breaker(key: &Key) -> usize {
    breaker_of(key.cluster, key.priority)
}

/// As above, of a cluster and priority.
pub(super) const fn breaker_of(cluster: ClusterId, priority: Priority) -> usize {
    cluster.slot() * 2 + matches!(priority, Priority::High) as usize
}

/// Whether only HTTP/1 can come out of a connection.
pub(super) const fn is_http1_alone(protocols: Protocols, scheme: Scheme) -> bool {
    match protocols {
        Protocols::Auto | Protocols::AutoHttp3 | Protocols::Http2 => {
            matches!(scheme, Scheme::Http)
        }
        Protocols::Http1 => true,
        Protocols::Http2PriorKnowledge | Protocols::Http3 => false,
    }
}

/// What the attempts of a profile go over, where nothing races.
pub(super) fn transport(profile: Option<&Profile>) -> Transport {
    match profile.map(|profile| profile.protocols) {
        Some(Protocols::Http3) => Transport::Quic,
        _ => Transport::Tcp,
    }
}

/// A pool and what the upstream knows about it. What every exchange touches comes first: one
/// line of the cache of its own, then the pool's.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Member {
    pub(super) key: Key,
    /// Which deadline of its stands in the heap; [`Instant::MAX`] is none.
    pub(super) armed: Instant,
    /// It is empty and in the list of those.
    pub(super) is_empty: bool,
    /// Its work was cut off by the budget and it stands in line.
    pub(super) in_line: bool,
    /// It waits for its turn to begin a connection.
    pub(super) awaits_turn: bool,
    /// It has a race between the transports.
    pub(super) races: bool,
    /// That race was told that nobody waits.
    pub(super) quiet: bool,
    pub(super) pool: Pool,
    pub(super) host: HostId,
    /// Since when it is empty, if it is.
    pub(super) since: Instant,
    empty_link: Link,
    turn_link: Link,
    pub(super) grid: Option<Box<Grid>>,
}

impl Member {
    pub(super) fn new(mut pool: Pool, key: Key, host: HostId, grid: Option<Box<Grid>>) -> Self {
        if grid.is_some() {
            pool.let_race();
        }
        Self {
            races: grid.is_some(),
            quiet: true,
            grid,
            key,
            armed: Instant::MAX,
            is_empty: false,
            in_line: false,
            awaits_turn: false,
            pool,
            host,
            since: Instant::EPOCH,
            empty_link: Link::default(),
            turn_link: Link::default(),
        }
    }

    /// Whether `key` is its own. Who keeps the key of an origin has the very same name, mostly.
    #[inline]
    pub(super) fn is_of(&self, key: &Key) -> bool {
        let (own, other) = (&self.key.origin, &key.origin);
        own.port == other.port
            && own.scheme == other.scheme
            && self.key.cluster == key.cluster
            && self.key.profile == key.profile
            && self.key.priority == key.priority
            && (Arc::ptr_eq(&own.host, &other.host) || own.host == other.host)
    }

    /// Whether nothing of it has changed that the upstream keeps account of.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        let pool = &self.pool;
        pool.wake >= self.armed
            && (!pool.unfinished || self.in_line)
            && pool.occupied != self.is_empty
            && pool.wants_turn == self.awaits_turn
            && (!self.races || self.quiet == pool.nobody_waits())
    }

    pub(super) const fn id(&self) -> PoolId {
        self.pool.id
    }
}

/// Pools without connections and requests, the longest empty first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Empties;

impl Linked<Member> for Empties {
    fn link(value: &Member) -> &Link {
        &value.empty_link
    }
    fn link_mut(value: &mut Member) -> &mut Link {
        &mut value.empty_link
    }
}

/// Pools that wait for their turn to begin a connection, the longest waiting first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns;

impl Linked<Member> for Turns {
    fn link(value: &Member) -> &Link {
        &value.turn_link
    }
    fn link_mut(value: &mut Member) -> &mut Link {
        &mut value.turn_link
    }
}
