//! Faults as the network has them: made, ended, and healed along one path.

use core::net::IpAddr;
use core::time::Duration;

use super::case::{Case, OriginPlan};
use super::fault::{FaultKind, Lookup};
use crate::executor::Net;
use crate::host::Host;
use crate::net::HostId;
use crate::net::fault::{Fault, Peers};
use crate::net::link::{Burst, Jitter, Link};
use crate::net::names::{Record, Records, Reply};
use crate::net::rule::{Action, Family, Rule, Transport};

/// The network of a case.
pub(super) struct Weather<'a> {
    pub(super) net: &'a Net,
    pub(super) case: &'a Case,
    pub(super) client: HostId,
    pub(super) hosts: Vec<HostId>,
}

impl<'a> Weather<'a> {
    pub(super) fn new(net: &'a Net, case: &'a Case, client: &Host, hosts: &[Host]) -> Self {
        Self { net, case, client: client.id(), hosts: hosts.iter().map(Host::id).collect() }
    }

    fn plain(&self, host: usize) -> Link {
        Link::delay(self.case.hosts[host].delay)
    }

    /// What begins and ends a fault; nothing for those that are not of the network.
    fn both(&self, kind: &FaultKind) -> Option<(Fault, Option<Fault>)> {
        let link = |host: usize, link| {
            let change = |link| Fault::Link(self.client, self.hosts[host], link);
            Some((change(link), Some(change(self.plain(host)))))
        };
        let rule = |rule| Some((Fault::AddRule(rule), Some(Fault::RemoveRule(rule))));
        match kind {
            FaultKind::NetworkChanged => None,
            FaultKind::Delay(host, delay) => link(*host, Link::delay(*delay)),
            FaultKind::Loss(host, ppm) => link(*host, self.plain(*host).loss_ppm(*ppm)),
            FaultKind::Bursts(host) => link(*host, self.plain(*host).burst(bursts())),
            FaultKind::Jitter(host, most) => {
                link(*host, self.plain(*host).jitter(Jitter::Uniform(*most)))
            }
            FaultKind::Slow(host, bits) => link(*host, self.plain(*host).bandwidth(*bits)),
            FaultKind::Shuffle(host) => {
                let shuffled = self.plain(*host).duplicate_ppm(50_000);
                link(*host, shuffled.reorder(50_000, Duration::from_millis(30)))
            }
            FaultKind::Down(host) => {
                let host = self.hosts[*host];
                let up = Fault::LinkUp(self.client, host);
                Some((Fault::LinkDown(self.client, host), Some(up)))
            }
            FaultKind::BlackHole(address) => {
                let cut = Fault::LinkAddress(self.client, *address, Some(Link::cut()));
                Some((cut, Some(Fault::LinkAddress(self.client, *address, None))))
            }
            FaultKind::NoFamily(v6) => rule(Rule::new(Action::Drop).family(family(*v6))),
            FaultKind::PassFirst(count) => rule(Rule::new(Action::PassFirst(*count))),
            FaultKind::NoUdp => rule(Rule::new(Action::Drop).transport(Transport::Udp)),
            FaultKind::NoUdpOf(v6) => {
                rule(Rule::new(Action::Drop).family(family(*v6)).transport(Transport::Udp))
            }
            FaultKind::UdpFirst(count) => {
                rule(Rule::new(Action::PassFirst(*count)).transport(Transport::Udp))
            }
            FaultKind::UdpRefused => rule(Rule::new(Action::RejectReset).transport(Transport::Udp)),
            FaultKind::Mtu(host, bytes) => link(*host, self.plain(*host).mtu(*bytes)),
            FaultKind::Reject(port, unreachable) => {
                let how = [Action::RejectReset, Action::RejectUnreachable];
                rule(Rule::new(how[usize::from(*unreachable)]).port(*port))
            }
            other => self.of_hosts(other),
        }
    }

