//! The quiche crate, whose BoringSSL is compiled only where that is asked for (minutes; it takes
//! cmake, a C++ compiler and libclang).

use std::env;
use std::path::{Path, PathBuf};

use super::Installed;
use super::built::WANTED;
use crate::run;

/// What the tests call it.
const PROGRAM: &str = "asks_quiche";
/// Where its crate is, which stands apart from the workspace.
const MANIFEST: &str = "tests/quiche/Cargo.toml";
/// Where it is compiled, once.
const TARGET: &str = "target/peers/quiche";

/// Names the program, after compiling it where that is yet to be done.
pub(super) fn install(root: &Path) -> Installed {
    let named = env::var_os(super::var(PROGRAM)).map(PathBuf::from);
    vec![(PROGRAM, named.map_or_else(|| build(root), Ok))]
}

fn build(root: &Path) -> Result<PathBuf, String> {
    if env::var_os(WANTED).is_none() {
        return Err(format!("not compiled; {WANTED}=1 does it once, in some minutes"));
    }
    println!("compiling quiche in {TARGET}");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = ["build", "--quiet", "--release", "--locked", "--manifest-path", MANIFEST];
    let words: Vec<&str> = [&*cargo].into_iter().chain(words).collect();
    // libclang alone has no headers of its own; those of the compiler do.
    let headers = run::read(root, &["g++", "-print-file-name=include"])?;
    let vars = [("BINDGEN_EXTRA_CLANG_ARGS".to_owned(), format!("-I{}", headers.trim()))];
    run::quiet(root, &[&words[..], &["--target-dir", TARGET]].concat(), &vars)?;
    Ok(root.join(TARGET).join("release/asks-quiche"))
}
