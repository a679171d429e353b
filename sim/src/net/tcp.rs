//! TCP as ordered byte streams: a handshake, segments that take their time, ends and resets.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};

use super::routes::Ends;
use super::{HostId, Network};
use crate::choice::Point;
use crate::step::StepKind;
use crate::world::{self, World};

/// Most bytes that one side has sent and the other has not read.
const WINDOW: usize = 256 << 10;
/// Most connections that wait to be accepted.
const BACKLOG: usize = 128;
/// The first port that is picked for whoever does not say one.
const FIRST_PORT: u16 = 32_768;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    slot: usize,
    generation: u32,
    side: usize,
}

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(usize);

/// What arrives at an end.
#[derive(Debug)]
pub(crate) struct Happening {
    to: End,
    what: Arrival,
}

#[derive(Debug)]
enum Arrival {
    Syn,
    SynAck,
    Bytes(Bytes),
    Fin,
    Reset,
}

#[derive(Debug, Default)]
pub(crate) struct Tcp {
    connections: Vec<Connection>,
    free: Vec<usize>,
    listeners: Vec<Option<Listener>>,
    next_port: u16,
}

#[derive(Debug)]
struct Connection {
    generation: u32,
    sides: [Side; 2],
}

/// What one end knows.
#[derive(Debug)]
struct Side {
    host: HostId,
    address: SocketAddr,
    phase: Phase,
    /// What has come and was not read.
    arrived: VecDeque<Bytes>,
    /// What the peer has sent and this side has not read.
    unread: usize,
    fin_arrived: bool,
    fin_sent: bool,
    /// Its owner has dropped it.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Established,
    Failed(io::ErrorKind),
}

#[derive(Debug)]
struct Listener {
    host: HostId,
    address: SocketAddr,
    queue: VecDeque<End>,
    waker: Option<Waker>,
}

impl End {
    const fn peer(self) -> Self {
        Self { slot: self.slot, generation: self.generation, side: 1 - self.side }
    }

    const fn number(self) -> u64 {
        (self.slot as u64) << 1 | self.side as u64
    }
}

impl Side {
    const fn new(host: HostId, address: SocketAddr) -> Self {
        Self {
            host,
            address,
            phase: Phase::Connecting,
            arrived: VecDeque::new(),
            unread: 0,
            fin_arrived: false,
            fin_sent: false,
            closed: false,
            reader: None,
            writer: None,
        }
    }