    fn of_hosts(&self, kind: &FaultKind) -> Option<(Fault, Option<Fault>)> {
        let name = |origin: usize, records| {
            let change = |records| Fault::Name(self.case.origins[origin].name.to_owned(), records);
            Some((change(records), Some(change(self.records(origin)))))
        };
        match kind {
            FaultKind::Refuse(host, port) => {
                let time = Duration::from_secs(2);
                Some((Fault::RefusePort { host: self.hosts[*host], port: *port, time }, None))
            }
            FaultKind::Crash(host, reset) => {
                let host = self.hosts[*host];
                let peers = if *reset { Peers::Reset } else { Peers::Silence };
                Some((Fault::Crash { host, peers }, Some(Fault::Restart(host))))
            }
            FaultKind::Stop(host) => {
                let host = self.hosts[*host];
                Some((Fault::Stop(host), Some(Fault::Release(host))))
            }
            FaultKind::Swizzle => {
                let (every, hold) = (Duration::from_millis(300), Duration::from_secs(1));
                Some((Fault::Swizzle { hosts: self.hosts.clone(), every, hold }, None))
            }
            FaultKind::Partition(host) => {
                let together = vec![self.client, self.hosts[*host]];
                Some((Fault::Partition(together), Some(Fault::Heal)))
            }
            FaultKind::NoName(origin, lookup) => {
                let reply = match lookup {
                    Lookup::NoSuchName => return name(*origin, Records::no_such_name()),
                    Lookup::Failure => Reply::Failure,
                    Lookup::Silence => Reply::Silence,
                    Lookup::Empty => Reply::Addresses(Vec::new()),
                };
                let record = || Record::new(reply.clone());
                name(*origin, Records::new().a(record()).aaaa(record()))
            }
            FaultKind::WrongName(origin, other) => name(*origin, self.records(*other)),
            FaultKind::NoAddress(host, address) => {
                let host = self.hosts[*host];
                let back = Fault::AddAddress(host, *address);
                Some((Fault::RemoveAddress(host, *address), Some(back)))
            }
            FaultKind::Rebind => Some((Fault::RebindNat(self.client), None)),
            _ => None,
        }
    }

    /// What the resolver knows of an origin.
    pub(super) fn records(&self, origin: usize) -> Records {
        self.records_of(&self.case.origins[origin])
    }

    /// What the resolver knows of a name.
    pub(super) fn records_of(&self, known: &OriginPlan) -> Records {
        let addresses: Vec<_> = known.addresses.iter().map(|at| self.case.address(*at)).collect();
        let plan = &known.dns;
        let https = self.case.records.iter().find(|(name, _)| *name == known.name);
        let https = https.map_or_else(Record::empty, |(name, plan)| plan.record(name));
        if plan.together {
            return Records::together(addresses).https(https);
        }
        let record = |v6: bool, delay: Option<Duration>| {
            let own: Vec<IpAddr> =
                addresses.iter().copied().filter(|a| a.is_ipv6() == v6).collect();
            match delay {
                Some(delay) => {
                    let record = Record::addresses(own).delay(delay);
                    match plan.ttl {
                        Some(ttl) => record.ttl(ttl),
                        None => record,
                    }
                }
                None => Record::new(Reply::Silence),
            }
        };
        Records::new().a(record(false, plan.a)).aaaa(record(true, plan.aaaa)).https(https)
    }

    pub(super) fn begin(&self, kind: &FaultKind) {
        if let Some((begin, _)) = self.both(kind) {
            self.net.apply(begin);
        }
    }

    pub(super) fn end(&self, kind: &FaultKind) {
        if let Some((_, Some(end))) = self.both(kind) {
            self.net.apply(end);
        }
    }

    /// Heals one path of an origin: its name, its host's link, one address.
    pub(super) fn heal(&self, origin: usize, (host, place): (usize, usize)) {
        let address = self.case.address((host, place));
        let id = self.hosts[host];
        let mut cures = vec![
            Fault::Link(self.client, id, self.plain(host)),
            Fault::LinkUp(self.client, id),
            Fault::LinkAddress(self.client, address, None),
            Fault::AddAddress(id, address),
            Fault::Heal,
            Fault::Restart(id),
            Fault::Release(id),
        ];
        let name = self.case.origins[origin].name.to_owned();
        cures.push(Fault::Name(name, Records::together(self.case.addresses(origin))));
        for fault in &self.case.faults {
            let port = self.case.origins[origin].port();
            let concerns = match &fault.kind {
                FaultKind::NoFamily(v6) => *v6 == address.is_ipv6(),
                FaultKind::PassFirst(_) => true,
                FaultKind::NoUdp | FaultKind::UdpFirst(_) | FaultKind::UdpRefused => {
                    self.case.udp_heals
                }
                FaultKind::NoUdpOf(v6) => self.case.udp_heals && *v6 == address.is_ipv6(),
                FaultKind::Reject(known, _) => *known == port,
                _ => false,
            };
            if concerns && let Some((_, Some(cure))) = self.both(&fault.kind) {
                cures.push(cure);
            }
        }
        cures.into_iter().for_each(|cure| self.net.apply(cure));
    }
}

const fn family(v6: bool) -> Family {
    if v6 { Family::V6 } else { Family::V4 }
}

/// Bursts of five packets on the average, one in fifty begins one.
const fn bursts() -> Burst {
    Burst { enter_ppm: 20_000, recover_ppm: 200_000, good_loss_ppm: 0, bad_loss_ppm: 800_000 }
}
