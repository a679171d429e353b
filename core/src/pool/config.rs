//! Settings of a pool.

use core::num::NonZeroU32;

use crate::time::Duration;

/// Settings of the connections and waiting requests of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long establishing one connection may take, all its attempts and TLS included.
    /// Default 5 s (Envoy's `connect_timeout`).
    pub connect_timeout: Duration,
    /// How long a connection without streams is kept. Default 60 s; `None` keeps it for ever
    /// (Envoy's `idle_timeout`, 1 h there).
    pub idle_timeout: Option<Duration>,
    /// How long a connection may live before it is drained. Default `None` (Envoy's
    /// `max_connection_duration`); streams under way are never cut.
    pub max_connection_duration: Option<Duration>,
    /// How many streams a connection may carry in its life. Default `None`; 1 is no keep-alive
    /// (Envoy's `max_requests_per_connection`). Exact.
    pub max_requests_per_connection: Option<NonZeroU32>,
    /// Ceiling on the concurrent streams of an HTTP/2 connection, whatever its SETTINGS say.
    /// Default 1,024 (Envoy's `max_concurrent_streams`).
    pub max_concurrent_streams: NonZeroU32,
    /// How many streams a connecting connection counts for while its protocol and limit are
    /// unknown. Default 100 (RFC 9113 6.5.2 recommends no less), 1 where only HTTP/1 can come
    /// out; replaced by what the last connection of the pool granted.
    pub assumed_streams: NonZeroU32,
    /// How many connections to make per needed one, in thousandths: 1,000 to 3,000. Default
    /// 1,000, none ahead of need (Envoy's `per_upstream_preconnect_ratio`). Outside values are
    /// clamped.
    pub preconnect_permille: u32,
    /// How often a request may be sent again by itself, for each of two reasons by itself:
    /// nothing of it was sent; its fate is unknown and the method allows it. A reused connection
    /// that turns out to be closing costs none of it. Default 1.
    pub max_resends: u32,
    /// How often a request may be sent again by itself that was proven unprocessed (GOAWAY,
    /// REFUSED_STREAM), counted apart from the other reasons. Default 1. A server that ends each of
    /// its connections after a few requests refuses the rest of every burst, the same request
    /// among them again and again: who talks to such a one takes 5 (curl's `CONN_MAX_RETRIES`).
    pub max_unprocessed_resends: u32,
    /// Idle longer than this and an HTTP/2 connection is probed by a PING before it is used
    /// again; who waits for the answer waits no longer than `connect_timeout`, and then for a new
    /// connection. Default 10 s (Chromium's `kDefaultConnectionAtRiskOfLossSeconds`, OkHttp's
    /// `IDLE_CONNECTION_HEALTHY_NS`); `None` never asks.
    pub probe_after_idle: Option<Duration>,
    /// How long a draining connection may still take; then its streams are reset. Default
    /// `None`, as long as they need.
    pub drain_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(60)),
            max_connection_duration: None,
            max_requests_per_connection: None,
            max_concurrent_streams: NonZeroU32::MIN.saturating_add(1_023),
            assumed_streams: NonZeroU32::MIN.saturating_add(99),
            preconnect_permille: 1_000,
            max_resends: 1,
            max_unprocessed_resends: 1,
            probe_after_idle: Some(Duration::from_secs(10)),
            drain_timeout: None,
        }
    }
}
