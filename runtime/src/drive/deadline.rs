//! A timer that follows a deadline.

use core::task::Context;

use regatta_core::Instant;

use crate::runtime::{Runtime, Timer};

/// One timer of the runtime, and what it is set to while it has not expired.
pub(super) struct Deadline<R: Runtime> {
    timer: Option<R::Timer>,
    armed: Option<Instant>,
}

impl<R: Runtime> Deadline<R> {
    pub(super) const fn new() -> Self {
        Self { timer: None, armed: None }
    }

    /// The timer has done its work by waking the task; it need not be asked.
    pub(super) fn passed(&mut self, now: Instant) {
        if self.armed.is_some_and(|at| at <= now) {
            self.armed = None;
        }
    }

    /// Wakes the task at `at`, or somewhat sooner; true when that is past.
    pub(super) fn arm(
        &mut self,
        runtime: &R,
        cx: &mut Context<'_>,
        now: Instant,
        at: Option<Instant>,
    ) -> bool {
        let Some(at) = at else { return false };
        if at <= now {
            return true;
        }
        // A later deadline is found out when the old one fires.
        if self.armed.is_some_and(|armed| armed <= at) {
            return false;
        }
        self.armed = Some(at);
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.reset(at);
                timer
            }
            none => none.insert(runtime.timer(at)),
        };
        let expired = timer.poll_expired(cx).is_ready();
        if expired {
            self.armed = None;
        }
        expired
    }
}
