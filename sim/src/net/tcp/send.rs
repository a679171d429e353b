//! The sending half: what goes next, and when it may.

use bytes::{Bytes, BytesMut};
use regatta_core::Instant;

use super::close::die;
use super::segment::{Kind, Segment};
use super::side::{Fin, Flight, Phase, Sent, Side};
use super::slots::End;
use super::timer::arm;
use super::turn::turn;
use super::{Happening, What};
use crate::choice::Point;
use crate::net::firewall::{Seen, Verdict};
use crate::net::nat::Translated;
use crate::net::rule::Transport;
use crate::net::transit::{Fate, transmit};
use crate::net::{self, tap};
use crate::step::StepKind;
use crate::world::{self, World};

/// A packet of a connection, as the network sees it.
pub(super) fn tcp_packet(side: &Side, peer: &Side, payload: usize, header: u64) -> Seen {
    Seen {
        transport: Transport::Tcp,
        from: side.host,
        source: side.address,
        to: peer.host,
        destination: peer.address,
        payload,
        size: header + payload as u64,
    }
}

/// Sends everything that may go.
pub(super) fn pump(world: &mut World, end: End) {
    let now = world.now;
    while let Some(side) = world.network.side(end)
        && side.phase == Phase::Established
        && let Some(segment) = side.next_segment(now)
    {
        emit(world, end, segment);
    }
    arm(world, end);
}

impl Side {
    /// What goes next: what was lost, then what is new, then the end.
    fn next_segment(&mut self, now: Instant) -> Option<Segment> {
        self.slow_down(now);
        if self.flat.is_none()
            && let Some(segment) = self.again(now)
        {
            return Some(segment);
        }
        let (bytes, fin) = self.fresh()?;
        let sender = &mut self.sender;
        if sender.flight.is_empty() {
            self.timer.start = now;
        }
        sender.sent += 1;
        let acked = self.flat.map_or(now, |flat| now + flat.there + flat.back);
        let flight = Flight {
            seq: sender.next,
            bytes: bytes.clone(),
            fin,
            at: now,
            number: sender.sent,
            state: Sent::OnItsWay,
            acked,
        };
        sender.next += flight.len();
        sender.pipe += flight.len();
        let seq = flight.seq;
        sender.flight.push_back(flight);
        sender.last_sent = now;
        sender.probed = false;
        Some(self.segment(now, seq, bytes, fin))
    }

    /// A segment with everything that this end can say.
    pub(super) fn segment(&mut self, now: Instant, seq: u64, bytes: Bytes, fin: bool) -> Segment {
        let kind = if fin { Kind::Fin } else { Kind::Data };
        let edge = self.receiver.edge();
        if self.flat.is_none() {
            self.receiver.told = edge;
        }
        let sacks = self.receiver.sacks();
        let ack = self.receiver.next;
        Segment { kind, seq, bytes, ack, edge, sacks, stamp: now, echo: self.echo }
    }

    /// What was never sent and may go now.
    fn fresh(&mut self) -> Option<(Bytes, bool)> {
        let sender = &mut self.sender;
        if sender.unsent_len == 0 {
            if sender.fin != Fin::Wanted {
                return None;
            }
            sender.fin = Fin::Sent;
            return Some((Bytes::new(), true));
        }
        let room = sender.window.saturating_sub(sender.pipe) as usize;
        let taken = sender.edge.saturating_sub(sender.next) as usize;
        let size = if self.flat.is_some() {
            room.min(taken)
        } else {
            // The congestion window has whole segments; the receiver's is filled to its edge.
            let size = taken.min(sender.mss as usize).min(sender.unsent_len);
            if size > room && sender.pipe > 0 { 0 } else { size }
        };
        if size == 0 {
            return None;
        }
        let bytes = sender.take(size, self.flat.is_some());
        let fin = sender.fin == Fin::Wanted && sender.unsent_len == 0;
        if fin {
            sender.fin = Fin::Sent;
        }
        Some((bytes, fin))
    }

    /// The first segment that is lost, if there is room for it.
    fn again(&mut self, now: Instant) -> Option<Segment> {
        let sender = &mut self.sender;
        sender.recovery?;
        let room = sender.window.saturating_sub(sender.pipe);
        let lost = sender.flight.iter_mut().find(|one| one.state == Sent::Lost)?;
        if lost.len() > room && sender.pipe > 0 {
            return None;
        }
        sender.sent += 1;
        (lost.state, lost.number, lost.at) = (Sent::OnItsWay, sender.sent, now);
        sender.pipe += lost.len();
        sender.last_sent = now;
        let (seq, bytes, fin) = (lost.seq, lost.bytes.clone(), lost.fin);
        Some(self.segment(now, seq, bytes, fin))
    }

    /// An idle connection begins slowly again (RFC 5681 4.1): its window halves for each
    /// retransmission timeout without a word, as on Linux.
    fn slow_down(&mut self, now: Instant) {
        let sender = &mut self.sender;
        if !sender.flight.is_empty() || (sender.unsent_len == 0 && sender.fin != Fin::Wanted) {
            return;
        }
        let mut idle = now.saturating_since(sender.last_sent);
        let least = sender.mss * u64::from(self.stack.initial_window.max(1));
        let timeout = sender.timeout();
        while idle > timeout && sender.window > least {
            sender.window = (sender.window / 2).max(least);
            idle -= timeout;
        }
    }
}

