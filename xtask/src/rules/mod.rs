//! Which test holds which rule of the standards.
//!
//! `docs/rules.toml` lists the rules in our words. A test says which of them it holds by a comment
//! of its own line, above the test or above a row of its table:
//!
//! ```text
//! // rule: M-1a A30
//! ```
//!
//! `docs/requirements.md` is made of both. A mark that names no rule, a rule that applies and has
//! no test, and a page that is not up to date are errors.

mod list;
mod marks;
mod page;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use crate::run::{self, Outcome};
use list::Rules;
use marks::{Mark, marks_of};

/// The rules in our words.
const LIST: &str = "docs/rules.toml";
/// What is made of them and of the tests.
const PAGE: &str = "docs/requirements.md";

/// Writes the page.
pub(crate) fn write(root: &Path) -> Outcome {
    let text = made(root)?;
    fs::write(root.join(PAGE), text).map_err(|error| format!("{PAGE} cannot be written: {error}"))
}

/// Says whether the page is what the rules and the tests make of it.
pub(crate) fn check(root: &Path) -> Outcome {
    let text = made(root)?;
    if run::text(root, PAGE).unwrap_or_default() == text {
        Ok(())
    } else {
        Err(format!("{PAGE} is out of date: run `cargo xtask rules`"))
    }
}

/// The page's text; an error names everything that is wrong, a line each.
fn made(root: &Path) -> Result<String, String> {
    let rules = Rules::parse(&run::text(root, LIST)?).map_err(|error| format!("{LIST}:{error}"))?;
    let words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs"];
    let mut marks: Vec<Mark> = Vec::new();
    let mut faults: Vec<String> = Vec::new();
    for path in run::read(root, &words)?.lines() {
        // The tool itself quotes marks.
        if path.starts_with("xtask/src/rules/") {
            continue;
        }
        // A file may be deleted and not yet committed.
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        let (found, wrong) = marks_of(path, &text);
        marks.extend(found);
        faults.extend(wrong);
    }
    faults.extend(unmatched(&rules, &marks));
    if faults.is_empty() {
        Ok(page::page(&rules, &marks))
    } else {
        Err(format!("the rules and their tests disagree:\n{}", faults.join("\n")))
    }
}

/// Marks without a rule, and rules without the mark that they need.
fn unmatched(rules: &Rules, marks: &[Mark]) -> Vec<String> {
    let mut faults = Vec::new();
    for mark in marks {
        if rules.get(&mark.rule).is_none() {
            let Mark { path, line, rule, .. } = mark;
            faults.push(format!("{path}:{line}: {LIST} has no rule {rule}"));
        }
    }
    for rule in rules.iter() {
        let held = marks.iter().any(|mark| mark.rule == rule.id);
        if rule.applies() && !held {
            faults.push(format!("{LIST}: no test is marked `rule: {}`", rule.id));
        }
        if !rule.applies() && held {
            faults.push(format!("{LIST}: {} is said to come later, and has a test", rule.id));
        }
    }
    faults
}
