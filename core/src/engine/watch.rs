//! Streams that wait for their client: how long each may move nothing, or all together too little.
//!
//! All streams of the connection together owe the pace, for a client that has many shares its
//! bandwidth among them. A stream that moves nothing while others do ends after some more windows.

use std::collections::VecDeque;

use super::Pace;
use crate::downstream::Cut;
use crate::id::StreamId;
use crate::time::Instant;

/// How many windows a stream may rest while others move.
const QUIET_WINDOWS: u32 = 5;

/// Streams that wait for the peer, by when they are looked at.
#[derive(Debug, Default)]
pub(super) struct Watches(VecDeque<Watch>);

/// One of them, as it was at the beginning of its window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) stream: StreamId,
    at: Instant,
    seen: Seen,
    /// Windows without a byte so far.
    quiet: u32,
}

/// What there was to see of a stream and its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// More of the body was due.
    pub(super) body: bool,
    /// What was sent waited to be taken.
    pub(super) answer: bool,
    /// Bytes of the stream's body that came, and of its answer that were taken.
    pub(super) received: u64,
    pub(super) taken: u64,
    /// The same of the whole connection.
    pub(super) data_in: u64,
    pub(super) data_out: u64,
}

impl Watches {
    /// When the next stream is looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|watch| watch.at)
    }

    /// How many are watched.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The stream is gone.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.0.retain(|watch| watch.stream != id);
    }

    /// A stream has begun to wait for the peer.
    pub(super) fn begin(&mut self, now: Instant, pace: Pace, stream: StreamId, seen: Seen) {
        self.0.push_back(Watch { stream, at: now + pace.window, seen, quiet: 0 });
    }

    /// The next whose window has ended.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Watch> {
        self.0.pop_front_if(|watch| watch.at <= now)
    }

    /// Its next window begins.
    pub(super) fn go_on(&mut self, now: Instant, pace: Pace, watch: &Watch, seen: Seen) {
        let rests = seen.received == watch.seen.received && seen.taken == watch.seen.taken;
        let quiet = if rests { watch.quiet + 1 } else { 0 };
        let at = now + pace.window;
        self.0.push_back(Watch { stream: watch.stream, at, seen, quiet });
    }
}

impl Watch {
    /// What the stream is cut for after its window, if it is.
    pub(super) fn verdict(&self, seen: &Seen, pace: Pace) -> Option<Cut> {
        let before = &self.seen;
        let most = u64::from(pace.bytes);
        let (came, went) = (seen.received != before.received, seen.taken != before.taken);
        let is_last = self.quiet + 1 >= QUIET_WINDOWS;
        let is_slow = |moved: u64, alone: bool| moved < most || (!alone && is_last);
        let (all_in, all_out) = (seen.data_in - before.data_in, seen.data_out - before.data_out);
        if before.body && seen.body && !went && is_slow(all_in, came) {
            Some(Cut::BodyTooSlow)
        } else if before.answer && seen.answer && is_slow(all_out, went) {
            Some(Cut::ResponseTooSlow)
        } else {
            None
        }
    }
}
