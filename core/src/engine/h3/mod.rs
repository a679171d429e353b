//! HTTP/3 (RFC 9114), with QPACK (RFC 9204), over a connection of quinn-proto.
//!
//! ```text
//!   open, respond, send, ..  ->  streams  --pump-->  quinn_proto::Connection
//!   poll_event               <-  events   <-pump---  (streams, read and written here)
//! ```
//!
//! The engine has no bytes of its own to send: it reads and writes the streams of a connection
//! that the driver owns. Commands only note what is to be done. After commands, and after
//! whatever the connection has told ([`H3::handle`]), the driver calls [`H3::pump`], takes the
//! events, and does what [`H3::poll_close`] says; then it transmits what the connection has.
//!
//! What was delivered counts against [`Config::stream_buffer`] until [`H3::allow`] gives it back;
//! a stream that is full is not read, and QUIC's flow control holds its peer up, and no other.
//!
//! A client keeps a stash of streams that the server lets it open, since nothing else says how
//! many there may be: [`H3::limit`] is what was used and what is in the stash.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use quinn_proto::{Dir, StreamEvent};

use super::qlog::Log;
use super::{Config, Event, OpenError, Shutdown};
use crate::arena::Arena;
use crate::downstream::Cut;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Limit, RetrySafe};

mod abuse;
mod capsule;
mod client;
mod clock;
pub mod code;
mod control;
mod datagram;
mod frame;
mod log;
mod message;
mod numbers;
mod patience;
mod priority;
mod pump;
pub mod qpack;
mod server;
mod shelf;
mod stream;
#[cfg(all(test, feature = "ring"))]
mod tests;
mod waiting;

pub use self::capsule::{CapsuleError, Capsules, capsule};
pub use self::datagram::{DatagramError, DatagramQueue};
pub use self::frame::Settings;
pub use self::priority::Priority;

use self::abuse::Abuse;
use self::clock::Clock;
use self::control::Control;
use self::datagram::Datagrams;
use self::numbers::Numbers;
use self::patience::Patience;
use self::qpack::{Decoder, Encoder, Field};
use self::shelf::Shelf;
use self::stream::{Behind, Fault, Held, Stream};

/// How the connection is to be closed: `CONNECTION_CLOSE` of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// One of [`code`].
    pub code: u64,
}

/// One HTTP/3 connection.
pub struct H3 {
    config: Config,
    is_server: bool,
    /// What the peer has said, or what is remembered of it.
    peer: Option<Settings>,
    /// Its SETTINGS have come.
    peer_has_begun: bool,
    encoder: Encoder,
    decoder: Decoder,
    streams: Arena<StreamId, Stream>,
    numbers: Numbers,
    /// Streams to be looked at.
    list: VecDeque<StreamId>,
    /// What is to be said to the transport of streams that are gone.
    aborts: Vec<Abort>,
    control: Control,
    events: VecDeque<Event>,
    clock: Clock,
    abuse: Abuse,
    patience: Patience,
    /// Bytes of all streams that are delivered and not yet allowed on.
    unread: usize,
    waiting: waiting::Waiting,
    /// A client's streams that are open and not used.
    stash: VecDeque<quinn_proto::StreamId>,
    /// Heads of a client's streams that wait for the server's settings.
    unsaid: Vec<(StreamId, Request<()>)>,
    /// How many it has used.
    used: u64,
    /// How many of these were void: early data that was refused.
    void: u64,
    /// Server: the client's handshake is not complete.
    is_early: bool,
    /// What was said last of both.
    limit: u64,
    /// A server's limit that is to be told to the transport.
    grant: Option<u32>,
    /// The number behind the last request stream that a server has got.
    accepted: u64,
    requests: u32,
    /// What was said of streams that have not come, by their index; and how often something was
    /// said of any.
    early_priorities: BTreeMap<u64, Priority>,
    updates: u32,
    datagrams: Datagrams,
    /// The highest push that a client allows; nothing is pushed.
    max_push: Option<u64>,
    /// The last that both sides' GOAWAY said.
    go_away_received: Option<u64>,
    go_away_sent: Option<u64>,
    refusing: bool,
    said_go_away: bool,
    draining: bool,
    /// A section that is being written, and one's fields that are being read.
    scratch: Vec<u8>,
    fields: Vec<Field>,
    /// Where sections lie that go out as they are.
    shelf: Shelf,
    /// Something is to be done that no stream is listed for.
    is_stirred: bool,
    close: Option<Close>,
    /// The connection is over, and what has come is read without asking.
    takes_rest: bool,
    closed: bool,
    log: Option<Log>,
}

/// What is to become of a stream's halves.
#[derive(Clone, Copy, Debug)]
struct Abort {
    stream: quinn_proto::StreamId,
    /// Resets what this side sends, with this code.
    reset: Option<u64>,
    /// Asks the peer to stop, with this code.
    stop: Option<u64>,
}

impl H3 {
    /// A client's engine.
    pub fn client(config: &Config, now: Instant) -> Self {
        Self::new(config, now, false)
    }

