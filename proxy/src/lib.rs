//! regatta: HTTP through a connection pool. A client, a test origin and a demonstration.
#![forbid(unsafe_code)]

use std::process::ExitCode;

mod cli;
mod demo;
mod get;
#[cfg(feature = "oracles")]
pub mod oracles;
mod origin;
mod qlog;
mod say;
mod waterfall;

/// Runs the command that the program's arguments ask for; the exit code says how it ended.
pub fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return error.end(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say::err(&format!("regatta: cannot start the runtime: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match command {
            cli::Asked::Get(segments) => get::run(segments).await,
            cli::Asked::Origin(args) => origin::run(*args).await,
            cli::Asked::Demo(args) => demo::run(args).await,
            cli::Asked::Text(text) => say::bytes(&text),
        }
    });
    // A thread that still reads standard input or looks a name up must not hold the exit up.
    if qlog::is_written() {
        runtime.shutdown_timeout(qlog::LAST_WORDS);
    } else {
        runtime.shutdown_background();
    }
    code
}
