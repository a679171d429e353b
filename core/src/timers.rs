//! An indexed binary heap of deadlines: one entry per slot, moved and removed in O(log n).

use crate::time::Instant;

/// Deadlines by slot; the earliest on top, ties by slot so that order is deterministic.
///
/// Nothing is deleted lazily: a slot has at most one entry, so the heap is as large as its
/// busiest moment had machines and no larger.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    heap: Vec<(Instant, u32)>,
    /// Where a slot's entry stands in the heap, plus one; 0 is none.
    places: Vec<u32>,
}

impl Timers {
    /// Makes an empty heap.
    pub const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }

    /// The earliest deadline and its slot.
    pub fn peek(&self) -> Option<(Instant, usize)> {
        self.heap.first().map(|&(at, slot)| (at, slot as usize))
    }

    /// The deadline of `slot`.
    pub fn get(&self, slot: usize) -> Option<Instant> {
        self.heap.get(self.place(slot)?).map(|entry| entry.0)
    }

    /// Sets, moves or (with `None`) removes the deadline of `slot`.
    pub fn set(&mut self, slot: usize, at: Option<Instant>) {
        match (self.place(slot), at) {
            (None, None) => {}
            (Some(place), None) => self.remove_at(place),
            (Some(place), Some(at)) => {
                let Some(entry) = self.heap.get_mut(place) else { return };
                if entry.0 != at {
                    entry.0 = at;
                    let place = self.sift_up(place);
                    self.sift_down(place);
                }
            }
            (None, Some(at)) => {
                let Ok(key) = u32::try_from(slot) else { return };
                if self.places.len() <= slot {
                    self.places.resize(slot + 1, 0);
                }
                self.heap.push((at, key));
                let last = self.heap.len() - 1;
                self.note(last);
                self.sift_up(last);
            }
        }
    }

    /// Moves the deadline of `slot` only if `at` is earlier than what stands, or nothing stands.
    /// A later one is found out when the old one fires.
    pub fn set_earlier(&mut self, slot: usize, at: Instant) {
        if self.get(slot).is_none_or(|old| at < old) {
            self.set(slot, Some(at));
        }
    }

    /// Takes out the slot whose deadline is the earliest, if it is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let (at, slot) = self.peek()?;
        if at > now {
            return None;
        }
        self.remove_at(0);
        Some(slot)
    }

    /// How many deadlines stand.
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no deadline stands.
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Panics unless the heap is one and its index agrees.
    pub fn check(&self) {
        for (place, &(at, slot)) in self.heap.iter().enumerate() {
            assert_eq!(self.place(slot as usize), Some(place), "timer index of slot {slot}");
            if place > 0 {
                let parent = self.heap.get((place - 1) / 2);
                assert!(parent.is_some_and(|up| *up <= (at, slot)), "timer heap order at {place}");
            }
        }
        let indexed = self.places.iter().filter(|place| **place != 0).count();
        assert_eq!(indexed, self.heap.len(), "timer index has entries without a deadline");
    }

    fn place(&self, slot: usize) -> Option<usize> {
        match self.places.get(slot) {
            None | Some(0) => None,
            Some(&place) => Some(place as usize - 1),
        }
    }

    fn note(&mut self, place: usize) {
        let Some(&(_, slot)) = self.heap.get(place) else { return };
        if let Some(known) = self.places.get_mut(slot as usize) {
            *known = u32::try_from(place + 1).unwrap_or(u32::MAX);
        }
    }

    fn remove_at(&mut self, place: usize) {
        let Some(&(_, slot)) = self.heap.get(place) else { return };
        if let Some(known) = self.places.get_mut(slot as usize) {
            *known = 0;
        }
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.note(place);
            let place = self.sift_up(place);
            self.sift_down(place);
        }
    }

    fn sift_up(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap.get(parent) <= self.heap.get(place) {
                break;
            }
            self.heap.swap(parent, place);
            self.note(place);
            self.note(parent);
            place = parent;
        }
        place
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let mut least = place;
            for child in [left, left + 1] {
                if child < self.heap.len() && self.heap.get(child) < self.heap.get(least) {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.heap.swap(place, least);
            self.note(place);
            self.note(least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_a_sorted_list_under_random_moves() {
        let mut rng = Rng::new(7);
        let mut timers = Timers::new();
        let mut model = vec![None; 32];
        for _ in 0..20_000 {
            let slot = rng.below(32) as usize;
            let at = Instant::from_nanos(rng.below(50));
            match rng.below(4) {
                0 => {
                    timers.set(slot, None);
                    model[slot] = None;
                }
                1 => {
                    timers.set_earlier(slot, at);
                    model[slot] = Some(model[slot].map_or(at, |old: Instant| old.min(at)));
                }
                2 => {
                    let due = timers.pop_due(at);
                    let least = (0..32).filter_map(|s| Some((model[s]?, s))).min();
                    let expected = least.filter(|(when, _)| *when <= at).map(|(_, s)| s);
                    assert_eq!(due, expected);
                    if let Some(s) = due {
                        model[s] = None;
                    }
                }
                _ => {
                    timers.set(slot, Some(at));
                    model[slot] = Some(at);
                }
            }
            timers.check();
            let least = (0..32).filter_map(|s| Some((model[s]?, s))).min();
            assert_eq!(timers.peek(), least);
        }
    }
}