    /// A client's engine that may send early data (0-RTT): `peer` is what the server said in the
    /// connection that its tickets are from, by [`H3::settings`] (RFC 9114 7.2.4.2).
    pub fn client_early(config: &Config, now: Instant, peer: Settings) -> Self {
        let mut engine = Self::new(config, now, false);
        engine.adopt(peer);
        engine
    }

    /// A server's engine.
    pub fn server(config: &Config, now: Instant) -> Self {
        Self::new(config, now, true)
    }

    fn new(config: &Config, now: Instant, is_server: bool) -> Self {
        let own = granted(config, is_server);
        let grease = crate::rng::Rng::new(now.as_nanos()).next_u64();
        Self {
            config: config.clone(),
            is_server,
            peer: None,
            peer_has_begun: false,
            encoder: Encoder::new(config.qpack_table as usize),
            decoder: Decoder::new(config.qpack_table as usize, config.qpack_blocked.into()),
            streams: Arena::new(),
            numbers: Numbers::default(),
            list: VecDeque::new(),
            aborts: Vec::new(),
            control: Control::new(&own, grease),
            events: VecDeque::new(),
            clock: Clock::default(),
            abuse: Abuse::default(),
            patience: Patience::default(),
            unread: 0,
            waiting: waiting::Waiting::default(),
            stash: VecDeque::new(),
            unsaid: Vec::new(),
            used: 0,
            void: 0,
            is_early: false,
            limit: 0,
            grant: None,
            accepted: 0,
            requests: 0,
            early_priorities: BTreeMap::new(),
            updates: 0,
            datagrams: Datagrams::default(),
            max_push: None,
            go_away_received: None,
            go_away_sent: None,
            refusing: false,
            said_go_away: false,
            draining: false,
            scratch: Vec::new(),
            fields: Vec::new(),
            shelf: Shelf::default(),
            is_stirred: true,
            close: None,
            takes_rest: false,
            closed: false,
            log: None,
        }
    }

    /// What this side grants.
    fn own_settings(&self) -> Settings {
        granted(&self.config, self.is_server)
    }

    /// What the peer grants, once it has said so.
    pub fn settings(&self) -> Option<Settings> {
        self.peer.filter(|_| self.peer_has_begun)
    }

    /// Takes the peer's settings for what holds.
    fn adopt(&mut self, settings: Settings) {
        self.peer = Some(settings);
        let capacity = usize::try_from(settings.table_capacity).unwrap_or(usize::MAX);
        let blocked = usize::try_from(settings.blocked_streams).unwrap_or(usize::MAX);
        self.encoder.grant(capacity, blocked);
    }

    /// Client: begins a stream. See [`Engine::open`](super::Engine::open).
    pub fn open(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        self.log_at(now);
        self.open_stream(now, head, end)
    }

    /// Server: sends an interim or final head. See [`Engine::respond`](super::Engine::respond).
    pub fn respond(&mut self, now: Instant, stream: StreamId, head: &Response<()>, end: bool) {
        self.log_at(now);
        self.respond_on(now, stream, head, end, Behind::Unknown);
    }

