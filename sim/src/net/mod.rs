//! The network: hosts, links, names, and what travels.

pub mod link;
pub(crate) mod tcp;

use core::net::IpAddr;
use std::collections::BTreeMap;

use regatta_core::types::Cause;
use regatta_runtime::Answer;

use crate::step::StepKind;
use crate::world::World;
use link::Link;

/// Which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

/// What may arrive.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Of TCP.
    Tcp(tcp::Happening),
}

/// Everything but the clock.
#[derive(Debug, Default)]
pub(crate) struct Network {
    hosts: Vec<HostState>,
    links: BTreeMap<(HostId, HostId), Link>,
    names: BTreeMap<String, Vec<IpAddr>>,
    tcp: tcp::Tcp,
}

#[derive(Debug)]
struct HostState {
    addresses: Vec<IpAddr>,
}

impl Network {
    pub(crate) fn add_host(&mut self, _name: &str, addresses: Vec<IpAddr>) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.hosts.push(HostState { addresses });
        id
    }

    pub(crate) fn link(&mut self, one: HostId, other: HostId, link: Link) {
        self.links.insert((one.min(other), one.max(other)), link);
    }

    pub(crate) fn add_name(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.names.insert(name.to_owned(), addresses);
    }

    fn link_of(&self, one: HostId, other: HostId) -> Link {
        self.links.get(&(one.min(other), one.max(other))).copied().unwrap_or_default()
    }

    /// Who has this address, as seen from `from`.
    fn host_of(&self, from: HostId, address: IpAddr) -> Option<HostId> {
        if address.is_loopback() || address.is_unspecified() {
            return Some(from);
        }
        let found = self.hosts.iter().position(|host| host.addresses.contains(&address))?;
        Some(HostId(found as u32))
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
    }
}

pub(crate) fn look_up(world: &mut World, name: &str) -> Result<Answer, Cause> {
    let found = match name {
        "localhost" => Some(vec![IpAddr::from([127, 0, 0, 1])]),
        name => world.network.names.get(name).cloned(),
    };
    let count = found.as_ref().map_or(0, Vec::len);
    world.note(StepKind::LookedUp, 0, 0, count as u64);
    let addresses = found.ok_or(Cause::NameNotFound)?;
    Ok(Answer { addresses, ttl: None })
}
