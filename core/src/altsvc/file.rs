//! The ledger as text, for a file that a runtime keeps, and back. What is read is our own format
//! or curl's; a line that is damaged is named, and nothing of the file is taken.

use core::fmt;

use super::lines::{NEVER, Row, Words, Wrong};
use super::{Config, Ledger, curl};
use crate::time::{Duration, Instant};

/// The first line, with the version of the format.
const HEAD: &str = "regatta-altsvc 1";

/// Its word.
const NAME: &str = "regatta-altsvc";

/// Most characters of a file that an error repeats.
const FOUND_MAX: usize = 80;

/// One moment on both clocks: ours begins anew with each program, a file's does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// On the runtime's.
    pub now: Instant,
    /// Seconds since 1970, UTC.
    pub unix: u64,
}

impl Clock {
    /// Whole seconds, rounded down: nothing holds longer for having been in a file.
    pub(super) const fn unix_of(self, at: Instant) -> u64 {
        if at.as_nanos() == Instant::MAX.as_nanos() {
            return NEVER;
        }
        self.unix.saturating_add(at.saturating_since(self.now).as_secs())
    }

    pub(super) fn instant_of(self, unix: u64) -> Instant {
        if unix == NEVER {
            return Instant::MAX;
        }
        self.now + Duration::from_secs(unix.saturating_sub(self.unix))
    }
}

/// Why a file cannot be read: which line, what belongs there, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// From 1.
    pub line: u64,
    /// What belongs there.
    pub expected: &'static str,
    /// What is there, quoted and shortened.
    pub found: Box<str>,
}

impl fmt::Display for FileError {
    /// One sentence without a full stop, to be put behind the file's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected {}, found {}", self.line, self.expected, self.found)
    }
}

impl core::error::Error for FileError {}

impl Ledger {
    /// Everything that is known now, to be read again by [`Ledger::from_text`]: a line for each
    /// alternative that is offered, what has been tried, and each round trip. The origin that
    /// would be forgotten first stands first.
    pub fn text(&self, clock: Clock) -> String {
        let mut text = format!("{HEAD}\n");
        for row in self.rows(clock).iter().filter(|row| row.is_plain()) {
            text.push_str(&format!("{row}\n"));
        }
        text
    }

    /// A ledger of what a file says, in our own format or in that of curl's `--alt-svc`. What has
    /// ended meanwhile is left out, and what is over a limit or against a rule is refused.
    pub fn from_text(config: Config, clock: Clock, text: &str) -> Result<Self, FileError> {
        let ours = text.starts_with(NAME);
        let read = |(line, words)| read(ours, line, words);
        // All lines, before the first one is taken.
        for row in numbered(text).map(read) {
            row?;
        }
        let mut ledger = Self::new(config);
        for row in numbered(text).map(read).filter_map(|row| row.ok().flatten()) {
            ledger.take(clock, &row);
        }
        Ok(ledger)
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..).zip(text.lines())
}

/// What a line says, if it says anything.
fn read(ours: bool, number: u64, line: &str) -> Result<Option<Row>, FileError> {
    let row = match line {
        _ if ours && number == 1 => head(line).map(|()| None),
        _ if line.trim().is_empty() || line.starts_with('#') => Ok(None),
        _ if ours => Row::read(line).map(Some),
        _ => curl::row(line),
    };
    row.map_err(|Wrong { expected, found }| FileError {
        line: number,
        expected,
        found: shown(found).into(),
    })
}

fn head(line: &str) -> Result<(), Wrong<'_>> {
    let mut words = Words::new(line);
    let known = |word: &str| (word == NAME).then_some(());
    words.take("`regatta-altsvc 1`, the format's name and version", known)?;
    words.take("version 1 of the format", |word| (word == "1").then_some(()))?;
    words.end()
}

/// Quoted, without control characters, and not too much of it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(FOUND_MAX) {
        _ if text.is_empty() => "nothing".to_owned(),
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?} and more", text.get(..end).unwrap_or_default()),
    }
}
