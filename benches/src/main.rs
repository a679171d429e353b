//! regatta beside its peers: ratios from one run on one machine, with what was measured.
//!
//! `cargo run --release -p regatta-benches -- pool|tls|all`

mod measure;
#[cfg(hyper_pool)]
mod peer;
mod pool;
mod tls;

use std::process::ExitCode;

use measure::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    match name.as_deref() {
        Some("pool") => pool::run(),
        Some("tls") => tls::run(),
        Some("all") => {
            pool::run();
            tls::run();
        }
        _ => {
            eprintln!("usage: regatta-benches pool|tls|all");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
