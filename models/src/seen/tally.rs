//! Counts kept by a model whose checks only read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Seen;

/// How often each invariant was evaluated.
#[derive(Clone, Debug, Default)]
pub struct Tally(RefCell<BTreeMap<&'static str, u64>>);

impl Tally {
    /// An invariant was evaluated and held.
    pub fn held(&self, invariant: &'static str) {
        *self.0.borrow_mut().entry(invariant).or_insert(0) += 1;
    }

    /// Adds all to what was seen.
    pub fn tell(&self, seen: &mut Seen) {
        for (invariant, times) in &*self.0.borrow() {
            seen.always(invariant, *times);
        }
    }
}
