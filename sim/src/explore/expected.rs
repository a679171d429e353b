//! What a sweep over the whole stack must have seen.

use regatta_models::seen::{Exception, Expected};

use super::fault;
use super::monitor::INVARIANTS;
use crate::choice::Point;
use crate::peer::{DEEDS, SCRIPTS};

/// Sweeps over fewer seeds are not judged by what they have not reached.
pub const COVERED_FROM: u64 = 5_000;

/// How a request may end for its caller.
const CALLERS: [&str; 6] =
    ["answered", "answered by a script", "broken", "cancelled", "dropped", "failed"];

/// What honest servers do.
const SERVERS: [&str; 6] = [
    "answers at once",
    "answers late",
    "answers as drawn on the spot",
    "streams slowly",
    "rest",
    "bad certificate",
];

/// States that the whole stack does not reach although the upstream may.
const NOT_HERE: [Exception; 10] = [
    never("choice", "datagram-lost", "nothing sends datagrams before HTTP/3"),
    never("choice", "datagram-twice", "nothing sends datagrams before HTTP/3"),
    never("choice", "datagram-late", "nothing sends datagrams before HTTP/3"),
    never("record", "upstream_cx_http3_total", "HTTP/3 does not exist yet"),
    never("record", "upstream_cx_destroy_with_active_rq", "the driver ends all streams first"),
    never("refusal", "socket_overflow", "the policies drawn here let a client have a socket"),
    never("attempt failed by", "os", "simulated sockets have no other errors"),
    never("attempt failed by", "protocol", "HTTP begins when the attempt has won"),
    never("attempt failed by", "stream_reset", "HTTP begins when the attempt has won"),
    never("attempt failed by", "go_away", "HTTP begins when the attempt has won"),
];

const fn never(group: &'static str, item: &'static str, reason: &'static str) -> Exception {
    Exception { group, item, reason }
}

/// Everything that a sweep must have reached and evaluated.
pub fn expected() -> Expected {
    let points: Vec<_> = Point::ALL.iter().map(|point| point.name()).collect();
    Expected::default()
        .with_all_of_upstream()
        .with("choice", &points)
        .with("fault", &fault::NAMES)
        .with("script", &SCRIPTS)
        .with("server", &DEEDS)
        .with("server", &SERVERS)
        .with("caller", &CALLERS)
        .with("phase", &["quiet", "legal stall"])
        .with_always(INVARIANTS)
        .without(&NOT_HERE)
}
