//! Opening: SYN, SYN-ACK, and what comes instead of them.

use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;

use bytes::Bytes;

use super::Network;
use super::close::{forget_if_done, refuse};
use super::segment::{Kind, Segment};
use super::send::{emit, pump, tcp_packet};
use super::side::{Flat, Phase, Rtt, Side};
use super::slots::End;
use super::timer::arm;
use super::turn::turn;
use crate::choice::Point;
use crate::net::HostId;
use crate::net::stack::Kernel;
use crate::step::StepKind;
use crate::world::World;
use regatta_core::time::Duration;

/// Seconds from one SYN to the next; after the last the connection has failed.
const SINCE_LINUX_6_5: [u64; 11] = [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64];
const BEFORE: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
/// The same of SYN-ACKs (`tcp_synack_retries` 5).
const SYN_ACK: [u64; 6] = [1, 2, 4, 8, 16, 32];

/// How long the answer to a SYN or SYN-ACK that went again `tries` times is waited for; `None`
/// when it was waited for long enough.
pub(super) fn patience(side: &Side, tries: u32) -> Option<Duration> {
    let all: &[u64] = match (side.phase, side.stack.kernel) {
        (Phase::SynReceived, _) => &SYN_ACK,
        (_, Kernel::Linux6_5) => &SINCE_LINUX_6_5,
        (_, Kernel::Older) => &BEFORE,
    };
    all.get(tries as usize).map(|seconds| Duration::from_secs(*seconds))
}

pub(crate) fn connect(world: &mut World, host: HostId, to: SocketAddr) -> io::Result<End> {
    let now = world.now;
    let network = &mut world.network;
    if network.is_down(host) {
        return Err(io::ErrorKind::NetworkDown.into());
    }
    let there = network.host_of(host, to.ip()).ok_or(io::ErrorKind::HostUnreachable)?;
    let source = network.source(host, to.ip()).ok_or(io::ErrorKind::NetworkUnreachable)?;
    let taken = |network: &Network, address| network.tcp.listeners.is_open(host, address);
    let port = network.free_port(host, source, taken);
    let side = |network: &Network, host: HostId, address| {
        let stack = network.host(host).map(|host| host.stack).unwrap_or_default();
        Side::new(host, address, stack, now)
    };
    let mut asking = side(network, host, SocketAddr::new(source, port));
    let mut answering = side(network, there, to);
    let seen = tcp_packet(&asking, &answering, 0, 0);
    if network.is_flat(&seen) {
        let [out, back] = network.delays(&seen);
        asking.flat = Some(Flat { there: out, back });
        answering.flat = Some(Flat { there: back, back: out });
    }
    asking.nat = network.map_connection(now, &seen);
    asking.phase = Phase::SynSent;
    asking.sender.next = 1;
    asking.timer.start = now;
    let end = network.tcp.add([asking, answering]);
    world.note(StepKind::Connect, end.number(), u64::from(to.port()), 0);
    if host != there && world.choices.fires(Point::SynLost) {
        turn(world, end);
        world.note(StepKind::Lost, end.number(), 0, 0);
    } else {
        send_syn(world, end);
    }
    arm(world, end);
    Ok(end)
}

/// Sends the SYN or SYN-ACK of an end, for the first time or again.
pub(super) fn send_syn(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    side.receiver.told = 1 + side.receiver.buffer as u64;
    let kind = if side.phase == Phase::SynReceived { Kind::SynAck } else { Kind::Syn };
    let segment = Segment {
        kind,
        seq: 0,
        bytes: Bytes::new(),
        ack: side.receiver.next,
        edge: side.receiver.edge(),
        sacks: Vec::new(),
        stamp: now,
        echo: side.echo,
    };
    emit(world, end, segment);
}

