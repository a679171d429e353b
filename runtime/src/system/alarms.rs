//! Timers for an event loop that has none, and can only sleep for some time.

use core::fmt;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regatta_core::Instant;

use crate::runtime::Timer;

/// All alarms of an event loop. The loop sleeps until the [`next`](Self::next) one and then says
/// [`wake_due`](Self::wake_due); the clock is its own.
#[derive(Clone)]
pub struct Alarms {
    shared: Arc<Shared>,
}

struct Shared {
    set: Mutex<Set>,
    ring: Box<dyn Fn() + Send + Sync>,
}

/// Who waits, by time and by number.
#[derive(Default)]
struct Set {
    last: u64,
    waiting: BTreeMap<(Instant, u64), Waker>,
}

impl Alarms {
    /// No alarms yet. `ring` wakes the loop when it sleeps too long: there is a new next alarm,
    /// perhaps of another thread.
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { set: Mutex::default(), ring: Box::new(ring) }) }
    }

    /// A timer that expires at `at`.
    pub fn timer(&self, at: Instant) -> Alarm {
        let mut set = self.set();
        set.last += 1;
        Alarm { alarms: self.clone(), key: (at, set.last), is_set: false }
    }

    /// When the loop must be awake again; `None` is never.
    pub fn next(&self) -> Option<Instant> {
        self.set().waiting.keys().next().map(|(at, _)| *at)
    }

    /// Wakes who waits for `now` or earlier.
    pub fn wake_due(&self, now: Instant) {
        let mut set = self.set();
        let later = set.waiting.split_off(&(now, u64::MAX));
        let due = core::mem::replace(&mut set.waiting, later);
        // Whoever is woken may want the lock.
        drop(set);
        due.into_values().for_each(Waker::wake);
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.shared.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarms").field("next", &self.next()).finish_non_exhaustive()
    }
}

/// One of an event loop's alarms, as a [`Timer`].
#[derive(Debug)]
pub struct Alarm {
    alarms: Alarms,
    key: (Instant, u64),
    /// It was set for its time; when it is not waiting any more, it has expired.
    is_set: bool,
}

impl Timer for Alarm {
    fn reset(&mut self, at: Instant) {
        self.forget();
        self.key.0 = at;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut set = self.alarms.set();
        if self.is_set && !set.waiting.contains_key(&self.key) {
            return Poll::Ready(());
        }
        let before = set.waiting.insert(self.key, cx.waker().clone());
        let is_next = set.waiting.keys().next() == Some(&self.key);
        drop(set);
        // A task may go with its waker, and want the lock.
        drop(before);
        if is_next && !self.is_set {
            (self.alarms.shared.ring)();
        }
        self.is_set = true;
        Poll::Pending
    }
}

impl Alarm {
    fn forget(&mut self) {
        self.is_set = false;
        let waker = self.alarms.set().waiting.remove(&self.key);
        // A task may go with its waker, and want the lock.
        drop(waker);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn is_ready(alarm: &mut Alarm) -> bool {
        alarm.poll_expired(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn an_alarm_expires_at_its_time_and_stays_expired_until_it_is_moved() {
        let alarms = Alarms::new(|| {});
        let mut alarm = alarms.timer(at(5));
        assert_eq!(alarms.next(), None, "nobody waits for it");
        assert!(!is_ready(&mut alarm));
        assert_eq!(alarms.next(), Some(at(5)));
        alarms.wake_due(at(4));
        assert!(!is_ready(&mut alarm), "it is early");
        alarms.wake_due(at(5));
        assert!(is_ready(&mut alarm) && is_ready(&mut alarm));
        alarm.reset(at(7));
        assert!(!is_ready(&mut alarm));
        alarm.reset(at(6));
        assert_eq!(alarms.next(), None, "the time that it was moved from means nothing");
        assert!(!is_ready(&mut alarm));
        assert_eq!(alarms.next(), Some(at(6)));
        drop(alarm);
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn the_loop_is_rung_for_when_it_sleeps_too_long() {
        let rung = Arc::new(AtomicUsize::new(0));
        let alarms = {
            let rung = Arc::clone(&rung);
            Alarms::new(move || _ = rung.fetch_add(1, Ordering::Relaxed))
        };
        // When each alarm is for, and how often the loop was rung for until then.
        let all = [(5, 1), (6, 1), (4, 2), (4, 2), (3, 3)];
        let mut kept = Vec::new();
        for (seconds, times) in all {
            let mut alarm = alarms.timer(at(seconds));
            assert!(!is_ready(&mut alarm) && !is_ready(&mut alarm));
            assert_eq!(rung.load(Ordering::Relaxed), times, "an alarm at {seconds} s");
            kept.push(alarm);
        }
    }
}
