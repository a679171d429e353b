//! Running commands: shown as they go, or quiet unless they fail.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a chore comes to: nothing to say, or one clear sentence.
pub(crate) type Outcome = Result<(), String>;

/// The folder that holds the workspace's Cargo.toml.
pub(crate) fn workspace_root() -> Result<PathBuf, String> {
    // cargo says where it is now; where it was compiled may have moved since.
    let here = env::var_os("CARGO_MANIFEST_DIR").ok_or("run it as `cargo xtask`")?;
    let root = Path::new(&here).parent().ok_or("xtask's folder has no parent")?;
    if root.join("Cargo.toml").is_file() {
        Ok(root.to_path_buf())
    } else {
        Err(format!("{} holds no Cargo.toml; was the workspace moved?", root.display()))
    }
}

/// A command in the workspace's root, without the variables that cargo set for xtask itself.
pub(crate) fn command(root: &Path, words: &[&str]) -> Command {
    let (program, arguments) = words.split_first().expect("a command has a program");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if ours || text == "CARGO_BIN_NAME" || text == "CARGO_CRATE_NAME" {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command whose output everyone sees.
pub(crate) fn shown(root: &Path, words: &[&str]) -> Outcome {
    shown_with(root, words, &[])
}

/// The same with environment variables.
pub(crate) fn shown_with(root: &Path, words: &[&str], vars: &[(String, String)]) -> Outcome {
    let mut command = command(root, words);
    command.envs(vars.iter().map(|(name, value)| (name, value)));
    let status = command.status().map_err(|error| cannot_start(words, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", words.join(" "))) }
}

/// Runs a command whose output is shown only when it fails.
pub(crate) fn quiet(root: &Path, words: &[&str], vars: &[(String, String)]) -> Outcome {
    let mut command = command(root, words);
    command.envs(vars.iter().map(|(name, value)| (name, value)));
    let output = command.output().map_err(|error| cannot_start(words, &error))?;
    if output.status.success() {
        return Ok(());
    }
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(format!("`{}`: {}", words.join(" "), output.status))
}

/// Runs a command whose output nobody sees, whatever it comes to.
pub(crate) fn quiet_whatever(root: &Path, words: &[&str], vars: &[(String, String)]) -> Outcome {
    let mut command = command(root, words);
    command.envs(vars.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| cannot_start(words, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", words.join(" "))) }
}

/// A file of the workspace.
pub(crate) fn text(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// What a command prints, if it succeeds.
pub(crate) fn read(root: &Path, words: &[&str]) -> Result<String, String> {
    read_with(root, words, &[])
}

/// The same with environment variables.
pub(crate) fn read_with(
    root: &Path,
    words: &[&str],
    vars: &[(String, String)],
) -> Result<String, String> {
    let mut command = command(root, words);
    command.envs(vars.iter().map(|(name, value)| (name, value)));
    let output = command.output().map_err(|error| cannot_start(words, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}`: {}: {}", words.join(" "), output.status, said.trim()))
    }
}

/// Where a program lies: in PATH, or where Debian puts servers.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn cannot_start(words: &[&str], error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", words.join(" "))
}
