//! core's dependency tree has no runtime, no event loop and no socket in it.

use std::path::Path;

use crate::run::{self, Outcome};

/// Packages that must not be in the tree, whatever their version.
const PACKAGES: [&str; 7] =
    ["mio", "async-io", "async-std", "polling", "signal-hook-registry", "smol", "socket2"];

/// Features of tokio that are more than its traits.
const FEATURES: [&str; 8] =
    ["full", "fs", "net", "process", "rt", "rt-multi-thread", "signal", "time"];

/// Runs `cargo tree` on core with all features and looks for what must not be there.
pub(crate) fn check(root: &Path) -> Outcome {
    let words = "cargo tree --edges normal,features --package regatta-core --all-features";
    let words: Vec<&str> = words.split(' ').chain(["--target", "all", "--locked"]).collect();
    let tree = run::read(root, &words)?;
    match impurities(&tree).as_slice() {
        [] => Ok(()),
        found => Err(format!("core is not pure, `cargo tree` shows: {}", found.join(", "))),
    }
}

/// The lines of a `cargo tree` that must not be there, without the drawing.
pub(crate) fn impurities(tree: &str) -> Vec<String> {
    let mut found: Vec<String> = tree
        .lines()
        .map(|line| line.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|line| is_impure(line))
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn is_impure(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (package, second, third) = (words.next(), words.next(), words.next());
    if package.is_some_and(|package| PACKAGES.contains(&package)) {
        return true;
    }
    let feature = third.unwrap_or_default().trim_matches('"');
    package == Some("tokio") && second == Some("feature") && FEATURES.contains(&feature)
}
