//! Writing.

use core::task::{Context, Poll};
use std::io;

use super::send::pump;
use super::side::{Fin, Phase};
use super::slots::End;
use super::timer::arm;
use crate::choice::Point;
use crate::step::StepKind;
use crate::world::World;

pub(crate) fn poll_write(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let now = world.now;
    let Some(side) = world.network.side(end) else {
        return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
    };
    if side.phase == Phase::Dead || side.sender.fin != Fin::Open {
        let error = side.error.take().unwrap_or(io::ErrorKind::BrokenPipe);
        return Poll::Ready(Err(error.into()));
    }
    let all: usize = slices.iter().map(|slice| slice.len()).sum();
    if all == 0 {
        return Poll::Ready(Ok(0));
    }
    if side.flat.is_some() {
        side.settle(now);
        if side.sender.unsent_len > 0 {
            pump(world, end);
        }
    }
    let Some(side) = world.network.side(end) else {
        return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
    };
    let room = side.stack.send_buffer.max(1).saturating_sub(side.sender.held());
    // Who waits for room does not try before it is told.
    if room == 0 || side.writer.is_some() {
        side.writer = Some(cx.waker().clone());
        arm(world, end);
        return Poll::Pending;
    }
    let mut most = room.min(all);
    if most > 1 && world.choices.fires(Point::PartialWrite) {
        most = 1 + world.choices.draw("taken", most.min(65_536) as u32) as usize;
    }
    let mut taken = Vec::with_capacity(most);
    for slice in slices {
        let count = slice.len().min(most - taken.len());
        taken.extend_from_slice(&slice[..count]);
    }
    if let Some(side) = world.network.side(end) {
        side.sender.unsent.push_back(taken.into());
        side.sender.unsent_len += most;
    }
    world.note(StepKind::Written, end.number(), 0, most as u64);
    pump(world, end);
    Poll::Ready(Ok(most))
}
