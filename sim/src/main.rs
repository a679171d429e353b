//! regatta-sim: runs, explores and replays simulations.
//!
//! What goes to standard output hangs on the arguments alone; progress and speed go to standard
//! error.
#![forbid(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
