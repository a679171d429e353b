//! Which pool a key finds.

use std::collections::BTreeSet;

use super::*;

/// Keys of one name: every value of every field against a plain one.
fn keys_of(host: &str) -> Vec<Key> {
    let plain = key(Scheme::Http, host);
    let with = |change: &dyn Fn(&mut Key)| {
        let mut key = plain.clone();
        change(&mut key);
        key
    };
    let mut keys = vec![plain.clone(), with(&|key| key.origin.scheme = Scheme::Https)];
    keys.push(with(&|key| key.priority = Priority::High));
    keys.push(with(&|key| {
        (key.origin.scheme, key.priority) = (Scheme::Https, Priority::High);
    }));
    for bit in 0..16 {
        keys.push(with(&|key| key.origin.port ^= 1 << bit));
        keys.push(with(&|key| key.profile = ProfileId(1 << bit)));
        keys.push(with(&|key| key.cluster = ClusterId::new(1 << bit, 0)));
    }
    keys
}

#[test]
fn no_two_keys_of_one_name_have_one_hash() {
    let table: OriginTable<PoolId> = OriginTable::new(1);
    let keys = keys_of("example.test");
    let hashes: BTreeSet<_> = keys.iter().map(|key| table.hash_key(key)).collect();
    assert_eq!(hashes.len(), keys.len());
}

#[test]
fn names_are_told_apart_by_a_hash_that_a_peer_cannot_foresee() {
    let table: OriginTable<PoolId> = OriginTable::new(1);
    assert_ne!(table.hash_name("one.test"), table.hash_name("two.test"));
    let other: OriginTable<PoolId> = OriginTable::new(2);
    assert_ne!(table.hash_name("one.test"), other.hash_name("one.test"));
    // What a key adds to its name's hash is the same for all names, and hides none of its bits.
    let apart = table.hash_name("one.test") ^ table.hash_name("two.test");
    for (one, two) in keys_of("one.test").iter().zip(&keys_of("two.test")) {
        assert_eq!(table.hash_key(one) ^ table.hash_key(two), apart, "{one:?}");
    }
}

#[test]
fn two_keys_that_share_a_hash_have_a_pool_each() {
    let mut table = OriginTable::new(1);
    let [first, second, third] = [0, 1, 2].map(|slot| PoolId::new(slot, 0));
    table.insert(7, first);
    table.insert(7, second);
    for pool in [first, second] {
        assert_eq!(table.find(7, |id| id == pool), Some(pool));
    }
    assert_eq!(table.find(7, |id| id == third), None, "another key of that hash");
    table.remove(7, first);
    assert_eq!(table.find(7, |id| id == first), None);
    assert_eq!(table.find(7, |id| id == second), Some(second));
}

#[test]
fn a_request_finds_the_pool_of_its_key_whoever_asked_before() {
    let mut rig = Rig::new(|_| ());
    let keys = [http(), https(), key(Scheme::Http, "other.test")];
    let mut pool_of = |key: &Key| {
        let (request, _) = rig.request(key);
        rig.up.pool_of(request).expect("waits")
    };
    let pools = keys.each_ref().map(&mut pool_of);
    let different: BTreeSet<_> = pools.into_iter().collect();
    assert_eq!(different.len(), 3);
    for (before, of_before) in keys.iter().zip(pools) {
        for (after, of_after) in keys.iter().zip(pools) {
            assert_eq!((pool_of(before), pool_of(after)), (of_before, of_after));
        }
    }
}
