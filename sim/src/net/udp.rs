//! UDP: sockets, and datagrams that come, are lost, come twice or late.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSliceMut};

use bytes::Bytes;
use regatta_core::time::Duration;
use regatta_runtime::{Ecn, Received, Transmit};

use super::firewall::{Seen, Verdict};
use super::rule::Transport;
use super::transit::{Fate, transmit};
use super::{Happening, HostId, Network};
use crate::choice::Point;
use crate::step::StepKind;
use crate::world::{self, World};

/// The longest payload: 65,535 less the headers of UDP and, over IPv4, of IP.
const LONGEST_V4: usize = 65_507;
const LONGEST_V6: usize = 65_527;
/// The longest contents of a transmit of segments, which the system cuts.
const LONGEST: usize = 65_507;

/// A bound socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bound {
    host: HostId,
    local: SocketAddr,
}

/// All sockets.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    sockets: BTreeMap<Bound, Socket>,
}

#[derive(Debug)]
struct Socket {
    remote: Option<SocketAddr>,
    queue: VecDeque<Datagram>,
    queued: usize,
    /// Somebody said that nobody is at the remote's port.
    refused: bool,
    waker: Option<Waker>,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    to: HostId,
    /// As whoever receives it sees it.
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Bytes,
    pub(super) ecn: Option<Ecn>,
    /// Who sent it, to hear that nobody is there, and what it asked.
    sender: Bound,
    asked: SocketAddr,
}

/// What comes to a host.
#[derive(Clone, Debug)]
pub(crate) enum Coming {
    Datagram(Datagram),
    /// ICMP's port unreachable: nobody is at this address.
    Unreachable(Bound, SocketAddr),
}

impl Bound {
    pub(crate) const fn local(self) -> SocketAddr {
        self.local
    }

    fn number(self) -> u64 {
        u64::from(self.host.0) << 16 | u64::from(self.local.port())
    }
}

impl Coming {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Datagram(one) => Bound { host: one.to, local: one.destination }.number(),
            Self::Unreachable(bound, _) => bound.number(),
        }
    }
}

impl Udp {
    /// The socket at an address, or at all addresses of its family.
    fn find(&self, host: HostId, address: SocketAddr) -> Option<Bound> {
        let everywhere: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let all = SocketAddr::new(everywhere, address.port());
        let both = [address, all].map(|local| Bound { host, local });
        both.into_iter().find(|bound| self.sockets.contains_key(bound))
    }
}

pub(crate) fn bind(
    world: &mut World,
    host: HostId,
    mut local: SocketAddr,
    remote: Option<SocketAddr>,
) -> io::Result<Bound> {
    let network = &mut world.network;
    if let Some(remote) = remote {
        if remote.is_ipv4() != local.is_ipv4() || remote.port() == 0 {
            return Err(ErrorKind::InvalidInput.into());
        }
        if local.ip().is_unspecified() {
            let source = network.source(host, remote.ip());
            local.set_ip(source.ok_or(ErrorKind::NetworkUnreachable)?);
        }
    }
    if !network.has(host, local.ip()) {
        return Err(ErrorKind::AddrNotAvailable.into());
    }
    if local.port() == 0 {
        let taken = |network: &Network, address| network.udp.find(host, address).is_some();
        local.set_port(network.free_port(host, local.ip(), taken));
    }
    if network.udp.find(host, local).is_some() {
        return Err(ErrorKind::AddrInUse.into());
    }
    let bound = Bound { host, local };
    let socket = Socket { remote, queue: VecDeque::new(), queued: 0, refused: false, waker: None };
    network.udp.sockets.insert(bound, socket);
    Ok(bound)
}

pub(crate) fn close(world: &mut World, bound: Bound) {
    world.network.udp.sockets.remove(&bound);
}

pub(crate) fn max_segments(world: &World, bound: Bound) -> usize {
    world.network.host(bound.host).map_or(1, |host| host.stack.max_segments.max(1))
}

