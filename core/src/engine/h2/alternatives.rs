//! ALTSVC frames (RFC 7838 4), which h2 passes over, and servers ignore.

use std::collections::VecDeque;

/// Longest frame that is read, in bytes: as much as of the field, and an origin.
const LONGEST: usize = 4_608;
/// Most frames that wait; the newest count.
const WAITING: usize = 16;

/// Those of one connection.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    /// The payload of the one that comes, as far as it has.
    partial: Option<Vec<u8>>,
    /// Those that are whole, with their streams.
    whole: VecDeque<(u32, Vec<u8>)>,
}

impl Alternatives {
    /// One of so many bytes begins. A longer one is not read.
    pub(super) fn begin(&mut self, len: usize) {
        self.partial = (len <= LONGEST).then(|| Vec::with_capacity(len));
    }

    /// Part of a frame has come, of this kind or another.
    pub(super) fn take_in(&mut self, part: &[u8]) {
        if let Some(partial) = &mut self.partial {
            partial.extend_from_slice(part);
        }
    }

    /// A frame is whole; it is left where its stream is none of ours.
    pub(super) fn end(&mut self, stream: u32, is_ours: bool) {
        let Some(payload) = self.partial.take().filter(|_| is_ours) else { return };
        if self.whole.len() == WAITING {
            self.whole.pop_front();
        }
        self.whole.push_back((stream, payload));
    }

    /// The oldest that was not taken.
    pub(super) fn take(&mut self) -> Option<(u32, Vec<u8>)> {
        self.whole.pop_front()
    }
}
