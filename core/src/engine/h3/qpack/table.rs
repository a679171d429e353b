//! The dynamic table (RFC 9204 3.2), as both its writer and its reader hold it.

use std::collections::VecDeque;

use bytes::Bytes;

/// What an entry counts beyond its name and value, in bytes (RFC 9204 3.2.1).
pub(super) const OVERHEAD: usize = 32;

/// One field. What it counts for is more than what it takes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name, then the value.
    text: Bytes,
    name: u32,
    /// Of name and value, for searches.
    hash: u32,
    /// How many sections that were not acknowledged refer to it.
    pub(super) references: u32,
}

impl Entry {
    pub(super) fn new(name: &[u8], value: &[u8]) -> Self {
        let text = Bytes::from([name, value].concat());
        let hash = mix(mix(SEED, name), value);
        let name = u32::try_from(name.len()).unwrap_or(u32::MAX);
        Self { text, name, hash, references: 0 }
    }

    pub(super) fn name(&self) -> Bytes {
        self.text.slice(..self.name as usize)
    }

    pub(super) fn value(&self) -> Bytes {
        self.text.slice(self.name as usize..)
    }

    /// The same field, as it is inserted anew.
    pub(super) fn again(&self) -> Self {
        Self { references: 0, ..self.clone() }
    }

    pub(super) const fn size(&self) -> usize {
        self.text.len() + OVERHEAD
    }

    pub(super) fn split(&self) -> (&[u8], &[u8]) {
        self.text.split_at_checked(self.name as usize).unwrap_or((&self.text, &[]))
    }
}

const SEED: u32 = 0x811c_9dc5;

/// FNV-1a: short, and a table is small.
fn mix(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Entries, first in, first out. They are numbered from the connection's beginning.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    capacity: usize,
    inserted: u64,
}

impl Table {
    /// How many entries were ever inserted: the number of the next.
    pub(super) const fn inserted(&self) -> u64 {
        self.inserted
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// The number of the oldest entry.
    pub(super) fn oldest(&self) -> u64 {
        self.inserted - self.entries.len() as u64
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.get(self.position(number)?)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let position = self.position(number)?;
        self.entries.get_mut(position)
    }

    fn position(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.oldest())?).ok()
    }

    /// The youngest entry with this name and value.
    pub(super) fn find(&self, name: &[u8], value: &[u8]) -> Option<u64> {
        let hash = mix(mix(SEED, name), value);
        let is_it = |entry: &Entry| entry.hash == hash && entry.split() == (name, value);
        self.entries.iter().rposition(is_it).map(|at| self.oldest() + at as u64)
    }

    /// The youngest entry with this name.
    pub(super) fn find_name(&self, name: &[u8]) -> Option<u64> {
        let is_it = |entry: &Entry| entry.name as usize == name.len() && entry.split().0 == name;
        self.entries.iter().rposition(is_it).map(|at| self.oldest() + at as u64)
    }

    /// The number of the oldest entry that is left once one of `size` has come.
    pub(super) fn oldest_after(&self, size: usize) -> u64 {
        let mut free = self.capacity - self.size;
        let mut oldest = self.oldest();
        for entry in &self.entries {
            if free >= size {
                break;
            }
            free += entry.size();
            oldest += 1;
        }
        oldest
    }

    /// What the entries from number `first` on count.
    pub(super) fn size_from(&self, first: u64) -> usize {
        let before = usize::try_from(first.saturating_sub(self.oldest())).unwrap_or(usize::MAX);
        self.size - self.entries.iter().take(before).map(Entry::size).sum::<usize>()
    }

    /// Puts an entry in, older ones out. `false` if it is larger than the table.
    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        let size = entry.size();
        if size > self.capacity {
            return false;
        }
        self.shrink(self.capacity - size);
        self.size += size;
        self.inserted += 1;
        self.entries.push_back(entry);
        true
    }

    /// Changes how much it may hold.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.shrink(capacity);
        self.capacity = capacity;
    }

    fn shrink(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.entries.pop_front()
        {
            self.size -= oldest.size();
        }
    }
}
