//! A packet's way: hosts that are up, firewalls, links.

use regatta_core::Instant;

use super::firewall::{Seen, Verdict};
use super::routes::{Arrivals, Ends, PathId};
use super::rule::Transport;
use super::{Happening, HostId, Network, tap};
use crate::step::StepKind;
use crate::world::{self, World};

/// What became of a packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, at least once, first at this instant.
    Arrives(Instant),
    /// It waits at a host that is stopped.
    Waits,
    /// It will never arrive.
    Lost,
    /// A firewall says no, and its sender hears it then.
    Rejected(Verdict, Instant),
}

/// A packet that waits for a host to be released.
#[derive(Debug)]
pub(crate) struct Held {
    seen: Seen,
    what: Happening,
}

impl Seen {
    pub(crate) const fn ends(&self) -> Ends {
        Ends {
            from: self.from,
            source: self.source.ip(),
            to: self.to,
            destination: self.destination.ip(),
        }
    }

    pub(super) const fn back(&self) -> Ends {
        Ends {
            from: self.to,
            source: self.destination.ip(),
            to: self.from,
            destination: self.source.ip(),
        }
    }
}

impl Network {
    /// Whether everything that is sent between these ends arrives, in order and after one delay.
    pub(crate) fn is_flat(&self, seen: &Seen) -> bool {
        if seen.from == seen.to {
            return !self.is_down(seen.from);
        }
        let paths = [seen.ends(), seen.back()].map(|ends| self.routes.find(ends));
        paths.into_iter().all(|path| self.routes.link_of(path).is_flat())
            && self.is_open(seen)
            && !self.is_stopped(seen.from)
            && !self.is_stopped(seen.to)
            && !self.is_translated(seen.from)
            && !self.is_translated(seen.to)
            && !self.firewall.concerns(seen)
    }

    /// Whether both hosts are up, have their addresses and are joined.
    fn is_open(&self, seen: &Seen) -> bool {
        !self.is_down(seen.from)
            && !self.is_down(seen.to)
            && self.has(seen.from, seen.source.ip())
            && self.has(seen.to, seen.destination.ip())
            && self.routes.are_joined(seen.from, seen.to)
    }

    fn is_stopped(&self, host: HostId) -> bool {
        self.host(host).is_some_and(|host| host.stopped)
    }

    pub(crate) fn is_down(&self, host: HostId) -> bool {
        self.host(host).is_none_or(|host| host.down)
    }
}

/// Sends a packet, which is `what` when it arrives.
pub(crate) fn transmit(world: &mut World, seen: Seen, what: Happening) -> Fate {
    let fate = decide(world, &seen, &what);
    match fate {
        Fate::Arrives(at) => tap::offer(world, &seen, &what, Some(at)),
        Fate::Lost => {
            world.note(StepKind::Lost, what.number(), 0, seen.size);
            tap::offer(world, &seen, &what, None);
        }
        Fate::Rejected(..) => tap::offer(world, &seen, &what, None),
        Fate::Waits => {}
    }
    fate
}

fn decide(world: &mut World, seen: &Seen, what: &Happening) -> Fate {
    let network = &mut world.network;
    if seen.from == seen.to {
        if network.is_down(seen.from) {
            return Fate::Lost;
        }
        let at = world.now;
        world.schedule(at, world::Happening::Net(what.clone()));
        return Fate::Arrives(at);
    }
    if network.is_stopped(seen.from) || network.is_stopped(seen.to) {
        network.held.push(Held { seen: *seen, what: what.clone() });
        return Fate::Waits;
    }
    if !network.is_open(seen) {
        return Fate::Lost;
    }
    let path = network.routes.find(seen.ends());
    match network.firewall.judge(world.now, seen) {
        Verdict::Pass => {}
        Verdict::Drop => return Fate::Lost,
        verdict => {
            let back = network.routes.find(seen.back());
            let delays = [path, back].map(|path| network.routes.link_of(path).delay);
            return Fate::Rejected(verdict, world.now + delays[0] + delays[1]);
        }
    }
    if seen.transport == Transport::Udp && seen.size > u64::from(network.routes.link_of(path).mtu) {
        return Fate::Lost;
    }
    carry(world, path, seen, what)
}

fn carry(world: &mut World, path: PathId, seen: &Seen, what: &Happening) -> Fate {
    let World { network, choices, now, .. } = world;
    let Arrivals { first, second } = network.routes.carry(choices, *now, path, seen.size);
    let Some(first) = first else { return Fate::Lost };
    world.schedule(first, world::Happening::Net(what.clone()));
    if let Some(second) = second {
        world.schedule(second, world::Happening::Net(what.clone()));
    }
    Fate::Arrives(first)
}

/// Packets that waited for a host go on, in their order, those of other stopped hosts not.
pub(crate) fn send_held(world: &mut World) {
    for Held { seen, what } in core::mem::take(&mut world.network.held) {
        transmit(world, seen, what);
    }
}
