//! HTTP/1.1 and 1.0 (RFC 9112), client and server, one exchange at a time.
//!
//! Framing is strict: what two readers could understand in two ways is an error, and the
//! connection ends with it. A client never pipelines; a server takes pipelined requests one
//! after another and parses the next head when the stream before has ended.
//!
//! # Heads
//!
//! A client sends origin-form (`/path?query`), authority-form for CONNECT, and `*` where the
//! path is `*`; Host comes from the URI when the request has none. Content-Length is the
//! caller's and is kept to; without it a body is chunked, and absent when `end` comes with the
//! head. Transfer-Encoding, Connection and Keep-Alive are the engine's: of the caller's
//! Connection it keeps `close`, `upgrade` beside an Upgrade field, and HTTP/1.0's `keep-alive`.
//!
//! # Expect: 100-continue
//!
//! A client holds the body back until 100, a final response, or `expect_timeout`; after a final
//! response without 100 the body is not sent and the connection ends. A server sends 100 on the
//! first [`allow`](H1::allow) (also of 0 bytes), or after `expect_timeout` when the handler has
//! done nothing; a final response without it ends the connection.
//!
//! # Tunnels
//!
//! After 101, or 2xx to CONNECT, both directions carry raw bytes, also where a message had ended
//! before: a server that answers 101 hears `Data` on a request that was whole. What a client sends
//! earlier is held until then. A GET with Upgrade that is opened without `end` has no body: what
//! is sent on it belongs to the tunnel, and is dropped when the server declines. `send` with `end`
//! is a half-close: when [`write_ended`](H1::write_ended) says so, the transport's writing half is
//! to be closed.
//!
//! # Ends
//!
//! A response that is complete before its request ends the request's body and the connection.
//! On a server, what is left of the request's body when the response is complete is dropped
//! unheard, up to 64 KiB; a longer rest ends the connection.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;

use super::{Config, Event, Meter, Output, Shutdown, Spare};
use crate::downstream::Cut;
use crate::id::StreamId;
use crate::time::{Duration, Instant};
use crate::types::{Cause, Limit, ProtocolFault, RetrySafe};

mod body;
mod chunked;
mod client;
mod exchange;
mod framing;
mod head;
mod server;
#[cfg(test)]
mod tests;
mod write;

use exchange::{Exchange, Rx, Tx};
use head::{Fault, Kind, Scanner};

/// Room for events that an idle connection keeps: those of one short exchange.
const KEPT_EVENTS: usize = 4;

/// A request's head of at most so many bytes lies where the one before it lay.
const KEPT_HEAD: usize = 512;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

/// One HTTP/1 connection.
#[derive(Debug)]
pub struct H1 {
    role: Role,
    config: Arc<Config>,
    exchange: Option<Exchange>,
    /// The next stream's generation.
    next: u32,
    /// Received and not yet understood: part of a head, or what belongs to a later message.
    kept: BytesMut,
    scanner: Scanner,
    /// Where a server puts a short head once nobody holds a part of the one before.
    head: BytesMut,
    wire: Output,
    /// What its driver lends it while it serves it.
    spare: Option<Box<Spare>>,
    events: VecDeque<Event>,
    /// Why the connection ends with the current exchange, or at once when there is none.
    closing: Option<Cause>,
    /// `GoAway` was said.
    refusing: bool,
    /// The peer sends nothing more.
    received_all: bool,
    /// `Closed` was said.
    closed: bool,
    /// This side has broken the connection off.
    broken_off: bool,
    /// The one thing that is waited for: `Expect`'s answer, or a server's next head.
    deadline: Option<Instant>,
    /// A server's patience with a request's body.
    meter: Meter,
}

impl H1 {
    /// The client's side of a new connection.
    pub fn client(config: &Config, now: Instant) -> Self {
        Self::client_sharing(Arc::new(config.clone()), now)
    }

    /// As [`H1::client`], with settings that connections share.
    pub fn client_sharing(config: Arc<Config>, _now: Instant) -> Self {
        Self::new(Role::Client, config, None)
    }

    /// The server's side of a new connection; a whole head is due within `head_timeout`.
    pub fn server(config: &Config, now: Instant) -> Self {
        Self::server_sharing(Arc::new(config.clone()), now)
    }

