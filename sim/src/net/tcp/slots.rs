//! Connections by slot.

use super::side::Side;
use super::{Network, listen};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    slot: u32,
    generation: u32,
    side: u8,
}

/// All connections and listeners.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    connections: Vec<Connection>,
    free: Vec<u32>,
    pub(super) listeners: listen::Listeners,
}

#[derive(Debug)]
struct Connection {
    generation: u32,
    live: bool,
    sides: [Side; 2],
}

impl End {
    pub(crate) const fn peer(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }

    /// Whether it is the end that asked for the connection.
    pub(crate) const fn asked(self) -> bool {
        self.side == 0
    }

    /// The sequence number of its SYN, as packets have it.
    pub(in crate::net) const fn first_number(self) -> u32 {
        let mixed = (self.number() as u32 ^ self.generation << 20).wrapping_mul(0x9e37_79b9);
        mixed ^ mixed >> 15
    }

    /// A number that names it in steps: of the connection twice, and the side.
    pub(crate) const fn number(self) -> u64 {
        (self.slot as u64) << 1 | self.side as u64
    }
}

impl Tcp {
    /// Keeps a new connection, and gives the end that asked for it.
    pub(super) fn add(&mut self, mut sides: [Side; 2]) -> End {
        let Some(slot) = self.free.pop() else {
            self.connections.push(Connection { generation: 0, live: true, sides });
            return End { slot: self.connections.len() as u32 - 1, generation: 0, side: 0 };
        };
        let connection = &mut self.connections[slot as usize];
        connection.generation = connection.generation.wrapping_add(1);
        for (new, old) in sides.iter_mut().zip(&mut connection.sides) {
            new.inherit(old);
        }
        (connection.live, connection.sides) = (true, sides);
        End { slot, generation: connection.generation, side: 0 }
    }

    /// Forgets a connection. What still comes to it finds nobody.
    pub(super) fn forget(&mut self, end: End) {
        let Some(connection) = self.connections.get_mut(end.slot as usize) else { return };
        if connection.live && connection.generation == end.generation {
            connection.live = false;
            connection.sides.iter_mut().for_each(Side::clear);
            self.free.push(end.slot);
        }
    }

    /// The asking ends of all that live, in the order of their slots.
    pub(super) fn all(&self) -> Vec<End> {
        let live = self.connections.iter().enumerate().filter(|(_, one)| one.live);
        let end = |(slot, one): (usize, &Connection)| End {
            slot: slot as u32,
            generation: one.generation,
            side: 0,
        };
        live.map(end).collect()
    }
}

impl Network {
    pub(super) fn side(&mut self, end: End) -> Option<&mut Side> {
        self.both(end).map(|(side, _)| side)
    }

    /// The end that asked for the connection.
    pub(in crate::net) fn asking(&mut self, end: End) -> Option<&mut Side> {
        self.side(if end.asked() { end } else { end.peer() })
    }

    /// An end, and its peer.
    pub(super) fn both(&mut self, end: End) -> Option<(&mut Side, &mut Side)> {
        let connection = self.tcp.connections.get_mut(end.slot as usize)?;
        if !connection.live || connection.generation != end.generation {
            return None;
        }
        let [asked, answered] = &mut connection.sides;
        Some(if end.side == 0 { (asked, answered) } else { (answered, asked) })
    }
}
