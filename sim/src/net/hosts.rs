//! Hosts: their addresses and ports, crashes and stops.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use regatta_core::Instant;

use super::fault::{Fault, Peers};
use super::firewall::Seen;
use super::nat::{self, Nat};
use super::stack::Stack;
use super::{Happening, HostId, Network, tcp, transit};
use crate::world::{self, World};

/// The ports that are picked for whoever does not say one (Linux's `ip_local_port_range`).
const PORTS: core::ops::RangeInclusive<u16> = 32_768..=60_999;

/// One host.
#[derive(Debug)]
pub(crate) struct HostState {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) stack: Stack,
    pub(super) nat: Option<nat::State>,
    /// It has crashed.
    pub(super) down: bool,
    /// What it sends and is sent waits.
    pub(super) stopped: bool,
    /// Ports that refuse, and until when.
    refused: BTreeMap<u16, Instant>,
    next_port: u16,
}

impl Network {
    pub(super) fn add_host(&mut self, _name: &str, addresses: Vec<IpAddr>) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.owners.extend(addresses.iter().map(|address| (*address, id)));
        self.hosts.push(HostState {
            addresses,
            stack: Stack::default(),
            nat: None,
            down: false,
            stopped: false,
            refused: BTreeMap::new(),
            next_port: *PORTS.start(),
        });
        id
    }

    pub(super) fn host(&self, host: HostId) -> Option<&HostState> {
        self.hosts.get(host.0 as usize)
    }

    pub(super) fn host_mut(&mut self, host: HostId) -> Option<&mut HostState> {
        self.hosts.get_mut(host.0 as usize)
    }

    pub(super) fn add_nat(&mut self, host: HostId, nat: Nat) {
        if let Some(host) = self.host_mut(host) {
            host.nat = Some(nat::State::new(nat));
        }
    }

    pub(super) fn set_stack(&mut self, host: HostId, stack: Stack) {
        if let Some(host) = self.host_mut(host) {
            host.stack = stack;
        }
    }

    pub(super) fn add_address(&mut self, id: HostId, address: IpAddr) {
        let Some(host) = self.host_mut(id) else { return };
        if !host.addresses.contains(&address) {
            host.addresses.push(address);
        }
        self.owners.insert(address, id);
    }

    pub(super) fn remove_address(&mut self, host: HostId, address: IpAddr) {
        if let Some(host) = self.host_mut(host) {
            host.addresses.retain(|one| *one != address);
        }
    }

    pub(super) fn refuse(&mut self, host: HostId, port: u16, until: Instant) {
        if let Some(host) = self.host_mut(host) {
            host.refused.insert(port, until);
        }
    }

    pub(super) fn is_refused(&self, now: Instant, host: HostId, port: u16) -> bool {
        let until = self.host(host).and_then(|host| host.refused.get(&port));
        until.is_some_and(|until| now < *until)
    }

    pub(super) fn is_translated(&self, host: HostId) -> bool {
        self.host(host).is_some_and(|host| host.nat.is_some())
    }

    /// Who has this address, as seen from `from`, or had it last.
    pub(super) fn host_of(&self, from: HostId, address: IpAddr) -> Option<HostId> {
        if address.is_loopback() || address.is_unspecified() {
            return Some(from);
        }
        self.owners.get(&address).copied()
    }

    /// Whether a host may use an address as its own.
    pub(super) fn has(&self, host: HostId, address: IpAddr) -> bool {
        address.is_loopback()
            || address.is_unspecified()
            || self.host(host).is_some_and(|host| host.addresses.contains(&address))
    }

    /// The address of `host` that it uses towards `to`.
    pub(super) fn source(&self, host: HostId, to: IpAddr) -> Option<IpAddr> {
        if to.is_loopback() {
            return Some(to);
        }
        let addresses = &self.host(host)?.addresses;
        addresses.iter().copied().find(|address| address.is_ipv4() == to.is_ipv4())
    }

    /// A port of a host that nobody has, as `taken` says.
    pub(super) fn free_port(
        &mut self,
        id: HostId,
        ip: IpAddr,
        taken: impl Fn(&Self, SocketAddr) -> bool,
    ) -> u16 {
        for _ in PORTS {
            let Some(host) = self.host_mut(id) else { break };
            let port = host.next_port;
            host.next_port = if port == *PORTS.end() { *PORTS.start() } else { port + 1 };
            if !taken(self, SocketAddr::new(ip, port)) {
                return port;
            }
        }
        0
    }

    /// The delays of the ways there and back.
    pub(super) fn delays(&self, seen: &Seen) -> [Duration; 2] {
        [seen.ends(), seen.back()].map(|ends| self.routes.link_of(self.routes.find(ends)).delay)
    }

    /// The longest piece of data in one segment, its headers and timestamps left out.
    pub(super) fn mss(&self, seen: &Seen) -> u64 {
        let mtus =
            [seen.ends(), seen.back()].map(|ends| self.routes.link_of(self.routes.find(ends)).mtu);
        let headers = if seen.source.is_ipv4() { 52 } else { 72 };
        u64::from(mtus[0].min(mtus[1]).saturating_sub(headers).max(1))
    }
}

pub(super) fn crash(world: &mut World, host: HostId, peers: Peers) {
    tcp::crash(world, host, peers);
    if let Some(host) = world.network.host_mut(host) {
        host.down = true;
    }
}

pub(super) fn restart(world: &mut World, host: HostId) {
    if let Some(host) = world.network.host_mut(host) {
        host.down = false;
    }
}

pub(super) fn stop(world: &mut World, host: HostId) {
    if let Some(host) = world.network.host_mut(host) {
        host.stopped = true;
    }
}

pub(super) fn release(world: &mut World, host: HostId) {
    if let Some(host) = world.network.host_mut(host) {
        host.stopped = false;
    }
    transit::send_held(world);
}

/// Stops hosts in one order and releases them in another.
pub(super) fn swizzle(world: &mut World, hosts: Vec<HostId>, every: Duration, hold: Duration) {
    let mut at = world.now;
    for host in shuffled(world, &hosts) {
        later(world, at, Fault::Stop(host));
        at = at + every;
    }
    at = at + hold;
    for host in shuffled(world, &hosts) {
        later(world, at, Fault::Release(host));
        at = at + every;
    }
}

fn shuffled(world: &mut World, hosts: &[HostId]) -> Vec<HostId> {
    let mut left = hosts.to_vec();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let which = world.choices.draw("swizzle", left.len() as u32);
        order.push(left.remove(which as usize));
    }
    order
}

fn later(world: &mut World, at: Instant, fault: Fault) {
    world.schedule(at, world::Happening::Net(Happening::Fault(Box::new(fault))));
}
