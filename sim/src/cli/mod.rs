//! The command line: one file a subcommand.

mod canary;
mod replay;

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
    /// Runs the journal of a real run again and names the first decision that differs.
    Replay(replay::Args),
}

pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Canary(args) => canary::run(&args),
        Command::Replay(args) => replay::run(&args),
    }
}
