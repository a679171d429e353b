//! Lists threaded through the slots of an arena: no memory of their own, everything O(1).

use core::marker::PhantomData;

use crate::arena::Arena;
use crate::id::Id;

/// No neighbour.
const NONE: u32 = u32::MAX;

/// A slot's neighbours in one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    /// In no list.
    pub(crate) const NONE: Self = Self { prev: NONE, next: NONE };
}

impl Default for Link {
    fn default() -> Self {
        Self::NONE
    }
}

/// Tells which link of a `T` belongs to a kind of list, so that lists cannot be mixed up.
pub(crate) trait Linked<T> {
    fn link(value: &T) -> &Link;
    fn link_mut(value: &mut T) -> &mut Link;
}

/// A list whose members are slots of one arena. A slot may be in one list of a kind at a time;
/// the caller knows in which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<L> {
    head: u32,
    tail: u32,
    len: u32,
    kind: PhantomData<L>,
}

impl<L> Default for List<L> {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, len: 0, kind: PhantomData }
    }
}

impl<L> List<L> {
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) const fn first(&self) -> Option<usize> {
        slot(self.head)
    }

    pub(crate) const fn last(&self) -> Option<usize> {
        slot(self.tail)
    }

    /// The id of the first member.
    pub(crate) fn first_id<I: Id, T>(&self, arena: &Arena<I, T>) -> Option<I> {
        arena.id_at(self.first()?)
    }

    /// The slot behind `member`.
    pub(crate) fn after<I: Id, T>(&self, arena: &Arena<I, T>, member: usize) -> Option<usize>
    where
        L: Linked<T>,
    {
        slot(L::link(arena.at(member)?).next)
    }

    pub(crate) fn push_front<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let key = key(member);
        let Some(value) = arena.at_mut(member) else { return };
        *L::link_mut(value) = Link { prev: NONE, next: self.head };
        match slot(self.head).and_then(|head| arena.at_mut(head)) {
            Some(head) => L::link_mut(head).prev = key,
            None => self.tail = key,
        }
        self.head = key;
        self.len += 1;
    }

    pub(crate) fn push_back<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let key = key(member);
        let Some(value) = arena.at_mut(member) else { return };
        *L::link_mut(value) = Link { prev: self.tail, next: NONE };
        match slot(self.tail).and_then(|tail| arena.at_mut(tail)) {
            Some(tail) => L::link_mut(tail).next = key,
            None => self.head = key,
        }
        self.tail = key;
        self.len += 1;
    }

    /// Takes a member out. It must be in this list.
    pub(crate) fn remove<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let Some(value) = arena.at_mut(member) else { return };
        let Link { prev, next } = core::mem::take(L::link_mut(value));
        match slot(prev).and_then(|prev| arena.at_mut(prev)) {
            Some(prev) => L::link_mut(prev).next = next,
            None => self.head = next,
        }
        match slot(next).and_then(|next| arena.at_mut(next)) {
            Some(next) => L::link_mut(next).prev = prev,
            None => self.tail = prev,
        }
        self.len -= 1;
    }

    /// Moves every member of `other` behind those of this list.
    pub(crate) fn append<I: Id, T>(&mut self, arena: &mut Arena<I, T>, other: &mut Self)
    where
        L: Linked<T>,
    {
        let other = core::mem::take(other);
        let Some(first) = other.first() else { return };
        match slot(self.tail).and_then(|tail| arena.at_mut(tail)) {
            Some(tail) => L::link_mut(tail).next = other.head,
            None => self.head = other.head,
        }
        if let Some(first) = arena.at_mut(first) {
            L::link_mut(first).prev = self.tail;
        }
        self.tail = other.tail;
        self.len += other.len;
    }

    /// The members' slots from first to last. For what may take long: checks, snapshots, drains.
    pub(crate) fn iter<'a, I: Id, T>(
        &self,
        arena: &'a Arena<I, T>,
    ) -> impl Iterator<Item = (I, &'a T)> + use<'a, L, I, T>
    where
        L: Linked<T>,
    {
        let mut next = self.head;
        core::iter::from_fn(move || {
            let member = slot(next)?;
            let value = arena.at(member)?;
            next = L::link(value).next;
            Some((arena.id_at(member)?, value))
        })
    }

    /// Panics unless the links agree both ways; returns how many members there are.
    pub(crate) fn check<I: Id, T>(&self, arena: &Arena<I, T>, what: &str) -> u32
    where
        L: Linked<T>,
    {
        let (mut before, mut member, mut count) = (NONE, self.head, 0);
        while let Some(value) = slot(member).and_then(|member| arena.at(member)) {
            assert_eq!(L::link(value).prev, before, "{what}: slot {member} has a wrong back link");
            before = member;
            member = L::link(value).next;
            count += 1;
            assert!(count <= self.len, "{what}: more members than the {} counted", self.len);
        }
        assert_eq!(member, NONE, "{what}: slot {member} is in the list and does not live");
        assert_eq!(self.tail, before, "{what}: the tail is not the last member");
        assert_eq!(count, self.len, "{what}: members and count differ");
        count
    }
}

const fn slot(key: u32) -> Option<usize> {
    if key == NONE { None } else { Some(key as usize) }
}

fn key(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::id::RequestId;
    use crate::rng::Rng;

    #[derive(Clone, Copy, Debug)]
    struct Only;

    impl Linked<Link> for Only {
        fn link(value: &Link) -> &Link {
            value
        }
        fn link_mut(value: &mut Link) -> &mut Link {
            value
        }
    }

    #[test]
    fn agrees_with_a_deque_under_random_moves() {
        let mut rng = Rng::new(11);
        let mut arena: Arena<RequestId, Link> = Arena::new();
        for _ in 0..16 {
            arena.insert(Link::default());
        }
        let mut lists = [List::<Only>::default(), List::default()];
        let mut models = [VecDeque::new(), VecDeque::new()];
        for _ in 0..10_000 {
            let member = rng.below(16) as usize;
            let which = rng.below(2) as usize;
            let home = models.iter().position(|model: &VecDeque<_>| model.contains(&member));
            match (home, rng.below(8)) {
                (_, 7) => {
                    let [first, second] = &mut lists;
                    first.append(&mut arena, second);
                    let moved = core::mem::take(&mut models[1]);
                    models[0].extend(moved);
                }
                (Some(home), _) => {
                    lists[home].remove(&mut arena, member);
                    models[home].retain(|m| *m != member);
                }
                (None, 0..=2) => {
                    lists[which].push_front(&mut arena, member);
                    models[which].push_front(member);
                }
                (None, _) => {
                    lists[which].push_back(&mut arena, member);
                    models[which].push_back(member);
                }
            }
            for (list, model) in lists.iter().zip(&models) {
                list.check(&arena, "list");
                let members: VecDeque<_> = list.iter(&arena).map(|(id, _)| id.slot()).collect();
                assert_eq!(&members, model);
            }
        }
    }
}
