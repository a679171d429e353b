//! Faults as plain data: what goes wrong, or right again.

use core::net::IpAddr;
use core::time::Duration;

use super::HostId;
use super::link::Link;
use super::names::Records;
use super::rule::Rule;
use super::{hosts, tcp};
use crate::world::World;

/// A change of the world, made at once by [`Net::apply`](crate::Net::apply) or later by
/// [`Net::at`](crate::Net::at). One that names what does not exist does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing gets from one of two hosts to the other any more, until `LinkUp`. What is on its
    /// way arrives.
    LinkDown(HostId, HostId),
    /// The opposite.
    LinkUp(HostId, HostId),
    /// Two hosts are linked otherwise, in both directions.
    Link(HostId, HostId, Link),
    /// The first host reaches the second one otherwise; the way back stays.
    LinkOneWay(HostId, HostId, Link),
    /// A host is linked otherwise with one address of another, in both directions; `None` takes
    /// what was special about it away.
    LinkAddress(HostId, IpAddr, Option<Link>),
    /// Nothing gets from these hosts to any other, nor back, until `Heal`. A second partition
    /// takes the place of the first.
    Partition(Vec<HostId>),
    /// The end of the partition.
    Heal,
    /// A host's processes end, and it reaches nobody until `Restart`. Its sockets are closed:
    /// its own tasks hear that their connections were reset, and what it sends is lost.
    Crash {
        /// Which.
        host: HostId,
        /// What its peers hear.
        peers: Peers,
    },
    /// The host is back, and whoever listened on it listens again. What comes to a connection
    /// from before the crash is answered by a reset.
    Restart(HostId),
    /// Packets to and from a host wait where they are, until `Release`.
    Stop(HostId),
    /// They go on, in the order in which they came.
    Release(HostId),
    /// Hosts are stopped one after the other, and released in another order. Both orders are
    /// drawn.
    Swizzle {
        /// Which.
        hosts: Vec<HostId>,
        /// From one stop to the next, and from one release to the next.
        every: Duration,
        /// From the last stop to the first release.
        hold: Duration,
    },
    /// A host has one more address.
    AddAddress(HostId, IpAddr),
    /// A host has an address no more; what is sent to it is lost.
    RemoveAddress(HostId, IpAddr),
    /// A firewall has one more rule.
    AddRule(Rule),
    /// It has this rule, wherever it was added, no more.
    RemoveRule(Rule),
    /// All rules are gone.
    RemoveRules,
    /// A name has other records.
    Name(String, Records),
    /// A host's port refuses connections for a while, whoever listens there. What is established
    /// stays.
    RefusePort {
        /// Which host.
        host: HostId,
        /// Which port.
        port: u16,
        /// For how long.
        time: Duration,
    },
    /// The NAT of a host forgets all it knew: flows of datagrams come from another port, and
    /// connections end, by silence or by a reset, whoever sends first.
    RebindNat(HostId),
}

/// What the peers of a host hear when it crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Every connection is reset: the processes died and the system did not.
    Reset,
    /// Nothing: the power went.
    Silence,
}

pub(crate) fn apply(world: &mut World, fault: Fault) {
    let network = &mut world.network;
    match fault {
        Fault::LinkDown(one, other) => network.routes.cut(one, other, true),
        Fault::LinkUp(one, other) => network.routes.cut(one, other, false),
        Fault::Link(one, other, link) => {
            network.routes.link(one, other, link);
            network.routes.link(other, one, link);
        }
        Fault::LinkOneWay(from, to, link) => network.routes.link(from, to, link),
        Fault::LinkAddress(host, address, link) => {
            network.routes.link_address(host, address, link);
        }
        Fault::Partition(hosts) => network.routes.partition(hosts),
        Fault::Heal => network.routes.partition(Vec::new()),
        Fault::AddRule(rule) => network.firewall.add(rule),
        Fault::RemoveRule(rule) => network.firewall.remove(&rule),
        Fault::RemoveRules => network.firewall.clear(),
        Fault::Name(name, records) => network.names.set(&name, records),
        Fault::AddAddress(host, address) => network.add_address(host, address),
        Fault::RemoveAddress(host, address) => network.remove_address(host, address),
        Fault::RefusePort { host, port, time } => {
            let until = world.now + time;
            network.refuse(host, port, until);
        }
        Fault::Crash { host, peers } => hosts::crash(world, host, peers),
        Fault::Restart(host) => hosts::restart(world, host),
        Fault::Stop(host) => hosts::stop(world, host),
        Fault::Release(host) => hosts::release(world, host),
        Fault::Swizzle { hosts, every, hold } => hosts::swizzle(world, hosts, every, hold),
        Fault::RebindNat(host) => network.rebind(host),
    }
    tcp::routes_changed(world);
}
