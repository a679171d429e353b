//! Origins and keys to ids: a hash table that is looked up and never iterated.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::rng::Rng;
use crate::types::{Key, Origin};

/// 2^64 divided by the golden ratio: spreads small numbers over all bits.
pub(crate) const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Ids by the hash of what they belong to; the owner compares the keys themselves.
///
/// The hash is keyed from the configured seed: peers cannot choose names that collide, and a
/// run can be repeated.
#[derive(Clone, Debug)]
pub(crate) struct OriginTable<I> {
    table: HashTable<(u64, I)>,
    seeds: (u64, u64),
}

impl<I: Copy + PartialEq> OriginTable<I> {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self { table: HashTable::new(), seeds: (rng.next_u64(), rng.next_u64()) }
    }

    pub(crate) fn hash_name(&self, name: &str) -> u64 {
        SipHasher13::new_with_keys(self.seeds.0, self.seeds.1).hash(name.as_bytes())
    }

    /// The name goes through the keyed hash; the rest only has to tell keys of one name apart,
    /// and multiplication by an odd number maps no two of them to one.
    pub(crate) fn hash_key(&self, key: &Key) -> u64 {
        self.hash_name(&key.origin.host) ^ without_name(key)
    }

    /// As [`OriginTable::hash_key`], of an origin alone.
    pub(crate) fn hash_origin(&self, origin: &Origin) -> u64 {
        let rest = u64::from(origin.port) << 1 | origin.scheme as u64;
        self.hash_name(&origin.host) ^ rest.wrapping_mul(ODD)
    }

    /// The id under `hash` for which `is` holds.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(I) -> bool) -> Option<I> {
        self.table.find(hash, |(known, id)| *known == hash && is(*id)).map(|entry| entry.1)
    }

    /// Adds an id that [`OriginTable::find`] did not find.
    pub(crate) fn insert(&mut self, hash: u64, id: I) {
        self.table.insert_unique(hash, (hash, id), |entry| entry.0);
    }

    pub(crate) fn remove(&mut self, hash: u64, id: I) {
        if let Ok(entry) = self.table.find_entry(hash, |entry| entry.1 == id) {
            entry.remove();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

/// All of a key but the name.
pub(crate) fn without_name(key: &Key) -> u64 {
    let cluster = (key.cluster.slot() as u64) << 34;
    let flags = (key.origin.scheme as u64) << 33 | (key.priority as u64) << 32;
    let rest = cluster | flags | u64::from(key.profile.0) << 16 | u64::from(key.origin.port);
    rest.wrapping_mul(ODD)
}
