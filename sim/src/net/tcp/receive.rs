//! The receiving half: segments as they come.

use bytes::Buf as _;

use super::ack;
use super::close::{refuse, reset_arrived};
use super::handshake::{acknowledge, acknowledged, syn, syn_ack};
use super::segment::{Kind, Segment};
use super::send::tcp_packet;
use super::side::{Phase, Receiver};
use super::slots::End;
use crate::net::tap;
use crate::step::StepKind;
use crate::world::World;

pub(super) fn arrive(world: &mut World, to: End, segment: Segment) {
    let Some(side) = world.network.side(to) else { return };
    match (segment.kind, side.phase) {
        (Kind::Reset, _) => reset_arrived(world, to),
        (Kind::Syn, _) => syn(world, to, &segment),
        (Kind::SynAck, _) => syn_ack(world, to, &segment),
        (_, Phase::Dead) => refuse(world, to),
        (_, Phase::SynReceived) => {
            if acknowledged(world, to, &segment) {
                data(world, to, segment);
            }
        }
        (_, Phase::Established) => data(world, to, segment),
        (_, Phase::Listening | Phase::SynSent) => {}
    }
}

fn data(world: &mut World, to: End, segment: Segment) {
    ack::take(world, to, &segment);
    let Some(side) = world.network.side(to) else { return };
    if side.closed && !segment.bytes.is_empty() {
        // Nobody reads it: the sender hears so, as from Linux.
        return refuse(world, to);
    }
    if segment.bytes.is_empty() && segment.kind == Kind::Data {
        // A question about the window, from before what is wanted next.
        if segment.seq < side.receiver.next {
            acknowledge(world, to);
        }
        return;
    }
    if segment.seq <= side.receiver.next {
        side.echo = segment.stamp;
    }
    let is_flat = side.flat.is_some();
    let count = side.receiver.take(segment);
    let finished = side.receiver.finished;
    if count > 0 || finished {
        side.wake_reader();
    }
    if count > 0 {
        world.note(StepKind::Arrived, to.number(), 0, count as u64);
    }
    if is_flat {
        show_acknowledgement(world, to);
    } else {
        acknowledge(world, to);
    }
}

/// A tap sees the acknowledgement that is only reckoned with.
fn show_acknowledgement(world: &mut World, end: End) {
    let now = world.now;
    if world.network.tap.is_none() {
        return;
    }
    let Some((side, peer)) = world.network.both(end) else { return };
    let Some(flat) = side.flat else { return };
    let seq = side.sender.next;
    let segment = side.segment(now, seq, bytes::Bytes::new(), false);
    let seen = tcp_packet(side, peer, 0, segment.header(side.address.is_ipv4()));
    tap::offer_segment(world, &seen, end, &segment, Some(now + flat.there));
}

impl Receiver {
    /// Keeps what is new of a segment; says how many bytes can be read now that could not before.
    fn take(&mut self, segment: Segment) -> usize {
        let fin = segment.kind == Kind::Fin;
        if segment.end() <= self.next {
            return 0;
        }
        if segment.seq > self.next {
            self.latest = segment.seq;
            let known = self.early.get(&segment.seq);
            if known.is_none_or(|(bytes, _)| bytes.len() < segment.bytes.len()) {
                self.early.insert(segment.seq, (segment.bytes, fin));
            }
            return 0;
        }
        let mut count = self.deliver(segment.seq, segment.bytes, fin);
        while let Some(entry) = self.early.first_entry()
            && *entry.key() <= self.next
        {
            let (seq, (bytes, fin)) = entry.remove_entry();
            count += self.deliver(seq, bytes, fin);
        }
        count
    }

    /// Takes in bytes that begin at `seq`, where that is not after what is wanted next.
    fn deliver(&mut self, seq: u64, mut bytes: bytes::Bytes, fin: bool) -> usize {
        let known = ((self.next - seq) as usize).min(bytes.len());
        bytes.advance(known);
        let count = bytes.len();
        if seq + (known + count) as u64 != self.next + count as u64 {
            return 0;
        }
        self.next += count as u64;
        self.unread += count;
        if count > 0 {
            self.arrived.push_back(bytes);
        }
        if fin && !self.finished {
            self.finished = true;
            self.next += 1;
        }
        count
    }

    /// Up to three ranges of what came too early, that of what came last first (RFC 2018 4).
    pub(super) fn sacks(&self) -> Vec<(u64, u64)> {
        let mut all: Vec<(u64, u64)> = Vec::new();
        for (seq, (bytes, fin)) in &self.early {
            let end = seq + bytes.len() as u64 + u64::from(*fin);
            match all.last_mut() {
                Some((_, last)) if *last >= *seq => *last = end.max(*last),
                _ => all.push((*seq, end)),
            }
        }
        let holds = |(from, to): &(u64, u64)| (*from..*to).contains(&self.latest);
        if let Some(latest) = all.iter().position(holds) {
            all[..=latest].rotate_right(1);
        }
        all.truncate(3);
        all
    }
}
