//! The budget of all requests' retries, and the seed of their jitter.

use super::Budget;
use crate::rng::Rng;
use crate::time::Duration;

/// How many requests are being retried, how many may be, and what became of those who asked.
#[derive(Clone, Debug)]
pub struct Ledger {
    budget: Option<Budget>,
    rng: Rng,
    retrying: usize,
    taken: u64,
    refused: u64,
}

impl Ledger {
    /// Nobody retries yet; without a budget everyone may.
    pub const fn new(budget: Option<Budget>, seed: u64) -> Self {
        Self { budget, rng: Rng::new(seed), retrying: 0, taken: 0, refused: 0 }
    }

    /// Whether one more may be retried while `active` requests wait or are under way.
    pub fn may(&self, active: usize) -> bool {
        self.budget.is_none_or(|budget| {
            let share = active.saturating_mul(budget.percent as usize) / 100;
            self.retrying < share.max(budget.min_concurrency as usize)
        })
    }

    /// How many requests are being retried: waiting for their next try, or at it.
    pub const fn retrying(&self) -> usize {
        self.retrying
    }

    /// How many requests were retried, and how many were not because the budget had no room.
    pub const fn counts(&self) -> (u64, u64) {
        (self.taken, self.refused)
    }

    /// Notes one more, where there is room.
    pub(super) fn take(&mut self, active: usize) -> bool {
        let may = self.may(active);
        self.retrying += usize::from(may);
        self.taken += u64::from(may);
        self.refused += u64::from(!may);
        may
    }

    pub(super) fn give(&mut self) {
        debug_assert!(self.retrying > 0, "given back more often than taken");
        self.retrying = self.retrying.saturating_sub(1);
    }

    /// A random time below `most`.
    pub(super) fn below(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.below(nanos))
    }
}
