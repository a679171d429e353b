//! Settings of retries.

use crate::time::Duration;

/// Which requests are tried again, how often, and when.
///
/// The default retries nothing but a misdirected request; what provably reached nobody is sent
/// again by the pool, whatever is said here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How often a request is tried again at most. Default 0: the policy is off.
    pub retries: u32,
    /// When no connection could be made; nothing was sent, so whatever the method. Default true
    /// (Envoy's `connect-failure`).
    pub on_connect_failure: bool,
    /// When the stream or its connection broke before the response's head was there. Default
    /// true (Envoy's `reset`).
    pub on_reset: bool,
    /// When the final response has one of these statuses. Default 429, 502, 503, 504 (Envoy's
    /// `gateway-error`, and 429).
    pub statuses: Vec<u16>,
    /// Also methods that are not idempotent (RFC 9110 9.2.2). Default false.
    pub any_method: bool,
    /// When a response says 421, once, on another connection and whatever the method
    /// (RFC 9110 15.5.20); it counts for nothing else. Default true.
    pub on_misdirected: bool,
    /// The n-th retry waits for a random time below (2^n - 1) times this. Default 25 ms
    /// (Envoy's `base_interval`).
    pub base_delay: Duration,
    /// The random time is below this in any case. Default 250 ms (Envoy's `max_interval`, ten
    /// times the base).
    pub max_delay: Duration,
    /// The longest Retry-After (RFC 9110 10.2.3) that is waited for; a longer one ends the
    /// tries. Default 10 s (ours: who is told to wait for longer had better know).
    pub max_retry_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 0,
            on_connect_failure: true,
            on_reset: true,
            statuses: vec![429, 502, 503, 504],
            any_method: false,
            on_misdirected: true,
            base_delay: Duration::from_millis(25),
            max_delay: Duration::from_millis(250),
            max_retry_after: Duration::from_secs(10),
        }
    }
}

impl Policy {
    /// The default with this many retries.
    pub fn retries(retries: u32) -> Self {
        Self { retries, ..Self::default() }
    }
}

/// How many requests may be retried at the same time (Envoy's `retry_budget`): an origin that
/// fails all of them must not get a multiple of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// In hundredths of the requests that wait or are under way. Default 20 (Envoy's
    /// `budget_percent`).
    pub percent: u32,
    /// So many may be in any case. Default 3 (Envoy's `min_retry_concurrency`).
    pub min_concurrency: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { percent: 20, min_concurrency: 3 }
    }
}