    /// As [`H1::server`], with settings that connections share.
    pub fn server_sharing(config: Arc<Config>, now: Instant) -> Self {
        let due = now + config.head_timeout;
        Self::new(Role::Server, config, Some(due))
    }

    fn new(role: Role, config: Arc<Config>, deadline: Option<Instant>) -> Self {
        Self {
            role,
            config,
            exchange: None,
            next: 0,
            kept: BytesMut::new(),
            scanner: Scanner::default(),
            head: BytesMut::new(),
            wire: Output::new(),
            spare: None,
            events: VecDeque::new(),
            closing: None,
            refusing: false,
            received_all: false,
            closed: false,
            broken_off: false,
            deadline,
            meter: Meter::default(),
        }
    }

    /// Gives the stream up: its `Reset`, then `Closed`. Nothing more is written.
    pub fn reset(&mut self, _now: Instant, stream: StreamId) {
        if self.current(stream).is_some() {
            self.fail(Cause::Cancelled);
        }
    }

    /// HTTP/1 has no ping: the answer comes at once.
    pub fn ping(&mut self, _now: Instant) {
        if !self.closed {
            self.events.push_back(Event::Pong);
        }
    }

    /// Ends the connection: at once when it is idle, else with the current exchange.
    pub fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.broken_off |= how == Shutdown::Now;
        if self.closed {
            return;
        }
        match how {
            Shutdown::Now => self.broke(Cause::ShutDown),
            Shutdown::Graceful => {
                self.end_after(Cause::ShutDown);
                // A request that has begun to arrive is still answered.
                if self.kept.is_empty() {
                    self.settle(now);
                }
            }
        }
    }

    /// How long a transport that takes nothing is waited for. See
    /// [`Engine::patience`](super::Engine::patience).
    pub fn patience(&self) -> Option<Duration> {
        match self.role {
            _ if self.broken_off => Some(self.config.close_timeout),
            Role::Server => Some(self.config.write_timeout),
            Role::Client => self.closed.then_some(self.config.close_timeout),
        }
    }

    /// Always one stream at a time.
    pub fn limit(&self) -> Limit {
        Limit::Concurrent(1)
    }

    /// How much of the current body is delivered and not yet allowed on.
    pub fn unread(&self) -> usize {
        self.exchange.as_ref().map_or(0, |exchange| exchange.delivered)
    }

    /// Whether reading on is welcome: not while the reader of the current body is behind, and
    /// not while a server holds bytes of a later request.
    pub fn wants_input(&self) -> bool {
        if self.closed || self.received_all {
            return false;
        }
        let Some(exchange) = &self.exchange else {
            return true;
        };
        match exchange.rx {
            Rx::Head => true,
            Rx::Done | Rx::Undecided => self.role == Role::Client || self.kept.is_empty(),
            _ if self.drops_input() => true,
            _ => exchange.delivered < self.config.stream_buffer as usize,
        }
    }

    /// Takes in all of `input`.
    pub fn receive(&mut self, now: Instant, input: &[u8]) {
        if self.closed || self.received_all || input.is_empty() {
            return;
        }
        if self.kept.is_empty() {
            let used = self.advance(now, input);
            self.keep(input.get(used..).unwrap_or_default());
        } else {
            self.kept.extend_from_slice(input);
            self.resume(now);
        }
        self.time_body(now);
    }

    /// The unread rest of a body or chunk of known length; 0 elsewhere.
    pub fn body_room(&self) -> usize {
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.kept.is_empty()) else {
            return 0;
        };
        let room = match &exchange.rx {
            Rx::Exact(left) => *left,
            Rx::Chunked(decoder) => decoder.room(),
            _ => 0,
        };
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Takes in body bytes by reference.
    pub fn receive_body(&mut self, now: Instant, bytes: Bytes) {
        if bytes.is_empty() || bytes.len() > self.body_room() {
            return self.receive(now, &bytes);
        }
        self.take_data(bytes);
        self.settle(now);
        self.time_body(now);
    }

    /// The peer will send nothing more.
    pub fn receive_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        if self.closed {
            return;
        }
        if self.received_all {
            // The peer had ended its direction before; now ours broke.
            if !clean {
                self.broke(cause);
            }
            return;
        }
        self.received_all = true;
        match self.role {
            Role::Client => self.client_end(now, clean, cause),
            Role::Server => self.server_end(now, clean, cause),
        }
    }

    /// Moves what is to be written to `out`.
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        let before = out.len();
        out.append(&mut self.wire, room);
        if out.len() == before {
            return;
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.sent = true;
            if self.wire.is_empty() && exchange.owed && exchange.tx.is_open() {
                exchange.owed = false;
                self.events.push_back(Event::Capacity { stream: exchange.id });
            }
        }
        if self.wire.is_empty() {
            self.settle(now);
            self.resume(now);
        }
    }

    /// Whether an event waits to be taken.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        // Asked far more often than there is one, and an event is long: said without moving any.
        if self.events.is_empty() {
            if self.exchange.is_none() && self.events.capacity() > KEPT_EVENTS {
                // An idle connection keeps no more than the next exchange needs.
                self.events = VecDeque::new();
            }
            return None;
        }
        self.events.pop_front()
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let slow = self.meter.due(self.config.pace);
        self.deadline.into_iter().chain(slow).min()
    }

    /// Stops waiting for what did not come in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            match self.role {
                Role::Client => self.release(),
                Role::Server => self.server_timeout(now),
            }
        }
        if self.meter.is_slow(now, self.config.pace) {
            self.refuse(Fault::SLOW);
        }
        self.time_body(now);
    }

    /// Lends it `spare`, and by the next call takes that back.
    pub fn lend(&mut self, spare: &mut Option<Box<Spare>>) {
        core::mem::swap(&mut self.spare, spare);
    }

    /// Whether there is neither an event to be taken nor anything to be written.
    pub fn is_quiet(&self) -> bool {
        self.events.is_empty() && self.wire.is_empty()
    }

    /// Whether this side will write nothing more and has handed out all of it, while the peer
    /// may still send: close the transport's writing half.
    pub fn write_ended(&self) -> bool {
        let done =
            |exchange: &Exchange| exchange.tx == Tx::Done && matches!(exchange.rx, Rx::Tunnel);
        self.wire.is_empty() && self.exchange.as_ref().is_some_and(done)
    }

    /// Server: nobody hears the rest of the request any more.
    fn drops_input(&self) -> bool {
        self.role == Role::Server && self.exchange.as_ref().is_some_and(Exchange::drops_input)
    }

    fn broke(&mut self, cause: Cause) {
        if self.exchange.is_some() { self.fail(cause) } else { self.close(cause) }
    }

    fn current(&mut self, stream: StreamId) -> Option<&mut Exchange> {
        self.exchange.as_mut().filter(|exchange| exchange.id == stream)
    }

    fn mint(&mut self) -> StreamId {
        let id = StreamId::new(0, self.next);
        self.next = self.next.wrapping_add(1);
        id
    }

    /// Understands what was kept, as far as the state now allows.
    fn resume(&mut self, now: Instant) {
        if self.kept.is_empty() || self.closed {
            return;
        }
        let mut kept = core::mem::take(&mut self.kept);
        let used = self.advance(now, &kept);
        if !self.closed && used < kept.len() {
            kept.advance(used);
            self.kept = kept;
        }
        if self.received_all && self.exchange.is_none() && !self.closed {
            self.close(Cause::Closed);
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        if !self.closed && !rest.is_empty() {
            self.kept.extend_from_slice(rest);
        }
    }

    /// Goes through `buf` and returns how much of it is used up.
    fn advance(&mut self, now: Instant, buf: &[u8]) -> usize {
        let mut used = 0;
        while !self.closed {
            let rest = buf.get(used..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let step = match self.exchange.as_ref().map(|exchange| &exchange.rx) {
                None if self.role == Role::Server => self.read_request(now, rest),
                None => Err(UNSOLICITED),
                Some(Rx::Head) => self.read_response(rest),
                Some(Rx::Done) if self.role == Role::Client => {
                    // RFC 9112 9.2: not an answer to anything; the connection is poisoned.
                    let cause = Cause::Protocol(ProtocolFault::UnsolicitedBytes);
                    self.end_after(cause);
                    self.closing = Some(cause);
                    return buf.len();
                }
                Some(Rx::Done | Rx::Undecided) => break,
                Some(_) => self.read_body(rest),
            };
            match step {
                Ok(0) => break,
                Ok(n) => used += n,
                // The response is complete and stands.
                Err(_) if self.drops_input() => self.stop_reading(),
                Err(fault) => self.refuse(fault),
            }
            self.settle(now);
        }
        used
    }

    /// How long the head in front of `buf` is, and how many lines it has, when it is whole.
    fn read_head(&mut self, buf: &[u8], kind: Kind) -> Result<Option<(usize, usize)>, Fault> {
        let scanned = self.scanner.scan(buf, self.config.max_head_bytes as usize);
        let most = self.config.max_request_line as usize;
        if kind == Kind::Request && self.scanner.start_length() > most {
            self.scanner.check_start(buf, kind)?;
            return Err(Fault::TARGET);
        }
        let Ok(Some(length)) = scanned else {
            self.scanner.check_start(buf, kind)?;
            // A bare LF that ends the start line is the start line's fault.
            let fault = |fault| match fault {
                Fault::FIELD if self.scanner.lines == 0 => Fault::START,
                fault => fault,
            };
            return scanned.map(|_| None).map_err(fault);
        };
        // The start line and the empty line are no fields.
        if self.scanner.lines.saturating_sub(2) > self.config.max_head_fields as usize {
            self.scanner.check_start(buf, kind)?;
            return Err(Fault::LARGE);
        }
        let lines = core::mem::take(&mut self.scanner).lines;
        Ok(Some((length, lines)))
    }

    fn copy_request(&mut self, head: &[u8]) -> Bytes {
        if head.len() > KEPT_HEAD {
            return Bytes::copy_from_slice(head);
        }
        self.head.extend_from_slice(head);
        self.head.split().freeze()
    }

    /// The peer broke a rule: the exchange, if any, and the connection end.
    fn refuse(&mut self, fault: Fault) {
        let silent = match &self.exchange {
            Some(exchange) => exchange.tx != Tx::Head,
            None => false,
        };
        self.cut(fault.cut());
        self.broke(Cause::Protocol(fault.rule));
        if self.role == Role::Server && !silent {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
            write::refusal(&mut self.wire, status);
        }
    }

    /// Ends the stream by `Reset`, and the connection with it. What was not written is dropped.
    fn fail(&mut self, cause: Cause) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        let retry = match (exchange.sent, exchange.answered) {
            (_, true) => RetrySafe::Answered,
            (true, false) => RetrySafe::Unknown,
            (false, false) => RetrySafe::Unsent,
        };
        self.wire.clear();
        self.wire.shrink();
        self.events.push_back(Event::Reset { stream: exchange.id, cause, retry });
        self.close(cause);
    }

    /// Server: something was refused or timed out.
    fn cut(&mut self, cut: Cut) {
        if self.role == Role::Server {
            self.events.push_back(Event::Cut(cut));
        }
    }

    fn close(&mut self, cause: Cause) {
        self.closed = true;
        self.meter.stop();
        self.kept = BytesMut::new();
        self.deadline = None;
        self.events.push_back(Event::Closed { cause });
    }

    /// The connection ends after the current exchange.
    fn end_after(&mut self, cause: Cause) {
        self.closing.get_or_insert(cause);
        if !self.refusing {
            self.refusing = true;
            self.events.push_back(Event::GoAway { code: 0 });
        }
    }

    /// Ends the exchange when both directions are complete, and then the connection when its
    /// time has come.
    fn settle(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if let Some(exchange) = &self.exchange {
            let stream = exchange.id;
            let received = matches!(exchange.rx, Rx::Done);
            let sent = exchange.tx == Tx::Done && self.wire.is_empty();
            if received && self.role == Role::Client && exchange.tx.is_body() {
                // The response is complete: the rest of the request is not sent.
                self.abandon_request();
                self.wire.clear();
            } else if !received || !sent {
                return;
            }
            self.events.push_back(Event::Ended { stream });
            self.exchange = None;
            self.meter.stop();
            self.wire.shrink();
            self.deadline = match self.role {
                Role::Client => None,
                Role::Server => self.config.idle_timeout.map(|timeout| now + timeout),
            };
        }
        if let Some(cause) = self.closing {
            self.close(cause);
        } else if self.received_all && self.kept.is_empty() {
            self.close(Cause::Closed);
        }
    }
}

const UNSOLICITED: Fault = Fault { rule: ProtocolFault::UnsolicitedBytes, status: 400 };
