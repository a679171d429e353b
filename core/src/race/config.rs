//! Settings of the race between QUIC and TCP.

use crate::time::Duration;

/// How long QUIC runs alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always so long.
    Fixed(Duration),
    /// So many thousandths of the round trip that is remembered of the origin.
    RoundTrip {
        /// 1,500 is one and a half (Envoy, Chromium).
        permille: u32,
        /// Never shorter: a tiny round trip would start both at once.
        least: Duration,
        /// Never longer, and so long where no round trip is known.
        most: Duration,
    },
}

/// Settings of a [`Race`](super::Race).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long QUIC runs before TCP starts beside it. Default 300 ms (Envoy's grid).
    pub delay: Delay,
    /// Starts TCP at once also where QUIC was never tried. Default false (Envoy's guard
    /// `quic_no_tcp_delay`).
    pub tcp_at_once_when_unknown: bool,
    /// Starts a second QUIC leg to the other address family. Default true: it starts before TCP
    /// does, so that QUIC over one family is not passed over for TCP over the other (Envoy's
    /// `http3_happy_eyeballs`, which is off because there it does not).
    pub second_family: bool,
    /// Most legs at once, established ones included. Default 1,024, as many as the circuit
    /// breaker allows connections; 0 counts as 1.
    pub max_legs: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            delay: Delay::Fixed(Duration::from_millis(300)),
            tcp_at_once_when_unknown: false,
            second_family: true,
            max_legs: 1_024,
        }
    }
}

impl Delay {
    /// The delay where the round trip is known, or is not.
    pub fn after(&self, rtt: Option<Duration>) -> Duration {
        match (*self, rtt) {
            (Self::Fixed(delay), _) => delay,
            (Self::RoundTrip { most, .. }, None) => most,
            (Self::RoundTrip { permille, least, most }, Some(rtt)) => {
                (rtt.saturating_mul(permille) / 1_000).max(least).min(most)
            }
        }
    }
}
