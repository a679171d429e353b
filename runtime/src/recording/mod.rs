//! The journal of a client: what its upstream was told and what it did, for a later replay.
//!
//! The hub notes every input under its lock, in the order in which the upstream sees them, into
//! memory of a fixed bound. A task of its own writes that out: I/O never happens under the
//! hub's lock, and no request waits for it.

mod journaled;

use core::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regatta_core::journal::{End, Writer};
use regatta_core::upstream::Config;

pub(crate) use journaled::{Journal, Journaled};

use crate::mail::Wake;

/// How much text may wait to be written: some 20,000 inputs.
const WAITING_MAX: usize = 4 << 20;

/// Writes the journal of one client: its settings, everything that its upstream was told, and
/// what that decided, for [`replay`](regatta_core::journal::replay) to repeat.
///
/// It names hosts, addresses, times and numbers. Paths, header fields and bodies are not in it.
///
/// What could not be written fast enough is not waited for: the journal then ends with a gap,
/// and says so.
#[derive(Clone)]
pub struct Recording {
    shared: Arc<Shared>,
}

impl Recording {
    /// Writes to `sink`, in a task of the client's runtime that may block while it writes.
    pub fn new(sink: impl Write + Send + 'static) -> Self {
        Self::bounded(sink, WAITING_MAX)
    }

    /// As [`Recording::new`], with so many bytes of text that may wait to be written. Default
    /// 4 MiB.
    pub fn bounded(sink: impl Write + Send + 'static, bytes: usize) -> Self {
        let buffer = Buffer { text: String::new(), steps: 0, begun: false, over: None, bytes };
        let sink = Sink { to: Box::new(sink), spare: String::new(), failed: None };
        let (buffer, sink) = (Mutex::new(buffer), Mutex::new(sink));
        Self { shared: Arc::new(Shared { buffer, sink, wake: Wake::new() }) }
    }

    /// Ends the journal and writes what is left of it, also when the client lives on. How it
    /// ends: [`End::Gap`] where something was lost, and an error where it could not be written.
    pub fn finish(&self) -> io::Result<End> {
        self.shared.end();
        self.shared.write_out()?;
        Ok(self.shared.buffer().over.unwrap_or(End::Complete))
    }

    /// Begins the journal of a client; `None` when there is one already.
    pub(crate) fn begin(&self, config: &Config) -> Option<Journal> {
        let mut buffer = self.shared.buffer();
        if buffer.begun || buffer.over.is_some() {
            return None;
        }
        let mut writer = Writer::new(config);
        buffer.begun = true;
        buffer.text.push_str(writer.text());
        writer.clear();
        drop(buffer);
        self.shared.wake.raise();
        Some(Journal::new(Arc::clone(&self.shared), writer))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

/// What the hub, the writing task and the owner share.
pub(crate) struct Shared {
    /// Locked under the hub's lock, for as long as it takes to copy a few lines.
    buffer: Mutex<Buffer>,
    /// Locked while it is written, and never under another lock.
    sink: Mutex<Sink>,
    /// Raised when there is something to write.
    pub(crate) wake: Wake,
}

/// Whole steps: an input and all that came of it.
struct Buffer {
    text: String,
    /// How many there were in all.
    steps: u64,
    /// A client writes here.
    begun: bool,
    /// How the journal ended, once it has.
    over: Option<End>,
    /// Most bytes that may wait.
    bytes: usize,
}

impl Buffer {
    fn end(&mut self, end: End) {
        if self.begun && self.over.is_none() {
            Writer::end(end, self.steps, &mut self.text);
        }
        self.over.get_or_insert(end);
    }
}

struct Sink {
    to: Box<dyn Write + Send>,
    /// Memory for the next text.
    spare: String,
    /// Nothing more is written.
    failed: Option<(io::ErrorKind, String)>,
}

/// What became of a step's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    /// The writing task must be woken, after every lock is let go.
    First,
    /// It knows already that there is something.
    More,
    /// The journal had ended before.
    Over,
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the text of whole steps, up to this one.
    fn add(&self, text: &str, steps: u64) -> Added {
        let mut buffer = self.buffer();
        if buffer.over.is_some() {
            return Added::Over;
        }
        let was_empty = buffer.text.is_empty();
        if buffer.text.len() + text.len() <= buffer.bytes {
            buffer.text.push_str(text);
            buffer.steps = steps;
        } else {
            buffer.end(End::Gap);
        }
        if was_empty { Added::First } else { Added::More }
    }

    /// Nothing more is added.
    fn end(&self) {
        self.buffer().end(End::Complete);
    }

    /// Writes everything that waits; not for use under a lock. Whether more may come.
    pub(crate) fn write_out(&self) -> io::Result<bool> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((kind, text)) = &sink.failed {
                return Err(io::Error::new(*kind, text.clone()));
            }
            let spare = core::mem::take(&mut sink.spare);
            let (mut text, over) = {
                let mut buffer = self.buffer();
                (core::mem::replace(&mut buffer.text, spare), buffer.over.is_some())
            };
            let done = text.is_empty();
            let written = sink.to.write_all(text.as_bytes());
            let written = written.and_then(|()| if done { sink.to.flush() } else { Ok(()) });
            text.clear();
            sink.spare = text;
            match written {
                // What nobody can read need not be kept in memory.
                Err(error) => {
                    sink.failed = Some((error.kind(), error.to_string()));
                    self.buffer().end(End::Gap);
                }
                Ok(()) if done => return Ok(!over),
                Ok(()) => {}
            }
        }
    }
}

impl Drop for Shared {
    /// What the writing task did not come to.
    fn drop(&mut self) {
        self.end();
        // Whoever wants to know of it calls `finish`.
        let _ = self.write_out();
    }
}
