//! `cargo xtask corpus`: gathers what tests and fuzzing have come upon, keeps as few inputs as
//! reach the same, and writes down what they reach.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::coverage::{self, Reach};
use super::program::{self, FOUND, Program, files};
use crate::run::{self, Outcome};

const COVERAGE: &str = "fuzz/coverage.toml";

/// Longest input that is kept; longer ones say nothing that shorter ones do not.
const LONGEST: u64 = 4_096;

/// The corpora of the named targets, or of all; with `--check` only what they reach is compared
/// with what is written down.
pub(crate) fn run(root: &Path, words: &[&str]) -> Outcome {
    let option = |name: &str| words.contains(&name);
    let names: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with("--")).collect();
    let known = ["--check", "--lower"];
    if let Some(word) = words.iter().find(|word| word.starts_with('-') && !known.contains(word)) {
        return Err(format!("`corpus` has no option `{word}`; it has {}", known.join(", ")));
    }
    let programs = program::build(root, &names)?;
    if !option("--check") {
        let harvest = harvest(root)?;
        for program in &programs {
            minimise(program, &harvest.join(&program.name))?;
        }
    }
    let mut now = BTreeMap::new();
    for program in &programs {
        let figures = program.coverage()?;
        let count = files(&program.corpus).len();
        let (cov, ft) = (figures.cov, figures.ft);
        println!("{:<14} {count:>4} inputs  cov {cov:>6}  ft {ft:>6}", program.name);
        now.insert(program.name.clone(), Reach { cov, ft });
    }
    let mut written = coverage::read(&run::text(root, COVERAGE).unwrap_or_default())?;
    let mut before = written.clone();
    before.retain(|name, _| now.contains_key(name));
    let lost = coverage::losses(&before, &now);
    if !lost.is_empty() && !option("--lower") {
        return Err(lost.join("; "));
    }
    if !option("--check") {
        written.extend(now);
        let all = program::names(root)?;
        written.retain(|name, _| all.contains(name));
        fs::write(root.join(COVERAGE), coverage::write(&written))
            .map_err(|error| format!("{COVERAGE} cannot be written: {error}"))?;
    }
    Ok(())
}

/// Runs the tests that write their inputs down; the folder with one folder for each target.
fn harvest(root: &Path) -> Result<PathBuf, String> {
    let folder = program::target_folder(root).join("fuzz/harvest");
    program::make(&folder)?;
    let vars = [
        ("REGATTA_HARVEST".to_owned(), folder.to_string_lossy().into_owned()),
        ("REGATTA_CASES".to_owned(), "1000".to_owned()),
    ];
    let words = "cargo test --quiet --locked --lib -p regatta-core -p regatta-models";
    let words: Vec<&str> = words.split(' ').chain(["-p", "regatta-fuzz"]).collect();
    run::quiet(root, &words, &vars)?;
    Ok(folder)
}

/// Keeps the smallest inputs that together reach what all reach, and those that once failed.
fn minimise(program: &Program, harvest: &Path) -> Outcome {
    let fresh = harvest.with_extension("fresh");
    let _ = fs::remove_dir_all(&fresh);
    program::make(&fresh)?;
    program::make(harvest)?;
    program::make(&program.corpus)?;
    let longest = format!("-max_len={LONGEST}");
    let folders = [&fresh, &program.corpus, harvest, &program.gathered]
        .map(|folder| folder.to_string_lossy().into_owned());
    let folders = folders.each_ref().map(String::as_str);
    // Without counters an edge counts once: some hundred inputs instead of thousands.
    let words = ["-set_cover_merge=1", "-use_counters=0", "-timeout=20", &longest];
    let log = program.log(&[words.as_slice(), &folders].concat())?;
    let kept = files(&fresh);
    if kept.is_empty() {
        return Err(format!("the merge of {} kept nothing:\n{log}", program.name));
    }
    let error = |error: std::io::Error| format!("the corpus of {}: {error}", program.name);
    for old in files(&program.corpus) {
        let name = old.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(FOUND) {
            fs::remove_file(&old).map_err(error)?;
        }
    }
    let failed: Vec<Vec<u8>> =
        files(&program.corpus).iter().filter_map(|file| fs::read(file).ok()).collect();
    for file in kept {
        let bytes = fs::read(&file).map_err(error)?;
        if !failed.contains(&bytes) {
            let name = format!("{:016x}", program::hash(&bytes));
            fs::write(program.corpus.join(name), bytes).map_err(error)?;
        }
    }
    Ok(())
}
