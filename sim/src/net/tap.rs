//! A tap: every packet that is sent, for whoever wants to see it.

use core::fmt;
use core::net::SocketAddr;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_runtime::Ecn;

use super::firewall::Seen;
use super::rule::Transport;
use super::tcp::{self, End, Kind, Segment};
use super::udp::Coming;
use super::{Happening, HostId};
use crate::executor::Net;
use crate::world::World;

/// A packet that was sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Packet {
    /// When its sender sent it.
    pub sent: Instant,
    /// When it arrives; `None` is never.
    pub arrives: Option<Instant>,
    /// Who sent it.
    pub from: HostId,
    /// Who gets it.
    pub to: HostId,
    /// Its source, as the sender knows it.
    pub source: SocketAddr,
    /// Its destination, as the receiver knows it.
    pub destination: SocketAddr,
    /// What it says of its connection; `None` is a datagram.
    pub tcp: Option<TcpHeader>,
    /// The mark of its IP header.
    pub ecn: Option<Ecn>,
    /// What it carries.
    pub payload: Bytes,
}

/// The fields of a TCP header that differ from packet to packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpHeader {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; `None` without ACK.
    pub ack: Option<u32>,
    /// The beginning of a connection.
    pub syn: bool,
    /// The end of what is sent.
    pub fin: bool,
    /// The end of the connection.
    pub rst: bool,
    /// Bytes that its sender can take.
    pub window: u32,
    /// The longest segment that it announces; only with `syn`.
    pub mss: u16,
    /// Ranges beyond `ack` that have come.
    pub sacks: Vec<(u32, u32)>,
    /// Milliseconds, of now and of what is answered.
    pub stamps: (u32, u32),
}

/// Who sees packets.
pub(crate) struct Tap(Box<dyn FnMut(&Packet) + Send>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl Net {
    /// Shows every packet that is sent from now on, in the order of sending and before it
    /// arrives. It changes nothing of the run. A second tap takes the place of the first.
    pub fn tap(&self, see: impl FnMut(&Packet) + Send + 'static) {
        self.shared.world().network.tap = Some(Tap(Box::new(see)));
    }
}

/// Shows a packet that was handed to the network.
pub(super) fn offer(world: &mut World, seen: &Seen, what: &Happening, arrives: Option<Instant>) {
    if world.network.tap.is_none() {
        return;
    }
    match what {
        Happening::Tcp(tcp::Happening { to, what: tcp::What::Segment(segment) }) => {
            offer_segment(world, seen, to.peer(), segment, arrives);
        }
        Happening::Udp(Coming::Datagram(datagram)) => {
            let mut packet = packet(world.now, seen, arrives);
            (packet.ecn, packet.payload) = (datagram.ecn, datagram.bytes.clone());
            show(world, &packet);
        }
        // ICMP, and what a NAT has made strange, are not shown.
        _ => {}
    }
}

/// Shows a segment, or each of a row of them.
pub(super) fn offer_segment(
    world: &mut World,
    seen: &Seen,
    from: End,
    segment: &Segment,
    arrives: Option<Instant>,
) {
    if world.network.tap.is_none() {
        return;
    }
    let mss = world.network.mss(seen) as usize;
    let mut packet = packet(world.now, seen, arrives);
    let (own, other) = (from.first_number(), from.peer().first_number());
    let mut rest = segment.bytes.clone();
    let mut seq = segment.seq;
    loop {
        let payload = rest.split_to(rest.len().min(mss));
        let last = rest.is_empty();
        let acks = segment.kind != Kind::Syn;
        packet.tcp = Some(TcpHeader {
            seq: own.wrapping_add(seq as u32),
            ack: acks.then(|| other.wrapping_add(segment.ack as u32)),
            syn: matches!(segment.kind, Kind::Syn | Kind::SynAck),
            fin: segment.kind == Kind::Fin && last,
            rst: segment.kind == Kind::Reset,
            window: segment.edge.saturating_sub(segment.ack) as u32,
            mss: mss as u16 + 12,
            sacks: segment
                .sacks
                .iter()
                .map(|(a, b)| (other.wrapping_add(*a as u32), other.wrapping_add(*b as u32)))
                .collect(),
            stamps: (millis(segment.stamp), millis(segment.echo)),
        });
        seq += payload.len() as u64;
        packet.payload = payload;
        show(world, &packet);
        if last {
            return;
        }
    }
}

fn packet(now: Instant, seen: &Seen, arrives: Option<Instant>) -> Packet {
    debug_assert!(matches!(seen.transport, Transport::Tcp | Transport::Udp));
    Packet {
        sent: now,
        arrives,
        from: seen.from,
        to: seen.to,
        source: seen.source,
        destination: seen.destination,
        tcp: None,
        ecn: None,
        payload: Bytes::new(),
    }
}

fn show(world: &mut World, packet: &Packet) {
    if let Some(Tap(see)) = &mut world.network.tap {
        see(packet);
    }
}

const fn millis(at: Instant) -> u32 {
    (at.as_nanos() / 1_000_000) as u32
}
