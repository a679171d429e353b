//! What one run is made of, drawn wholly from the beginning of its tape.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use regatta_core::types::Scheme;
use regatta_models::tape::Tape;

use super::fault::{self, FaultKind, FaultPlan};
use super::optimum::Expectation;
use super::policy::ClientPlan;
use super::workload::{self, RequestPlan};
use super::{early, grid, http3, records};
use crate::net::stack::{Kernel, Stack};
use crate::peer::Conduct;

/// How likely things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As networks are: most things work, most settings are the defaults.
    Realistic,
    /// Everything about as likely as everything else.
    Flat,
}

impl Profile {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realistic => "realistic",
            Self::Flat => "flat",
        }
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Anything may go wrong.
    Wild,
    /// Nothing goes wrong, so that the answer must be the best one.
    Stable,
    /// Nothing goes wrong and the workload is fixed: the counts are known numbers.
    Golden,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Case {
    /// How likely things were.
    pub profile: Profile,
    /// What it is for.
    pub mode: Mode,
    /// Whether the world is a tiny one.
    pub lite: bool,
    /// What hash keys and TLS are made from.
    pub seed: u64,
    /// Everybody but the client.
    pub hosts: Vec<HostPlan>,
    /// What is asked for.
    pub origins: Vec<OriginPlan>,
    /// The client's settings.
    pub client: ClientPlan,
    /// What is asked.
    pub requests: Vec<RequestPlan>,
    /// What goes wrong.
    pub faults: Vec<FaultPlan>,
    /// Whether the client sits behind a NAT.
    pub nat: bool,
    /// The kernel, window and buffers of every host.
    pub stack: Stack,
    /// How an answer comes is drawn when its request has come, not up front: the generator that
    /// knows everything beforehand must not be the only one.
    pub on_the_spot: bool,
    /// Whether servers and clients speak HTTP/3 too.
    pub http3: bool,
    /// Names that are no origin's: where alternatives may be.
    pub elsewhere: Vec<OriginPlan>,
    /// What the resolver says of services, by name.
    pub records: Vec<(&'static str, records::RecordPlan)>,
    /// What goes wrong before anything happens, and stays.
    pub from_start: Vec<FaultKind>,
    /// Whether what befalls datagrams alone ends in the quiet phase.
    pub udp_heals: bool,
    /// What must come of it, where nothing goes wrong.
    pub expectation: Option<Expectation>,
}

/// A server's host.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// One way.
    pub delay: Duration,
    /// Its addresses and who listens there.
    pub addresses: Vec<(IpAddr, Conduct)>,
}

/// An origin.
#[derive(Clone, Debug)]
pub struct OriginPlan {
    /// Its name.
    pub name: &'static str,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and address of each of its addresses.
    pub addresses: Vec<(usize, usize)>,
    /// How its name is looked up.
    pub dns: DnsPlan,
}

/// How a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsPlan {
    /// One answer with all addresses, at once.
    pub together: bool,
    /// When A comes; `None` is never.
    pub a: Option<Duration>,
    /// When AAAA comes; `None` is never.
    pub aaaa: Option<Duration>,
    /// How long the answers hold, where that is said.
    pub ttl: Option<Duration>,
}

impl DnsPlan {
    /// All at once.
    pub const AT_ONCE: Self = Self { together: true, a: None, aaaa: None, ttl: None };

    pub(super) fn draw(dice: &mut Dice<'_>) -> Self {
        if !dice.odd("slow lookup", 300_000, 2) {
            return Self::AT_ONCE;
        }
        // 99 % of the gaps between both answers are under 21 ms (Mozilla, 2026).
        let mut delay = |name| match dice.weighted(name, &[4, 2, 1, 1]) {
            0 => Some(dice.millis(name, 21)),
            1 => Some(dice.millis(name, 200)),
            2 => Some(dice.millis(name, 4_000)),
            _ => None,
        };
        let (a, aaaa) = (delay("A"), delay("AAAA"));
        let ttl = dice.usual("ttl", &[None, Some(Duration::ZERO), Some(Duration::from_secs(5))]);
        Self { together: false, a, aaaa, ttl }
    }
}

