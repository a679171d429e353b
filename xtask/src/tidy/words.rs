//! Words that do not belong into the project: names that say nothing, work left lying about,
//! and the place where the code happens to be written.

use super::code::{find_word, line_of};
use super::{File, Tree, Violation};

/// A banned word (also its plural) and what in its line, the lines around it or the file's path
/// makes it innocent. Cut in two, so that this list does not find itself.
const WORDS: [(&str, &[&str]); 6] = [
    // TLS has sessions, and its word is its own.
    (concat!("ses", "sion"), &["tls", "ticket", "resum", "store", "cache", "quic"]),
    (concat!("age", "nt"), &["user-age", "user age", "user_age", "useragent"]),
    (concat!("pro", "mpt"), &[]),
    (concat!("assi", "stant"), &[]),
    (concat!("work", "tree"), &[]),
    (concat!("FIX", "ME"), &[]),
];

/// Banned wherever they stand.
const PARTS: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/tmp", "/wt"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("files.python", "hosted.org"),
    concat!("proxy.gol", "ang.org"),
];

const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

const FILE_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in &tree.files {
        found.extend(file_name(file));
        // The licences' words are not ours, the lock file is written by cargo.
        if !file.path.starts_with("LICENSE-") && file.path != "Cargo.lock" {
            found.extend(words(file));
        }
        found.extend(macros(file));
        found.extend(bare_allow(file));
    }
    found
}

fn file_name(file: &File) -> Option<Violation> {
    let part = file.path.split('/').find(|part| {
        let stem = part.split('.').next().unwrap_or_default();
        FILE_NAMES.contains(&stem)
    })?;
    Some(file.violation(0, format!("`{part}` says nothing: name the file after its one idea")))
}

fn words(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    let lowered = file.text.to_lowercase();
    let lowered: Vec<&str> = lowered.lines().collect();
    for (line, text) in file.lines() {
        let small = lowered.get(line - 1).copied().unwrap_or_default();
        let around = &lowered[line.saturating_sub(2)..lowered.len().min(line + 1)];
        for (word, excuses) in WORDS {
            let small_word = word.to_lowercase();
            let many = format!("{small_word}s");
            let stands = find_word(small, &small_word).chain(find_word(small, &many)).count();
            let near = |excuse: &str| around.iter().any(|line| line.contains(excuse));
            let innocent = |excuse: &&str| near(excuse) || file.path.contains(*excuse);
            if stands > 0 && !excuses.iter().any(innocent) {
                found.push(file.violation(line, format!("`{word}` does not belong here")));
            }
        }
        for part in PARTS {
            if text.contains(part) {
                found.push(file.violation(line, format!("`{part}` does not belong here")));
            }
        }
        let todo = concat!("TO", "DO");
        let unnumbered = |at: usize| !text[at + 4..].trim_start_matches('(').starts_with('#');
        if find_word(text, todo).any(unnumbered) {
            found.push(file.violation(line, format!("`{todo}` without an issue's number")));
        }
    }
    found
}

fn macros(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in MACROS {
        let word = name.trim_end_matches('!');
        let calls = find_word(&file.code, word).filter(|at| file.code[*at..].starts_with(name));
        found.extend(calls.map(|at| {
            file.violation(line_of(&file.code, at), format!("`{name}` must not be left behind"))
        }));
    }
    found
}

/// `allow` without a reason; `expect` is better, since it says when it is no longer needed.
fn bare_allow(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for opening in ["#[allow(", "#![allow("] {
        for (at, _) in file.code.match_indices(opening) {
            let end = file.code[at..].find(']').map_or(file.code.len(), |end| at + end);
            if !file.code[at..end].contains("reason") {
                let says = "`allow` without a reason; use `expect(.., reason = \"..\")`";
                found.push(file.violation(line_of(&file.code, at), says));
            }
        }
    }
    found
}