    fn wake_both(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Network {
    fn side(&mut self, end: End) -> Option<&mut Side> {
        let connection = self.tcp.connections.get_mut(end.slot)?;
        (connection.generation == end.generation).then(|| &mut connection.sides[end.side])
    }

    fn open(&self, host: HostId, address: SocketAddr) -> bool {
        self.tcp.listeners.iter().flatten().any(|l| l.host == host && l.takes(address))
    }

    fn free_port(&mut self, host: HostId, ip: IpAddr) -> u16 {
        loop {
            let port = self.tcp.next_port.max(FIRST_PORT);
            self.tcp.next_port = port.wrapping_add(1);
            if !self.open(host, SocketAddr::new(ip, port)) {
                return port;
            }
        }
    }
}

impl Listener {
    fn takes(&self, address: SocketAddr) -> bool {
        let ip = self.address.ip();
        self.address.port() == address.port()
            && (ip == address.ip() || (ip.is_unspecified() && ip.is_ipv4() == address.is_ipv4()))
    }
}

pub(crate) fn listen(
    world: &mut World,
    host: HostId,
    mut address: SocketAddr,
) -> io::Result<ListenerId> {
    if world.network.host_of(host, address.ip()) != Some(host) {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    if address.port() == 0 {
        address.set_port(world.network.free_port(host, address.ip()));
    }
    if world.network.open(host, address) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let listener = Listener { host, address, queue: VecDeque::new(), waker: None };
    let listeners = &mut world.network.tcp.listeners;
    listeners.push(Some(listener));
    Ok(ListenerId(listeners.len() - 1))
}

pub(crate) fn local_address(world: &World, id: ListenerId) -> io::Result<SocketAddr> {
    let found = world.network.tcp.listeners.get(id.0).and_then(Option::as_ref);
    found.map(|listener| listener.address).ok_or_else(|| io::ErrorKind::NotConnected.into())
}

pub(crate) fn stop_listening(world: &mut World, id: ListenerId) {
    let taken = world.network.tcp.listeners.get_mut(id.0).and_then(Option::take);
    for end in taken.into_iter().flat_map(|listener| listener.queue) {
        reset(world, end);
        close(world, end);
    }
}

pub(crate) fn poll_accept(
    world: &mut World,
    id: ListenerId,
    cx: &mut Context<'_>,
) -> Poll<(End, SocketAddr)> {
    let Some(Some(listener)) = world.network.tcp.listeners.get_mut(id.0) else {
        return Poll::Pending;
    };
    let Some(end) = listener.queue.pop_front() else {
        listener.waker = Some(cx.waker().clone());
        return Poll::Pending;
    };
    let peer = world.network.side(end.peer()).map(|side| side.address);
    let nobody = || SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    Poll::Ready((end, peer.unwrap_or_else(nobody)))
}

pub(crate) fn connect(world: &mut World, host: HostId, to: SocketAddr) -> io::Result<End> {
    let network = &mut world.network;
    let there = network.host_of(host, to.ip()).ok_or(io::ErrorKind::HostUnreachable)?;
    let source = network.source(host, to.ip()).ok_or(io::ErrorKind::NetworkUnreachable)?;
    let port = network.free_port(host, source);
    let sides = [Side::new(host, SocketAddr::new(source, port)), Side::new(there, to)];
    let tcp = &mut network.tcp;
    let (slot, generation) = match tcp.free.pop() {
        Some(slot) => {
            let generation = tcp.connections[slot].generation + 1;
            tcp.connections[slot] = Connection { generation, sides };
            (slot, generation)
        }
        None => {
            tcp.connections.push(Connection { generation: 0, sides });
            (tcp.connections.len() - 1, 0)
        }
    };
    let end = End { slot, generation, side: 0 };
    world.note(StepKind::Connect, end.number(), u64::from(to.port()), 0);
    send(world, end, Arrival::Syn);
    Ok(end)
}

pub(crate) fn poll_connected(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let Some(side) = world.network.side(end) else { return Poll::Ready(Err(gone())) };
    match side.phase {
        Phase::Established => Poll::Ready(Ok(())),
        Phase::Failed(kind) => Poll::Ready(Err(kind.into())),
        Phase::Connecting => {
            side.writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

pub(crate) fn poll_read(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let Some(side) = world.network.side(end) else { return Poll::Ready(Err(gone())) };
    if side.arrived.is_empty() {
        // As on Linux, a reset is told once and is the end from then on; it undoes no end.
        if let Phase::Failed(kind) = side.phase
            && !core::mem::replace(&mut side.fin_arrived, true)
        {
            return Poll::Ready(Err(kind.into()));
        }
        if side.fin_arrived {
            return Poll::Ready(Ok(0));
        }
        side.reader = Some(cx.waker().clone());
        return Poll::Pending;
    }
    let mut most = buffer.len();
    if world.choices.fires(Point::NotReadyOnce) {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    if most > 1 && world.choices.fires(Point::OneByteRead) {
        most = 1;
    } else if most > 1 && world.choices.fires(Point::PrefixRead) {
        most = 1 + world.choices.draw("prefix", most.min(65_536) as u32) as usize;
    }
    let Some(side) = world.network.side(end) else { return Poll::Ready(Err(gone())) };
    let mut read = 0;
    while read < most
        && let Some(front) = side.arrived.front_mut()
    {
        let count = front.len().min(most - read);
        buffer[read..read + count].copy_from_slice(&front[..count]);
        front.advance(count);
        read += count;
        if front.is_empty() {
            side.arrived.pop_front();
        }
    }
    side.unread -= read;
    if let Some(peer) = world.network.side(end.peer())
        && let Some(waker) = peer.writer.take()
    {
        waker.wake();
    }
    world.note(StepKind::Read, end.number(), 0, read as u64);
    Poll::Ready(Ok(read))
}

pub(crate) fn poll_write(
    world: &mut World,
    end: End,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let Some(side) = world.network.side(end) else { return Poll::Ready(Err(gone())) };
    match side.phase {
        // As on Linux, a reset is told once, here or by a read.
        Phase::Failed(kind) => {
            let told = core::mem::replace(&mut side.fin_arrived, true);
            let kind = if told { io::ErrorKind::BrokenPipe } else { kind };
            return Poll::Ready(Err(kind.into()));
        }
        _ if side.fin_sent => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        _ => {}
    }
    let room = world.network.side(end.peer()).map_or(0, |peer| WINDOW.saturating_sub(peer.unread));
    let all: usize = slices.iter().map(|slice| slice.len()).sum();
    if all == 0 {
        return Poll::Ready(Ok(0));
    }
    if room == 0 {
        if let Some(side) = world.network.side(end) {
            side.writer = Some(cx.waker().clone());
        }
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
    if let Some(peer) = world.network.side(end.peer()) {
        peer.unread += most;
    }
    world.note(StepKind::Written, end.number(), 0, most as u64);
    send(world, end, Arrival::Bytes(taken.into()));
    Poll::Ready(Ok(most))
}

pub(crate) fn shut_down(world: &mut World, end: End) -> io::Result<()> {
    let Some(side) = world.network.side(end) else { return Err(gone()) };
    if matches!(side.phase, Phase::Failed(_)) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    if !core::mem::replace(&mut side.fin_sent, true) {
        world.note(StepKind::Finished, end.number(), 0, 0);
        send(world, end, Arrival::Fin);
    }
    Ok(())
}

/// The owner is gone: the peer hears the end, or a reset where something was left unread.
pub(crate) fn close(world: &mut World, end: End) {
    let Some(side) = world.network.side(end) else { return };
    side.closed = true;
    (side.reader, side.writer) = (None, None);
    if !side.arrived.is_empty() || side.phase == Phase::Connecting {
        reset(world, end);
    } else {
        // It fails where there is nobody to tell.
        let _ = shut_down(world, end);
    }
    let connection = &mut world.network.tcp.connections[end.slot];
    if connection.sides.iter().all(|side| side.closed) {
        connection.generation += 1;
        connection.sides.iter_mut().for_each(|side| side.arrived.clear());
        world.network.tcp.free.push(end.slot);
    }
}

fn reset(world: &mut World, end: End) {
    let Some(side) = world.network.side(end) else { return };
    side.phase = Phase::Failed(io::ErrorKind::ConnectionReset);
    side.arrived.clear();
    world.note(StepKind::Reset, end.number(), 0, 0);
    send(world, end, Arrival::Reset);
}

/// Lets something arrive at the other end of `from`.
fn send(world: &mut World, from: End, what: Arrival) {
    let to = from.peer();
    let Some((here, source)) = world.network.side(from).map(|s| (s.host, s.address.ip())) else {
        return;
    };
    let Some((there, at)) = world.network.side(to).map(|s| (s.host, s.address.ip())) else {
        return;
    };
    let ends = Ends { from: here, source, to: there, destination: at };
    let path = world.network.routes.find(ends);
    let at = world.now + world.network.routes.link_of(path).delay;
    let happening = super::Happening::Tcp(Happening { to, what });
    world.schedule(at, world::Happening::Net(happening));
}

pub(super) fn happen(world: &mut World, happening: Happening) {
    let Happening { to, what } = happening;
    match what {
        Arrival::Syn => syn(world, to),
        Arrival::SynAck => established(world, to),
        Arrival::Bytes(bytes) => arrived(world, to, bytes),
        Arrival::Fin => {
            let Some(side) = world.network.side(to) else { return };
            side.fin_arrived = true;
            if let Some(waker) = side.reader.take() {
                waker.wake();
            }
        }
        Arrival::Reset => {
            let Some(side) = world.network.side(to) else { return };
            side.phase = Phase::Failed(match side.phase {
                Phase::Connecting => io::ErrorKind::ConnectionRefused,
                _ => io::ErrorKind::ConnectionReset,
            });
            // What came before it can still be read.
            side.wake_both();
            world.note(StepKind::Answered, to.number(), 0, 1);
        }
    }
}

fn syn(world: &mut World, to: End) {
    let Some(side) = world.network.side(to) else { return };
    let (host, address) = (side.host, side.address);
    let mut listeners = world.network.tcp.listeners.iter_mut().flatten();
    let found = listeners.find(|listener| listener.host == host && listener.takes(address));
    match found {
        Some(listener) if listener.queue.len() < BACKLOG => {
            listener.queue.push_back(to);
            let waker = listener.waker.take();
            if let Some(side) = world.network.side(to) {
                side.phase = Phase::Established;
            }
            if let Some(waker) = waker {
                waker.wake();
            }
            send(world, to, Arrival::SynAck);
        }
        _ => {
            reset(world, to);
            close(world, to);
        }
    }
}

fn established(world: &mut World, to: End) {
    let Some(side) = world.network.side(to) else { return };
    side.phase = Phase::Established;
    side.wake_both();
    world.note(StepKind::Answered, to.number(), 0, 0);
}

fn arrived(world: &mut World, to: End, bytes: Bytes) {
    let Some(side) = world.network.side(to) else { return };
    if side.closed || matches!(side.phase, Phase::Failed(_)) {
        // Nobody reads it: the sender hears so, as from Linux.
        return send(world, to, Arrival::Reset);
    }
    let count = bytes.len();
    side.arrived.push_back(bytes);
    if let Some(waker) = side.reader.take() {
        waker.wake();
    }
    world.note(StepKind::Arrived, to.number(), 0, count as u64);
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
