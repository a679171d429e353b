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

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
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
        {
            let id = I::new(index, slot.generation);
            slot.value = Some(make(id));
            return id;
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let id = I::new(index, 0);
        self.slots.push(Slot { generation: 0, value: Some(make(id)) });
        id
    }

    /// The value of `id`, unless it is stale or unknown.
    pub fn get(&self, id: I) -> Option<&T> {
        let slot = self.slots.get(id.slot())?;
        if slot.generation == id.generation() { slot.value.as_ref() } else { None }
    }

    /// The value of `id` to change, unless it is stale or unknown.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot())?;
        if slot.generation == id.generation() { slot.value.as_mut() } else { None }
    }

    /// Takes the value of `id` out and retires the id.
    pub fn remove(&mut self, id: I) -> Option<T> {
        let slot = self.slots.get_mut(id.slot())?;
        if slot.generation != id.generation() {
            return None;
        }
        let value = slot.value.take()?;
        self.len -= 1;
        // A slot whose generations are used up is never given out again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(u32::try_from(id.slot()).unwrap_or(u32::MAX));
        }
        Some(value)
    }

    /// Whether `id` names a living value.
    pub fn contains(&self, id: I) -> bool {
        self.get(id).is_some()
    }

    /// The living value of a slot, for lists that are threaded through slots.
    pub fn at(&self, slot: usize) -> Option<&T> {
        self.slots.get(slot)?.value.as_ref()
    }

    /// The living value of a slot to change.
    pub fn at_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.slots.get_mut(slot)?.value.as_mut()
    }

    /// The living id of a slot, for indexes that keep slots alone.
    pub fn id_at(&self, slot: usize) -> Option<I> {
        let found = self.slots.get(slot)?;
        found.value.as_ref()?;
        Some(I::new(u32::try_from(slot).ok()?, found.generation))
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
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let value = slot.value.as_ref()?;
            Some((I::new(u32::try_from(index).ok()?, slot.generation), value))
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
