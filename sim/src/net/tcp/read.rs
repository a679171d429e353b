//! Reading, and the window that it opens.

use core::task::{Context, Poll};
use std::io;

use bytes::Buf as _;

use super::handshake::acknowledge;
use super::side::{Phase, Receiver};
use super::slots::End;
use super::timer::arm;
use crate::choice::Point;
use crate::step::StepKind;
use crate::world::World;

/// So many reads in a row give one byte at most.
const TRICKLE_MAX: u32 = 256;

pub(crate) fn poll_read(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let Some(side) = world.network.side(end) else {
        return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
    };
    if side.receiver.arrived.is_empty() {
        // As on Linux, a reset is told once, here or by a write, and undoes no end.
        if side.receiver.finished {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = side.error.take() {
            return Poll::Ready(Err(error.into()));
        }
        if side.phase == Phase::Dead {
            return Poll::Ready(Ok(0));
        }
        side.reader = Some(cx.waker().clone());
        return Poll::Pending;
    }
    let mut most = buffer.len();
    let mut trickle = side.receiver.trickle.saturating_sub(1);
    let trickles = side.receiver.trickle > 0;
    if !trickles && world.choices.fires(Point::NotReadyOnce) {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    if most > 1 && !trickles && world.choices.fires(Point::Trickle) {
        trickle = world.choices.draw("trickle", TRICKLE_MAX);
        most = 1;
    } else if most > 1 && (trickles || world.choices.fires(Point::OneByteRead)) {
        most = 1;
    } else if most > 1 && world.choices.fires(Point::PrefixRead) {
        most = 1 + world.choices.draw("prefix", most.min(65_536) as u32) as usize;
    }
    let Some(side) = world.network.side(end) else {
        return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
    };
    side.receiver.trickle = trickle;
    let read = side.receiver.read(&mut buffer[..most]);
    tell_window(world, end);
    world.note(StepKind::Read, end.number(), 0, read as u64);
    Poll::Ready(Ok(read))
}

impl Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut read = 0;
        while read < buffer.len()
            && let Some(front) = self.arrived.front_mut()
        {
            let count = front.len().min(buffer.len() - read);
            buffer[read..read + count].copy_from_slice(&front[..count]);
            front.advance(count);
            read += count;
            if front.is_empty() {
                self.arrived.pop_front();
            }
        }
        self.unread -= read;
        read
    }
}

/// Tells the peer of room that is worth telling: two segments or half of the buffer (RFC 9293
/// 3.8.6.2.2).
fn tell_window(world: &mut World, end: End) {
    let now = world.now;
    let Some((side, peer)) = world.network.both(end) else { return };
    if side.phase != Phase::Established || side.receiver.finished {
        return;
    }
    let edge = side.receiver.edge();
    let buffer = side.receiver.buffer as u64;
    let worth = (side.sender.mss * 2).min(buffer.div_ceil(2));
    if edge < side.receiver.told + worth {
        return;
    }
    side.receiver.told = edge;
    if let Some(flat) = side.flat {
        peer.sender.edges.push_back((now + flat.there, edge));
        arm(world, end.peer());
    } else {
        acknowledge(world, end);
    }
}
