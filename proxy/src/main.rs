//! regatta: HTTP through a connection pool. A client, a test origin and a demonstration.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod demo;
mod get;
mod origin;
mod say;
mod waterfall;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say::err(&format!("regatta: cannot start the runtime: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            cli::Command::Get(args) => get::run(*args).await,
            cli::Command::Origin(args) => origin::run(args).await,
            cli::Command::Demo(args) => demo::run(args).await,
        }
    });
    // A thread that still reads standard input or looks a name up must not hold the exit up.
    runtime.shutdown_background();
    code
}
