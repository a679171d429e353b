//! What callers heard: one entry a request, each closed exactly once.

use std::sync::MutexGuard;

use regatta_core::Instant;
use regatta_core::id::RequestId;

use crate::watched::Watched;

/// How a request ended for its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Result {
    /// The whole answer came, and was the right one.
    Answered,
    /// An answer of a script came, which says little.
    Scripted,
    /// Part of the answer was read, as planned.
    Dropped,
    /// It failed before an answer began.
    Failed(String),
    /// It failed in the middle of the answer.
    Broken(String),
    /// Its caller gave up.
    Cancelled,
}

impl Result {
    /// Its stable name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Scripted => "answered by a script",
            Self::Dropped => "dropped",
            Self::Failed(_) => "failed",
            Self::Broken(_) => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) begun: Option<Instant>,
    pub(crate) id: Option<RequestId>,
    pub(crate) head: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    pub(crate) result: Option<Result>,
    /// How often it was closed.
    pub(crate) closed: u32,
    /// Its caller shall give up.
    pub(crate) give_up: bool,
}

/// All requests of a run.
#[derive(Debug)]
pub(crate) struct Book {
    state: Watched<State>,
}

#[derive(Debug)]
struct State {
    entries: Vec<Entry>,
    done: usize,
    /// What callers got: requests begun and ended, heads, bytes.
    moved: u64,
}

impl Book {
    pub(crate) fn new(count: usize) -> Self {
        let entries = vec![Entry::default(); count];
        let state = State { entries, done: 0, moved: 0 };
        Self { state: Watched::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes an entry.
    pub(crate) fn note(&self, n: usize, change: impl FnOnce(&mut Entry)) {
        change(&mut self.lock().entries[n]);
    }

    /// A caller got something: so many bytes, or one thing else.
    pub(crate) fn moves(&self, much: usize) {
        self.lock().moved += much as u64;
    }

    /// How much callers got so far; while it grows the run goes on.
    pub(crate) fn moved(&self) -> u64 {
        self.lock().moved
    }

    /// Closes an entry.
    pub(crate) fn close(&self, n: usize, at: Instant, result: Result) {
        self.state.change(|state| {
            let entry = &mut state.entries[n];
            entry.closed += 1;
            entry.ended = Some(at);
            entry.result = Some(result);
            state.done += 1;
            state.moved += 1;
        });
    }

    /// How many have ended.
    pub(crate) fn done(&self) -> usize {
        self.lock().done
    }

    /// A copy of all entries.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// Makes a caller give up.
    pub(crate) fn give_up(&self, n: usize) {
        self.state.change(|state| {
            state.entries[n].give_up = true;
            state.moved += 1;
        });
    }

    /// Ends when more than `count` requests have ended, or all.
    pub(crate) async fn more_than(&self, count: usize) {
        self.state.until(|state| state.done > count || state.done == state.entries.len()).await;
    }

    /// Ends when all requests have ended.
    pub(crate) async fn all(&self) {
        self.more_than(usize::MAX).await;
    }

    /// Ends when the caller of request `n` shall give up.
    pub(crate) async fn wants_end(&self, n: usize) {
        self.state.until(|state| state.entries[n].give_up).await;
    }
}
