//! The page of requirements.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::list::{Rule, Rules};
use super::marks::Mark;

const INTRODUCTION: &str = "\
# Requirements

What the standards ask of a client and of an origin server over HTTP/1.1, HTTP/2 and HTTP/3, what
has been done to servers and clients that asked less, and the test that holds each of it.
`cargo xtask rules` makes this page of [rules.toml](rules.toml) and of the marks in the tests;
`cargo xtask tidy` fails when it is out of date, when a mark names no rule, and when a rule that
applies has no test.

A letter behind a number is a part of a rule. A rule that is *later* is for a proxy, which does not
exist yet.
";

/// Makes the page; every mark names a rule.
pub(super) fn page(rules: &Rules, marks: &[Mark]) -> String {
    let mut page = INTRODUCTION.to_owned();
    let held = rules.iter().filter(|rule| rule.applies()).count();
    let later = rules.iter().count() - held;
    let tests: BTreeSet<(&str, &str)> =
        marks.iter().map(|mark| (mark.path.as_str(), mark.test.as_str())).collect();
    let _ = write!(
        page,
        "\nRules that apply: {held}, held by {} tests. Later: {later}.\n",
        tests.len()
    );
    for group in &rules.groups {
        let _ = write!(page, "\n## {}\n\n{}\n\n", group.title, group.says);
        page.push_str("| rule | source | who | what must hold | tests |\n");
        page.push_str("| --- | --- | --- | --- | --- |\n");
        for rule in &group.rules {
            let says = said(rule);
            let Rule { id, source, who, .. } = rule;
            let _ =
                writeln!(page, "| {id} | {source} | {who} | {says} | {} |", tests_of(id, marks));
        }
    }
    page
}

fn said(rule: &Rule) -> String {
    if rule.why.is_empty() { rule.says.clone() } else { format!("{} *{}*", rule.says, rule.why) }
}

/// A rule's tests, by file.
fn tests_of(rule: &str, marks: &[Mark]) -> String {
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| mark.rule == rule) {
        files.entry(&mark.path).or_default().insert(&mark.test);
    }
    let file = |(path, tests): (&str, BTreeSet<&str>)| {
        let tests: Vec<&str> = tests.into_iter().collect();
        format!("[{}](../{path}): {}", short(path), tests.join(", "))
    };
    files.into_iter().map(file).collect::<Vec<_>>().join("; ")
}

/// `core/src/engine/h1/tests/section_6.rs` as `core engine/h1/section_6`.
fn short(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let path = path.strip_suffix("/tests").unwrap_or(path);
    path.replace("/tests/", "/").replacen("/src/", " ", 1)
}
