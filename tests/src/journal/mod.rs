//! The journal of a client: kept during a real run, and replayed.

mod golden;
mod keep;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use regatta_core::journal::{End, Summary, replay};
use regatta_tokio::Recording;

/// A file in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A recording, and where it goes.
fn recording() -> (Recording, Memory) {
    let memory = Memory::default();
    (Recording::new(memory.clone()), memory)
}

/// What a replay of this says, which must be that nothing differs.
#[track_caller]
fn same(journal: &str) -> Summary {
    replay(journal.as_bytes()).unwrap_or_else(|failure| panic!("{failure}\n\n{journal}"))
}

/// The whole journal, replayed.
#[track_caller]
fn finished(recording: &Recording, memory: &Memory) -> String {
    assert_eq!(recording.finish().unwrap(), End::Complete);
    let journal = memory.text();
    assert_eq!(same(&journal).end, End::Complete);
    journal
}
