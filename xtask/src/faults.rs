//! `cargo xtask faults`: bugs planted in core, one at a time, in a copy of it. The decision
//! machines' models must find each within some thousand seeds; one that they do not find is a
//! hole in them.
//!
//! A fault is a patch in xtask/faults whose first line says what it breaks.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::run::{self, Outcome};

/// Where they lie.
const FOLDER: &str = "xtask/faults";

/// Seeds of each machine within which a fault must be found.
const SEEDS: &str = "10000";

/// The packages that a fault touches, or that find it.
const PACKAGES: [&str; 2] = ["core", "models"];

struct Fault {
    name: String,
    /// From the workspace's root.
    path: String,
    breaks: String,
}

/// What became of one.
struct Found {
    machine: String,
    seed: String,
    said: String,
}

/// Plants all faults, or the named ones, and says which machine found each, at which seed.
pub(crate) fn run(root: &Path, names: &[&str]) -> Outcome {
    let mut faults = all(root)?;
    if let Some(name) = names.iter().find(|name| faults.iter().all(|fault| fault.name != **name)) {
        return Err(format!("there is no fault `{name}`; {FOLDER} holds them"));
    }
    faults.retain(|fault| names.is_empty() || names.contains(&fault.name.as_str()));
    check_these(root, &faults)?;
    let nursery = Nursery::new(root);
    nursery.fill()?;
    if let Some(found) = nursery.hunt()? {
        return Err(format!("with no fault planted, {} fails: {}", found.machine, found.said));
    }
    println!("{:<34} {:<9} {:>5} {:>6}  what was said", "fault", "found by", "seed", "s");
    let mut missed = Vec::new();
    for fault in &faults {
        let begun = Instant::now();
        nursery.fill()?;
        nursery.plant(&root.join(&fault.path), &fault.name)?;
        let found =
            nursery.hunt().map_err(|error| format!("the fault `{}`: {error}", fault.name))?;
        let seconds = begun.elapsed().as_secs_f64();
        let name = &fault.name;
        match found {
            Some(Found { machine, seed, said }) => {
                let said: String = said.chars().take(90).collect();
                println!("{name:<34} {machine:<9} {seed:>5} {seconds:>6.1}  {said}");
            }
            None => {
                println!("{name:<34} {:<9} {:>5} {seconds:>6.1}  {}", "NOBODY", "-", fault.breaks);
                missed.push(name.as_str());
            }
        }
    }
    if missed.is_empty() {
        println!("all {} faults were found", faults.len());
        Ok(())
    } else {
        Err(format!("not found within {SEEDS} seeds: {}", missed.join(", ")))
    }
}

/// Every patch still applies and says what it breaks.
pub(crate) fn check(root: &Path) -> Outcome {
    let faults = all(root)?;
    check_these(root, &faults)?;
    println!("{} faults can be planted", faults.len());
    Ok(())
}

fn check_these(root: &Path, faults: &[Fault]) -> Outcome {
    for fault in faults {
        run::read(root, &["git", "apply", "--check", &fault.path])
            .map_err(|error| format!("the fault `{}` cannot be planted: {error}", fault.name))?;
    }
    Ok(())
}

fn all(root: &Path) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    let entries = fs::read_dir(root.join(FOLDER));
    for entry in entries.map_err(|error| format!("{FOLDER} cannot be read: {error}"))? {
        let file = entry.map_err(|error| format!("{FOLDER} cannot be read: {error}"))?.file_name();
        let file = file.to_string_lossy();
        let Some(name) = file.strip_suffix(".patch") else {
            return Err(format!("{FOLDER}/{file} is no patch"));
        };
        let path = format!("{FOLDER}/{file}");
        let text = run::text(root, &path)?;
        let breaks = text.lines().next().unwrap_or_default().to_owned();
        if breaks.is_empty() || breaks.starts_with("diff ") || breaks.starts_with("---") {
            return Err(format!("the first line of {path} does not say what it breaks"));
        }
        faults.push(Fault { name: name.to_owned(), path, breaks });
    }
    faults.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(faults)
}

/// A workspace of its own, of what is needed, with a target folder of its own.
struct Nursery<'a> {
    root: &'a Path,
    tree: PathBuf,
    build: PathBuf,
}

impl<'a> Nursery<'a> {
    fn new(root: &'a Path) -> Self {
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let home = root.join(target).join("faults");
        Self { root, tree: home.join("tree"), build: home.join("build") }
    }

