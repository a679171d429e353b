//! How slow a peer may be.

use crate::time::{Duration, Instant};

/// The least progress of a peer that is waited for: so many bytes in every window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes that must move.
    pub bytes: u32,
    /// Within this time, counted from when the wait for the peer began.
    pub window: Duration,
}

impl Default for Pace {
    /// 14,400 bytes in 60 s: Kestrel's 240 bytes a second (`MinRequestBodyDataRate`,
    /// `MinResponseDataRate`), over the time after which nginx gives up a peer that moves nothing
    /// (`client_body_timeout`, `send_timeout`).
    fn default() -> Self {
        Self { bytes: 14_400, window: Duration::from_secs(60) }
    }
}

/// Holds a peer to a [`Pace`] while something is waited for. Its clock stands while nothing is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    since: Option<Instant>,
    paused: Option<Instant>,
    moved: u64,
}

impl Meter {
    /// The wait for the peer begins, or goes on.
    pub fn start(&mut self, now: Instant) {
        match (self.since, self.paused.take()) {
            (None, _) => *self = Self { since: Some(now), paused: None, moved: 0 },
            (Some(since), Some(paused)) => {
                self.since = Some(since + now.saturating_since(paused));
            }
            (Some(_), None) => {}
        }
    }

    /// Nothing is waited for at the moment.
    pub fn pause(&mut self, now: Instant) {
        if self.since.is_some() {
            self.paused.get_or_insert(now);
        }
    }

    /// Nothing is waited for any more.
    pub const fn stop(&mut self) {
        self.since = None;
        self.paused = None;
    }

    /// So many bytes have moved.
    pub const fn moved(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// The peer owes nothing more in this window.
    pub const fn satisfy(&mut self) {
        self.moved = u64::MAX;
    }

    /// When [`Meter::is_slow`] has an answer.
    pub fn due(&self, pace: Option<Pace>) -> Option<Instant> {
        if self.paused.is_some() {
            return None;
        }
        Some(self.since? + pace?.window)
    }

    /// Whether a window has ended with too little; one that was well begins the next.
    pub fn is_slow(&mut self, now: Instant, pace: Option<Pace>) -> bool {
        let Some(pace) = pace.filter(|_| self.due(pace).is_some_and(|at| at <= now)) else {
            return false;
        };
        if self.moved < u64::from(pace.bytes) {
            self.stop();
            return true;
        }
        *self = Self { since: Some(now), paused: None, moved: 0 };
        false
    }
}
