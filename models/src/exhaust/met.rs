//! Which states were met: fingerprints of 128 bits, and the number of each.

use core::hash::{Hash, Hasher};

/// Two independent sums over what is hashed; the same on every machine of one byte order.
///
/// At 20 million states the chance that two of them share a fingerprint is below 10^-23.
#[derive(Clone, Debug)]
pub(super) struct Fingerprint {
    low: u64,
    high: u64,
}

impl Fingerprint {
    pub(super) const fn new() -> Self {
        Self { low: 0x9e37_79b9_7f4a_7c15, high: 0xc2b2_ae3d_27d4_eb4f }
    }

    /// The fingerprint of one value.
    pub(super) fn of(value: &impl Hash) -> u128 {
        let mut print = Self::new();
        value.hash(&mut print);
        print.value()
    }

    pub(super) fn value(&self) -> u128 {
        (u128::from(mix(self.high)) << 64) | u128::from(mix(self.low))
    }

    fn take(&mut self, word: u64) {
        self.low = fold(self.low ^ word, 0xa076_1d64_78bd_642f);
        self.high = fold(self.high.rotate_left(29) ^ mix(word), 0xe703_7ed1_a0b4_28db);
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
            self.take(word ^ ((chunk.len() as u64) << 56));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.take(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.take(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.take(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.take(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.take(word as u64);
    }

    fn finish(&self) -> u64 {
        mix(self.low)
    }
}

/// The two halves of the full product, folded.
const fn fold(word: u64, by: u64) -> u64 {
    let product = word as u128 * by as u128;
    (product as u64 ^ (product >> 64) as u64).wrapping_add(by)
}

/// `SplitMix64`'s last step: every bit in touches every bit out.
const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Numbers the states that were met, from 0 on. Looked up, never iterated.
#[derive(Debug)]
pub(super) struct Met {
    /// Open addressing; a power of two long, at most two thirds full.
    slots: Vec<Option<(u128, u32)>>,
    len: u32,
}

impl Met {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; 1_024], len: 0 }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// The number of a state, and whether it is met for the first time.
    pub(super) fn meet(&mut self, print: u128) -> (u32, bool) {
        let place = self.place(print);
        if let Some((_, number)) = self.slots[place] {
            return (number, false);
        }
        let number = self.len;
        self.slots[place] = Some((print, number));
        self.len += 1;
        if self.slots.len() / 3 * 2 < self.len as usize {
            let longer = vec![None; self.slots.len() * 2];
            for slot in core::mem::replace(&mut self.slots, longer).into_iter().flatten() {
                let place = self.place(slot.0);
                self.slots[place] = Some(slot);
            }
        }
        (number, true)
    }

    /// Where it stands, or would stand.
    fn place(&self, print: u128) -> usize {
        let last = self.slots.len() - 1;
        let mut place = print as usize & last;
        while self.slots[place].is_some_and(|(other, _)| other != print) {
            place = (place + 1) & last;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use regatta_core::rng::Rng;

    use super::{Fingerprint, Met};

    #[test]
    fn numbers_agree_with_an_ordered_map() {
        let (mut met, mut model, mut rng) = (Met::new(), BTreeMap::new(), Rng::new(3));
        for _ in 0..50_000 {
            let print = Fingerprint::of(&rng.below(20_000));
            let next = model.len() as u32;
            let fresh = !model.contains_key(&print);
            let number = *model.entry(print).or_insert(next);
            assert_eq!(met.meet(print), (number, fresh));
        }
        assert_eq!(met.len() as usize, model.len());
    }

    #[test]
    fn small_differences_give_other_fingerprints() {
        let mut prints = std::collections::BTreeSet::new();
        for one in 0..200_u8 {
            for other in 0..200_u32 {
                assert!(prints.insert(Fingerprint::of(&(one, other, [one; 3]))));
                assert!(prints.insert(Fingerprint::of(&(Some(one), [other; 3]))));
            }
        }
    }
}
