//! Circuit breakers of one cluster and priority: a ledger that counts what is in use and says
//! whether there may be more.
//!
//! It remembers and answers, nothing else: who asks decides what a "no" means (a pool without
//! a connection makes one all the same, so a count may exceed its limit). Counts are exact,
//! because everything that was taken is given back exactly once.

mod config;
mod memory;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use memory::{Memory, QuicStream, Windows};

/// What a circuit breaker limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Connections, connecting and draining ones included.
    Connections,
    /// Requests that wait.
    Pending,
    /// Requests on a connection.
    Requests,
    /// Requests that were sent again although their fate was unknown.
    Retries,
    /// Pools with a connection or a waiting request.
    Pools,
}

impl Resource {
    /// Every one, in order.
    pub const ALL: [Self; 5] =
        [Self::Connections, Self::Pending, Self::Requests, Self::Retries, Self::Pools];
}

/// The circuit breakers of one cluster and priority.
#[derive(Clone, Debug)]
pub struct Limits {
    most: [u32; Resource::ALL.len()],
    used: [u32; Resource::ALL.len()],
}

impl Limits {
    /// Nothing is in use yet.
    pub fn new(config: &Config) -> Self {
        let most = [
            config.max_connections,
            config.max_pending_requests,
            config.max_requests,
            config.max_retries,
            config.max_connection_pools,
        ];
        Self { most: most.map(|most| most.unwrap_or(u32::MAX)), used: [0; 5] }
    }

    /// Whether one more is allowed.
    pub fn may(&self, what: Resource) -> bool {
        match (self.used.get(what as usize), self.most.get(what as usize)) {
            (Some(used), Some(most)) => used < most,
            _ => false,
        }
    }

    /// How many are in use.
    pub fn used(&self, what: Resource) -> u32 {
        self.used.get(what as usize).copied().unwrap_or(0)
    }

    /// Notes one more, whether or not it was allowed.
    pub fn take(&mut self, what: Resource) {
        if let Some(used) = self.used.get_mut(what as usize) {
            *used = used.saturating_add(1);
        }
    }

    /// Notes one less.
    pub fn give(&mut self, what: Resource) {
        if let Some(used) = self.used.get_mut(what as usize) {
            debug_assert!(*used > 0, "{what:?} given back more often than taken");
            *used = used.saturating_sub(1);
        }
    }
}
