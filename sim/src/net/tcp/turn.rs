//! From flat to segments: what was reckoned becomes what is sent.

use bytes::Bytes;
use regatta_core::Instant;

use super::segment::{Kind, Segment};
use super::send::{pump, tcp_packet};
use super::side::{Flat, Phase};
use super::slots::End;
use super::{Happening, What};
use crate::net;
use crate::world::{self, World};

/// A fault has changed the ways between hosts: connections that are no longer flat turn.
pub(crate) fn routes_changed(world: &mut World) {
    for end in world.network.tcp.all() {
        let Some((side, peer)) = world.network.both(end) else { continue };
        let Some(flat) = side.flat else { continue };
        let seen = tcp_packet(side, peer, 0, 0);
        let stays = world.network.is_flat(&seen) && {
            let [there, back] = world.network.delays(&seen);
            flat == Flat { there, back }
        };
        if !stays {
            turn(world, end);
        }
    }
}

/// Turns both ends of a connection, if they are flat.
pub(super) fn turn(world: &mut World, end: End) {
    if world.network.side(end).is_none_or(|side| side.flat.is_none()) {
        return;
    }
    for end in [end, end.peer()] {
        turn_one(world, end);
    }
    for end in [end, end.peer()] {
        if let Some(side) = world.network.side(end) {
            side.flat = None;
        }
    }
    // What was learned meanwhile may let something go.
    for end in [end, end.peer()] {
        pump(world, end);
    }
}

fn turn_one(world: &mut World, end: End) {
    let now = world.now;
    let Some((side, peer)) = world.network.both(end) else { return };
    let Some(flat) = side.flat else { return };
    side.settle(now);
    let sender = &mut side.sender;
    // Acknowledgements and windows that have left the peer are on their way.
    let mut coming: Vec<(Instant, u64, u64, Instant)> = Vec::new();
    let known = peer.receiver.told;
    for one in &sender.flight {
        if one.acked.saturating_since(now) <= flat.back {
            coming.push((one.acked, one.end(), known, one.at));
        }
    }
    let una = coming.last().map_or(sender.una, |(_, ack, ..)| *ack);
    coming.extend(sender.edges.drain(..).map(|(at, edge)| (at, una, edge, now)));
    if side.phase == Phase::Established {
        side.timer.start = sender.last_sent;
    }
    let seq = peer.sender.next;
    for (at, ack, edge, echo) in coming {
        let segment = Segment {
            kind: Kind::Data,
            seq,
            bytes: Bytes::new(),
            ack,
            edge,
            sacks: Vec::new(),
            stamp: now,
            echo,
        };
        let happening = Happening { to: end, what: What::Segment(segment) };
        world.schedule(at, world::Happening::Net(net::Happening::Tcp(happening)));
    }
}
