//! Engines: the pure protocol code of one connection. Bytes in, bytes and events out.
//!
//! All engines have one shape, so that drivers and proxies know one interface: commands
//! ([`Engine::open`], [`Engine::respond`], [`Engine::send`], ..) go towards the peer, [`Event`]s
//! come from it. Bytes are the only thing between the layers: a driver reads from a socket,
//! hands the bytes through [`Tls`](tls::Tls) (or not) to [`Engine::receive`], and writes out what
//! [`Engine::transmit`] leaves in an [`Output`].
//!
//! # Streams
//!
//! Every stream that was opened by [`Engine::open`] or announced by [`Event::Head`] ends with
//! exactly one [`Event::Ended`] or [`Event::Reset`]; its id is stale afterwards, and commands on
//! a stale id are ignored. Commands in an order that HTTP does not allow (data before the head,
//! data after the end) are ignored as well.
//!
//! # Flow
//!
//! Towards the peer: after [`Engine::open`] or [`Engine::respond`] without `end`, one
//! [`Engine::send`] is welcome; after each further one wait for [`Event::Capacity`]. So an engine
//! holds at most one frame per stream and direction.
//! From the peer: what [`Event::Data`] carried counts against the stream's window until
//! [`Engine::allow`] gives it back; HTTP/1 says by [`Engine::wants_input`] that it must not be
//! read further, HTTP/2 lets the other streams go on.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Limit, Protocol, RetrySafe};

mod config;
#[cfg(feature = "http1")]
pub mod h1;
#[cfg(feature = "http2")]
pub mod h2;
mod output;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub mod tls;

pub use config::Config;
pub use output::Output;

/// The head of a message.
#[derive(Debug)]
pub enum Head {
    /// What a server hears.
    Request(Request<()>),
    /// What a client hears: a final response, never a 1xx except 101.
    Response(Response<()>),
}

/// What the peer did, or what became of a command.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request arrived (its stream begins), or the final response of an open stream.
    Head {
        /// Whose.
        stream: StreamId,
        /// The message's head.
        head: Head,
        /// Whether nothing follows.
        end: bool,
    },
    /// An interim response (1xx but 101). 100 (Continue) is used up by the engine.
    Informational {
        /// Whose.
        stream: StreamId,
        /// Its head.
        head: Response<()>,
    },
    /// Part of a body, or of a tunnel's bytes.
    Data {
        /// Whose.
        stream: StreamId,
        /// Never empty unless `end`.
        bytes: Bytes,
        /// Whether nothing follows.
        end: bool,
    },
    /// The trailer section; the end of the peer's message.
    Trailers {
        /// Whose.
        stream: StreamId,
        /// The fields.
        trailers: HeaderMap,
    },
    /// The stream's last frame has left the engine: the next is welcome. Not sent after `end`.
    Capacity {
        /// Whose.
        stream: StreamId,
    },
    /// Both directions are complete. The stream's last event.
    Ended {
        /// Whose.
        stream: StreamId,
    },
    /// The stream failed, or was reset by either side. The stream's last event.
    Reset {
        /// Whose.
        stream: StreamId,
        /// Why. [`Cause::Cancelled`] answers our own [`Engine::reset`].
        cause: Cause,
        /// May the request go again.
        retry: RetrySafe,
    },
    /// The peer changed how many streams it grants.
    Limit(Limit),
    /// No new stream may be opened (client) or will come (server).
    GoAway {
        /// The protocol's error code; 0 where it has none.
        code: u32,
    },
    /// The answer to [`Engine::ping`] came.
    Pong,
    /// The connection's HTTP is over: every stream has ended; write what is left, then close.
    /// The engine's last event.
    Closed {
        /// Why.
        cause: Cause,
    },
}

/// Why [`Engine::open`] said no. The request is unsent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The connection takes no new streams.
    Refusing,
    /// All streams that the peer grants are in use.
    NoCapacity,
    /// The head cannot be said in this protocol (for example a missing authority).
    Unsayable,
}

/// How to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Take nothing new; close when the last stream has ended.
    Graceful,
    /// Reset what is under way and close.
    Now,
}

/// One connection's HTTP, whichever version was agreed on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Engine {
    /// HTTP/1.1.
    #[cfg(feature = "http1")]
    H1(Box<h1::H1>),
    /// HTTP/2.
    #[cfg(feature = "http2")]
    H2(Box<h2::H2>),
}

macro_rules! each {
    ($engine:expr, $inner:ident => $call:expr) => {
        match $engine {
            #[cfg(feature = "http1")]
            Engine::H1($inner) => $call,
            #[cfg(feature = "http2")]
            Engine::H2($inner) => $call,
        }
    };
}

