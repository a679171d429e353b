//! How many connections are established at once, and whose turn it is to begin one. Who finds
//! every socket taken stands in the same line.

use core::num::NonZeroU32;

/// The connections of all pools that are being established. Who waits for a turn stands in a line
/// that their owner keeps; here it is only counted.
#[derive(Clone, Debug)]
pub(crate) struct Handshakes {
    /// How many connections are being established.
    pub(crate) under_way: u32,
    most: u32,
    /// How many pools stand in line.
    pub(crate) in_line: u32,
    /// The pool that decides now was called from the line; it may begin one connection.
    pub(crate) called: bool,
}

impl Handshakes {
    pub(crate) fn new(most: Option<NonZeroU32>) -> Self {
        Self { under_way: 0, most: most.map_or(u32::MAX, u32::from), in_line: 0, called: false }
    }

    /// Whether the pool that decides now may begin one: nobody overtakes those in line.
    pub(crate) const fn may(&self) -> bool {
        self.has_room() && (self.called || self.in_line == 0)
    }

    /// Whether one more may be under way.
    pub(crate) const fn has_room(&self) -> bool {
        self.under_way < self.most
    }

    /// Whether somebody in line is to be called, if there is a socket.
    pub(crate) const fn is_due(&self) -> bool {
        self.in_line > 0 && self.has_room()
    }

    /// How many of those in line want for nothing but a socket.
    pub(crate) fn held_up(&self) -> u32 {
        self.in_line.min(self.most.saturating_sub(self.under_way))
    }
}