impl OriginPlan {
    /// The port of its servers.
    pub const fn port(&self) -> u16 {
        self.scheme.default_port()
    }
}

const NAMES: [&str; 4] = ["a.test", "b.test", "c.test", "d.test"];

/// Draws with the odds of a profile.
#[derive(Debug)]
pub(crate) struct Dice<'a> {
    pub(crate) tape: &'a mut Tape,
    pub(crate) profile: Profile,
    /// One in so many settings is not the usual one, in the flat profile: in some runs many are,
    /// in others a few, so that they do not hide each other's effects.
    odds: u32,
}

impl Dice<'_> {
    /// The first of `choices` is the usual one; realistically it is taken nine times in ten.
    pub(crate) fn usual<T: Clone>(&mut self, name: &'static str, choices: &[T]) -> T {
        let odd = match self.profile {
            Profile::Realistic => self.tape.one_in(name, 10),
            Profile::Flat => self.tape.one_in(name, self.odds),
        };
        match choices {
            [first, rest @ ..] if !odd || rest.is_empty() => first.clone(),
            [_, rest @ ..] => self.tape.pick(name, rest),
            [] => panic!("{name}: nothing to choose from"),
        }
    }

    /// True `ppm` times in a million in the realistic profile, one time in `flat` in the other.
    pub(crate) fn odd(&mut self, name: &'static str, ppm: u32, flat: u32) -> bool {
        match self.profile {
            Profile::Realistic => {
                self.tape.draw(name, 1_000_000) >= 1_000_000_u32.saturating_sub(ppm)
            }
            Profile::Flat => self.tape.one_in(name, flat),
        }
    }

    /// The index of a weight.
    pub(crate) fn weighted(&mut self, name: &'static str, weights: &[u32]) -> usize {
        self.tape.weighted(name, weights)
    }

    /// So many milliseconds.
    pub(crate) fn millis(&mut self, name: &'static str, most: u32) -> Duration {
        Duration::from_millis(u64::from(self.tape.draw(name, most)))
    }
}

impl Case {
    /// Draws a case.
    pub fn draw(tape: &mut Tape, profile: Profile) -> Self {
        let seed = u64::from(tape.draw("seed", u32::MAX));
        let mode = match tape.weighted("mode", &[13, 2, 1]) {
            0 => Mode::Wild,
            1 => Mode::Stable,
            _ => Mode::Golden,
        };
        let odds = tape.pick("odds", &[12, 4, 2]);
        let mut dice = Dice { tape, profile, odds };
        match mode {
            Mode::Wild => Self::wild(&mut dice, seed),
            Mode::Stable if grid::is_drawn(seed) => super::optimum_race::stable(&mut dice, seed),
            Mode::Stable => super::optimum::stable(&mut dice, seed),
            Mode::Golden => super::optimum::golden(&mut dice, seed),
        }
    }

    fn wild(dice: &mut Dice<'_>, seed: u64) -> Self {
        let lite = dice.tape.draw("lite", 2) == 0;
        let hosts = hosts(dice, if lite { 1 } else { 3 });
        let origins = origins(dice, if lite { 2 } else { 4 }, &hosts);
        let client = ClientPlan::draw(dice);
        let requests = workload::draw(dice, origins.len(), if lite { 5 } else { 24 });
        let faults = fault::draw(dice, &hosts, origins.len(), if lite { 3 } else { 8 });
        let nat = dice.odd("nat", 500_000, 3);
        let stack = stack(dice);
        let on_the_spot = dice.tape.one_in("on the spot", 4);
        let mut case = Self {
            profile: dice.profile,
            mode: Mode::Wild,
            lite,
            seed,
            hosts,
            origins,
            client,
            requests,
            faults,
            nat,
            stack,
            on_the_spot,
            http3: false,
            elsewhere: Vec::new(),
            records: Vec::new(),
            from_start: Vec::new(),
            udp_heals: true,
            expectation: None,
        };
        if http3::is_drawn(seed) {
            http3::draw(dice, &mut case);
        }
        if grid::is_drawn(seed) {
            grid::draw(dice, &mut case);
        }
        if case.http3 && early::is_drawn(seed) {
            early::draw(dice, &mut case);
        }
        if grid::is_drawn(seed) && records::is_drawn(seed) {
            records::draw(dice, &mut case);
        }
        case
    }

