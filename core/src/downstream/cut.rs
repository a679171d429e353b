//! What a server refuses, cuts or lets time out, each by a name that stays.

use core::fmt;

macro_rules! cuts {
    ($($(#[$doc:meta])+ $cut:ident => $name:literal,)+) => {
        /// Why a server has refused, cut or timed out a connection or a request, or let one wait.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Cut {
            $($(#[$doc])+ $cut,)+
        }

        impl Cut {
            /// Every one, in the order of [`Counts`].
            pub const ALL: &'static [Self] = &[$(Self::$cut,)+];

            /// Its name in statistics: it never changes.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cut => $name,)+
                }
            }
        }
    };
}

cuts! {
    /// A connection over `max_connections`: closed as soon as it was accepted.
    ConnectionLimit => "connection_limit",
    /// A connection over `max_connections_per_address`: closed as soon as it was accepted.
    AddressLimit => "address_limit",
    /// Accepting paused: `max_connections` was reached and `when_full` says to wait.
    AcceptPaused => "accept_paused",
    /// A connection that was accepted while the server drains: closed.
    AcceptedDraining => "accepted_draining",
    /// A TLS handshake that had to wait for another to end (`max_handshakes`).
    HandshakeWaited => "handshake_waited",
    /// Nothing came within `silence_timeout` of being accepted.
    SilenceTimeout => "silence_timeout",
    /// TLS took longer than `handshake_timeout`.
    HandshakeTimeout => "handshake_timeout",
    /// TLS failed, or the peer went away before it was known what it speaks.
    HandshakeFailed => "handshake_failed",
    /// A connection that outlived the drain's time.
    DrainConnection => "drain_connection",
    /// A request under way that ended with its connection because this side aborted it.
    DrainRequest => "drain_request",
    /// A request head that was not whole within `head_timeout`.
    HeadTimeout => "head_timeout",
    /// A connection idle for longer than `idle_timeout`.
    IdleTimeout => "idle_timeout",
    /// A request body slower than `pace`.
    BodyTooSlow => "body_too_slow",
    /// A response that was taken more slowly than `pace`.
    ResponseTooSlow => "response_too_slow",
    /// A head over `max_head_bytes` or `max_head_fields`: 431.
    HeadTooLarge => "head_too_large",
    /// A request line, or a path, over `max_request_line`: 414.
    TargetTooLong => "target_too_long",
    /// A body over `max_body_bytes`: 413.
    BodyTooLarge => "body_too_large",
    /// What is not HTTP, or breaks its rules: 400 and its like, or GOAWAY.
    Malformed => "malformed",
    /// A connection that ends because it has carried `max_requests`.
    RequestLimit => "request_limit",
    /// A connection that is not read because the server's bodies hold `max_buffered` bytes.
    MemoryPaused => "memory_paused",
    /// HTTP/2: a stream beyond `max_concurrent_streams`: REFUSED_STREAM.
    StreamRefused => "stream_refused",
    /// HTTP/2: too many RST_STREAM of unanswered requests (A01, A02).
    FloodReset => "flood_rst_stream",
    /// HTTP/2: too many broken rules that each cost a RST_STREAM (A03).
    FloodForcedReset => "flood_forced_reset",
    /// HTTP/2: too many streams that had to be refused (A19).
    FloodRefused => "flood_refused_stream",
    /// HTTP/2: too many CONTINUATION frames of one head (A04).
    FloodContinuation => "flood_continuation",
    /// HTTP/2: too much DATA without data (A12).
    FloodEmptyData => "flood_empty_data",
    /// HTTP/2: too much DATA with little data (A16).
    FloodSmallData => "flood_small_data",
    /// HTTP/2: too many PING (A09).
    FloodPing => "flood_ping",
    /// HTTP/2: too many SETTINGS (A09, A17).
    FloodSettings => "flood_settings",
    /// HTTP/2: too many WINDOW_UPDATE.
    FloodWindowUpdate => "flood_window_update",
    /// HTTP/2: too many frames for streams that are closed.
    FloodLate => "flood_late",
    /// HTTP/2: too many PRIORITY, or frames of unknown type (A11).
    FloodOther => "flood_other",
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts([u64; Cut::ALL.len()]);

impl Counts {
    /// All zero.
    pub const fn new() -> Self {
        Self([0; Cut::ALL.len()])
    }

    /// Counts one more.
    pub fn add(&mut self, cut: Cut) {
        if let Some(count) = self.0.get_mut(cut as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How often it has happened.
    pub fn count(&self, cut: Cut) -> u64 {
        self.0.get(cut as usize).copied().unwrap_or_default()
    }

    /// What has happened at all, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Cut::ALL.iter().zip(self.0).filter(|(_, count)| *count > 0).map(|(c, n)| (c.name(), n))
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Counts {
    /// One counter a line, `name: value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, count)| writeln!(f, "{name}: {count}"))
    }
}
