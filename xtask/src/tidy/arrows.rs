//! Arrows between crates point down: proxy and runtimes on runtime, runtime on core, core on
//! nothing of ours. core names no runtime; runtime names neither tokio nor async-std.

use super::code::{find_word, line_of};
use super::{File, Tree, Violation};

/// Each package with what it may use of the others. A new package needs a line here.
const ARROWS: [(&str, &[&str]); 14] = [
    ("regatta-core", &[]),
    ("regatta-runtime", &["regatta-core"]),
    ("regatta-sockets", &["regatta-runtime"]),
    ("regatta-async-std", &["regatta-core", "regatta-runtime", "regatta-sockets"]),
    ("regatta-tokio", &["regatta-core", "regatta-runtime", "regatta-sockets"]),
    ("regatta-models", &["regatta-core"]),
    ("regatta-fuzz", &["regatta-core", "regatta-models", "regatta-sim", "regatta"]),
    ("regatta", &["regatta-core", "regatta-runtime", "regatta-tokio"]),
    ("regatta-sim", &["regatta-core", "regatta-runtime", "regatta-models"]),
    ("regatta-tests", ANY),
    ("regatta-benches", ANY),
    ("regatta-examples", ANY),
    ("asks-quiche", &[]),
    ("xtask", &[]),
];

const ANY: &[&str] = &[
    "regatta-core",
    "regatta-runtime",
    "regatta-async-std",
    "regatta-tokio",
    "regatta-sockets",
    "regatta-models",
    "regatta-sim",
    "regatta",
];

/// Packages and crate names that a folder must not name. core has tokio as a dependency for the
/// `AsyncRead` and `AsyncWrite` that h2 wants; what of it is allowed, core's tree says.
const UNNAMED: [(&str, &[&str]); 3] = [
    ("core/", &["async_io", "async_std", "mio", "quinn_udp", "smol", "socket2"]),
    ("runtime/", &["async_io", "async_std", "mio", "quinn_udp", "smol", "socket2", "tokio"]),
    ("runtime-sockets/", &["async_io", "async_std", "mio", "smol", "tokio"]),
];

/// Parts of tokio that are a runtime.
const TOKIO_RUNTIME: [&str; 6] =
    ["tokio::fs", "tokio::net", "tokio::runtime", "tokio::spawn", "tokio::task", "tokio::time"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in &tree.files {
        if file.path.ends_with("/Cargo.toml") {
            found.extend(manifest(file));
        }
        for (folder, names) in UNNAMED {
            if file.path.starts_with(folder) {
                found.extend(unnamed(file, names));
            }
        }
    }
    found
}

fn manifest(file: &File) -> Vec<Violation> {
    let Some(package) = package_name(&file.text) else { return Vec::new() };
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package) else {
        let says = format!("`{package}` is new: say in tidy's arrows what it may depend on");
        return vec![file.violation(0, says)];
    };
    dependencies(&file.text)
        .filter(|(_, name)| name.starts_with("regatta") && !allowed.contains(name))
        .map(|(line, name)| {
            file.violation(line, format!("`{package}` must not depend on `{name}`"))
        })
        .collect()
}

/// Names that a manifest or the code of a folder must not have. Comments may.
fn unnamed(file: &File, names: &[&str]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |line, name: &str| {
        found.push(file.violation(line, format!("`{name}` must not be named here")));
    };
    if file.path.ends_with("/Cargo.toml") {
        for (line, name) in dependencies(&file.text) {
            if names.contains(&name.replace('-', "_").as_str()) {
                say(line, name);
            }
        }
    }
    for name in names.iter().chain(&TOKIO_RUNTIME) {
        for at in find_word(&file.code, name) {
            // A crate is named as a path's beginning.
            if name.contains("::") || file.code[at + name.len()..].starts_with("::") {
                say(line_of(&file.code, at), name);
            }
        }
    }
    found
}

fn package_name(manifest: &str) -> Option<&str> {
    let (_, package) = manifest.split_once("[package]")?;
    let line = package.lines().find(|line| line.starts_with("name"))?;
    line.split('"').nth(1)
}

/// Names in the dependency tables of every kind and target, with their lines.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    manifest.lines().enumerate().filter_map(move |(at, line)| {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with("dependencies");
            // `[dependencies.name]` is a table of its own.
            let (_, name) = table.split_once("dependencies.")?;
            return Some((at + 1, name.trim_end_matches(']')));
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        let named = inside && !name.is_empty() && !name.starts_with('#');
        named.then_some((at + 1, name))
    })
}
