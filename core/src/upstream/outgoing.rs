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

#[derive(Clone, Debug)]
enum Entry {
    Assign(u64, u64),
    Completed(u64),
    Other(Box<Action>),
}

/// Slot and generation as they lie in memory, so that they are moved as one word.
const fn word(slot: usize, generation: u32) -> u64 {
    (slot as u64 & 0xffff_ffff) | ((generation as u64) << 32)
}

fn id<I: Id>(word: u64) -> I {
    I::new((word & 0xffff_ffff) as u32, (word >> 32) as u32)
}

impl Outgoing {
    pub(super) fn push(&mut self, action: Action) {
        self.queue.push_back(Entry::Other(Box::new(action)));
    }

    #[inline(always)]
    pub(super) fn assign(&mut self, request: RequestId, connection: ConnectionId) {
        let request = word(request.slot(), request.generation());
        let connection = word(connection.slot(), connection.generation());
        self.queue.push_back(Entry::Assign(request, connection));
    }

    #[inline(always)]
    pub(super) fn complete(&mut self, request: RequestId) {
        self.queue.push_back(Entry::Completed(word(request.slot(), request.generation())));
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Action> {
        Some(match self.queue.pop_front()? {
            Entry::Assign(request, connection) => Action::Assign {
                request: id::<RequestId>(request),
                connection: id::<ConnectionId>(connection),
            },
            Entry::Completed(request) => {
                Action::Finished { request: id::<RequestId>(request), outcome: Outcome::Complete }
            }
            Entry::Other(action) => *action,
        })
    }
}
