//! Keys to ids: a hash table that is looked up and never iterated.

use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::id::Id;
use crate::rng::Rng;
use crate::types::Key;

/// Ids by the hash of what they belong to; the owner compares the keys themselves.
///
/// The hash is keyed from the configured seed: peers cannot choose names that collide, and a
/// run can be repeated.
#[derive(Clone, Debug)]
pub(super) struct OriginTable<I> {
    table: HashTable<(u64, I)>,
    seeds: (u64, u64),
}

impl<I: Id> OriginTable<I> {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self { table: HashTable::new(), seeds: (rng.next_u64(), rng.next_u64()) }
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.seeds.0, self.seeds.1)
    }

    pub(super) fn hash_name(&self, name: &str) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(name.as_bytes());
        hasher.finish()
    }

    pub(super) fn hash_key(&self, key: &Key) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(key.origin.host.as_bytes());
        let cluster = (key.cluster.slot() as u64) << 32;
        let profile = u64::from(key.profile.0) << 16;
        let flags = (key.origin.scheme as u64) << 1 | key.priority as u64;
        hasher.write_u64(cluster | profile | u64::from(key.origin.port));
        hasher.write_u64(flags);
        hasher.finish()
    }

    /// The id under `hash` for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(I) -> bool) -> Option<I> {
        self.table.find(hash, |(known, id)| *known == hash && is(*id)).map(|entry| entry.1)
    }

    /// Adds an id that [`OriginTable::find`] did not find.
    pub(super) fn insert(&mut self, hash: u64, id: I) {
        self.table.insert_unique(hash, (hash, id), |entry| entry.0);
    }

    pub(super) fn remove(&mut self, hash: u64, id: I) {
        if let Ok(entry) = self.table.find_entry(hash, |entry| entry.1 == id) {
            entry.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}
