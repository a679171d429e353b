//! What only a client does: open streams, and say which failed requests may go again.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use http::{Method, Request};

use super::frame::code;
use super::stream::Stream;
use super::{Connection, H2, head};
use crate::engine::{Event, OpenError};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Limit, ProtocolFault, RetrySafe};

/// The last stream number of a client (RFC 9113 5.1.1) but for a few.
pub(super) const LAST_NUMBER: u32 = 0x7fff_fff0;

impl H2 {
    /// h2's handshake writes to memory, so it is complete at its first poll.
    pub(super) fn start_client(&mut self, now: Instant) {
        let config = &self.config;
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(config.stream_window)
            .initial_connection_window_size(config.connection_window)
            .max_frame_size(config.max_frame_size.clamp(16 << 10, (1 << 24) - 1))
            // More than the peer is told: of what is over the limit it says nothing that a
            // caller could use, so up to there the engine counts itself. Beyond that it is over
            // the limit on the wire too, since Huffman's shortest code has five bits.
            .max_header_list_size(config.max_head_bytes.saturating_mul(2))
            .initial_max_send_streams(config.initial_streams.get() as usize)
            .max_concurrent_reset_streams(0)
            .max_local_error_reset_streams(None)
            .data_frame_budget(usize::MAX);
        self.io.wire().say_head_limit(config.max_head_bytes);
        let handshake = pin!(builder.handshake(self.io.clone()));
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok((opener, mut connection))) = handshake.poll(&mut cx) {
            self.clock.set_pings(connection.ping_pong());
            self.opener = Some(opener);
            self.connection = Connection::Client(Box::new(connection));
            self.ready.wake_connection();
        } else {
            self.fail(now, Cause::Protocol(ProtocolFault::Connection(code::PROTOCOL_ERROR)), None);
        }
    }

    pub(super) fn open_stream(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        let limits = self.limits();
        let Some(opener) = self.opener.as_ref().filter(|_| !self.refusing) else {
            return Err(OpenError::Refusing);
        };
        // Requests that h2 has not written yet count even when they were given up: towards a peer
        // that reads nothing they would pile up.
        let unsent = self.io.wire().tap.unsent(self.opened);
        if self.streams.len().max(unsent as usize) >= self.limit as usize {
            return Err(OpenError::NoCapacity);
        }
        let request = head::request(head).ok_or(OpenError::Unsayable)?;
        let is_extended = request.extensions().get::<h2::ext::Protocol>().is_some();
        if is_extended && !opener.is_extended_connect_protocol_enabled() {
            // RFC 8441 3: only where the server has said that it knows how.
            if self.io.wire().knows_peer() {
                return Err(OpenError::Unsayable);
            }
            return Ok(self.leave_unsaid(request));
        }
        // A clone has no stream of its own that waits to be opened, so it never says no for one.
        let is_connect = *head.method() == Method::CONNECT;
        let end_now = end && !is_connect;
        let Ok((response, send)) = opener.clone().send_request(request, end_now) else {
            self.refuse_new(code::NO_ERROR);
            return Err(OpenError::Refusing);
        };
        let number = send.stream_id().as_u32();
        self.opened = number;
        let ready = &self.ready;
        let id = self
            .streams
            .insert_with(|id| Stream::client(id, ready, limits, response, send, end_now));
        if let Some(stream) = self.streams.get_mut(id) {
            if is_connect {
                stream.connect();
            } else if !end && head::expects_continue(head.headers()) {
                stream.hold();
                self.clock.expect(now, id);
            }
        }
        if number >= self.last_number {
            self.refuse_new(code::NO_ERROR);
        }
        Ok(id)
    }

    /// Begins a stream whose head waits for the server's SETTINGS.
    fn leave_unsaid(&mut self, request: Request<()>) -> StreamId {
        let (limits, ready) = (self.limits(), &self.ready);
        let id = self.streams.insert_with(|id| Stream::unsaid(id, ready, limits));
        if let Some(stream) = self.streams.get_mut(id) {
            stream.connect();
        }
        self.unsaid.push((id, request));
        id
    }

    /// Once the server has said what it takes, so do those heads go out that waited for it.
    pub(super) fn say_unsaid(&mut self, now: Instant) {
        if self.unsaid.is_empty() || !self.io.wire().knows_peer() {
            return;
        }
        for (id, request) in core::mem::take(&mut self.unsaid) {
            let opener = self.opener.as_ref().filter(|_| !self.refusing);
            let is_known =
                opener.is_some_and(|opener| opener.is_extended_connect_protocol_enabled());
            let said = match opener.filter(|_| is_known) {
                Some(opener) => opener.clone().send_request(request, false).ok(),
                None => None,
            };
            if let (Some((response, send)), Some(stream)) = (said, self.streams.get_mut(id)) {
                self.opened = response.stream_id().as_u32();
                stream.said(response, send);
                continue;
            }
            let cause = if self.opener.is_some() && !is_known && !self.refusing {
                self.events.push_back(Event::Unsayable { stream: id });
                Cause::Cancelled
            } else {
                Cause::ShutDown
            };
            self.remove(now, id, Event::Reset { stream: id, cause, retry: RetrySafe::Unsent });
        }
    }

    /// Says once that no new stream may be opened.
    pub(super) fn refuse_new(&mut self, code: u32) {
        self.refusing = true;
        if !self.said_go_away {
            self.said_go_away = true;
            self.events.push_back(Event::GoAway { code });
        }
    }

    /// Reports what the server grants, where that has changed.
    pub(super) fn note_limit(&mut self) {
        let Connection::Client(connection) = &self.connection else {
            return;
        };
        let most = connection.max_concurrent_send_streams();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        if most != self.limit {
            self.limit = most;
            self.events.push_back(Event::Limit(Limit::Concurrent(most)));
        }
    }

    /// Marks the streams whose section of fields was larger than the limit on the wire: rarely
    /// there is one.
    pub(super) fn note_large_heads(&mut self) {
        if self.is_server() {
            return;
        }
        loop {
            let Some(number) = self.io.wire().tap.heads.take() else { return };
            let found = self.streams.iter().find(|(_, stream)| stream.number == number);
            if let Some(id) = found.map(|(id, _)| id)
                && let Some(stream) = self.streams.get_mut(id)
            {
                stream.is_large = true;
            }
        }
    }

    /// What the peer's GOAWAY, as the tap saw it, means for the connection.
    pub(super) fn note_go_away(&mut self) {
        let go_away = self.io.wire().tap.go_away();
        if let Some(go_away) = go_away {
            self.refuse_new(go_away.code);
        }
    }

    /// What is known of a failed request, and the cause to tell.
    pub(super) fn judge(&self, stream: &Stream, error: &h2::Error) -> (Cause, RetrySafe) {
        let code = error.reason().map_or(code::NO_ERROR, u32::from);
        let cause = if error.is_reset() && error.is_remote() {
            Cause::StreamReset(code)
        } else if error.is_reset() {
            Cause::Protocol(ProtocolFault::Stream(code))
        } else {
            self.connection_cause(error)
        };
        // What h2 resets by itself is a response that breaks the rules, or is too large.
        let is_ours = error.is_reset() && !error.is_remote() && !self.io.wire().tap.is_server();
        let retry = match self.fate(stream, cause) {
            RetrySafe::Unknown if is_ours => RetrySafe::Answered,
            retry => retry,
        };
        (self.ending_cause(stream, cause), retry)
    }

    /// May the stream's request go again.
    pub(super) fn fate(&self, stream: &Stream, cause: Cause) -> RetrySafe {
        let (sent, go_away) = {
            let wire = self.io.wire();
            (wire.tap.was_sent(stream.number), wire.tap.go_away())
        };
        if stream.is_unsaid() {
            RetrySafe::Unsent
        } else if stream.answered || stream.is_large {
            // Whatever the server says now: it has acted on the request.
            RetrySafe::Answered
        } else if cause == Cause::StreamReset(code::REFUSED_STREAM)
            || go_away.is_some_and(|go_away| stream.number > go_away.last)
        {
            RetrySafe::Unprocessed
        } else if sent {
            RetrySafe::Unknown
        } else {
            RetrySafe::Unsent
        }
    }

    /// A response that has begun and whose connection ends is incomplete; one that h2 did not
    /// take because it is too large has a name.
    pub(super) const fn ending_cause(&self, stream: &Stream, cause: Cause) -> Cause {
        match cause {
            Cause::Protocol(_) if stream.is_large => Cause::Protocol(ProtocolFault::HeadTooLarge),
            Cause::Closed if stream.answered => Cause::Incomplete,
            cause => cause,
        }
    }
}
