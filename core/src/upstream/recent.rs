//! The pools that were asked for lately, found without the keyed hash.

use crate::id::PoolId;
use crate::origins::{ODD, without_name};
use crate::types::Key;

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
