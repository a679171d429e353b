//! Ranges of seeds: what they reached, how they failed.

use core::ops::Range;
use std::collections::BTreeMap;

use regatta_models::catch::Failure;
use regatta_models::seen::{Reached, Seen};
use regatta_models::tape::Tape;

use super::run::{Class, Ended, Options, Violation, run};

/// Every so many seeds one is run twice and compared.
pub const TWICE_EVERY: u64 = 32;
/// How many failures a sweep keeps with their tapes, and how many seeds that were too long.
pub const KEPT_MAX: usize = 20;

/// The tape of a seed: every other one a swarm.
pub fn tape(seed: u64) -> Tape {
    if seed.is_multiple_of(2) { Tape::seeded(seed) } else { Tape::swarm(seed) }
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub seed: u64,
    /// How.
    pub violation: Violation,
    /// What it had drawn until then.
    pub tape: Vec<u8>,
}

/// How often a choice point was asked and fired over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How often it could have fired.
    pub asked: u64,
    /// How often it did.
    pub fired: u64,
}

/// What a range of seeds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many of them twice.
    pub twice: u64,
    /// How many were too long and ended without a verdict.
    pub cut_short: u64,
    /// The lowest of them.
    pub long: Vec<u64>,
    /// Steps of all runs.
    pub steps: u64,
    /// Requests of all runs.
    pub requests: u64,
    /// Virtual time of all runs, in milliseconds.
    pub simulated_ms: u64,
    /// The sum of all digests: what two sweeps over the same seeds must agree in.
    pub digest: u64,
    /// What was reached and evaluated.
    pub seen: Seen,
    /// Choice points by name.
    pub points: BTreeMap<&'static str, Taken>,
    /// How many seeds failed.
    pub failures: u64,
    /// The worst class of failure.
    pub worst: Option<Class>,
    /// Those with the lowest seeds, in order.
    pub failed: Vec<Failed>,
}

impl Sweep {
    /// Runs `seeds` one after the other; every so many, or all of them, twice.
    pub fn run(seeds: Range<u64>, options: &Options, twice: bool) -> Self {
        let mut sweep = Self::default();
        for seed in seeds {
            sweep.run_one(seed, options, twice || seed.is_multiple_of(TWICE_EVERY));
        }
        sweep
    }

    /// Runs one seed and takes its outcome in.
    pub fn run_one(&mut self, seed: u64, options: &Options, twice: bool) {
        let mut options = options.clone();
        options.log = twice;
        options.seed = seed;
        let mut ended = run(tape(seed), &options);
        if twice && ended.violation.is_none() {
            options.expect = Some(core::mem::take(&mut ended.log));
            let again = run(Tape::new(&ended.tape), &options);
            self.twice += 1;
            ended.violation = differs(&ended, &again);
        }
        self.take(seed, ended);
    }

    fn take(&mut self, seed: u64, ended: Ended) {
        self.seeds += 1;
        self.cut_short += u64::from(ended.cut_short);
        self.long.extend(ended.cut_short.then_some(seed));
        self.long.truncate(KEPT_MAX);
        self.steps += ended.steps;
        self.requests += ended.case.requests.len() as u64;
        self.simulated_ms += ended.at.as_nanos() / 1_000_000;
        self.digest = self.digest.wrapping_add(ended.digest);
        self.seen.merge(&ended.seen);
        for count in &ended.points {
            let taken = self.points.entry(count.point.name()).or_default();
            taken.asked += count.asked;
            taken.fired += count.fired;
            if count.fired > 0 {
                let reached = Reached { times: count.fired, first_seed: seed };
                self.seen.add_reached("choice".into(), count.point.name().into(), reached);
            }
        }
        let Some(violation) = ended.violation else { return };
        self.failures += 1;
        self.worst = self.worst.max(Some(violation.class));
        self.failed.push(Failed { seed, violation, tape: ended.tape });
        self.failed.truncate(KEPT_MAX);
    }

    /// Adds another range; the order of merges does not matter.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.twice += other.twice;
        self.cut_short += other.cut_short;
        self.long.extend(other.long);
        self.long.sort_unstable();
        self.long.truncate(KEPT_MAX);
        self.steps += other.steps;
        self.requests += other.requests;
        self.simulated_ms += other.simulated_ms;
        self.digest = self.digest.wrapping_add(other.digest);
        self.seen.merge(&other.seen);
        for (name, taken) in other.points {
            let known = self.points.entry(name).or_default();
            known.asked += taken.asked;
            known.fired += taken.fired;
        }
        self.failures += other.failures;
        self.worst = self.worst.max(other.worst);
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|failed| failed.seed);
        self.failed.truncate(KEPT_MAX);
    }
}

/// How the second run of a tape differs from the first.
fn differs(first: &Ended, again: &Ended) -> Option<Violation> {
    let text = match again.divergence {
        Some(divergence) => {
            let step =
                divergence.step.map_or_else(|| "the run had ended".to_owned(), |s| s.to_string());
            format!("the second run differs from step {} on: {step}", divergence.number)
        }
        None if first.digest != again.digest => "the last draws differ".to_owned(),
        None => return None,
    };
    let failure = Failure { class: "determinism".to_owned(), message: text };
    Some(Violation { class: Class::Determinism, failure })
}
