//! Files of at most 600 lines without their tests, functions of at most 70, lines of at most
//! 100 columns; implementations of a runtime of at most 250.

use std::ops::Range;

use super::code::{block_end, find_word, line_of, test_blocks};
use super::{File, Tree, Violation};

const FILE: usize = 600;
const FUNCTION: usize = 70;
const WIDTH: usize = 100;

/// All of an implementation of a runtime, comments too: what it decides lies elsewhere.
const RUNTIME: usize = 250;

/// Each implementation: a folder, or a file.
const RUNTIMES: [&str; 3] =
    ["examples/custom_runtime.rs", "runtime-async-std/src/", "runtime-tokio/src/"];

/// Quotes, commas and brackets beside a literal that rustfmt will not break.
const AROUND_A_LITERAL: usize = 8;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        found.extend(file_length(file));
        found.extend(function_lengths(file));
        found.extend(skipped_formatting(file));
    }
    found.extend(runtime_lengths(tree));
    for file in &tree.files {
        if file.path.ends_with(".rs") || file.path.ends_with(".md") {
            found.extend(line_widths(file));
        }
    }
    found
}

fn without_tests(file: &File) -> usize {
    if file.is_tests() {
        return 0;
    }
    let tests: usize =
        test_blocks(&file.code).into_iter().map(|block| file.code[block].lines().count()).sum();
    file.text.lines().count().saturating_sub(tests)
}

fn runtime_lengths(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for runtime in RUNTIMES {
        let files = tree.rust().filter(|file| file.path.starts_with(runtime));
        let lines: usize = files.map(without_tests).sum();
        if lines > RUNTIME {
            let says = format!("a runtime of {lines} lines without tests; at most {RUNTIME}");
            found.push(Violation { path: runtime.to_owned(), line: 0, says });
        }
    }
    found
}

fn file_length(file: &File) -> Option<Violation> {
    let lines = without_tests(file);
    if lines <= FILE {
        return None;
    }
    Some(file.violation(0, format!("{lines} lines without tests; at most {FILE}: split it")))
}

fn function_lengths(file: &File) -> Vec<Violation> {
    let code = &file.code;
    let mut found = Vec::new();
    for at in find_word(code, "fn") {
        let Some((name, open)) = signature(&code[at + 2..]) else { continue };
        let end = block_end(code, at + 2 + open);
        let lines = code[at..end].lines().count();
        if lines > FUNCTION {
            let says = format!("`{name}` has {lines} lines; at most {FUNCTION}: split it");
            found.push(file.violation(line_of(code, at), says));
        }
    }
    found
}

/// From behind `fn`: the name, and the offset of the body's `{`. A function pointer has no name,
/// a trait's method may have no body.
fn signature(rest: &str) -> Option<(&str, usize)> {
    let name = rest.trim_start();
    let length = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    if length == 0 || rest.len() == name.len() {
        return None;
    }
    let mut depth = 0_i32;
    for (at, letter) in rest.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth == 0 => return None,
            '{' if depth == 0 => return Some((&name[..length], at)),
            _ => {}
        }
    }
    None
}

fn line_widths(file: &File) -> Vec<Violation> {
    let markdown = file.path.ends_with(".md");
    let fenced = fenced_lines(file);
    // A table's row, a link and a quoted picture cannot be broken.
    let excused = |at: usize, line: &str| {
        line.contains("https://")
            || (markdown && (line.starts_with('|') || line.contains("](") || fenced.contains(&at)))
            || (!markdown && in_test_literal(file, at, line))
    };
    file.lines()
        .filter(|&(at, line)| line.chars().count() > WIDTH && !excused(at, line))
        .map(|(at, line)| {
            let columns = line.chars().count();
            file.violation(at, format!("{columns} columns; at most {WIDTH}"))
        })
        .collect()
}

/// The lines of a page that quote what a program printed.
fn fenced_lines(file: &File) -> Vec<usize> {
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in file.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```text";
        } else if inside {
            found.push(at);
        }
    }
    found
}

/// Whether a line of a test is a literal and hardly anything else.
fn in_test_literal(file: &File, at: usize, line: &str) -> bool {
    let code = file.code.lines().nth(at - 1).unwrap_or_default();
    let around = code.chars().filter(|letter| !letter.is_whitespace()).count();
    if line.trim_start().starts_with("//") || around > AROUND_A_LITERAL {
        return false;
    }
    let within = |block: &Range<usize>| {
        (line_of(&file.code, block.start)..=line_of(&file.code, block.end)).contains(&at)
    };
    let all_tests = file.is_tests() || file.path.starts_with("tests/");
    all_tests || test_blocks(&file.code).iter().any(within)
}

fn skipped_formatting(file: &File) -> Vec<Violation> {
    file.code
        .match_indices("rustfmt::skip")
        .map(|(at, _)| {
            file.violation(line_of(&file.code, at), "formatting is skipped; let rustfmt decide")
        })
        .collect()
}
