//! What a sweep over the whole stack must have seen.

use regatta_models::seen::{Exception, Expected};

use super::early::EARLY_DATA;
use super::fault;
use super::grid::{ALT_SVC, RACE};
use super::http3::HTTP3;
use super::monitor::INVARIANTS;
use super::records::HTTPS_RECORDS;
use crate::choice::Point;
use crate::peer::{DEEDS, SCRIPTS};

/// Sweeps over fewer seeds are not judged by what they have not reached.
pub const COVERED_FROM: u64 = 5_000;

/// How a request may end for its caller.
const CALLERS: [&str; 6] =
    ["answered", "answered by a script", "broken", "cancelled", "dropped", "failed"];

/// What honest servers do.
const SERVERS: [&str; 7] = [
    "answers at once",
    "answers late",
    "answers as drawn on the spot",
    "streams slowly",
    "rest",
    "bad certificate",
    "speaks HTTP/3",
];

/// States that the whole stack does not reach although the upstream may.
const NOT_HERE: [Exception; 4] = [
    never("record", "upstream_cx_destroy_with_active_rq", "the driver ends all streams first"),
    never("refusal", "socket_overflow", "the policies drawn here let a client have a socket"),
    never("attempt failed by", "os", "simulated sockets have no other errors"),
    never("attempt failed by", "stream_reset", "HTTP begins when the attempt has won"),
];

/// Seen in one of some thousand worlds, and no surprise there: what early data has a server say.
const SCARCE: [Exception; 2] =
    [never("attempt failed by", "protocol", RARELY), never("attempt failed by", "go_away", RARELY)];
const RARELY: &str = "over TCP HTTP begins when the attempt has won, and over QUIC it is rare";

const fn never(group: &'static str, item: &'static str, reason: &'static str) -> Exception {
    Exception { group, item, reason }
}

/// Sweeps over fewer seeds need not have reached what is rare.
const RARE_FROM: u64 = 40_000;

/// What many thousand seeds go by without.
const RARE: [Exception; 3] = [
    never("rule", "RACE-SECOND-KNOWN", SELDOM),
    never("race", "suspect, then broken", SELDOM),
    never("race", "suspect, then confirmed", SELDOM),
];
const SELDOM: &str = "it is looked for in larger sweeps alone";

/// Everything that a sweep over so many seeds must have reached and evaluated.
pub fn expected(seeds: u64) -> Expected {
    let all = everything();
    if seeds < RARE_FROM { all.perhaps(&RARE) } else { all }
}

fn everything() -> Expected {
    let points: Vec<_> = Point::ALL.iter().map(|point| point.name()).collect();
    Expected::default()
        .with_all_of_races()
        .with("choice", &points)
        .with("fault", &fault::NAMES)
        .with("script", &SCRIPTS)
        .with("server", &DEEDS)
        .with("server", &SERVERS)
        .with("caller", &CALLERS)
        .with("phase", &["quiet", "legal stall"])
        .with("http3", &HTTP3)
        .with("race", &RACE)
        .with("alt-svc", &ALT_SVC)
        .with("early data", &EARLY_DATA)
        .with("https records", &HTTPS_RECORDS)
        .with_always(INVARIANTS)
        .without(&NOT_HERE)
        .perhaps(&SCARCE)
}
