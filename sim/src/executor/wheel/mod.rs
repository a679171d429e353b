//! A timer wheel: what will happen, by its instant, exact to the nanosecond.
//!
//! An instant is eleven digits of six bits. Level 0 turns by the last digit, level 1 by the one
//! before, and so on. What is due lies at the level of the highest digit in which its instant
//! differs from the wheel's, in the slot of that digit:
//!
//! ```text
//! wheel at   .. 3 17  5        level 1, slot 17: being gone through at level 0
//! due at     .. 3 17  9   ->   level 0, slot 9: all of one instant
//! due at     .. 3 20 63   ->   level 1, slot 20
//! due at     .. 4  0  0   ->   level 2, slot 4
//! ```
//!
//! The first slot of the lowest level that has anything comes first. One of a higher level is
//! spread over the levels below when its time has come, so that nothing moves more often than
//! there are levels. Whatever lies in one slot lies there in the order in which it was armed:
//! a slot is spread while everything below is empty, and keeps its order.

#[cfg(test)]
mod tests;

use regatta_core::Instant;

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
/// Digits of an instant.
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// No entry.
const NONE: u32 = u32::MAX;

/// What will happen, by when.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// Nothing that is armed is earlier.
    now: u64,
    levels: Box<[Level; LEVELS]>,
    /// A bit for each level that has anything.
    used: u32,
    entries: Vec<Entry<T>>,
    /// The first of the entries that are free.
    free: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    slots: [Slot; SLOTS],
    /// A bit for each slot that has anything.
    used: u64,
}

/// The ends of a list, in the order of arming.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    previous: u32,
    next: u32,
    /// Goes up when the entry becomes free: a key of before is stale.
    generation: u32,
    value: Option<T>,
}

/// What is armed, for as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

/// Where a timer that may move is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    at: Instant,
    key: Key,
}

impl<T> Wheel<T> {
    /// A wheel at the epoch.
    pub(crate) fn new() -> Self {
        let slot = Slot { first: NONE, last: NONE };
        let level = Level { slots: [slot; SLOTS], used: 0 };
        Self {
            now: 0,
            levels: Box::new([level; LEVELS]),
            used: 0,
            entries: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// How much is armed.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Arms `value` for `at`, behind everything else of that instant. What is past comes now.
    pub(crate) fn arm(&mut self, at: Instant, value: T) -> Key {
        let at = at.as_nanos().max(self.now);
        let index = self.free;
        let index = if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            (entry.at, entry.value) = (at, Some(value));
            index
        } else {
            let value = Some(value);
            self.entries.push(Entry { at, previous: NONE, next: NONE, generation: 0, value });
            self.entries.len() as u32 - 1
        };
        self.len += 1;
        self.link(index);
        Key { index, generation: self.entries[index as usize].generation }
    }

    /// Arms what `key` names anew, for `at`; false when it is not armed any more.
    pub(crate) fn rearm(&mut self, key: Key, at: Instant) -> bool {
        let Some(index) = self.find(key) else { return false };
        self.unlink(index);
        self.entries[index as usize].at = at.as_nanos().max(self.now);
        self.link(index);
        true
    }

    /// Takes back what `key` names; `None` when it is not armed any more.
    pub(crate) fn cancel(&mut self, key: Key) -> Option<T> {
        let index = self.find(key)?;
        self.unlink(index);
        self.release(index)
    }

    /// Arms a timer for `at`, or anew, or takes it back. One that is armed for that instant
    /// keeps its place there.
    pub(crate) fn set(
        &mut self,
        timer: &mut Option<Armed>,
        at: Option<Instant>,
        value: impl FnOnce() -> T,
    ) {
        *timer = match (*timer, at) {
            (Some(armed), Some(at)) if armed.at == at => return,
            (Some(Armed { key, .. }), Some(at)) if self.rearm(key, at) => Some(Armed { at, key }),
            (_, Some(at)) => Some(Armed { at, key: self.arm(at, value()) }),
            (Some(armed), None) => {
                self.cancel(armed.key);
                None
            }
            (None, None) => None,
        };
    }

    /// Takes what comes next, and goes on to its instant.
    pub(crate) fn pop(&mut self) -> Option<(Instant, T)> {
        if self.used == 0 {
            return None;
        }
        let level = self.used.trailing_zeros();
        let slot = self.levels[level as usize].used.trailing_zeros() as usize;
        let Slot { first, last } = self.levels[level as usize].slots[slot];
        if level > 0 && first != last {
            self.spread(level as usize, slot);
            return self.pop();
        }
        // All of a slot of level 0 are of one instant; and what is alone is the earliest.
        self.now = self.entries[first as usize].at;
        self.unlink_at(first, level as usize, slot);
        let value = self.release(first)?;
        Some((Instant::from_nanos(self.now), value))
    }

    /// Spreads the earliest slot over the levels below its own, all of which are empty.
    fn spread(&mut self, level: usize, slot: usize) {
        let places = &mut self.levels[level];
        places.used &= !(1 << slot);
        if places.used == 0 {
            self.used &= !(1 << level);
        }
        let none = Slot { first: NONE, last: NONE };
        let first = core::mem::replace(&mut places.slots[slot], none).first;
        let mut earliest = u64::MAX;
        let mut at = first;
        while let Some(entry) = self.entries.get(at as usize) {
            earliest = earliest.min(entry.at);
            at = entry.next;
        }
        // Only digits from this level down change: everything else stays where it is.
        self.now = earliest;
        at = first;
        while let Some(entry) = self.entries.get(at as usize) {
            let next = entry.next;
            self.link(at);
            at = next;
        }
    }

    /// Where an instant belongs.
    const fn place(&self, at: u64) -> (usize, usize) {
        let differs = (at ^ self.now) | 1;
        let level = differs.ilog2() / BITS;
        (level as usize, (at >> (level * BITS)) as usize % SLOTS)
    }

    fn find(&self, key: Key) -> Option<u32> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(key.index)
    }

    /// Puts an entry at the end of its slot.
    fn link(&mut self, index: u32) {
        let (level, slot) = self.place(self.entries[index as usize].at);
        let places = &mut self.levels[level];
        let ends = &mut places.slots[slot];
        let last = core::mem::replace(&mut ends.last, index);
        if last == NONE {
            ends.first = index;
            places.used |= 1 << slot;
            self.used |= 1 << level;
        } else {
            self.entries[last as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        (entry.previous, entry.next) = (last, NONE);
    }

    fn unlink(&mut self, index: u32) {
        let (level, slot) = self.place(self.entries[index as usize].at);
        self.unlink_at(index, level, slot);
    }

    fn unlink_at(&mut self, index: u32, level: usize, slot: usize) {
        let Entry { previous, next, .. } = self.entries[index as usize];
        let places = &mut self.levels[level];
        let ends = &mut places.slots[slot];
        match self.entries.get_mut(previous as usize) {
            Some(entry) => entry.next = next,
            None => ends.first = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(entry) => entry.previous = previous,
            None => ends.last = previous,
        }
        if ends.first == NONE {
            places.used &= !(1 << slot);
            if places.used == 0 {
                self.used &= !(1 << level);
            }
        }
    }

    /// Makes an entry free that is in no slot.
    fn release(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = core::mem::replace(&mut self.free, index);
        self.len -= 1;
        entry.value.take()
    }
}
