//! What can be asked of an upstream from outside.

use super::*;
use crate::limits::Resource;

#[test]
fn whose_a_pool_and_a_connection_are_can_be_asked() {
    let mut rig = Rig::new(|_| ());
    let (connection, request) = rig.up(&https(), Protocol::Http2, 7);
    let pool = rig.up.pool_of(request).unwrap();
    assert_eq!(rig.up.key_of(pool), Some(&https()));
    assert_eq!(rig.up.origin_of(connection), Some(&https().origin));
    let (other, _) = rig.up(&http(), Protocol::Http1, 1);
    assert_eq!(rig.up.origin_of(other), Some(&http().origin));
    assert_eq!(rig.up.key_of(PoolId::new(9, 0)), None);
    assert_eq!(rig.up.origin_of(ConnectionId::new(9, 0)), None);
    rig.event(Event::Closed { connection, cause: Cause::Closed });
    assert_eq!(rig.up.origin_of(connection), None, "it is gone");
}

#[test]
fn how_many_streams_are_assumed_is_learned_from_the_last_connection() {
    let mut rig = Rig::new(|config| config.clusters[0].pool.assumed_streams = NonZeroU32::MIN);
    let (_, actions) = rig.request(&https());
    let actions = rig.resolve(&actions);
    let (attempt, first) = attempts(&actions)[0];
    assert_eq!(rig.up.assumed_streams(first), Some(1), "as configured");
    let (_, actions) = rig.request(&https());
    let (_, second) = attempts(&actions)[0];
    rig.connected(attempt, Protocol::Http2, 7);
    assert_eq!(rig.up.assumed_streams(first), Some(7), "as the first was granted");
    assert_eq!(rig.up.assumed_streams(second), None, "one carries both requests");
}

#[test]
fn what_is_in_use_is_counted_by_cluster_and_priority() {
    let mut rig = Rig::new(|config| config.clusters.push(Cluster::default()));
    let mut high = http();
    high.priority = Priority::High;
    let mut second = http();
    second.cluster = ClusterId::new(1, 0);
    for (key, many) in [(http(), 2), (high, 3), (second, 4)] {
        for _ in 0..many {
            rig.request(&key);
        }
    }
    assert_eq!(rig.up.requests(), 9);
    let used = |cluster, priority, what| rig.up.in_use(ClusterId::new(cluster, 0), priority, what);
    let rows = [
        (0, Priority::Default, 2),
        (0, Priority::High, 3),
        (1, Priority::Default, 4),
        (1, Priority::High, 0),
        (2, Priority::Default, 0),
    ];
    for (cluster, priority, many) in rows {
        assert_eq!(used(cluster, priority, Resource::Pending), many, "{cluster} {priority:?}");
        assert_eq!(used(cluster, priority, Resource::Retries), 0);
    }
}

#[test]
fn records_that_nobody_takes_are_lost_from_the_oldest_on_and_counted() {
    let mut rig = Rig::new(|config| config.records = 4);
    let (_, request) = rig.up(&http(), Protocol::Http1, 1);
    rig.complete(request);
    let made: u64 = Kind::ALL.iter().map(|kind| rig.up.count(*kind)).sum();
    assert!(made > 10, "{made}");
    assert_eq!(rig.up.lost_records(), made - 4);
    let kept: Vec<_> = core::iter::from_fn(|| rig.up.poll_record()).collect();
    assert_eq!(kept.len(), 4);
    assert!(kept.iter().any(|record| record.kind == Kind::Completed), "{kept:?}");
    assert_eq!(rig.up.count(Kind::Completed), 1);
}
