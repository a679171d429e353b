//! HTTP/2 (RFC 9113): the h2 crate, polled over memory.
//!
//! ```text
//!   receive -> tap -> input ----\                      /-> stream.rs -> events
//!                                h2 connection, wakers -> ready list
//!   transmit <- output <- tap --/                      \-> pump.rs: the loop
//! ```
//!
//! h2 owns the states of streams, flow control and HPACK. The engine adds what h2 lacks: it polls
//! only what was woken, speaks in [`Event`]s, sees every frame header (`tap.rs`), limits what a
//! peer may do in the driver's time, says of every failed stream whether its request may go
//! again, and changes its own stream limit while the connection lives.
//!
//! h2's clock: it times the streams that this side has reset. A client keeps none of them, so its
//! clock is never read. A server keeps a thousand, for ever, and drains its connection when it
//! has reset 900: so that none is forgotten while the connection lives.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};

use super::watch::Watches;
use super::{Config, Event, OpenError, Output, Shutdown};
use crate::arena::Arena;
use crate::id::StreamId;
use crate::time::{Duration, Instant};
use crate::types::{Cause, Limit, RetrySafe};

mod alternatives;
mod client;
mod clock;
mod frame;
mod head;
mod heads;
mod input;
mod io;
mod pace;
mod pump;
mod rate;
mod server;
mod setting;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod wake;
mod window;

use self::clock::Clock;
use self::io::Io;
use self::stream::{Limits, Piece, Stream};
use self::wake::{Chunk, Ready};
use self::window::Windows;

/// The client's connection preface (RFC 9113 3.4).
const PREFACE: usize = 24;

/// One HTTP/2 connection.
pub struct H2 {
    config: Config,
    io: Io,
    ready: Arc<Ready>,
    scratch: Vec<StreamId>,
    /// A server's streams that are whole and were told of, but not polled: with the next call they
    /// are, and most have their answer then, so that they are polled once for both.
    fresh: Vec<StreamId>,
    connection: Connection,
    /// A client's way to open streams, until it takes no new ones.
    opener: Option<h2::client::SendRequest<Chunk>>,
    streams: Arena<StreamId, Stream>,
    /// Bytes of all of them that are delivered and not yet allowed on.
    unread: usize,
    events: VecDeque<Event>,
    /// A client's requests that wait for the server's SETTINGS.
    unsaid: Vec<(StreamId, Request<()>)>,
    clock: Clock,
    /// A server's patience with its streams' peer.
    watches: Watches,
    windows: Windows,
    /// What the peer grants a client, or a server its peer.
    limit: u32,
    /// The most that a server has told h2 to let through.
    ceiling: u32,
    /// No new streams: the peer's GOAWAY, or our own shutdown.
    refusing: bool,
    said_go_away: bool,
    /// This side lets the streams end and then closes.
    draining: bool,
    /// A client's highest stream.
    opened: u32,
    /// The stream after which a client opens no other.
    last_number: u32,
    /// A server's highest stream that it has told of.
    accepted: u32,
    /// How many requests a server has told of.
    requests: u32,
    /// How many streams a server has refused because of a lowered limit.
    refused: u32,
    /// Why the transport ended.
    ended: Option<Cause>,
    /// Why this side has broken the connection off.
    reason: Option<Cause>,
    closed: bool,
    /// This side was told to break it off, whatever is under way.
    broken_off: bool,
}

/// h2's side of the connection.
enum Connection {
    Client(Box<h2::client::Connection<Io, Chunk>>),
    /// A server that waits for the preface.
    Handshake(Box<h2::server::Handshake<Io, Chunk>>),
    Server(Box<h2::server::Connection<Io, Chunk>>),
    Done,
}

impl H2 {
    /// A client's engine; its preface and SETTINGS are ready to be transmitted.
    pub fn client(config: &Config, now: Instant) -> Self {
        let mut engine = Self::new(config, now, false);
        engine.start_client(now);
        engine
    }

    /// A server's engine; it waits for the client's preface.
    pub fn server(config: &Config, now: Instant) -> Self {
        let mut engine = Self::new(config, now, true);
        engine.start_server(now);
        engine
    }

