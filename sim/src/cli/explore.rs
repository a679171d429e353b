//! `regatta-sim explore`: the full stack in random worlds, over ranges of seeds.

use core::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use regatta_sim::choice::Point;
use regatta_sim::explore::{Class, Options, Profile, Sweep};

use super::pace::Pace;
use super::summary::{Failed, Part, Summary};
use super::{crew, merge};

/// Seeds that a thread runs before it takes more.
const BLOCK: u64 = 20;

/// Arguments of the explorer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which seeds: from A on, before B.
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = crew::parse_seeds)]
    seeds: Range<u64>,
    /// How many threads.
    #[arg(long, value_name = "N", default_value_t = crew::all_processors())]
    jobs: usize,
    /// How likely things are.
    #[arg(long, default_value = "flat", value_parser = ["realistic", "flat"])]
    profile: String,
    /// Choice points that are switched off, with commas between their names.
    #[arg(long, value_name = "POINT,..", value_delimiter = ',', value_parser = point)]
    without: Vec<Point>,
    /// Runs every seed twice and compares; without it one in 32.
    #[arg(long)]
    twice: bool,
    /// Writes the summary as JSON as well, for `regatta-sim merge`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn point(name: &str) -> Result<Point, String> {
    let found = Point::ALL.iter().find(|point| point.name() == name).copied();
    let names = || Point::ALL.iter().map(|point| point.name()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("there is no choice point `{name}`; there are {}", names()))
}

/// Sweeps, or replays one seed.
pub(crate) fn run(args: &Args) -> ExitCode {
    let profile = if args.profile == "flat" { Profile::Flat } else { Profile::Realistic };
    let mut options = Options::new(profile);
    options.without.clone_from(&args.without);
    sweep(args, &options)
}

fn sweep(args: &Args, options: &Options) -> ExitCode {
    let mut pace = Pace::new(args.seeds.end - args.seeds.start, "seeds");
    let mut whole = Sweep::default();
    let run = |seeds| Sweep::run(seeds, options, args.twice);
    crew::over(&args.seeds, BLOCK, args.jobs, run, |part| {
        let seeds = part.seeds;
        whole.merge(part);
        pace.done(seeds, whole.failures);
    });
    pace.end(whole.failures);
    let (requests, twice, hours) = (whole.requests, whole.twice, whole.simulated_ms / 3_600_000);
    println!("{requests} requests in {hours} simulated hours, {twice} seeds run twice");
    println!("digest {:016x}", whole.digest);
    for (name, taken) in &whole.points {
        println!("choice {name} was taken {} times of {}", taken.fired, taken.asked);
    }
    let worst = whole.worst;
    let mut summary = Summary::default();
    if let Err(error) = summary.add(part(args, whole)) {
        return super::fail(&error);
    }
    let code = merge::finish(&summary, args.json.as_ref());
    match worst {
        None => code,
        Some(class) => ExitCode::from(code_of(class)),
    }
}

const fn code_of(class: Class) -> u8 {
    match class {
        Class::Violation => super::VIOLATION,
        Class::Liveness => super::LIVENESS,
        Class::Determinism => super::DETERMINISM,
    }
}

fn part(args: &Args, sweep: Sweep) -> Part {
    let failed = sweep.failed.into_iter().map(|failed| Failed {
        seed: failed.seed,
        class: failed.violation.failure.class,
        message: failed.violation.failure.message,
        tape: failed.tape,
    });
    Part {
        subject: format!("stack {}", args.profile),
        ranges: vec![args.seeds.clone()],
        steps: sweep.steps,
        seen: sweep.seen,
        failures: sweep.failures,
        failed: failed.collect(),
    }
}
