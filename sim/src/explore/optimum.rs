//! Worlds in which nothing goes wrong: the answer must be the best one, and fixed workloads make
//! known numbers of connections.

use core::net::IpAddr;
use core::time::Duration;

use http::Method;
use regatta_core::eyeballs::{Config, Family, Success};
use regatta_core::types::Scheme;
use regatta_core::upstream::Protocols;

use super::case::{Case, Dice, DnsPlan, HostPlan, Mode, OriginPlan, address};
use super::policy::ClientPlan;
use super::workload::{Reading, RequestPlan};
use crate::net::stack::Stack;
use crate::peer::{Answer, Conduct, Start};

/// What must come of a world in which nothing goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// When the first byte of each answer comes, from the request on; `None` where it depends.
    pub first_byte: Vec<Option<Duration>>,
    /// How many connections are begun.
    pub connections: u64,
    /// How many attempts are begun.
    pub attempts: u64,
}

/// Between two requests that are asked one after the other.
const APART: Duration = Duration::from_secs(30);

pub(super) fn plain_request(at: Duration) -> RequestPlan {
    let answer = Answer {
        start: Start::AtOnce,
        status: 200,
        bytes: 100,
        pace: None,
        trailers: false,
        deed: None,
    };
    RequestPlan {
        at,
        origin: 0,
        profile: 0,
        high: false,
        method: Method::GET,
        upload: 0,
        trickle: None,
        expect: false,
        timeout: None,
        cancel: None,
        reading: Reading::Whole,
        answer,
    }
}

fn host(number: usize, delay: Duration, v6: bool) -> HostPlan {
    let conduct = Conduct::Honest(Box::default());
    HostPlan { delay, addresses: vec![(address(number, 0, v6), conduct)] }
}

pub(super) fn case(
    dice: &Dice<'_>,
    seed: u64,
    hosts: Vec<HostPlan>,
    origins: Vec<OriginPlan>,
) -> Case {
    Case {
        profile: dice.profile,
        mode: Mode::Stable,
        lite: true,
        seed,
        hosts,
        origins,
        client: ClientPlan::default(),
        requests: Vec::new(),
        faults: Vec::new(),
        nat: false,
        stack: Stack::default(),
        on_the_spot: false,
        http3: false,
        elsewhere: Vec::new(),
        records: Vec::new(),
        from_start: Vec::new(),
        udp_heals: true,
        expectation: None,
    }
}

/// One origin with up to three addresses at different distances, asked a few times in turn or
/// at once.
pub(super) fn stable(dice: &mut Dice<'_>, seed: u64) -> Case {
    let count = 1 + dice.tape.draw("hosts", 3) as usize;
    let hosts: Vec<_> = (0..count)
        .map(|number| {
            // No two legs ever do something at the same instant.
            let delay = 100 + u64::from(dice.tape.draw("delay", 400_000)) * 8 + number as u64;
            host(number, Duration::from_micros(delay), dice.tape.draw("family", 2) == 1)
        })
        .collect();
    let scheme = dice.tape.pick("scheme", &[Scheme::Https, Scheme::Http]);
    let addresses = (0..count).map(|host| (host, 0)).collect();
    let origin = OriginPlan { name: "a.test", scheme, addresses, dns: DnsPlan::AT_ONCE };
    let mut case = case(dice, seed, hosts, vec![origin]);
    let plan = &mut case.client;
    plan.protocols[0] = dice.tape.pick("protocols", &[Protocols::Auto, Protocols::Http1]);
    let ms = Duration::from_millis;
    plan.eyeballs.attempt_delay = dice.usual("attempt delay", &[ms(300), ms(10), ms(2_000)]);
    plan.eyeballs.success = dice.usual("success", &[Success::Handshake, Success::Transport]);
    plan.eyeballs.first_family = dice.usual("first family", &[Family::V6, Family::V4]);
    plan.eyeballs.max_parallel = dice.usual("max parallel", &[4, 1, 2]);
    plan.eyeballs.max_attempts = dice.usual("max attempts", &[12, 1, 2]);
    plan.pool.connect_timeout = ms(60_000);
    let together = dice.tape.draw("together", 2) == 1;
    let requests = 1 + dice.tape.draw("requests", 6);
    for n in 0..requests {
        let at = if together { Duration::ZERO } else { APART * n };
        case.requests.push(plain_request(at));
    }
    case.expectation = Some(expect(&case, together));
    case
}

fn expect(case: &Case, together: bool) -> Expectation {
    let tls = case.origins[0].scheme == Scheme::Https;
    let http1 = !tls || case.client.protocols[0] == Protocols::Http1;
    let trips: Vec<_> = ordered(case).into_iter().map(|host| case.hosts[host].delay * 2).collect();
    let race = Race::run(&case.client.eyeballs, tls, &trips);
    let first = race.connected + trips[race.winner];
    // HTTP/2 that was idle for long is asked for a sign of life first.
    let idle = case.client.pool.probe_after_idle.is_some_and(|idle| idle < APART);
    let again = trips[race.winner] * if idle && !http1 { 2 } else { 1 };
    let count = case.requests.len();
    let first_byte = (0..count).map(|n| Some(if n == 0 || together { first } else { again }));
    // One at a time each, or all on one.
    let connections = if together && http1 { count as u64 } else { 1 };
    // Over TLS it is known only then that HTTP/1.1 comes out: the others are begun late.
    let late = together && http1 && tls && case.client.protocols[0] == Protocols::Auto;
    Expectation {
        first_byte: first_byte.map(|time| time.filter(|_| !late)).collect(),
        connections,
        attempts: connections * race.started,
    }
}

