//! Words for people: a reader who has gone away is no reason to panic.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the last line of standard error is one that is drawn again and again.
static STATUS: Mutex<bool> = Mutex::new(false);

/// Back to the line's beginning, and all of it away (ECMA-48 EL).
const ERASE: &str = "\r\x1b[K";

fn is_status() -> MutexGuard<'static, bool> {
    STATUS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to standard output at once: whoever started this may read it through a pipe.
pub(crate) fn out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes to standard error in one piece; if that fails there is nobody left to tell.
pub(crate) fn err(text: &str) {
    let mut shown = is_status();
    let erase = if core::mem::take(&mut *shown) { ERASE } else { "" };
    let _ = io::stderr().lock().write_all(format!("{erase}{text}").as_bytes());
}

/// Draws the line of a terminal that the next one takes the place of.
pub(crate) fn status(line: &str) {
    *is_status() = true;
    let _ = io::stderr().lock().write_all(format!("\r{line}\x1b[K").as_bytes());
}

/// Takes that line away.
pub(crate) fn end_status() {
    err("");
}

/// All that a command has to say, on standard output.
pub(crate) fn bytes(text: &[u8]) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
