//! `regatta-sim explore`: the full stack in random worlds, over ranges of seeds.

use core::ops::Range;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use regatta_sim::choice::Point;
use regatta_sim::explore::{self, Class, Options, Profile, Sweep};

use super::pace::Pace;
use super::summary::{Failed, Part, Summary};
use super::{crew, merge};

/// Seeds that a thread runs before it takes more.
const BLOCK: u64 = 20;

/// Tapes that are tried to make a recorded one small.
const TRIES_MAX: u32 = 5_000;

/// The same at the end of a sweep, for each failure that is printed.
const QUICK_TRIES: u32 = 500;

/// Failures that are made small and printed at the end of a sweep, one of each class.
const PRINTED_MAX: usize = 3;

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
    /// Runs this seed alone and tells what happened.
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
    /// Makes this failing seed's tape small, prints it as a test, and writes it down among the
    /// regressions.
    #[arg(long, value_name = "SEED")]
    record: Option<u64>,
    /// Names the step from which on most other endings of this seed fail as it does.
    #[arg(long, value_name = "SEED")]
    bisect: Option<u64>,
    /// Where `--record` writes to.
    #[arg(long, value_name = "FOLDER", default_value = "sim/regressions")]
    regressions: PathBuf,
    /// Runs one seed more, made of the commit that is checked out.
    #[arg(long)]
    seed_from_commit: bool,
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
    let alone = [args.replay, args.record, args.bisect];
    match alone {
        [None, None, None] => sweep(args, &options),
        [Some(seed), None, None] => replay(seed, options),
        [None, Some(seed), None] => record(seed, &options, &args.regressions),
        [None, None, Some(seed)] => bisect(seed, &options),
        _ => super::fail("--replay, --record and --bisect are for one seed and exclude each other"),
    }
}

/// The tape of a seed that fails, up to its failure.
fn failing(seed: u64, options: &Options) -> Result<Vec<u8>, ExitCode> {
    let ended = explore::run(explore::tape(seed), options);
    match ended.violation {
        Some(_) => Ok(ended.tape),
        None => {
            println!("seed {seed} does not fail");
            Err(ExitCode::SUCCESS)
        }
    }
}

fn record(seed: u64, options: &Options, folder: &Path) -> ExitCode {
    let tape = match failing(seed, options) {
        Ok(tape) => tape,
        Err(code) => return code,
    };
    let Some(shrunk) = explore::smallest(&tape, options, TRIES_MAX) else {
        println!("seed {seed} fails, its tape does not");
        return ExitCode::from(super::DETERMINISM);
    };
    print!("{}", explore::as_test(options.profile, seed, &shrunk));
    let file = folder.join(format!("{}-{seed}.tape", options.profile.name()));
    let text = explore::to_file(options.profile, &shrunk.failure, &shrunk.tape);
    if let Err(error) = fs::write(&file, text) {
        return super::fail(&format!("{} cannot be written: {error}", file.display()));
    }
    let (before, after, tries) = (tape.len(), shrunk.tape.len(), shrunk.tries);
    eprintln!("{}: {before} bytes became {after} in {tries} runs", file.display());
    ExitCode::from(super::VIOLATION)
}

fn bisect(seed: u64, options: &Options) -> ExitCode {
    let tape = match failing(seed, options) {
        Ok(tape) => tape,
        Err(code) => return code,
    };
    let Some(turn) = explore::turn(&tape, options) else {
        println!("seed {seed} fails, its tape does not");
        return ExitCode::from(super::DETERMINISM);
    };
    let explore::Turn { bytes, step, endings, failed } = turn;
    println!(
        "seed {seed}: from step {step} on ({bytes} of {} bytes drawn) {failed} of {endings} other \
         endings fail in the same way",
        tape.len()
    );
    if step == 0 {
        println!("the case itself is enough, whatever happens in it");
    }
    ExitCode::from(super::VIOLATION)
}

