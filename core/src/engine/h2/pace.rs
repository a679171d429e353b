//! A server's patience: streams whose client sends no more of a body, or takes no more of an
//! answer, end.

use h2::Reason;
use http::{Response, StatusCode};

use super::H2;
use crate::downstream::Cut;
use crate::engine::Event;
use crate::engine::watch::Seen;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault, RetrySafe};

impl H2 {
    /// A stream has begun to wait for the peer.
    pub(super) fn watch(&mut self, now: Instant, id: StreamId) {
        let Some(pace) = self.config.pace else { return };
        let Some(seen) = self.see(id) else { return };
        if let Some(stream) = self.streams.get_mut(id)
            && !core::mem::replace(&mut stream.is_timed, true)
        {
            self.watches.begin(now, pace, id, seen);
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
        Some(Seen { body, answer, received, taken: taken as u64, data_in, data_out })
    }

    /// Looks at the streams whose window has ended.
    pub(super) fn judge_watches(&mut self, now: Instant) {
        let Some(pace) = self.config.pace else { return };
        // Each at most once, also where the window is zero.
        for _ in 0..self.watches.len() {
            let Some(watch) = self.watches.pop_due(now) else { return };
            let id = watch.stream;
            let Some(seen) = self.see(id) else { continue };
            if let Some(cut) = watch.verdict(&seen, pace) {
                match cut {
                    Cut::BodyTooSlow => self.refuse_body(now, id, cut),
                    _ => self.cut_answer(now, id),
                }
                continue;
            }
            let waits = self.streams.get(id).is_some_and(super::stream::Stream::waits);
            if waits {
                self.watches.go_on(now, pace, &watch, seen);
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
