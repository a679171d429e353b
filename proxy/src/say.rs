//! Words for people: a reader who has gone away is no reason to panic.

use std::io::{self, Write as _};
use std::process::ExitCode;

/// Writes to standard output at once: whoever started this may read it through a pipe.
pub(crate) fn out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes to standard error in one piece; if that fails there is nobody left to tell.
pub(crate) fn err(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// All that a command has to say, on standard output.
pub(crate) fn bytes(text: &[u8]) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
