//! The loop: reads and writes the transport's streams, and ends streams and connection.

use std::collections::VecDeque;

use bytes::Bytes;
use http::StatusCode;
use quinn_proto::ReadError;

use super::client::{number, request_stream};
use super::control::var;
use super::frame::kind;
use super::qpack::{Decoded, Field, Limits, Line};
use super::stream::{Behind, Came, Due, Fault, Held, ToSay};
use super::{Abort, Close, H3, code, message};
use crate::downstream::Cut;
use crate::engine::Event;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault, RetrySafe};

impl H3 {
    /// Does on the connection what there is to do: takes in what came, sends what commands have
    /// left, and opens and accepts streams.
    pub fn pump(&mut self, now: Instant, conn: &mut quinn_proto::Connection) {
        self.is_stirred = false;
        if self.closed {
            return;
        }
        self.log_at(now);
        self.is_early = self.is_server && conn.is_handshaking();
        if let Err(fault) = self.try_pump(now, conn) {
            self.on_connection_fault(fault);
        }
        self.note_idle(now);
        self.note_stall(now);
        self.pump_drain(now, conn);
    }

    fn try_pump(&mut self, now: Instant, conn: &mut quinn_proto::Connection) -> Result<(), Fault> {
        self.write_control(conn)?;
        self.refill(conn);
        self.accept_control(conn);
        self.read_control(conn)?;
        self.accept_requests(conn)?;
        while let Some(id) = self.list.pop_front() {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.is_listed = false;
            }
            if let Err(fault) = self.read_stream(now, conn, id) {
                self.on_fault(now, id, fault)?;
            }
            self.note_withheld(id);
            // What sections refer to goes in front of them.
            self.write_control(conn)?;
            self.write_stream(now, conn, id);
            self.note_stuck(id);
            self.watch(now, id);
            self.settle(id);
        }
        self.pump_datagrams(now, conn)?;
        self.police()?;
        self.pump_aborts(conn);
        self.write_control(conn)?;
        self.pump_pings(conn);
        self.pump_attention(now, conn);
        Ok(())
    }

    /// Takes in all that has come, allowed or not; to be called before [`H3::receive_end`]: the
    /// transport keeps it no longer, and the peer may have said all before it closed.
    pub fn take_rest(&mut self, now: Instant, conn: &mut quinn_proto::Connection) {
        if self.closed {
            return;
        }
        self.takes_rest = true;
        // What a section needs of the table may be among it. It is over: no fault matters.
        self.accept_control(conn);
        let _fault = self.read_control(conn);
        let all: Vec<StreamId> = self.streams.iter().map(|(id, _)| id).collect();
        for id in all {
            self.readable(id);
            let _fault = self.read_stream(now, conn, id);
            self.settle(id);
        }
    }

    /// Tells the transport of streams that were given up.
    fn pump_aborts(&mut self, conn: &mut quinn_proto::Connection) {
        for abort in core::mem::take(&mut self.aborts) {
            // Both say no only to a half that is over.
            if let Some(code) = abort.reset {
                let _over = conn.send_stream(abort.stream).reset(var(code));
            }
            if let Some(code) = abort.stop {
                let _over = conn.recv_stream(abort.stream).stop(var(code));
            }
        }
    }

    fn read_stream(
        &mut self,
        now: Instant,
        conn: &mut quinn_proto::Connection,
        id: StreamId,
    ) -> Result<(), Fault> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        if stream.is_received || !stream.is_readable {
            return Ok(());
        }
        if let Some(section) = stream.unblock()
            && !self.on_section(now, id, section)?
        {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let (quic, behind) = (stream.quic, stream.take_behind());
        if !self.digest(now, id, behind)? {
            return Ok(());
        }
        let mut recv = conn.recv_stream(quic);
        let Ok(mut chunks) = recv.read(true) else { return Ok(()) };
        let mut end = None;
        while let Some(room) = self.room(id) {
            match chunks.next(room) {
                Ok(Some(chunk)) => {
                    if !self.digest(now, id, chunk.bytes)? {
                        break;
                    }
                }
                Ok(None) => {
                    end = Some(None);
                    break;
                }
                Err(ReadError::Reset(code)) => {
                    end = Some(Some(code.into_inner()));
                    break;
                }
                Err(ReadError::Blocked) => {
                    if let Some(stream) = self.streams.get_mut(id) {
                        stream.is_readable = false;
                    }
                    break;
                }
            }
        }
        // Gives the read bytes' credit back.
        drop(chunks);
        match end {
            Some(None) => self.on_end(now, id)?,
            Some(Some(code)) => self.on_reset(now, id, code),
            None => self.flush(id),
        }
        Ok(())
    }

    /// How much may be read of the stream now, if anything may.
    pub(super) fn room(&self, id: StreamId) -> Option<usize> {
        let stream = self.streams.get(id)?;
        if stream.is_received || stream.is_blocked() {
            return None;
        }
        match stream.due {
            Due::Body | Due::Tunnel if !self.takes_rest => {
                if self.waiting.is_held_back() {
                    return None;
                }
                let most = self.config.stream_buffer as usize;
                most.checked_sub(stream.unallowed).filter(|room| *room > 0)
            }
            Due::Body | Due::Tunnel | Due::Head | Due::End => Some(usize::MAX),
        }
    }

    /// Takes in what came. Returns whether to go on.
    fn digest(&mut self, now: Instant, id: StreamId, mut bytes: Bytes) -> Result<bool, Fault> {
        let most = u64::from(self.config.max_head_bytes);
        loop {
            let Some(stream) = self.streams.get_mut(id) else { return Ok(false) };
            if stream.is_received {
                return Ok(false);
            }
            match stream.take(&mut bytes, most, self.is_server, self.log.as_ref())? {
                None => return Ok(true),
                Some(Came::Data(bytes)) => self.on_data(id, bytes),
                Some(Came::TooLarge) => self.on_too_large(id)?,
                Some(Came::Section(section)) => {
                    if !self.on_section(now, id, section)? {
                        if let Some(stream) = self.streams.get_mut(id) {
                            stream.keep_behind(bytes);
                        }
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn on_data(&mut self, id: StreamId, bytes: Bytes) {
        let most = self.config.max_body_bytes.filter(|_| self.is_server);
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.unallowed += bytes.len();
        stream.came += bytes.len() as u64;
        self.unread += bytes.len();
        self.patience.data_in += bytes.len() as u64;
        if !stream.is_connect && most.is_some_and(|most| stream.received > most) {
            return self.refuse_body(id, Cut::BodyTooLarge);
        }
        let event = Event::Data { stream: id, bytes, end: false };
        tell(&mut self.events, stream.event.replace(event));
    }

    /// A section is beyond the limit (RFC 9114 4.2.2).
    fn on_too_large(&mut self, id: StreamId) -> Result<(), Fault> {
        let Some(stream) = self.streams.get(id) else { return Ok(()) };
        if self.is_server && stream.due == Due::Head {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            self.refuse(id, Cut::HeadTooLarge, status);
            return Ok(());
        }
        self.cut(Cut::HeadTooLarge);
        Err(Fault::Stream(code::EXCESSIVE_LOAD, ProtocolFault::HeadTooLarge))
    }

    /// Returns whether to go on.
    fn on_section(&mut self, now: Instant, id: StreamId, section: Bytes) -> Result<bool, Fault> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(false) };
        let limits = Limits {
            bytes: self.config.max_head_bytes as usize,
            fields: self.config.max_head_fields as usize,
        };
        let mut fields = core::mem::take(&mut self.fields);
        let decoded = self.decoder.decode(number(stream.quic), &section, limits, &mut fields);
        let taken = decoded
            .map_err(|error| Fault::Connection(error.code()))
            .and_then(|decoded| self.on_decoded(now, id, section, decoded, &mut fields));
        fields.clear();
        self.fields = fields;
        taken
    }

    /// Returns whether to go on.
    fn on_decoded(
        &mut self,
        now: Instant,
        id: StreamId,
        section: Bytes,
        decoded: Decoded,
        fields: &mut Vec<Field>,
    ) -> Result<bool, Fault> {
        if self.log.is_some()
            && let (Decoded::Fields, Some(stream)) = (&decoded, self.streams.get(id))
        {
            self.log_section(number(stream.quic), section.len(), fields);
        }
        let Some(stream) = self.streams.get_mut(id) else { return Ok(false) };
        match decoded {
            Decoded::Blocked => {
                stream.block(section);
                return Ok(false);
            }
            Decoded::TooLarge => self.on_too_large(id)?,
            Decoded::Fields if stream.due == Due::Body => {
                let trailers = message::trailers(fields).ok_or(Fault::MALFORMED)?;
                stream.due = Due::End;
                let event = Event::Trailers { stream: id, trailers: Box::new(trailers) };
                tell(&mut self.events, stream.event.replace(event));
            }
            Decoded::Fields if self.is_server => self.on_request(now, id, fields)?,
            Decoded::Fields => self.on_response(id, fields)?,
        }
        Ok(true)
    }

    /// Streams whose sections can be read now are looked at.
    pub(super) fn wake_unblocked(&mut self) {
        while let Some(stream) = self.decoder.unblocked() {
            if let Some(id) = self.numbers.get(request_stream(stream / 4)) {
                self.readable(id);
            }
        }
    }

    /// What was not told because it might end is told.
    pub(super) fn flush(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id) {
            tell(&mut self.events, stream.event.take());
        }
    }

    /// The peer's half is complete.
    fn on_end(&mut self, now: Instant, id: StreamId) -> Result<(), Fault> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        stream.on_end()?;
        stream.is_received = true;
        let had_trailers = stream.due == Due::End;
        let mut last = stream.event.take();
        match &mut last {
            Some(Event::Head { end, .. } | Event::Data { end, .. }) => *end = true,
            _ if had_trailers => {}
            _ => {
                tell(&mut self.events, last.take());
                last = Some(Event::Data { stream: id, bytes: Bytes::new(), end: true });
            }
        }
        stream.owes_continue = false;
        tell(&mut self.events, last);
        if !self.is_server {
            self.on_answered(now, id);
        }
        Ok(())
    }

    /// The peer has reset its half.
    fn on_reset(&mut self, now: Instant, id: StreamId, code: u64) {
        self.flush(id);
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.is_received = true;
        let quic = stream.quic;
        let cause = Cause::StreamReset(short(code));
        let retry = Self::fate(self.is_server, stream, cause);
        self.in_vain(now);
        // RFC 9204 2.2.2.2: what it may have said before is not read.
        self.decoder.cancel(number(quic));
        let event = Event::Reset { stream: id, cause, retry };
        self.end(id, code::REQUEST_CANCELLED, event);
    }

    /// The peer does not want the rest of what this side sends.
    pub(super) fn on_stopped(&mut self, now: Instant, id: StreamId, code: u64) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.is_sent && !stream.is_received && !self.is_server {
            // It was sent; the answer is what counts.
            return;
        }
        let quic = stream.quic;
        if !self.is_server && (code == code::NO_ERROR || stream.is_received) {
            // RFC 9114 4.1: the answer stands without the rest of the request.
            stream.hush();
            self.aborts.push(Abort { stream: quic, reset: Some(code), stop: None });
            return self.enlist(id);
        }
        let cause = Cause::StreamReset(short(code));
        let retry = Self::fate(self.is_server, stream, cause);
        self.in_vain(now);
        self.end(id, code::REQUEST_CANCELLED, Event::Reset { stream: id, cause, retry });
    }

    fn write_stream(&mut self, now: Instant, conn: &mut quinn_proto::Connection, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !stream.has_output() && stream.rank == stream.told_rank {
            return;
        }
        let mut send = conn.send_stream(stream.quic);
        stream.prioritize(&mut send);
        let before = stream.written;
        let wrote = stream.write(&mut send);
        self.patience.data_out += stream.written - before;
        match wrote {
            Ok(true) => self.events.push_back(Event::Capacity { stream: id }),
            Ok(false) | Err(quinn_proto::WriteError::Blocked) => {}
            Err(quinn_proto::WriteError::Stopped(code)) => {
                self.on_stopped(now, id, code.into_inner())
            }
            Err(quinn_proto::WriteError::ClosedStream) => stream.hush(),
        }
    }

    /// Ends the stream if both its halves are complete.
    fn settle(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(id) else { return };
        if stream.is_received && stream.is_sent {
            self.remove(id, Event::Ended { stream: id });
        }
    }

    /// The stream's last event, where the driver knows of it.
    fn remove(&mut self, id: StreamId, last: Event) {
        let gone = self.streams.remove_with(id, |stream| {
            self.waiting.forget(stream.withheld, stream.is_stuck);
            (stream.quic, stream.unallowed, stream.is_timed, stream.is_told, stream.event.take())
        });
        let Some((quic, unallowed, is_timed, is_told, event)) = gone else { return };
        self.numbers.remove(quic);
        self.unread -= unallowed;
        self.clock.forget(id);
        if is_timed {
            self.patience.forget(id);
        }
        tell(&mut self.events, event);
        if is_told {
            self.events.push_back(last);
        }
    }

    /// Gives up what is left of both halves, and tells `last`.
    pub(super) fn end(&mut self, id: StreamId, code: u64, last: Event) {
        self.stop(id, code);
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !stream.is_sent {
            let reset = Some(code);
            self.aborts.push(Abort { stream: stream.quic, reset, stop: None });
        }
        self.remove(id, last);
    }

    /// Reads no more of the stream.
    pub(super) fn stop(&mut self, id: StreamId, code: u64) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if !core::mem::replace(&mut stream.is_received, true) {
            let stop = Some(code);
            self.aborts.push(Abort { stream: stream.quic, reset: None, stop });
            self.decoder.cancel(number(stream.quic));
        }
    }

    /// Says a piece of a body or its trailers, or ignores it where none is due.
    pub(super) fn say(&mut self, id: StreamId, piece: Held) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.to_say != ToSay::Body {
            return;
        }
        if let Some(held) = &mut stream.held {
            return held.push(piece);
        }
        // A client's HEAD has no body; nor has a server's answer to one.
        let is_empty = stream.is_head && self.is_server;
        let quic = stream.quic;
        match piece {
            Held::Data(_, end) if is_empty => stream.say(Bytes::new(), end),
            Held::Data(bytes, end) => {
                let length = bytes.len();
                stream.say(bytes, end);
                if length > 0 {
                    self.log_data(number(quic), length);
                }
            }
            Held::Trailers(trailers) if is_empty || trailers.is_empty() => stream.finish(),
            Held::Trailers(trailers) => {
                self.say_fields(id, message::lines(&message::clean(&trailers)), Behind::Unknown);
                if let Some(stream) = self.streams.get_mut(id) {
                    stream.finish();
                }
            }
        }
        self.enlist(id);
    }

    /// Says what was held.
    pub(super) fn release(&mut self, id: StreamId) {
        let held = self.streams.get_mut(id).and_then(|stream| stream.held.take());
        for piece in held.into_iter().flatten() {
            self.say(id, piece);
        }
    }

    /// Says a section.
    pub(super) fn say_fields<'a>(
        &mut self,
        id: StreamId,
        lines: impl Iterator<Item = Line<'a>>,
        behind: Behind,
    ) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let may_insert = self.control.takes_inserts();
        let mut section = core::mem::take(&mut self.scratch);
        section.clear();
        let quic = number(stream.quic);
        if self.log.is_some() {
            let lines: Vec<Line<'_>> = lines.collect();
            self.encoder.encode(quic, lines.iter().copied(), may_insert, &mut section);
            self.log_sent(quic, section.len(), lines.iter().map(|line| (line.name, line.value)));
        } else {
            self.encoder.encode(quic, lines, may_insert, &mut section);
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.say_section(&section, behind, &mut self.shelf);
        }
        self.scratch = section;
    }

    /// What the peer has done wrong on a stream ends it, or the connection.
    pub(super) fn on_fault(
        &mut self,
        now: Instant,
        id: StreamId,
        fault: Fault,
    ) -> Result<(), Fault> {
        let Fault::Stream(code, fault) = fault else { return Err(fault) };
        self.flush(id);
        self.in_vain(now);
        if code == code::MESSAGE_ERROR {
            self.cut(Cut::Malformed);
        }
        let retry = match self.is_server {
            true => RetrySafe::Unknown,
            // Something came, so it was acted on.
            false => RetrySafe::Answered,
        };
        let cause = Cause::Protocol(fault);
        self.end(id, code, Event::Reset { stream: id, cause, retry });
        Ok(())
    }

    pub(super) fn on_connection_fault(&mut self, fault: Fault) {
        let Fault::Connection(code) = fault else { return };
        self.cut(Cut::Malformed);
        self.fail(code, Cause::Protocol(ProtocolFault::Connection(short(code))));
    }

    /// The peer's GOAWAY.
    pub(super) fn on_go_away(&mut self, from: u64) -> Result<(), Fault> {
        if self.is_server {
            // It names a push, of which there are none.
            return self.note_go_away(from);
        }
        self.on_server_go_away(from)
    }

    pub(super) fn note_go_away(&mut self, from: u64) -> Result<(), Fault> {
        // RFC 9114 5.2: it never rises.
        if self.go_away_received.is_some_and(|before| from > before) {
            return Err(Fault::Connection(code::ID_ERROR));
        }
        self.go_away_received = Some(from);
        self.refusing |= !self.is_server;
        if !core::mem::replace(&mut self.said_go_away, true) {
            self.events.push_back(Event::GoAway { code: 0 });
        }
        Ok(())
    }

    /// Says GOAWAY.
    pub(super) fn say_go_away(&mut self, from: u64) {
        self.go_away_sent = Some(from);
        self.say_control(|out| super::frame::put_number(out, kind::GOAWAY, from));
    }

    /// Ends the connection from this side.
    pub(super) fn fail(&mut self, code: u64, cause: Cause) {
        if self.closed {
            return;
        }
        self.close = Some(Close { code });
        self.over(cause);
    }

    /// Every stream hears that the connection has ended, then the driver.
    pub(super) fn over(&mut self, cause: Cause) {
        if self.closed {
            return;
        }
        let all: Vec<StreamId> = self.streams.iter().map(|(id, _)| id).collect();
        for id in all {
            self.flush(id);
            let Some(stream) = self.streams.get(id) else { continue };
            let retry = Self::fate(self.is_server, stream, cause);
            let told = match cause {
                // What had begun is incomplete.
                Cause::Closed if stream.answered => Cause::Incomplete,
                cause => cause,
            };
            self.remove(id, Event::Reset { stream: id, cause: told, retry });
        }
        self.list.clear();
        self.aborts.clear();
        self.stash.clear();
        self.refusing = true;
        self.closed = true;
        self.events.push_back(Event::Closed { cause });
    }
}

/// Tells an event, if there is one.
fn tell(events: &mut VecDeque<Event>, event: Option<Event>) {
    if let Some(event) = event {
        events.push_back(event);
    }
}

/// A code as causes hold it.
fn short(code: u64) -> u32 {
    u32::try_from(code).unwrap_or(u32::MAX)
}
