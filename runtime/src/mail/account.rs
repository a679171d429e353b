//! How much all bodies of a client hold together.

use core::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "http3")]
use regatta_core::limits::QuicStream;
use regatta_core::limits::{Memory, Windows};

/// The account that pipes share. Nobody waits for it: a pipe that may take nothing more in may
/// again at the latest when it is empty, and whoever empties it wakes its writer.
#[derive(Debug)]
pub(crate) struct Account {
    rule: Memory,
    used: AtomicUsize,
    most: AtomicUsize,
}

impl Account {
    pub(crate) const fn new(rule: Memory) -> Self {
        Self { rule, used: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// Whether a pipe with so many bytes may take more in.
    pub(crate) fn may(&self, own: usize) -> bool {
        self.rule.may(self.used(), own)
    }

    /// Whether a pipe with so many bytes has to end instead of taking more in.
    pub(crate) fn is_too_much(&self, own: usize, buffer: usize) -> bool {
        own > buffer && self.rule.is_too_much(self.used(), own, buffer)
    }

    /// Whether new streams of HTTP/2 are granted little, as they were before or were not.
    pub(crate) fn is_narrow(&self, was: bool) -> bool {
        self.rule.is_narrow(self.used(), was)
    }

    /// The windows of an HTTP/2 connection that begins now.
    pub(crate) fn windows(&self, configured: Windows) -> Windows {
        self.rule.windows(self.used(), configured)
    }

    /// What each stream of an HTTP/3 connection may hold that begins now.
    #[cfg(feature = "http3")]
    pub(crate) fn quic_stream(&self, configured: QuicStream) -> QuicStream {
        self.rule.quic_stream(self.used(), configured)
    }

    /// How much more peers may be granted beside what the streams that are read need.
    #[cfg(feature = "http3")]
    pub(crate) fn room(&self) -> usize {
        self.rule.room(self.used())
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes ever held.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// A pipe that held `before` bytes holds `after`.
    pub(crate) fn change(&self, before: usize, after: usize) {
        if after > before {
            let grown = after - before;
            let used = self.used.fetch_add(grown, Ordering::Relaxed).saturating_add(grown);
            if used > self.most() {
                self.most.fetch_max(used, Ordering::Relaxed);
            }
        } else if before > after {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
        }
    }
}
