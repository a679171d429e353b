//! What may happen next in a world, and what it costs.

/// A choice, and whether it counts as a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move<C> {
    pub(super) choice: C,
    pub(super) fault: bool,
}

/// All that may happen next: first what costs nothing, in the order in which a world where
/// nothing more goes wrong prefers it, then the faults.
#[derive(Clone, Debug)]
pub(super) struct Menu<C> {
    pub(super) kind: Vec<Move<C>>,
    pub(super) unkind: Vec<Move<C>>,
}

impl<C> Menu<C> {
    pub(super) const fn new() -> Self {
        Self { kind: Vec::new(), unkind: Vec::new() }
    }

    /// Adds what costs nothing.
    pub(super) fn free(&mut self, choice: C) {
        self.kind.push(Move { choice, fault: false });
    }

    /// Adds what counts as a fault.
    pub(super) fn fault(&mut self, choice: C) {
        self.unkind.push(Move { choice, fault: true });
    }

    /// Adds what is a fault unless `free`.
    pub(super) fn add(&mut self, free: bool, choice: C) {
        if free { self.free(choice) } else { self.fault(choice) }
    }
}
