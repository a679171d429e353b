//! The closed set of engines behind one type.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};

#[cfg(feature = "http1")]
use super::h1;
#[cfg(feature = "http2")]
use super::h2;
use super::{Config, Event, OpenError, Output, Shutdown, Spare};
use crate::id::StreamId;
use crate::time::{Duration, Instant};
use crate::types::{Cause, Limit, Protocol};

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
    /// The client's side of a new connection; `None` if `protocol` is not built in.
    pub fn client(protocol: Protocol, config: &Config, now: Instant) -> Option<Self> {
        match protocol {
            #[cfg(feature = "http1")]
            Protocol::Http1 => Some(Self::H1(Box::new(h1::H1::client(config, now)))),
            #[cfg(feature = "http2")]
            Protocol::Http2 => Some(Self::H2(Box::new(h2::H2::client(config, now)))),
            _ => None,
        }
    }

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

    /// As [`Engine::respond`], with a head that is the engine's to take apart: HTTP/2 would copy
    /// it. `length` is the Content-Length of a head that says neither that nor anything else of its
    /// framing.
    pub fn respond_with(
        &mut self,
        now: Instant,
        stream: StreamId,
        head: Response<()>,
        length: Option<u64>,
        end: bool,
    ) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.respond_with(now, stream, head, length, end),
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.respond_with(now, stream, head, length, end),
        }
    }

    /// Server: answers a stream with all there is, a final head and a body if it has one. For the
    /// rest as [`Engine::respond_with`].
    pub fn answer(
        &mut self,
        now: Instant,
        stream: StreamId,
        head: Response<()>,
        length: Option<u64>,
        body: Option<Bytes>,
    ) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.answer(now, stream, head, length, body),
            #[cfg(feature = "http2")]
            Self::H2(engine) => {
                engine.respond_with(now, stream, head, length, body.is_none());
                if let Some(body) = body {
                    engine.send(now, stream, body, true);
                }
            }
        }
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
    /// 0 when a reader begins to wait: a server then sends the 100 (Continue) that is
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
    /// what [its setting](super::Config::max_concurrent_streams) said. Nothing for HTTP/1, which
    /// has one.
    pub fn set_max_concurrent_streams(&mut self, now: Instant, most: u32) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(_) => {
                let _ = (now, most);
            }
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.set_max_concurrent_streams(now, most),
        }
    }

    /// Whether the peer of HTTP/2 is granted little on each stream, 64 KiB, because the driver's
    /// bodies hold much; nothing grows meanwhile. What it was granted before it may still send.
    /// Said again and again it costs nothing; where it cannot be told at once it is the next time.
    pub fn narrow(&mut self, narrow: bool) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(_) => {
                let _ = narrow;
            }
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.narrow(narrow),
        }
    }

    /// What the peer grants now (client: towards the server).
    pub fn limit(&self) -> Limit {
        each!(self, engine => engine.limit())
    }

    /// How many bytes of bodies were told of by [`Event::Data`] and not yet allowed on.
    pub fn unread(&self) -> usize {
        each!(self, engine => engine.unread())
    }

    /// Whether reading on is welcome. HTTP/2 says no only to a peer that does not read answers.
    pub fn wants_input(&self) -> bool {
        each!(self, engine => engine.wants_input())
    }

    /// Takes in all of `input`, keeping what is incomplete.
    pub fn receive(&mut self, now: Instant, input: &[u8]) {
        each!(self, engine => engine.receive(now, input));
    }

    /// The same, of a buffer that comes back as it was: HTTP/2 reads long input from it instead of
    /// copying it first.
    pub fn receive_in_place(&mut self, now: Instant, input: &mut BytesMut) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.receive(now, input),
            #[cfg(feature = "http2")]
            Self::H2(engine) => engine.receive_in_place(now, input),
        }
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

    /// Lends it `spare`, and by the next call takes that back. Only HTTP/1 has a use for it.
    pub fn lend(&mut self, spare: &mut Option<Box<Spare>>) {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.lend(spare),
            #[cfg(feature = "http2")]
            Self::H2(_) => {
                let _ = spare;
            }
        }
    }

    /// Whether nothing is left to be told or written until something new comes. HTTP/2 does not
    /// know.
    pub fn is_quiet(&self) -> bool {
        match self {
            #[cfg(feature = "http1")]
            Self::H1(engine) => engine.is_quiet(),
            #[cfg(feature = "http2")]
            Self::H2(_) => false,
        }
    }

    /// How long a transport that takes none of what is written is to be waited for; `None` where
    /// something else ends the wait: a request's time limit, its caller, the peer's answer.
    pub fn patience(&self) -> Option<Duration> {
        each!(self, engine => engine.patience())
    }

    /// Whether an event waits to be taken: never while its connection rests.
    pub fn has_events(&self) -> bool {
        each!(self, engine => engine.has_events())
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
