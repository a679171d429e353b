//! Network address translation in front of a host.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;

use super::firewall::Seen;
use super::tcp::End;
use super::{HostId, Network};

/// A NAT that a host sits behind.
///
/// Everything that the host sends to other hosts comes from `public`, at a port of the NAT's own,
/// which is the same for all destinations; only who was sent something at that port may answer
/// (RFC 4787: endpoint-independent mapping, address and port-dependent filtering). Nobody else
/// reaches the host. What of the host's addresses is not of `public`'s family is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// The address that others see.
    pub public: IpAddr,
    /// A flow of datagrams is forgotten when nothing was sent for so long. Default 30 s, Linux's
    /// `nf_conntrack_udp_timeout`.
    pub udp_idle: Duration,
    /// A TCP connection is forgotten when nothing was sent for so long. Default 5 days, Linux's
    /// `nf_conntrack_tcp_timeout_established`; many home routers say minutes.
    pub tcp_idle: Duration,
}

impl Nat {
    /// A NAT that others see as this address.
    pub const fn new(public: IpAddr) -> Self {
        Self {
            public,
            udp_idle: Duration::from_secs(30),
            tcp_idle: Duration::from_secs(5 * 24 * 3_600),
        }
    }

    /// Datagrams' flows are forgotten after this.
    #[must_use]
    pub const fn udp_idle(mut self, time: Duration) -> Self {
        self.udp_idle = time;
        self
    }

    /// Connections are forgotten after this.
    #[must_use]
    pub const fn tcp_idle(mut self, time: Duration) -> Self {
        self.tcp_idle = time;
        self
    }
}

/// The first port of a NAT's own.
const FIRST_PORT: u16 = 20_000;

/// A NAT and what it remembers.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) nat: Nat,
    /// Grows when it forgets everything.
    epoch: u32,
    next_port: u16,
    /// By the address behind it.
    flows: BTreeMap<SocketAddr, UdpFlow>,
}

/// A NAT's memory of what one socket sends.
#[derive(Debug)]
struct UdpFlow {
    public: SocketAddr,
    used: Instant,
    /// Who was sent something, and so may answer.
    peers: BTreeSet<SocketAddr>,
}

/// A NAT's memory of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NatFlow {
    /// How others see who is behind it.
    pub(crate) public: SocketAddr,
    epoch: u32,
    used: Instant,
}

/// What a NAT makes of a connection's segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Translated {
    /// It goes on.
    Same,
    /// It goes on from another port, where its peer knows nobody.
    Stray,
    /// It goes nowhere.
    Lost,
}

impl State {
    pub(super) const fn new(nat: Nat) -> Self {
        Self { nat, epoch: 0, next_port: FIRST_PORT, flows: BTreeMap::new() }
    }

    pub(super) fn forget(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.flows.clear();
    }

    /// A public address that nobody had before, until all ports were used.
    pub(super) fn public(&mut self) -> SocketAddr {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        SocketAddr::new(self.nat.public, port)
    }

    /// Whether it translates from this address.
    pub(super) const fn covers(&self, address: IpAddr) -> bool {
        self.nat.public.is_ipv4() == address.is_ipv4()
    }
}

impl Network {
    /// Remembers a connection that begins, where its asking host is behind a NAT.
    pub(super) fn map_connection(&mut self, now: Instant, seen: &Seen) -> Option<NatFlow> {
        let state = self.host_mut(seen.from)?.nat.as_mut()?;
        if seen.from == seen.to || !state.covers(seen.source.ip()) {
            return None;
        }
        Some(NatFlow { public: state.public(), epoch: state.epoch, used: now })
    }

    /// What the NAT between the two ends makes of a segment from one of them.
    pub(super) fn translate(&mut self, now: Instant, from: End) -> Translated {
        let Some((host, flow)) = self.asking(from).map(|side| (side.host, side.nat)) else {
            return Translated::Lost;
        };
        let Some(flow) = flow else { return Translated::Same };
        let known = self.host(host).and_then(|host| host.nat.as_ref()).is_some_and(|state| {
            state.epoch == flow.epoch && now.saturating_since(flow.used) <= state.nat.tcp_idle
        });
        if !known {
            // From now on nothing that comes back finds it.
            return if from.asked() { Translated::Stray } else { Translated::Lost };
        }
        if let Some(side) = self.asking(from) {
            side.nat = Some(NatFlow { used: now, ..flow });
        }
        Translated::Same
    }

    /// How others see the source of a datagram.
    pub(super) fn udp_source(
        &mut self,
        now: Instant,
        host: HostId,
        source: SocketAddr,
        to: SocketAddr,
    ) -> SocketAddr {
        let local = self.host_of(host, to.ip()) == Some(host);
        let state = self.host_mut(host).and_then(|host| host.nat.as_mut());
        let Some(state) = state.filter(|state| !local && state.covers(source.ip())) else {
            return source;
        };
        let idle = state.nat.udp_idle;
        let known = state.flows.get(&source);
        if known.is_none_or(|flow| now.saturating_since(flow.used) > idle) {
            let flow = UdpFlow { public: state.public(), used: now, peers: BTreeSet::new() };
            state.flows.insert(source, flow);
        }
        let Some(flow) = state.flows.get_mut(&source) else { return source };
        flow.used = now;
        flow.peers.insert(to);
        let public = flow.public;
        self.publics.insert(public, (host, source));
        public
    }

    /// Who gets a datagram that is sent to an address, and at which of its own; nobody where a
    /// NAT knows nothing of it.
    pub(super) fn udp_destination(
        &mut self,
        now: Instant,
        from: HostId,
        source: SocketAddr,
        to: SocketAddr,
    ) -> Option<(HostId, SocketAddr)> {
        let Some((host, own)) = self.publics.get(&to).copied() else {
            let host = self.host_of(from, to.ip())?;
            let hidden = host != from
                && self.host(host)?.nat.as_ref().is_some_and(|state| state.covers(to.ip()));
            return (!hidden).then_some((host, to));
        };
        let state = self.host_mut(host)?.nat.as_mut()?;
        let idle = state.nat.udp_idle;
        let flow = state.flows.get_mut(&own).filter(|flow| flow.public == to)?;
        let known = now.saturating_since(flow.used) <= idle && flow.peers.contains(&source);
        if !known {
            return None;
        }
        flow.used = now;
        Some((host, own))
    }

    pub(super) fn rebind(&mut self, host: HostId) {
        if let Some(state) = self.host_mut(host).and_then(|host| host.nat.as_mut()) {
            state.forget();
        }
    }
}
