//! What a file says of the world, in the words of the net.

use core::net::IpAddr;
use std::collections::BTreeMap;

use regatta_core::Instant;

use super::format::policy::Family;
use super::format::world::{self, Action, Answer, Kernel, Transport};
use super::format::{File, trouble};
use super::nearest;
use super::units::{Share, Time};
use crate::net::HostId;
use crate::net::fault::{Fault, Peers};
use crate::net::link::{Burst, Jitter, Link};
use crate::net::names::{Record, Records, Reply, Service};
use crate::net::nat::Nat;
use crate::net::rule::{self, Rule};
use crate::net::stack::{self, Stack};

/// A field's path, and what is wrong with it.
pub(super) type Wrong = (String, String);

/// Everything that a net is told before and while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) hosts: Vec<PlannedHost>,
    /// What is said of the network at its beginning.
    pub(super) first: Vec<Fault>,
    /// What happens later.
    pub(super) later: Vec<(Instant, Fault)>,
}

/// A host, whose id is its place.
#[derive(Clone, Debug)]
pub(super) struct PlannedHost {
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) stack: Stack,
    pub(super) nat: Option<Nat>,
}

impl Plan {
    pub(super) fn of(file: &File) -> Result<Self, Wrong> {
        let hosts = file.host.iter().map(|(name, host)| planned(name, host)).collect();
        let mut plan = Self { hosts, ..Self::default() };
        for (name, link) in &file.link {
            plan.first.push(linked(file, &format!("link.{name}"), link)?);
        }
        for (name, known) in &file.dns {
            plan.first.push(Fault::Name(name.to_ascii_lowercase(), records(known)));
        }
        for (name, rule) in &file.rule {
            plan.rule(file, &format!("rule.{name}"), rule)?;
        }
        for (name, fault) in &file.fault {
            let path = format!("fault.{name}");
            super::troubles::plan(file, &path, fault, &mut plan.later)?;
        }
        Ok(plan)
    }

    fn rule(&mut self, file: &File, path: &str, said: &world::Rule) -> Result<(), Wrong> {
        let mut rule = Rule::new(action(path, said)?);
        rule.transport = said.transport.map(|transport| match transport {
            Transport::Tcp => rule::Transport::Tcp,
            Transport::Udp => rule::Transport::Udp,
        });
        rule.family = said.family.map(|family| match family {
            Family::Ipv4 => rule::Family::V4,
            Family::Ipv6 => rule::Family::V6,
        });
        if let Some(from) = &said.from {
            rule.from = Some(host_of(file, &format!("{path}.from"), from)?);
        }
        (rule.to, rule.port, rule.one_way) = (said.to, said.port, said.one_way);
        match said.since {
            None => self.first.push(Fault::AddRule(rule)),
            Some(since) => self.later.push((instant(since), Fault::AddRule(rule))),
        }
        if let Some(until) = said.until {
            self.later.push((instant(until), Fault::RemoveRule(rule)));
        }
        Ok(())
    }
}

fn planned(name: &str, host: &world::Host) -> PlannedHost {
    let mut stack = Stack::default();
    stack.kernel = match host.kernel {
        Kernel::Linux6_5 => stack::Kernel::Linux6_5,
        Kernel::Older => stack::Kernel::Older,
    };
    let size = |bytes: Option<super::units::Bytes>, default: usize| {
        bytes.map_or(default, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX))
    };
    stack.receive_buffer = size(host.receive_buffer, stack.receive_buffer);
    stack.send_buffer = size(host.send_buffer, stack.send_buffer);
    stack.datagram_buffer = size(host.datagram_buffer, stack.datagram_buffer);
    stack.backlog = host.backlog.map_or(stack.backlog, |most| most as usize);
    stack.max_segments = host.max_segments.map_or(stack.max_segments, |most| most as usize);
    stack.initial_window = host.initial_window.unwrap_or(stack.initial_window);
    let nat = host.nat.map(|said| {
        let mut nat = Nat::new(said.public);
        nat.udp_idle = said.udp_idle.map_or(nat.udp_idle, |time| time.0);
        nat.tcp_idle = said.tcp_idle.map_or(nat.tcp_idle, |time| time.0);
        nat
    });
    PlannedHost { name: name.to_owned(), addresses: host.addresses.clone(), stack, nat }
}

/// The id of a host that is named at `path`.
pub(super) fn host_of(file: &File, path: &str, name: &str) -> Result<HostId, Wrong> {
    let place = place(&file.host, path, name, "host")?;
    Ok(HostId(u32::try_from(place).unwrap_or(u32::MAX)))
}

/// The place of `name` among `all`.
pub(super) fn place<T>(
    all: &BTreeMap<String, T>,
    path: &str,
    name: &str,
    what: &str,
) -> Result<usize, Wrong> {
    all.keys().position(|known| known == name).ok_or_else(|| {
        let near = nearest::name(name, all.keys().map(String::as_str));
        (path.to_owned(), format!("there is no {what} `{name}`: {near}"))
    })
}

