//! One stream as its connection serves it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Request, StatusCode};
use regatta_core::Instant;
#[cfg(feature = "http3")]
use regatta_core::engine::h3::Priority;
use regatta_core::engine::{Engine, Extended};
use regatta_core::id::StreamId;
use regatta_core::race::{Again, Refused, after_refusal};
use regatta_core::types::Protocol;

use super::wire::{ANSWERS, SCRATCH, Sink};
use crate::body::Side;
use crate::error::{Error, Kind, shown};
use crate::exchange::{Exchange, Parcel};
use crate::hooks::Facts;
#[cfg(feature = "http3")]
use crate::mail::Packets;
use crate::mail::Pipe;
use crate::timeline::EarlyOutcome;

/// RFC 8470 5.1; the http crate has no constant for it.
const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");

/// What is in the slot of a stream.
#[derive(Debug, Default)]
pub(super) enum Place {
    #[default]
    Free,
    Lane(Lane),
    Said(Said),
}

impl Place {
    /// The lane there, if there is one.
    pub(super) const fn lane(&self) -> Option<&Lane> {
        if let Self::Lane(lane) = self { Some(lane) } else { None }
    }

    /// As [`Place::lane`].
    pub(super) const fn lane_mut(&mut self) -> Option<&mut Lane> {
        if let Self::Lane(lane) = self { Some(lane) } else { None }
    }

    /// The stream there, if there is one.
    pub(super) const fn stream(&self) -> Option<StreamId> {
        match self {
            Self::Free => None,
            Self::Lane(lane) => Some(lane.stream),
            Self::Said(said) => Some(said.stream),
        }
    }
}

/// A server's stream whose request and answer were whole at once: the engine has all of it, and
/// nobody else waits for anything.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) stream: StreamId,
    pub(super) opened: Instant,
    /// Bytes of body in the answer, which count as held until the stream has ended.
    pub(super) bytes: usize,
}

/// One stream as its connection serves it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stream: StreamId,
    pub(super) exchange: Arc<Exchange>,
    /// Client: the request, to be given back at the end.
    pub(super) parcel: Option<Parcel>,
    /// What was read and not yet allowed on: all bodies together hold too much.
    pub(super) owed: usize,
    /// The engine takes a frame.
    pub(super) may_send: bool,
    /// Nothing more is to be sent.
    pub(super) sent: bool,
    /// Client: the server would rather have it over a full handshake (RFC 8470 5.2).
    pub(super) is_too_early: bool,
    /// 2xx makes it a tunnel.
    pub(super) connect: bool,
    pub(super) opened: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    /// Server: bytes of the frame that the engine has, which count as held until it has left.
    pub(super) charged: usize,
    /// Client: how urgent its caller was heard to want it.
    #[cfg(feature = "http3")]
    wish: Option<Priority>,
    /// Its datagrams, where it has any.
    #[cfg(feature = "http3")]
    pub(super) packets: Option<Arc<Packets>>,
}

impl Lane {
    /// A stream that has just begun and may send.
    pub(super) const fn new(
        stream: StreamId,
        exchange: Arc<Exchange>,
        connect: bool,
        now: Instant,
    ) -> Self {
        Self {
            stream,
            exchange,
            parcel: None,
            owed: 0,
            may_send: true,
            sent: false,
            is_too_early: false,
            connect,
            opened: Some(now),
            first_byte: None,
            charged: 0,
            #[cfg(feature = "http3")]
            wish: None,
            #[cfg(feature = "http3")]
            packets: None,
        }
    }

    /// Its datagrams go this way, for who holds its tunnel.
    #[cfg(feature = "http3")]
    pub(super) fn set_packets(&mut self, packets: Option<Arc<Packets>>) {
        if let Some(packets) = &packets {
            self.exchange.set_packets(packets);
        }
        self.packets = packets;
    }

    /// The stream is over, and with it its datagrams.
    pub(super) fn end_packets(&self) {
        #[cfg(feature = "http3")]
        if let Some(packets) = &self.packets {
            packets.end();
        }
    }

