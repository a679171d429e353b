//! Hands hyper-util's own pool and the `h3` crate's own QPACK to the benches that time them.
//!
//! Both are private and everything around them costs more than they do. So their sources are
//! taken from where cargo has unpacked them and compiled as modules of the benches, unchanged but
//! for paths and features. Where one is not found its bench leaves it out and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The part of the pool that is not its tests.
const TESTS: &str = "#[cfg(test)]\nmod test";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(hyper_pool, h3_qpack)");
    let Some(out) = env::var_os("OUT_DIR") else { return };
    let metadata = metadata().unwrap_or_default();
    let pool = source(&metadata, "/hyper-util-0.1.").and_then(|source| pool(&source));
    let qpack = source(&metadata, "/h3-0.0.").and_then(|source| qpack(&source));
    for (name, module) in [("hyper_pool", pool), ("h3_qpack", qpack)] {
        let Some(module) = module else { continue };
        if fs::write(Path::new(&out).join(format!("{name}.rs")), module).is_ok() {
            println!("cargo::rustc-cfg={name}");
        }
    }
}

/// Which packages there are, and where.
fn metadata() -> Option<String> {
    let cargo = env::var_os("CARGO")?;
    let arguments = ["metadata", "--format-version", "1", "--offline"];
    let output = Command::new(cargo).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// Where cargo has unpacked the package whose folder has this in its path.
fn source(metadata: &str, package: &str) -> Option<PathBuf> {
    let path = metadata
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains(package))?;
    Some(Path::new(path).parent()?.join("src"))
}

/// A file of theirs without its tests and what may only stand at the top of a file.
fn file(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.split(TESTS).next()?.to_owned();
    let lines = text.lines().filter(|line| !line.starts_with("#![") && !line.starts_with("//!"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// A module's file with those that it names in it.
fn whole(folder: &Path, name: &str) -> Option<String> {
    let lines = file(&folder.join(name))?;
    let lines = lines.lines().map(|line| {
        let module = line.split_once("mod ").and_then(|(_, rest)| rest.strip_suffix(';'));
        let Some(module) = module else { return Some(line.to_owned()) };
        let text = match folder.join(module).is_dir() {
            true => whole(&folder.join(module), "mod.rs")?,
            false => file(&folder.join(format!("{module}.rs")))?,
        };
        Some(format!("pub mod {module} {{ {text}\n}}"))
    });
    Some(lines.collect::<Option<Vec<_>>>()?.join("\n"))
}

fn qpack(source: &Path) -> Option<String> {
    let qpack = whole(&source.join("qpack"), "mod.rs")?;
    let [coding, varint] =
        ["coding", "varint"].map(|name| file(&source.join("proto").join(format!("{name}.rs"))));
    let module = format!(
        "pub mod proto {{ pub mod coding {{ {} }} pub mod varint {{ {} }} }}\n\
         pub mod qpack {{ {qpack} }}",
        coding?, varint?
    );
    Some(module.replace("crate::", "crate::qpack::peer::"))
}

fn pool(source: &Path) -> Option<String> {
    let read = |path: &str| file(&source.join(path));
    let exec = read("common/exec.rs")?.replace("pub(crate)", "pub");
    let timer = read("common/timer.rs")?.replace("pub(crate)", "pub");
    let pool = read("client/legacy/pool.rs")?
        .replace("crate::common", "super")
        .replace("#[cfg(feature = \"http2\")]", "")
        .replace("#[cfg_attr(not(feature = \"http2\"), allow(unused_mut))]", "")
        .replace("pub(crate)", "pub")
        .replace("pub(super)", "pub");
    Some(format!("mod exec {{ {exec}\n}}\nmod timer {{ {timer}\n}}\npub mod pool {{ {pool}\n}}\n"))
}
