//! A server's UDP socket and all connections on it, in one task.
//!
//! Who has something to do is on a list: datagrams, deadlines and the bells of mailboxes put it
//! there, so that nobody walks over the connections.

use core::future::{Future, poll_fn};
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_core::downstream::Event as GateEvent;
use regatta_core::engine::h3::{H3, code};
use regatta_core::engine::quic::{Endpoint, Event, ReceiveWindows};
use regatta_core::id::QuicId;
use regatta_core::timers::Timers;
use regatta_core::types::{Cause, Protocol};

use super::super::deadline::Deadline;
use super::super::gate::Gate;
use super::super::listener::{Downward, Guest};
use super::port::Port;
use super::talk::Talk;
use crate::hooks::ServerConnectionEvent;
use crate::mail::{Bell, Letters, Mailbox};
use crate::runtime::Runtime;
use crate::server::Service;
use crate::spans;

/// Rounds of one wake; then the task yields.
const BUDGET: u32 = 32;

/// A word to a port's task.
#[derive(Clone, Copy, Debug)]
enum Word {
    /// The connection in this slot has something to do.
    Turn(u32),
    /// Take nobody new, and end with the last connection.
    Drain,
}

/// Drains the port when it is dropped.
#[derive(Debug)]
pub(crate) struct Brake(Arc<Mailbox<Word>>);

impl Drop for Brake {
    fn drop(&mut self) {
        if let Ok(Some(waker)) = self.0.push(Word::Drain) {
            waker.wake();
        }
    }
}

/// The task that serves what comes to `socket`, until its brake is dropped and the last
/// connection gone.
pub(crate) fn serve<R: Runtime, S: Service>(
    socket: R::Datagrams,
    endpoint: Endpoint,
    windows: ReceiveWindows,
    gate: Arc<Gate<R>>,
    service: Arc<S>,
) -> (Brake, impl Future<Output = ()> + Send + 'static) {
    let mailbox = Arc::new(Mailbox::new());
    let brake = Brake(Arc::clone(&mailbox));
    let mut hall = Hall {
        gate,
        service,
        windows,
        port: Port::new(socket, endpoint),
        seats: Vec::new(),
        busy: VecDeque::new(),
        over: Vec::new(),
        timers: Timers::new(),
        deadline: Deadline::new(),
        mailbox,
        words: Letters::new(),
        is_draining: false,
    };
    (brake, async move { poll_fn(|cx| hall.poll(cx)).await })
}

/// All connections of one socket.
struct Hall<R: Runtime, S: Service> {
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    windows: ReceiveWindows,
    port: Port<R::Datagrams>,
    /// By slot of the connection.
    seats: Vec<Option<Seat<R, S>>>,
    /// Slots of those that have something to do, each once.
    busy: VecDeque<u32>,
    /// Those that are over, until their last datagrams have left.
    over: Vec<QuicId>,
    timers: Timers,
    deadline: Deadline<R>,
    mailbox: Arc<Mailbox<Word>>,
    words: Letters<Word>,
    is_draining: bool,
}

/// One connection.
struct Seat<R: Runtime, S: Service> {
    id: QuicId,
    talk: Talk<Downward<R, S>>,
    /// Rings when its mailbox has something.
    bell: Arc<Bell<Word>>,
    is_busy: bool,
}

