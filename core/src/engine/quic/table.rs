//! The connections of an endpoint: who has something to send, and whose timer is next.

use std::collections::VecDeque;

use quinn_proto::ConnectionHandle;

use super::log::Diary;
use super::silence::Silence;
use super::{Event, QuicError};
use crate::arena::Arena;
use crate::id::QuicId;
use crate::time::Instant;
use crate::timers::Timers;

/// One connection.
pub(super) struct Connection {
    /// What quinn-proto's endpoint calls it.
    pub(super) handle: ConnectionHandle,
    pub(super) quinn: Box<quinn_proto::Connection>,
    /// Server: when its handshake must be complete.
    pub(super) deadline: Option<Instant>,
    /// Closed by this side or lost: nothing more is told of it but that it is drained.
    pub(super) is_over: bool,
    is_handshaking: bool,
    is_ready: bool,
    /// Server: its early data was told of.
    is_early: bool,
    /// Client: whether the server still answers.
    pub(super) silence: Option<Silence>,
    /// Its log, where one is written.
    pub(super) diary: Option<Box<Diary>>,
}

impl Connection {
    pub(super) fn new(
        handle: ConnectionHandle,
        quinn: quinn_proto::Connection,
        deadline: Option<Instant>,
        diary: Option<Box<Diary>>,
    ) -> Self {
        Self {
            handle,
            quinn: Box::new(quinn),
            deadline,
            is_over: false,
            is_handshaking: true,
            is_ready: false,
            is_early: false,
            silence: None,
            diary,
        }
    }

    /// Server: whether early data is taken from here on; true once.
    pub(super) fn begins_early(&mut self) -> bool {
        let quinn = &self.quinn;
        let takes = quinn.side().is_server() && quinn.has_0rtt() && quinn.is_handshaking();
        !self.is_over && takes && !core::mem::replace(&mut self.is_early, true)
    }

    /// Client: it says when the server has stopped answering.
    pub(super) fn listen(mut self) -> Self {
        self.silence = Some(Silence::default());
        self
    }

    /// What there was to send is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(silence) = self.silence.as_mut().filter(|_| !self.is_handshaking) {
            let stats = self.quinn.stats();
            silence.sent(now, &stats.frame_tx, &stats.frame_rx, stats.path.rtt);
        }
    }

    /// Something may have come.
    pub(super) fn heard(&mut self) {
        if let Some(silence) = self.silence.as_mut().filter(|silence| silence.until().is_some()) {
            silence.heard(&self.quinn.stats().frame_rx);
        }
    }

    /// Whether the server has stopped answering: told once.
    pub(super) fn is_mute(&mut self, now: Instant) -> bool {
        let is_mute = self.silence.as_mut().is_some_and(|silence| silence.is_mute(now));
        is_mute && !self.is_over
    }

    /// quinn-proto's event as ours.
    pub(super) fn translate(&mut self, event: quinn_proto::Event) -> Option<Event> {
        if self.is_over {
            return None;
        }
        match event {
            quinn_proto::Event::HandshakeDataReady => None,
            quinn_proto::Event::Connected => Some(Event::Connected),
            quinn_proto::Event::Stream(event) => Some(Event::Stream(event)),
            quinn_proto::Event::DatagramReceived => Some(Event::Datagrams),
            quinn_proto::Event::DatagramsUnblocked => Some(Event::DatagramRoom),
            quinn_proto::Event::ConnectionLost { reason } => {
                self.is_over = true;
                Some(Event::Lost(QuicError::new(reason, self.is_handshaking)))
            }
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Table {
    connections: Arena<QuicId, Connection>,
    /// By quinn-proto's handle, which is the index of a slot and is used again.
    handles: Vec<Option<QuicId>>,
    timers: Timers,
    /// Those that may have something to send, each once.
    ready: VecDeque<QuicId>,
    handshakes: usize,
}

impl Table {
    pub(super) fn insert(&mut self, connection: Connection) -> QuicId {
        let ConnectionHandle(index) = connection.handle;
        let id = self.connections.insert(connection);
        if self.handles.len() <= index {
            self.handles.resize(index + 1, None);
        }
        if let Some(place) = self.handles.get_mut(index) {
            *place = Some(id);
        }
        self.handshakes += 1;
        id
    }

    pub(super) fn remove(&mut self, id: QuicId) {
        self.timers.set(id.slot(), None);
        let Some(connection) = self.connections.remove(id) else { return };
        if connection.is_handshaking {
            self.handshakes -= 1;
        }
        if let Some(place) = self.handles.get_mut(connection.handle.0) {
            *place = None;
        }
    }

    pub(super) fn get(&self, id: QuicId) -> Option<&Connection> {
        self.connections.get(id)
    }

    pub(super) fn get_mut(&mut self, id: QuicId) -> Option<&mut Connection> {
        self.connections.get_mut(id)
    }

    pub(super) fn of_handle(&self, handle: ConnectionHandle) -> Option<QuicId> {
        *self.handles.get(handle.0)?
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = QuicId> {
        self.connections.iter().map(|(id, _)| id)
    }

    pub(super) const fn len(&self) -> usize {
        self.connections.len()
    }

    /// Handshakes under way; one that failed counts no more.
    pub(super) const fn handshakes(&self) -> usize {
        self.handshakes
    }

    /// Notes where a connection stands after it was settled, and its timer.
    pub(super) fn settled(&mut self, id: QuicId, at: Option<Instant>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.is_handshaking && !connection.quinn.is_handshaking() {
            connection.is_handshaking = false;
            connection.deadline = None;
            self.handshakes -= 1;
        }
        let silence = connection.silence.as_ref().and_then(Silence::until);
        let at = [at, connection.deadline, silence].into_iter().flatten().min();
        self.timers.set(id.slot(), at);
    }

    /// It may have something to send.
    pub(super) fn wake(&mut self, id: QuicId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !core::mem::replace(&mut connection.is_ready, true) {
            self.ready.push_back(id);
        }
    }

    /// The next that may have something to send, which is ready no longer. A drained one may come
    /// too.
    pub(super) fn next_ready(&mut self) -> Option<QuicId> {
        let id = self.ready.pop_front()?;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.is_ready = false;
        }
        Some(id)
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.timers.peek().map(|(at, _)| at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<QuicId> {
        let slot = self.timers.pop_due(now)?;
        self.connections.id_at(slot)
    }
}
