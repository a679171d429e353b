//! What `check` must see: a row breaks one thing in an upstream that is in order, and says what
//! must be said of it.

use super::*;
use crate::machine::must_see;

/// Pool 0 carries a request on connection 0, pool 1 races two addresses for connection 1 and has
/// a socket for one of them, pool 2 is empty.
fn three_pools() -> Upstream {
    let mut rig = Rig::new(|config| config.max_sockets = 2);
    rig.up(&http(), Protocol::Http1, 1);
    let (_, actions) = rig.request(&key(Scheme::Https, "two.test"));
    let host = hosts(&actions)[0];
    let second = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    rig.event(Event::Resolved { host, addresses: vec![ADDRESS, second] });
    rig.pass(1_000);
    assert_eq!(rig.up.parked.len(), 1);
    let (request, _) = rig.request(&key(Scheme::Http, "three.test"));
    rig.event(Event::Cancelled(request));
    assert_eq!(rig.up.empties.len(), 1);
    rig.up
}

fn pool(slot: u32) -> PoolId {
    PoolId::new(slot, 0)
}

fn member(upstream: &mut Upstream, slot: u32) -> &mut Member {
    upstream.pools.get_mut(pool(slot)).expect("lives")
}

fn race_of(upstream: &mut Upstream, slot: usize) -> &mut Race {
    upstream.races[slot].as_deref_mut().expect("races")
}

#[test]
fn a_pool_out_of_the_lists_and_tables_is_seen() {
    must_see(
        &three_pools(),
        &[
            ("circuit breaker of Connections", |upstream| {
                upstream.tables.limits[0].take(crate::limits::Resource::Connections);
            }),
            ("an inner action was left", |upstream| {
                upstream.inner.push(pool::Action::Probe(ConnectionId::new(0, 0)));
            }),
            ("an inner action was left", |upstream| upstream.eyes.push(eyeballs::Action::Abort(0))),
            ("p0.0", |upstream| member(upstream, 0).key.origin.port ^= 1),
            ("p2.0: listed as empty", |upstream| member(upstream, 2).is_empty = false),
            ("p0.0: listed as empty", |upstream| member(upstream, 0).is_empty = true),
            ("p0.0: stands in line", |upstream| member(upstream, 0).in_line = true),
            ("p0.0: stands in line", |upstream| upstream.unfinished.push_back(pool(0))),
            ("p0.0 is forgotten unfinished", |upstream| member(upstream, 0).pool.unfinished = true),
            ("p0.0: its deadline", |upstream| member(upstream, 0).armed = Instant::EPOCH),
            ("p0.0: its deadline", |upstream| upstream.pool_timers.set(0, None)),
            ("p0.0 would wake late", |upstream| {
                upstream.pool_timers.set(0, None);
                member(upstream, 0).armed = Instant::MAX;
            }),
            ("p1.0 would wake late", |upstream| {
                let late = member(upstream, 1).armed + Duration::from_nanos(1);
                upstream.pool_timers.set(1, Some(late));
                member(upstream, 1).armed = late;
            }),
            ("pools in the list of empty ones", |upstream| {
                upstream.empties.remove(&mut upstream.pools, 2);
            }),
            ("origins and pools", |upstream| upstream.origins.insert(7, pool(7))),
            ("more pools than allowed", |upstream| upstream.max_pools = 2),
        ],
    );
}

#[test]
fn a_race_that_contradicts_its_connection_is_seen() {
    must_see(
        &three_pools(),
        &[
            ("outlives it", |upstream| race_of(upstream, 1).connection = ConnectionId::new(7, 0)),
            ("c1.0", |upstream| race_of(upstream, 1).pool = pool(0)),
            ("c1.0: race and connection", |upstream| race_of(upstream, 1).eyeballs = None),
            ("c1.0: whether its host tells it addresses", |upstream| {
                let host = race_of(upstream, 1).host;
                upstream.hosts.get_mut(host).expect("lives").racing.clear();
            }),
            ("c0.0: whether its host tells it addresses", |upstream| {
                let (host, racing) = (race_of(upstream, 0).host, ConnectionId::new(0, 0));
                upstream.hosts.get_mut(host).expect("lives").racing.push(racing);
            }),
            ("ended and lives", |upstream| {
                race_of(upstream, 1).lines[0].ended = Some(Instant::EPOCH);
            }),
            ("c1.0: attempts with a socket", |upstream| race_of(upstream, 1).running += 1),
            ("c1.0", |upstream| upstream.race_timers.set(1, Some(Instant::MAX))),
            ("c0.0 has no race", |upstream| upstream.races[0] = None),
            ("attempts outside races", |upstream| race_of(upstream, 1).lines.truncate(1)),
            ("parked attempts", |upstream| upstream.parked.clear()),
            ("sockets", |upstream| upstream.tables.sockets -= 1),
            ("told to close", |upstream| upstream.tables.leaving += 1),
            ("pools in line", |upstream| upstream.tables.handshakes.in_line += 1),
            ("more sockets than allowed", |upstream| upstream.tables.max_sockets = 1),
        ],
    );
}

#[test]
fn an_idle_connection_out_of_the_list_or_its_order_is_seen() {
    let mut rig = Rig::new(|_| ());
    for name in ["one.test", "two.test"] {
        let (_, request) = rig.up(&key(Scheme::Http, name), Protocol::Http1, 1);
        rig.now += 1;
        rig.complete(request);
    }
    must_see(
        &rig.up,
        &[
            ("c0.0 is idle and would not be found", |upstream| {
                let tables = &mut upstream.tables;
                tables.resting.remove(&mut tables.connections, 0);
            }),
            ("the longest idle is not first", |upstream| {
                let tables = &mut upstream.tables;
                tables.resting.move_back(&mut tables.connections, 0);
            }),
        ],
    );
}

#[test]
fn a_host_with_users_out_of_count_is_seen() {
    must_see(
        &three_pools(),
        &[
            ("which does not live", |upstream| member(upstream, 0).host = HostId::new(7, 0)),
            ("h0.0: how many pools it has", |upstream| {
                upstream.hosts.take(&"example.test".into());
            }),
            ("h3.0: how many pools it has", |upstream| {
                upstream.hosts.take(&"four.test".into());
            }),
            ("h0.0: how many pools it has", |upstream| {
                member(upstream, 2).host = HostId::new(0, 0);
            }),
        ],
    );
}
