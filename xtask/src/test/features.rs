//! Clippy over the combinations of features that matter. Together the packages of the workspace
//! switch everything on, which hides what is missing when they are used alone.

use std::path::Path;

use super::peers::Peers;
use crate::run::{self, Outcome};

/// Package and features, without the default ones.
const COMBINATIONS: [(&str, &str); 22] = [
    ("regatta-core", ""),
    ("regatta-core", "http1"),
    ("regatta-core", "http2"),
    ("regatta-core", "http1,http2"),
    ("regatta-core", "http1,http2,aws-lc-rs"),
    ("regatta-core", "http3,ring"),
    ("regatta-core", "http3,aws-lc-rs"),
    ("regatta-core", "http1,http2,http3,ring,aws-lc-rs,verify"),
    ("regatta-runtime", "ring"),
    ("regatta-runtime", "aws-lc-rs"),
    ("regatta-runtime", "ring,aws-lc-rs,tower"),
    ("regatta-runtime", "ring,conformance"),
    ("regatta-runtime", "ring,http3"),
    ("regatta-runtime", "ring,system-roots"),
    ("regatta-async-std", "async-std,ring"),
    ("regatta-async-std", "smol,ring"),
    ("regatta-async-std", "async-std,smol,aws-lc-rs,system-roots,tower"),
    ("regatta-sim", ""),
    ("regatta-sim", "scenario"),
    ("regatta-sockets", "ring"),
    ("regatta-tokio", "ring"),
    ("regatta-tokio", "aws-lc-rs,system-roots,tower"),
];

pub(super) fn check(root: &Path, _: &Peers) -> Outcome {
    let mut failed = Vec::new();
    for (package, features) in COMBINATIONS {
        let words = "cargo clippy --quiet --locked --no-default-features --package";
        let mut words: Vec<&str> = words.split(' ').collect();
        words.extend([package, "--features", features, "--", "-D", "warnings"]);
        if run::quiet(root, &words, &[]).is_err() {
            failed.push(format!("{package} with [{features}]"));
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(failed.join("; ")),
    }
}
