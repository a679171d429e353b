//! What tables feed what reads bytes is where the fuzzer begins: with `REGATTA_HARVEST` set to a
//! folder, `cargo xtask corpus` collects it there, in the form that the targets of fuzz/ read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

/// Keeps an input of a target, if that is wanted.
pub(crate) fn keep(target: &str, input: &[u8]) {
    let Some(folder) = std::env::var_os("REGATTA_HARVEST") else { return };
    let folder = Path::new(&folder).join(target);
    std::fs::create_dir_all(&folder).unwrap();
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    std::fs::write(folder.join(format!("{:016x}", hasher.finish())), input).unwrap();
}
