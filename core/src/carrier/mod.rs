//! One connection between the [`Upstream`](crate::upstream::Upstream) and a socket: requests on
//! one side, bytes on the other.
//!
//! ```text
//!  assign, send, allow, carry_out          receive, receive_end, transmit
//!             |                                        |
//!         +---v----------------------------------------v---+
//!         | requests <-> streams | Stack: engine, then TLS |
//!         +---+--------------------------------------------+
//!             |
//!  events: the upstream's own, ready to be fed, and what came of each request
//! ```
//!
//! It keeps what an upstream expects of a connection. Each `Assign` is answered by exactly one
//! `StreamEnded`, whatever happens; that a connection takes nothing more is told before the
//! stream that ends with it; `Closed` is told last. A driver that has a socket, a timer and a
//! place for bodies needs nothing else; `docs/embedding.md` walks through one.
//!
//! Commands on a request that this connection does not carry, or carries no more, are ignored.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::engine::tls::TlsError;
use crate::engine::{self, Engine, Head, Output, Shutdown, Stack, StackEvent};
use crate::id::{AttemptId, ConnectionId, RequestId, StreamId};
use crate::time::Instant;
use crate::types::{BodyState, Cause, Outcome, RetrySafe, Timing};
use crate::upstream::{self, Action};

#[cfg(test)]
mod tests;

/// What a connection says.
#[derive(Debug)]
pub enum Event {
    /// To be fed to the upstream, before the next event of any connection is.
    Upstream(upstream::Event),
    /// An interim response (1xx but 101).
    Informational {
        /// Whose.
        request: RequestId,
        /// Its head.
        head: Response<()>,
    },
    /// The final response's head.
    Head {
        /// Whose.
        request: RequestId,
        /// The head.
        head: Response<()>,
        /// Whether nothing follows.
        end: bool,
    },
    /// Part of the response's body: [`Carrier::allow`] lets the peer send as much again.
    Data {
        /// Whose.
        request: RequestId,
        /// Never empty unless `end`.
        bytes: Bytes,
        /// Whether nothing follows.
        end: bool,
    },
    /// The response's trailer section, and its end.
    Trailers {
        /// Whose.
        request: RequestId,
        /// The fields.
        trailers: HeaderMap,
    },
    /// The last frame of the request's body has left: the next is welcome.
    Capacity {
        /// Whose.
        request: RequestId,
    },
}

impl Event {
    /// Whose it is; `None` for the upstream's.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Upstream(_) => None,
            Self::Informational { request, .. }
            | Self::Head { request, .. }
            | Self::Data { request, .. }
            | Self::Trailers { request, .. }
            | Self::Capacity { request } => Some(*request),
        }
    }
}

/// One stream that carries a request.
#[derive(Clone, Copy, Debug)]
struct Lane {
    request: RequestId,
    /// What of the body is left at the driver.
    body: BodyState,
    opened: Instant,
    first_byte: Option<Instant>,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The socket has not connected.
    Connecting,
    /// Bytes flow, TLS's or HTTP's.
    Open,
    /// `AttemptFailed` or `Closed` was told.
    Over,
}

/// One connection, from its first attempt on.
#[derive(Debug)]
pub struct Carrier {
    attempt: AttemptId,
    connection: ConnectionId,
    stack: Stack,
    stage: Stage,
    lanes: BTreeMap<StreamId, Lane>,
    streams: BTreeMap<RequestId, StreamId>,
    /// What is told before the stack's next event.
    told: VecDeque<upstream::Event>,
    error: Option<TlsError>,
}

impl Carrier {
    /// For one [`Action::Connect`], whose socket is connecting.
    pub const fn new(attempt: AttemptId, connection: ConnectionId, stack: Stack) -> Self {
        Self {
            attempt,
            connection,
            stack,
            stage: Stage::Connecting,
            lanes: BTreeMap::new(),
            streams: BTreeMap::new(),
            told: VecDeque::new(),
            error: None,
        }
    }

    /// What answers an [`Action::Assign`] to a connection whose driver has dropped it.
    pub const fn unsent(
        now: Instant,
        connection: ConnectionId,
        request: RequestId,
    ) -> upstream::Event {
        never_opened(now, connection, request, Outcome::Failed(Cause::Closed))
    }

    /// The attempt that this connection began as.
    pub const fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// The connection that it is, once it is established.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The bytes' side: what was agreed on.
    pub const fn stack(&self) -> &Stack {
        &self.stack
    }

