//! What a world is made of: keys, addresses, and an upstream's settings.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;
use std::sync::Arc;

use regatta_core::id::{ClusterId, ProfileId};
use regatta_core::types::{Key, Origin, Priority, Scheme};
use regatta_core::upstream::{Cluster, Config, Profile, Protocols};

use crate::settings;
use crate::settings::{HUGE, count, ms};
use crate::tape::Tape;

pub(super) const ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
    IpAddr::V6(core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The port tells the key: 8000 and its index.
pub(super) fn keys() -> Vec<Key> {
    let key = |cluster, scheme, host: &str, profile, priority| Key {
        cluster: ClusterId::new(cluster, 0),
        origin: Origin { scheme, host: Arc::from(host), port: 0 },
        profile: ProfileId(profile),
        priority,
    };
    let mut keys = vec![
        key(0, Scheme::Https, "a.example", 0, Priority::Default),
        key(0, Scheme::Http, "a.example", 0, Priority::Default),
        key(0, Scheme::Https, "b.example", 0, Priority::High),
        key(1, Scheme::Http, "a.example", 1, Priority::Default),
    ];
    for (port, key) in (8_000..).zip(&mut keys) {
        key.origin.port = port;
    }
    keys
}

fn profile(protocols: Protocols) -> Profile {
    let mut profile = Profile::default();
    profile.protocols = protocols;
    profile
}

fn cluster(tape: &mut Tape) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.limits = settings::breakers(tape);
    cluster.limits_high = settings::breakers(tape);
    cluster.pool = settings::pool(tape);
    cluster.eyeballs = settings::race(tape);
    cluster
}

/// Many twice: where both draws are the second of those there is no socket at all, which refuses
/// everyone and must be rare.
const MANY_OR_FEW_SOCKETS: [(u32, bool); 5] =
    [(16_384, false), (16_384, true), (1, false), (2, false), (4, false)];
const MANY_OR_FEW_POOLS: [(u32, bool); 5] =
    [(65_536, false), (65_536, true), (1, false), (2, false), (0, false)];

pub(super) fn draw(tape: &mut Tape) -> Config {
    let mut config = Config::default();
    config.seed = u64::from(tape.draw("seed", 3));
    config.clusters = vec![cluster(tape), cluster(tape)];
    config.profiles = vec![profile(Protocols::Auto), profile(Protocols::Http2PriorKnowledge)];
    let (max_sockets, none) = tape.pick("sockets", &MANY_OR_FEW_SOCKETS);
    let (max_pools, rare) = tape.pick("pools", &MANY_OR_FEW_POOLS);
    config.max_sockets = if none && rare { 0 } else { max_sockets };
    config.max_pools = max_pools;
    config.pool_idle_timeout = tape.pick("pool idle", &[ms(60_000), ms(0), ms(500), HUGE]);
    config.address_lifetime = tape.pick("lifetime", &[ms(60_000), ms(0), ms(100), HUGE]);
    config.burst = count(tape.pick("burst", &[64, 64, 1, 2]));
    // One draw for both: the tapes that once failed stay what they are.
    let both = [(64, 0), (0, 0), (1, 0), (64, 1), (0, 2), (1, 1)];
    let (records, handshakes) = tape.pick("records", &both);
    config.records = records;
    config.max_handshakes = NonZeroU32::new(handshakes);
    config
}
