//! Origins to slots: a hash table that is looked up and never iterated.

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use crate::rng::Rng;
use crate::types::Origin;

/// 2^64 divided by the golden ratio: spreads small numbers over all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Slots by half of the hash of their origin: eight bytes each. The owner compares the origins.
///
/// The hash is keyed from the configured seed: peers cannot choose names that collide, and a
/// run can be repeated.
#[derive(Clone, Debug)]
pub(super) struct Table {
    table: HashTable<(u32, u32)>,
    seeds: (u64, u64),
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self { table: HashTable::new(), seeds: (rng.next_u64(), rng.next_u64()) }
    }

    pub(super) fn hash(&self, origin: &Origin) -> u32 {
        let hasher = SipHasher13::new_with_keys(self.seeds.0, self.seeds.1);
        let name = hasher.hash(origin.host.as_bytes());
        let rest = (u64::from(origin.port) << 1 | origin.scheme as u64).wrapping_mul(ODD);
        ((name ^ rest) >> 32) as u32
    }

    /// The slot under `hash` for which `is` holds.
    pub(super) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(spread(hash), |(known, slot)| *known == hash && is(*slot)).map(|e| e.1)
    }

    /// Adds a slot that [`Table::find`] did not find.
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        self.table.insert_unique(spread(hash), (hash, slot), |entry| spread(entry.0));
    }

    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        if let Ok(entry) = self.table.find_entry(spread(hash), |entry| entry.1 == slot) {
            entry.remove();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

/// The table wants good high and low bits.
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(ODD)
}
