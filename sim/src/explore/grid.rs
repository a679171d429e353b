//! Worlds in which QUIC and TCP race: origins whose alternatives are known beforehand or learnt,
//! stale and lying alternatives, and what befalls datagrams alone.
//!
//! All of it is drawn behind everything else, and only where the seed says so: a tape that is
//! older than this means what it meant.

use core::time::Duration;

use regatta_core::altsvc::{Alternative, BackOff, Offer};
use regatta_core::race::Delay;
use regatta_core::types::Scheme;
use regatta_core::upstream::Protocols;

use super::case::{Case, Dice, DnsPlan, HostPlan, OriginPlan, address};
use super::fault::{FaultKind, FaultPlan};
use super::http3;
use crate::peer::{AltSvc, Certificate, Conduct, ServerPlan};

/// What a sweep must have seen of the race.
pub(super) const RACE: [&str; 9] = [
    "QUIC won",
    "QUIC won over the other family",
    "TCP won against QUIC",
    "TCP waits for its turn beside QUIC",
    "broken, then confirmed",
    "suspect, then broken",
    "suspect, then confirmed",
    "served elsewhere",
    "blocked after the handshake",
];

/// What servers say that is not just the truth.
pub(super) const ALT_SVC: [&str; 7] =
    ["dead port", "elsewhere", "liar", "for a second", "clear", "junk", "many"];

pub(super) const ELSEWHERE: &str = "e.sim.test";
pub(super) const LIAR: &str = "liar.sim.test";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Whether QUIC and TCP race in the world of this seed: in one of four.
pub(super) const fn is_drawn(seed: u64) -> bool {
    seed % 4 == 1
}

/// Draws what a world with a race has more.
pub(super) fn draw(dice: &mut Dice<'_>, case: &mut Case) {
    case.http3 = true;
    let which = dice.tape.draw("race's profile", 4);
    for (number, protocols) in case.client.protocols.iter_mut().enumerate() {
        // The first, which most requests use, both, or the other one.
        if which == 2 || (number == 0) == (which < 2) {
            *protocols = Protocols::AutoHttp3;
        }
    }
    http3::tables(dice, &mut case.client.engine);
    policy(dice, case);
    let conducts = case.hosts.iter_mut().flat_map(|host| &mut host.addresses);
    for (_, conduct) in conducts {
        if let Conduct::Honest(plan) = conduct {
            http3::tables(dice, &mut plan.engine);
            plan.http3 = dice.tape.draw("speaks HTTP/3", 4).ne(&3).then(|| http3::server(dice));
            plan.alt_svc = alt_svc(dice);
        }
    }
    elsewhere(dice, case, ELSEWHERE, Certificate::Good);
    elsewhere(dice, case, LIAR, Certificate::Stranger);
    hints(dice, case);
    for _ in 0..dice.tape.draw("troubles of the race", 4) {
        let fault = fault(dice, case);
        case.nat |= fault.kind == FaultKind::Rebind;
        case.faults.push(fault);
    }
    case.faults.sort_by_key(|fault| fault.at);
    case.udp_heals = dice.tape.draw("UDP heals", 2) == 0;
}

fn policy(dice: &mut Dice<'_>, case: &mut Case) {
    let plan = &mut case.client;
    let by_rtt = |permille| Delay::RoundTrip { permille, least: ms(10), most: ms(300) };
    let delays = [plan.race.delay, Delay::Fixed(ms(0)), Delay::Fixed(ms(2_000)), by_rtt(1_500)];
    plan.race.delay = dice.usual("race's delay", &delays);
    plan.race.tcp_at_once_when_unknown = dice.usual("TCP at once", &[false, true]);
    plan.race.second_family = dice.usual("second family", &[true, false]);
    plan.race.max_legs = dice.usual("legs", &[plan.race.max_legs, 1, 2]);
    let short = BackOff { first: ms(1_000), longest: ms(4_000) };
    let known = &mut plan.alternatives;
    known.back_off = dice.usual("back-off", &[known.back_off, short]);
    known.max_origins = dice.usual("origins known", &[known.max_origins, 1]);
    known.max_alternatives = dice.usual("alternatives", &[known.max_alternatives, 1, 2]);
    known.max_hosts = dice.usual("hosts", &[known.max_hosts, 1]);
    known.refuse_user_ports = dice.usual("user ports", &[false, true]);
}

