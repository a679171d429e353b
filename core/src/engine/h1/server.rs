//! What only a server does: hear requests, answer, refuse, time out.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header};

use super::exchange::{Exchange, Rx, Tx, Verb};
use super::framing::{self, Length, Marks, Options};
use super::head::{self, Fault, Kind};
use super::{H1, KEPT_HEAD, Role, write};
use crate::downstream::Cut;
use crate::engine::{Event, Head};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::Cause;

impl H1 {
    /// Answers a stream with an interim or final head.
    pub fn respond(&mut self, now: Instant, stream: StreamId, head: &Response<()>, end: bool) {
        if self.write_head(stream, head, None, end) {
            self.after_head(now);
        }
    }

    /// The same, whose length need not be in the head. See
    /// [`Engine::respond_with`](crate::engine::Engine::respond_with).
    pub fn respond_with(
        &mut self,
        now: Instant,
        stream: StreamId,
        head: Response<()>,
        length: Option<u64>,
        end: bool,
    ) {
        if self.write_head(stream, &head, length, end) {
            self.after_head(now);
        }
        self.keep_fields(head);
    }

    /// Answers a stream with all there is. See [`Engine::answer`](crate::engine::Engine::answer).
    pub fn answer(
        &mut self,
        now: Instant,
        stream: StreamId,
        head: Response<()>,
        length: Option<u64>,
        body: Option<Bytes>,
    ) {
        if self.write_head(stream, &head, length, body.is_none()) {
            if let Some(body) = body {
                self.write_data(stream, body, true);
            }
            self.after_head(now);
        }
        self.keep_fields(head);
    }

    /// Keeps the room of an answer's fields for those of the next request.
    fn keep_fields(&mut self, mut head: Response<()>) {
        if let Some(spare) = &mut self.spare {
            spare.keep_fields(head.headers_mut());
        }
    }

