//! Campaigns: the decision machines over ranges of seeds.
//!
//! A seed makes a tape, the tape makes everything else. Half of the seeds draw every choice as
//! likely as its generator has it; the other half, by turns, are *swarms*: each favours some
//! values of each choice, another set in every seed, because what happens rarely next to all
//! else must happen often in some run (Groce and others, "Swarm Testing", 2012).

use core::ops::Range;

use regatta_core::rng::Rng;

use crate::catch::{Failure, caught};
use crate::harness::{Watch, drive};
use crate::seen::{Expected, Seen};
use crate::shrink::{Shrunk, shrink};
use crate::tape::Tape;
use crate::{altsvc, downstream, eyeballs, pool, race, upstream};

/// A decision machine in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// The race between a host's addresses, beside its model.
    Eyeballs,
    /// One pool, beside its books.
    Pool,
    /// The whole upstream, beside its books.
    Upstream,
    /// The whole upstream where no driver's law holds.
    Anarchy,
    /// The listening side, beside its model.
    Downstream,
    /// The ledger of alternatives, beside its model.
    Altsvc,
    /// The race between QUIC and TCP, beside its model.
    Race,
    /// The whole upstream where QUIC and TCP race, beside its books.
    Raced,
    /// The same where no driver's law holds.
    RacedAnarchy,
}

impl Machine {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Eyeballs,
        Self::Pool,
        Self::Upstream,
        Self::Anarchy,
        Self::Downstream,
        Self::Altsvc,
        Self::Race,
        Self::Raced,
        Self::RacedAnarchy,
    ];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eyeballs => "eyeballs",
            Self::Pool => "pool",
            Self::Upstream => "upstream",
            Self::Anarchy => "anarchy",
            Self::Downstream => "downstream",
            Self::Altsvc => "altsvc",
            Self::Race => "race",
            Self::Raced => "raced",
            Self::RacedAnarchy => "raced-anarchy",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|machine| machine.name() == name)
    }

    /// What a sweep over it must have seen.
    pub fn expected(self) -> Expected {
        match self {
            Self::Eyeballs => eyeballs::expected(),
            Self::Pool => pool::expected(),
            Self::Upstream => upstream::expected(),
            Self::Anarchy => upstream::expected_of_anarchy(),
            Self::Downstream => downstream::expected(),
            Self::Altsvc => altsvc::expected(),
            Self::Race => race::expected(),
            Self::Raced => upstream::expected_of_races(),
            Self::RacedAnarchy => upstream::expected_of_raced_anarchy(),
        }
    }

    /// The module and the type of its subject, as a test of that module names it.
    pub const fn subject(self) -> (&'static str, &'static str) {
        match self {
            Self::Eyeballs => ("models/src/eyeballs.rs", "Race"),
            Self::Pool => ("models/src/pool/mod.rs", "World"),
            Self::Upstream => ("models/src/upstream/mod.rs", "World"),
            Self::Anarchy => ("models/src/upstream/mod.rs", "Anarchy"),
            Self::Downstream => ("models/src/downstream.rs", "Port"),
            Self::Altsvc => ("models/src/altsvc/world.rs", "World"),
            Self::Race => ("models/src/race/events.rs", "Grid"),
            Self::Raced => ("models/src/upstream/mod.rs", "World<true>"),
            Self::RacedAnarchy => ("models/src/upstream/mod.rs", "Anarchy<true>"),
        }
    }

    /// Runs one tape; panics on the first lie.
    pub fn run(self, tape: &mut Tape, watch: &mut Watch<'_>) {
        match self {
            Self::Eyeballs => drive::<eyeballs::Race>(tape, watch),
            Self::Pool => drive::<pool::World>(tape, watch),
            Self::Upstream => drive::<upstream::World>(tape, watch),
            Self::Anarchy => drive::<upstream::Anarchy>(tape, watch),
            Self::Downstream => drive::<downstream::Port>(tape, watch),
            Self::Altsvc => drive::<altsvc::World>(tape, watch),
            Self::Race => drive::<race::Grid>(tape, watch),
            Self::Raced => drive::<upstream::World<true>>(tape, watch),
            Self::RacedAnarchy => drive::<upstream::Anarchy<true>>(tape, watch),
        }
    }

    /// How these bytes fail, if they do.
    pub fn failure(self, bytes: &[u8]) -> Option<Failure> {
        let mut seen = Seen::default();
        let mut tape = Tape::new(bytes);
        let watch = &mut Watch { seen: &mut seen, steps: 0, trace: None };
        caught(|| self.run(&mut tape, watch)).err()
    }

    /// The smallest tape that fails as this one does, after at most `tries_max` runs.
    pub fn shrink(self, bytes: &[u8], tries_max: u32) -> Option<Shrunk> {
        shrink(bytes, tries_max, |bytes| self.failure(bytes))
    }
}

