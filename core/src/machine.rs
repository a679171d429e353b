//! The contract that every decision maker obeys, and the outbox through which it speaks.

use std::collections::VecDeque;

use crate::time::Instant;

/// A pure state machine: events in, actions out, deadlines.
///
/// Any event is legal at any time and in any order: a stale or unknown id is ignored (and
/// counted), never a panic. The same configuration, seed and events give the same actions.
/// Memory is bounded by the configuration.
pub trait Machine {
    /// What happened outside.
    type Event;
    /// What is to be done outside. What comes of it is another event.
    type Action;

    /// Takes in one event and pushes everything that follows from it.
    fn handle_event(&mut self, now: Instant, event: Self::Event, out: &mut Outbox<Self::Action>);

    /// Does what is due at `now`. Calling it early, late or twice is harmless.
    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Self::Action>);

    /// When [`Machine::handle_timeout`] wants to be called next; may be early, is never late.
    /// Pure and O(1).
    fn poll_timeout(&self) -> Option<Instant>;

    /// Recounts every counter and index from the tables and panics on the first lie.
    /// For tests, fuzzers and the simulator; production never calls it.
    fn check(&self);
}

/// Where a machine puts its actions, first in, first out.
///
/// The owner keeps one and reuses it, so that in the steady state pushing does not allocate.
#[derive(Clone, Debug)]
pub struct Outbox<A> {
    actions: VecDeque<A>,
}

impl<A> Outbox<A> {
    /// Makes an empty outbox.
    pub const fn new() -> Self {
        Self { actions: VecDeque::new() }
    }

    /// Adds an action behind all others.
    pub fn push(&mut self, action: A) {
        self.actions.push_back(action);
    }

    /// Takes the oldest action out.
    pub fn pop(&mut self) -> Option<A> {
        self.actions.pop_front()
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// How many actions wait.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Looks at the waiting actions, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &A> {
        self.actions.iter()
    }
}

impl<A> Default for Outbox<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a check says when it panics; `None` where it finds nothing wrong.
#[cfg(test)]
fn complaint<M>(machine: &M, check: fn(&M)) -> Option<String> {
    let check = std::panic::AssertUnwindSafe(|| check(machine));
    let told = std::panic::catch_unwind(check).err()?;
    let text = told.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| told.downcast_ref::<String>().cloned())
}

/// What `check` must say, and what is broken so that it does.
#[cfg(test)]
pub(crate) type Broken<M> = (&'static str, fn(&mut M));

/// Breaks one thing after the other in copies of a machine that is in order; `check` must say
/// what each row says.
#[cfg(test)]
pub(crate) fn must_see<M: Machine + Clone>(order: &M, rows: &[Broken<M>]) {
    must_be_seen(order, M::check, rows);
}

/// The same of what is no machine and has such a check, as ledgers do.
#[cfg(test)]
pub(crate) fn must_be_seen<M: Clone>(order: &M, check: fn(&M), rows: &[Broken<M>]) {
    assert_eq!(complaint(order, check), None, "in order");
    for (said, harm) in rows {
        let mut machine = order.clone();
        harm(&mut machine);
        let told = complaint(&machine, check).unwrap_or_else(|| panic!("nobody sees: {said}"));
        assert!(told.contains(said), "{said} was expected, and this is said: {told}");
    }
}
