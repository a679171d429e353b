//! What one end of a connection knows.

use core::net::SocketAddr;
use core::task::Waker;
use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_core::time::Duration;

use crate::executor::Armed;
use crate::net::HostId;
use crate::net::nat::NatFlow;
use crate::net::stack::Stack;

/// One end.
#[derive(Debug)]
pub(crate) struct Side {
    pub(in crate::net) host: HostId,
    pub(super) address: SocketAddr,
    pub(super) phase: Phase,
    /// Of the way to the peer and back, where both are flat.
    pub(super) flat: Option<Flat>,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    /// What its owner is told once, by the next read or write.
    pub(super) error: Option<io::ErrorKind>,
    /// Its owner has dropped it.
    pub(super) closed: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) stack: Stack,
    pub(super) timer: Timer,
    /// The stamp of what came last in order.
    pub(super) echo: Instant,
    /// Of whoever asked from behind a NAT.
    pub(in crate::net) nat: Option<NatFlow>,
}

/// How far a connection is, as one end knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Listening,
    SynSent,
    SynReceived,
    Established,
    /// Reset, refused or timed out.
    Dead,
}

/// A way on which everything arrives after one delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flat {
    pub(super) there: Duration,
    pub(super) back: Duration,
}

/// The sending half.
#[derive(Debug)]
pub(super) struct Sender {
    /// Everything before this is acknowledged.
    pub(super) una: u64,
    /// The next place that was never sent.
    pub(super) next: u64,
    /// Written and not sent.
    pub(super) unsent: VecDeque<Bytes>,
    pub(super) unsent_len: usize,
    /// Sent and not acknowledged.
    pub(super) flight: VecDeque<Flight>,
    /// Bytes of `flight` that are thought to be on their way.
    pub(super) pipe: u64,
    /// The peer takes what is before this.
    pub(super) edge: u64,
    /// Edges that will be known; only where the way is flat.
    pub(super) edges: VecDeque<(Instant, u64)>,
    pub(super) mss: u64,
    /// The congestion window, in bytes.
    pub(super) window: u64,
    pub(super) threshold: u64,
    pub(super) recovery: Option<Recovery>,
    pub(super) fin: Fin,
    pub(super) rtt: Option<Rtt>,
    /// How often in a row the retransmission timer has expired.
    pub(super) backoff: u32,
    /// When the first of those was.
    pub(super) silent_since: Option<Instant>,
    /// Transmissions so far: what was sent last has the highest number.
    pub(super) sent: u64,
    /// The highest number that is known to have arrived.
    pub(super) delivered: u64,
    /// A probe was sent for the tail of this flight.
    pub(super) probed: bool,
    pub(super) last_sent: Instant,
}

/// Something that was sent and is not acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) seq: u64,
    pub(super) bytes: Bytes,
    pub(super) fin: bool,
    pub(super) at: Instant,
    /// Which transmission it was last.
    pub(super) number: u64,
    pub(super) state: Sent,
    /// When it will be acknowledged; only where the way is flat.
    pub(super) acked: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    OnItsWay,
    /// It has arrived, and something before it has not.
    Sacked,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    Open,
    /// After what is unsent.
    Wanted,
    Sent,
}

/// Losses are repaired until `until` is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) until: u64,
    /// It began with a timeout: the window grows again from one segment.
    pub(super) timeout: bool,
}

/// RFC 6298's estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rtt {
    pub(super) smooth: Duration,
    pub(super) variation: Duration,
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The next place that is wanted.
    pub(super) next: u64,
    /// What has come and was not read.
    pub(super) arrived: VecDeque<Bytes>,
    pub(super) unread: usize,
    /// What came too early, by place; with whether it is the end.
    pub(super) early: BTreeMap<u64, (Bytes, bool)>,
    /// Where what came too early last begins.
    pub(super) latest: u64,
    /// Everything has come.
    pub(super) finished: bool,
    pub(super) buffer: usize,
    /// The edge that the peer was told.
    pub(super) told: u64,
    /// So many more reads give one byte each.
    pub(super) trickle: u32,
}