/// What a server says of where else it is.
fn alt_svc(dice: &mut Dice<'_>) -> AltSvc {
    let (words, what) = match dice.weighted("alt-svc", &[8, 1, 1, 2, 2, 1, 1, 1, 1]) {
        0 => return AltSvc::Itself,
        1 => return AltSvc::Nothing,
        2 => ("h3=\":9\"".to_owned(), "dead port"),
        3 => (format!("h3=\"{ELSEWHERE}:443\", h3=\":443\""), "elsewhere"),
        4 => (format!("h3=\"{LIAR}:443\"; persist=1"), "liar"),
        5 => ("h3=\":443\"; ma=1".to_owned(), "for a second"),
        6 => ("clear".to_owned(), "clear"),
        7 => (dice.tape.pick("junk", &JUNK).to_owned(), "junk"),
        _ => {
            let all = (0..40).map(|n| format!("h3=\"n{n}.sim.test:443\""));
            (all.collect::<Vec<_>>().join(","), "many")
        }
    };
    AltSvc::Words(words, what)
}

const JUNK: [&str; 5] =
    ["h3=\":443", "h3=\":99999\"", "=;,;=,\"", "h3-29=\":443\", h2=\":443\"", "h3=\":443\"; ma=0"];

/// A host of its own under a name that is no origin's.
fn elsewhere(dice: &mut Dice<'_>, case: &mut Case, name: &'static str, certificate: Certificate) {
    let number = case.hosts.len();
    let delay = match dice.tape.draw("elsewhere", 2) {
        0 => dice.millis("elsewhere's delay", 50),
        _ => dice.millis("elsewhere's delay", 500),
    };
    let count = 1 + dice.tape.draw("elsewhere's addresses", 2) as usize;
    let v6 = dice.tape.draw("family", 2) == 1;
    let mut conduct = || {
        let mut plan = ServerPlan { certificate, ..ServerPlan::default() };
        plan.http3 = Some(http3::server(dice));
        Conduct::Honest(Box::new(plan))
    };
    // One of each family, if it has two.
    let addresses = (0..count).map(|n| (address(number, n, v6 ^ (n == 1)), conduct()));
    case.hosts.push(HostPlan { delay, addresses: addresses.collect() });
    let addresses = (0..count).map(|n| (number, n)).collect();
    let dns = DnsPlan::draw(dice);
    case.elsewhere.push(OriginPlan { name, scheme: Scheme::Https, addresses, dns });
}

/// What the client knows beforehand.
fn hints(dice: &mut Dice<'_>, case: &mut Case) {
    for number in 0..case.origins.len() {
        if case.origins[number].scheme != Scheme::Https {
            continue;
        }
        let at = |host: Option<&str>, port| Alternative {
            host: host.map(Into::into),
            ..Alternative::http3(port)
        };
        let alternative = match dice.weighted("hint", &[4, 6, 1, 2, 2]) {
            0 => continue,
            1 => at(None, 443),
            2 => at(None, 9),
            3 => at(Some(ELSEWHERE), 443),
            _ => at(Some(LIAR), 443),
        };
        case.client.known.push((number, Offer::new(alternative)));
    }
}

/// What befalls datagrams alone, and the network as the client sees it.
fn fault(dice: &mut Dice<'_>, case: &Case) -> FaultPlan {
    let host = dice.tape.draw("host", case.hosts.len() as u32) as usize;
    let later = dice.millis("race's trouble", 3_000);
    let kind = match dice.weighted("what of the race", &[5, 1, 2, 3, 3, 2, 2]) {
        0 => FaultKind::NoUdp,
        1 => FaultKind::Mtu(host, dice.tape.pick("mtu", &[1_280, 1_248, 1_300, 1_400])),
        2 => FaultKind::Rebind,
        3 => FaultKind::NoUdpOf(dice.tape.draw("family", 2) == 1),
        4 => FaultKind::UdpFirst(1 + dice.tape.draw("first", 12)),
        5 => FaultKind::UdpRefused,
        _ => FaultKind::NetworkChanged,
    };
    let at = if dice.tape.draw("from the start", 2) == 0 { Duration::ZERO } else { later };
    let time = match dice.tape.draw("for good", 2) {
        0 => http3::FOR_EVER,
        _ => dice.millis("trouble's time", 10_000),
    };
    FaultPlan { at, time, kind }
}
