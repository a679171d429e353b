//! A server's patience: streams whose client sends no more of a body, or takes no more of an
//! answer, end.
//!
//! All streams of the connection together owe the pace, for a client that has many shares its
//! bandwidth among them. A stream that moves nothing while others do ends after some more windows.

use std::collections::VecDeque;

use h2::Reason;
use http::{Response, StatusCode};

use super::H2;
use crate::downstream::Cut;
use crate::engine::{Event, Pace};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault, RetrySafe};

/// How many windows a stream may rest while others move.
const QUIET_WINDOWS: u32 = 5;

/// Streams that wait for the peer, by when they are looked at.
#[derive(Debug, Default)]
pub(super) struct Watches(VecDeque<Watch>);

/// One of them, as it was at the beginning of its window.
#[derive(Clone, Copy, Debug)]
struct Watch {
    stream: StreamId,
    at: Instant,
    seen: Seen,
    /// Windows without a byte so far.
    quiet: u32,
}

/// What there was to see of a stream and its connection.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// More of the body was due.
    body: bool,
    /// What was sent waited to be taken.
    answer: bool,
    received: u64,
    taken: usize,
    /// DATA of the whole connection.
    data_in: u64,
    data_out: u64,
}

impl Watches {
    /// When the next stream is looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|watch| watch.at)
    }

    /// The stream is gone.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.0.retain(|watch| watch.stream != id);
    }
}

impl H2 {
    /// A stream has begun to wait for the peer.
    pub(super) fn watch(&mut self, now: Instant, id: StreamId) {
        let Some(pace) = self.config.pace else { return };
        let Some(seen) = self.see(id) else { return };
        if let Some(stream) = self.streams.get_mut(id)
            && !core::mem::replace(&mut stream.is_timed, true)
        {
            let at = now + pace.window;
            self.watches.0.push_back(Watch { stream: id, at, seen, quiet: 0 });
        }
    }

    fn see(&self, id: StreamId) -> Option<Seen> {
        let stream = self.streams.get(id)?;
        let wire = self.io.wire();
        let (data_in, data_out) = wire.tap.data();
        let (waits, taken) = stream.outstanding();
        // Where the transport takes nothing, it is the driver who measures.
        let answer = waits && wire.has_room();
        let (body, received) = (stream.awaits_body(), stream.received());
        Some(Seen { body, answer, received, taken, data_in, data_out })
    }

    /// Looks at the streams whose window has ended.
    pub(super) fn judge_watches(&mut self, now: Instant) {
        let Some(pace) = self.config.pace else { return };
        // Each at most once, also where the window is zero.
        for _ in 0..self.watches.0.len() {
            let Some(watch) = self.watches.0.pop_front_if(|watch| watch.at <= now) else { return };
            let id = watch.stream;
            let Some(seen) = self.see(id) else { continue };
            if let Some(cut) = verdict(&watch, &seen, pace) {
                match cut {
                    Cut::BodyTooSlow => self.refuse_body(now, id, cut),
                    _ => self.cut_answer(now, id),
                }
                continue;
            }
            let rests = seen.received == watch.seen.received && seen.taken == watch.seen.taken;
            let quiet = if rests { watch.quiet + 1 } else { 0 };
            let waits = self.streams.get(id).is_some_and(super::stream::Stream::waits);
            if waits {
                let at = now + pace.window;
                self.watches.0.push_back(Watch { stream: id, at, seen, quiet });
            } else if let Some(stream) = self.streams.get_mut(id) {
                stream.is_timed = false;
            }
        }
    }

    /// Ends a request whose body is too long or too slow: with an answer, where none has begun.
    pub(super) fn refuse_body(&mut self, now: Instant, id: StreamId, cut: Cut) {
        let (fault, status) = match cut {
            Cut::BodyTooLarge => (ProtocolFault::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
            _ => (ProtocolFault::TooSlow, StatusCode::REQUEST_TIMEOUT),
        };
        let Some(stream) = self.streams.get_mut(id) else { return };
        if let Some(respond) = stream.respond() {
            let mut response = Response::new(());
            *response.status_mut() = status;
            let _failed = respond.send_response(response, true);
        } else {
            stream.reset(Reason::CANCEL);
        }
        self.end_cut(now, id, cut, fault);
    }

    fn cut_answer(&mut self, now: Instant, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.reset(Reason::CANCEL);
            self.end_cut(now, id, Cut::ResponseTooSlow, ProtocolFault::TooSlow);
        }
    }

    fn end_cut(&mut self, now: Instant, id: StreamId, cut: Cut, fault: ProtocolFault) {
        self.cut(cut);
        let cause = Cause::Protocol(fault);
        let retry = RetrySafe::Unknown;
        self.remove(now, id, Event::Reset { stream: id, cause, retry });
        self.ready.wake_connection();
    }
}

/// What a stream is cut for after its window, if it is.
fn verdict(watch: &Watch, seen: &Seen, pace: Pace) -> Option<Cut> {
    let before = &watch.seen;
    let most = u64::from(pace.bytes);
    let (came, went) = (seen.received != before.received, seen.taken != before.taken);
    let is_last = watch.quiet + 1 >= QUIET_WINDOWS;
    let is_slow = |moved: u64, alone: bool| moved < most || (!alone && is_last);
    let body = before.body && seen.body && !went && is_slow(seen.data_in - before.data_in, came);
    let answer = before.answer && seen.answer && is_slow(seen.data_out - before.data_out, went);
    if body {
        Some(Cut::BodyTooSlow)
    } else if answer {
        Some(Cut::ResponseTooSlow)
    } else {
        None
    }
}
