//! regatta's chores, run as `cargo xtask NAME`.
//!
//! - `test [STEP..]` checks everything that a change must satisfy, or only the steps named.
//! - `h2spec` runs the cases of h2spec against `regatta origin`.
//! - `rules` says which test holds which rule of the standards.
//! - `tidy` checks what no compiler does: arrows between crates, lengths, words, dead files.
//! - `fuzz [TARGET..]` looks for inputs that break what must hold, `corpus` keeps the good ones.
//! - `faults` plants bugs in core and asks the models to find them.
//! - `bench` prints the ratios against peers, `builds` what a small client costs to build.

mod builds;
mod faults;
mod fuzz;
mod h2spec;
mod rules;
mod run;
mod test;
mod tidy;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask test [STEP..]   all checks, or only these; `test --list` names them
       cargo xtask tidy            the checks of the source tree alone
       cargo xtask rules [--check] which test holds which rule: writes docs/requirements.md
       cargo xtask h2spec [SECTION..]  h2spec's cases against `regatta origin`
       cargo xtask fuzz [TARGET..] [--seconds N]   libFuzzer on all targets, or only these
       cargo xtask corpus [TARGET..] [--check]     make their corpora small, or compare
       cargo xtask faults [NAME..] planted bugs: all, or only these, must be found
       cargo xtask bench           ratios against peers
       cargo xtask builds          what a small client costs to build, beside peers";

fn main() -> ExitCode {
    let root = match run::workspace_root() {
        Ok(root) => root,
        Err(error) => return fail(&error),
    };
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["test", steps @ ..] => test::run(&root, steps),
        ["faults", names @ ..] => faults::run(&root, names),
        ["tidy"] => tidy::run(&root),
        ["rules"] => rules::write(&root),
        ["rules", "--check"] => rules::check(&root),
        ["fuzz", words @ ..] => fuzz::run(&root, words),
        ["corpus", words @ ..] => fuzz::corpus(&root, words),
        ["h2spec", sections @ ..] => h2spec::run(&root, sections),
        ["builds"] => builds::run(&root),
        ["bench"] => {
            let (profile, package) = (["--profile", "bench"], ["-p", "regatta-benches"]);
            run::shown(&root, &[&["cargo", "run"], &profile[..], &package, &["--", "all"]].concat())
        }
        [] | ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        [name, ..] => Err(format!("there is no chore `{name}`\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("xtask: {error}");
    ExitCode::FAILURE
}
