//! `--record`: the journal of the pool, for `regatta-sim replay`.

use std::fs::File;
use std::path::Path;

use regatta_core::journal::End;
use regatta_tokio::Recording;

use super::exit_code::{Exit, Failure};

/// Begins the file at `path`.
pub(super) fn create(path: &Path) -> Result<Recording, Failure> {
    File::create(path).map(Recording::new).map_err(|error| unwritten(path, &error))
}

/// Writes what is left.
pub(super) fn finish(recording: &Recording, path: &Path) -> Result<(), Failure> {
    match recording.finish() {
        Ok(End::Complete) => Ok(()),
        Ok(_) => {
            let text = format!("the journal {} could not keep up: it has a gap", path.display());
            Err(Failure::new(Exit::Write, text))
        }
        Err(error) => Err(unwritten(path, &error)),
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Write, format!("cannot write the journal {}: {error}", path.display()))
}