/// The tape of a seed: some short, some long, every other one a swarm.
pub fn tape(seed: u64) -> Tape {
    // Not the sequence that the tape itself is made of.
    let mut rng = Rng::new(!seed);
    let length = match rng.below(10) {
        0..4 => 20 + rng.below(140),
        4..8 => 160 + rng.below(340),
        _ => 500 + rng.below(1_000),
    };
    let tape = if seed.is_multiple_of(2) { Tape::seeded(seed) } else { Tape::swarm(seed) };
    tape.up_to(usize::try_from(length).unwrap_or(usize::MAX))
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Of which machine.
    pub machine: Machine,
    /// Which seed.
    pub seed: u64,
    /// How.
    pub failure: Failure,
    /// What it had drawn until then.
    pub tape: Vec<u8>,
}

/// What a range of seeds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many events and timeouts the machine was given.
    pub steps: u64,
    /// What was reached and evaluated.
    pub seen: Seen,
    /// How many seeds failed.
    pub failures: u64,
    /// Those with the lowest seeds, in order, [`KEPT_MAX`] at most.
    pub failed: Vec<Failed>,
}

/// How many failures a sweep keeps with their tapes.
pub const KEPT_MAX: usize = 20;

impl Sweep {
    /// Runs `seeds` one after the other, and stops at the first failure if that is wanted.
    pub fn run(machine: Machine, seeds: Range<u64>, stop_at_failure: bool) -> Self {
        let mut sweep = Self::default();
        for seed in seeds {
            let failed = sweep.run_one(machine, seed);
            if failed && stop_at_failure {
                break;
            }
        }
        sweep
    }

    /// Runs one seed. Whether it failed.
    fn run_one(&mut self, machine: Machine, seed: u64) -> bool {
        self.seen.begin(seed);
        let mut tape = tape(seed);
        let mut watch = Watch { seen: &mut self.seen, steps: 0, trace: None };
        let result = caught(|| machine.run(&mut tape, &mut watch));
        self.seeds += 1;
        self.steps += watch.steps;
        let Err(failure) = result else { return false };
        self.failures += 1;
        self.failed.push(Failed { machine, seed, failure, tape: tape.bytes().to_vec() });
        self.failed.truncate(KEPT_MAX);
        true
    }

    /// Adds another range; the order of merges does not matter.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.seen.merge(&other.seen);
        self.failures += other.failures;
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|failed| failed.seed);
        self.failed.truncate(KEPT_MAX);
    }
}

/// A failing tape as a test, to be put among the others of its module.
pub fn as_test(machine: Machine, seed: u64, shrunk: &Shrunk) -> String {
    let (module, subject) = machine.subject();
    let said = shrunk.failure.message.lines().next().unwrap_or_default();
    let mut text = format!("// In the tests of {module}:\n#[test]\nfn seed_{seed}() {{\n");
    text.push_str(&format!("    // {said}\n    regressions::<{subject}>(&[&[\n"));
    for row in shrunk.tape.chunks(20) {
        let numbers: Vec<_> = row.iter().map(u8::to_string).collect();
        text.push_str(&format!("        {},\n", numbers.join(", ")));
    }
    text.push_str("    ]]);\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_the_same_however_it_is_split() {
        for machine in Machine::ALL {
            let whole = Sweep::run(machine, 0..24, false);
            let mut parts = Sweep::run(machine, 16..24, false);
            parts.merge(Sweep::run(machine, 0..5, false));
            parts.merge(Sweep::run(machine, 5..16, false));
            assert_eq!(parts, whole, "{}", machine.name());
            assert_eq!((whole.seeds, whole.failures), (24, 0), "{:?}", whole.failed);
        }
    }

    #[test]
    fn the_bytes_of_a_seed_say_all() {
        for machine in Machine::ALL {
            for seed in 0..8 {
                let run = |mut tape: Tape| {
                    let (mut seen, mut told) = (Seen::default(), String::new());
                    let mut trace = |line: &str| told.push_str(line);
                    let trace: Option<&mut dyn FnMut(&str)> = Some(&mut trace);
                    machine.run(&mut tape, &mut Watch { seen: &mut seen, steps: 0, trace });
                    (told, seen, tape.bytes().to_vec())
                };
                let first = run(tape(seed));
                assert_eq!(run(Tape::new(&first.2)), first, "{} {seed}", machine.name());
                assert_eq!(run(tape(seed)), first, "{} {seed}", machine.name());
            }
        }
    }

    #[test]
    fn a_test_names_its_module_and_its_bytes() {
        let failure = Failure { class: String::new(), message: "r0.0 is lost\nagain".to_owned() };
        let shrunk = Shrunk { tape: (0..22).collect(), failure, tries: 0 };
        let text = as_test(Machine::Pool, 3, &shrunk);
        assert!(text.contains("models/src/pool/mod.rs"), "{text}");
        assert!(text.contains("// r0.0 is lost\n    regressions::<World>(&[&[\n"), "{text}");
        assert!(text.contains("18, 19,\n        20, 21,\n    ]]);"), "{text}");
    }
}