fn replay(seed: u64, mut options: Options) -> ExitCode {
    options.trace = true;
    let ended = explore::run(explore::tape(seed), &options);
    ended.story.iter().for_each(|line| println!("{line}"));
    let (steps, bytes, digest) = (ended.steps, ended.tape.len(), ended.digest);
    println!("seed {seed}: {steps} steps until {}, {bytes} bytes, digest {digest:016x}", ended.at);
    match ended.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("FAILED at {}: {}", violation.failure.class, violation.failure.message);
            ExitCode::from(code_of(violation.class))
        }
    }
}

/// A seed made of the commit that is checked out: another one with every change.
fn commit() -> Result<u64, String> {
    let asked = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let said = asked.map_err(|error| format!("git cannot be run: {error}"))?.stdout;
    let digits: String = String::from_utf8_lossy(&said).chars().take(15).collect();
    u64::from_str_radix(&digits, 16).map_err(|_| "git names no commit".to_owned())
}

fn sweep(args: &Args, options: &Options) -> ExitCode {
    let mut ranges = vec![args.seeds.clone()];
    if args.seed_from_commit {
        match commit() {
            Ok(seed) => ranges.push(seed..seed + 1),
            Err(error) => return super::fail(&format!("--seed-from-commit: {error}")),
        }
    }
    let seeds = ranges.iter().map(|range| range.end - range.start).sum();
    let mut pace = Pace::new(seeds, "seeds");
    let mut whole = Sweep::default();
    let run = |seeds| Sweep::run(seeds, options, args.twice);
    for range in &ranges {
        crew::over(range, BLOCK, args.jobs, run, |part| {
            let seeds = part.seeds;
            whole.merge(part);
            pace.done(seeds, whole.failures);
        });
    }
    pace.end(whole.failures);
    let (requests, twice, hours) = (whole.requests, whole.twice, whole.simulated_ms / 3_600_000);
    println!("{requests} requests in {hours} simulated hours, {twice} seeds run twice");
    let long = &whole.long;
    println!("{} runs were too long and ended without a verdict {long:?}", whole.cut_short);
    println!("digest {:016x}", whole.digest);
    for (name, taken) in &whole.points {
        println!("choice {name} was taken {} times of {}", taken.fired, taken.asked);
    }
    let worst = whole.worst;
    let mut summary = Summary::default();
    if let Err(error) = summary.add(part(args, ranges, whole)) {
        return super::fail(&error);
    }
    let code = merge::finish(&summary, args.json.as_ref());
    print_tests(&summary, options);
    match worst {
        None => code,
        Some(class) => ExitCode::from(code_of(class)),
    }
}

/// Makes the first failure of each class small and prints it as a test.
fn print_tests(summary: &Summary, options: &Options) {
    let mut classes: Vec<&str> = Vec::new();
    for failed in summary.parts.iter().flat_map(|part| &part.failed) {
        if classes.len() == PRINTED_MAX || classes.contains(&failed.class.as_str()) {
            continue;
        }
        classes.push(&failed.class);
        if let Some(shrunk) = explore::smallest(&failed.tape, options, QUICK_TRIES) {
            print!("\n{}", explore::as_test(options.profile, failed.seed, &shrunk));
        }
    }
}

const fn code_of(class: Class) -> u8 {
    match class {
        Class::Violation => super::VIOLATION,
        Class::Liveness => super::LIVENESS,
        Class::Determinism => super::DETERMINISM,
    }
}

fn part(args: &Args, ranges: Vec<Range<u64>>, sweep: Sweep) -> Part {
    let failed = sweep.failed.into_iter().map(|failed| Failed {
        seed: failed.seed,
        class: failed.violation.failure.class,
        message: failed.violation.failure.message,
        tape: failed.tape,
    });
    Part {
        subject: format!("stack {}", args.profile),
        ranges,
        steps: sweep.steps,
        seen: sweep.seen,
        failures: sweep.failures,
        failed: failed.collect(),
    }
}