    /// What TLS said of a failed attempt, for people.
    pub const fn error(&self) -> Option<&TlsError> {
        self.error.as_ref()
    }

    /// Whether the socket has connected.
    pub fn is_connected(&self) -> bool {
        self.stage != Stage::Connecting
    }

    /// Whether its last event was told: write what is left, then drop it.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The socket has connected.
    pub fn connected(&mut self) {
        if self.stage == Stage::Connecting {
            self.stage = Stage::Open;
            self.told.push_back(upstream::Event::AttemptProgress(self.attempt));
        }
    }

    /// Whether reading on is welcome.
    pub fn wants_input(&self) -> bool {
        self.stage == Stage::Open && self.stack.wants_input()
    }

    /// Takes in all of `bytes`, as they came from the socket.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.stage == Stage::Open {
            self.stack.receive(now, bytes);
        }
    }

    /// The socket brings nothing more: FIN came, it broke, or could not connect.
    pub fn receive_end(&mut self, now: Instant, broken: Option<&io::Error>) {
        match self.stage {
            Stage::Connecting => {
                self.stage = Stage::Over;
                let cause = broken.map_or(Cause::Closed, Cause::from);
                let failed = upstream::Event::AttemptFailed { attempt: self.attempt, cause };
                self.told.push_back(failed);
            }
            Stage::Open => self.stack.receive_end(now, broken),
            Stage::Over => {}
        }
    }

    /// Writes out bytes for the socket until `out` holds about `room` or none is left.
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        if self.stage != Stage::Connecting {
            self.stack.transmit(now, out, room);
        }
    }

    /// Whether the socket's writing half is to be closed behind what was transmitted.
    pub fn is_finished(&self) -> bool {
        self.stack.is_finished()
    }

    /// Carries a request; `end` says that it has no body. If it cannot, its `StreamEnded` says so.
    pub fn assign(&mut self, now: Instant, request: RequestId, head: &Request<()>, end: bool) {
        let opened = match self.stack.engine() {
            Some(engine) => engine.open(now, head, end).map_err(engine::OpenError::outcome),
            None => Err(Outcome::Failed(Cause::Closed)),
        };
        match opened {
            Ok(stream) => {
                let body = BodyState::Untouched;
                let lane = Lane { request, body, opened: now, first_byte: None };
                self.lanes.insert(stream, lane);
                self.streams.insert(request, stream);
            }
            Err(outcome) => {
                let ended = never_opened(now, self.connection, request, outcome);
                self.told.push_back(ended);
            }
        }
    }

    /// Sends part of a request's body; `end` finishes it. One frame is welcome after
    /// [`Carrier::assign`], and one more after each [`Event::Capacity`]. `left` says whether what
    /// was sent until now can be sent again: [`BodyState::Replayable`] or [`BodyState::Spent`].
    pub fn send(
        &mut self,
        now: Instant,
        request: RequestId,
        bytes: Bytes,
        end: bool,
        left: BodyState,
    ) {
        if let Some((stream, engine)) = self.lane(request, Some(left)) {
            engine.send(now, stream, bytes, end);
        }
    }

    /// Sends a request's trailer section, which finishes its body.
    pub fn trailers(
        &mut self,
        now: Instant,
        request: RequestId,
        trailers: HeaderMap,
        left: BodyState,
    ) {
        if let Some((stream, engine)) = self.lane(request, Some(left)) {
            engine.trailers(now, stream, trailers);
        }
    }

    /// The reader has taken `n` bytes of a response's body.
    pub fn allow(&mut self, now: Instant, request: RequestId, n: usize) {
        if let Some((stream, engine)) = self.lane(request, None) {
            engine.allow(now, stream, n);
        }
    }

    /// Does what the upstream wants of this connection: `Reset`, `Probe`, `Shutdown` or `Abort`.
    pub fn carry_out(&mut self, now: Instant, action: &Action) {
        if let Action::Reset { request, .. } = action {
            if let Some((stream, engine)) = self.lane(*request, None) {
                engine.reset(now, stream);
            }
            return;
        }
        let Some(engine) = self.stack.engine() else { return };
        match action {
            Action::Probe(_) => engine.ping(now),
            Action::Shutdown(_) => engine.shutdown(now, Shutdown::Graceful),
            Action::Abort(_) => engine.shutdown(now, Shutdown::Now),
            _ => {}
        }
    }

    /// When [`Carrier::handle_timeout`] wants to be called; in the past when work is left.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.stack.handle_timeout(now);
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Some(Event::Upstream(told));
            }
            if self.stage != Stage::Open {
                return None;
            }
            let event = match self.stack.poll_event()? {
                StackEvent::Http(event) => self.on_http(now, event),
                StackEvent::Progress => {
                    Some(Event::Upstream(upstream::Event::AttemptProgress(self.attempt)))
                }
                StackEvent::Established { protocol, limit } => {
                    let attempt = self.attempt;
                    let connected = upstream::Event::Connected { attempt, protocol, limit };
                    Some(Event::Upstream(connected))
                }
                StackEvent::Failed { cause, error } => {
                    (self.stage, self.error) = (Stage::Over, error);
                    let attempt = self.attempt;
                    Some(Event::Upstream(upstream::Event::AttemptFailed { attempt, cause }))
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }

    fn on_http(&mut self, now: Instant, event: engine::Event) -> Option<Event> {
        let connection = self.connection;
        let of = |stream| self.lanes.get(&stream).map(|lane| lane.request);
        Some(match event {
            engine::Event::Head { stream, head: Head::Response(head), end } => {
                let lane = self.lanes.get_mut(&stream)?;
                lane.first_byte.get_or_insert(now);
                Event::Head { request: lane.request, head: *head, end }
            }
            engine::Event::Informational { stream, head } => {
                Event::Informational { request: of(stream)?, head: *head }
            }
            engine::Event::Data { stream, bytes, end } => {
                Event::Data { request: of(stream)?, bytes, end }
            }
            engine::Event::Trailers { stream, trailers } => {
                Event::Trailers { request: of(stream)?, trailers: *trailers }
            }
            engine::Event::Capacity { stream } => Event::Capacity { request: of(stream)? },
            engine::Event::Ended { stream } => {
                self.ended(now, stream, Outcome::Complete, RetrySafe::Answered)?
            }
            engine::Event::Reset { stream, cause, retry } => {
                let outcome = match cause {
                    Cause::Cancelled => Outcome::Reset,
                    cause => Outcome::Failed(cause),
                };
                self.ended(now, stream, outcome, retry)?
            }
            engine::Event::Limit(limit) => {
                Event::Upstream(upstream::Event::Limit { connection, limit })
            }
            engine::Event::GoAway { .. } => Event::Upstream(upstream::Event::Refusing(connection)),
            engine::Event::Pong => Event::Upstream(upstream::Event::Probed(connection)),
            engine::Event::Closed { cause } => {
                self.stage = Stage::Over;
                Event::Upstream(upstream::Event::Closed { connection, cause })
            }
            // A client hears no requests and refuses none. What an ALTSVC frame says is known to
            // nobody here, and only HTTP/3 says later what it cannot say.
            engine::Event::Head { .. }
            | engine::Event::Cut(_)
            | engine::Event::AltSvc { .. }
            | engine::Event::Unsayable { .. } => return None,
        })
    }

    /// The one end of an assigned request's stream.
    fn ended(
        &mut self,
        now: Instant,
        stream: StreamId,
        outcome: Outcome,
        retry: RetrySafe,
    ) -> Option<Event> {
        let Lane { request, body, opened, first_byte } = self.lanes.remove(&stream)?;
        self.streams.remove(&request);
        let timing = Timing { opened: Some(opened), first_byte, ended: now };
        let connection = self.connection;
        Some(Event::Upstream(upstream::Event::StreamEnded {
            connection,
            request,
            outcome,
            retry,
            body,
            timing,
        }))
    }

    fn lane(
        &mut self,
        request: RequestId,
        left: Option<BodyState>,
    ) -> Option<(StreamId, &mut Engine)> {
        let stream = *self.streams.get(&request)?;
        let lane = self.lanes.get_mut(&stream)?;
        lane.body = left.unwrap_or(lane.body);
        Some((stream, self.stack.engine()?))
    }
}

/// The end of a request of which nothing was sent.
const fn never_opened(
    ended: Instant,
    connection: ConnectionId,
    request: RequestId,
    outcome: Outcome,
) -> upstream::Event {
    upstream::Event::StreamEnded {
        connection,
        request,
        outcome,
        retry: RetrySafe::Unsent,
        body: BodyState::Untouched,
        timing: Timing { opened: None, first_byte: None, ended },
    }
}
