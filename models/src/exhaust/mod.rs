//! Every order of everything that may happen in a small world, exhaustively.
//!
//! A search, breadth first, calls the machine's own `handle_event` and `handle_timeout` with each
//! choice that a small environment has, and goes on from every state that it has not met before.
//! States are told apart by the machine's snapshot, so that names and dates do not matter. In
//! every state:
//! - `check` holds, and the reference model of the machine agrees with what it did;
//! - events that are stale, and timeouts before their time, do nothing;
//! - something is left to happen until nothing is left to come, and then all is empty;
//! - a world in which nothing more goes wrong comes to rest, in a counted number of steps.
//!
//! A violation comes with the shortest way to it. docs/exhaust.md tells what is walked and what
//! the environments leave out.

mod eyeballs;
mod menu;
mod met;
mod pool;
mod race;
mod search;
mod step;
#[cfg(test)]
mod tests;

use core::fmt;

use search::Bounds;

/// How much is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// For every change of the code: seconds in a debug build.
    Small,
    /// A minute or two in a release build.
    Medium,
    /// As much as memory and patience allow.
    Large,
}

impl Size {
    /// Every one, in order.
    pub const ALL: &'static [Self] = &[Self::Small, Self::Medium, Self::Large];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

/// A machine that can be walked.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name on a command line.
    pub name: &'static str,
    /// What its world is made of, in a line.
    pub about: &'static str,
    /// Walks every world of a size; hears now and then how far it is.
    pub walk: fn(Size, &mut Listener<'_>) -> Verdict,
}

/// Who hears how far a search has come.
pub type Listener<'a> = dyn FnMut(&Progress) + 'a;

/// What the worlds of a subject came to.
pub type Verdict = Result<Vec<Walk>, Box<Counterexample>>;

/// Every machine that can be walked; a new one adds its row.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "pool",
        about: "2 connections, 3 requests, and whatever may go wrong with them",
        walk: pool::walk,
    },
    Subject {
        name: "eyeballs",
        about: "3 addresses of 2 families, late and wrong answers, attempts that end any way",
        walk: eyeballs::walk,
    },
    Subject {
        name: "race",
        about: "QUIC of two families against TCP, legs that end any way, wishes that come again",
        walk: race::walk,
    },
];

/// How far a search has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Which world.
    pub name: &'static str,
    /// Different states met so far.
    pub states: u64,
    /// Choices taken so far.
    pub moves: u64,
    /// How many choices lead to the states that are looked at now.
    pub depth: u32,
    /// Whether the world is walked to its end.
    pub done: bool,
}

/// What a search through one world has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Which world.
    pub name: &'static str,
    /// Different states.
    pub states: u64,
    /// Choices taken: how often the machine's step was called.
    pub moves: u64,
    /// States in which nothing is left to come.
    pub ends: u64,
    /// The most choices that the shortest way to a state has.
    pub depth: u32,
    /// The most steps in which a world where nothing more goes wrong comes to rest.
    pub rest_within: u32,
    /// The search ended before it had met every state.
    pub cut_short: bool,
}

/// A way to a state that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// In which world.
    pub world: &'static str,
    /// What is wrong.
    pub why: String,
    /// What happened, and what the machine did each time.
    pub path: Vec<(String, Vec<String>)>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after {} steps: {}", self.world, self.path.len(), self.why)?;
        for (index, (event, actions)) in self.path.iter().enumerate() {
            writeln!(f, "{:>3}  {event}", index + 1)?;
            for action in actions {
                writeln!(f, "       -> {action}")?;
            }
        }
        Ok(())
    }
}

impl core::error::Error for Counterexample {}

impl Subject {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SUBJECTS.iter().find(|subject| subject.name == name)
    }
}

const BOUNDS: Bounds = Bounds { states: 20_000_000, lookalikes: false };
