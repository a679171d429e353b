//! What only a client does: open streams, hear answers, and say which failed requests may go
//! again.

use http::{Method, Request, StatusCode};
use quinn_proto::Dir;

use super::priority::Said;
use super::stream::{Behind, Due, Fault, Held, Stream, ToSay};
use super::{H3, code, message};
use crate::engine::head::expects_continue;
use crate::engine::{Event, Head, OpenError};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Limit, ProtocolFault, RetrySafe};

/// So many streams are open and not used wherever the server lets them be opened. Opening sends
/// nothing.
const STASH: usize = 128;

/// So many more are opened at once when there are fewer: each time the driver hears of it.
const MORE: usize = 32;

impl H3 {
    pub(super) fn open_stream(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        if self.refusing || self.closed || self.is_server {
            return Err(OpenError::Refusing);
        }
        if self.stash.is_empty() {
            return Err(OpenError::NoCapacity);
        }
        let said = message::Outgoing::new(head).ok_or(OpenError::Unsayable)?;
        let peer = self.peer.unwrap_or_default();
        let (is_extended, priority) = (said.is_extended(), Said::of(head.headers()));
        // RFC 9220 3: only where the server has said that it knows how, which it says last of all
        // that a new connection waits for.
        let is_unknown = is_extended && !peer.connect_protocol;
        if is_unknown && self.peer_has_begun {
            return Err(OpenError::Unsayable);
        }
        if message::size(said.lines()) > peer.max_field_section {
            return Err(OpenError::Unsayable);
        }
        let Some(quic) = self.stash.pop_front() else { return Err(OpenError::NoCapacity) };
        self.used += 1;
        let id = self.streams.insert(Stream::new(quic, ToSay::Body));
        self.numbers.insert(quic, id);
        let is_connect = *head.method() == Method::CONNECT;
        if !is_unknown {
            let behind = if end && !is_connect { Behind::Nothing } else { Behind::Unknown };
            self.say_fields(id, said.lines(), behind);
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.is_told = true;
            stream.is_head = *head.method() == Method::HEAD;
            stream.is_connect = is_connect;
            stream.has_datagrams = is_extended;
            stream.heed(priority);
            if is_connect {
                stream.held = Some(Vec::new());
            } else if end {
                stream.finish();
            } else if expects_continue(head.headers()) {
                stream.held = Some(Vec::new());
                self.clock.expect(now + self.config.expect_timeout, id);
            }
        }
        self.enlist(id);
        if is_unknown {
            self.unsaid.push((id, head.clone()));
        }
        Ok(id)
    }

    /// The server has said what it takes: so do those heads go out that waited for it.
    pub(super) fn say_unsaid(&mut self) {
        let peer = self.peer.unwrap_or_default();
        for (stream, head) in core::mem::take(&mut self.unsaid) {
            if self.streams.get(stream).is_none() {
                continue;
            }
            let said = message::Outgoing::new(&head).filter(|_| peer.connect_protocol);
            if let Some(said) = said
                && message::size(said.lines()) <= peer.max_field_section
            {
                self.say_fields(stream, said.lines(), Behind::Unknown);
                self.enlist(stream);
                continue;
            }
            self.events.push_back(Event::Unsayable { stream });
            let (cause, retry) = (Cause::Cancelled, RetrySafe::Unsent);
            self.end(stream, code::REQUEST_CANCELLED, Event::Reset { stream, cause, retry });
        }
    }

    /// Takes the streams that the server lets this side open.
    pub(super) fn refill(&mut self, conn: &mut quinn_proto::Connection) {
        if self.is_server || self.refusing || self.stash.len() >= STASH {
            return;
        }
        while self.stash.len() < STASH + MORE
            && let Some(stream) = conn.streams().open(Dir::Bi)
        {
            self.stash.push_back(stream);
        }
        let limit = self.used + self.stash.len() as u64;
        if limit != self.limit {
            self.limit = limit;
            self.events.push_back(Event::Limit(Limit::Total(limit)));
        }
    }

