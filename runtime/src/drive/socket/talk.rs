//! One HTTP/3 connection on a port: what QUIC tells goes to the engine, the engine's streams to
//! lanes.

use core::task::Context;
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_core::engine::h3::H3;
use regatta_core::engine::quic::{Endpoint, Event};
use regatta_core::id::QuicId;
use regatta_core::types::Cause;

use super::super::lanes::Lanes;
use super::super::letter::Letter;
use super::super::party::Party;
use crate::mail::Mailbox;

/// One HTTP/3 connection.
pub(super) struct Talk<P: Party> {
    id: QuicId,
    engine: H3,
    lanes: Lanes<P>,
    /// Why it is over, once it is.
    over: Option<Cause>,
    /// Its streams have been told.
    told: bool,
}

impl<P: Party> Talk<P> {
    pub(super) fn new(id: QuicId, engine: H3, mailbox: Arc<Mailbox<Letter>>, party: P) -> Self {
        Self { id, engine, lanes: Lanes::new(mailbox, party), over: None, told: false }
    }

    /// Whether nothing is left to do here but to let its last datagrams leave.
    pub(super) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(super) const fn party(&mut self) -> &mut P {
        &mut self.lanes.party
    }

    /// What the endpoint told of it.
    pub(super) fn handle(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Stream(event) => self.engine.handle(now, event),
            Event::Lost(error) => self.engine.receive_end(now, error.cause),
            Event::Drained => self.over = self.over.or(Some(Cause::Closed)),
            _ => {}
        }
    }

    /// Its socket is of no use any more.
    pub(super) fn lose(&mut self, now: Instant, cause: Cause) {
        self.engine.receive_end(now, cause);
    }

    /// Does all there is to do; whether there was something.
    pub(super) fn turn(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        endpoint: &mut Endpoint,
    ) -> bool {
        let mut progress = self.lanes.read_letters(&mut self.engine, cx, now);
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            progress = true;
        }
        progress |= self.lanes.move_lanes(&mut self.engine, now);
        if progress || self.engine.poll_timeout().is_some_and(|at| at <= now) {
            if let Some(connection) = endpoint.connection(self.id) {
                self.engine.pump(now, connection);
            }
            progress = true;
        }
        progress |= self.lanes.take_events(&mut self.engine, now);
        if let Some(close) = self.engine.poll_close() {
            let code = u32::try_from(close.code).unwrap_or(u32::MAX);
            endpoint.close(now, self.id, code, Bytes::new());
            progress = true;
        }
        self.over = self.over.or_else(|| self.lanes.closed.take());
        self.lanes.party.hold(self.engine.unread());
        progress | self.lanes.has_moved()
    }

    /// When it wants its turn by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    /// Tells everyone that it is gone, once.
    pub(super) fn end(&mut self, now: Instant) {
        if !core::mem::replace(&mut self.told, true) {
            self.lanes.close(now, self.over.unwrap_or(Cause::ShutDown));
        }
    }
}
