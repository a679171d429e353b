//! Keys to ids: a hash table that is looked up and never iterated.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::id::{Id, PoolId};
use crate::rng::Rng;
use crate::types::Key;

/// 2^64 divided by the golden ratio: spreads small numbers over all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

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

    pub(super) fn hash_name(&self, name: &str) -> u64 {
        SipHasher13::new_with_keys(self.seeds.0, self.seeds.1).hash(name.as_bytes())
    }

    /// The name goes through the keyed hash; the rest only has to tell keys of one name apart,
    /// and multiplication by an odd number maps no two of them to one.
    pub(super) fn hash_key(&self, key: &Key) -> u64 {
        self.hash_name(&key.origin.host) ^ without_name(key)
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

/// All of a key but the name.
fn without_name(key: &Key) -> u64 {
    let cluster = (key.cluster.slot() as u64) << 34;
    let flags = (key.origin.scheme as u64) << 33 | (key.priority as u64) << 32;
    let rest = cluster | flags | u64::from(key.profile.0) << 16 | u64::from(key.origin.port);
    rest.wrapping_mul(ODD)
}

/// A hash of a key that costs a tenth of the keyed one. Anyone can make names that share it, so
/// it finds nothing but what [`Recent`] keeps for it.
pub(super) fn mark(key: &Key) -> u64 {
    let (words, rest) = key.origin.host.as_bytes().as_chunks::<8>();
    let step = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let hash = words.fold(without_name(key), step);
    step(hash, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// The pools that were asked for lately, one for each value of the high bits of their [`mark`].
///
/// The keyed hash is spared where one fits. The owner compares the keys; names made to share a
/// place here cost what the keyed hash costs.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    entries: [(u64, PoolId); RECENT],
}

/// More origins than most clients are busy with at a time; 4 KB.
const RECENT: usize = 256;

impl Recent {
    pub(super) fn find(&self, mark: u64) -> Option<PoolId> {
        let (known, pool) = self.entries.get(place(mark))?;
        (*known == mark).then_some(*pool)
    }

    pub(super) fn put(&mut self, mark: u64, pool: PoolId) {
        if let Some(entry) = self.entries.get_mut(place(mark)) {
            *entry = (mark, pool);
        }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { entries: [(0, PoolId::new(u32::MAX, u32::MAX)); RECENT] }
    }
}

/// The high bits are the better ones of a product.
const fn place(mark: u64) -> usize {
    (mark >> 56) as usize
}
