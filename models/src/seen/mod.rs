//! What a sweep has seen: how often each state was reached that must be reached *sometimes*, by
//! which seed first, and how often each invariant, which must *always* hold, was evaluated.
//!
//! A sweep without violations is worth what it has reached. [`Expected`] lists what that must
//! be and, with its reason, what cannot be; [`Seen::verdict`] compares. Nothing here knows of
//! machines or of the harness: whoever runs seeds keeps a [`Seen`].

mod expected;
mod names;
mod tally;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use expected::{Exception, Expected};
pub(crate) use expected::{STREAMS_END_FIRST, never};
pub use tally::Tally;

/// How often a state was reached, and by which seed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How often, over all seeds.
    pub times: u64,
    /// The lowest seed that reached it.
    pub first_seed: u64,
}

type Text = Cow<'static, str>;

/// What one seed, or a sweep over many, has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The seed that runs.
    seed: u64,
    sometimes: BTreeMap<(Text, Text), Reached>,
    always: BTreeMap<Text, u64>,
}

impl Seen {
    /// What follows is reached by this seed.
    pub const fn begin(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// A state was reached: `item` of a `group` of alike ones, both stable names.
    pub fn sometimes(&mut self, group: &'static str, item: &'static str) {
        let reached = Reached { times: 1, first_seed: self.seed };
        self.add_reached(Cow::Borrowed(group), Cow::Borrowed(item), reached);
    }

    /// An invariant was evaluated, and held, so many times.
    pub fn always(&mut self, invariant: &'static str, times: u64) {
        self.add_evaluated(Cow::Borrowed(invariant), times);
    }

    /// Adds what another sweep has reached.
    pub fn add_reached(&mut self, group: Text, item: Text, more: Reached) {
        let known = self.sometimes.entry((group, item)).or_insert(Reached { times: 0, ..more });
        known.times += more.times;
        known.first_seed = known.first_seed.min(more.first_seed);
    }

    /// Adds what another sweep has evaluated.
    pub fn add_evaluated(&mut self, invariant: Text, times: u64) {
        *self.always.entry(invariant).or_insert(0) += times;
    }

    /// Adds all that another sweep has seen; the order of merges does not matter.
    pub fn merge(&mut self, other: &Self) {
        for ((group, item), reached) in &other.sometimes {
            self.add_reached(group.clone(), item.clone(), *reached);
        }
        for (invariant, times) in &other.always {
            self.add_evaluated(invariant.clone(), *times);
        }
    }

    /// Every state that was reached: group, item, and how; in the order of names.
    pub fn reached(&self) -> impl Iterator<Item = (&str, &str, Reached)> {
        self.sometimes.iter().map(|((group, item), reached)| (&**group, &**item, *reached))
    }

    /// Every invariant that was evaluated, and how often; in the order of names.
    pub fn evaluated(&self) -> impl Iterator<Item = (&str, u64)> {
        self.always.iter().map(|(invariant, times)| (&**invariant, *times))
    }

    /// Whether a state was reached.
    pub fn has_reached(&self, group: &str, item: &str) -> bool {
        self.reached().any(|(known, other, _)| known == group && other == item)
    }

    /// The last seed that still reached something new: what came after it brought nothing.
    pub fn last_news(&self) -> Option<u64> {
        self.sometimes.values().map(|reached| reached.first_seed).max()
    }

    /// Compares with what must be seen.
    pub fn verdict(&self, expected: &Expected) -> Verdict {
        let missing = expected.sometimes.iter().filter(|(g, i)| !self.has_reached(g, i));
        let listed = |group: &str, item: &str| {
            let mut may_be = expected.sometimes.iter().chain(&expected.perhaps);
            may_be.any(|(g, i)| *g == group && *i == item)
        };
        let surprising = self.reached().filter(|(group, item, _)| !listed(group, item));
        let evaluated = |name: &str| self.evaluated().any(|(known, _)| known == name);
        let untested = expected.always.iter().filter(|name| !evaluated(name));
        Verdict {
            missing: missing.map(|(group, item)| format!("{group} {item}")).collect(),
            untested: untested.map(|name| (*name).to_owned()).collect(),
            surprising: surprising.map(|(group, item, _)| format!("{group} {item}")).collect(),
        }
    }
}

/// What a sweep lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// States that must be reached and never were.
    pub missing: Vec<String>,
    /// Invariants that were never evaluated.
    pub untested: Vec<String>,
    /// States that were reached although the table does not list them, or says that they
    /// cannot be: the table is wrong.
    pub surprising: Vec<String>,
}

impl Verdict {
    /// Whether nothing is lacking.
    pub const fn is_good(&self) -> bool {
        self.missing.is_empty() && self.untested.is_empty() && self.surprising.is_empty()
    }
}
