//! What lies between two hosts.

use core::time::Duration;

/// A link, the same in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// How long everything takes from one end to the other. Default 0.
    pub delay: Duration,
}

impl Link {
    /// A perfect link of this one-way delay.
    pub const fn delay(delay: Duration) -> Self {
        Self { delay }
    }
}
