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

use crate::downstream::Cut;
use crate::id::StreamId;
use crate::types::{Cause, Limit, Outcome, RetrySafe};

#[cfg(any(feature = "http1", feature = "http2"))]
mod any;
#[cfg(any(feature = "http1", feature = "http2", feature = "http3"))]
mod authority;
mod config;
#[cfg(feature = "http1")]
pub mod connect;
mod decimal;
mod extended;
#[cfg(feature = "http1")]
pub mod h1;
#[cfg(feature = "http2")]
pub mod h2;
#[cfg(feature = "http3")]
pub mod h3;
#[cfg(any(feature = "http2", feature = "http3"))]
mod head;
#[cfg(feature = "http3")]
mod integer;
mod output;
mod pace;
#[cfg(feature = "http3")]
pub mod qlog;
#[cfg(all(feature = "http3", any(feature = "ring", feature = "aws-lc-rs")))]
pub mod quic;
mod spare;
#[cfg(all(
    any(feature = "http1", feature = "http2"),
    any(feature = "ring", feature = "aws-lc-rs")
))]
mod stack;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub mod tls;
#[cfg(any(feature = "http2", feature = "http3"))]
mod watch;

#[cfg(any(feature = "http1", feature = "http2"))]
pub use any::Engine;
pub use config::Config;
pub use decimal::Decimal;
pub use extended::Extended;
pub use output::Output;
pub use pace::{Meter, Pace};
pub use spare::Spare;
#[cfg(all(
    any(feature = "http1", feature = "http2"),
    any(feature = "ring", feature = "aws-lc-rs")
))]
pub use stack::{Stack, StackEvent};

/// The head of a message; heads are long, and events are moved more often than read.
#[derive(Debug)]
pub enum Head {
    /// What a server hears.
    Request(Box<Request<()>>),
    /// What a client hears: a final response, never a 1xx except 101.
    Response(Box<Response<()>>),
}

/// Adds the Content-Length to a head that does not say it.
#[cfg(any(feature = "http2", feature = "http3"))]
fn say_length(head: &mut Response<()>, length: Option<u64>) {
    if let Some(length) = length {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, Decimal::of(length).value());
    }
}

/// In a request's extensions: its target is written whole, as a proxy that forwards it wants it
/// (RFC 9112 3.2.2). HTTP/2 says scheme and authority always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbsoluteForm;

/// In a request's extensions, on a server: it came in early data, before the client's handshake was
/// complete. Whoever records a first flight can send it again, so that it may not be new (RFC 8470
/// 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarlyData;

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
        head: Box<Response<()>>,
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
        trailers: Box<HeaderMap>,
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
    /// Client: what was opened cannot be said to this server, as its settings tell, and is about to
    /// be reset unsent. So would [`OpenError::Unsayable`] have said, had they come before.
    Unsayable {
        /// Whose.
        stream: StreamId,
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
    /// Client: an ALTSVC frame of HTTP/2 came, for
    /// [`altsvc::heard_frame`](crate::altsvc::heard_frame).
    AltSvc {
        /// The number of the stream that it came on, 0 for the connection.
        stream: u32,
        /// What it holds.
        payload: Vec<u8>,
    },
    /// Server: something was refused, cut or timed out; the events that follow say what becomes
    /// of it. For counting.
    Cut(Cut),
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

impl OpenError {
    /// What a driver tells the pool of the stream that was never opened, beside
    /// [`RetrySafe::Unsent`]: the request goes again, or, where no connection of this protocol
    /// could ever say it, ends.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Refusing => Outcome::Failed(Cause::ShutDown),
            // The limit fell a moment ago: nothing is wrong with the connection.
            Self::NoCapacity => Outcome::Failed(Cause::Cancelled),
            Self::Unsayable => Outcome::Reset,
        }
    }
}

/// How to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Take nothing new; close when the last stream has ended.
    Graceful,
    /// Reset what is under way and close.
    Now,
}