    /// Whether a head was written behind which the message, or a tunnel, goes on.
    fn write_head(
        &mut self,
        stream: StreamId,
        head: &Response<()>,
        length: Option<u64>,
        end: bool,
    ) -> bool {
        let Some(exchange) = self.current(stream).filter(|exchange| exchange.tx == Tx::Head) else {
            return false;
        };
        let status = head.status();
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            // RFC 9110 15.2: HTTP/1.0 knows no interim responses.
            if !exchange.old {
                let stops_wait = status == StatusCode::CONTINUE && exchange.expecting;
                exchange.expecting &= !stops_wait;
                if stops_wait {
                    self.deadline = None;
                }
                write::interim(&mut self.wire, head);
            }
            return false;
        }
        let (verb, old) = (exchange.verb, exchange.old);
        let tunnel_ready = matches!(exchange.rx, Rx::Done)
            && exchange.upgrade.is_some()
            && head.headers().contains_key(header::UPGRADE);
        if status == StatusCode::SWITCHING_PROTOCOLS && !tunnel_ready {
            self.fail(Cause::Cancelled);
            return false;
        }
        // H-7: whether the body still comes is not known. CONNECT: what follows was meant for
        // the tunnel, not for us (T-1).
        let rejects = verb == Verb::Connect && !status.is_success();
        if exchange.expecting || rejects {
            exchange.expecting = false;
            exchange.rx = Rx::Done;
            self.deadline = None;
            self.stop_reading();
        }
        let closing = self.closing.is_some();
        let Some(plan) = write::Plan::of_response(head, length, end, verb, old, closing) else {
            self.fail(Cause::Cancelled);
            return false;
        };
        if let Some(spare) = &mut self.spare {
            self.wire.borrow(spare);
        }
        write::response(&mut self.wire, head, &plan);
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        exchange.tx = plan.tx;
        if plan.tx == Tx::Tunnel {
            exchange.rx = Rx::Tunnel;
            self.end_after(Cause::ShutDown);
            if end {
                self.write_data(stream, Bytes::new(), true);
            }
        } else if plan.close {
            self.end_after(Cause::ShutDown);
        }
        true
    }

    /// What follows when a final head, and maybe all behind it, was written.
    fn after_head(&mut self, now: Instant) {
        self.after_write(now);
        self.end_tunnel_early(now);
    }

    /// The client had ended its half before there was a tunnel.
    fn end_tunnel_early(&mut self, now: Instant) {
        let tunnel = |exchange: &Exchange| matches!(exchange.rx, Rx::Tunnel);
        if self.received_all && self.exchange.as_ref().is_some_and(tunnel) {
            self.finish_rx(None);
            self.settle(now);
        }
    }

    /// Reads one request head; returns its length, 0 when it is not whole.
    pub(super) fn read_request(&mut self, now: Instant, buf: &[u8]) -> Result<usize, Fault> {
        // RFC 9112 2.2: an empty line before a request is passed over.
        if let [b'\r', b'\n', ..] = buf {
            return Ok(2);
        }
        if matches!(buf, [b'\r']) {
            return Ok(0);
        }
        let fresh = self.scanner.is_fresh();
        if fresh && let Some((length, request)) = self.read_whole_request(buf) {
            self.on_request(now, request)?;
            return Ok(length);
        }
        let Some((length, lines)) = self.read_head(buf, Kind::Request)? else {
            // The first head's deadline runs from the connection's start.
            if fresh && self.next > 0 {
                self.deadline = Some(now + self.config.head_timeout);
            }
            return Ok(0);
        };
        let raw = self.copy_request(buf.get(..length).unwrap_or_default());
        let fields = self.spare.as_mut().map(|spare| spare.take_fields());
        let request = head::parse_request(&raw, lines, fields.unwrap_or_default())?;
        self.on_request(now, request)?;
        Ok(raw.len())
    }

    /// Reads a short head that came in one piece, and breaks no rule and no limit, without looking
    /// for its end first. What this passes over is told apart as any other head.
    fn read_whole_request(&mut self, buf: &[u8]) -> Option<(usize, Box<Request<()>>)> {
        let short = KEPT_HEAD.min(self.config.max_request_line as usize);
        if buf.len() > short.min(self.config.max_head_bytes as usize) {
            return None;
        }
        let raw = self.copy_request(buf);
        let most = self.config.max_head_fields as usize;
        let fields = || self.spare.as_mut().map(|spare| spare.take_fields()).unwrap_or_default();
        head::parse_front(&raw, most, fields)
    }

    fn on_request(&mut self, now: Instant, request: Box<Request<()>>) -> Result<(), Fault> {
        let (version, headers) = (request.version(), request.headers());
        let marks = Marks::of(headers);
        let length = framing::of_request(version, headers, marks)?;
        let options = Options::of(headers, marks);
        let verb = Verb::of(request.method());
        if verb == Verb::Connect && length != Length::Empty {
            return Err(Fault::LENGTH);
        }
        let rx = if verb == Verb::Connect { Rx::Undecided } else { length.into() };
        if let (Rx::Exact(length), Some(most)) = (&rx, self.config.max_body_bytes)
            && *length > most
        {
            return Err(Fault::BODY);
        }
        let end = matches!(rx, Rx::Done);
        let id = self.mint();
        let mut exchange = Exchange::new(id, verb, rx, Tx::Head);
        exchange.old = version == Version::HTTP_10;
        if options.upgrade && !exchange.old {
            exchange.upgrade = request.headers().get(header::UPGRADE).cloned();
        }
        exchange.expecting = marks.has(Marks::EXPECT)
            && length != Length::Empty
            && !exchange.old
            && framing::elements(headers, header::EXPECT)
                .any(|expectation| expectation.eq_ignore_ascii_case(b"100-continue"));
        self.deadline = exchange.expecting.then_some(now + self.config.expect_timeout);
        self.exchange = Some(exchange);
        self.events.push_back(Event::Head { stream: id, head: Head::Request(request), end });
        if !options.persists(version) {
            self.end_after(Cause::GoAway(0));
        } else if self.config.max_requests.is_some_and(|most| self.next >= most.get()) {
            self.cut(Cut::RequestLimit);
            self.end_after(Cause::ShutDown);
        }
        Ok(())
    }

    /// Server: holds the peer to its pace while more of a request's body is waited for.
    pub(super) fn time_body(&mut self, now: Instant) {
        let comes = |exchange: &&Exchange| {
            matches!(exchange.rx, Rx::Exact(_) | Rx::Chunked(_))
                && !exchange.expecting
                && !exchange.drops_input()
        };
        match self.exchange.as_ref().filter(|_| self.role == Role::Server).filter(comes) {
            None => self.meter.stop(),
            // Who reads it is behind, not the peer.
            Some(exchange) if exchange.delivered > 0 => self.meter.pause(now),
            Some(_) => self.meter.start(now),
        }
    }

    pub(super) fn send_continue(&mut self) {
        if let Some(exchange) = &mut self.exchange
            && exchange.expecting
            && exchange.tx == Tx::Head
        {
            exchange.expecting = false;
            self.deadline = None;
            self.wire.put(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    pub(super) fn server_timeout(&mut self, now: Instant) {
        if let Some(exchange) = &self.exchange {
            if exchange.expecting {
                self.send_continue();
            } else {
                // The rest of an unread request did not come in time.
                self.cut(Cut::BodyTooSlow);
                self.stop_reading();
                self.settle(now);
            }
            return;
        }
        let begun = !self.kept.is_empty();
        let first = self.next == 0;
        self.cut(if begun || first { Cut::HeadTimeout } else { Cut::IdleTimeout });
        self.close(Cause::ShutDown);
        if begun {
            write::refusal(&mut self.wire, StatusCode::REQUEST_TIMEOUT);
        }
    }

    pub(super) fn server_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        let cause = if clean { Cause::Closed } else { cause };
        let drops = self.drops_input();
        let Some(exchange) = &mut self.exchange else {
            return self.close(cause);
        };
        match exchange.rx {
            _ if !clean => self.fail(cause),
            Rx::Tunnel => {
                self.finish_rx(None);
                self.settle(now);
            }
            // The client has only ended its own direction: it still gets its answers.
            Rx::Done | Rx::Undecided if self.kept.is_empty() => self.end_after(cause),
            Rx::Done | Rx::Undecided => {}
            _ if drops => {
                self.stop_reading();
                self.settle(now);
            }
            _ => self.fail(Cause::Incomplete),
        }
    }
}
