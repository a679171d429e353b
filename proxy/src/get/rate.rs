//! `--limit-rate`: no more bytes than were asked for; `-Y` and `-y`: no fewer.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use regatta_core::Instant;
use regatta_tokio::{Runtime as _, Timer as _, Tokio, TokioTimer};

/// Lets bytes pass at a steady rate, from its making on.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes a second.
    rate: u64,
    clock: Tokio,
    begun: Instant,
    passed: u64,
    timer: Option<TokioTimer>,
}

impl Pace {
    /// `None` where there is no limit.
    pub(crate) fn new(rate: Option<u64>, clock: &Tokio) -> Option<Self> {
        let rate = rate.filter(|rate| *rate > 0)?;
        let (clock, begun) = (clock.clone(), clock.now());
        Some(Self { rate, clock, begun, passed: 0, timer: None })
    }

    /// So many bytes passed.
    pub(crate) fn passed(&mut self, count: u64) {
        self.passed += count;
    }

    /// Ready when the next bytes may pass.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.begun + due(self.rate, self.passed);
        if self.timer.is_none() && due > self.clock.now() {
            self.timer = Some(self.clock.timer(due));
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.poll_expired(cx));
            self.timer = None;
        }
        Poll::Ready(())
    }

    /// Waits until the next bytes may pass.
    pub(crate) async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }
}

/// When so many bytes may have passed.
fn due(rate: u64, passed: u64) -> Duration {
    let nanos = u128::from(passed) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How slow a transfer may be, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Least {
    /// Bytes a second.
    pub(crate) rate: u64,
    /// For so long.
    pub(crate) time: Duration,
}

impl Least {
    /// curl's defaults: either option brings the other along.
    pub(crate) fn new(limit: Option<u64>, time: Option<u32>) -> Option<Self> {
        let (rate, seconds) = match (limit, time) {
            (None, None) => return None,
            (limit, time) => (limit.unwrap_or(1), time.unwrap_or(30)),
        };
        let is_off = rate == 0 || seconds == 0;
        (!is_off).then(|| Self { rate, time: Duration::from_secs(seconds.into()) })
    }
}

/// Whether a transfer has been too slow for too long.
#[derive(Debug)]
pub(crate) struct Watch {
    least: Least,
    clock: Tokio,
    since: Instant,
    passed: u64,
}

impl Watch {
    pub(crate) fn new(least: Least, clock: &Tokio) -> Self {
        Self { least, clock: clock.clone(), since: clock.now(), passed: 0 }
    }

    /// Bytes came; a window that had enough of them is followed by another.
    pub(crate) fn passed(&mut self, count: u64) {
        self.passed += count;
        let enough = self.least.rate.saturating_mul(self.least.time.as_secs());
        if self.passed >= enough {
            self.since = self.clock.now();
            self.passed = 0;
        }
    }

    /// Resolves when the window ends with too few bytes.
    pub(crate) async fn too_slow(&self) {
        let end = self.since + self.least.time;
        if end > self.clock.now() {
            let mut timer = self.clock.timer(end);
            poll_fn(|cx| timer.poll_expired(cx)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_due_at_their_rate() {
        assert_eq!(due(1000, 0), Duration::ZERO);
        assert_eq!(due(1000, 500), Duration::from_millis(500));
        assert_eq!(due(3, 1), Duration::from_nanos(333_333_333));
        assert!(due(1, u64::MAX) > Duration::from_secs(1 << 33));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_holds_bytes_back() {
        let clock = Tokio::new();
        assert!(Pace::new(Some(0), &clock).is_none());
        let mut pace = Pace::new(Some(1000), &clock).unwrap();
        pace.ready().await;
        assert_eq!(clock.now(), Instant::EPOCH);
        pace.passed(2500);
        pace.ready().await;
        assert_eq!(clock.now(), Instant::from_millis(2500));
    }

    #[tokio::test(start_paused = true)]
    async fn too_slow_is_too_few_bytes_in_a_window() {
        assert_eq!(Least::new(None, None), None);
        let least = Least::new(Some(10), Some(2)).unwrap();
        assert_eq!(Least::new(None, Some(5)).unwrap().rate, 1);
        let clock = Tokio::new();
        let mut watch = Watch::new(least, &clock);
        tokio::time::sleep(Duration::from_secs(1)).await;
        watch.passed(20);
        watch.passed(19);
        watch.too_slow().await;
        assert_eq!(clock.now(), Instant::from_millis(3000));
    }
}
