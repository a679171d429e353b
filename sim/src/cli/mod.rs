//! The command line: one file a subcommand.

mod canary;
mod crew;
mod exhaust;
mod explore;
mod machines;
mod merge;
mod pace;
mod replay;
mod run;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Simulations of regatta: the production driver on a virtual clock and a simulated network.
#[derive(Debug, Parser)]
#[command(name = "regatta-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fails on purpose, to prove that a failure is noticed.
    Canary(canary::Args),
    /// Runs the full stack in random worlds over many seeds.
    Explore(explore::Args),
    /// Runs the journal of a real run again and names the first decision that differs.
    Replay(replay::Args),
    /// Runs the decision machines beside their models over many seeds.
    Machines(machines::Args),
    /// Makes one summary of several sweeps over different seeds.
    Merge(merge::Args),
    /// Runs a scenario and prints what came of it.
    Run(Box<run::Args>),
    /// Walks every order of events of a small world, and counts the states.
    Exhaust(exhaust::Args),
}

/// Exit code: a machine did what it must not.
const VIOLATION: u8 = 1;
/// Exit code: something never came to its end.
const LIVENESS: u8 = 2;
/// Exit code: two runs of one tape differed.
const DETERMINISM: u8 = 3;
/// Exit code: something that must be seen was not.
const LACKING: u8 = 4;
/// Exit code: nothing was run (sysexits' EX_USAGE).
const USAGE: u8 = 64;

fn fail(error: &str) -> ExitCode {
    eprintln!("regatta-sim: {error}");
    ExitCode::from(USAGE)
}

pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Canary(args) => canary::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Machines(args) => machines::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Exhaust(args) => exhaust::run(&args),
    }
}
