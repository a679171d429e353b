//! A connection task's mailbox: letters in order, one waker, closed once.

use core::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::{lock, sync::Mutex};

/// Letters that wait together, oldest first. Seldom more than one does: no allocation for it.
pub(crate) type Letters<T> = SmallVec<[T; 2]>;

/// Letters from the hub, and from pipes, to one connection task.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    letters: Letters<T>,
    waker: Option<Waker>,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        let state = State { letters: Letters::new(), waker: None, closed: false };
        Self { state: Mutex::new(state) }
    }

    /// Puts a letter in; the waker is to be woken after every lock is let go. Gives the letter
    /// back when the mailbox is closed.
    pub(crate) fn push(&self, letter: T) -> Result<Option<Waker>, T> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(letter);
        }
        state.letters.push(letter);
        Ok(state.waker.take())
    }

    /// Moves all letters into `into`, and remembers the task for the next ones. Pending when there
    /// was none.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, into: &mut Letters<T>) -> Poll<()> {
        let mut state = lock(&self.state);
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if state.letters.is_empty() {
            return Poll::Pending;
        }
        if into.is_empty() {
            core::mem::swap(&mut state.letters, into);
        } else {
            into.append(&mut state.letters);
        }
        Poll::Ready(())
    }

    /// Moves all letters into `into`, without remembering anybody. False when there is none.
    pub(crate) fn take(&self, into: &mut Letters<T>) -> bool {
        let mut state = lock(&self.state);
        if !state.letters.is_empty() {
            into.append(&mut state.letters);
        }
        !into.is_empty()
    }

    /// How many letters wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.state).letters.len()
    }

    /// Takes nothing more and returns what was left.
    pub(crate) fn close(&self) -> Letters<T> {
        let mut state = lock(&self.state);
        state.closed = true;
        state.waker = None;
        core::mem::take(&mut state.letters)
    }
}
