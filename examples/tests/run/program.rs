//! The built examples, run as programs of their own.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What an example said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its standard output; it ended well and had nothing to complain about.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "out: {}", self.out);
        self.out
    }

    /// The one sentence with which it failed.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert_eq!((self.code, self.err.lines().count()), (1, 1), "{self:?}");
        self.err.trim_end().to_owned()
    }
}

/// Whether one line of what an example printed is this, however far it is indented.
pub(crate) fn tells(out: &str, line: &str) -> bool {
    out.lines().any(|each| each.trim_start() == line)
}

/// Runs an example to its end.
pub(crate) fn run(example: &str, words: &[&str]) -> Said {
    run_trusting("", example, words)
}

/// The same with another authority than the system's, in a file of PEM text.
pub(crate) fn run_trusting(ca: &str, example: &str, words: &[&str]) -> Said {
    // A program that hangs must not hang the tests.
    let mut command = Command::new("timeout");
    if !ca.is_empty() {
        command.env("SSL_CERT_FILE", ca);
    }
    command.arg("60").arg(built(example)).args(words).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Where an example is. cargo builds them with the tests of their package.
pub(crate) fn built(example: &str) -> PathBuf {
    let file = path(example);
    assert!(file.is_file(), "{} is not built: `cargo build --examples`", file.display());
    file
}

/// `target/<profile>/deps/<test>` is this test, `target/<profile>/examples/` has the examples.
fn path(example: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(example).with_extension(env::consts::EXE_EXTENSION)
}

/// A port of loopback at which nobody listens.
pub(crate) fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
