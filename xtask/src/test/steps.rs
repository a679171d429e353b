//! The steps that are a command or two.

use std::env;
use std::path::Path;

use super::peers::Peers;
use crate::run::{self, Outcome};
use crate::{faults, h2spec, tidy};

/// How many event sequences the machines are driven through, all together.
const SEQUENCES: u32 = 200_000;

const DENY_VERSION: &str = "0.20.2";

fn var(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

pub(super) fn fmt(root: &Path, _: &Peers) -> Outcome {
    run::quiet(root, &["cargo", "fmt", "--all", "--check"], &[])
}

pub(super) fn tidy(root: &Path, _: &Peers) -> Outcome {
    tidy::run(root)
}

pub(super) fn h2spec(root: &Path, _: &Peers) -> Outcome {
    h2spec::step(root)
}

pub(super) fn faults(root: &Path, _: &Peers) -> Outcome {
    faults::check(root)
}

pub(super) fn clippy(root: &Path, _: &Peers) -> Outcome {
    let words = ["cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--locked"];
    run::quiet(root, &[words.as_slice(), &["--", "-D", "warnings"]].concat(), &[])
}

pub(super) fn docs(root: &Path, _: &Peers) -> Outcome {
    let words = "cargo doc --quiet --workspace --no-deps --document-private-items --locked";
    let words: Vec<&str> = words.split(' ').collect();
    run::quiet(root, &words, &[var("RUSTDOCFLAGS", "-D warnings")])
}

/// The workspace names one rust-version, every package takes it, and rustc is not older.
pub(super) fn rust(root: &Path, _: &Peers) -> Outcome {
    let manifest = run::text(root, "Cargo.toml")?;
    let wanted = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .ok_or("Cargo.toml names no rust-version")?
        .trim_matches('"');
    let members = run::read(root, &["git", "ls-files", "*/Cargo.toml"])?;
    // A package that stands apart cannot take it, and names the same.
    let same = format!("rust-version = \"{wanted}\"");
    for member in members.lines() {
        let text = run::text(root, member)?;
        let apart = text.contains("[workspace]") && text.contains(&same);
        if !apart && !text.contains("rust-version.workspace = true") {
            return Err(format!("{member} does not take the workspace's rust-version"));
        }
    }
    let said = run::read(root, &["rustc", "--version"])?;
    let have = said.split(' ').nth(1).ok_or("`rustc --version` says no version")?;
    if version(have) < version(wanted) {
        return Err(format!("rustc {have} is older than the workspace's rust-version {wanted}"));
    }
    println!("rustc {have}, rust-version {wanted}");
    Ok(())
}

/// The first two numbers of a version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Installs cargo-deny where it is missing (about 6 minutes on two cores).
pub(super) fn need_deny(root: &Path) -> Outcome {
    if run::read(root, &["cargo", "deny", "--version"]).is_ok() {
        return Ok(());
    }
    println!("cargo-deny is missing and is being installed");
    let words = ["cargo", "install", "cargo-deny", "--version", DENY_VERSION, "--locked"];
    run::quiet(root, &words, &[])
}

pub(super) fn deny(root: &Path, _: &Peers) -> Outcome {
    need_deny(root)?;
    run::quiet(root, &["cargo", "deny", "check", "bans", "licenses", "sources"], &[])
}

/// Every test but those that have a step of their own.
pub(super) fn tests(root: &Path, _: &Peers) -> Outcome {
    let own = ["regatta-tests", "regatta-examples", "regatta-models", "regatta-fuzz"];
    let which = own.iter().flat_map(|package| ["--exclude", package]);
    cargo_test(root, &["--workspace"].into_iter().chain(which).collect::<Vec<_>>(), &[])
}

/// nextest's run where it is installed, else cargo's; both end with their counts.
fn cargo_test(root: &Path, which: &[&str], vars: &[(String, String)]) -> Outcome {
    let nextest = ["cargo", "nextest", "run", "--locked", "--no-fail-fast"];
    let cargo = ["cargo", "test", "--quiet", "--locked", "--no-fail-fast", "--all-targets"];
    let has_nextest = run::read(root, &["cargo", "nextest", "--version"]).is_ok();
    let words = if has_nextest { nextest.as_slice() } else { cargo.as_slice() };
    run::shown_with(root, &[words, which].concat(), vars)
}

pub(super) fn doc_tests(root: &Path, _: &Peers) -> Outcome {
    run::shown(root, &["cargo", "test", "--quiet", "--locked", "--workspace", "--doc"])
}

/// The machines against their models, and all of them against the contract; not optimised, so
/// that core's own assertions are in.
pub(super) fn models(root: &Path, _: &Peers) -> Outcome {
    let cases = env::var("REGATTA_CASES").unwrap_or_else(|_| SEQUENCES.to_string());
    println!("{cases} sequences of events");
    cargo_test(root, &["--package", "regatta-models"], &[var("REGATTA_CASES", cases)])
}

/// The corpora and some random inputs through the functions that are fuzzed; no fuzzer is needed.
pub(super) fn corpora(root: &Path, _: &Peers) -> Outcome {
    cargo_test(root, &["--package", "regatta-fuzz"], &[])
}

/// Seeds of each of the explorer's profiles: about half a minute on two cores.
const SEEDS: u32 = 6_000;

/// The full stack in random worlds, optimised but with every assertion; one seed more is made of
/// the commit.
pub(super) fn explore(root: &Path, _: &Peers) -> Outcome {
    let build = "cargo build --quiet --locked --profile explore --package regatta-sim";
    run::quiet(root, &build.split(' ').collect::<Vec<_>>(), &[])?;
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let binary = root.join(target).join("explore/regatta-sim");
    let (binary, seeds) = (binary.to_string_lossy(), format!("0..{SEEDS}"));
    for profile in ["flat", "realistic"] {
        let words = ["explore", "--seeds", &seeds, "--profile", profile, "--seed-from-commit"];
        run::shown(root, &[&[&*binary], words.as_slice()].concat())?;
    }
    Ok(())
}

/// loom replaces the locks and atomics of the runtime crate, so it has a target of its own.
pub(super) fn loom(root: &Path, _: &Peers) -> Outcome {
    let words = "cargo test --quiet --locked --package regatta-runtime --release --lib loom_";
    let words: Vec<&str> = words.split(' ').collect();
    let vars = [var("RUSTFLAGS", "--cfg loom"), var("CARGO_TARGET_DIR", "target/loom")];
    let list = [words.as_slice(), &["--", "--list"]].concat();
    if !run::read_with(root, &list, &vars)?.contains("loom_") {
        return Err("regatta-runtime has no test whose name has `loom_` in it".to_owned());
    }
    run::shown_with(root, &words, &vars)
}

/// The binaries are built once and their places told, lest every test process asks cargo for
/// them.
pub(super) fn end_to_end(root: &Path, peers: &Peers) -> Outcome {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = root.join(target).join("debug");
    let mut vars = peers.vars();
    for (name, place) in [("regatta", "REGATTA_BINARY"), ("regatta-sim", "REGATTA_SIM_BINARY")] {
        run::quiet(root, &["cargo", "build", "--quiet", "--locked", "--package", name], &[])?;
        vars.push(var(place, folder.join(name).to_string_lossy()));
    }
    cargo_test(root, &["--package", "regatta-tests", "--package", "regatta-examples"], &vars)
}

pub(super) fn demo(root: &Path, _: &Peers) -> Outcome {
    run::shown(root, &["cargo", "run", "--quiet", "--release", "--locked", "--", "demo"])
}
