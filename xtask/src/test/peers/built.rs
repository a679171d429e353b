//! nghttp2's programs with HTTP/3, which no suite of Debian builds in: compiled once on a machine
//! from its source package, in a tree of that suite (some minutes on two cores; only root may).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Installed;
use super::unpacked::{Suite, wrapped};
use crate::run;

/// What the tests call it, and what nghttp2's build does.
const PROGRAMS: [(&str, &str); 2] = [("h2load_http3", "h2load"), ("nghttpx_http3", "nghttpx")];

/// The compiler, and what the programs are linked with.
const NEEDS: [&str; 13] = [
    "?essential",
    "g++",
    "make",
    "cmake",
    "pkgconf",
    "libngtcp2-dev",
    "libngtcp2-crypto-ossl-dev",
    "libnghttp3-dev",
    "libssl-dev",
    "libev-dev",
    "libc-ares-dev",
    "libjemalloc-dev",
    "zlib1g-dev",
];

/// Names the programs, after compiling them where that is yet to be done.
pub(super) fn install(root: &Path) -> Installed {
    let named = |name| env::var_os(super::var(name)).map(PathBuf::from);
    let missing = PROGRAMS.iter().any(|(name, _)| named(name).is_none());
    let built = if missing { build(root) } else { Ok(PathBuf::new()) };
    let programs = PROGRAMS.map(|(name, program)| {
        let made = || {
            let tree = built.clone()?;
            wrapped(&tree, &tree.join("usr/bin").join(program), name)
        };
        (name, named(name).map_or_else(made, Ok))
    });
    programs.into()
}

/// Asks for the compiling, which takes longer than most of the tests.
pub(super) const WANTED: &str = "REGATTA_COMPILE_PEERS";

/// The tree in which they are.
fn build(root: &Path) -> Result<PathBuf, String> {
    if env::var_os(WANTED).is_none() {
        return Err(format!("not installed; {WANTED}=1 compiles it once, in some minutes"));
    }
    if run::read(root, &["id", "-u"])?.trim() != "0" {
        return Err("not installed, and only root may compile it in its own tree".to_owned());
    }
    let suite = Suite::new(root)?;
    let tree = suite.unpack("compiler", &NEEDS)?;
    let programs = PROGRAMS.map(|(_, program)| program);
    if programs.iter().all(|program| tree.join("usr/bin").join(program).is_file()) {
        return Ok(tree);
    }
    println!("compiling {} with HTTP/3 in {}", programs.join(" and "), tree.display());
    let folder = tree.join("tmp/source");
    let archive = suite.source("nghttp2", &folder)?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let script = tree.join("tmp/build");
    let text = script_of(&name, &programs);
    fs::write(&script, text).map_err(|error| format!("{}: {error}", script.display()))?;
    let at = tree.to_string_lossy();
    let words = ["timeout", "1800", "unshare", "-m", "--propagation", "private", "chroot", &at];
    run::read(root, &[&words[..], &["/bin/sh", "-e", "/tmp/build"]].concat())?;
    Ok(tree)
}

/// What is run with the tree as its root.
fn script_of(archive: &str, programs: &[&str]) -> String {
    let off = ["DOC", "EXAMPLES", "HPACK_TOOLS"].map(|part| format!("-DENABLE_{part}=OFF"));
    let places = programs.iter().map(|program| format!(" b/src/{program}")).collect::<String>();
    format!(
        "[ -c /dev/null ] || mknod -m 666 /dev/null c 1 3\n\
         [ -c /dev/urandom ] || mknod -m 666 /dev/urandom c 1 9\n\
         export PATH=/usr/sbin:/usr/bin\n\
         cd /tmp/source\n\
         mkdir -p n\n\
         tar xf {archive} -C n --strip-components=1\n\
         cd n\n\
         cmake -S . -B b -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=g++ \
         -DCMAKE_C_COMPILER=gcc -DENABLE_APP=ON -DENABLE_HTTP3=ON {} -DBUILD_TESTING=OFF \
         -DBUILD_SHARED_LIBS=OFF -DBUILD_STATIC_LIBS=ON >/tmp/log 2>&1\n\
         cmake --build b -j2 --target {} >>/tmp/log 2>&1\n\
         cp{places} /usr/bin/\n\
         rm -rf /tmp/source\n",
        off.join(" "),
        programs.join(" "),
    )
}
