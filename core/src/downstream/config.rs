//! Settings of a listener and its connections.

use super::Advertise;
use crate::time::Duration;

/// Settings of a listener's connections. What one connection may do is
/// [`engine::Config`](crate::engine::Config)'s.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Most connections at once. Default 16,384 (Envoy's listener has no limit of its own, but
    /// its edge guide asks for one).
    pub max_connections: u32,
    /// What becomes of one more. Default [`WhenFull::TurnAway`].
    pub when_full: WhenFull,
    /// Most connections at once of one client address; of IPv6 the first 64 bits are one
    /// address. More are closed as soon as they are accepted. Default `None`: behind a proxy or
    /// a carrier's NAT many clients share one (nginx's `limit_conn` is off as well).
    pub max_connections_per_address: Option<u32>,
    /// Most TLS handshakes at once; more wait their turn, within their own `handshake_timeout`.
    /// Default 1,024, what this project grants QUIC's handshakes too.
    pub max_handshakes: u32,
    /// How long a TLS handshake may take, from its first byte, waiting its turn included.
    /// Default 10 s (Kestrel's `HandshakeTimeout`).
    pub handshake_timeout: Duration,
    /// How long a connection may say nothing at all after it was accepted. Default 60 s (nginx's
    /// `client_header_timeout`, which begins there too): browsers open connections ahead. Never
    /// longer than the engine's `head_timeout`.
    pub silence_timeout: Duration,
    /// Bytes of all bodies that the server holds, in both directions: above it a connection that
    /// holds some is not read, and a response is made one frame at a time, so that at most one
    /// read and one frame of each stream come on top. Default 100 MiB (quinn's limit on all that
    /// comes before it is accepted).
    pub max_buffered: u64,
    /// How long streams may go on after a drain began; then they are cut. Default 600 s
    /// (Envoy's `--drain-time-s`); `None` waits as long as they need.
    pub drain_timeout: Option<Duration>,
    /// What answers say of where else the server is. Default: that it speaks HTTP/3, where it
    /// does.
    pub advertise: Advertise,
    /// Whether answers over HTTP/3 say it too, which keeps it fresh in a client's memory. Default
    /// no.
    pub advertise_on_http3: bool,
}

/// What becomes of a connection over the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is closed as soon as it is accepted, so that its client can go elsewhere (Envoy's way).
    #[default]
    TurnAway,
    /// It is not accepted before another ends: it waits in the system's own queue (nginx's way).
    Wait,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            when_full: WhenFull::default(),
            max_connections_per_address: None,
            max_handshakes: 1_024,
            handshake_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(60),
            max_buffered: 100 << 20,
            drain_timeout: Some(Duration::from_secs(600)),
            advertise: Advertise::default(),
            advertise_on_http3: false,
        }
    }
}

impl Config {
    /// Whether more may be taken in where all bodies together hold `all` bytes, and `own` of them
    /// belong to who asks: who holds nothing always may, so that nobody waits for others alone.
    pub const fn may_hold_more(&self, own: usize, all: u64) -> bool {
        own == 0 || all < self.max_buffered
    }
}