/// The one timer of an end.
#[derive(Debug, Default)]
pub(super) struct Timer {
    pub(super) due: Option<(Instant, Why)>,
    /// Its place in the agenda.
    pub(super) armed: Option<Armed>,
    /// When the retransmission timer was started.
    pub(super) start: Instant,
    /// When something that others have overtaken counts as lost.
    pub(super) overtaken: Option<Instant>,
    /// How often a SYN or SYN-ACK was sent again.
    pub(super) tries: u32,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A SYN or SYN-ACK goes again.
    Handshake,
    /// Something acknowledged or read is known now, on a flat way.
    Known,
    Overtaken,
    /// The tail of a flight is sent again (RFC 8985 7).
    Probe,
    Retransmit,
    /// Asks whether a closed window is open again.
    Window,
}

impl Side {
    pub(super) fn new(host: HostId, address: SocketAddr, stack: Stack, now: Instant) -> Self {
        Self {
            host,
            address,
            phase: Phase::Listening,
            flat: None,
            sender: Sender::new(now),
            receiver: Receiver {
                next: 0,
                arrived: VecDeque::new(),
                unread: 0,
                trickle: 0,
                early: BTreeMap::new(),
                latest: 0,
                finished: false,
                buffer: stack.receive_buffer.max(1),
                told: 0,
            },
            error: None,
            closed: false,
            reader: None,
            writer: None,
            stack,
            timer: Timer::default(),
            echo: now,
            nat: None,
        }
    }

    /// Takes over the memory of the queues of a side that was cleared.
    pub(super) fn inherit(&mut self, old: &mut Self) {
        self.sender.unsent = core::mem::take(&mut old.sender.unsent);
        self.sender.flight = core::mem::take(&mut old.sender.flight);
        self.sender.edges = core::mem::take(&mut old.sender.edges);
        self.receiver.arrived = core::mem::take(&mut old.receiver.arrived);
    }

    /// Its address as its peer sees it.
    pub(super) fn seen_as(&self) -> SocketAddr {
        self.nat.map_or(self.address, |flow| flow.public)
    }

    pub(super) fn wake_both(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// It is over; what has come can still be read, as on Linux.
    pub(super) fn die(&mut self, error: Option<io::ErrorKind>) {
        self.phase = Phase::Dead;
        self.error = error;
        self.sender.clear();
        self.receiver.early.clear();
        self.timer.due = None;
        self.wake_both();
    }

    /// Lets go of everything.
    pub(super) fn clear(&mut self) {
        self.sender.clear();
        self.receiver.arrived.clear();
        self.receiver.early.clear();
        (self.reader, self.writer) = (None, None);
    }
}

impl Sender {
    fn new(now: Instant) -> Self {
        Self {
            una: 0,
            next: 0,
            unsent: VecDeque::new(),
            unsent_len: 0,
            flight: VecDeque::new(),
            pipe: 0,
            edge: 0,
            edges: VecDeque::new(),
            mss: 0,
            window: 0,
            threshold: u64::MAX,
            recovery: None,
            fin: Fin::Open,
            rtt: None,
            backoff: 0,
            silent_since: None,
            sent: 0,
            delivered: 0,
            probed: false,
            last_sent: now,
        }
    }

    fn clear(&mut self) {
        self.unsent.clear();
        self.unsent_len = 0;
        self.flight.clear();
        self.pipe = 0;
        self.edges.clear();
    }

    /// Bytes that were written and are not acknowledged.
    pub(super) const fn held(&self) -> usize {
        (self.next - self.una) as usize + self.unsent_len
    }
}

impl Flight {
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.fin)
    }

    pub(super) fn end(&self) -> u64 {
        self.seq + self.len()
    }
}

impl Receiver {
    /// What the peer may send up to.
    pub(super) const fn edge(&self) -> u64 {
        self.next + (self.buffer as u64).saturating_sub(self.unread as u64)
    }
}
