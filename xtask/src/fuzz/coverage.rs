//! fuzz/coverage.toml: what each corpus reaches. It may only grow.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is written down of one target's corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Edges.
    pub(super) cov: u64,
    /// Edges, told apart by how often they were taken.
    pub(super) ft: u64,
}

/// Keys are random and hash maps of dependencies too: so many parts in a hundred may be missing.
const NOISE_PERCENT: u64 = 1;

const HEAD: &str = "\
# What the corpora reach, in libFuzzer's counts: `cov` are edges of the program's graph, `ft` the
# same told apart by how often each was taken. Written by `cargo xtask corpus`, which does not
# lower a figure unless told `--lower` (when code that was reached is no longer there);
# `cargo xtask corpus --check` compares.
";

pub(super) fn write(all: &BTreeMap<String, Reach>) -> String {
    let mut text = HEAD.to_owned();
    for (name, reach) in all {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[{name}]\ncov = {}\nft = {}\n", reach.cov, reach.ft);
    }
    text
}

pub(super) fn read(text: &str) -> Result<BTreeMap<String, Reach>, String> {
    let mut all = BTreeMap::new();
    let mut name = String::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || format!("coverage.toml, line {}: not understood: {line}", at + 1);
        if let Some(inner) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name = inner.to_owned();
            all.insert(name.clone(), Reach::default());
            continue;
        }
        let (key, number) = line.split_once(" = ").ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let reach = all.get_mut(&name).ok_or_else(wrong)?;
        match key {
            "cov" => reach.cov = number,
            "ft" => reach.ft = number,
            _ => return Err(wrong()),
        }
    }
    Ok(all)
}

/// The targets whose corpus reaches less than is written down, each in a sentence.
pub(super) fn losses(
    written: &BTreeMap<String, Reach>,
    now: &BTreeMap<String, Reach>,
) -> Vec<String> {
    let mut lost = Vec::new();
    for (name, before) in written {
        let after = now.get(name).copied().unwrap_or_default();
        for (what, before, after) in [("cov", before.cov, after.cov), ("ft", before.ft, after.ft)] {
            if after < before - before * NOISE_PERCENT / 100 {
                lost.push(format!("{name}: {what} fell from {before} to {after}"));
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cov: u64, ft: u64) -> BTreeMap<String, Reach> {
        BTreeMap::from([("a".to_owned(), Reach { cov, ft })])
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(&one(7, 9))), Ok(one(7, 9)));
        for wrong in ["cov = 1", "[a]\ncov = x", "[a]\nedges = 1", "[a]\ncov"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn growing_is_fine_and_falling_is_told() {
        assert!(losses(&one(1_000, 2_000), &one(1_001, 2_000)).is_empty());
        assert!(losses(&one(1_000, 2_000), &one(995, 1_990)).is_empty());
        assert_eq!(losses(&one(1_000, 2_000), &one(900, 2_000)).len(), 1);
        assert_eq!(losses(&one(1_000, 2_000), &BTreeMap::new()).len(), 2);
    }
}
