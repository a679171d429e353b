//! The simulator's scenarios: each run twice as a process of its own, which must say the same,
//! byte for byte, and that its expectations hold; and the canary, which must fail.

use std::env;
use std::path::Path;
use std::process::Output;

use super::peers::Peers;
use crate::run::{self, Outcome};

/// Where they lie.
const FOLDER: &str = "sim/scenarios";
/// The one that must fail.
const CANARY: &str = "canary.toml";
/// What `regatta-sim run --expect` exits with when an expectation is missed.
const MISSED: i32 = 1;

/// Not optimised, so that core's own assertions are in.
pub(super) fn check(root: &Path, _: &Peers) -> Outcome {
    let build = ["cargo", "build", "--quiet", "--locked", "--package", "regatta-sim"];
    run::quiet(root, &build, &[])?;
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let program = root.join(target).join("debug/regatta-sim");
    let program = program.to_string_lossy().into_owned();
    let mut wrong = Vec::new();
    let names = names(root)?;
    for name in &names {
        let file = format!("{FOLDER}/{name}");
        let said = if name == CANARY {
            canary(root, &program, &file)
        } else {
            scenario(root, &program, &file)
        };
        match said {
            Ok(digest) => println!("{name:<32} {digest}"),
            Err(error) => {
                println!("{name:<32} {error}");
                wrong.push(name.as_str());
            }
        }
    }
    match wrong.as_slice() {
        [] if names.iter().any(|name| name == CANARY) => Ok(()),
        [] => Err(format!("{FOLDER} holds no {CANARY}, which must fail")),
        wrong => Err(format!("not as they should be: {}", wrong.join(", "))),
    }
}

fn names(root: &Path) -> Result<Vec<String>, String> {
    let listed = run::read(root, &["git", "ls-files", FOLDER])?;
    let files = listed.lines().filter_map(|line| line.rsplit_once('/'));
    let names = files.map(|(_, name)| name).filter(|name| name.ends_with(".toml"));
    Ok(names.map(str::to_owned).collect())
}

fn scenario(root: &Path, program: &str, file: &str) -> Result<String, String> {
    let (first, second) = (expect(root, program, file)?, expect(root, program, file)?);
    let said = String::from_utf8_lossy(&first.stdout).into_owned();
    if first.stdout != second.stdout {
        // Both in one process, step by step.
        let twice = output(root, &[program, "run", file, "--twice"])?;
        let why = String::from_utf8_lossy(&twice.stderr).trim().to_owned();
        return Err(format!("two runs do not say the same: {why}"));
    }
    if !first.status.success() {
        print!("{said}");
        eprint!("{}", String::from_utf8_lossy(&first.stderr));
        return Err(format!("{}", first.status));
    }
    let digest = said.lines().find_map(|line| line.split_once("digest ")).map(|(_, digest)| digest);
    digest.map(str::to_owned).ok_or_else(|| "it says no digest".to_owned())
}

fn canary(root: &Path, program: &str, file: &str) -> Result<String, String> {
    match expect(root, program, file)?.status.code() {
        Some(MISSED) => Ok("fails, as it must".to_owned()),
        code => Err(format!("it must exit with {MISSED}, not with {code:?}")),
    }
}

fn expect(root: &Path, program: &str, file: &str) -> Result<Output, String> {
    output(root, &[program, "run", file, "--expect"])
}

fn output(root: &Path, words: &[&str]) -> Result<Output, String> {
    let output = run::command(root, words).output();
    output.map_err(|error| format!("`{}` could not be started: {error}", words.join(" ")))
}
