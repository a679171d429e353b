//! Where a replay first does otherwise than the journal says.

use core::fmt;

use super::lines::{Input, Output};
use crate::time::Instant;

/// The first step whose actions differ. It prints as the place, the input and both lists of
/// actions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The line of the first action that differs; the line after the last one where actions
    /// are missing in the journal.
    pub line: u64,
    /// When the input came.
    pub at: Instant,
    /// The input.
    pub input: Input,
    /// The line of the input.
    pub input_line: u64,
    /// How many actions are the same before the first that differs.
    pub same: usize,
    /// What the journal says.
    pub expected: Vec<Output>,
    /// What came now.
    pub actual: Vec<Output>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, at, input, input_line, same, .. } = self;
        write!(f, "line {line} differs: at {at}, after line {input_line}, {input}")?;
        f.write_str("\n  (- is what the journal says, + is what came now)")?;
        for output in self.expected.iter().take(*same) {
            write!(f, "\n    {output}")?;
        }
        for output in self.expected.iter().skip(*same) {
            write!(f, "\n  - {output}")?;
        }
        for output in self.actual.iter().skip(*same) {
            write!(f, "\n  + {output}")?;
        }
        Ok(())
    }
}
