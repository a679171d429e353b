//! `cargo xtask fuzz`: libFuzzer on every target in turn, for as long as asked; what it finds is
//! made small and becomes part of the corpus.

mod corpus;
mod coverage;
mod program;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::run::Outcome;
pub(crate) use corpus::run as corpus;
use program::{Figures, Program};

/// How long all targets together are fuzzed when nothing is said.
const SECONDS: u64 = 600;

/// Longest time that one target has the machine before it is the next one's turn.
const TURN: Duration = Duration::from_secs(120);

/// How long a finding is made smaller.
const SHRINK_SECONDS: u64 = 30;

/// What came of one target.
struct Fuzzed {
    program: Program,
    executions: u64,
    time: Duration,
    last: Figures,
    found: Vec<String>,
}

/// Fuzzes the named targets, or all.
pub(crate) fn run(root: &Path, words: &[&str]) -> Outcome {
    let (names, seconds) = arguments(words)?;
    let programs = program::build(root, &names)?;
    let mut all: Vec<Fuzzed> = programs.into_iter().map(Fuzzed::new).collect();
    let time = Duration::from_secs(seconds);
    let begun = Instant::now();
    while begun.elapsed() < time && all.iter().any(|one| one.found.is_empty()) {
        let awake = all.iter().filter(|one| one.found.is_empty()).count();
        let left = time.saturating_sub(begun.elapsed());
        let turn = (left / u32::try_from(awake).unwrap_or(u32::MAX)).min(TURN);
        for one in all.iter_mut().filter(|one| one.found.is_empty()) {
            one.take_turn(turn.max(Duration::from_secs(1)))?;
        }
    }
    report(&all)
}

/// The targets' names, and for how many seconds.
fn arguments<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, u64), String> {
    let mut names = Vec::new();
    let mut seconds = SECONDS;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--seconds" {
            let number = words.next().and_then(|number| number.parse().ok());
            seconds = number.ok_or("`--seconds` wants a whole number behind it")?;
        } else if word.starts_with('-') {
            return Err(format!("`fuzz` has no option `{word}`; it has `--seconds N`"));
        } else {
            names.push(*word);
        }
    }
    Ok((names, seconds))
}

impl Fuzzed {
    fn new(program: Program) -> Self {
        let (time, last) = (Duration::ZERO, Figures::default());
        Self { program, executions: 0, time, last, found: Vec::new() }
    }

    fn take_turn(&mut self, turn: Duration) -> Outcome {
        let begun = Instant::now();
        let (figures, failing) = self.program.fuzz(turn.as_secs().max(1))?;
        self.time += begun.elapsed();
        self.executions += figures.executions;
        self.last = figures;
        println!("{}", self.line());
        for input in failing {
            self.keep(&input)?;
        }
        Ok(())
    }

    /// Makes a failing input smaller and puts it into the corpus, where it stays.
    fn keep(&mut self, input: &Path) -> Outcome {
        let small = self.program.shrink(input, SHRINK_SECONDS)?;
        let bytes = fs::read(&small).map_err(|error| format!("{}: {error}", small.display()))?;
        let name = format!("{}{:016x}", program::FOUND, program::hash(&bytes));
        let kept = self.program.corpus.join(&name);
        fs::create_dir_all(&self.program.corpus)
            .and_then(|()| fs::copy(&small, &kept))
            .map_err(|error| format!("{} cannot be written: {error}", kept.display()))?;
        println!("    found {} ({} bytes)", kept.display(), bytes.len());
        for line in self.program.complaint(&kept) {
            println!("    {line}");
        }
        self.found.push(name);
        Ok(())
    }

    fn line(&self) -> String {
        let Self { program, executions, time, last, found } = self;
        format!(
            "{:<14} {executions:>12} executions {:>6} s  cov {:>6}  ft {:>6}  findings {}",
            program.name,
            time.as_secs(),
            last.cov,
            last.ft,
            found.len()
        )
    }
}

fn report(all: &[Fuzzed]) -> Outcome {
    println!("== what came of it");
    let mut found = 0;
    for one in all {
        println!("{}", one.line());
        found += one.found.len();
        for name in &one.found {
            println!("    {}", one.program.corpus.join(name).display());
        }
    }
    let executions: u64 = all.iter().map(|one| one.executions).sum();
    println!("{executions} executions over {} targets, {found} findings", all.len());
    match found {
        0 => Ok(()),
        found => Err(format!("{found} inputs fail; each lies in its corpus: mend, then replay")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_seconds_in_any_order() {
        assert_eq!(arguments(&[]), Ok((vec![], SECONDS)));
        assert_eq!(arguments(&["a", "--seconds", "5", "b"]), Ok((vec!["a", "b"], 5)));
        assert!(arguments(&["--seconds"]).is_err());
        assert!(arguments(&["--seconds", "long"]).is_err());
        assert!(arguments(&["--for", "5"]).is_err());
    }
}
