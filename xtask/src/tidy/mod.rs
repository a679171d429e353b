//! What no compiler checks: arrows between crates, lengths, words, dead files, the one clock.
//!
//! Each rule is a function from the [`Tree`] to its violations, so that `tests.rs` can show every
//! one of them firing on a tree of three lines.

mod arrows;
mod clock;
mod code;
mod docs;
mod lengths;
mod modules;
mod purity;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::rules;
use crate::run::{self, Outcome};

/// The files of the workspace that git knows or would add.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One file of text.
#[derive(Debug)]
struct File {
    /// From the workspace's root, with `/`.
    path: String,
    text: String,
    /// A Rust file's text with comments and the insides of literals blanked, else empty.
    code: String,
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    /// 1-based; 0 where the whole file is meant.
    line: usize,
    /// One clear sentence.
    says: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.says),
            line => write!(f, "{}:{line}: {}", self.path, self.says),
        }
    }
}

/// Checks the source tree and says every violation.
pub(crate) fn run(root: &Path) -> Outcome {
    let tree = Tree::read(root)?;
    let mut violations = tree.violations();
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    let others = rules::check(root).and_then(|()| purity::check(root));
    match (violations.len(), others) {
        (0, result) => result,
        (n, Ok(())) => Err(format!("tidy found {n} violations in {} files", tree.files.len())),
        (n, Err(error)) => Err(format!("tidy found {n} violations; {error}")),
    }
}

impl Tree {
    fn read(root: &Path) -> Result<Self, String> {
        let words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"];
        let listed = run::read(root, &words)?;
        let mut tree = Self::default();
        for path in listed.lines() {
            // What fuzzing came upon is no text, even where it looks like some.
            let found = path.starts_with("fuzz/corpus/");
            // A file may be deleted and not yet committed, or not be text: neither is tidy's.
            if !found && let Ok(text) = fs::read_to_string(root.join(path)) {
                tree.add(path, &text);
            }
        }
        if tree.get("Cargo.toml").is_none() {
            return Err(format!("git lists no Cargo.toml in {}", root.display()));
        }
        Ok(tree)
    }

    fn add(&mut self, path: &str, text: &str) {
        let code = if path.ends_with(".rs") { code::blank(text) } else { String::new() };
        self.files.push(File { path: path.to_owned(), text: text.to_owned(), code });
    }

    fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    fn violations(&self) -> Vec<Violation> {
        let rules = [
            arrows::check,
            clock::check,
            docs::check,
            lengths::check,
            modules::check,
            words::check,
        ];
        rules.iter().flat_map(|rule| rule(self)).collect()
    }
}

impl File {
    fn violation(&self, line: usize, says: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, says: says.into() }
    }

    /// Lines of text with their 1-based numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether the whole file is test code that lies beside the code.
    fn is_tests(&self) -> bool {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside);
        inside.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}
