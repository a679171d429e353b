//! `SSLKEYLOGFILE`: the secrets of each TLS connection, for a packet analyser.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::engine::tls::KeyLog;

/// Appends lines to a file.
#[derive(Debug)]
struct Lines(Mutex<File>);

impl KeyLog for Lines {
    fn line(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The connection is worth more than its log.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// The log that the environment asks for.
pub(crate) fn from_environment() -> Result<Option<Arc<dyn KeyLog>>, String> {
    let path = env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    path.map(|path| open(&path)).transpose()
}

fn open(path: &Path) -> Result<Arc<dyn KeyLog>, String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| {
        format!("cannot write the key log that SSLKEYLOGFILE names, {}: {error}", path.display())
    })?;
    Ok(Arc::new(Lines(Mutex::new(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended() {
        let path = env::temp_dir().join(format!("regatta-keys-{}", std::process::id()));
        open(&path).unwrap().line("CLIENT_RANDOM 00 11");
        open(&path).unwrap().line("CLIENT_RANDOM 22 33");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM 00 11\nCLIENT_RANDOM 22 33\n");
        assert!(open(Path::new("/nowhere/at/all")).is_err());
    }
}
