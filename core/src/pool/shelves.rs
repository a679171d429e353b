//! Where established connections are listed: on a shelf while they have room, held without it.
//!
//! A connection's slot is looked up once for an exchange's part: first all that is in the slot is
//! set, its links among it, then the lists are told, which touch other slots only where there are
//! neighbours.

use super::tables::{ByRest, ByState, Connection, Connections};
use super::{Pool, Shelves, State};
use crate::list::{Chain, Link, Linked};

/// Each sets what is in the slot and says which link it had.
impl Connection {
    /// From its shelf to those that have no room.
    #[inline(always)]
    pub(super) fn fill_up(&mut self, held: &Chain<ByState>) -> (u8, Link) {
        let link = ByState::link_mut(self);
        let left = core::mem::replace(link, held.front());
        self.state = State::Busy;
        (self.shelf, left)
    }

    /// From those that have no room to its shelf.
    #[inline(always)]
    pub(super) fn come_free(&mut self, ready: &Shelves) -> Link {
        self.state = State::Ready;
        self.take_shelf(ready).1
    }

    /// From one shelf to the one where it belongs.
    #[inline(always)]
    pub(super) fn take_shelf(&mut self, ready: &Shelves) -> (u8, Link) {
        let (from, to) = (self.shelf, self.best_shelf());
        let front = ready.get(usize::from(to)).map_or(Link::NONE, Chain::front);
        self.shelf = to;
        (from, core::mem::replace(ByState::link_mut(self), front))
    }
}

/// Each tells the lists of what the function of the same name did in the slot.
impl Pool {
    #[inline(always)]
    pub(super) fn filled_up(&mut self, all: &mut Connections, place: usize, left: (u8, Link)) {
        self.left_shelf(all, left);
        self.held.joined_front(all, place);
    }

    #[inline(always)]
    pub(super) fn came_free(
        &mut self,
        all: &mut Connections,
        resting: &mut Chain<ByRest>,
        place: usize,
        left: Link,
    ) {
        self.held.left(all, left);
        self.took_shelf(all, resting, place);
    }

    #[inline(always)]
    pub(super) fn left_shelf(&mut self, all: &mut Connections, (shelf, link): (u8, Link)) {
        if let Some(list) = self.ready.get_mut(usize::from(shelf)) {
            list.left(all, link);
        }
    }

    #[inline(always)]
    pub(super) fn took_shelf(
        &mut self,
        all: &mut Connections,
        resting: &mut Chain<ByRest>,
        place: usize,
    ) {
        let Some(slot) = all.at(place) else { return };
        let (shelf, idle) = (usize::from(slot.shelf), slot.streams.is_empty());
        if let Some(list) = self.ready.get_mut(shelf) {
            list.joined_front(all, place);
        }
        if idle {
            resting.move_back(all, place);
        }
    }

    /// Puts a connection before the others in its state.
    pub(super) fn list(&mut self, all: &mut Connections, place: usize, state: State, shelf: u8) {
        match state {
            State::Connecting | State::EarlyData => self.connecting.push_front(all, place),
            State::Ready => {
                if let Some(list) = self.ready.get_mut(usize::from(shelf)) {
                    list.push_front(all, place);
                }
            }
            State::Busy | State::Draining => self.held.push_front(all, place),
            State::Closed => {}
        }
    }

    /// Takes a connection out of the list of its state.
    pub(super) fn unlist(&mut self, all: &mut Connections, place: usize, state: State, shelf: u8) {
        match state {
            State::Connecting | State::EarlyData => self.connecting.remove(all, place),
            State::Ready => {
                if let Some(list) = self.ready.get_mut(usize::from(shelf)) {
                    list.remove(all, place);
                }
            }
            State::Busy | State::Draining => self.held.remove(all, place),
            State::Closed => {}
        }
    }
}