    /// The same, whose length need not be in the head. See
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
        self.log_at(now);
        // A body whose length was not said is all there, and comes next.
        let behind = length.filter(|length| !end && *length > 0);
        let behind = behind.and_then(|length| usize::try_from(length).ok());
        let behind = behind.map_or(Behind::Unknown, Behind::Part);
        self.respond_on(now, stream, &head, end, behind);
    }

    /// Sends part of a body. See [`Engine::send`](super::Engine::send).
    pub fn send(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
        self.log_at(now);
        self.say(stream, Held::Data(bytes, end));
    }

    /// Sends the trailer section. See [`Engine::trailers`](super::Engine::trailers).
    pub fn trailers(&mut self, now: Instant, stream: StreamId, trailers: HeaderMap) {
        self.log_at(now);
        self.say(stream, Held::Trailers(trailers));
    }

    /// Gives a stream up. See [`Engine::reset`](super::Engine::reset).
    pub fn reset(&mut self, _now: Instant, stream: StreamId) {
        let Some(found) = self.streams.get(stream) else { return };
        if !self.is_server && found.is_received && !found.is_connect {
            // The answer is complete: what becomes of the rest of the request is no loss.
            return self.end(stream, code::REQUEST_CANCELLED, Event::Ended { stream });
        }
        let retry = match (found.answered, found.was_written) {
            (true, _) => RetrySafe::Answered,
            (false, true) => RetrySafe::Unknown,
            (false, false) => RetrySafe::Unsent,
        };
        let code = match self.is_server && found.is_sent {
            // The answer is complete; what is left of the request is not wanted (RFC 9114 4.1).
            true => code::NO_ERROR,
            false => code::REQUEST_CANCELLED,
        };
        self.end(stream, code, Event::Reset { stream, cause: Cause::Cancelled, retry });
    }

    /// The reader has taken `n` bytes. See [`Engine::allow`](super::Engine::allow).
    pub fn allow(&mut self, now: Instant, stream: StreamId, n: usize) {
        self.go_on(stream);
        let Some(found) = self.streams.get_mut(stream) else { return };
        let n = n.min(found.unallowed);
        found.give_back(n);
        self.unread -= n;
        if found.is_readable {
            self.enlist(stream);
        }
        self.watch(now, stream);
    }

    /// Asks for a sign of life. See [`Engine::ping`](super::Engine::ping).
    pub const fn ping(&mut self, now: Instant) {
        self.is_stirred = true;
        self.clock.want_pong(now);
    }

    /// Ends the connection. See [`Engine::shutdown`](super::Engine::shutdown).
    pub fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.log_at(now);
        self.is_stirred = true;
        match how {
            Shutdown::Graceful => self.drain(),
            Shutdown::Now => self.fail(code::NO_ERROR, Cause::ShutDown),
        }
    }

    /// Server: changes how many streams the client may have at a time. What was granted before it
    /// may still use.
    pub const fn set_max_concurrent_streams(&mut self, _now: Instant, most: u32) {
        if self.is_server {
            self.grant = Some(most);
            self.is_stirred = true;
        }
    }

    /// What the peer grants a client in all, or a server at a time.
    pub const fn limit(&self) -> Limit {
        match self.is_server {
            true => Limit::Concurrent(self.config.max_concurrent_streams.get()),
            false => Limit::Total(self.limit),
        }
    }

    /// Whether there is reason to use the connection: it can carry a request, or is over, which is
    /// then for it to tell. One that a server grants no stream is of no use before it does, and
    /// must not keep another way from serving.
    pub const fn may_carry(&self) -> bool {
        self.closed || self.is_server || self.limit > self.void
    }

    /// Whether the connection is over, or about to be.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many bytes of all streams are delivered and not yet allowed on.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// What the connection has told of its streams; [`H3::pump`] does what there is to do.
    pub fn handle(&mut self, now: Instant, event: &StreamEvent) {
        self.is_stirred = true;
        match *event {
            StreamEvent::Readable { id } if id.dir() == Dir::Uni => self.control.on_readable(id),
            StreamEvent::Readable { id } => {
                if let Some(stream) = self.numbers.get(id) {
                    self.readable(stream);
                }
            }
            StreamEvent::Writable { id } => {
                if let Some(stream) = self.numbers.get(id) {
                    self.enlist(stream);
                }
            }
            StreamEvent::Stopped { id, .. } if self.control.needs(id) => {
                self.on_connection_fault(Fault::Connection(code::CLOSED_CRITICAL_STREAM));
            }
            StreamEvent::Stopped { id, error_code } if id.dir() == Dir::Uni => {
                let reset = Some(error_code.into_inner());
                self.aborts.push(Abort { stream: id, reset, stop: None });
            }
            StreamEvent::Stopped { id, error_code } => {
                if let Some(stream) = self.numbers.get(id) {
                    self.on_stopped(now, stream, error_code.into_inner());
                }
            }
            // What has opened, ended or become available is looked for at each pump.
            StreamEvent::Opened { .. }
            | StreamEvent::Finished { .. }
            | StreamEvent::Available { .. } => {}
        }
    }

    /// The connection is over, by the peer, the network, or the transport's own rules. See
    /// [`Engine::receive_end`](super::Engine::receive_end).
    pub fn receive_end(&mut self, _now: Instant, cause: Cause) {
        self.over(cause);
    }

    /// How the driver is to close the connection, once.
    pub const fn poll_close(&mut self) -> Option<Close> {
        self.close.take()
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`H3::handle_timeout`] and then [`H3::pump`] want to be called; in the past when work
    /// is left.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let is_idle = !self.is_stirred && self.list.is_empty() && self.aborts.is_empty();
        if !is_idle {
            return Some(Instant::EPOCH);
        }
        let next = self.clock.next(&self.config);
        // A client has no patience to lose.
        if self.is_server { [next, self.patient_until()].into_iter().flatten().min() } else { next }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.on_clock(now);
    }

    /// The stream is looked at in the next pump.
    fn enlist(&mut self, stream: StreamId) {
        if let Some(found) = self.streams.get_mut(stream)
            && !core::mem::replace(&mut found.is_listed, true)
        {
            self.list.push_back(stream);
        }
    }

    fn readable(&mut self, stream: StreamId) {
        if let Some(found) = self.streams.get_mut(stream) {
            found.is_readable = true;
            self.enlist(stream);
        }
    }

    /// Server: something was refused; for counting.
    fn cut(&mut self, cut: Cut) {
        if self.is_server {
            self.events.push_back(Event::Cut(cut));
        }
    }
}

/// What one side grants the other.
fn granted(config: &Config, is_server: bool) -> Settings {
    Settings {
        table_capacity: config.qpack_table.into(),
        blocked_streams: config.qpack_blocked.into(),
        max_field_section: config.max_head_bytes.into(),
        connect_protocol: is_server,
        datagrams: config.h3_datagrams.is_some(),
    }
}

impl fmt::Debug for H3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H3")
            .field("streams", &self.streams.len())
            .field("events", &self.events.len())
            .field("limit", &self.limit)
            .field("refusing", &self.refusing)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
