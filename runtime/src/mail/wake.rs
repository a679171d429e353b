//! One bit and one waker: how the hub's timer task hears that its deadline moved.

use core::task::{Context, Poll, Waker};

use super::{lock, sync::Mutex};

/// A flag that wakes the one task that waits for it.
#[derive(Debug)]
pub(crate) struct Wake {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    raised: bool,
    waker: Option<Waker>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { raised: false, waker: None }) }
    }

    /// Raises the flag and wakes the task. Never called under another lock.
    pub(crate) fn raise(&self) {
        let waker = {
            let mut state = lock(&self.state);
            state.raised = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the flag down if it is up; else remembers the task.
    pub(crate) fn poll_raised(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.raised {
            state.raised = false;
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
