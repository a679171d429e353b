//! What a sender learns: acknowledgements, windows, losses.

use regatta_core::Instant;

use super::segment::Segment;
use super::send::pump;
use super::side::{Recovery, Sender, Sent, Side};
use super::slots::End;
use crate::world::World;

/// Something is lost when one that was sent so many transmissions later has arrived (RFC 5681's
/// three duplicates).
const OVERTAKEN_BY: u64 = 3;

impl Side {
    /// Takes in what is known by now on a flat way, and wakes a writer that waits for room.
    pub(super) fn settle(&mut self, now: Instant) {
        let sender = &mut self.sender;
        while let Some((at, edge)) = sender.edges.front()
            && *at <= now
        {
            sender.edge = *edge;
            sender.edges.pop_front();
        }
        while let Some(front) = sender.flight.front()
            && front.acked <= now
        {
            let (end, len) = (front.end(), front.len());
            let full = sender.pipe * 2 >= sender.window;
            sender.flight.pop_front();
            sender.pipe -= len;
            sender.una = end;
            if full {
                sender.grow(len);
            }
        }
        self.wake_writer();
    }

    /// A writer that waited hears of room when a third of the buffer is free, as with Linux
    /// (`sk_stream_is_writeable`): else one byte read would be one byte written, for ever.
    fn wake_writer(&mut self) {
        if self.sender.held() * 3 <= self.stack.send_buffer.max(1) * 2
            && let Some(waker) = self.writer.take()
        {
            waker.wake();
        }
    }

    /// Takes in an acknowledgement.
    fn acknowledged(&mut self, now: Instant, segment: &Segment) {
        let sender = &mut self.sender;
        sender.edge = sender.edge.max(segment.edge);
        let full = sender.pipe * 2 >= sender.window;
        for (from, to) in &segment.sacks {
            sender.mark_arrived(*from, *to);
        }
        if segment.ack > sender.una && segment.ack <= sender.next {
            let count = segment.ack - sender.una;
            sender.forget(segment.ack);
            (sender.backoff, sender.silent_since, sender.probed) = (0, None, false);
            self.timer.start = now;
            let sample = now.saturating_since(segment.echo);
            match &mut sender.rtt {
                Some(rtt) => rtt.update(sample),
                rtt => *rtt = Some(super::side::Rtt::first(sample)),
            }
            if let Some(recovery) = sender.recovery
                && sender.una >= recovery.until
            {
                sender.recovery = None;
            }
            let slow = sender.recovery.is_none_or(|recovery| recovery.timeout);
            if slow && full {
                sender.grow(count);
            }
        } else if sender.flight.is_empty() {
            (sender.backoff, sender.silent_since) = (0, None);
            self.timer.start = now;
        }
        self.find_lost(now);
        self.wake_writer();
    }

    /// Finds what is lost, and when the rest would be (RFC 8985 6).
    pub(super) fn find_lost(&mut self, now: Instant) {
        let sender = &mut self.sender;
        self.timer.overtaken = None;
        let Some(rtt) = sender.rtt else { return };
        let patience = rtt.smooth + rtt.smooth / 4;
        let mut lost = 0;
        for one in &mut sender.flight {
            if one.state != Sent::OnItsWay || one.number > sender.delivered {
                continue;
            }
            let at = one.at + patience;
            if sender.delivered - one.number >= OVERTAKEN_BY || at <= now {
                one.state = Sent::Lost;
                lost += one.len();
            } else if self.timer.overtaken.is_none_or(|other| at < other) {
                self.timer.overtaken = Some(at);
            }
        }
        if lost == 0 {
            return;
        }
        let flight = sender.pipe;
        sender.pipe -= lost;
        if sender.recovery.is_none() {
            sender.threshold = (flight / 2).max(2 * sender.mss);
            sender.window = sender.threshold;
            sender.recovery = Some(Recovery { until: sender.next, timeout: false });
            // The first goes at once, whatever the window says (RFC 5681 3.2).
            self.timer.start = now;
        }
    }
}

impl Sender {
    /// Slow start below the threshold, one segment a round trip above it (RFC 5681 3.1).
    fn grow(&mut self, count: u64) {
        if self.window < self.threshold {
            self.window = self.window.saturating_add(count);
        } else {
            self.window += (self.mss * count).div_ceil(self.window.max(1));
        }
    }

    /// What lies between these places has arrived, though something before it has not.
    fn mark_arrived(&mut self, from: u64, to: u64) {
        let inside = |one: &&mut super::side::Flight| one.seq >= from && one.end() <= to;
        for one in self.flight.iter_mut().filter(inside) {
            if one.state == Sent::OnItsWay {
                self.pipe -= one.len();
            }
            if one.state != Sent::Sacked {
                self.delivered = self.delivered.max(one.number);
            }
            one.state = Sent::Sacked;
        }
    }

    /// Everything before this place has arrived.
    fn forget(&mut self, ack: u64) {
        self.una = ack;
        while let Some(front) = self.flight.front_mut()
            && front.seq < ack
        {
            if front.end() > ack {
                // A part of it: the rest stays.
                let count = ack - front.seq;
                if front.state == Sent::OnItsWay {
                    self.pipe -= count;
                }
                let _ = front.bytes.split_to(count as usize);
                front.seq = ack;
                break;
            }
            if front.state == Sent::OnItsWay {
                self.pipe -= front.len();
            }
            if front.state != Sent::Sacked {
                self.delivered = self.delivered.max(front.number);
            }
            self.flight.pop_front();
        }
    }
}

/// An acknowledgement has come; what it allows goes.
pub(super) fn take(world: &mut World, to: End, segment: &Segment) {
    let now = world.now;
    let Some(side) = world.network.side(to) else { return };
    if side.flat.is_none() {
        side.acknowledged(now, segment);
        pump(world, to);
    }
}
