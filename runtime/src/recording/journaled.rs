//! An upstream whose every input is noted before it is told: there is no other way to tell it
//! anything.

use core::ops::Deref;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::id::RequestId;
use regatta_core::journal::Writer;
use regatta_core::record::Record;
use regatta_core::types::{Key, MethodClass};
use regatta_core::upstream::{Action, Event, Upstream};

use super::{Added, Shared};

/// The hub's upstream, with its journal if one is kept.
pub(crate) struct Journaled {
    upstream: Upstream,
    journal: Option<Box<Journal>>,
}

/// The hub's end of a journal. What belongs to one input is passed on as a whole.
pub(crate) struct Journal {
    pub(crate) shared: Arc<Shared>,
    writer: Writer,
    /// The writing task has not heard of the newest lines.
    fresh: bool,
    /// Nothing more is wanted. It stays all the same: whoever drops the last of it writes, and
    /// that must not be the hub under its lock.
    over: bool,
}

impl Journal {
    pub(super) const fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self { shared, writer, fresh: false, over: false }
    }

    fn pass_on(&mut self) {
        if !self.writer.text().is_empty() {
            match self.shared.add(self.writer.text(), self.writer.steps()) {
                Added::First => self.fresh = true,
                Added::More => {}
                Added::Over => self.over = true,
            }
            self.writer.clear();
        }
    }
}

impl Journaled {
    pub(crate) fn new(upstream: Upstream, journal: Option<Journal>) -> Self {
        Self { upstream, journal: journal.map(Box::new) }
    }

    fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_deref_mut().filter(|journal| !journal.over)
    }

    pub(crate) fn request(
        &mut self,
        now: Instant,
        key: &Key,
        method: MethodClass,
        deadline: Option<Instant>,
    ) -> RequestId {
        let request = self.upstream.request(now, key, method, deadline);
        if let Some(journal) = self.journal() {
            journal.writer.request(now, key, method, deadline, request);
        }
        request
    }

    pub(crate) fn handle_event(&mut self, now: Instant, event: Event) {
        if let Some(journal) = self.journal() {
            journal.writer.event(now, &event);
        }
        self.upstream.handle_event(now, event);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(journal) = self.journal() {
            journal.writer.timeout(now);
        }
        self.upstream.handle_timeout(now);
    }

    /// Always called until nothing is left: then all that came of an input is noted.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        let action = self.upstream.poll_action();
        if let Some(journal) = self.journal() {
            match &action {
                Some(action) => journal.writer.action(action),
                None => journal.pass_on(),
            }
        }
        action
    }

    /// Nothing depends on whether anyone asks, so a journal does not tell of it.
    pub(crate) fn poll_record(&mut self) -> Option<Record> {
        self.upstream.poll_record()
    }

    /// The journal whose writing task must be woken, once the hub's lock is let go.
    pub(crate) fn take_fresh(&mut self) -> Option<Arc<Shared>> {
        let journal = self.journal.as_deref_mut()?;
        core::mem::take(&mut journal.fresh).then(|| Arc::clone(&journal.shared))
    }
}

impl Deref for Journaled {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl Drop for Journaled {
    fn drop(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.pass_on();
            journal.shared.end();
            journal.shared.wake.raise();
        }
    }
}
