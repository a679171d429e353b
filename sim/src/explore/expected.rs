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
const SERVERS: [&str; 5] =
    ["answers at once", "answers late", "streams slowly", "rest", "bad certificate"];

/// States that the whole stack does not reach although the upstream may.
const NOT_HERE: [Exception; 0] = [];

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
        .with("error", &["gone"])
        .with("phase", &["quiet", "legal stall"])
        .with_always(INVARIANTS)
        .without(&NOT_HERE)
}
