//! A server's patience: heads that do not come whole, bodies that come slowly, answers that are
//! taken slowly, connections on which nobody asks.
//!
//! An answer is taken when the transport takes it, which it does as the client's credit and its
//! acknowledgements allow. Whether the client is there at all, QUIC's own idle timeout tells.

use std::collections::VecDeque;

use http::StatusCode;

use super::stream::{Due, Stream};
use super::{H3, code};
use crate::downstream::Cut;
use crate::engine::Event;
use crate::engine::watch::{Seen, Watches};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault, RetrySafe};

/// What a server waits for.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Streams whose head has begun and is not whole, by when it is to be.
    heads: VecDeque<(Instant, StreamId)>,
    watches: Watches,
    /// Bytes of all bodies that came, and of all streams that the transport took.
    pub(super) data_in: u64,
    pub(super) data_out: u64,
    /// Since when no stream is open, and how many there had been.
    idle: Option<(Instant, u64)>,
    /// Since when the transport takes nothing of what waits for it, and what it had taken.
    stall: Option<(Instant, u64)>,
}

impl Patience {
    /// The stream, which is timed, is gone.
    pub(super) fn forget(&mut self, id: StreamId) {
        self.heads.retain(|(_, stream)| *stream != id);
        self.watches.forget(id);
    }
}

impl H3 {
    /// The next deadline of these.
    pub(super) fn patient_until(&self) -> Option<Instant> {
        let patience = &self.patience;
        let idle = patience.idle.filter(|_| !self.draining);
        let idle = idle.and_then(|(since, _)| Some(since + self.config.idle_timeout?));
        let head = patience.heads.front().map(|(at, _)| *at);
        let stall = patience.stall.map(|(since, _)| since + self.config.write_timeout);
        [idle, head, stall, patience.watches.next()].into_iter().flatten().min()
    }

    /// Looks whether what a server waits for has come by `now`.
    pub(super) fn lose_patience(&mut self, now: Instant) {
        while let Some((_, id)) = self.patience.heads.pop_front_if(|(at, _)| *at <= now) {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.is_timed = false;
                if stream.awaits_head() {
                    self.refuse(id, Cut::HeadTimeout, StatusCode::REQUEST_TIMEOUT);
                }
            }
        }
        self.judge_watches(now);
        let idle = self.patience.idle.zip(self.config.idle_timeout);
        if idle.is_some_and(|((since, _), timeout)| since + timeout <= now) && !self.draining {
            self.cut(Cut::IdleTimeout);
            self.drain();
        }
        let stall = self.patience.stall.map(|(since, _)| since + self.config.write_timeout);
        if stall.is_some_and(|at| at <= now) {
            self.patience.stall = None;
            self.cut(Cut::ResponseTooSlow);
            self.fail(code::EXCESSIVE_LOAD, Cause::Protocol(ProtocolFault::TooSlow));
        }
    }

    /// Notes whether the transport has stopped to take what waits for it: no stream's credit, nor
    /// the connection's, nor acknowledgements have let it.
    pub(super) fn note_stall(&mut self, now: Instant) {
        if !self.is_server {
            return;
        }
        let taken = self.patience.data_out;
        if self.waiting.stuck() == 0 {
            self.patience.stall = None;
        } else if self.patience.stall.is_none_or(|(_, before)| before != taken) {
            self.patience.stall = Some((now, taken));
        }
    }

    /// Notes whether the connection is idle.
    pub(super) fn note_idle(&mut self, now: Instant) {
        if !self.is_server {
            return;
        }
        let patience = &mut self.patience;
        if !self.streams.is_empty() {
            patience.idle = None;
        } else if patience.idle.is_none_or(|(_, before)| before != self.accepted) {
            patience.idle = Some((now, self.accepted));
        }
    }

    /// The stream may have begun to wait for the client.
    pub(super) fn watch(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id).filter(|_| self.is_server) else { return };
        if stream.is_timed {
            return;
        }
        if stream.awaits_head() {
            stream.is_timed = true;
            return self.patience.heads.push_back((now + self.config.head_timeout, id));
        }
        if let Some(pace) = self.config.pace.filter(|_| stream.waits()) {
            stream.is_timed = true;
            let seen = see(&self.patience, stream);
            self.patience.watches.begin(now, pace, id, seen);
        }
    }

    /// Looks at the streams whose window has ended.
    fn judge_watches(&mut self, now: Instant) {
        let Some(pace) = self.config.pace else { return };
        let holds_up = self.waiting.holds_up();
        // Each at most once, also where the window is zero.
        for _ in 0..self.patience.watches.len() {
            let Some(watch) = self.patience.watches.pop_due(now) else { return };
            let id = watch.stream;
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let mut seen = see(&self.patience, stream);
            seen.body &= !holds_up;
            match watch.verdict(&seen, pace) {
                Some(Cut::BodyTooSlow) => self.refuse_body(id, Cut::BodyTooSlow),
                Some(_) => self.cut_answer(id),
                None if stream.waits() => self.patience.watches.go_on(now, pace, &watch, seen),
                None => stream.is_timed = false,
            }
        }
    }

    /// Ends a request whose body is too long or too slow: with an answer, where none has begun.
    pub(super) fn refuse_body(&mut self, id: StreamId, cut: Cut) {
        let (fault, status, code) = match cut {
            Cut::BodyTooLarge => {
                (ProtocolFault::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, code::EXCESSIVE_LOAD)
            }
            _ => (ProtocolFault::TooSlow, StatusCode::REQUEST_TIMEOUT, code::REQUEST_CANCELLED),
        };
        let Some(stream) = self.streams.get_mut(id) else { return };
        let is_unanswered = stream.to_say == super::stream::ToSay::Head;
        self.flush(id);
        self.cut(cut);
        let cause = Cause::Protocol(fault);
        let event = Event::Reset { stream: id, cause, retry: RetrySafe::Unknown };
        if !is_unanswered {
            return self.end(id, code, event);
        }
        // The driver has heard the end; what is left is the engine's own.
        self.events.push_back(event);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.is_told = false;
        }
        self.answer_by_itself(id, status);
    }

    fn cut_answer(&mut self, id: StreamId) {
        self.cut(Cut::ResponseTooSlow);
        let cause = Cause::Protocol(ProtocolFault::TooSlow);
        let event = Event::Reset { stream: id, cause, retry: RetrySafe::Unknown };
        self.end(id, code::REQUEST_CANCELLED, event);
    }
}

fn see(patience: &Patience, stream: &Stream) -> Seen {
    Seen {
        body: stream.awaits_body(),
        answer: stream.has_output(),
        received: stream.came,
        taken: stream.written,
        data_in: patience.data_in,
        data_out: patience.data_out,
    }
}

impl Stream {
    /// Server: the head has not come whole, and is wanted.
    fn awaits_head(&self) -> bool {
        self.due == Due::Head && !self.is_received
    }

    /// More of a body is due, though nothing of it waits to be read here.
    fn awaits_body(&self) -> bool {
        let is_due = matches!(self.due, Due::Body | Due::End) && !self.is_received;
        is_due && self.unallowed == 0 && !self.owes_continue
    }

    /// Whether a server waits for the client: for more of a body, or to take what it was sent.
    fn waits(&self) -> bool {
        !self.is_connect && (self.awaits_body() || self.has_output())
    }
}
