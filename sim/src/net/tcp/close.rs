//! Ends: FIN, reset, and sockets that are dropped.

use std::io;

use super::send::{emit, pump, reset_segment};
use super::side::{Fin, Phase};
use super::slots::End;
use super::timer::{arm, disarm};
use crate::net::HostId;
use crate::net::fault::Peers;
use crate::step::StepKind;
use crate::world::World;

pub(crate) fn shut_down(world: &mut World, end: End) -> io::Result<()> {
    let Some(side) = world.network.side(end).filter(|side| side.phase != Phase::Dead) else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    if side.sender.fin == Fin::Open {
        side.sender.fin = Fin::Wanted;
        world.note(StepKind::Finished, end.number(), 0, 0);
        let now = world.now;
        if let Some(side) = world.network.side(end)
            && side.flat.is_some()
        {
            side.settle(now);
        }
        pump(world, end);
    }
    Ok(())
}

/// The owner is gone: the peer hears the end, or a reset where something was left unread.
pub(crate) fn close(world: &mut World, end: End) {
    let Some((side, peer)) = world.network.both(end) else { return };
    side.closed = true;
    (side.reader, side.writer) = (None, None);
    match side.phase {
        // Nobody else has it yet.
        Phase::SynSent => peer.closed = true,
        Phase::Dead => {}
        _ if side.receiver.unread > 0 => reset(world, end),
        // It fails where there is nobody to tell.
        _ => drop(shut_down(world, end)),
    }
    forget_if_done(world, end);
}

/// Forgets a connection that nobody has any more.
pub(super) fn forget_if_done(world: &mut World, end: End) {
    if let Some((side, peer)) = world.network.both(end)
        && side.closed
        && peer.closed
    {
        for end in [end, end.peer()] {
            disarm(world, end);
        }
        world.network.tcp.forget(end);
    }
}

/// Ends a connection at once, and says so to the peer.
pub(super) fn reset(world: &mut World, end: End) {
    let Some(side) = world.network.side(end) else { return };
    if side.phase == Phase::Dead {
        return;
    }
    side.die(None);
    side.receiver.arrived.clear();
    side.receiver.unread = 0;
    arm(world, end);
    world.note(StepKind::Reset, end.number(), 0, 0);
    let segment = reset_segment(world.now);
    emit(world, end, segment);
}

/// Ends a connection at once, and tells its owner why.
pub(super) fn die(world: &mut World, end: End, error: io::ErrorKind) {
    let Some(side) = world.network.side(end) else { return };
    side.die(Some(error));
    arm(world, end);
    world.note(StepKind::Reset, end.number(), 0, 1);
}

/// Something came to a port that nobody listens on, or to a connection that is over.
pub(super) fn refuse(world: &mut World, to: End) {
    let Some(side) = world.network.side(to) else { return };
    if matches!(side.phase, Phase::Listening | Phase::SynReceived) {
        side.closed = true;
    }
    if side.phase == Phase::Dead {
        let segment = reset_segment(world.now);
        return emit(world, to, segment);
    }
    reset(world, to);
}

pub(super) fn reset_arrived(world: &mut World, to: End) {
    let Some(side) = world.network.side(to) else { return };
    let error = match side.phase {
        Phase::Dead => return,
        Phase::SynSent => io::ErrorKind::ConnectionRefused,
        // RFC 9293's CLOSE-WAIT, as Linux has it.
        Phase::Established if side.receiver.finished => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::ConnectionReset,
    };
    if matches!(side.phase, Phase::Listening | Phase::SynReceived) {
        side.closed = true;
    }
    side.die(Some(error));
    arm(world, to);
    world.note(StepKind::Answered, to.number(), 0, 1);
    forget_if_done(world, to);
}

/// The sockets of a host are gone.
pub(crate) fn crash(world: &mut World, host: HostId, peers: Peers) {
    for end in world.network.tcp.listeners.empty(host) {
        if let Some(side) = world.network.side(end) {
            side.closed = true;
        }
    }
    for asked in world.network.tcp.all() {
        for end in [asked, asked.peer()] {
            let Some(side) = world.network.side(end).filter(|side| side.host == host) else {
                continue;
            };
            let asking = side.phase == Phase::SynSent;
            let unknown = matches!(side.phase, Phase::Listening | Phase::Dead);
            if !asking && !unknown && peers == Peers::Reset {
                reset(world, end);
            }
            if let Some(side) = world.network.side(end).filter(|_| !unknown) {
                side.closed |= side.phase == Phase::SynReceived;
                side.receiver.arrived.clear();
                side.receiver.unread = 0;
                side.die(Some(io::ErrorKind::ConnectionReset));
                arm(world, end);
            }
            forget_if_done(world, end);
        }
    }
}
