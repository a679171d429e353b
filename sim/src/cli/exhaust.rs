//! `regatta-sim exhaust`: every order of everything that may happen in a small world.

use std::process::ExitCode;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use regatta_models::exhaust::{Progress, SUBJECTS, Size, Subject, Walk};

use super::VIOLATION;
use super::pace::now;

/// What to walk, and how far.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which machine; every one if none is named.
    #[arg(value_parser = PossibleValuesParser::new(SUBJECTS.iter().map(|subject| subject.name)))]
    machine: Option<String>,
    /// How much: small takes seconds, medium minutes, large gigabytes.
    #[arg(long, default_value = "small",
        value_parser = PossibleValuesParser::new(Size::ALL.iter().map(|size| size.name())))]
    size: String,
}

/// Prints a row of counts for each world; a violation with the shortest way to it is exit code 1.
pub(crate) fn run(args: &Args) -> ExitCode {
    let size = Size::ALL.iter().copied().find(|size| size.name() == args.size);
    let size = size.unwrap_or(Size::Small);
    let chosen = |subject: &&Subject| args.machine.as_deref().is_none_or(|it| it == subject.name);
    for subject in SUBJECTS.iter().filter(chosen) {
        println!("{}, {}: {}", subject.name, size.name(), subject.about);
        println!(
            "{:>11} {:>11} {:>8} {:>6} {:>5}  world",
            "states", "moves", "ends", "depth", "rest"
        );
        let mut speed = Speed::new();
        match (subject.walk)(size, &mut |progress| speed.tell(progress)) {
            Ok(walks) => walks.iter().for_each(print),
            Err(found) => {
                println!("{found}");
                return ExitCode::from(VIOLATION);
            }
        }
    }
    ExitCode::SUCCESS
}

fn print(walk: &Walk) {
    let Walk { name, states, moves, ends, depth, rest_within, cut_short } = *walk;
    let note = if cut_short { " (not walked to its end)" } else { "" };
    println!("{states:>11} {moves:>11} {ends:>8} {depth:>6} {rest_within:>5}  {name}{note}");
}

/// How many states a second are met.
struct Speed {
    world: &'static str,
    began: Instant,
    told: Instant,
}

impl Speed {
    fn new() -> Self {
        let at = now();
        Self { world: "", began: at, told: at }
    }

    /// Tells progress every few seconds, and at the end of each world.
    fn tell(&mut self, progress: &Progress) {
        let at = now();
        if self.world != progress.name {
            (self.world, self.began, self.told) = (progress.name, at, at);
        }
        if progress.done || at.duration_since(self.told).as_secs() >= 5 {
            self.told = at;
            let took = at.duration_since(self.began).as_secs_f64();
            let Progress { name, states, depth, .. } = *progress;
            let speed = states as f64 / took.max(0.001);
            eprintln!("{name}: {states} states, depth {depth}, {took:.1} s, {speed:.0} states/s");
        }
    }
}
