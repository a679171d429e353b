//! The network: hosts, links, names, and what travels.

pub mod fault;
pub mod link;
pub mod names;
pub mod nat;
pub mod pcap;
pub mod rule;
pub mod stack;
pub mod tap;

mod api;
mod firewall;
mod hosts;
pub(crate) mod lookup;
mod resolver;
mod routes;
pub(crate) mod tcp;
mod transit;
pub(crate) mod udp;

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use crate::world::World;
#[cfg(test)]
mod tests;

use fault::Fault;
use firewall::{Firewall, Seen};
use hosts::HostState;
use resolver::Names;
use routes::Routes;
use tap::Tap;
use transit::Held;

/// Which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

/// What may arrive.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Of TCP.
    Tcp(tcp::Happening),
    /// Of UDP.
    Udp(udp::Coming),
    /// A packet goes only now.
    Late(Seen, Box<Self>),
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
    udp: udp::Udp,
    /// Public addresses of flows of datagrams behind NATs.
    publics: BTreeMap<SocketAddr, (HostId, SocketAddr)>,
    /// Packets that wait for hosts to be released.
    held: Vec<Held>,
    tap: Option<Tap>,
}

impl Happening {
    /// A number that names where it arrives, in steps.
    fn number(&self) -> u64 {
        match self {
            Self::Tcp(happening) => happening.to.number(),
            Self::Udp(coming) => coming.number(),
            Self::Late(..) | Self::Fault(_) => 0,
        }
    }
}

pub(crate) fn happen(world: &mut World, happening: Happening) {
    match happening {
        Happening::Tcp(happening) => tcp::happen(world, happening),
        Happening::Udp(coming) => udp::happen(world, coming),
        Happening::Late(seen, what) => udp::launch(world, seen, *what),
        Happening::Fault(fault) => fault::apply(world, *fault),
    }
}
