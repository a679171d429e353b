//! What goes wrong in a run, when, and for how long: drawn up front.

use core::net::IpAddr;
use core::time::Duration;

use super::case::{Dice, HostPlan};

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// When, from the run's beginning.
    pub at: Duration,
    /// For how long; what has not ended when the quiet phase begins never does.
    pub time: Duration,
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong. Hosts, origins and addresses are those of the case.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The client is told that its network changed.
    NetworkChanged,
    /// A host's link takes so long.
    Delay(usize, Duration),
    /// A host's link loses so many packets of a million.
    Loss(usize, u32),
    /// Loss in bursts.
    Bursts(usize),
    /// Delays differ by up to this.
    Jitter(usize, Duration),
    /// So many bits per second.
    Slow(usize, u64),
    /// Packets come twice and overtake each other.
    Shuffle(usize),
    /// Nothing gets through to a host or back.
    Down(usize),
    /// Nothing gets through to an address or back.
    BlackHole(IpAddr),
    /// Nobody reaches an address family.
    NoFamily(bool),
    /// The first packets of each connection pass, the others are dropped.
    PassFirst(u32),
    /// A port is refused by a firewall: by a reset, or as unreachable.
    Reject(u16, bool),
    /// A host's port refuses connections.
    Refuse(usize, u16),
    /// A host crashes and restarts; with or without resets.
    Crash(usize, bool),
    /// A host's packets wait.
    Stop(usize),
    /// Hosts are stopped one by one and released in another order.
    Swizzle,
    /// The client and one host are cut off from all others.
    Partition(usize),
    /// A name cannot be looked up.
    NoName(usize, Lookup),
    /// A name has the addresses of another origin.
    WrongName(usize, usize),
    /// A host loses an address.
    NoAddress(usize, IpAddr),
    /// The NAT in front of the client forgets everything.
    Rebind,
    /// The client takes nothing new any more.
    ClientDrains,
    /// Datagrams get through to nobody.
    NoUdp,
    /// A host's link carries packets of so many bytes at most.
    Mtu(usize, u16),
    /// Datagrams of one address family get through to nobody.
    NoUdpOf(bool),
    /// The first datagrams of each flow pass, the others are dropped.
    UdpFirst(u32),
    /// Datagrams are refused by a firewall.
    UdpRefused,
}

/// What a resolver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// That the name does not exist.
    NoSuchName,
    /// That it failed.
    Failure,
    /// Nothing.
    Silence,
    /// That there is no address.
    Empty,
}

/// The stable names of all kinds.
pub(crate) const NAMES: [&str; 27] = [
    "network-changed",
    "delay",
    "loss",
    "bursts",
    "jitter",
    "slow",
    "shuffle",
    "down",
    "black-hole",
    "no-family",
    "pass-first",
    "reject",
    "refuse",
    "crash",
    "stop",
    "swizzle",
    "partition",
    "no-name",
    "wrong-name",
    "no-address",
    "rebind",
    "client-drains",
    "no-udp",
    "mtu",
    "no-udp-family",
    "udp-first",
    "udp-refused",
];

/// So many of them are drawn in every world, the others in worlds with HTTP/3 alone.
const KINDS: usize = 22;

impl FaultKind {
    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        NAMES[match self {
            Self::NetworkChanged => 0,
            Self::Delay(..) => 1,
            Self::Loss(..) => 2,
            Self::Bursts(_) => 3,
            Self::Jitter(..) => 4,
            Self::Slow(..) => 5,
            Self::Shuffle(_) => 6,
            Self::Down(_) => 7,
            Self::BlackHole(_) => 8,
            Self::NoFamily(_) => 9,
            Self::PassFirst(_) => 10,
            Self::Reject(..) => 11,
            Self::Refuse(..) => 12,
            Self::Crash(..) => 13,
            Self::Stop(_) => 14,
            Self::Swizzle => 15,
            Self::Partition(_) => 16,
            Self::NoName(..) => 17,
            Self::WrongName(..) => 18,
            Self::NoAddress(..) => 19,
            Self::Rebind => 20,
            Self::ClientDrains => 21,
            Self::NoUdp => 22,
            Self::Mtu(..) => 23,
            Self::NoUdpOf(_) => 24,
            Self::UdpFirst(_) => 25,
            Self::UdpRefused => 26,
        }]
    }
}

