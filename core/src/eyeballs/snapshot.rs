//! What of a race's state decides, to compare and hash: two races with equal snapshots do the
//! same whatever happens to them.
//!
//! Left out are when attempts began and ended, which is only told, and the number of those under
//! way, which `check` recounts. Deadlines are relative to now; attempts have numbers anyhow.

use core::net::IpAddr;

use super::{Eyeballs, Phase, Resolution};
use crate::record::Rule;
use crate::time::{Duration, Instant};
use crate::types::Cause;

/// One race's state without dates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    stage: Stage,
    answers: Vec<IpAddr>,
    waiting: Vec<IpAddr>,
    /// Where to, and why it ended.
    attempts: Vec<(IpAddr, Option<Cause>)>,
    /// How long until the next may start.
    earliest: Duration,
    rule: Rule,
    /// What the resolver said at its end.
    resolution: Option<Option<Cause>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Gathering(Option<Duration>),
    Racing,
    Chosen(u32),
    Done,
}

impl Eyeballs {
    /// What of its state decides from `now` on.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let attempts = self.attempts.iter();
        let attempts = attempts.map(|a| (a.address.ip(), a.ended.map(|(_, cause)| cause)));
        Snapshot {
            stage: match self.phase {
                Phase::Gathering { until } => {
                    Stage::Gathering(until.map(|until| until.saturating_since(now)))
                }
                Phase::Racing => Stage::Racing,
                Phase::Chosen(number) => Stage::Chosen(number),
                Phase::Done => Stage::Done,
            },
            answers: self.answers.clone(),
            waiting: self.waiting.iter().copied().collect(),
            attempts: attempts.collect(),
            earliest: self.earliest.saturating_since(now),
            rule: self.rule,
            resolution: match self.resolution {
                Resolution::UnderWay => None,
                Resolution::Ended { failed } => Some(failed),
            },
        }
    }
}
