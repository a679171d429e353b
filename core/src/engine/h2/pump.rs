//! The loop: polls what was woken until nothing is, and ends the connection.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use super::frame::{code, encode, kind};
use super::server::RESETS_MOST;
use super::stream::Verdict;
use super::{Connection, H2};
use crate::downstream::Cut;
use crate::engine::Event;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault, RetrySafe};

/// How many polls one call may do before it leaves the rest to the next.
const BUDGET: u32 = 2_000;
/// A stream's window before SETTINGS say otherwise (RFC 9113 6.5.2).
const DEFAULT_WINDOW: u32 = 65_535;

impl H2 {
    /// Polls until nothing is woken or the budget ends, and reports what came of it.
    pub(super) fn pump(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.io.wire().tap.set_now(now);
        for id in self.fresh.drain(..) {
            if let Some(stream) = self.streams.get(id) {
                stream.list();
            }
        }
        let mut budget = BUDGET;
        loop {
            if self.ready.take_connection() {
                budget = budget.saturating_sub(1);
                self.poll_connection(now);
            }
            budget = budget.saturating_sub(self.poll_listed(now));
            if budget > 0 && !self.ready.is_empty() {
                continue;
            }
            self.poll_pong(now);
            self.refresh_windows();
            self.note_limit();
            self.say_unsaid(now);
            self.police(now);
            if budget == 0 || self.closed || self.ready.is_empty() {
                return;
            }
        }
    }

