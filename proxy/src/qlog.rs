//! `--qlog DIR` and `QLOGDIR`: what each QUIC connection did, a file a connection.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regatta_core::engine::qlog::Sink;

/// How long connections may take to say their last when the program ends.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

static IS_WRITTEN: AtomicBool = AtomicBool::new(false);

/// Whether logs are written, whose last records connections give away when they are dropped.
pub(crate) fn is_written() -> bool {
    IS_WRITTEN.load(Ordering::Relaxed)
}

/// Writes files into a directory.
#[derive(Debug)]
struct Directory(PathBuf);

impl Sink for Directory {
    fn append(&self, name: &str, records: &str) {
        // The connection is worth more than its log. Nothing stays open in between: a server may
        // have more connections than files.
        let _ = append(&self.0.join(name), records);
    }
}

fn append(path: &Path, records: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(records.as_bytes())
}

/// The logs that the option asks for, or else the environment. The directory is made where it is
/// not there.
pub(crate) fn asked_for(option: Option<&Path>) -> Result<Option<Arc<dyn Sink>>, String> {
    let variable = || env::var_os("QLOGDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    option.map(Path::to_owned).or_else(variable).map(open).transpose()
}

fn open(path: PathBuf) -> Result<Arc<dyn Sink>, String> {
    fs::create_dir_all(&path)
        .map_err(|error| format!("cannot write qlog into {}: {error}", path.display()))?;
    IS_WRITTEN.store(true, Ordering::Relaxed);
    Ok(Arc::new(Directory(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_appended_to_the_file_of_their_connection() {
        let path = env::temp_dir().join(format!("regatta-qlog-{}", std::process::id()));
        let sink = asked_for(Some(&path.join("new"))).unwrap().unwrap();
        sink.append("a.sqlog", "1\n");
        sink.append("b.sqlog", "2\n");
        sink.append("a.sqlog", "3\n");
        let read = |name: &str| fs::read_to_string(path.join("new").join(name)).unwrap();
        let files = (read("a.sqlog"), read("b.sqlog"));
        let error = asked_for(Some(&path.join("new/a.sqlog"))).unwrap_err();
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(files, ("1\n3\n".to_owned(), "2\n".to_owned()));
        assert!(error.starts_with("cannot write qlog into "), "{error}");
    }
}