impl<R: Runtime, S: Service> Hall<R, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BUDGET {
            let now = self.gate.runtime.now();
            let (mut progress, has_told) = self.turn(cx, now);
            if self.port.waits(has_told && self.over.is_empty()) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            progress |= self.send(cx, now);
            if progress {
                continue;
            }
            if self.is_draining && self.seats.iter().all(Option::is_none) {
                return Poll::Ready(());
            }
            let next = [self.port.endpoint.poll_timeout(), self.timers.peek().map(|next| next.0)];
            let next = next.into_iter().flatten().min();
            if !self.deadline.arm(&self.gate.runtime, cx, now, next) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether there was something to do, and whether somebody was told what came.
    fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> (bool, bool) {
        self.deadline.passed(now);
        let (mut progress, mut has_told) = (self.read_words(cx), false);
        let heard = self.port.receive(cx, now);
        progress |= heard.is_something();
        if let Some(cause) = heard.broken {
            self.lose(now, cause);
        }
        if self.port.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.port.endpoint.handle_timeout(now);
            progress = true;
        }
        while let Some(slot) = self.timers.pop_due(now) {
            self.call(slot);
        }
        while let Some((id, event)) = self.port.endpoint.poll_event() {
            self.on_event(now, id, &event);
            (progress, has_told) = (true, heard.datagrams);
        }
        for _ in 0..self.busy.len() {
            let Some(slot) = self.busy.pop_front() else { break };
            self.serve(now, slot as usize);
            progress = true;
        }
        (progress, has_told)
    }

    /// Sends what there is, and sees those off that are over.
    fn send(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        // Nobody there, or no room: the datagram is lost.
        let progress = self.port.transmit(cx, now).map_or(true, |sent| sent.some);
        for id in core::mem::take(&mut self.over) {
            let place = self.seats.get_mut(id.slot());
            if let Some(mut seat) = place.and_then(|place| place.take_if(|seat| seat.id == id)) {
                self.timers.set(id.slot(), None);
                seat.talk.end(now);
            }
        }
        progress
    }

    /// The socket is of no use any more: every connection ends for it, and the port with them.
    fn lose(&mut self, now: Instant, cause: Cause) {
        spans::port_lost(self.port.local_address(), cause);
        self.is_draining = true;
        self.port.endpoint.drain();
        for slot in 0..self.seats.len() {
            let Some(Some(seat)) = self.seats.get_mut(slot) else { continue };
            seat.talk.lose(now, cause);
            // What is sent may still arrive.
            self.port.endpoint.close(now, seat.id, INTERNAL_ERROR, DEAF);
            self.call(slot);
        }
    }

    fn read_words(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while self.mailbox.poll(cx, &mut self.words).is_ready() {
            progress = true;
            let mut words = core::mem::take(&mut self.words);
            for word in words.drain(..) {
                match word {
                    Word::Drain => {
                        self.is_draining = true;
                        self.port.endpoint.drain();
                    }
                    Word::Turn(slot) => {
                        if let Some(Some(seat)) = self.seats.get(slot as usize) {
                            seat.bell.heard();
                        }
                        self.call(slot as usize);
                    }
                }
            }
            self.words = words;
        }
        progress
    }

    /// Puts a connection on the list.
    fn call(&mut self, slot: usize) {
        let Some(Some(seat)) = self.seats.get_mut(slot) else { return };
        if !core::mem::replace(&mut seat.is_busy, true) {
            self.busy.push_back(u32::try_from(slot).unwrap_or(u32::MAX));
        }
    }

    fn on_event(&mut self, now: Instant, id: QuicId, event: &Event) {
        let is_seated = self.seats.get(id.slot()).and_then(Option::as_ref);
        let is_seated = is_seated.is_some_and(|seat| seat.id == id);
        if let Event::Connected | Event::EarlyData = event
            && !is_seated
        {
            return self.seat(now, id);
        }
        let Some(Some(seat)) = self.seats.get_mut(id.slot()) else { return };
        if seat.id == id {
            seat.talk.handle(now, event, &mut self.port.endpoint);
            self.call(id.slot());
        }
    }

    /// A client's handshake is complete, or its early data comes: it is served, if the gate says
    /// so.
    fn seat(&mut self, now: Instant, id: QuicId) {
        let endpoint = &mut self.port.endpoint;
        let Some(connection) = endpoint.connection(id) else { return };
        let peer = connection.remote_address();
        let Some(served) = self.gate.feed(GateEvent::Accepted { peer: Some(peer.ip()) }) else {
            return endpoint.close(now, id, EXCESSIVE_LOAD, Bytes::new());
        };
        self.gate.feed(GateEvent::Greeted(served.0));
        let mailbox = Arc::clone(&served.1);
        let guest = Guest { served, peer: Some(peer) };
        guest.tell(&self.gate, ServerConnectionEvent::Accepted);
        let (gate, service) = (Arc::clone(&self.gate), Arc::clone(&self.service));
        let party = Downward::new(gate, service, guest, Protocol::Http3, true);
        let mut engine = H3::server(&self.gate.engine, now);
        if let Some(log) = self.port.endpoint.qlog(id) {
            engine.set_qlog(log);
        }
        let talk = Talk::new(id, engine, self.windows, mailbox, party);
        let slot = u32::try_from(id.slot()).unwrap_or(u32::MAX);
        let bell = Bell::new(slot, Word::Turn, &self.mailbox);
        if self.seats.len() <= id.slot() {
            self.seats.resize_with(id.slot() + 1, || None);
        }
        if let Some(place) = self.seats.get_mut(id.slot()) {
            *place = Some(Seat { id, talk, bell, is_busy: false });
        }
        self.call(id.slot());
    }

    fn serve(&mut self, now: Instant, slot: usize) {
        let Some(Some(seat)) = self.seats.get_mut(slot) else { return };
        seat.is_busy = false;
        let waker = seat.bell.waker();
        let mut cx = Context::from_waker(&waker);
        let progress = seat.talk.turn(&mut cx, now, &mut self.port.endpoint);
        self.timers.set(slot, seat.talk.poll_timeout());
        if seat.talk.is_over() {
            self.over.push(seat.id);
        } else if progress {
            self.call(slot);
        }
    }
}

/// The server's own socket has failed (RFC 9114 8.1).
const INTERNAL_ERROR: u32 = code::INTERNAL_ERROR as u32;
const DEAF: Bytes = Bytes::from_static(b"the server's socket cannot be read any more");

/// There is no room for the client (RFC 9114 8.1).
const EXCESSIVE_LOAD: u32 = code::EXCESSIVE_LOAD as u32;

impl<R: Runtime, S: Service> Drop for Hall<R, S> {
    /// Tells everyone, also when the task is dropped in the middle of its work.
    fn drop(&mut self) {
        let now = self.gate.runtime.now();
        for mut seat in self.seats.drain(..).flatten() {
            seat.talk.end(now);
        }
    }
}