    /// The address of an origin's address.
    pub fn address(&self, (host, address): (usize, usize)) -> IpAddr {
        self.hosts[host].addresses[address].0
    }

    /// All addresses of an origin, in the resolver's order.
    pub fn addresses(&self, origin: usize) -> Vec<IpAddr> {
        self.origins[origin].addresses.iter().map(|at| self.address(*at)).collect()
    }
}

fn stack(dice: &mut Dice<'_>) -> Stack {
    let mut stack = Stack::default();
    stack.kernel = dice.usual("kernel", &[Kernel::Linux6_5, Kernel::Older]);
    stack.backlog = dice.usual("backlog", &[stack.backlog, 1]);
    stack.receive_buffer = dice.usual("receive buffer", &[stack.receive_buffer, 3_000]);
    stack.send_buffer = dice.usual("send buffer", &[stack.send_buffer, 1_000]);
    stack.initial_window = dice.usual("initial window", &[stack.initial_window, 1]);
    stack
}

/// The address of a host, of one family.
pub(crate) fn address(host: usize, number: usize, v6: bool) -> IpAddr {
    let (host, number) = (host as u16 + 1, number as u16 + 1);
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, host, 0, 0, 0, number).into()
    } else {
        Ipv4Addr::new(192, 0, 2, (host * 16 + number) as u8).into()
    }
}

fn hosts(dice: &mut Dice<'_>, most: u32) -> Vec<HostPlan> {
    let count = 1 + dice.tape.draw("hosts", most);
    let make = |host| {
        let delay = match dice.weighted("delay", &[3, 2, 1, 1]) {
            0 => Duration::from_micros(100 + u64::from(dice.tape.draw("delay", 1_000))),
            1 => dice.millis("delay", 50),
            2 => dice.millis("delay", 200),
            _ => dice.millis("delay", 1_500),
        };
        let count = 1 + dice.tape.draw("addresses", 3);
        let addresses = (0..count as usize).map(|number| {
            let v6 = dice.tape.draw("family", 2) == 1;
            (address(host, number, v6), Conduct::draw(dice))
        });
        HostPlan { delay, addresses: addresses.collect() }
    };
    (0..count as usize).map(make).collect()
}

fn origins(dice: &mut Dice<'_>, most: u32, hosts: &[HostPlan]) -> Vec<OriginPlan> {
    let count = 1 + dice.tape.draw("origins", most) as usize;
    let all: Vec<(usize, usize)> = hosts
        .iter()
        .enumerate()
        .flat_map(|(host, plan)| (0..plan.addresses.len()).map(move |address| (host, address)))
        .collect();
    let make = |number: usize| {
        let scheme = match dice.weighted("scheme", &[2, 1]) {
            0 => Scheme::Https,
            _ => Scheme::Http,
        };
        let mut left = all.clone();
        let mut addresses = Vec::new();
        for _ in 0..=dice.tape.draw("origin's addresses", 3) {
            if left.is_empty() {
                break;
            }
            let place = dice.tape.draw("origin's address", left.len() as u32) as usize;
            addresses.push(left.remove(place));
        }
        let dns = DnsPlan::draw(dice);
        OriginPlan { name: NAMES[number % NAMES.len()], scheme, addresses, dns }
    };
    (0..count).map(make).collect()
}