    fn new(config: &Config, now: Instant, is_server: bool) -> Self {
        let (read, written) = if is_server { (PREFACE, 0) } else { (0, PREFACE) };
        let most = config.max_concurrent_streams.get();
        Self {
            config: config.clone(),
            io: Io::new(tap::Tap::new(is_server, read, config.max_head_bytes, now), written),
            ready: Arc::new(Ready::default()),
            scratch: Vec::new(),
            fresh: Vec::new(),
            connection: Connection::Done,
            opener: None,
            streams: Arena::new(),
            unread: 0,
            events: VecDeque::new(),
            unsaid: Vec::new(),
            clock: Clock::new(config, now, is_server),
            watches: Watches::default(),
            windows: Windows::new(config),
            limit: if is_server { most } else { config.initial_streams.get() },
            ceiling: most,
            refusing: false,
            said_go_away: false,
            draining: false,
            opened: 0,
            last_number: client::LAST_NUMBER,
            accepted: 0,
            requests: 0,
            refused: 0,
            ended: None,
            reason: None,
            closed: false,
            broken_off: false,
        }
    }

    /// Client: begins a stream. See [`Engine::open`](super::Engine::open).
    pub fn open(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        self.open_stream(now, head, end)
    }

    /// Server: sends an interim or final head. See [`Engine::respond`](super::Engine::respond).
    pub fn respond(&mut self, now: Instant, stream: StreamId, head: &Response<()>, end: bool) {
        self.respond_on(now, stream, head.clone(), end);
    }

    /// Server: sends a head without copying it. See
    /// [`Engine::respond_with`](super::Engine::respond_with).
    pub fn respond_with(
        &mut self,
        now: Instant,
        stream: StreamId,
        mut head: Response<()>,
        length: Option<u64>,
        end: bool,
    ) {
        super::say_length(&mut head, length);
        self.respond_on(now, stream, head, end);
    }

