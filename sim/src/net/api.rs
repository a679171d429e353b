//! What a net's owner says of its network.

use core::net::IpAddr;

use regatta_core::Instant;

use super::fault::Fault;
use super::link::Link;
use super::names::Records;
use super::nat::Nat;
use super::rule::Rule;
use super::stack::Stack;
use crate::executor::Net;
use crate::host::Host;

impl Net {
    /// Adds a host with these addresses, besides its loopback.
    pub fn host(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Host {
        let id = self.shared.world().network.add_host(name, addresses.into_iter().collect());
        Host::new(std::sync::Arc::clone(&self.shared), id)
    }

    /// Links two hosts, the same in both directions. Hosts that are not linked reach each other
    /// without delay.
    pub fn link(&self, one: &Host, other: &Host, link: Link) {
        self.apply(Fault::Link(one.id(), other.id(), link));
    }

    /// Links one host to another in this direction only; the way back stays as it is.
    pub fn link_one_way(&self, from: &Host, to: &Host, link: Link) {
        self.apply(Fault::LinkOneWay(from.id(), to.id(), link));
    }

    /// Links a host with one address of another host otherwise than with its other addresses,
    /// the same in both directions.
    pub fn link_address(&self, host: &Host, address: IpAddr, link: Link) {
        self.apply(Fault::LinkAddress(host.id(), address, Some(link)));
    }

    /// Adds a rule to the firewall that all packets between hosts pass.
    pub fn rule(&self, rule: Rule) {
        self.apply(Fault::AddRule(rule));
    }

    /// Puts a host behind a NAT, whose public address becomes the net's.
    pub fn nat(&self, host: &Host, nat: Nat) {
        self.shared.world().network.add_nat(host.id(), nat);
    }

    /// Sets a host's own network stack, for what it opens from now on.
    pub fn stack(&self, host: &Host, stack: Stack) {
        self.shared.world().network.set_stack(host.id(), stack);
    }

    /// What every host's resolver answers for a name: all addresses at once.
    pub fn name(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.records(name, Records::together(addresses));
    }

    /// What every host's resolver answers for a name, by type of record.
    pub fn records(&self, name: &str, records: Records) {
        self.apply(Fault::Name(name.to_owned(), records));
    }

    /// Changes the world now.
    pub fn apply(&self, fault: Fault) {
        super::fault::apply(&mut self.shared.world(), fault);
    }

    /// Changes the world at an instant, or now if that is past.
    pub fn at(&self, at: Instant, fault: Fault) {
        let happening = super::Happening::Fault(Box::new(fault));
        self.shared.world().schedule(at, crate::world::Happening::Net(happening));
    }
}
