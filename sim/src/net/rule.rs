//! Firewalls: what happens to packets on their way, by rules.

use core::net::{IpAddr, SocketAddr};

use super::HostId;

/// A rule of a firewall. Packets meet all rules, in the order in which they were added, until one
/// of them does something.
///
/// A packet is of a rule when everything that the rule names agrees. `to` and `port` are those of
/// the side that was asked first, the server's mostly; unless the rule is `one_way`, packets that
/// come back from there are of the rule too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// TCP or UDP. Default both.
    pub transport: Option<Transport>,
    /// IPv4 or IPv6. Default both.
    pub family: Option<Family>,
    /// The host that asks. Default every host.
    pub from: Option<HostId>,
    /// The address that is asked. Default every address.
    pub to: Option<IpAddr>,
    /// The port that is asked. Default every port.
    pub port: Option<u16>,
    /// Packets that come back are not of this rule. Default false.
    pub one_way: bool,
    /// What happens to a packet of this rule.
    pub action: Action,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Connections of bytes.
    Tcp,
    /// Datagrams.
    Udp,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What a firewall does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It is gone, and nobody hears of it.
    Drop,
    /// Its sender hears that nobody is there: a reset for TCP, port unreachable for UDP.
    RejectReset,
    /// Its sender hears that there is no way (ICMP, administratively prohibited): a connection
    /// that is being made fails as unreachable, and a datagram just is gone.
    RejectUnreachable,
    /// The first so many packets of a flow pass, counted in both directions, and the others are
    /// dropped. A flow is two addresses with their ports.
    PassFirst(u32),
    /// Packets whose payload, of TCP or UDP, is longer than so many bytes are dropped.
    DropAbove(usize),
    /// At most so many bits per second pass, in bursts of at most `burst` bytes, with all headers
    /// from IP up; the rest is dropped. All packets of the rule count together.
    Rate {
        /// Bits per second.
        bits_per_second: u64,
        /// Bytes that may come at once.
        burst: u64,
    },
}

impl Rule {
    /// A rule of all packets.
    pub const fn new(action: Action) -> Self {
        Self {
            transport: None,
            family: None,
            from: None,
            to: None,
            port: None,
            one_way: false,
            action,
        }
    }

    /// Only of this transport.
    #[must_use]
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Only of this family.
    #[must_use]
    pub const fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Only what this host asks.
    #[must_use]
    pub const fn from(mut self, host: HostId) -> Self {
        self.from = Some(host);
        self
    }

    /// Only what is asked of this address.
    #[must_use]
    pub const fn to(mut self, address: IpAddr) -> Self {
        self.to = Some(address);
        self
    }

    /// Only what is asked of this port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Nothing that comes back.
    #[must_use]
    pub const fn one_way(mut self) -> Self {
        self.one_way = true;
        self
    }

    /// Whether a packet from `source`, at `host`, to `destination` is of this rule, the sender
    /// being the one who asked.
    pub(super) fn asks(&self, transport: Transport, host: HostId, destination: SocketAddr) -> bool {
        self.transport.is_none_or(|one| one == transport)
            && self.family.is_none_or(|family| family == Family::of(destination.ip()))
            && self.from.is_none_or(|from| from == host)
            && self.to.is_none_or(|to| to == destination.ip())
            && self.port.is_none_or(|port| port == destination.port())
    }
}

impl Family {
    /// That of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}
