//! The command line: one file a subcommand.

mod canary;

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
}

pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Canary(args) => canary::run(&args),
    }
}