/// The hosts in the order of their attempts: families by turns, the first one first, each in the
/// resolver's order (RFC 8305 section 4).
fn ordered(case: &Case) -> Vec<usize> {
    let first = |host: &usize| {
        let v6 = matches!(case.hosts[*host].addresses[0].0, IpAddr::V6(_));
        v6 == (case.client.eyeballs.first_family == Family::V6)
    };
    let (one, other): (Vec<_>, Vec<_>) = (0..case.hosts.len()).partition(first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = Vec::new();
    while order.len() < case.hosts.len() {
        order.extend(one.next());
        order.extend(other.next());
    }
    order
}

/// A race in which nothing is lost, worked out by hand.
struct Race {
    winner: usize,
    connected: Duration,
    started: u64,
}

impl Race {
    fn run(config: &Config, tls: bool, trips: &[Duration]) -> Self {
        let delay = config.attempt_delay.max(Duration::from_millis(10));
        let most = trips.len().min(config.max_attempts as usize).max(1);
        let mut started = vec![Duration::ZERO];
        let mut earliest = delay;
        let mut told = Duration::ZERO;
        loop {
            let next_up = (0..started.len())
                .map(|leg| (started[leg] + trips[leg], leg))
                .filter(|(at, _)| *at > told)
                .min();
            let next_done = (0..started.len())
                .map(|leg| (started[leg] + trips[leg] * if tls { 2 } else { 1 }, leg))
                .min();
            let Some((done, winner)) = next_done else { unreachable!("a leg has started") };
            let room = started.len() < most && started.len() < config.max_parallel.max(1) as usize;
            let start = if room { earliest } else { Duration::MAX };
            let up = next_up.map_or(Duration::MAX, |(at, _)| at);
            if done <= up && done <= start {
                return Self { winner, connected: done, started: started.len() as u64 };
            }
            if up <= start {
                let Some((_, leg)) = next_up else { unreachable!("a leg's TCP comes up") };
                if config.success == Success::Transport {
                    let connected = started[leg] + trips[leg] * if tls { 2 } else { 1 };
                    return Self { winner: leg, connected, started: started.len() as u64 };
                }
                told = up;
                earliest = up + delay;
            } else {
                started.push(start);
                earliest = start + delay;
            }
        }
    }
}

/// A fixed workload: how it is made, and what must come of it.
struct Workload {
    scheme: Scheme,
    protocols: Protocols,
    origins: usize,
    requests: usize,
    /// Between two requests.
    pause: Duration,
    /// Requests a connection may carry.
    per_connection: u32,
    connections: u64,
}

const fn workload(
    scheme: Scheme,
    protocols: Protocols,
    (origins, requests, pause_ms, per_connection): (usize, usize, u64, u32),
    connections: u64,
) -> Workload {
    let pause = Duration::from_millis(pause_ms);
    Workload { scheme, protocols, origins, requests, pause, per_connection, connections }
}

const SECOND: u64 = 1_000;

/// The golden numbers.
const WORKLOADS: [Workload; 9] = [
    // Up to 100 streams go on one connection, which is what the server grants as well.
    workload(Scheme::Https, Protocols::Auto, (1, 100, 0, 0), 1),
    workload(Scheme::Https, Protocols::Auto, (1, 101, 0, 0), 2),
    workload(Scheme::Https, Protocols::Auto, (1, 50, 7, 0), 1),
    workload(Scheme::Https, Protocols::Auto, (3, 60, 0, 0), 3),
    workload(Scheme::Http, Protocols::Auto, (1, 20, 0, 0), 20),
    workload(Scheme::Http, Protocols::Auto, (1, 20, SECOND, 0), 1),
    workload(Scheme::Http, Protocols::Auto, (1, 10, SECOND, 3), 4),
    workload(Scheme::Http, Protocols::Http2PriorKnowledge, (1, 40, 0, 0), 1),
    workload(Scheme::Https, Protocols::Http1, (2, 8, 0, 0), 8),
];

/// Nothing goes wrong and the workload is one of a few.
pub(super) fn golden(dice: &mut Dice<'_>, seed: u64) -> Case {
    let which = dice.tape.draw("workload", WORKLOADS.len() as u32) as usize;
    let workload = &WORKLOADS[which];
    let hosts = vec![host(0, Duration::from_millis(10), false)];
    let names = ["a.test", "b.test", "c.test"];
    let dns = DnsPlan::AT_ONCE;
    let (scheme, addresses) = (workload.scheme, vec![(0, 0)]);
    let origin = |name| OriginPlan { name, scheme, addresses: addresses.clone(), dns };
    let origins = names.into_iter().take(workload.origins).map(origin).collect();
    let mut case = case(dice, seed, hosts, origins);
    case.mode = Mode::Golden;
    case.client.protocols[0] = workload.protocols;
    let most = core::num::NonZeroU32::new(workload.per_connection);
    case.client.pool.max_requests_per_connection = most;
    for n in 0..workload.requests {
        let mut request = plain_request(workload.pause * n as u32);
        request.origin = n % workload.origins;
        case.requests.push(request);
    }
    case.expectation = Some(Expectation {
        first_byte: vec![None; workload.requests],
        connections: workload.connections,
        attempts: workload.connections,
    });
    case
}
