//! What goes wrong, and when.

use std::net::IpAddr;

use serde::Deserialize;

use super::world::{Link, Name};
use crate::scenario::units::Time;

/// `[fault.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What it is.
    pub kind: Kind,
    /// When it happens.
    pub at: Time,
    /// How long until it is undone; for good.
    pub lasts: Option<Time>,
    /// How long until it happens again; once.
    pub every: Option<Time>,
    /// Which link.
    pub link: Option<String>,
    /// Which host.
    pub host: Option<String>,
    /// Which hosts.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Which address.
    pub address: Option<IpAddr>,
    /// Which port.
    pub port: Option<u16>,
    /// What the peers of a host that crashes hear.
    #[serde(default)]
    pub peers: Peers,
    /// `swizzle`: from one host to the next.
    pub apart: Option<Time>,
    /// `swizzle`: from the last stop to the first release.
    pub hold: Option<Time>,
    /// Which name.
    pub name: Option<String>,
    /// `link-changes`: what the link is like then.
    pub becomes: Option<Link>,
    /// `name-changes`: what the resolver knows then.
    pub records: Option<Name>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing passes a link.
    LinkDown,
    /// A link is another.
    LinkChanges,
    /// Nothing gets from some hosts to the others.
    Partition,
    /// A host's processes end.
    Crash,
    /// Packets to and from a host wait.
    Stop,
    /// Hosts stop one after the other and go on in another order.
    Swizzle,
    /// A host has one more address.
    AddAddress,
    /// A host has one address less.
    RemoveAddress,
    /// A port refuses connections.
    RefusePort,
    /// A NAT forgets all it knew.
    RebindNat,
    /// The resolver answers otherwise.
    NameChanges,
}

/// What the peers of a host hear when it crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peers {
    /// Every connection is reset.
    #[default]
    Reset,
    /// Nothing.
    Silence,
}
