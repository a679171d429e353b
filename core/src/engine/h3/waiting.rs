//! What waits on either side of the engine: in the transport, because it is not read, and in the
//! engine, because the transport takes no more.
//!
//! The transport does not say how much it holds of a stream. While a stream is read it holds
//! nothing but what came out of order; of one that is not read it holds at most its window, or what
//! is left of its message.

use super::H3;
use super::stream::Due;
use crate::id::StreamId;

/// Sums over the streams.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The receive window of each stream.
    window: u32,
    /// Bodies are not read whatever room they have.
    is_held_back: bool,
    /// The peer may be held up by this side's windows.
    is_short: bool,
    withheld: u64,
    stuck: usize,
}

impl Waiting {
    /// The receive window of each stream, in bytes.
    pub(super) const fn window(&self) -> u32 {
        self.window
    }

    pub(super) const fn is_held_back(&self) -> bool {
        self.is_held_back
    }

    /// Whether it may be this side's doing that nothing comes.
    pub(super) const fn holds_up(&self) -> bool {
        self.is_held_back || self.is_short
    }

    /// How many streams have something that the transport did not take.
    pub(super) const fn stuck(&self) -> usize {
        self.stuck
    }

    /// The stream is gone.
    pub(super) const fn forget(&mut self, withheld: u64, is_stuck: bool) {
        self.withheld = self.withheld.saturating_sub(withheld);
        self.stuck = self.stuck.saturating_sub(is_stuck as usize);
    }
}

impl H3 {
    /// Tells how much the peer may send of a stream before it is read (the transport's window), in
    /// bytes. Default 0.
    pub const fn set_stream_window(&mut self, bytes: u32) {
        self.waiting.window = bytes;
    }

    /// How many bytes the transport holds at most of streams that are not read because their
    /// readers are slow, or because of [`H3::hold_back`].
    pub const fn withheld(&self) -> u64 {
        self.waiting.withheld
    }

    /// How many bytes of bodies have been read of the transport since the beginning.
    pub const fn received(&self) -> u64 {
        self.patience.data_in
    }

    /// Tells whether the transport's window is too small for what is withheld, so that also the
    /// bodies that are read may not come: no peer is called slow for that.
    pub const fn set_short(&mut self, is_short: bool) {
        self.waiting.is_short = is_short;
    }

    /// Whether bodies are held back.
    pub const fn is_held_back(&self) -> bool {
        self.waiting.is_held_back
    }

    /// Reads no body while `hold`: the peer may send what its windows allow, and waits.
    pub fn hold_back(&mut self, hold: bool) {
        if core::mem::replace(&mut self.waiting.is_held_back, hold) == hold {
            return;
        }
        let all = self.streams.iter().filter(|(_, stream)| stream.is_readable);
        for id in all.map(|(id, _)| id).collect::<Vec<StreamId>>() {
            self.enlist(id);
        }
    }

    /// Notes whether the stream is read, behind a try to read it.
    pub(super) fn note_withheld(&mut self, id: StreamId) {
        let has_room = self.room(id).is_some();
        let Some(stream) = self.streams.get_mut(id) else { return };
        let is_body = matches!(stream.due, Due::Body | Due::Tunnel) && !stream.is_received;
        let is_full = is_body && stream.is_readable && !has_room;
        let left = stream.length.map_or(u64::MAX, |all| all.saturating_sub(stream.came));
        let now = if is_full { left.min(self.waiting.window.into()) } else { 0 };
        let before = core::mem::replace(&mut stream.withheld, now);
        self.waiting.withheld = self.waiting.withheld.saturating_sub(before).saturating_add(now);
    }

    /// Notes whether the transport took all of the stream, behind a try to write it.
    pub(super) fn note_stuck(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let is_stuck = stream.has_output();
        match (core::mem::replace(&mut stream.is_stuck, is_stuck), is_stuck) {
            (false, true) => self.waiting.stuck += 1,
            (true, false) => self.waiting.stuck = self.waiting.stuck.saturating_sub(1),
            _ => {}
        }
    }
}
