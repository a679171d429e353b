//! Hosts, links, firewall rules and names.

use std::net::IpAddr;

use serde::Deserialize;

use super::policy::Family;
use crate::scenario::units::{Bytes, Rate, Share, Time};

/// `[host.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its addresses, besides its loopback.
    pub addresses: Vec<IpAddr>,
    /// Whose times hold when SYNs are lost.
    #[serde(default)]
    pub kernel: Kernel,
    /// Connections that wait to be accepted.
    pub backlog: Option<u32>,
    /// The receive window of a connection.
    pub receive_buffer: Option<Bytes>,
    /// What may be unacknowledged of a connection.
    pub send_buffer: Option<Bytes>,
    /// Segments before the first acknowledgement.
    pub initial_window: Option<u32>,
    /// Bytes of datagrams that wait to be received.
    pub datagram_buffer: Option<Bytes>,
    /// Most datagrams in one transmit.
    pub max_segments: Option<u32>,
    /// What it sits behind.
    pub nat: Option<Nat>,
}

/// A host's `nat`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// The address that others see.
    pub public: IpAddr,
    /// A flow of datagrams is forgotten when nothing was sent for so long.
    pub udp_idle: Option<Time>,
    /// The same for a TCP connection.
    pub tcp_idle: Option<Time>,
}

/// Whose times hold when SYNs are lost.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Kernel {
    /// Linux 6.5 and later: 1, 2, 3, 4, 5, 7, 11, .. s.
    #[default]
    #[serde(rename = "linux-6.5")]
    Linux6_5,
    /// Before it: 1, 3, 7, 15, .. s.
    #[serde(rename = "older")]
    Older,
}

/// `[link.NAME]`: what lies between two hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The two hosts.
    pub between: [String; 2],
    /// Only towards, and back from, this address of the second host.
    pub address: Option<IpAddr>,
    /// Only from the first to the second host.
    #[serde(default)]
    pub one_way: bool,
    /// How long everything takes from one end to the other, least.
    #[serde(default)]
    pub delay: Time,
    /// What is added to the delay of each packet.
    #[serde(default)]
    pub jitter: Time,
    /// How what is added is distributed.
    #[serde(default)]
    pub jitter_shape: JitterShape,
    /// What goes in; as much as comes.
    pub bandwidth: Option<Rate>,
    /// Bytes that may wait for the bandwidth.
    pub queue: Option<Bytes>,
    /// How many packets are lost, each by itself.
    #[serde(default)]
    pub loss: Share,
    /// Loss that comes in bursts.
    pub burst: Option<Burst>,
    /// How many packets come twice.
    #[serde(default)]
    pub duplicate: Share,
    /// How many packets come late, so that others overtake them.
    #[serde(default)]
    pub reorder: Share,
    /// How late those come.
    pub reorder_by: Option<Time>,
    /// The longest IP packet.
    pub mtu: Option<u16>,
}

/// How a link's jitter is distributed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JitterShape {
    /// Everything from 0 to `jitter`, alike.
    #[default]
    Uniform,
    /// A bell of this standard deviation.
    Normal,
    /// Mostly little, sometimes very much.
    Pareto,
}

/// A link's `burst`: a good and a bad state, one step with each packet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// From good to bad.
    pub enter: Share,
    /// From bad to good.
    pub recover: Share,
    /// Packets lost in the good state.
    #[serde(default)]
    pub good_loss: Share,
    /// Packets lost in the bad state.
    pub bad_loss: Share,
}

/// `[rule.NAME]`: a rule of the firewall. They are met in the order of their names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// TCP or UDP; both.
    pub transport: Option<Transport>,
    /// IPv4 or IPv6; both.
    pub family: Option<Family>,
    /// The host that asks; all.
    pub from: Option<String>,
    /// The address that is asked; all.
    pub to: Option<IpAddr>,
    /// The port that is asked; all.
    pub port: Option<u16>,
    /// Packets that come back are not of this rule.
    #[serde(default)]
    pub one_way: bool,
    /// What happens.
    pub action: Action,
    /// `pass-first`: how many packets of a flow pass. `drop-above`: bytes of payload.
    pub most: Option<u32>,
    /// `limit`: what passes.
    pub rate: Option<Rate>,
    /// `limit`: what may come at once.
    pub burst: Option<Bytes>,
    /// Since when it holds.
    pub since: Option<Time>,
    /// Until when it holds.
    pub until: Option<Time>,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// What a firewall does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is gone, and nobody hears of it.
    Drop,
    /// Its sender hears that nobody listens.
    Reset,
    /// Its sender hears that there is no way.
    Unreachable,
    /// The first of a flow pass and the others are dropped.
    PassFirst,
    /// Long ones are dropped.
    DropAbove,
    /// What exceeds a rate is dropped.
    Limit,
}

/// `[dns."NAME"]`: what the resolver knows of a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Its addresses of both families.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// How long an answer takes.
    #[serde(default)]
    pub delay: Time,
    /// How long an answer holds.
    pub ttl: Option<Time>,
    /// Both families come in one answer, when the last of them is there.
    #[serde(default)]
    pub together: bool,
    /// What is different about IPv4 addresses.
    #[serde(default)]
    pub a: Record,
    /// What is different about IPv6 addresses.
    #[serde(default)]
    pub aaaa: Record,
    /// Its HTTPS records, and what is different about them.
    #[serde(default)]
    pub https: Https,
}

/// A name's `https`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Https {
    /// What comes; `addresses` is the records.
    #[serde(default)]
    pub answer: Answer,
    /// How long it takes.
    pub delay: Option<Time>,
    /// How long it holds.
    pub ttl: Option<Time>,
    /// The records.
    #[serde(default)]
    pub records: Vec<Service>,
}

/// An HTTPS record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Less is tried first; 0 is an alias.
    pub priority: u16,
    /// The name of the endpoint; the name itself.
    pub target: Option<String>,
    /// Protocols by their ALPN ids.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// The origin's.
    pub port: Option<u16>,
}

/// A name's `a` or `aaaa`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What comes.
    #[serde(default)]
    pub answer: Answer,
    /// How long it takes.
    pub delay: Option<Time>,
    /// How long it holds.
    pub ttl: Option<Time>,
}

/// What a resolver answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The addresses.
    #[default]
    Addresses,
    /// The name does not exist.
    NoSuchName,
    /// The server failed.
    Failure,
    /// Nothing, ever.
    Silence,
}