impl super::side::Sender {
    /// Takes bytes from what is unsent; of one write only where `single`.
    fn take(&mut self, size: usize, single: bool) -> Bytes {
        let Some(front) = self.unsent.front_mut() else { return Bytes::new() };
        let bytes = if front.len() > size {
            front.split_to(size)
        } else if single || front.len() == size || self.unsent.len() == 1 {
            self.unsent.pop_front().unwrap_or_default()
        } else {
            let mut all = BytesMut::with_capacity(size);
            while all.len() < size
                && let Some(front) = self.unsent.front_mut()
            {
                let count = front.len().min(size - all.len());
                all.extend_from_slice(&front.split_to(count));
                if front.is_empty() {
                    self.unsent.pop_front();
                }
            }
            all.freeze()
        };
        self.unsent_len -= bytes.len();
        bytes
    }
}

/// Lets a segment go from an end to its peer.
pub(super) fn emit(world: &mut World, from: End, segment: Segment) {
    let now = world.now;
    let to = from.peer();
    let Some((side, peer)) = world.network.both(from) else { return };
    let header = segment.header(side.address.is_ipv4());
    let seen = tcp_packet(side, peer, segment.bytes.len(), header);
    let lost = !segment.bytes.is_empty()
        && seen.from != seen.to
        && world.choices.fires(Point::SegmentLost);
    if lost {
        tap::offer_segment(world, &seen, from, &segment, None);
        // Between hosts without delay it would count as acknowledged already.
        if let Some(last) = world.network.side(from).and_then(|side| side.sender.flight.back_mut())
        {
            last.acked = Instant::MAX;
        }
        turn(world, from);
        return world.note(StepKind::Lost, to.number(), 0, seen.size);
    }
    let Some(side) = world.network.side(from) else { return };
    let flat = side.flat;
    let what = Happening { to, what: What::Segment(segment) };
    if let Some(flat) = flat {
        if let What::Segment(segment) = &what.what {
            tap::offer_segment(world, &seen, from, segment, Some(now + flat.there));
        }
        let happening = world::Happening::Net(net::Happening::Tcp(what));
        return world.schedule(now + flat.there, happening);
    }
    let what = match world.network.translate(now, from) {
        Translated::Same => what,
        Translated::Stray => Happening { to, what: What::Stray },
        Translated::Lost => return world.note(StepKind::Lost, to.number(), 0, seen.size),
    };
    launch(world, seen, from, what);
}

/// Sends a packet, and lets its sender hear of a firewall's no.
fn launch(world: &mut World, seen: Seen, from: End, what: Happening) {
    let happening = net::Happening::Tcp(what);
    let Fate::Rejected(verdict, at) = transmit(world, seen, happening) else { return };
    let what = match verdict {
        Verdict::Reset => What::Segment(reset_segment(world.now)),
        _ => What::Unreachable,
    };
    let happening = net::Happening::Tcp(Happening { to: from, what });
    world.schedule(at, world::Happening::Net(happening));
}

/// A segment has come to a host from where it knows nobody: a NAT has forgotten the connection.
pub(super) fn stray(world: &mut World, at: End) {
    let Some((side, peer)) = world.network.both(at) else { return };
    let segment = reset_segment(world.now);
    let header = segment.header(side.address.is_ipv4());
    let seen = tcp_packet(side, peer, 0, header);
    launch(world, seen, at, Happening { to: at.peer(), what: What::Segment(segment) });
}

pub(super) const fn reset_segment(now: Instant) -> Segment {
    Segment {
        kind: Kind::Reset,
        seq: 0,
        bytes: Bytes::new(),
        ack: 0,
        edge: 0,
        sacks: Vec::new(),
        stamp: now,
        echo: now,
    }
}

/// The retransmission timer has expired.
pub(super) fn timed_out(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    let sender = &mut side.sender;
    let since = *sender.silent_since.get_or_insert(now);
    if now.saturating_since(since) >= super::timer::GIVES_UP {
        return die(world, end, std::io::ErrorKind::TimedOut);
    }
    sender.backoff += 1;
    side.timer.start = now;
    side.timer.overtaken = None;
    for one in sender.flight.iter_mut().filter(|one| one.state == Sent::OnItsWay) {
        one.state = Sent::Lost;
    }
    if sender.recovery.is_none_or(|recovery| !recovery.timeout) {
        sender.threshold = (sender.pipe / 2).max(2 * sender.mss);
    }
    let recovery = super::side::Recovery { until: sender.next, timeout: true };
    sender.recovery = Some(recovery);
    sender.pipe = 0;
    sender.window = sender.mss;
    pump(world, end);
}

/// Sends the last of a flight again, so that its acknowledgement shows what is missing.
pub(super) fn probe(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    side.sender.probed = true;
    side.timer.start = now;
    side.sender.sent += 1;
    let number = side.sender.sent;
    if let Some(last) = side.sender.flight.back_mut() {
        (last.number, last.at) = (number, now);
        let (seq, bytes, fin) = (last.seq, last.bytes.clone(), last.fin);
        side.sender.last_sent = now;
        let segment = side.segment(now, seq, bytes, fin);
        emit(world, end, segment);
    }
    arm(world, end);
}

/// Asks a peer whose window is closed whether it still is, with a byte's place that it knows.
pub(super) fn ask_window(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    side.sender.backoff += 1;
    side.timer.start = now;
    let seq = side.sender.next - 1;
    let segment = side.segment(now, seq, Bytes::new(), false);
    emit(world, end, segment);
    arm(world, end);
}
