//! An engine, on a byte stream or on QUIC's streams: commands are the same for both.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use regatta_core::Instant;
use regatta_core::engine::{Engine, Event, OpenError, Shutdown};
use regatta_core::id::StreamId;
use regatta_core::types::Cause;

use crate::quic::End;

#[derive(Debug)]
pub(super) enum Speaker {
    Bytes(Engine),
    /// With an engine, and its endpoint under it.
    Quic(Box<End>),
}

/// The same command for whichever engine there is.
macro_rules! both {
    ($self:ident, $engine:ident => $command:expr, $nobody:expr) => {
        match $self {
            Self::Bytes($engine) => $command,
            Self::Quic(end) => match &mut end.engine {
                Some($engine) => $command,
                None => $nobody,
            },
        }
    };
}

impl Speaker {
    pub(super) fn open(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        both!(self, engine => engine.open(now, head, end), Err(OpenError::Refusing))
    }

    pub(super) fn respond(&mut self, now: Instant, id: StreamId, head: &Response<()>, end: bool) {
        both!(self, engine => engine.respond(now, id, head, end), ());
    }

    pub(super) fn send(&mut self, now: Instant, id: StreamId, bytes: Bytes, end: bool) {
        both!(self, engine => engine.send(now, id, bytes, end), ());
    }

    pub(super) fn trailers(&mut self, now: Instant, id: StreamId, trailers: HeaderMap) {
        both!(self, engine => engine.trailers(now, id, trailers), ());
    }

    pub(super) fn reset(&mut self, now: Instant, id: StreamId) {
        both!(self, engine => engine.reset(now, id), ());
    }

    pub(super) fn allow(&mut self, now: Instant, id: StreamId, n: usize) {
        both!(self, engine => engine.allow(now, id, n), ());
    }

    pub(super) fn ping(&mut self, now: Instant) {
        both!(self, engine => engine.ping(now), ());
    }

    pub(super) fn shutdown(&mut self, now: Instant, how: Shutdown) {
        both!(self, engine => engine.shutdown(now, how), ());
    }

    pub(super) fn set_max_concurrent_streams(&mut self, now: Instant, most: u32) {
        both!(self, engine => engine.set_max_concurrent_streams(now, most), ());
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        match self {
            Self::Bytes(engine) => engine.poll_event(),
            Self::Quic(end) if end.told.is_empty() => None,
            Self::Quic(end) => Some(end.told.remove(0)),
        }
    }

    /// Nothing more comes from the other side.
    pub(super) fn receive_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        match self {
            Self::Bytes(engine) => engine.receive_end(now, clean, cause),
            Self::Quic(end) => {
                end.lose(now);
                end.gather();
            }
        }
    }

    /// When the engine wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Bytes(engine) => engine.poll_timeout(),
            Self::Quic(end) => end.engine.as_ref()?.poll_timeout(),
        }
    }
}
