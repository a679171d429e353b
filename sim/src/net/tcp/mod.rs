//! TCP: connections as both of their ends know them.
//!
//! What is between two ends may be *flat*: everything arrives, in order and after one delay.
//! Then a write is one entry of the agenda, and acknowledgements are reckoned instead of sent.
//! Everywhere else there are segments, acknowledgements and timers, one by one. A connection that
//! was flat turns to segments when a fault touches its way, and never back.

mod ack;
mod close;
mod handshake;
mod listen;
mod read;
mod receive;
mod segment;
mod send;
mod side;
mod slots;
mod timer;
mod turn;
mod write;

use super::Network;
use crate::world::World;

pub(crate) use close::{close, crash, shut_down};
pub(crate) use handshake::{connect, poll_connected};
pub(crate) use listen::{ListenerId, listen, local_address, poll_accept, stop_listening};
pub(crate) use read::poll_read;
pub(crate) use segment::{Kind, Segment};
pub(crate) use slots::{End, Tcp};
pub(crate) use turn::routes_changed;
pub(crate) use write::poll_write;

/// What comes to an end.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub(crate) to: End,
    pub(crate) what: What,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A segment of the peer's.
    Segment(Segment),
    /// A segment of a connection that this host no longer knows.
    Stray,
    /// A firewall or router says that there is no way.
    Unreachable,
    /// Its timer may be due.
    Timer,
}

pub(crate) fn happen(world: &mut World, Happening { to, what }: Happening) {
    match what {
        What::Segment(segment) => receive::arrive(world, to, segment),
        What::Stray => send::stray(world, to),
        What::Unreachable => handshake::unreachable(world, to),
        What::Timer => timer::due(world, to),
    }
}
