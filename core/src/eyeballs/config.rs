//! Settings of happy eyeballs.

use crate::time::Duration;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What makes an attempt the winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// TCP is connected (RFC 8305, Envoy).
    Transport,
    /// TLS is done where there is TLS (draft-ietf-happy-happyeyeballs-v3).
    Handshake,
}

/// Settings of the race between the addresses of one host (RFC 8305).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long an attempt runs before the next starts beside it. Default 300 ms (Envoy's
    /// happy eyeballs); less than 10 ms counts as 10 ms (RFC 8305 section 5, MUST NOT).
    pub attempt_delay: Duration,
    /// How long to wait for AAAA when A came first, from then on, whoever waits. Default 50 ms
    /// (RFC 8305 section 3).
    pub resolution_delay: Duration,
    /// Which family goes first. Default IPv6 (RFC 8305 section 4; Envoy's
    /// `first_address_family_version`).
    pub first_family: Family,
    /// How many addresses of the first family go in each turn; of the other it is one. Default 1
    /// (RFC 8305 section 4; Envoy's `first_address_family_count`); 0 counts as 1.
    pub first_family_count: u32,
    /// Default [`Success::Handshake`].
    pub success: Success,
    /// Most addresses of each family that are kept. Default 32; more are dropped and recorded;
    /// 0 counts as 1.
    pub max_addresses: u32,
    /// Most attempts under way at once. Default 4; the next then starts when one fails. 0
    /// counts as 1.
    pub max_parallel: u32,
    /// Most attempts of one race in all. Default 12; 0 counts as 1.
    pub max_attempts: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            attempt_delay: Duration::from_millis(300),
            resolution_delay: Duration::from_millis(50),
            first_family: Family::V6,
            first_family_count: 1,
            success: Success::Handshake,
            max_addresses: 32,
            max_parallel: 4,
            max_attempts: 12,
        }
    }
}