    /// Copies the tree as it stands. What has not changed is not written again, so that cargo
    /// builds no more than it must.
    fn fill(&self) -> Outcome {
        let mut words = vec!["git", "ls-files", "--cached", "--others", "--exclude-standard", "--"];
        words.extend(PACKAGES);
        let files = run::read(self.root, &words)?;
        let mut kept: BTreeSet<PathBuf> = BTreeSet::new();
        for file in files.lines() {
            let from = self.root.join(file);
            // Deleted, and the deletion is not committed yet.
            if let Ok(bytes) = fs::read(&from) {
                kept.insert(self.write(file, &bytes)?);
            }
        }
        let manifest = smaller_workspace(&run::text(self.root, "Cargo.toml")?);
        kept.insert(self.write("Cargo.toml", manifest.as_bytes())?);
        // cargo drops from the lock what is not needed here: only the first time it is copied.
        if !self.tree.join("Cargo.lock").exists() {
            self.write("Cargo.lock", run::text(self.root, "Cargo.lock")?.as_bytes())?;
        }
        for package in PACKAGES {
            remove_others(&self.tree.join(package), &kept)?;
        }
        Ok(())
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, String> {
        let to = self.tree.join(file);
        let say = |error: std::io::Error| format!("{}: {error}", to.display());
        if fs::read(&to).is_ok_and(|known| known == bytes) {
            return Ok(to);
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(say)?;
        }
        fs::write(&to, bytes).map_err(say)?;
        Ok(to)
    }

    /// git takes the copy for no part of any repository, or it would not apply anything there.
    fn plant(&self, patch: &Path, name: &str) -> Outcome {
        let above = self.tree.parent().unwrap_or(&self.tree);
        let vars = [("GIT_CEILING_DIRECTORIES".to_owned(), above.to_string_lossy().into_owned())];
        let patch = patch.to_string_lossy();
        run::read_with(&self.tree, &["git", "apply", &patch], &vars)
            .map(drop)
            .map_err(|error| format!("the fault `{name}` cannot be planted: {error}"))
    }

    /// Builds the copy and runs the machines until one of them fails.
    fn hunt(&self) -> Result<Option<Found>, String> {
        let words = "cargo build --quiet --package regatta-models --example hunt";
        let words: Vec<&str> = words.split(' ').collect();
        let var = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let build = self.build.to_string_lossy();
        // Core's own assertions are in, and it is fast enough.
        let vars = [var("CARGO_TARGET_DIR", &build), var("CARGO_PROFILE_DEV_OPT_LEVEL", "1")];
        run::quiet(&self.tree, &words, &vars)?;
        let binary = self.build.join("debug/examples/hunt");
        let binary = binary.to_string_lossy();
        let output = run::command(&self.tree, &[&binary, SEEDS]).output();
        let output = output.map_err(|error| format!("{binary} could not be started: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match (output.status.code(), text.trim().splitn(3, '\t').collect::<Vec<_>>().as_slice()) {
            (Some(0), _) => Ok(None),
            (Some(1), [machine, seed, said]) => Ok(Some(Found {
                machine: (*machine).to_owned(),
                seed: (*seed).to_owned(),
                said: (*said).to_owned(),
            })),
            (code, _) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("the hunt ended with {code:?}: {}", said.trim()))
            }
        }
    }
}

/// The workspace's manifest with the members that were copied, and no default member.
fn smaller_workspace(manifest: &str) -> String {
    let mut small = String::new();
    let mut in_members = false;
    for line in manifest.lines() {
        let member = line.trim().trim_end_matches(',').trim_matches('"');
        match line {
            "members = [" => in_members = true,
            "]" => in_members = false,
            _ if line.starts_with("default-members") => continue,
            _ if in_members && !PACKAGES.contains(&member) => continue,
            _ => {}
        }
        small.push_str(line);
        small.push('\n');
    }
    small
}

/// Removes the files of a folder that are not to be there.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Outcome {
    let say = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(say)? {
        let path = entry.map_err(say)?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).map_err(say)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_the_members_that_are_copied() {
        let whole = "[workspace]\nmembers = [\n  \"core\",\n  \"fuzz\",\n  \"models\",\n]\n\
                     default-members = [\"fuzz\"]\n\n[x]\na = 1\n";
        let small = "[workspace]\nmembers = [\n  \"core\",\n  \"models\",\n]\n\n[x]\na = 1\n";
        assert_eq!(smaller_workspace(whole), small);
    }
}
