//! The one object that a runtime drives: every cluster's pools, races, hosts and limits.

mod config;
mod event;

pub use config::{Cluster, Config, Profile, Protocols};
pub use event::{Action, Event};

use crate::id::{ConnectionId, HostId, RequestId};
use crate::machine::{Machine, Outbox};
use crate::record::{Kind, Record};
use crate::time::Instant;
use crate::types::{Key, MethodClass};

/// The one object that a runtime drives.
#[derive(Clone, Debug)]
pub struct Upstream {
    out: Outbox<Action>,
}

impl Upstream {
    /// Builds it from its settings.
    pub fn new(_config: Config) -> Self {
        Self { out: Outbox::new() }
    }
    /// Asks for a stream to `key`'s origin and returns the request's id. What follows is
    /// `Assign` or `Refuse`, possibly at once.
    pub fn request(
        &mut self,
        _now: Instant,
        _key: &Key,
        _method: MethodClass,
        _deadline: Option<Instant>,
    ) -> RequestId {
        RequestId::new(0, 0)
    }
    /// The id that the newest [`Event::Requested`] minted.
    pub fn last_request(&self) -> Option<RequestId> {
        None
    }
    /// Takes in one event.
    pub fn handle_event(&mut self, _now: Instant, _event: Event) {}
    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// When to call `handle_timeout`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    /// The oldest action that was not taken yet.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop()
    }
    /// The oldest record.
    pub fn poll_record(&mut self) -> Option<Record> {
        None
    }
    /// How often something happened.
    pub fn count(&self, _kind: Kind) -> u64 {
        0
    }
    /// Recounts everything.
    pub fn check(&self) {}
}
