//! What the driver has not taken yet, oldest first.
//!
//! The two actions of every exchange are kept as plain words, written and read one by one: a
//! whole [`Action`] would be copied through memory in pieces wider than those it was just
//! written in, and processors wait for that. All others are rare, and boxed.

use std::collections::VecDeque;

use super::event::Action;
use crate::id::{ConnectionId, Id, RequestId};
use crate::types::Outcome;

/// A queue of actions. [`Outgoing::assign`] and [`Outgoing::complete`] do not allocate in the
/// steady state.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    queue: VecDeque<Entry>,
}

/// Told apart by two tests instead of a tag: a jump by table costs more than all the rest.
#[derive(Clone, Debug)]
struct Entry {
    request: u64,
    /// Of an `Assign`; [`NONE`] is a complete exchange.
    connection: u64,
    other: Option<Box<Action>>,
}

/// No id: its generation would be used up.
const NONE: u64 = u64::MAX;

/// Slot and generation as they lie in memory, so that they are moved as one word.
const fn word(slot: usize, generation: u32) -> u64 {
    (slot as u64 & 0xffff_ffff) | ((generation as u64) << 32)
}

fn id<I: Id>(word: u64) -> I {
    I::new((word & 0xffff_ffff) as u32, (word >> 32) as u32)
}

impl Outgoing {
    pub(super) fn push(&mut self, action: Action) {
        let other = Some(Box::new(action));
        self.queue.push_back(Entry { request: NONE, connection: NONE, other });
    }

    #[inline(always)]
    pub(super) fn assign(&mut self, request: RequestId, connection: ConnectionId) {
        let request = word(request.slot(), request.generation());
        let connection = word(connection.slot(), connection.generation());
        self.queue.push_back(Entry { request, connection, other: None });
    }

    #[inline(always)]
    pub(super) fn complete(&mut self, request: RequestId) {
        let request = word(request.slot(), request.generation());
        self.queue.push_back(Entry { request, connection: NONE, other: None });
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Action> {
        let Entry { request, connection, other } = self.queue.pop_front()?;
        if let Some(action) = other {
            return Some(*action);
        }
        let request = id::<RequestId>(request);
        Some(if connection == NONE {
            Action::Finished { request, outcome: Outcome::Complete }
        } else {
            Action::Assign { request, connection: id::<ConnectionId>(connection) }
        })
    }
}
