//! The `regatta` program; the library beside it does the work.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    regatta_cli::main()
}