impl Engine {
    /// Which protocol it speaks.
    pub const fn protocol(&self) -> Protocol {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(_) => Protocol::Http1,
            #[cfg(feature = "http2")]
            Self::H2(_) => Protocol::Http2,
        }
    }

    /// Client: begins a stream with a request's head; `end` says that no body follows.
    pub fn open(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        each!(self, engine => engine.open(now, head, end))
    }

    /// Server: answers a stream with an interim (1xx) or final head. 101, and 2xx to CONNECT,
    /// turn the stream into a tunnel.
    pub fn respond(&mut self, now: Instant, stream: StreamId, head: &Response<()>, end: bool) {
        each!(self, engine => engine.respond(now, stream, head, end));
    }

    /// Sends part of a body or tunnel; `end` finishes this direction.
    pub fn send(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
        each!(self, engine => engine.send(now, stream, bytes, end));
    }

    /// Sends the trailer section and finishes this direction.
    pub fn trailers(&mut self, now: Instant, stream: StreamId, trailers: HeaderMap) {
        each!(self, engine => engine.trailers(now, stream, trailers));
    }

    /// Gives a stream up. Its [`Event::Reset`] follows; HTTP/1 then closes the connection.
    pub fn reset(&mut self, now: Instant, stream: StreamId) {
        each!(self, engine => engine.reset(now, stream));
    }

    /// The reader has taken `n` bytes of the stream: the peer may send as many more. Called with
    /// 0 when a reader begins to wait: an HTTP/1 server then sends the 100 (Continue) that is
    /// asked for.
    pub fn allow(&mut self, now: Instant, stream: StreamId, n: usize) {
        each!(self, engine => engine.allow(now, stream, n));
    }

    /// Asks the peer for a sign of life. HTTP/1 has none and answers [`Event::Pong`] at once.
    pub fn ping(&mut self, now: Instant) {
        each!(self, engine => engine.ping(now));
    }

    /// Ends the connection.
    pub fn shutdown(&mut self, now: Instant, how: Shutdown) {
        each!(self, engine => engine.shutdown(now, how));
    }

    /// Server: changes how many streams the client may have at a time, down to 0 and back up to
    /// what [`Config::max_concurrent_streams`] said. Nothing for HTTP/1, which has one.
    pub fn set_max_concurrent_streams(&mut self, now: Instant, most: u32) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(_) => {}
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.set_max_concurrent_streams(now, most),
        }
    }

    /// What the peer grants now (client: towards the server).
    pub fn limit(&self) -> Limit {
        each!(self, engine => engine.limit())
    }

    /// Whether reading on is welcome. Always true for HTTP/2.
    pub fn wants_input(&self) -> bool {
        each!(self, engine => engine.wants_input())
    }

    /// Takes in all of `input`, keeping what is incomplete.
    pub fn receive(&mut self, now: Instant, input: &[u8]) {
        each!(self, engine => engine.receive(now, input));
    }

    /// How many bytes of body the peer will send next with nothing between them (HTTP/1 body or
    /// chunk rest); 0 when that is not known. A driver may read up to so many straight into a
    /// buffer and hand it over by [`Engine::receive_body`], without a copy.
    pub fn body_room(&self) -> usize {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.body_room(),
            #[cfg(feature = "http2")]
            Self::H2(_) => 0,
        }
    }

    /// Takes in at most [`Engine::body_room`] bytes that were read into their own buffer; the
    /// same as [`Engine::receive`], without its copy.
    pub fn receive_body(&mut self, now: Instant, bytes: Bytes) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.receive_body(now, bytes),
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.receive(now, &bytes),
        }
    }

    /// The peer will send nothing more: `clean` when it said so (FIN in plain text,
    /// `close_notify` under TLS), else the transport broke for `cause`.
    pub fn receive_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        each!(self, engine => engine.receive_end(now, clean, cause));
    }

    /// Writes out bytes for the peer until `out` holds about `room` bytes or none is left.
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        each!(self, engine => engine.transmit(now, out, room));
    }

    /// Whether this side will write nothing more while the peer may still send: the driver
    /// closes the transport's writing half. Only an HTTP/1 tunnel whose end was sent says so.
    pub fn write_ended(&self) -> bool {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.write_ended(),
            #[cfg(feature = "http2")]
            Self::H2(_) => false,
        }
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        each!(self, engine => engine.poll_event())
    }

    /// When [`Engine::handle_timeout`] wants to be called; in the past when work is left.
    pub fn poll_timeout(&self) -> Option<Instant> {
        each!(self, engine => engine.poll_timeout())
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        each!(self, engine => engine.handle_timeout(now));
    }
}
