//! Slots with generations: the table behind every id.

use core::marker::PhantomData;

use crate::id::Id;

/// A table whose keys never come back to life: a removed slot's next tenant has a new generation.
#[derive(Clone, Debug)]
pub struct Arena<I, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
    ids: PhantomData<I>,
}

/// Begins where a line of the cache does, with what every look-up reads: what is first in a value
/// is read with it.
#[derive(Clone, Debug)]
#[repr(u32, align(64))]
enum Slot<T> {
    /// The generation of the next tenant.
    Free {
        generation: u32,
    },
    Used {
        generation: u32,
        value: T,
    },
}

impl<T> Slot<T> {
    #[inline]
    const fn value(&self) -> Option<&T> {
        match self {
            Self::Used { value, .. } => Some(value),
            Self::Free { .. } => None,
        }
    }
}

impl<I: Id, T> Arena<I, T> {
    /// Makes an empty arena.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), len: 0, ids: PhantomData }
    }

    /// Stores a value and mints its id. Allocates only when no slot is free.
    #[inline]
    pub fn insert(&mut self, value: T) -> I {
        self.insert_with(|_| value)
    }

    /// Stores what `make` builds from the id that it will have.
    #[inline]
    pub fn insert_with(&mut self, make: impl FnOnce(I) -> T) -> I {
        self.len += 1;
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
            && let Slot::Free { generation } = *slot
        {
            let id = I::new(index, generation);
            *slot = Slot::Used { generation, value: make(id) };
            return id;
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let id = I::new(index, 0);
        self.slots.push(Slot::Used { generation: 0, value: make(id) });
        id
    }

    /// Stores a copy of `blank`, filled in by `fill` where it lies.
    #[inline(always)]
    pub(crate) fn insert_filled(&mut self, blank: T, fill: impl FnOnce(&mut T)) -> I {
        if let Some(&index) = self.free.last()
            && let Some(slot) = self.slots.get_mut(index as usize)
            && let Slot::Free { generation } = *slot
        {
            self.free.pop();
            self.len += 1;
            *slot = Slot::Used { generation, value: blank };
            if let Slot::Used { value, .. } = slot {
                fill(value);
            }
            return I::new(index, generation);
        }
        self.insert_in_new(blank, fill)
    }

    #[cold]
    #[inline(never)]
    fn insert_in_new(&mut self, mut blank: T, fill: impl FnOnce(&mut T)) -> I {
        fill(&mut blank);
        self.insert(blank)
    }

    /// The value of `id`, unless it is stale or unknown.
    #[inline]
    pub fn get(&self, id: I) -> Option<&T> {
        match self.slots.get(id.slot())? {
            Slot::Used { generation, value } if *generation == id.generation() => Some(value),
            _ => None,
        }
    }

    /// The value of `id` to change, unless it is stale or unknown.
    #[inline]
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        match self.slots.get_mut(id.slot())? {
            Slot::Used { generation, value } if *generation == id.generation() => Some(value),
            _ => None,
        }
    }

    /// Retires the id and drops its value where it lies, but for what `take` takes of it: large
    /// values are not moved.
    #[inline]
    pub fn remove_with<R>(&mut self, id: I, take: impl FnOnce(&mut T) -> R) -> Option<R> {
        let taken = take(self.get_mut(id)?);
        self.retire(id, |slot, free| *slot = free)?;
        Some(taken)
    }

    /// Takes the value of `id` out and retires the id.
    #[inline]
    pub fn remove(&mut self, id: I) -> Option<T> {
        match self.retire(id, core::mem::replace)? {
            Slot::Used { value, .. } => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// Gives the slot of `id` to its next tenant.
    #[inline]
    fn retire<R>(&mut self, id: I, put: impl FnOnce(&mut Slot<T>, Slot<T>) -> R) -> Option<R> {
        let slot = self.slots.get_mut(id.slot())?;
        match slot {
            Slot::Used { generation, .. } if *generation == id.generation() => {}
            _ => return None,
        }
        self.len -= 1;
        // A slot whose generations are used up is never given out again.
        let next = id.generation().checked_add(1);
        if next.is_some() {
            self.free.push(u32::try_from(id.slot()).unwrap_or(u32::MAX));
        }
        Some(put(slot, Slot::Free { generation: next.unwrap_or(u32::MAX) }))
    }

    /// Whether `id` names a living value.
    pub fn contains(&self, id: I) -> bool {
        self.get(id).is_some()
    }

    /// The living value of a slot, for lists that are threaded through slots.
    #[inline]
    pub fn at(&self, slot: usize) -> Option<&T> {
        self.slots.get(slot)?.value()
    }

    /// The living value of a slot to change.
    #[inline]
    pub fn at_mut(&mut self, slot: usize) -> Option<&mut T> {
        match self.slots.get_mut(slot)? {
            Slot::Used { value, .. } => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// The living id of a slot, for indexes that keep slots alone.
    #[inline]
    pub fn id_at(&self, slot: usize) -> Option<I> {
        match self.slots.get(slot)? {
            Slot::Used { generation, .. } => Some(I::new(u32::try_from(slot).ok()?, *generation)),
            Slot::Free { .. } => None,
        }
    }

    /// How many values live.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none lives.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every living value with its id, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| match slot {
            Slot::Used { generation, value } => Some((I::new(index, *generation), value)),
            Slot::Free { .. } => None,
        })
    }
}

impl<I: Id, T> Default for Arena<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RequestId;

    #[test]
    fn a_stale_id_finds_nothing() {
        let mut arena: Arena<RequestId, &str> = Arena::new();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(first.slot(), second.slot());
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
        assert_eq!(arena.len(), 1);
        assert_eq!(arena.id_at(0), Some(second));
    }
}