    /// Client: how urgent its caller wants the answer, where that was not heard yet.
    #[cfg(feature = "http3")]
    pub(super) fn new_wish(&mut self) -> Option<Priority> {
        let wish = self.exchange.wish().filter(|wish| self.wish != Some(*wish))?;
        self.wish = Some(wish);
        Some(wish)
    }

    /// Client: what becomes of a request that went early and was answered 425 (Too Early).
    pub(super) fn after_too_early(&self) -> Again {
        let Some(parcel) = &self.parcel else { return Again::PassOn };
        let marked = parcel.message.head.headers().get(EARLY_DATA);
        let marked = marked.is_some_and(|value| value == "1");
        let before = self.exchange.early() == Some(EarlyOutcome::SentAgain);
        after_refusal(Refused::TooEarly, parcel.early, marked, before)
    }

    /// Client: the final response's head came. Who listens is told so.
    pub(super) fn answered(&mut self, now: Instant, status: StatusCode) -> Facts {
        self.first_byte = Some(now);
        self.exchange.answered(now, status);
        self.parcel.as_ref()?.facts.clone()
    }

    pub(super) fn incoming(&self, side: Side) -> &Pipe<Error> {
        match side {
            Side::Client => &self.exchange.down,
            Side::Server => &self.exchange.up,
        }
    }

    /// How many bytes the peer may send more, if that is to be said: what was `taken`, unless all
    /// bodies together hold too much and this one some of it.
    pub(super) fn allowance(&mut self, side: Side, taken: Option<usize>) -> Option<usize> {
        let taken = taken?;
        self.owed += taken;
        let may = self.incoming(side).may_grow();
        may.then(|| core::mem::take(&mut self.owed))
    }

    /// Whether a client's response has to end, because nobody reads it and all bodies together
    /// hold far too much; its reader hears why.
    pub(super) fn is_too_much(&self) -> bool {
        let is_too_much = self.exchange.down.is_too_much();
        if is_too_much {
            self.exchange.down.fail(Some(Error::new(Kind::BodyMemory)));
        }
        is_too_much
    }

    pub(super) fn outgoing(&self, side: Side) -> &Pipe<Error> {
        match side {
            Side::Client => &self.exchange.up,
            Side::Server => &self.exchange.down,
        }
    }
}

/// Whether reading on is welcome. HTTP/1 is not read while all bodies together hold too much, and
/// a client's connection some of it; HTTP/2 is, what it has granted: its streams are many.
pub(super) fn wants_input(engine: &Engine, places: &[Place]) -> bool {
    let lanes = || places.iter().filter_map(Place::lane);
    // A pipe holds no more than the engine has not been allowed yet: most often nothing.
    let held_back = || {
        engine.protocol() == Protocol::Http1
            && engine.unread() > 0
            && lanes().any(|lane| !lane.exchange.down.may_grow())
    };
    engine.wants_input() && !held_back()
}

/// What the caller hears of a request whose head the connection's protocol cannot say.
pub(super) fn unsayable(head: &Request<()>, protocol: Protocol) -> Error {
    if let Some(named) = head.extensions().get::<Extended>() {
        return Error::new(Kind::Request(format!(
            "{protocol} takes no CONNECT for {} to {}",
            named.as_str(),
            shown(head.uri()),
        )));
    }
    Error::new(Kind::Request(format!(
        "{protocol} cannot say the head of {} {} (authority, Host, Content-Length, version)",
        head.method(),
        shown(head.uri()),
    )))
}

/// Hands bytes to the engine while it still listens.
pub(super) struct EngineSink<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) now: Instant,
    pub(super) open: bool,
    pub(super) side: Side,
}

impl Sink for EngineSink<'_> {
    fn direct(&self) -> usize {
        if self.open { self.engine.body_room() } else { 0 }
    }

    fn most(&self) -> usize {
        match self.side {
            Side::Client => ANSWERS,
            Side::Server => SCRATCH,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.open {
            self.engine.receive(self.now, bytes);
        }
    }

    fn take_in_place(&mut self, bytes: &mut BytesMut) {
        if self.open {
            self.engine.receive_in_place(self.now, bytes);
        }
    }

    fn take_direct(&mut self, bytes: Bytes) {
        if self.open {
            self.engine.receive_body(self.now, bytes);
        }
    }
}
