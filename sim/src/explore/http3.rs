//! Worlds with HTTP/3: servers that speak it too, clients that speak nothing else, and what
//! befalls datagrams alone.
//!
//! All of it is drawn behind everything else, and only where the seed says so: a tape that is
//! older than this means what it meant.

use core::time::Duration;

use regatta_core::engine::Config as EngineConfig;
use regatta_core::engine::quic::{Retry, ServerOptions};
use regatta_core::upstream::Protocols;

use super::case::{Case, Dice};
use super::fault::{FaultKind, FaultPlan};
use crate::peer::Conduct;

/// What a sweep must have seen of HTTP/3.
pub(super) const HTTP3: [&str; 6] = [
    "answered",
    "ended by this side",
    "ended by the peer",
    "went again",
    "used behind another port",
    "blocked from the start",
];

/// For good.
pub(super) const FOR_EVER: Duration = Duration::from_secs(100_000);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Whether the world of this seed has HTTP/3: one in four.
pub(super) const fn is_drawn(seed: u64) -> bool {
    seed % 4 == 3
}

/// Draws what a world with HTTP/3 has more.
pub(super) fn draw(dice: &mut Dice<'_>, case: &mut Case) {
    case.http3 = true;
    let which = dice.tape.draw("HTTP/3's profile", 4);
    for (number, protocols) in case.client.protocols.iter_mut().enumerate() {
        // The first, which most requests use, both, or the other one.
        if which == 2 || (number == 0) == (which < 2) {
            *protocols = Protocols::Http3;
        }
    }
    tables(dice, &mut case.client.engine);
    let conducts = case.hosts.iter_mut().flat_map(|host| &mut host.addresses);
    for (_, conduct) in conducts {
        if let Conduct::Honest(plan) = conduct {
            tables(dice, &mut plan.engine);
            plan.http3 = dice.tape.draw("speaks HTTP/3", 4).ne(&3).then(|| server(dice));
        }
    }
    for _ in 0..dice.tape.draw("troubles of datagrams", 3) {
        let fault = fault(dice, case);
        case.nat |= fault.kind == FaultKind::Rebind;
        case.faults.push(fault);
    }
    case.faults.sort_by_key(|fault| fault.at);
}

/// QPACK's table.
pub(super) fn tables(dice: &mut Dice<'_>, engine: &mut EngineConfig) {
    let tables = [(0, 0), (4_096, 16), (100, 1), (4_096, 0)];
    (engine.qpack_table, engine.qpack_blocked) = dice.usual("fields' table", &tables);
}

pub(super) fn server(dice: &mut Dice<'_>) -> ServerOptions {
    let mut plan = ServerOptions::default();
    plan.max_connections = dice.usual("QUIC's connections", &[plan.max_connections, 1, 2]);
    plan.max_handshakes = dice.usual("QUIC's handshakes", &[plan.max_handshakes, 1]);
    plan.retry = dice.usual("retry", &[plan.retry, Retry::Always, Retry::Never]);
    plan.handshake_timeout =
        dice.usual("QUIC's handshake", &[plan.handshake_timeout, ms(300), ms(3_000)]);
    plan.migration = dice.usual("migration", &[true, false]);
    let connection = &mut plan.connection;
    connection.idle_timeout =
        dice.usual("QUIC's idle", &[connection.idle_timeout, Some(ms(300)), Some(ms(5_000))]);
    connection.stream_window = dice.usual("QUIC's window", &[connection.stream_window, 1_000]);
    connection.connection_window =
        dice.usual("QUIC's windows", &[connection.connection_window, 5_000]);
    connection.mtu_discovery = dice.usual("longer datagrams", &[true, false]);
    plan
}

/// What befalls datagrams alone.
fn fault(dice: &mut Dice<'_>, case: &Case) -> FaultPlan {
    let host = dice.tape.draw("host", case.hosts.len() as u32) as usize;
    let later = dice.millis("datagrams' trouble", 3_000);
    let kind = match dice.weighted("what of datagrams", &[3, 3, 2, 3]) {
        // From the start, and later: the handshake is done by then, mostly.
        0 | 1 => FaultKind::NoUdp,
        // What IPv6 needs, what QUIC needs of it, and more.
        2 => FaultKind::Mtu(host, dice.tape.pick("mtu", &[1_280, 1_248, 1_300, 1_400])),
        _ => FaultKind::Rebind,
    };
    let at = if dice.tape.draw("from the start", 2) == 0 { Duration::ZERO } else { later };
    let time = match dice.tape.draw("for good", 2) {
        0 => FOR_EVER,
        _ => dice.millis("trouble's time", 10_000),
    };
    FaultPlan { at, time, kind }
}
