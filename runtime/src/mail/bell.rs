//! The waker of one lane's pipes: a letter that names the lane.

use core::fmt;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::Mailbox;
use super::sync::AtomicBool;

/// Rings by a letter into its connection's mailbox, once until the letter is read. One is made
/// per slot and reused by all streams that ever live there, so that a stream costs no waker.
pub(crate) struct Bell<T> {
    slot: u32,
    letter: fn(u32) -> T,
    /// A letter is in the mailbox already.
    rung: AtomicBool,
    mailbox: Arc<Mailbox<T>>,
}

impl<T: Send + 'static> Bell<T> {
    pub(crate) fn new(slot: u32, letter: fn(u32) -> T, mailbox: &Arc<Mailbox<T>>) -> Arc<Self> {
        let (rung, mailbox) = (AtomicBool::new(false), Arc::clone(mailbox));
        Arc::new(Self { slot, letter, rung, mailbox })
    }

    /// The letter was read, its lane is looked at next: another ring writes a new one.
    pub(crate) fn heard(&self) {
        self.rung.store(false, Ordering::Release);
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl<T: Send + 'static> Wake for Bell<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Ok(Some(waker)) = self.mailbox.push((self.letter)(self.slot)) {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Bell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("slot", &self.slot).finish_non_exhaustive()
    }
}
