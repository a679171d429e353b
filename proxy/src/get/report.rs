//! What is known of a transfer when it has ended: what `-w` can tell.

use std::path::PathBuf;

use http::{HeaderMap, Version};
use regatta_core::Instant;
use regatta_core::types::{Protocol, Transport};
use regatta_tokio::{AttemptOutcome, AttemptTrace, Timeline};

use super::exit_code::Failure;
use super::wire::Ends;

/// One transfer, all its redirects together.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// As it was given.
    pub(crate) url: String,
    /// Which one of the line, from 0.
    pub(crate) number: usize,
    /// The last one that was asked for.
    pub(crate) effective: String,
    pub(crate) method: String,
    pub(crate) is_https: bool,
    pub(crate) status: Option<u16>,
    /// What a proxy said to the last CONNECT.
    pub(crate) tunnel_status: Option<u16>,
    pub(crate) version: Option<Version>,
    /// Of the last response.
    pub(crate) headers: HeaderMap,
    /// Of all heads.
    pub(crate) header_bytes: u64,
    pub(crate) request_bytes: u64,
    /// As the body came, still packed.
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) redirects: u64,
    pub(crate) connects: u64,
    /// Where the last response leads, if that was not followed.
    pub(crate) redirect_url: Option<String>,
    pub(crate) referer: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) ends: Ends,
    pub(crate) times: Times,
    pub(crate) failure: Option<Failure>,
}

/// Seconds since the transfer began; 0 where it did not come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) looked_up: f64,
    pub(crate) connected: f64,
    pub(crate) secured: f64,
    pub(crate) ready: f64,
    pub(crate) first_byte: f64,
    pub(crate) redirects: f64,
    pub(crate) total: f64,
}

impl Times {
    /// Takes in how the last request of the transfer went.
    pub(crate) fn take(&mut self, begun: Instant, timeline: &Timeline, is_https: bool) {
        let since =
            |at: Option<Instant>| at.map_or(0.0, |at| at.saturating_since(begun).as_secs_f64());
        // A race may have two winners, one after the other: the connection is one of them.
        let is_its = |one: &&AttemptTrace| {
            let over = timeline.connection.as_ref().map(|used| transport(used.protocol));
            one.outcome == AttemptOutcome::Won && over.is_none_or(|over| over == one.transport)
        };
        let won = timeline.attempts.iter().find(is_its);
        let established = timeline.connection.as_ref().filter(|used| !used.reused);
        self.looked_up = since(timeline.resolve.and_then(|span| span.ended));
        self.connected = since(won.and_then(|won| won.connected));
        self.secured = since(established.filter(|_| is_https).map(|used| used.established));
        self.ready = since(timeline.assigned);
        self.first_byte = since(timeline.first_byte);
        if self.connected == 0.0 && timeline.connection.is_some() {
            // The connection was there already.
            self.connected = self.looked_up;
        }
    }
}

/// What carries this protocol.
pub(crate) const fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Http1 | Protocol::Http2 => Transport::Tcp,
        Protocol::Http3 => Transport::Quic,
    }
}

impl Report {
    /// Bytes a second over the whole time.
    pub(crate) fn speed(&self, bytes: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a speed for people"
        )]
        let speed = (bytes as f64 / self.times.total.max(1e-6)) as u64;
        speed
    }
}
