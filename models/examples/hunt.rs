//! Runs the decision machines over seeds until one fails: `hunt SEEDS [MACHINE..]`. Prints the
//! machine, the seed and what was said, in one line with tabs between, and ends with 1; ends
//! with 0 when all seeds hold. The chore that plants faults asks it whether they are found.

use std::process::ExitCode;

use regatta_models::campaign::{Machine, Sweep};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().and_then(|text| text.parse().ok());
    let named = arguments.map(|name| Machine::named(&name)).collect::<Option<Vec<_>>>();
    let (Some(seeds), Some(mut machines)) = (seeds, named) else {
        eprintln!("usage: hunt SEEDS [eyeballs|pool|upstream|anarchy|downstream|altsvc|race ..]");
        return ExitCode::from(2);
    };
    if machines.is_empty() {
        machines.extend(Machine::ALL);
    }
    for machine in machines {
        let sweep = Sweep::run(machine, 0..seeds, true);
        if let Some(failed) = sweep.failed.first() {
            let said = failed.failure.message.replace(['\n', '\t'], " ");
            println!("{}\t{}\t{said}", machine.name(), failed.seed);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
