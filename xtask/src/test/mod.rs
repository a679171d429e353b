//! `cargo xtask test`: everything that must hold, one step after the other, each announced in
//! one line and closed by one with its time.

mod advisories;
mod features;
mod peers;
mod scenarios;
mod steps;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::run::Outcome;
use peers::Peers;

/// One step: its name on the command line, what it says it does, and the deed.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Path, &Peers) -> Outcome,
}

/// Before the others, by itself only when named; then it says where the peers are.
const INSTALL: &str = "install";

/// Cheap ones first; the peers are looked for before all others.
const STEPS: [Step; 19] = [
    Step { name: "fmt", what: "the code is formatted", run: steps::fmt },
    Step { name: "rust-version", what: "one rust-version, no newer than rustc", run: steps::rust },
    Step {
        name: "tidy",
        what: "arrows, lengths, words, dead files, core's tree",
        run: steps::tidy,
    },
    Step { name: "clippy", what: "clippy has nothing to say", run: steps::clippy },
    Step { name: "features", what: "clippy over the features that matter", run: features::check },
    Step { name: "docs", what: "the documentation builds without a warning", run: steps::docs },
    Step { name: "deny", what: "bans, licences and sources of dependencies", run: steps::deny },
    Step { name: "advisories", what: "no dependency has a known flaw", run: advisories::check },
    Step { name: "tests", what: "tests beside the code", run: steps::tests },
    Step { name: "doc-tests", what: "examples in the documentation", run: steps::doc_tests },
    Step { name: "models", what: "machines beside their models", run: steps::models },
    Step { name: "faults", what: "every planted fault still fits", run: steps::faults },
    Step { name: "explore", what: "the full stack in random worlds", run: steps::explore },
    Step { name: "corpora", what: "every input that fuzzing has kept", run: steps::corpora },
    Step {
        name: "scenarios",
        what: "the simulator's scenarios, each twice, and one that must fail",
        run: scenarios::check,
    },
    Step { name: "loom", what: "what threads share, in every order", run: steps::loom },
    Step { name: "peers", what: "end to end, with real peers", run: steps::end_to_end },
    Step { name: "h2spec", what: "h2spec's cases, over TLS and plain", run: steps::h2spec },
    Step { name: "demo", what: "the README's demo does what it claims", run: steps::demo },
];

/// Runs all steps, or the named ones, and says at the end which failed.
pub(crate) fn run(root: &Path, names: &[&str]) -> Outcome {
    if names == ["--list"] {
        for step in &STEPS {
            println!("{:<13} {}", step.name, step.what);
        }
        return Ok(());
    }
    let is_step = |name: &str| name == INSTALL || STEPS.iter().any(|step| step.name == name);
    if let Some(name) = names.iter().find(|name| !is_step(name)) {
        return Err(format!("there is no step `{name}`; `cargo xtask test --list` names them"));
    }
    let chosen = |step: &&Step| names.is_empty() || names.contains(&step.name);
    let begun = Instant::now();
    let mut failed = Vec::new();
    let mut peers = Peers::default();
    if names.is_empty() || names.contains(&"peers") || names.contains(&INSTALL) {
        match step(INSTALL, "the peers that the tests talk to", || Peers::install(root)) {
            Ok(found) => peers = found,
            Err(_) => failed.push("install"),
        }
    }
    if names.contains(&INSTALL) {
        for (name, value) in peers.vars() {
            println!("{name}={value}");
        }
    }
    let steps: Vec<&Step> = STEPS.iter().filter(chosen).collect();
    for each in &steps {
        if step(each.name, each.what, || (each.run)(root, &peers)).is_err() {
            failed.push(each.name);
        }
    }
    let time = shown(begun.elapsed());
    match failed.as_slice() {
        [] => {
            println!("xtask: all {} steps hold ({time})", steps.len());
            Ok(())
        }
        failed => Err(format!("{} failed ({time})", failed.join(", "))),
    }
}

/// Announces a step, runs it, says how it ended and how long it took.
fn step<T>(name: &str, what: &str, run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    println!("== {name}: {what}");
    let begun = Instant::now();
    let result = run();
    let time = shown(begun.elapsed());
    match &result {
        Ok(_) => println!("== {name}: holds ({time})"),
        Err(error) => println!("== {name}: FAILED ({time}): {error}"),
    }
    result
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