    /// An answer's head came.
    pub(super) fn on_response(
        &mut self,
        id: StreamId,
        fields: &mut Vec<super::qpack::Field>,
    ) -> Result<(), Fault> {
        let (head, length) = message::response(fields).ok_or(Fault::MALFORMED)?;
        let most = self.config.max_informational;
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        stream.answered = true;
        let status = head.status();
        if status.is_informational() {
            stream.informational += 1;
            if stream.informational > most {
                return Err(Fault::Stream(code::EXCESSIVE_LOAD, ProtocolFault::Excessive));
            }
            match status {
                StatusCode::CONTINUE if stream.is_connect => {}
                StatusCode::CONTINUE => self.release(id),
                _ => {
                    let event = Event::Informational { stream: id, head: Box::new(head) };
                    self.events.push_back(event);
                }
            }
            return Ok(());
        }
        let is_tunnel = stream.is_connect && status.is_success();
        stream.due = if is_tunnel { Due::Tunnel } else { Due::Body };
        let length = length.known()?;
        if !is_tunnel {
            stream.length = if stream.has_content(status) { length } else { Some(0) };
        }
        let is_connect = stream.is_connect;
        let head = Head::Response(Box::new(head));
        stream.event = Some(Event::Head { stream: id, head, end: false });
        if is_connect && !is_tunnel {
            // No tunnel: what was meant for it goes nowhere, and nothing follows.
            stream.held = None;
            self.say(id, Held::Data(bytes::Bytes::new(), true));
        } else if is_tunnel {
            self.release(id);
        }
        Ok(())
    }

    /// The answer is complete while the body waits for 100 (Continue): the server does not want
    /// it. While it is being sent, it goes on for as long as the server takes it.
    pub(super) fn on_answered(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.is_sent || stream.is_connect {
            return;
        }
        if stream.held.is_some() {
            return self.end(id, code::REQUEST_CANCELLED, Event::Ended { stream: id });
        }
        let written = stream.written;
        self.clock.linger(now + self.config.linger_timeout, id, written);
    }

    /// A server's GOAWAY (RFC 9114 5.2): requests from there on were not acted on.
    pub(super) fn on_server_go_away(&mut self, from: u64) -> Result<(), Fault> {
        // It names a client's request stream, and never a later one than before.
        if !from.is_multiple_of(4) {
            return Err(Fault::Connection(code::ID_ERROR));
        }
        self.note_go_away(from)?;
        let beyond = self.streams.iter().filter(|(_, stream)| number(stream.quic) >= from);
        let mut beyond: Vec<_> = beyond.map(|(id, stream)| (stream.quic, id)).collect();
        beyond.sort_unstable();
        for (_, stream) in beyond {
            let (cause, retry) = (Cause::GoAway(0), RetrySafe::Unprocessed);
            self.end(stream, code::REQUEST_CANCELLED, Event::Reset { stream, cause, retry });
        }
        Ok(())
    }

    /// May the stream's request go again.
    pub(super) const fn fate(is_server: bool, stream: &Stream, cause: Cause) -> RetrySafe {
        const REJECTED: u32 = code::REQUEST_REJECTED as u32;
        const FALLBACK: u32 = code::VERSION_FALLBACK as u32;
        match cause {
            // Whatever the server says now: it has acted on the request.
            _ if stream.answered => RetrySafe::Answered,
            _ if is_server => RetrySafe::Unknown,
            Cause::StreamReset(REJECTED | FALLBACK) => RetrySafe::Unprocessed,
            _ if !stream.was_written => RetrySafe::Unsent,
            _ => RetrySafe::Unknown,
        }
    }

    /// The transport has thrown early data away: streams are numbered anew, and what was said on
    /// them was not heard (RFC 9001 4.6.2).
    pub fn early_data_rejected(&mut self, now: Instant) {
        let (cause, retry) = (Cause::EarlyDataRefused, RetrySafe::Unprocessed);
        self.numbers.clear();
        self.list.clear();
        self.aborts.clear();
        self.stash.clear();
        let all: Vec<StreamId> = self.streams.iter().map(|(id, _)| id).collect();
        for stream in all {
            if let Some(gone) = self.streams.remove(stream) {
                self.unread -= gone.unallowed;
                self.events.push_back(Event::Reset { stream, cause, retry });
            }
        }
        let config = self.config.clone();
        let events = core::mem::take(&mut self.events);
        let (limit, used) = (self.limit, self.used);
        let streams = core::mem::take(&mut self.streams);
        let (refusing, draining) = (self.refusing, self.draining);
        let log = self.log.take();
        let window = self.waiting.window();
        *self = Self::new(&config, now, false);
        self.set_stream_window(window);
        // Slots keep their generations, so that old ids stay stale.
        self.streams = streams;
        self.events = events;
        // What was used once counts for ever.
        self.used = used;
        self.void = used;
        self.limit = limit;
        self.refusing = refusing;
        self.draining = draining;
        self.log = log;
    }
}

/// The transport's name of the request stream with this index: a client's, of both directions.
pub(super) fn request_stream(index: u64) -> quinn_proto::StreamId {
    quinn_proto::StreamId::new(quinn_proto::Side::Client, Dir::Bi, index)
}

/// A stream's number as frames say it.
pub(super) fn number(stream: quinn_proto::StreamId) -> u64 {
    quinn_proto::VarInt::from(stream).into_inner()
}
