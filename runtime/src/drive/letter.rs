//! What the hub, pipes and servers put into a connection task's mailbox.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Wake, Waker};

use regatta_core::id::RequestId;

use crate::exchange::{Exchange, Parcel};
use crate::mail::Mailbox;

/// A word to a connection task.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Carry this request.
    Assign(Box<Parcel>),
    /// Reset this request's stream, if it is still under way here.
    Reset { request: RequestId, exchange: Arc<Exchange> },
    /// Close when the last stream has ended.
    Shutdown,
    /// Close now.
    Abort,
    /// Ask the peer for a sign of life.
    Probe,
    /// Server: grant the peer so many concurrent streams.
    Limit(u32),
    /// A pipe of the stream in this slot has moved.
    Lane(u32),
}

/// The waker of one lane's pipes: a letter that names the lane. One is made per slot and reused
/// by all streams that ever live there.
#[derive(Debug)]
pub(crate) struct LaneWake {
    slot: u32,
    /// A letter is in the mailbox already.
    flagged: AtomicBool,
    mailbox: Arc<Mailbox<Letter>>,
}

impl LaneWake {
    pub(crate) fn new(slot: u32, mailbox: &Arc<Mailbox<Letter>>) -> Arc<Self> {
        Arc::new(Self { slot, flagged: AtomicBool::new(false), mailbox: Arc::clone(mailbox) })
    }

    /// The letter was read: the next wake writes a new one.
    pub(crate) fn lower(&self) {
        self.flagged.store(false, Ordering::Release);
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for LaneWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.flagged.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Ok(Some(waker)) = self.mailbox.push(Letter::Lane(self.slot)) {
            waker.wake();
        }
    }
}
