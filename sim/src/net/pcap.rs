//! A pcap file of a run, as Wireshark opens it: nanoseconds, raw IP.

use core::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::Instant;
use regatta_runtime::Ecn;

use super::HostId;
use super::tap::{Packet, TcpHeader};
use crate::host::UNIX_AT_EPOCH;

/// Classic pcap with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
/// `LINKTYPE_RAW`: a packet begins with its IP header.
const LINK_TYPE: u32 = 101;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// What a window is divided by; SYNs announce it as a scale of 7 (RFC 7323 2).
const SCALE: u8 = 7;

/// Gathers packets of a net into a pcap file.
///
/// ```
/// # use regatta_sim::{Link, Net, net::pcap::Pcap};
/// let net = Net::seeded(1);
/// let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
/// let pcap = Pcap::new();
/// net.tap(pcap.tap(Some(client.id())));
/// // After the run:
/// assert_eq!(pcap.file().len(), 24);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pcap {
    packets: Arc<Mutex<Vec<Timed>>>,
}

/// A packet, and when it passed.
type Timed = (Instant, Vec<u8>);

impl Pcap {
    /// One without packets.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to give to [`Net::tap`](crate::Net::tap). Of a host it keeps what it sends, when it
    /// does, and what arrives there, when it does, as if it was taken there; without one, all
    /// that anyone sends, lost or not.
    pub fn tap(&self, host: Option<HostId>) -> impl FnMut(&Packet) + Send + 'static {
        let packets = Arc::clone(&self.packets);
        move |packet| {
            let sent = host.is_none_or(|host| host == packet.from).then_some(packet.sent);
            let heard = host.is_some_and(|host| host == packet.to && host != packet.from);
            let at = sent.or_else(|| packet.arrives.filter(|_| heard));
            if let Some(at) = at {
                let mut packets = packets.lock().unwrap_or_else(PoisonError::into_inner);
                packets.push((at, ip(packet)));
            }
        }
    }

    /// The file: all packets so far, by time.
    pub fn file(&self) -> Vec<u8> {
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        packets.sort_by_key(|(at, _)| *at);
        let mut file = Vec::new();
        for word in [MAGIC, 4 << 16 | 2, 0, 0, 262_144, LINK_TYPE] {
            file.extend(word.to_le_bytes());
        }
        for (at, packet) in packets {
            let since = UNIX_AT_EPOCH + at.saturating_since(Instant::EPOCH);
            let length = packet.len() as u32;
            for word in [since.as_secs() as u32, since.subsec_nanos(), length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(packet);
        }
        file
    }
}

/// The whole packet from its IP header on.
fn ip(packet: &Packet) -> Vec<u8> {
    let (protocol, mut segment) = match &packet.tcp {
        Some(header) => (TCP, tcp(packet, header)),
        None => (UDP, udp(packet)),
    };
    let ecn = match packet.ecn {
        None => 0,
        Some(Ecn::Ect1) => 1,
        Some(Ecn::Ect0) => 2,
        Some(Ecn::Ce) => 3,
    };
    let (source, destination) = (packet.source.ip(), packet.destination.ip());
    let mut pseudo = Vec::new();
    pseudo.extend(octets(source));
    pseudo.extend(octets(destination));
    pseudo.extend((segment.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    let at = if protocol == TCP { 16 } else { 6 };
    let sum = checksum(&[&pseudo, &segment]);
    // A UDP checksum of 0 would mean none (RFC 768).
    let sum = if protocol == UDP && sum == 0 { u16::MAX } else { sum };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let mut all = if source.is_ipv4() {
        header_v4(segment.len(), ecn, protocol, source, destination)
    } else {
        header_v6(segment.len(), ecn, protocol, source, destination)
    };
    all.extend(segment);
    all
}

fn header_v4(length: usize, ecn: u8, protocol: u8, from: IpAddr, to: IpAddr) -> Vec<u8> {
    let total = (length + 20) as u16;
    let mut header = vec![0x45, ecn];
    header.extend(total.to_be_bytes());
    // No identification; do not fragment; 64 hops.
    header.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    header.extend(octets(from));
    header.extend(octets(to));
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn header_v6(length: usize, ecn: u8, protocol: u8, from: IpAddr, to: IpAddr) -> Vec<u8> {
    let mut header = vec![0x60, ecn << 4, 0, 0];
    header.extend((length as u16).to_be_bytes());
    header.extend([protocol, 64]);
    header.extend(octets(from));
    header.extend(octets(to));
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ports(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat()
}

fn udp(packet: &Packet) -> Vec<u8> {
    let mut all = ports(packet.source, packet.destination);
    all.extend((packet.payload.len() as u16 + 8).to_be_bytes());
    all.extend([0, 0]);
    all.extend(&packet.payload);
    all
}

fn tcp(packet: &Packet, header: &TcpHeader) -> Vec<u8> {
    let options = options(header);
    let words = 5 + options.len() as u8 / 4;
    let push = !packet.payload.is_empty();
    let flags = u8::from(header.fin)
        | u8::from(header.syn) << 1
        | u8::from(header.rst) << 2
        | u8::from(push) << 3
        | u8::from(header.ack.is_some()) << 4;
    // A SYN's own window is not scaled.
    let scale = if header.syn { 0 } else { SCALE };
    let window = u16::try_from(header.window >> scale).unwrap_or(u16::MAX);
    let mut all = ports(packet.source, packet.destination);
    all.extend(header.seq.to_be_bytes());
    all.extend(header.ack.unwrap_or(0).to_be_bytes());
    all.extend([words << 4, flags]);
    all.extend(window.to_be_bytes());
    all.extend([0, 0, 0, 0]);
    all.extend(options);
    all.extend(&packet.payload);
    all
}

/// MSS, SACK permitted, timestamps and window scale in SYNs; timestamps and SACK elsewhere.
fn options(header: &TcpHeader) -> Vec<u8> {
    if header.rst {
        return Vec::new();
    }
    let mut all = Vec::new();
    if header.syn {
        all.extend([2, 4]);
        all.extend(header.mss.to_be_bytes());
        all.extend([4, 2]);
    } else {
        all.extend([1, 1]);
    }
    all.extend([8, 10]);
    all.extend(header.stamps.0.to_be_bytes());
    all.extend(header.stamps.1.to_be_bytes());
    if header.syn {
        all.extend([1, 3, 3, SCALE]);
    }
    if !header.sacks.is_empty() {
        all.extend([1, 1, 5, 2 + 8 * header.sacks.len() as u8]);
        for (from, to) in &header.sacks {
            all.extend(from.to_be_bytes());
            all.extend(to.to_be_bytes());
        }
    }
    all
}

/// RFC 1071, over parts of which all but the last are even.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
