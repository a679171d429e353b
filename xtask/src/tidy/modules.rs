//! Every Rust file is reached from a crate's root by `mod` declarations: what is not reached is
//! never compiled.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{block_end, find_word};
use super::{File, Tree, Violation};

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let files: BTreeMap<&str, &File> = tree.rust().map(|file| (file.path.as_str(), file)).collect();
    let mut todo: Vec<&str> = files.keys().copied().filter(|path| is_root(path)).collect();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    while let Some(path) = todo.pop() {
        let Some((path, file)) = files.get_key_value(path) else { continue };
        if reached.insert(path) {
            let candidates = declared(file);
            let found = candidates.iter().filter_map(|path| files.get_key_value(path.as_str()));
            todo.extend(found.map(|(path, _)| *path));
        }
    }
    files
        .values()
        .filter(|file| !reached.contains(file.path.as_str()))
        .map(|file| file.violation(0, "no crate root reaches this file: declare or delete it"))
        .collect()
}

/// Whether cargo builds it without anyone declaring it.
fn is_root(path: &str) -> bool {
    let Some((package, inside)) = path.split_once('/') else { return false };
    let parts: Vec<&str> = inside.split('/').collect();
    let target = |folder: &str| matches!(folder, "tests" | "benches" | "examples" | "fuzz_targets");
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
        // A crate apart from the workspace.
        ["quiche", "src", "main.rs"] => package == "tests",
        // Its manifest names each file of the folder.
        [_] => package == "examples",
        ["src", "bin", rest @ ..] => matches!(rest, [_] | [_, "main.rs"]),
        [folder, rest @ ..] => target(folder) && matches!(rest, [_] | [_, "main.rs"]),
        [] => false,
    }
}

/// The paths at which the modules that a file declares may lie.
fn declared(file: &File) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let stem = name.trim_end_matches(".rs");
    let home = if stem == "mod" || is_root(&file.path) {
        folder.to_owned()
    } else {
        format!("{folder}/{stem}")
    };
    let mut found = Vec::new();
    walk(file, 0..file.code.len(), &home, &mut found);
    for (at, _) in file.code.match_indices("include!(\"") {
        let quoted = file.text[at..].split('"').nth(1).unwrap_or_default();
        found.push(normal(&format!("{folder}/{quoted}")));
    }
    found
}

/// Finds `mod name;` in a range of code; inline modules are folders.
fn walk(file: &File, range: std::ops::Range<usize>, home: &str, found: &mut Vec<String>) {
    let code = &file.code[range.clone()];
    let mut behind = 0;
    for at in find_word(code, "mod") {
        if at < behind {
            continue;
        }
        let rest = code[at + 3..].trim_start();
        let Some(length) = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        else {
            continue;
        };
        let (name, rest) = rest.split_at(length);
        if rest.trim_start().starts_with('{') {
            let open = code.len() - rest.trim_start().len();
            behind = block_end(code, open);
            let inner = range.start + open + 1..range.start + behind;
            walk(file, inner, &format!("{home}/{name}"), found);
        } else if let Some(path) = path_attribute(file, range.start + at) {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            found.push(normal(&format!("{folder}/{path}")));
        } else {
            found.push(format!("{home}/{name}.rs"));
            found.push(format!("{home}/{name}/mod.rs"));
        }
    }
}

/// What `#[path = ".."]` in front of the declaration at `at` says.
fn path_attribute(file: &File, at: usize) -> Option<&str> {
    let start = file.code[..at].rfind([';', '}', '{']).map_or(0, |end| end + 1);
    let attribute = start + file.code[start..at].find("#[path")?;
    file.text[attribute..at].split('"').nth(1)
}

/// A path from the root with `.` and `..` resolved.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
