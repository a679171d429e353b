//! Hands hyper-util's own pool to the bench that times it.
//!
//! Its pool is private and everything around it costs more than it does. So its source is
//! taken from where cargo has unpacked it and compiled as a module of the bench, unchanged but
//! for the paths of two helpers and the feature `http2`, which is on. Where it is not
//! found the bench leaves it out and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The part of the pool that is not its tests.
const TESTS: &str = "#[cfg(test)]\nmod tests";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(hyper_pool)");
    let Some(out) = env::var_os("OUT_DIR") else { return };
    if let Some(module) = source().and_then(|source| module(&source)) {
        let written = fs::write(Path::new(&out).join("hyper_pool.rs"), module);
        if written.is_ok() {
            println!("cargo::rustc-cfg=hyper_pool");
        }
    }
}

/// Where cargo has unpacked hyper-util.
fn source() -> Option<PathBuf> {
    let cargo = env::var_os("CARGO")?;
    let arguments = ["metadata", "--format-version", "1", "--offline"];
    let output = Command::new(cargo).args(arguments).output().ok()?;
    let metadata = String::from_utf8(output.stdout).ok()?;
    let path = metadata
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("/hyper-util-0.1."))?;
    Some(Path::new(path).parent()?.join("src"))
}

fn module(source: &Path) -> Option<String> {
    let read = |path: &str| {
        let text = fs::read_to_string(source.join(path)).ok()?;
        let text = text.split(TESTS).next()?.to_owned();
        let lines =
            text.lines().filter(|line| !line.starts_with("#![") && !line.starts_with("//!"));
        Some(lines.collect::<Vec<_>>().join("\n"))
    };
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
