//! How long the records are.
//!
//! A record can be read only when all of it is there (RFC 8446 5.2). While TCP's window is small,
//! at the begin and after a pause (RFC 5681 4.1), a full record of 16 KiB may take more round
//! trips than one; a record that fits a segment is read when its segment comes. On a transfer that
//! is under way full records cost less.

use crate::time::{Duration, Instant};

/// A record's plain text that fits one segment: Ethernet's 1,500 bytes without the headers of
/// IPv6 (40) and TCP (20), TCP's options (40 at most), and TLS 1.2's header, nonce and tag (29),
/// rounded down.
const SHORT: usize = 1_370;
/// Short records until so much was sent: some four times TCP's first window (RFC 6928).
const WARM: usize = 64 << 10;
/// .. and again after such a pause. TCP's own, the retransmission timeout, is a second where
/// nothing is known of the path (RFC 6298 2).
const PAUSE: Duration = Duration::from_secs(1);

/// The length of the next records.
#[derive(Debug)]
pub(super) struct Records {
    short_left: usize,
    last: Instant,
}

impl Records {
    pub(super) const fn new() -> Self {
        Self { short_left: WARM, last: Instant::EPOCH }
    }

    /// Plain text is to be sealed.
    pub(super) fn begin(&mut self, now: Instant) {
        if now.saturating_since(self.last) >= PAUSE {
            self.short_left = WARM;
        }
        self.last = now;
    }

    /// The most plain text of the next record, if not as much as TLS allows.
    pub(super) fn most(&self) -> Option<usize> {
        (self.short_left > 0).then_some(SHORT)
    }

    /// So much plain text was sealed.
    pub(super) const fn sealed(&mut self, n: usize) {
        self.short_left = self.short_left.saturating_sub(n);
    }
}
