//! A server's limit on requests that come to nothing: taken back by the client, or malformed
//! (A01, A02, A03).

use super::H3;
use super::code;
use super::stream::Fault;
use crate::downstream::Cut;
use crate::time::{Duration, Instant};

/// So many may come to nothing in so long a time.
const MOST: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);
/// From so many requests on no more than half may.
const ENOUGH: u32 = 100;

/// What has come to nothing.
#[derive(Debug, Default)]
pub(super) struct Abuse {
    /// Requests in all, and those of them that have.
    requests: u32,
    in_vain: u32,
    /// The window, and how many in it.
    since: Option<Instant>,
    recently: u32,
    is_over: bool,
}

impl Abuse {
    /// A request's stream has begun.
    pub(super) const fn begin(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    fn note(&mut self, now: Instant) {
        if self.since.is_none_or(|since| now >= since + WINDOW) {
            self.since = Some(now);
            self.recently = 0;
        }
        self.recently += 1;
        self.in_vain = self.in_vain.saturating_add(1);
        let is_most = self.requests >= ENOUGH && self.in_vain > self.requests / 2;
        self.is_over |= is_most || self.recently > MOST;
    }
}

impl H3 {
    /// A request came to nothing by the client's doing.
    pub(super) fn in_vain(&mut self, now: Instant) {
        if self.is_server {
            self.abuse.note(now);
        }
    }

    /// Whether the client has gone over its limit.
    pub(super) fn police(&mut self) -> Result<(), Fault> {
        if !self.abuse.is_over {
            return Ok(());
        }
        self.cut(Cut::FloodReset);
        Err(Fault::Connection(code::EXCESSIVE_LOAD))
    }
}
