//! The network: hosts, links, names, and what travels.

#![expect(dead_code, reason = "TCP and UDP meet links, rules and faults in the next changes")]

pub mod fault;
pub mod link;
pub mod names;
pub mod nat;
pub mod rule;
pub mod stack;

mod api;
mod firewall;
pub(crate) mod lookup;
mod resolver;
mod routes;
pub(crate) mod tcp;

use core::net::IpAddr;
use std::collections::BTreeMap;

use crate::world::World;
use fault::Fault;
use firewall::Firewall;
use nat::Nat;
use resolver::Names;
use routes::Routes;
use stack::Stack;

/// Which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

/// What may arrive.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Of TCP.
    Tcp(tcp::Happening),
    /// The world changes.
    Fault(Box<Fault>),
}

/// Everything but the clock.
#[derive(Debug, Default)]
pub(crate) struct Network {
    hosts: Vec<HostState>,
    /// Who has an address, or had it last.
    owners: BTreeMap<IpAddr, HostId>,
    routes: Routes,
    firewall: Firewall,
    names: Names,
    tcp: tcp::Tcp,
}

#[derive(Debug)]
struct HostState {
    addresses: Vec<IpAddr>,
    stack: Stack,
    nat: Option<Nat>,
}

impl Network {
    pub(crate) fn add_host(&mut self, _name: &str, addresses: Vec<IpAddr>) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.owners.extend(addresses.iter().map(|address| (*address, id)));
        self.hosts.push(HostState { addresses, stack: Stack::default(), nat: None });
        id
    }

    fn host_mut(&mut self, host: HostId) -> Option<&mut HostState> {
        self.hosts.get_mut(host.0 as usize)
    }

    fn add_nat(&mut self, host: HostId, nat: Nat) {
        if let Some(host) = self.host_mut(host) {
            host.nat = Some(nat);
        }
    }

    fn set_stack(&mut self, host: HostId, stack: Stack) {
        if let Some(host) = self.host_mut(host) {
            host.stack = stack;
        }
    }

    fn add_address(&mut self, id: HostId, address: IpAddr) {
        if let Some(host) = self.host_mut(id) {
            host.addresses.push(address);
            self.owners.insert(address, id);
        }
    }

    fn remove_address(&mut self, host: HostId, address: IpAddr) {
        if let Some(host) = self.host_mut(host) {
            host.addresses.retain(|one| *one != address);
        }
    }

    /// Who has this address, as seen from `from`.
    fn host_of(&self, from: HostId, address: IpAddr) -> Option<HostId> {
        if address.is_loopback() || address.is_unspecified() {
            return Some(from);
        }
        self.owners.get(&address).copied()
    }

    /// The address of `host` that it uses towards `to`.
    fn source(&self, host: HostId, to: IpAddr) -> Option<IpAddr> {
        if to.is_loopback() {
            return Some(to);
        }
        let addresses = &self.hosts.get(host.0 as usize)?.addresses;
        addresses.iter().copied().find(|address| address.is_ipv4() == to.is_ipv4())
    }
}

pub(crate) fn happen(world: &mut World, happening: Happening) {
    match happening {
        Happening::Tcp(happening) => tcp::happen(world, happening),
        Happening::Fault(fault) => fault::apply(world, *fault),
    }
}
