//! What is wrong with a journal.

use core::fmt;

/// Most characters of a journal that an error repeats.
const FOUND_MAX: usize = 80;

/// Why a journal cannot be read: one sentence that names the line, the field and what belongs
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// Which line, from 1.
    pub line: u64,
    /// Which field of it, where it is one field's fault.
    pub field: Option<&'static str>,
    /// What belongs there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(field) = self.field {
            write!(f, "in the field {field} ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl core::error::Error for Error {}

/// The same before it is known in which line.
#[derive(Debug)]
pub(super) struct Wrong {
    field: Option<&'static str>,
    expected: String,
    found: String,
}

impl Wrong {
    pub(super) fn line(expected: impl Into<String>, found: &str) -> Self {
        Self { field: None, expected: expected.into(), found: shown(found) }
    }

    pub(super) fn field(field: &'static str, expected: impl Into<String>, found: &str) -> Self {
        Self { field: Some(field), ..Self::line(expected, found) }
    }

    pub(super) fn missing(expected: impl Into<String>) -> Self {
        let found = "the end of the journal".to_owned();
        Self { field: None, expected: expected.into(), found }
    }

    pub(super) fn at(self, line: u64) -> Error {
        let Self { field, expected, found } = self;
        Error { line, field, expected, found }
    }
}

/// Quoted, without control characters, and not too much of it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(FOUND_MAX) {
        _ if text.is_empty() => "nothing".to_owned(),
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?} and more", text.get(..end).unwrap_or_default()),
    }
}
