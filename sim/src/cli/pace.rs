//! The wall clock, for progress and speed on standard error and nothing else.

use std::time::{Duration, Instant};

/// Tells how far a long run has come, at most once a second.
#[derive(Debug)]
pub(crate) struct Pace {
    /// What is counted.
    of: u64,
    unit: &'static str,
    begun: Instant,
    told: Duration,
    done: u64,
}

impl Pace {
    /// Begins to count `of` units.
    pub(crate) fn new(of: u64, unit: &'static str) -> Self {
        Self { of, unit, begun: now(), told: Duration::ZERO, done: 0 }
    }

    /// So many more are done.
    pub(crate) fn done(&mut self, more: u64, failures: u64) {
        self.done += more;
        let elapsed = now() - self.begun;
        if elapsed - self.told >= Duration::from_secs(1) {
            self.told = elapsed;
            self.tell(failures);
        }
    }

    /// Says how it ended.
    pub(crate) fn end(&self, failures: u64) {
        self.tell(failures);
    }

    fn tell(&self, failures: u64) {
        let seconds = (now() - self.begun).as_secs_f64();
        let speed = self.done as f64 / seconds.max(1e-9);
        let (done, of, unit) = (self.done, self.of, self.unit);
        eprintln!("{done} of {of} {unit}, {failures} failed, {seconds:.1} s, {speed:.0} a second");
    }
}

pub(super) fn now() -> Instant {
    Instant::now()
}