/// The link between two hosts, as the change that makes it.
pub(super) fn linked(file: &File, path: &str, said: &world::Link) -> Result<Fault, Wrong> {
    let ends = format!("{path}.between");
    let (one, other) =
        (host_of(file, &ends, &said.between[0])?, host_of(file, &ends, &said.between[1])?);
    let link = link(said);
    Ok(match (said.address, said.one_way) {
        (Some(_), true) => {
            let says = "a link for one `address` goes both ways".to_owned();
            return Err((format!("{path}.one_way"), says));
        }
        (Some(address), false) => Fault::LinkAddress(one, address, Some(link)),
        (None, true) => Fault::LinkOneWay(one, other, link),
        (None, false) => Fault::Link(one, other, link),
    })
}

fn link(said: &world::Link) -> Link {
    let ppm = |share: Share| share.0;
    let mut link = Link::delay(said.delay.0);
    link.jitter = match (said.jitter.0.is_zero(), said.jitter_shape) {
        (true, _) => Jitter::None,
        (_, world::JitterShape::Uniform) => Jitter::Uniform(said.jitter.0),
        (_, world::JitterShape::Normal) => Jitter::Normal(said.jitter.0),
        (_, world::JitterShape::Pareto) => Jitter::Pareto(said.jitter.0),
    };
    link.bandwidth = said.bandwidth.map(|rate| rate.0);
    link.queue = said.queue.map_or(link.queue, |bytes| bytes.0);
    link.loss_ppm = ppm(said.loss);
    link.burst = said.burst.map(|burst| Burst {
        enter_ppm: ppm(burst.enter),
        recover_ppm: ppm(burst.recover),
        good_loss_ppm: ppm(burst.good_loss),
        bad_loss_ppm: ppm(burst.bad_loss),
    });
    link.duplicate_ppm = ppm(said.duplicate);
    link.reorder_ppm = ppm(said.reorder);
    link.reorder_by = said.reorder_by.map_or(link.reorder_by, |time| time.0);
    link.mtu = said.mtu.unwrap_or(link.mtu);
    link
}

fn action(path: &str, said: &world::Rule) -> Result<rule::Action, Wrong> {
    let needs = |field: &str| {
        let says = format!("the rule's action is nothing without `{field}`");
        (format!("{path}.{field}"), says)
    };
    Ok(match said.action {
        Action::Drop => rule::Action::Drop,
        Action::Reset => rule::Action::RejectReset,
        Action::Unreachable => rule::Action::RejectUnreachable,
        Action::PassFirst => rule::Action::PassFirst(said.most.ok_or_else(|| needs("most"))?),
        Action::DropAbove => {
            rule::Action::DropAbove(said.most.ok_or_else(|| needs("most"))? as usize)
        }
        Action::Limit => rule::Action::Rate {
            bits_per_second: said.rate.ok_or_else(|| needs("rate"))?.0,
            burst: said.burst.ok_or_else(|| needs("burst"))?.0,
        },
    })
}

/// What the resolver knows of a name.
pub(super) fn records(said: &world::Name) -> Records {
    let record = |own: &world::Record, ipv6: bool| {
        let family = said.addresses.iter().copied().filter(|at| at.is_ipv6() == ipv6);
        let reply = reply(own.answer, || Reply::Addresses(family.collect()));
        let mut record = Record::new(reply).delay(own.delay.unwrap_or(said.delay).0);
        record.ttl = own.ttl.or(said.ttl).map(|time| time.0);
        record
    };
    let mut records = Records::new().a(record(&said.a, false)).aaaa(record(&said.aaaa, true));
    records.https = services(said);
    records.together = said.together;
    records
}

fn reply(answer: Answer, records: impl FnOnce() -> Reply) -> Reply {
    match answer {
        Answer::Addresses => records(),
        Answer::NoSuchName => Reply::NoSuchName,
        Answer::Failure => Reply::Failure,
        Answer::Silence => Reply::Silence,
    }
}

/// What it knows of a name's HTTPS records.
fn services(said: &world::Name) -> Record {
    let own = &said.https;
    let service = |said: &world::Service| {
        let world::Service { priority, target, alpn, port } = said.clone();
        Service { priority, target, alpn, port, hints: Vec::new() }
    };
    let records = || Reply::Services(own.records.iter().map(service).collect());
    let record = Record::new(reply(own.answer, records)).delay(own.delay.unwrap_or(said.delay).0);
    Record { ttl: own.ttl.or(said.ttl).map(|time| time.0), ..record }
}

/// So long after the beginning.
pub(super) fn instant(time: Time) -> Instant {
    Instant::EPOCH + time.0
}

/// What the net calls what peers hear.
pub(super) const fn peers(said: trouble::Peers) -> Peers {
    match said {
        trouble::Peers::Reset => Peers::Reset,
        trouble::Peers::Silence => Peers::Silence,
    }
}