/// Draws faults: a random non-empty subset of the kinds with weights of 1 to 100, the others 0.
pub(crate) fn draw(
    dice: &mut Dice<'_>,
    hosts: &[HostPlan],
    origins: usize,
    most: u32,
) -> Vec<FaultPlan> {
    let count = dice.tape.draw("faults", most + 1);
    if count == 0 {
        return Vec::new();
    }
    let mut weights = [0; KINDS];
    let one_in = 1 + dice.tape.draw("kinds of faults", 5);
    for weight in &mut weights {
        if dice.tape.one_in("kind of fault", one_in) {
            *weight = 1 + dice.tape.draw("weight", 100);
        }
    }
    // It ends all else.
    weights[21] /= 20;
    if weights.iter().all(|weight| *weight == 0) {
        weights[dice.tape.draw("only kind", KINDS as u32) as usize] = 1;
    }
    let mut faults: Vec<_> = (0..count).map(|_| one(dice, &weights, hosts, origins)).collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn one(
    dice: &mut Dice<'_>,
    weights: &[u32; KINDS],
    hosts: &[HostPlan],
    origins: usize,
) -> FaultPlan {
    let at = match dice.tape.draw("fault early or late", 2) {
        0 => dice.millis("fault", 300),
        _ => dice.millis("fault", 20_000),
    };
    let time = match dice.tape.draw("fault short or long", 3) {
        0 => dice.millis("fault's time", 500),
        1 => dice.millis("fault's time", 10_000),
        _ => Duration::from_secs(100_000),
    };
    let kind = kind(dice, weights, hosts, origins as u32);
    FaultPlan { at, time, kind }
}

fn kind(
    dice: &mut Dice<'_>,
    weights: &[u32; KINDS],
    hosts: &[HostPlan],
    origins: u32,
) -> FaultKind {
    let which = dice.weighted("fault", weights);
    let host = dice.tape.draw("host", hosts.len() as u32) as usize;
    let addresses = &hosts[host].addresses;
    let place = dice.tape.draw("address", addresses.len() as u32) as usize;
    let address = addresses[place].0;
    let port = dice.tape.pick("port", &[443, 80]);
    let origin = dice.tape.draw("origin", origins) as usize;
    match which {
        0 => FaultKind::NetworkChanged,
        1 => FaultKind::Delay(host, dice.millis("new delay", 2_000)),
        2 => FaultKind::Loss(host, dice.tape.draw("loss", 300_000)),
        3 => FaultKind::Bursts(host),
        4 => FaultKind::Jitter(host, dice.millis("jitter", 300)),
        5 => FaultKind::Slow(host, 20_000 + 100 * u64::from(dice.tape.draw("bits", 50_000))),
        6 => FaultKind::Shuffle(host),
        7 => FaultKind::Down(host),
        8 => FaultKind::BlackHole(address),
        9 => FaultKind::NoFamily(dice.tape.draw("family", 2) == 1),
        10 => FaultKind::PassFirst(1 + dice.tape.draw("first", 12)),
        11 => FaultKind::Reject(port, dice.tape.draw("unreachable", 2) == 1),
        12 => FaultKind::Refuse(host, port),
        13 => FaultKind::Crash(host, dice.tape.draw("reset", 2) == 0),
        14 => FaultKind::Stop(host),
        15 => FaultKind::Swizzle,
        16 => FaultKind::Partition(host),
        17 => {
            let all = [Lookup::NoSuchName, Lookup::Failure, Lookup::Silence, Lookup::Empty];
            FaultKind::NoName(origin, dice.tape.pick("lookup", &all))
        }
        18 => FaultKind::WrongName(origin, dice.tape.draw("other origin", origins) as usize),
        19 => FaultKind::NoAddress(host, address),
        20 => FaultKind::Rebind,
        _ => FaultKind::ClientDrains,
    }
}