    /// h2 shrinks the windows of open streams when its SETTINGS are acknowledged, and forgets to
    /// look whether what was released before is now enough for a WINDOW_UPDATE.
    fn refresh_windows(&mut self) {
        let shrank = self.windows.has_shrunk || self.config.stream_window < DEFAULT_WINDOW;
        if !self.io.wire().tap.take_acked() || !shrank {
            return;
        }
        let ids: Vec<StreamId> = self.streams.iter().map(|(id, _)| id).collect();
        for id in ids {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.refresh_window();
            }
        }
    }

    /// Polls the streams on the ready list; returns how many.
    pub(super) fn poll_listed(&mut self, now: Instant) -> u32 {
        let mut listed = core::mem::take(&mut self.scratch);
        self.ready.swap_streams(&mut listed);
        let polled = u32::try_from(listed.len()).unwrap_or(u32::MAX);
        for id in listed.drain(..) {
            self.poll_stream(now, id);
        }
        self.scratch = listed;
        polled
    }

    fn poll_stream(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let before = stream.unallowed();
        let round = self.windows.round(now);
        let verdict = stream.poll(&mut self.events, round);
        self.unread += stream.unallowed() - before;
        let brought = stream.brought(round);
        self.measure(now, brought);
        self.judge_stream(now, id, verdict);
    }

    fn judge_stream(&mut self, now: Instant, id: StreamId, verdict: Verdict) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let (cause, retry) = match verdict {
            Verdict::Open if stream.lingers() => return self.clock.linger(now, id, stream),
            Verdict::Open if stream.waits() => return self.watch(now, id),
            Verdict::Open => return,
            Verdict::Complete => return self.remove(now, id, Event::Ended { stream: id }),
            Verdict::Refused(fault, reason) => {
                stream.reset(reason);
                let retry = if stream.answered { RetrySafe::Answered } else { RetrySafe::Unknown };
                self.cut(match fault {
                    ProtocolFault::HeadTooLarge => Cut::HeadTooLarge,
                    _ => Cut::FloodSmallData,
                });
                (Cause::Protocol(fault), retry)
            }
            Verdict::TooLarge => return self.refuse_body(now, id, Cut::BodyTooLarge),
            Verdict::Failed(error) => match self.streams.get(id) {
                Some(stream) => self.judge(stream, &error),
                None => return,
            },
            Verdict::Reset(reason) => match self.streams.get(id) {
                Some(stream) => {
                    let cause = Cause::StreamReset(u32::from(reason));
                    (cause, self.fate(stream, cause))
                }
                None => return,
            },
        };
        self.remove(now, id, Event::Reset { stream: id, cause, retry });
    }

    /// The stream's last event. Dropping its handles gives its unread bytes back to the
    /// connection's window.
    pub(super) fn remove(&mut self, now: Instant, id: StreamId, last: Event) {
        let Some(gone) = self.streams.remove(id) else { return };
        if gone.is_unsaid() {
            self.unsaid.retain(|(unsaid, _)| *unsaid != id);
        }
        self.unread -= gone.unallowed();
        if gone.is_timed {
            self.clock.forget(id);
            self.watches.forget(id);
        }
        self.events.push_back(last);
        if self.streams.is_empty() {
            self.clock.idle(now);
            self.ready.wake_connection();
        }
    }

    fn poll_connection(&mut self, now: Instant) {
        let waker = Waker::from(Arc::clone(&self.ready));
        let mut cx = Context::from_waker(&waker);
        let result = loop {
            match &mut self.connection {
                Connection::Done => return,
                Connection::Client(connection) => {
                    match Pin::new(connection.as_mut()).poll(&mut cx) {
                        Poll::Pending => return,
                        Poll::Ready(result) => break result,
                    }
                }
                Connection::Handshake(handshake) => {
                    match Pin::new(handshake.as_mut()).poll(&mut cx) {
                        Poll::Pending => return,
                        Poll::Ready(Err(error)) => break Err(error),
                        Poll::Ready(Ok(mut connection)) => {
                            self.clock.set_pings(connection.ping_pong());
                            self.connection = Connection::Server(Box::new(connection));
                            self.send_wanted_ping(now);
                        }
                    }
                }
                Connection::Server(connection) => match connection.poll_accept(&mut cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        self.accept(now, request, respond);
                    }
                    Poll::Ready(Some(Err(error))) => break Err(error),
                    Poll::Ready(None) => break Ok(()),
                },
            }
        };
        self.connection_over(now, result);
    }

    /// h2 has ended the connection: every stream hears of it, then the driver.
    fn connection_over(&mut self, now: Instant, result: Result<(), h2::Error>) {
        let was_handshake = matches!(self.connection, Connection::Handshake(_));
        let cause = match &result {
            Err(error) if error.is_io() => self.last_cause(),
            Err(error) => self.connection_cause(error),
            Ok(()) => self.last_cause(),
        };
        if was_handshake && result.as_ref().is_err_and(|error| !error.is_io()) {
            self.inject_go_away(code::PROTOCOL_ERROR);
        }
        match cause {
            // h2's own limits: DATA of padding alone, CONTINUATION, heads far too large (A08).
            Cause::Protocol(ProtocolFault::Connection(code::ENHANCE_YOUR_CALM)) => {
                let last = self.io.wire().tap.last_kind();
                self.cut(match last {
                    kind::DATA => Cut::FloodEmptyData,
                    kind::CONTINUATION => Cut::FloodContinuation,
                    _ => Cut::HeadTooLarge,
                });
            }
            Cause::Protocol(_) => self.cut(Cut::Malformed),
            _ => {}
        }
        self.close(now, cause);
    }

    /// What an error of the connection is called.
    pub(super) fn connection_cause(&self, error: &h2::Error) -> Cause {
        if let Some(cause) = self.reason {
            return cause;
        }
        let code = error.reason().map_or(code::NO_ERROR, u32::from);
        if error.is_go_away() && error.is_remote() {
            Cause::GoAway(code)
        } else if error.is_go_away() {
            Cause::Protocol(ProtocolFault::Connection(code))
        } else {
            self.quiet_cause()
        }
    }

    /// What a stream hears when the connection has ended without an error of the protocol.
    fn quiet_cause(&self) -> Cause {
        let go_away = self.io.wire().tap.go_away().filter(|go_away| go_away.code != 0);
        match (self.reason, go_away, self.ended) {
            (Some(cause), ..) => cause,
            (None, Some(go_away), _) => Cause::GoAway(go_away.code),
            (None, None, Some(cause)) => cause,
            (None, None, None) => Cause::Closed,
        }
    }

    /// Why the connection ended.
    fn last_cause(&self) -> Cause {
        let go_away = self.io.wire().tap.go_away();
        match (self.reason, go_away) {
            (Some(cause), _) => cause,
            (None, Some(go_away)) => Cause::GoAway(go_away.code),
            (None, None) if self.draining && self.ended.is_none() => Cause::ShutDown,
            (None, None) => self.quiet_cause(),
        }
    }

    /// Ends everything: h2 is dropped, all streams get their last event, then `Closed`.
    fn close(&mut self, now: Instant, cause: Cause) {
        if self.closed {
            return;
        }
        self.connection = Connection::Done;
        self.opener = None;
        let ids: Vec<StreamId> = self.streams.iter().map(|(id, _)| id).collect();
        for id in ids {
            // What came before the end is still delivered.
            if self.reason.is_none() {
                self.poll_stream(now, id);
            }
            let Some(stream) = self.streams.get(id) else {
                continue;
            };
            let told = self.ending_cause(stream, cause);
            let retry = self.fate(stream, cause);
            self.remove(now, id, Event::Reset { stream: id, cause: told, retry });
        }
        self.closed = true;
        self.events.push_back(Event::Closed { cause });
    }

    /// Ends the connection from this side, with GOAWAY if there is a code for it.
    pub(super) fn fail(&mut self, now: Instant, cause: Cause, code: Option<u32>) {
        if self.closed {
            return;
        }
        self.reason = Some(cause);
        self.refusing = true;
        if let Some(code) = code {
            self.inject_go_away(code);
        }
        self.close(now, cause);
    }

    /// Takes nothing new and closes when the last stream has ended.
    pub(super) fn drain(&mut self, now: Instant) {
        if self.closed || self.draining {
            return;
        }
        self.refusing = true;
        self.draining = true;
        if self.is_server() {
            self.drain_server(now);
        } else {
            self.opener = None;
        }
        self.ready.wake_connection();
    }

    fn inject_go_away(&mut self, code: u32) {
        let mut payload = self.accepted.to_be_bytes().to_vec();
        payload.extend_from_slice(&code.to_be_bytes());
        let mut wire = self.io.wire();
        if !wire.has_begun() {
            // RFC 9113 3.4: who says goodbye at once has begun with SETTINGS all the same.
            wire.inject(&encode(kind::SETTINGS, 0, 0, &[]));
        }
        wire.inject(&encode(kind::GOAWAY, 0, 0, &payload));
    }

    /// Server: something was refused or timed out.
    pub(super) fn cut(&mut self, cut: Cut) {
        if self.is_server() {
            self.events.push_back(Event::Cut(cut));
        }
    }

    /// Client: what the server has said of where else it is.
    fn tell_alternatives(&mut self) {
        while let Some((stream, payload)) = self.io.wire().tap.take_alternative() {
            self.events.push_back(Event::AltSvc { stream, payload });
        }
    }

    fn count_refused(&mut self) {
        if !self.is_server() {
            return;
        }
        let refused = self.io.wire().tap.take_refused();
        (0..refused.streams).for_each(|_| self.cut(Cut::StreamRefused));
        (0..refused.heads).for_each(|_| self.cut(Cut::HeadTooLarge));
    }

    /// Limits that hold over the whole connection.
    fn police(&mut self, now: Instant) {
        let (abuse, fault, reset, go_aways) = {
            let tap = &self.io.wire().tap;
            (tap.abuse(), tap.fault(), tap.streams_reset(), tap.go_aways_sent())
        };
        self.count_refused();
        self.tell_alternatives();
        if let Some(code) = fault {
            self.cut(Cut::Malformed);
            let cause = Cause::Protocol(ProtocolFault::Connection(code));
            return self.fail(now, cause, Some(code));
        }
        if let Some(cut) = abuse {
            self.cut(cut);
            let cause = Cause::Protocol(ProtocolFault::Excessive);
            return self.fail(now, cause, Some(code::ENHANCE_YOUR_CALM));
        }
        if go_aways >= 2 {
            self.clock.drain_answered();
        }
        // h2 keeps the streams that the engine has refused, but not those that it has itself.
        let kept = reset.saturating_add(self.refused);
        if kept >= RESETS_MOST && matches!(self.connection, Connection::Server(_)) {
            self.drain(now);
        }
    }
}
