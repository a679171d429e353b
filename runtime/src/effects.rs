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

/// What is done after the lock is let go.
pub(crate) struct Effects {
    pub(crate) wakers: SmallVec<[Waker; 4]>,
    pub(crate) jobs: SmallVec<[Job; 1]>,
    pub(crate) resolves: SmallVec<[(HostId, Arc<str>); 1]>,
    pub(crate) services: Vec<Services>,
    pub(crate) failures: Vec<(Arc<Exchange>, Error)>,
    pub(crate) finished: SmallVec<[(Arc<Exchange>, Outcome); 2]>,
    pub(crate) parcels: SmallVec<[Parcel; 2]>,
    /// The journal that has something new.
    pub(crate) journal: Option<Arc<Shared>>,
    pub(crate) rearm: bool,
}

impl Effects {
    pub(crate) fn new() -> Self {
        Self {
            wakers: SmallVec::new(),
            jobs: SmallVec::new(),
            resolves: SmallVec::new(),
            services: Vec::new(),
            failures: Vec::new(),
            finished: SmallVec::new(),
            parcels: SmallVec::new(),
            journal: None,
            rearm: false,
        }
    }

    /// Whether there is nothing to do, as after most events.
    pub(crate) fn is_idle(&self) -> bool {
        let Self { wakers, jobs, resolves, services, .. } = self;
        let Self { failures, finished, parcels, journal, rearm, .. } = self;
        wakers.is_empty()
            && jobs.is_empty()
            && resolves.is_empty()
            && services.is_empty()
            && failures.is_empty()
            && finished.is_empty()
            && parcels.is_empty()
            && journal.is_none()
            && !rearm
    }
}
