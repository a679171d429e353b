//! `regatta-sim machines`: the decision machines over ranges of seeds.

use core::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use regatta_models::campaign::{self, Machine, Sweep};
use regatta_models::catch::caught;
use regatta_models::harness::Watch;
use regatta_models::seen::Seen;

use super::pace::Pace;
use super::summary::{Failed, Part, Summary};
use super::{crew, merge};

/// Seeds that a thread runs before it takes more.
const BLOCK: u64 = 500;

/// Tapes that are tried to make a failing one small.
const TRIES_MAX: u32 = 20_000;

/// Failures that are shrunk and printed, one of each class.
const PRINTED_MAX: usize = 3;

/// Arguments of a sweep over decision machines.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which machine.
    #[arg(default_value = "all", value_parser = names())]
    machine: String,
    /// Which seeds: from A on, before B.
    #[arg(long, value_name = "A..B", default_value = "0..10000", value_parser = crew::parse_seeds)]
    seeds: Range<u64>,
    /// How many threads.
    #[arg(long, value_name = "N", default_value_t = crew::all_processors())]
    jobs: usize,
    /// Writes the summary as JSON as well, for `regatta-sim merge`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs this seed alone and prints every step; name the machine.
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
}

/// What may be named.
fn names() -> PossibleValuesParser {
    let all = Machine::ALL.iter().map(|machine| machine.name());
    PossibleValuesParser::new(all.chain(["all"]))
}

/// Sweeps, or replays one seed.
pub(crate) fn run(args: &Args) -> ExitCode {
    let machines = match Machine::named(&args.machine) {
        Some(machine) => vec![machine],
        None => Machine::ALL.to_vec(),
    };
    match (args.replay, machines.as_slice()) {
        (Some(seed), [machine]) => replay(*machine, seed),
        (Some(_), _) => {
            super::fail("--replay needs the machine's name: `machines pool --replay 7`")
        }
        (None, _) => sweep(&machines, args),
    }
}

fn sweep(machines: &[Machine], args: &Args) -> ExitCode {
    let mut summary = Summary::default();
    for machine in machines {
        eprintln!("{}: seeds {}..{}", machine.name(), args.seeds.start, args.seeds.end);
        let mut pace = Pace::new(args.seeds.end - args.seeds.start, "seeds");
        let mut whole = Sweep::default();
        let run = |seeds| Sweep::run(*machine, seeds, false);
        crew::over(&args.seeds, BLOCK, args.jobs, run, |part| {
            let seeds = part.seeds;
            whole.merge(part);
            pace.done(seeds, whole.failures);
        });
        pace.end(whole.failures);
        if let Err(error) = summary.add(part(*machine, args.seeds.clone(), whole)) {
            return super::fail(&error);
        }
    }
    let code = merge::finish(&summary, args.json.as_ref());
    for part in &summary.parts {
        if let Some(machine) = Machine::named(&part.subject) {
            print_tests(machine, &part.failed);
        }
    }
    code
}

fn part(machine: Machine, seeds: Range<u64>, sweep: Sweep) -> Part {
    let failed = sweep.failed.into_iter().map(|failed| Failed {
        seed: failed.seed,
        class: failed.failure.class,
        message: failed.failure.message,
        tape: failed.tape,
    });
    Part {
        subject: machine.name().to_owned(),
        ranges: vec![seeds],
        steps: sweep.steps,
        seen: sweep.seen,
        failures: sweep.failures,
        failed: failed.collect(),
    }
}

/// Shrinks the first failure of each class and prints it as a test.
fn print_tests(machine: Machine, failed: &[Failed]) {
    let mut classes: Vec<&str> = Vec::new();
    for failed in failed {
        if classes.len() == PRINTED_MAX || classes.contains(&failed.class.as_str()) {
            continue;
        }
        classes.push(&failed.class);
        print_test(machine, failed.seed, &failed.tape);
    }
}

fn print_test(machine: Machine, seed: u64, tape: &[u8]) {
    match machine.shrink(tape, TRIES_MAX) {
        Some(shrunk) => print!("\n{}", campaign::as_test(machine, seed, &shrunk)),
        None => println!("seed {seed} of {} fails, its tape does not", machine.name()),
    }
}

fn replay(machine: Machine, seed: u64) -> ExitCode {
    let mut seen = Seen::default();
    let mut tape = campaign::tape(seed);
    let mut print = |lines: &str| println!("{lines}");
    let trace: Option<&mut dyn FnMut(&str)> = Some(&mut print);
    let mut watch = Watch { seen: &mut seen, steps: 0, trace };
    let result = caught(|| machine.run(&mut tape, &mut watch));
    let steps = watch.steps;
    let bytes = tape.bytes();
    println!("{} seed {seed}: {steps} steps, {} bytes drawn", machine.name(), bytes.len());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("FAILED at {}: {}", failure.class, failure.message);
            print_test(machine, seed, bytes);
            ExitCode::from(super::VIOLATION)
        }
    }
}
