//! How often something has happened lately, in the driver's time.

use crate::time::{Duration, Instant};

/// The time over which frames are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts events within [`WINDOW`].
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Instant,
    count: u32,
}

impl Rate {
    /// Counts one more; returns how many there were in this window.
    pub(super) fn hit(&mut self, now: Instant) -> u32 {
        if now.saturating_since(self.since) >= WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}