pub(crate) fn poll_receive(
    world: &mut World,
    bound: Bound,
    cx: &mut Context<'_>,
    buffers: &mut [IoSliceMut<'_>],
    received: &mut [Received],
) -> Poll<io::Result<usize>> {
    if buffers.is_empty() || received.is_empty() {
        return Poll::Ready(Err(ErrorKind::InvalidInput.into()));
    }
    let Some(socket) = world.network.udp.sockets.get_mut(&bound) else {
        return Poll::Ready(Err(ErrorKind::NotConnected.into()));
    };
    if core::mem::take(&mut socket.refused) {
        return Poll::Ready(Err(ErrorKind::ConnectionRefused.into()));
    }
    if socket.queue.is_empty() {
        socket.waker = Some(cx.waker().clone());
        return Poll::Pending;
    }
    if world.choices.fires(Point::NotReadyOnce) {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    let Some(socket) = world.network.udp.sockets.get_mut(&bound) else { return Poll::Pending };
    let (mut count, mut bytes) = (0, 0);
    for (buffer, place) in buffers.iter_mut().zip(received) {
        let Some(datagram) = socket.queue.pop_front() else { break };
        socket.queued -= datagram.bytes.len();
        let length = datagram.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram.bytes[..length]);
        *place = Received {
            source: datagram.source,
            length,
            stride: length,
            ecn: datagram.ecn,
            destination: Some(datagram.destination.ip()),
        };
        count += 1;
        bytes += length;
    }
    world.note(StepKind::Read, bound.number(), count as u64, bytes as u64);
    Poll::Ready(Ok(count))
}

pub(crate) fn try_send(world: &mut World, bound: Bound, transmit: &Transmit<'_>) -> io::Result<()> {
    if world.choices.fires(Point::NotReadyOnce) {
        return Err(ErrorKind::WouldBlock.into());
    }
    let most = max_segments(world, bound);
    let Some(socket) = world.network.udp.sockets.get_mut(&bound) else {
        return Err(ErrorKind::NotConnected.into());
    };
    if core::mem::take(&mut socket.refused) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    let elsewhere = socket.remote.is_some_and(|remote| remote != transmit.destination);
    if elsewhere || !can_be_sent(bound, transmit, most) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let network = &mut world.network;
    if network.is_down(bound.host) {
        return Err(ErrorKind::NetworkDown.into());
    }
    let own = Some(bound.local.ip()).filter(|ip| !ip.is_unspecified());
    let routed = || network.source(bound.host, transmit.destination.ip());
    let source = transmit.source.or(own).or_else(routed).ok_or(ErrorKind::NetworkUnreachable)?;
    if !network.has(bound.host, source) {
        return Err(ErrorKind::AddrNotAvailable.into());
    }
    let contents = transmit.contents;
    world.note(
        StepKind::Written,
        bound.number(),
        transmit.segments() as u64,
        contents.len() as u64,
    );
    let source = SocketAddr::new(source, bound.local.port());
    let size = transmit.segment_size.unwrap_or(contents.len()).max(1);
    let all = Bytes::copy_from_slice(contents);
    let mut begin = 0;
    loop {
        let end = (begin + size).min(all.len());
        send(world, bound, source, transmit, all.slice(begin..end));
        begin = end;
        if begin >= all.len() {
            return Ok(());
        }
    }
}

/// Whether a transmit could be sent on any path.
fn can_be_sent(bound: Bound, transmit: &Transmit<'_>, most: usize) -> bool {
    let Transmit { destination, contents, segment_size, source, .. } = *transmit;
    let v4 = bound.local.is_ipv4();
    let longest = if v4 { LONGEST_V4 } else { LONGEST_V6 };
    let fits = match segment_size {
        Some(size) => size <= longest && contents.len() <= LONGEST,
        None => contents.len() <= longest,
    };
    fits && destination.is_ipv4() == v4
        && destination.port() != 0
        && source.is_none_or(|source| source.is_ipv4() == v4)
        && (1..=most).contains(&transmit.segments())
}

/// Sends one datagram.
fn send(world: &mut World, sender: Bound, from: SocketAddr, asked: &Transmit<'_>, bytes: Bytes) {
    let now = world.now;
    let network = &mut world.network;
    let (source, to) = (network.udp_source(now, sender.host, from, asked.destination), asked);
    let found = network.udp_destination(now, sender.host, source, to.destination);
    let Some((host, destination)) = found else {
        return world.note(StepKind::Lost, sender.number(), 0, bytes.len() as u64);
    };
    let headers = if from.is_ipv4() { 28 } else { 48 };
    let seen = Seen {
        transport: Transport::Udp,
        from: sender.host,
        source: from,
        to: host,
        destination,
        payload: bytes.len(),
        size: headers + bytes.len() as u64,
    };
    let datagram = Datagram {
        to: host,
        source,
        destination,
        bytes,
        ecn: asked.ecn,
        sender,
        asked: asked.destination,
    };
    let far = sender.host != host;
    if far && world.choices.fires(Point::DatagramLost) {
        return world.note(StepKind::Lost, sender.number(), 0, seen.size);
    }
    let what = Happening::Udp(Coming::Datagram(datagram));
    if far && world.choices.fires(Point::DatagramTwice) {
        transmit(world, seen, what.clone());
    }
    if far && world.choices.fires(Point::DatagramLate) {
        let late = world.choices.draw("datagram late", 100_000);
        let at = now + Duration::from_micros(u64::from(late) + 1);
        return world.schedule(at, world::Happening::Net(Happening::Late(seen, Box::new(what))));
    }
    launch(world, seen, what);
}

/// Sends a packet, and lets its sender hear of a firewall's no.
pub(super) fn launch(world: &mut World, seen: Seen, what: Happening) {
    let told = match &what {
        Happening::Udp(Coming::Datagram(one)) => Some((one.sender, one.asked)),
        _ => None,
    };
    if let Fate::Rejected(Verdict::Reset, at) = transmit(world, seen, what)
        && let Some((sender, asked)) = told
    {
        let happening = Happening::Udp(Coming::Unreachable(sender, asked));
        world.schedule(at, world::Happening::Net(happening));
    }
}

pub(super) fn happen(world: &mut World, coming: Coming) {
    match coming {
        Coming::Datagram(datagram) => arrive(world, datagram),
        Coming::Unreachable(bound, asked) => {
            let socket = world.network.udp.sockets.get_mut(&bound);
            if let Some(socket) = socket.filter(|socket| socket.remote == Some(asked)) {
                socket.refused = true;
                wake(socket);
            }
        }
    }
}

fn arrive(world: &mut World, datagram: Datagram) {
    let network = &mut world.network;
    let (to, number) = (datagram.to, datagram.bytes.len() as u64);
    let most = network.host(to).map_or(0, |host| host.stack.datagram_buffer);
    let found = network.udp.find(to, datagram.destination);
    let socket = found.and_then(|bound| network.udp.sockets.get_mut(&bound));
    let hears = |socket: &&mut Socket| socket.remote.is_none_or(|one| one == datagram.source);
    let Some(socket) = socket.filter(hears) else { return nobody(world, &datagram) };
    let bound = found.map_or(0, Bound::number);
    if socket.queued + datagram.bytes.len() > most {
        return world.note(StepKind::Lost, bound, 0, number);
    }
    socket.queued += datagram.bytes.len();
    socket.queue.push_back(datagram);
    wake(socket);
    world.note(StepKind::Arrived, bound, 0, number);
}

fn wake(socket: &mut Socket) {
    if let Some(waker) = socket.waker.take() {
        waker.wake();
    }
}

/// Nobody is at the port: ICMP tells the sender.
fn nobody(world: &mut World, datagram: &Datagram) {
    let Datagram { to, destination, sender, asked, .. } = *datagram;
    let source = SocketAddr::new(destination.ip(), destination.port());
    let own = sender.local.ip();
    let back = if own.is_unspecified() {
        world.network.source(sender.host, destination.ip()).unwrap_or(own)
    } else {
        own
    };
    let seen = Seen {
        transport: Transport::Udp,
        from: to,
        source,
        to: sender.host,
        destination: SocketAddr::new(back, sender.local.port()),
        payload: 28,
        size: 56,
    };
    transmit(world, seen, Happening::Udp(Coming::Unreachable(sender, asked)));
}
