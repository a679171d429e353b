//! The one place where a machine's instant becomes the wall clock that certificates and tickets
//! are checked against, and the instant of std that QUIC's library reckons with.

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
    pub(in crate::engine) fn set(&self, now: Instant) {
        self.now.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// The wall clock at the instant set last.
    pub(in crate::engine) fn unix(&self) -> Duration {
        let now = Duration::from_nanos(self.now.load(Ordering::Relaxed));
        self.unix_at_epoch.saturating_add(now)
    }
}

/// Tokens of address validation are dated by it.
#[cfg(feature = "http3")]
impl quinn_proto::TimeSource for Clock {
    fn now(&self) -> std::time::SystemTime {
        let epoch = std::time::SystemTime::UNIX_EPOCH;
        epoch.checked_add(self.unix()).unwrap_or(epoch)
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.unix()))
    }
}

/// Our instants as std's, in which QUIC's library reckons, and back.
#[cfg(feature = "http3")]
pub(in crate::engine) mod std_time {
    use std::sync::OnceLock;
    use std::time::Instant as StdInstant;

    use crate::time::{Duration, Instant};

    /// Stands for the epoch. std makes an instant in no other way; whichever it is, the same
    /// differences come of it, and nothing else is ever looked at.
    fn epoch() -> StdInstant {
        static EPOCH: OnceLock<StdInstant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "not a clock: any instant would do")]
        *EPOCH.get_or_init(StdInstant::now)
    }

    /// As std has it. What std cannot say is the epoch.
    pub(in crate::engine) fn std(at: Instant) -> StdInstant {
        let epoch = epoch();
        epoch.checked_add(Duration::from_nanos(at.as_nanos())).unwrap_or(epoch)
    }

    /// As the machines have it; what was before the epoch is the epoch.
    pub(in crate::engine) fn ours(at: StdInstant) -> Instant {
        Instant::EPOCH + at.saturating_duration_since(epoch())
    }
}
