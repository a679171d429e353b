//! The random explorer of the whole stack.
//!
//! A [`Case`] is drawn from the beginning of a tape, the rest of the tape decides what happens in
//! it, and [`run()`] runs it: real clients, real servers and scripted ones on virtual time, with
//! every invariant evaluated after every step, a quiet phase in which everything must come to its
//! end, and nothing left over behind it.

mod ask;
mod book;
mod case;
mod early;
mod expected;
mod fault;
mod grid;
mod held;
mod http3;
mod marks;
mod monitor;
mod optimum;
mod optimum_race;
mod policy;
mod quiet;
mod records;
mod reduce;
mod run;
mod story;
mod sweep;
mod weather;
mod workload;

pub(crate) use case::Dice;
pub use case::{Case, DnsPlan, HostPlan, Mode, OriginPlan, Profile};
pub use expected::{COVERED_FROM, expected};
pub use fault::{FaultKind, FaultPlan, Lookup};
pub use monitor::INVARIANTS;
pub use optimum::Expectation;
pub use policy::{ClientPlan, Whole};
pub use records::RecordPlan;
pub use reduce::{Turn, as_test, failure, from_file, smallest, to_file, turn};
pub use run::{Class, Ended, Options, Violation, run};
pub use sweep::{Failed, KEPT_MAX, Sweep, TWICE_EVERY, Taken, tape};
pub use workload::{Reading, RequestPlan};
