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

/// A list whose members are slots of one arena and that does not count them. A slot may be in
/// one list of a kind at a time; the caller knows in which.
///
/// Who holds a member's slot already sets its link there, and tells the list afterwards: what
/// [`Chain::push_front`], [`Chain::push_back`] and [`Chain::remove`] do in one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain<L> {
    head: u32,
    tail: u32,
    kind: PhantomData<L>,
}

impl<L> Default for Chain<L> {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, kind: PhantomData }
    }
}

impl<L> Chain<L> {
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

    /// The link of who stands before all others, once [`Chain::joined_front`] is told.
    pub(crate) const fn front(&self) -> Link {
        Link { prev: NONE, next: self.head }
    }

    /// The link of who stands behind all others, once [`Chain::joined_back`] is told.
    pub(crate) const fn back(&self) -> Link {
        Link { prev: self.tail, next: NONE }
    }

    /// `member` has the link that [`Chain::front`] gave.
    #[inline]
    pub(crate) fn joined_front<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let key = key(member);
        match slot(self.head).and_then(|head| arena.at_mut(head)) {
            Some(head) => L::link_mut(head).prev = key,
            None => self.tail = key,
        }
        self.head = key;
    }

    /// `member` has the link that [`Chain::back`] gave.
    #[inline]
    pub(crate) fn joined_back<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let key = key(member);
        match slot(self.tail).and_then(|tail| arena.at_mut(tail)) {
            Some(tail) => L::link_mut(tail).next = key,
            None => self.head = key,
        }
        self.tail = key;
    }

    /// The member that had this link has it no longer.
    #[inline]
    pub(crate) fn left<I: Id, T>(&mut self, arena: &mut Arena<I, T>, link: Link)
    where
        L: Linked<T>,
    {
        let Link { prev, next } = link;
        match slot(prev).and_then(|prev| arena.at_mut(prev)) {
            Some(prev) => L::link_mut(prev).next = next,
            None => self.head = next,
        }
        match slot(next).and_then(|next| arena.at_mut(next)) {
            Some(next) => L::link_mut(next).prev = prev,
            None => self.tail = prev,
        }
    }

    #[inline]
    pub(crate) fn push_front<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let Some(value) = arena.at_mut(member) else { return };
        *L::link_mut(value) = self.front();
        self.joined_front(arena, member);
    }

    #[inline]
    pub(crate) fn push_back<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let Some(value) = arena.at_mut(member) else { return };
        *L::link_mut(value) = self.back();
        self.joined_back(arena, member);
    }

    /// Takes a member out. It must be in this list.
    #[inline]
    pub(crate) fn remove<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        let Some(value) = arena.at_mut(member) else { return };
        let link = core::mem::take(L::link_mut(value));
        self.left(arena, link);
    }

    /// Whether a slot that is in no other list of this kind is a member.
    pub(crate) fn holds<I: Id, T>(&self, arena: &Arena<I, T>, member: usize) -> bool
    where
        L: Linked<T>,
    {
        let link = arena.at(member).map_or(Link::NONE, |value| *L::link(value));
        link.prev != NONE || self.head == key(member)
    }

    /// Puts a slot behind all others, whether it was a member or not.
    #[inline(always)]
    pub(crate) fn move_back<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        // Who was the last one before is the most frequent, and touches no slot.
        if self.tail != key(member) {
            self.move_back_from_afar(arena, member);
        }
    }

    #[inline(never)]
    fn move_back_from_afar<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        if self.holds(arena, member) {
            self.remove(arena, member);
        }
        self.push_back(arena, member);
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
            let all = u32::try_from(arena.len()).unwrap_or(u32::MAX);
            assert!(count <= all, "{what}: more members than the {all} that there are");
        }
        assert_eq!(member, NONE, "{what}: slot {member} is in the list and does not live");
        assert_eq!(self.tail, before, "{what}: the tail is not the last member");
        count
    }
}

/// A [`Chain`] that counts its members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<L> {
    chain: Chain<L>,
    len: u32,
}

impl<L> Default for List<L> {
    fn default() -> Self {
        Self { chain: Chain::default(), len: 0 }
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
        self.chain.first()
    }

    pub(crate) const fn last(&self) -> Option<usize> {
        self.chain.last()
    }

    /// The id of the first member.
    pub(crate) fn first_id<I: Id, T>(&self, arena: &Arena<I, T>) -> Option<I> {
        self.chain.first_id(arena)
    }

    /// The slot behind `member`.
    pub(crate) fn after<I: Id, T>(&self, arena: &Arena<I, T>, member: usize) -> Option<usize>
    where
        L: Linked<T>,
    {
        self.chain.after(arena, member)
    }

    #[inline]
    pub(crate) fn push_front<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        self.chain.push_front(arena, member);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn push_back<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        self.chain.push_back(arena, member);
        self.len += 1;
    }

    /// Takes a member out. It must be in this list.
    #[inline]
    pub(crate) fn remove<I: Id, T>(&mut self, arena: &mut Arena<I, T>, member: usize)
    where
        L: Linked<T>,
    {
        self.chain.remove(arena, member);
        self.len -= 1;
    }

    /// Moves every member of `other` behind those of this list.
    pub(crate) fn append<I: Id, T>(&mut self, arena: &mut Arena<I, T>, other: &mut Self)
    where
        L: Linked<T>,
    {
        let Self { chain: other, len } = core::mem::take(other);
        let Some(first) = other.first() else { return };
        match self.last().and_then(|tail| arena.at_mut(tail)) {
            Some(tail) => L::link_mut(tail).next = other.head,
            None => self.chain.head = other.head,
        }
        if let Some(first) = arena.at_mut(first) {
            L::link_mut(first).prev = self.chain.tail;
        }
        self.chain.tail = other.tail;
        self.len += len;
    }

    /// As [`Chain::iter`].
    pub(crate) fn iter<'a, I: Id, T>(
        &self,
        arena: &'a Arena<I, T>,
    ) -> impl Iterator<Item = (I, &'a T)> + use<'a, L, I, T>
    where
        L: Linked<T>,
    {
        self.chain.iter(arena)
    }

    /// Panics unless the links agree both ways and the count is right, which it returns.
    pub(crate) fn check<I: Id, T>(&self, arena: &Arena<I, T>, what: &str) -> u32
    where
        L: Linked<T>,
    {
        let count = self.chain.check(arena, what);
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
    fn whoever_moves_to_the_back_stands_there_once() {
        let mut rng = Rng::new(12);
        let mut arena: Arena<RequestId, Link> = Arena::new();
        for _ in 0..8 {
            arena.insert(Link::default());
        }
        let (mut chain, mut model) = (Chain::<Only>::default(), VecDeque::new());
        for _ in 0..2_000 {
            let member = rng.below(8) as usize;
            assert_eq!(chain.holds(&arena, member), model.contains(&member));
            model.retain(|other| *other != member);
            match rng.below(3) {
                0 if chain.holds(&arena, member) => chain.remove(&mut arena, member),
                0 => {}
                _ => {
                    chain.move_back(&mut arena, member);
                    model.push_back(member);
                }
            }
            chain.check(&arena, "chain");
            let members: VecDeque<_> = chain.iter(&arena).map(|(id, _)| id.slot()).collect();
            assert_eq!(members, model);
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
