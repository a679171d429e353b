//! One HTTP/3 connection on a port: what QUIC tells goes to the engine, the engine's streams to
//! lanes.

use core::task::Context;
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_core::engine::h3::{H3, Settings};
use regatta_core::engine::quic::{Credit, Endpoint, Event, ReceiveWindows};
use regatta_core::id::QuicId;
use regatta_core::types::Cause;

use super::super::lanes::Lanes;
use super::super::letter::Letter;
use super::super::party::Party;
use crate::body::Side;
use crate::mail::Mailbox;
use crate::timeline::TlsTrace;

/// One HTTP/3 connection.
pub(super) struct Talk<P: Party> {
    id: QuicId,
    engine: H3,
    lanes: Lanes<P>,
    credit: Credit,
    /// The longest datagram of its path, as its streams know it.
    path: Option<usize>,
    /// Why it is over, once it is.
    over: Option<Cause>,
    /// Its streams have been told.
    told: bool,
    handshake: Handshake,
}

/// How far the handshake is, as the streams are concerned.
enum Handshake {
    /// Requests go in early data.
    UnderWay,
    /// It is complete; the server may have to grant streams anew.
    Complete { tls: Option<TlsTrace>, accepted: bool },
    /// Everyone knows that it is complete.
    Told,
}

impl<P: Party> Talk<P> {
    pub(super) fn new(
        id: QuicId,
        mut engine: H3,
        windows: ReceiveWindows,
        mailbox: Arc<Mailbox<Letter>>,
        party: P,
    ) -> Self {
        engine.set_stream_window(windows.stream());
        let (lanes, credit) = (Lanes::new(mailbox, party), Credit::new(windows));
        let handshake = Handshake::Told;
        Self { id, engine, lanes, credit, path: None, over: None, told: false, handshake }
    }

    /// Client: the same, of which the handshake is not complete.
    pub(super) fn with_early_data(self) -> Self {
        Self { handshake: Handshake::UnderWay, ..self }
    }

    /// Client: whether its handshake is not complete.
    pub(super) const fn is_early(&self) -> bool {
        matches!(self.handshake, Handshake::UnderWay)
    }

    /// Client: its handshake is complete; of early data that the server did not take the transport
    /// has let go.
    pub(super) fn complete(&mut self, now: Instant, tls: Option<TlsTrace>, accepted: bool) {
        if !accepted {
            self.engine.early_data_rejected(now);
        }
        self.handshake = Handshake::Complete { tls, accepted };
    }

    /// What the peer has said that it grants.
    pub(super) fn settings(&self) -> Option<Settings> {
        self.engine.settings()
    }

    /// Why it is over, once it is.
    pub(super) const fn over(&self) -> Option<Cause> {
        self.over
    }

    /// Tells that the handshake is complete, once requests can be carried.
    fn tell_handshake(&mut self) {
        let accepted = matches!(self.handshake, Handshake::Complete { accepted: true, .. });
        if !accepted && !self.engine.may_carry() || self.engine.is_closed() {
            return;
        }
        let told = core::mem::replace(&mut self.handshake, Handshake::Told);
        if let Handshake::Complete { tls, accepted } = told {
            self.lanes.party.on_confirmed(self.engine.limit(), tls, accepted);
        } else {
            self.handshake = told;
        }
    }

    /// Whether nothing is left to do here but to let its last datagrams leave.
    pub(super) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(super) const fn party(&mut self) -> &mut P {
        &mut self.lanes.party
    }

    /// Whether it is to go on from another address: the network changed, and requests are under
    /// way. Told once.
    pub(super) fn wants_to_move(&mut self) -> bool {
        let has_moved = core::mem::take(&mut self.lanes.moved_away);
        has_moved && self.lanes.all().iter().any(|place| place.stream().is_some())
    }

    /// What the endpoint told of it.
    pub(super) fn handle(&mut self, now: Instant, event: &Event, endpoint: &mut Endpoint) {
        match event {
            Event::Stream(event) => self.engine.handle(now, event),
            Event::Lost(error) => {
                if let Some(connection) = endpoint.connection(self.id) {
                    self.engine.take_rest(now, connection);
                }
                self.engine.receive_end(now, error.cause);
            }
            Event::Mute => self.lanes.party.on_mute(),
            Event::Datagrams => self.engine.on_datagrams(),
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
        if P::SIDE == Side::Server {
            // What the transport holds is no reason to leave it there.
            let may = self.lanes.party.may_read(self.engine.unread(), cx);
            self.engine.hold_back(!may);
        }
        if progress || self.engine.poll_timeout().is_some_and(|at| at <= now) {
            if let Some(connection) = endpoint.connection(self.id) {
                self.engine.pump(now, connection);
            }
            progress = true;
        }
        let path = self.engine.path_datagram();
        if core::mem::replace(&mut self.path, path) != path {
            self.lanes.on_path(&self.engine);
        }
        self.tell_handshake();
        progress |= self.lanes.take_events(&mut self.engine, now);
        if let Some(close) = self.engine.poll_close() {
            let code = u32::try_from(close.code).unwrap_or(u32::MAX);
            endpoint.close(now, self.id, code, Bytes::new());
            progress = true;
        }
        self.over = self.over.or_else(|| self.lanes.closed.take());
        self.settle_memory(endpoint);
        progress | self.lanes.has_moved()
    }

    /// Tells the accounts what is held, and the peer what it may send.
    fn settle_memory(&mut self, endpoint: &mut Endpoint) {
        let (received, withheld) = (self.engine.received(), self.engine.withheld());
        let held = self.credit.held(withheld);
        let room = self.lanes.party.withhold(self.engine.unread() + self.lanes.said(), held);
        let room = if self.engine.is_held_back() { 0 } else { room };
        if let Some(window) = self.credit.settle(received, withheld, room) {
            endpoint.set_receive_window(self.id, window);
        }
        self.engine.set_short(self.credit.is_short(withheld));
    }

    /// Whether there is nothing left to do behind a turn, before somebody says something or it
    /// wants one by itself. What the transport holds for slow readers may be granted in steps.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_open = self.over.is_none() && !self.engine.is_closed();
        let is_told = matches!(self.handshake, Handshake::Told);
        is_open && is_told && self.engine.withheld() == 0 && self.lanes.is_at_rest()
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