pub(crate) fn poll_connected(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let Some(side) = world.network.side(end) else {
        return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
    };
    match side.phase {
        Phase::Established => Poll::Ready(Ok(())),
        Phase::Dead => {
            let error = side.error.take().unwrap_or(io::ErrorKind::ConnectionReset);
            Poll::Ready(Err(error.into()))
        }
        _ => {
            side.writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

/// A SYN has come, perhaps not the first.
pub(super) fn syn(world: &mut World, to: End, segment: &Segment) {
    let now = world.now;
    let Some(side) = world.network.side(to) else { return };
    match side.phase {
        Phase::Listening => {}
        Phase::SynReceived => return send_syn(world, to),
        Phase::Dead => return refuse(world, to),
        _ => return,
    }
    let (host, address) = (side.host, side.address);
    if world.network.is_refused(now, host, address.port()) {
        return refuse(world, to);
    }
    match world.network.tcp.listeners.find_mut(host, address) {
        None => refuse(world, to),
        Some(listener) if listener.is_full() => {
            // Whoever asks must find out by time that it was dropped.
            world.note(StepKind::Lost, to.number(), 0, 0);
            turn(world, to);
            arm(world, to.peer());
        }
        Some(_) => {
            let Some(side) = world.network.side(to) else { return };
            side.phase = Phase::SynReceived;
            side.sender.next = 1;
            side.timer.start = now;
            side.receiver.next = 1;
            side.sender.edge = segment.edge + 1;
            side.echo = segment.stamp;
            send_syn(world, to);
            arm(world, to);
        }
    }
}

/// The SYN-ACK has come.
pub(super) fn syn_ack(world: &mut World, to: End, segment: &Segment) {
    let Some(side) = world.network.side(to) else { return };
    match side.phase {
        Phase::SynSent => {
            side.receiver.next = 1;
            side.echo = segment.stamp;
            establish(world, to, segment);
            world.note(StepKind::Answered, to.number(), 0, 0);
            acknowledge(world, to);
        }
        Phase::Established => acknowledge(world, to),
        Phase::Dead => refuse(world, to),
        _ => {}
    }
}

/// Both have heard of each other: from here on data flows.
pub(super) fn establish(world: &mut World, end: End, segment: &Segment) {
    let now = world.now;
    let Some((seen, flat)) =
        world.network.both(end).map(|(side, peer)| (tcp_packet(side, peer, 0, 0), side.flat))
    else {
        return;
    };
    let mss = world.network.mss(&seen);
    let Some(side) = world.network.side(end) else { return };
    side.phase = Phase::Established;
    let rtt = match flat {
        Some(flat) => flat.there + flat.back,
        None => now.saturating_since(segment.echo),
    };
    // RFC 6928; one segment after more than one loss (RFC 5681 3.1), as on Linux.
    let segments = if side.timer.tries > 1 { 1 } else { u64::from(side.stack.initial_window) };
    let sender = &mut side.sender;
    sender.una = 1;
    sender.edge = segment.edge;
    sender.mss = mss;
    sender.window = mss * segments.max(1);
    sender.rtt = Some(Rtt::first(rtt));
    sender.last_sent = now;
    side.timer.tries = 0;
    side.timer.due = None;
    side.wake_both();
}

/// Says what has come so far.
pub(super) fn acknowledge(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    let segment = Segment {
        kind: Kind::Data,
        seq: side.sender.next,
        bytes: Bytes::new(),
        ack: side.receiver.next,
        edge: side.receiver.edge(),
        sacks: side.receiver.sacks(),
        stamp: now,
        echo: side.echo,
    };
    side.receiver.told = segment.edge;
    emit(world, end, segment);
}

/// The first acknowledgement of whoever asked: the connection can be accepted. False when nobody
/// is there to take it.
pub(super) fn acknowledged(world: &mut World, to: End, segment: &Segment) -> bool {
    let Some((host, address)) = world.network.side(to).map(|side| (side.host, side.address)) else {
        return false;
    };
    if !world.network.tcp.listeners.is_open(host, address) {
        refuse(world, to);
        return false;
    }
    establish(world, to, segment);
    if let Some(listener) = world.network.tcp.listeners.find_mut(host, address) {
        listener.push(to);
    }
    pump(world, to);
    true
}

/// There is no way to the peer: fatal only while the connection is being made (RFC 1122 4.2.3.9).
pub(super) fn unreachable(world: &mut World, to: End) {
    let Some(side) = world.network.side(to) else { return };
    if side.phase == Phase::SynSent {
        side.die(Some(io::ErrorKind::HostUnreachable));
        arm(world, to);
        world.note(StepKind::Answered, to.number(), 0, 2);
    }
}

/// A SYN or SYN-ACK was not answered in time.
pub(super) fn unanswered(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    side.timer.tries += 1;
    side.timer.start = now;
    if patience(side, side.timer.tries).is_some() {
        send_syn(world, end);
        return arm(world, end);
    }
    let half_open = side.phase == Phase::SynReceived;
    side.die(Some(io::ErrorKind::TimedOut));
    if half_open {
        // Nobody has it.
        side.closed = true;
        forget_if_done(world, end);
    } else {
        world.note(StepKind::Answered, end.number(), 0, 3);
    }
}
