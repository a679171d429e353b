//! The journal of a run: what an [`Upstream`](crate::upstream::Upstream) was told, in order, and
//! what it did; written by a driver, read back and replayed anywhere.
//!
//! A machine's actions hang on its settings and inputs alone, so a run of production can be had
//! again: [`Replay`] tells the same inputs to a new upstream and compares every action.
//!
//! ```text
//! regatta-journal 2
//! upstream clusters=1 profiles=1 seed=7 ..     settings, one line for each part of them
//! @1200 requested cluster=k0.0 origin=http://a.test:80 ..   an input: when, what
//! > minted request=r0.0                        what came of it, a line each
//! > resolve host=h0.0 name=a.test
//! end steps=1
//! ```
//!
//! `docs/journal.md` describes the format. Each kind of line is one row of a table (`lines`,
//! `words`) from which its writer, its reader and the tests' samples are made: who adds a
//! variant or a field without a row does not compile.
//!
//! Host names, addresses, ids, times and numbers are written; paths, header fields and bodies
//! never come near an upstream.

mod alternatives;
mod difference;
mod error;
mod head;
mod lines;
mod replay;
#[cfg(test)]
mod tests;
mod text;
mod words;
mod writer;

pub use difference::Difference;
pub use error::Error;
pub use lines::{Input, Output};
pub use replay::{End, Failure, Replay, Summary, replay};
pub use writer::Writer;

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 2;

/// What the first line begins with; the version follows.
const NAME: &str = "regatta-journal";
