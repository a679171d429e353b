//! Bodies, trailers and tunnels, both ways.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::chunked::Step;
use super::exchange::{Exchange, Frame, Rx, Tx};
use super::head::{self, Fault};
use super::{H1, Role, framing, write};
use crate::engine::Event;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::Cause;

/// What a server still reads of a request whose response is complete.
pub(super) const MAX_DISCARD: u64 = 64 << 10;

impl H1 {
    /// Sends part of a body or tunnel.
    pub fn send(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
        let Some(exchange) = self.current(stream).filter(|exchange| exchange.tx.is_open()) else {
            return;
        };
        if exchange.holding {
            exchange.owed |= !end;
            return exchange.held.push_back(Frame::Data(bytes, end));
        }
        self.write_data(stream, bytes, end);
        self.after_write(now);
    }

    /// Sends the trailer section. Where the framing has no place for it, only the end is sent.
    pub fn trailers(&mut self, now: Instant, stream: StreamId, trailers: HeaderMap) {
        let Some(exchange) = self.current(stream).filter(|exchange| exchange.tx.is_open()) else {
            return;
        };
        if exchange.holding {
            return exchange.held.push_back(Frame::Trailers(trailers));
        }
        self.write_trailers(stream, &trailers);
        self.after_write(now);
    }

    /// The reader has room for `n` more bytes; on a server the first call sends a 100 that is
    /// waited for.
    pub fn allow(&mut self, now: Instant, stream: StreamId, n: usize) {
        let server = self.role == Role::Server;
        let Some(exchange) = self.current(stream) else {
            return;
        };
        exchange.delivered = exchange.delivered.saturating_sub(n);
        if server && exchange.expecting {
            self.send_continue();
        }
        if server {
            self.time_body(now);
        }
    }

