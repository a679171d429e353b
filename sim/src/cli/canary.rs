//! `regatta-sim canary`: a run that must fail.

use std::process::ExitCode;

use regatta_sim::Net;

/// Arguments of the canary.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// A future that nobody will ever wake is a deadlock, which the executor must find at once.
pub(crate) fn run(_: &Args) -> ExitCode {
    match Net::seeded(0).run(core::future::pending::<()>()) {
        Err(stuck) => {
            println!("the canary is stuck, as it should be: {stuck}");
            ExitCode::from(2)
        }
        Ok(()) => {
            println!("the canary sings: a deadlock was not noticed");
            ExitCode::SUCCESS
        }
    }
}
