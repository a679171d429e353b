//! Listening sockets, found by address.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::Network;
use super::close::{close, reset};
use super::slots::End;
use crate::net::HostId;
use crate::world::World;

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(HostId, SocketAddr);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_address: BTreeMap<(HostId, SocketAddr), Listener>,
}

#[derive(Debug)]
pub(super) struct Listener {
    backlog: usize,
    queue: VecDeque<End>,
    waker: Option<Waker>,
}

impl Listeners {
    /// Where connections to `address` are taken: there, or at all addresses of its family.
    fn find(&self, host: HostId, address: SocketAddr) -> Option<(HostId, SocketAddr)> {
        let everywhere = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let all = SocketAddr::new(everywhere, address.port());
        let keys = [(host, address), (host, all)];
        keys.into_iter().find(|key| self.by_address.contains_key(key))
    }

    pub(super) fn is_open(&self, host: HostId, address: SocketAddr) -> bool {
        self.find(host, address).is_some()
    }

    pub(super) fn find_mut(&mut self, host: HostId, address: SocketAddr) -> Option<&mut Listener> {
        let key = self.find(host, address)?;
        self.by_address.get_mut(&key)
    }

    /// Takes out what waits at any listener of a host.
    pub(super) fn empty(&mut self, host: HostId) -> Vec<End> {
        let of_host = self.by_address.iter_mut().filter(|((one, _), _)| *one == host);
        of_host.flat_map(|(_, listener)| core::mem::take(&mut listener.queue)).collect()
    }
}

impl Listener {
    /// As on Linux: one more than the backlog may wait.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }

    pub(super) fn push(&mut self, end: End) {
        self.queue.push_back(end);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

pub(crate) fn listen(
    world: &mut World,
    host: HostId,
    mut address: SocketAddr,
) -> io::Result<ListenerId> {
    let network = &mut world.network;
    if !network.has(host, address.ip()) {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    if address.port() == 0 {
        let taken = |network: &Network, address| network.tcp.listeners.is_open(host, address);
        address.set_port(network.free_port(host, address.ip(), taken));
    }
    if network.tcp.listeners.is_open(host, address) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let backlog = network.host(host).map_or(0, |host| host.stack.backlog);
    let listener = Listener { backlog, queue: VecDeque::new(), waker: None };
    network.tcp.listeners.by_address.insert((host, address), listener);
    Ok(ListenerId(host, address))
}

pub(crate) const fn local_address(id: ListenerId) -> SocketAddr {
    id.1
}

pub(crate) fn stop_listening(world: &mut World, ListenerId(host, address): ListenerId) {
    let taken = world.network.tcp.listeners.by_address.remove(&(host, address));
    for end in taken.into_iter().flat_map(|listener| listener.queue) {
        reset(world, end);
        close(world, end);
    }
}

pub(crate) fn poll_accept(
    world: &mut World,
    ListenerId(host, address): ListenerId,
    cx: &mut Context<'_>,
) -> Poll<(End, SocketAddr)> {
    let listeners = &mut world.network.tcp.listeners;
    let Some(listener) = listeners.by_address.get_mut(&(host, address)) else {
        return Poll::Pending;
    };
    let Some(end) = listener.queue.pop_front() else {
        listener.waker = Some(cx.waker().clone());
        return Poll::Pending;
    };
    match world.network.both(end) {
        Some((_, peer)) => Poll::Ready((end, peer.seen_as())),
        None => poll_accept(world, ListenerId(host, address), cx),
    }
}
