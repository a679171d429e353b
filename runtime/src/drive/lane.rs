//! One stream as its connection serves it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use regatta_core::Instant;
use regatta_core::engine::Engine;
use regatta_core::id::StreamId;
use regatta_core::types::Protocol;

use super::wire::Sink;
use crate::body::Side;
use crate::error::{Error, Kind, shown};
use crate::exchange::{Exchange, Parcel};
use crate::hooks::Facts;
use crate::mail::Pipe;

/// One stream as its connection serves it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stream: StreamId,
    pub(super) exchange: Arc<Exchange>,
    /// Client: the request, to be given back at the end.
    pub(super) parcel: Option<Box<Parcel>>,
    /// The engine takes a frame.
    pub(super) may_send: bool,
    /// Nothing more is to be sent.
    pub(super) sent: bool,
    /// 2xx makes it a tunnel.
    pub(super) connect: bool,
    pub(super) opened: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    /// Server: bytes of the frame that the engine has, which count as held until it has left.
    pub(super) charged: usize,
}

impl Lane {
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

    pub(super) fn outgoing(&self, side: Side) -> &Pipe<Error> {
        match side {
            Side::Client => &self.exchange.up,
            Side::Server => &self.exchange.down,
        }
    }
}

/// What the caller hears of a request whose head the connection's protocol cannot say.
pub(super) fn unsayable(head: &Request<()>, protocol: Protocol) -> Error {
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
}

impl Sink for EngineSink<'_> {
    fn direct(&self) -> usize {
        if self.open { self.engine.body_room() } else { 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.open {
            self.engine.receive(self.now, bytes);
        }
    }

    fn take_direct(&mut self, bytes: Bytes) {
        if self.open {
            self.engine.receive_body(self.now, bytes);
        }
    }
}
