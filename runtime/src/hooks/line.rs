//! Events in line, and who tells them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use core::sync::atomic::{AtomicBool, Ordering};

/// What has happened and was not told yet, in its order.
pub(super) struct Line<E> {
    queue: Mutex<Queue<E>>,
    /// Something is in the queue.
    waiting: AtomicBool,
}

struct Queue<E> {
    events: VecDeque<E>,
    /// Somebody tells.
    busy: bool,
}

impl<E> Line<E> {
    pub(super) const fn new() -> Self {
        let queue = Queue { events: VecDeque::new(), busy: false };
        Self { queue: Mutex::new(queue), waiting: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<E>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event at the end.
    pub(super) fn push(&self, event: E) {
        self.push_if(|| Some(event));
    }

    /// Puts an event at the end, if there is to be one. Of two callers one comes first.
    pub(super) fn push_if(&self, event: impl FnOnce() -> Option<E>) {
        let mut queue = self.lock();
        if let Some(event) = event() {
            queue.events.push_back(event);
            self.waiting.store(true, Ordering::Release);
        }
    }

    /// Tells everything that is in line, unless somebody is at it. Never called with a lock held.
    pub(super) fn tell(&self, tell: impl Fn(&E)) {
        if !self.waiting.load(Ordering::Acquire) || core::mem::replace(&mut self.lock().busy, true)
        {
            return;
        }
        // A function that panics must not silence the others for ever.
        let mut turn = Turn { line: self, over: false };
        loop {
            let next = {
                let mut queue = self.lock();
                let next = queue.events.pop_front();
                queue.busy = next.is_some();
                if next.is_none() {
                    self.waiting.store(false, Ordering::Release);
                }
                next
            };
            let Some(event) = next else {
                turn.over = true;
                return;
            };
            tell(&event);
        }
    }

    /// How many events wait, and whether somebody tells.
    #[cfg(test)]
    pub(super) fn state(&self) -> (usize, bool) {
        let queue = self.lock();
        (queue.events.len(), queue.busy)
    }
}

/// Whoever tells.
struct Turn<'a, E> {
    line: &'a Line<E>,
    /// It has said so already, and another may tell by now.
    over: bool,
}

impl<E> Drop for Turn<'_, E> {
    fn drop(&mut self) {
        if !self.over {
            self.line.lock().busy = false;
        }
    }
}