    /// Sends part of a body. See [`Engine::send`](super::Engine::send).
    pub fn send(&mut self, _now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.send(Piece::Data(bytes, end));
        }
    }

    /// Sends the trailer section. See [`Engine::trailers`](super::Engine::trailers).
    pub fn trailers(&mut self, _now: Instant, stream: StreamId, trailers: HeaderMap) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.send(Piece::Trailers(head::fields(&trailers)));
        }
    }

    /// Gives a stream up. See [`Engine::reset`](super::Engine::reset).
    pub fn reset(&mut self, now: Instant, stream: StreamId) {
        let Some(found) = self.streams.get_mut(stream) else {
            return;
        };
        if found.lingers() {
            // The answer is complete: what becomes of the rest of the request is no loss.
            found.reset(h2::Reason::CANCEL);
            return self.remove(now, stream, Event::Ended { stream });
        }
        // A stream may not be reset before it was opened (RFC 9113 6.4), so a head that waits to
        // be sent still goes out in front of the RST_STREAM: it is never unsent.
        let retry = match (found.is_unsaid(), found.answered) {
            (true, _) => RetrySafe::Unsent,
            (false, true) => RetrySafe::Answered,
            (false, false) => RetrySafe::Unknown,
        };
        if matches!(self.connection, Connection::Client(_)) {
            found.reset(h2::Reason::CANCEL);
        } else if !found.has_sent_all() {
            found.reset(h2::Reason::INTERNAL_ERROR);
        }
        // Else the response is complete and the rest of the request is not wanted: h2 says so by
        // NO_ERROR (RFC 9113 8.1) when the stream is dropped.
        self.remove(now, stream, Event::Reset { stream, cause: Cause::Cancelled, retry });
    }

    /// The reader has taken `n` bytes. See [`Engine::allow`](super::Engine::allow).
    pub fn allow(&mut self, now: Instant, stream: StreamId, n: usize) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let before = found.unallowed();
        found.allow(n);
        self.unread -= before - found.unallowed();
        let brought = found.brought(self.windows.round(now));
        let waits = found.waits();
        self.measure(now, brought);
        if waits {
            self.watch(now, stream);
        }
    }

    /// Asks for a sign of life. See [`Engine::ping`](super::Engine::ping).
    pub fn ping(&mut self, now: Instant) {
        self.clock.want_pong();
        self.send_ping(now);
    }

    /// Ends the connection. See [`Engine::shutdown`](super::Engine::shutdown).
    pub fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.broken_off |= how == Shutdown::Now;
        match how {
            Shutdown::Graceful => self.drain(now),
            Shutdown::Now => self.fail(now, Cause::ShutDown, Some(frame::code::NO_ERROR)),
        }
    }

    /// How long a transport that takes nothing is waited for. See
    /// [`Engine::patience`](super::Engine::patience). A client that drains and has no stream left
    /// says goodbye only behind what was written for those it had: nobody misses that.
    pub fn patience(&self) -> Option<Duration> {
        let over = self.closed || (self.draining && self.streams.is_empty());
        if self.broken_off || (over && !self.is_server()) {
            Some(self.config.close_timeout)
        } else {
            self.is_server().then_some(self.config.write_timeout)
        }
    }

    /// How many streams a client may have, or a server grants.
    pub const fn limit(&self) -> Limit {
        Limit::Concurrent(self.limit)
    }

    /// How many bytes of all streams are delivered and not yet allowed on.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Whether reading on is welcome. A stream that is not read stops no other; only a peer that
    /// asks for answers (PING, SETTINGS) and does not read them is not listened to.
    pub fn wants_input(&self) -> bool {
        self.io.wire().wants_input()
    }

    /// Takes bytes in. See [`Engine::receive`](super::Engine::receive).
    pub fn receive(&mut self, now: Instant, input: &[u8]) {
        if self.closed || input.is_empty() {
            return;
        }
        {
            let mut wire = self.io.wire();
            wire.tap.set_now(now);
            wire.receive(input);
        }
        self.received(now);
    }

    /// Takes bytes in, where they are. See
    /// [`Engine::receive_in_place`](super::Engine::receive_in_place).
    pub fn receive_in_place(&mut self, now: Instant, input: &mut BytesMut) {
        if self.closed || input.is_empty() {
            return;
        }
        {
            let mut wire = self.io.wire();
            wire.tap.set_now(now);
            wire.borrow(input);
        }
        self.received(now);
        self.io.wire().give_back(input);
    }

    fn received(&mut self, now: Instant) {
        self.note_large_heads();
        self.note_go_away();
        self.pump(now);
    }

    /// The peer will send nothing more. See [`Engine::receive_end`](super::Engine::receive_end).
    pub fn receive_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        if self.closed || self.ended.is_some() {
            return;
        }
        let cause = if clean { Cause::Closed } else { cause };
        self.ended = Some(cause);
        let end = if clean { Ok(()) } else { Err(std::io::ErrorKind::ConnectionReset) };
        self.io.wire().receive_end(end);
        self.pump(now);
    }

    /// Writes bytes out. See [`Engine::transmit`](super::Engine::transmit).
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        loop {
            self.pump(now);
            if !self.io.wire().transmit(out, room) {
                return;
            }
        }
    }

    /// Whether an event waits to be taken.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`H2::handle_timeout`] wants to be called; in the past when work is left.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        if !self.ready.is_empty() {
            return Some(Instant::EPOCH);
        }
        let (received, block) = {
            let wire = self.io.wire();
            (wire.tap.last_received(), wire.tap.block_since())
        };
        let clock = self.clock.next(received, block);
        clock.into_iter().chain(self.watches.next()).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.on_clock(now);
        self.judge_watches(now);
        self.pump(now);
    }

    fn limits(&self) -> Limits {
        Limits {
            informational: self.config.max_informational,
            fields: self.config.max_head_fields as usize,
            head: self.config.max_head_bytes as usize,
            body: self.config.max_body_bytes.filter(|_| self.is_server()),
        }
    }

    const fn is_server(&self) -> bool {
        matches!(self.connection, Connection::Handshake(_) | Connection::Server(_))
    }
}

impl fmt::Debug for H2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2")
            .field("streams", &self.streams.len())
            .field("events", &self.events.len())
            .field("limit", &self.limit)
            .field("refusing", &self.refusing)
            .field("reason", &self.reason)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
