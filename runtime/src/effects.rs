//! What the hub does after it has let go of its lock.

use core::task::Waker;
use std::sync::Arc;

use regatta_core::id::HostId;
use regatta_core::types::Outcome;
use smallvec::SmallVec;

use crate::drive::attempt::Job;
use crate::drive::resolve::Services;
use crate::error::Error;
use crate::exchange::{Exchange, Parcel};
use crate::recording::Shared;

/// What is done after the lock is let go. What every request brings with it lies here; the rest
/// costs nothing where there is none of it.
pub(crate) struct Effects {
    pub(crate) wakers: SmallVec<[Waker; 4]>,
    pub(crate) finished: SmallVec<[Finished; 1]>,
    rare: Option<Box<Rare>>,
    pub(crate) rearm: bool,
}

/// A request that is over.
pub(crate) struct Finished {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) parcel: Option<Parcel>,
    pub(crate) outcome: Outcome,
}

/// What most events bring nothing of.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) jobs: Vec<Job>,
    pub(crate) resolves: Vec<(HostId, Arc<str>)>,
    pub(crate) services: Vec<Services>,
    pub(crate) refused: Vec<Refused>,
    /// The journal that has something new.
    pub(crate) journal: Option<Arc<Shared>>,
}

/// A request that got no connection.
pub(crate) struct Refused {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) parcel: Option<Parcel>,
    pub(crate) error: Error,
}

impl Effects {
    pub(crate) fn new() -> Self {
        Self { wakers: SmallVec::new(), finished: SmallVec::new(), rare: None, rearm: false }
    }

    /// Where that is noted of which most events bring nothing.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes that out, if there is any.
    pub(crate) fn take_rare(&mut self) -> Option<Box<Rare>> {
        self.rare.take()
    }
}
