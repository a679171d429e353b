//! What of a race's state decides, to compare and hash: two races with equal snapshots do the
//! same whatever happens to them.
//!
//! Left out are ids, counters and sums. Networks are this one or another, deadlines are relative
//! to now, established legs are in the order of what they are.

use super::{Leg, LegId, Race, Runner, Target};
use crate::time::{Duration, Instant};

/// One race's state without dates and names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    round: Option<Stage>,
    /// Under way, in the order of their start.
    running: Vec<Seen>,
    established: Vec<Seen>,
    both_families: bool,
    second_won: bool,
    draining: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stage {
    target: Option<Target>,
    here: bool,
    until: Option<Duration>,
    flags: [bool; 11],
}

/// A leg: over what, where to, and whether it began on this network.
type Seen = (Leg, Target, bool);

impl Race {
    /// What of its state decides from `now` on.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let seen = |runner: &Runner| (runner.runner, runner.target, runner.network == self.network);
        let ids = self.round.iter().flat_map(|round| &round.legs);
        let running = ids.filter_map(|id: &LegId| self.legs.get(*id)).map(seen).collect();
        let all = self.legs.iter().map(|(_, runner)| runner);
        let mut established: Vec<Seen> = all.filter(|r| r.established).map(seen).collect();
        established.sort_unstable();
        let round = self.round.as_ref().map(|round| Stage {
            target: round.target,
            here: round.network == self.network,
            until: round.until.map(|until| until.saturating_since(now)),
            flags: [
                round.due,
                round.at_once,
                round.failed_before,
                round.wanted,
                round.quiet,
                round.tcp,
                round.tcp_ok,
                round.quic_ok,
                round.second,
                round.spared,
                round.broken,
            ],
        });
        Snapshot {
            round,
            running,
            established,
            both_families: self.both_families,
            second_won: self.second_won,
            draining: self.draining,
        }
    }
}
