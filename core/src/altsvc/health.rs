//! How well an alternative has worked, and how long it is left alone when it has not.

use crate::time::{Duration, Instant};

/// How long a broken alternative is left alone: doubled each time, until it works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The first time. Default 5 minutes (Chromium, and Envoy as it is documented; Envoy's code
    /// has 1 s).
    pub first: Duration,
    /// Never longer. Default a day (Envoy's code: 2^17 s).
    pub longest: Duration,
}

impl BackOff {
    /// What Envoy's code does: 1 s, doubled 17 times.
    pub const ENVOY: Self =
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(1 << 17) };

    /// How long, after so many times before.
    pub fn after(&self, failures: u8) -> Duration {
        let factor = 1_u32.checked_shl(failures.into()).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Duration::from_secs(300), longest: Duration::from_secs(86_400) }
    }
}

/// What is known of an alternative from having used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing: it was never tried on this network.
    Unknown,
    /// It worked the last time.
    Confirmed,
    /// It failed lately: whoever tries it starts another way beside it at once.
    Suspect,
    /// It is not tried before this time.
    Broken(Instant),
}

impl State {
    /// Whether it may be tried.
    pub const fn is_usable(self) -> bool {
        !matches!(self, Self::Broken(_))
    }
}

/// The memory behind a [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) mark: Mark,
    /// How often it was broken since it worked last.
    pub(super) failures: u8,
    /// When it was, or will be, left alone for long enough.
    pub(super) until: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Unknown,
    Confirmed,
    Suspect,
    Broken,
}

impl Health {
    pub(super) fn state(&self, now: Instant) -> State {
        match self.mark {
            Mark::Unknown => State::Unknown,
            Mark::Confirmed => State::Confirmed,
            Mark::Broken if now < self.until => State::Broken(self.until),
            Mark::Broken | Mark::Suspect => State::Suspect,
        }
    }

    /// Whether there is anything to remember.
    pub(super) fn is_known(&self) -> bool {
        *self != Self::default()
    }

    pub(super) fn confirm(&mut self) {
        *self = Self { mark: Mark::Confirmed, ..Self::default() };
    }

    /// The time of an earlier failure goes on: it limits the next one.
    pub(super) fn suspect(&mut self) {
        self.mark = Mark::Suspect;
    }

    /// While the time of an earlier failure runs, another makes it neither longer nor counts.
    pub(super) fn break_off(&mut self, now: Instant, back_off: &BackOff) {
        self.mark = Mark::Broken;
        if now >= self.until {
            self.until = now + back_off.after(self.failures);
            self.failures = self.failures.saturating_add(1);
        }
    }
}
