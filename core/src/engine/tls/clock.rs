//! The one place where a machine's instant becomes the wall clock that certificates and tickets
//! are checked against.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::time::{Duration, Instant};

/// What rustls wants to know of the world: an anchor that the runtime passes in once, and the
/// instant of the call under way, which every [`Tls`](super::Tls) sets before it calls rustls.
///
/// Clones share the instant. Where several threads share one they race only for whose instant
/// counts, and those are microseconds apart.
#[derive(Clone, Debug)]
pub struct Clock {
    unix_at_epoch: Duration,
    now: Arc<AtomicU64>,
}

impl Clock {
    /// The wall clock at the runtime's epoch, as the time since 1970.
    pub fn new(unix_at_epoch: Duration) -> Self {
        Self { unix_at_epoch, now: Arc::new(AtomicU64::new(0)) }
    }

    /// Sets the instant of the call under way.
    pub(super) fn set(&self, now: Instant) {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// The wall clock at the instant set last.
    pub(super) fn unix(&self) -> Duration {
        let now = Duration::from_nanos(self.now.load(Ordering::Relaxed));
        self.unix_at_epoch.saturating_add(now)
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.unix()))
    }
}