    /// Puts a frame on the wire as the framing says.
    pub(super) fn write_data(&mut self, stream: StreamId, bytes: Bytes, end: bool) {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.id == stream) else {
            return;
        };
        exchange.owed |= !end;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match &mut exchange.tx {
            Tx::Exact(left) => {
                let Some(rest) = left.checked_sub(length).filter(|rest| !end || *rest == 0) else {
                    return self.fail(Cause::Cancelled);
                };
                *left = rest;
                self.wire.push(bytes);
            }
            Tx::Chunked => {
                write::chunk(&mut self.wire, bytes);
                if end {
                    write::last_chunk(&mut self.wire, &HeaderMap::new());
                }
            }
            Tx::Close | Tx::Tunnel => self.wire.push(bytes),
            Tx::Drop => {}
            Tx::Head | Tx::Done => return,
        }
        if end {
            exchange.tx = Tx::Done;
        }
        // A request's body may rest while its response is sent.
        self.meter.satisfy();
    }

    pub(super) fn write_trailers(&mut self, stream: StreamId, trailers: &HeaderMap) {
        match self.current(stream) {
            Some(exchange) if exchange.tx == Tx::Chunked => {
                exchange.tx = Tx::Done;
                write::last_chunk(&mut self.wire, trailers);
            }
            _ => self.write_data(stream, Bytes::new(), true),
        }
    }

    /// What follows when this side's state has moved.
    pub(super) fn after_write(&mut self, now: Instant) {
        if self.wire.is_empty()
            && let Some(exchange) = &mut self.exchange
            && exchange.owed
            && exchange.tx.is_open()
        {
            // Nothing had to be written for the frame: it has left already.
            exchange.owed = false;
            self.events.push_back(Event::Capacity { stream: exchange.id });
        }
        self.stop_unread(now);
        self.settle(now);
        self.resume(now);
    }

    /// Server: the response is complete; decides what becomes of an unread request.
    fn stop_unread(&mut self, now: Instant) {
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.drops_input()) else {
            return;
        };
        let much = match &exchange.rx {
            Rx::Exact(left) => *left > MAX_DISCARD,
            Rx::Chunked(decoder) => decoder.room() > MAX_DISCARD,
            Rx::Undecided => true,
            _ => false,
        };
        if much || self.closing.is_some() {
            self.stop_reading();
        } else if !matches!(exchange.rx, Rx::Done) && self.deadline.is_none() {
            self.deadline = Some(now + self.config.head_timeout);
        }
    }

    /// Server: nothing more of the request is read, and the connection ends.
    pub(super) fn stop_reading(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.rx = Rx::Done;
        }
        self.kept = BytesMut::new();
        self.end_after(Cause::ShutDown);
    }

    /// Reads body or tunnel bytes; returns how many were used, 0 when more must come first.
    pub(super) fn read_body(&mut self, buf: &[u8]) -> Result<usize, Fault> {
        let Some(exchange) = &mut self.exchange else {
            return Ok(0);
        };
        match &mut exchange.rx {
            Rx::Exact(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = buf.get(..most).unwrap_or(buf);
                self.take_data(Bytes::copy_from_slice(data));
                Ok(data.len())
            }
            Rx::Close | Rx::Tunnel => {
                self.take_data(Bytes::copy_from_slice(buf));
                Ok(buf.len())
            }
            Rx::Chunked(decoder) if decoder.in_trailers() => self.read_trailers(buf),
            Rx::Chunked(_) => self.read_chunks(buf),
            Rx::Head | Rx::Undecided | Rx::Done => Ok(0),
        }
    }

    /// Gathers all chunks in `buf` into one event.
    fn read_chunks(&mut self, buf: &[u8]) -> Result<usize, Fault> {
        let Some(Exchange { rx: Rx::Chunked(decoder), .. }) = &mut self.exchange else {
            return Ok(0);
        };
        let mut used = 0;
        let mut data = BytesMut::new();
        let result = loop {
            let rest = buf.get(used..).unwrap_or_default();
            let (skipped, n) = match decoder.step(rest) {
                Ok((skipped, Step::Data(n))) => (skipped, n),
                Ok((skipped, _)) => break Ok(used + skipped),
                Err(fault) => break Err(fault),
            };
            used += skipped;
            if data.is_empty() {
                // One chunk is the usual case; more of them share what is left.
                let (room, rest) = (decoder.room(), rest.len() - skipped);
                data.reserve(
                    usize::try_from(room).map_or(n, |room| if room <= rest { rest } else { n }),
                );
            }
            data.extend_from_slice(buf.get(used..used + n).unwrap_or_default());
            decoder.took(u64::try_from(n).unwrap_or(u64::MAX));
            used += n;
        };
        if !data.is_empty() {
            self.deliver(data.freeze());
        }
        result
    }

    fn read_trailers(&mut self, buf: &[u8]) -> Result<usize, Fault> {
        let Some(length) = self.scanner.scan(buf, self.config.max_head_bytes as usize)? else {
            return Ok(0);
        };
        let lines = core::mem::take(&mut self.scanner).lines;
        if lines == 1 {
            self.finish_rx(None);
            return Ok(length);
        }
        if lines - 1 > self.config.max_head_fields as usize {
            return Err(Fault::LARGE);
        }
        let raw = Bytes::copy_from_slice(buf.get(..length).unwrap_or_default());
        let mut trailers = head::parse_trailers(&raw, lines)?;
        drop_forbidden(&mut trailers);
        self.finish_rx(Some(trailers).filter(|trailers| !trailers.is_empty()));
        Ok(length)
    }

    /// Takes body bytes of which the framing has said that they come.
    pub(super) fn take_data(&mut self, bytes: Bytes) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let mut last = false;
        match &mut exchange.rx {
            Rx::Exact(left) => {
                *left = left.saturating_sub(length);
                last = *left == 0;
            }
            Rx::Chunked(decoder) => decoder.took(length),
            _ => {}
        }
        self.deliver(bytes);
        if last {
            self.finish_rx(None);
        }
    }

    fn deliver(&mut self, bytes: Bytes) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        if self.role == Role::Server {
            // A body that comes by itself needs no 100 (RFC 9110 10.1.1).
            if exchange.expecting {
                exchange.expecting = false;
                self.deadline = None;
            }
            if exchange.drops_input() {
                exchange.discarded += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                if exchange.discarded > MAX_DISCARD {
                    self.stop_reading();
                }
                return;
            }
        }
        exchange.delivered += bytes.len();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        exchange.received = exchange.received.saturating_add(length);
        self.meter.moved(length);
        let most = self.config.max_body_bytes.filter(|_| self.role == Role::Server);
        let tunnel = matches!(exchange.rx, Rx::Tunnel);
        if !tunnel && most.is_some_and(|most| exchange.received > most) {
            return self.refuse(Fault::BODY);
        }
        self.events.push_back(Event::Data { stream: exchange.id, bytes, end: false });
    }

    /// The peer's message, or its half of a tunnel, is complete.
    pub(super) fn finish_rx(&mut self, trailers: Option<HeaderMap>) {
        let heard = !self.drops_input();
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let stream = exchange.id;
        exchange.rx = Rx::Done;
        if heard {
            match (trailers, self.events.back_mut()) {
                (Some(trailers), _) => {
                    self.events.push_back(Event::Trailers { stream, trailers: Box::new(trailers) });
                }
                (None, Some(Event::Data { stream: of, end, .. })) if *of == stream => *end = true,
                _ => self.events.push_back(Event::Data { stream, bytes: Bytes::new(), end: true }),
            }
        }
    }
}

fn drop_forbidden(trailers: &mut HeaderMap) {
    let forbidden: Vec<_> =
        trailers.keys().filter(|name| !framing::may_trail(name)).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
}
