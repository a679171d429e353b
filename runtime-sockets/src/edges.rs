//! Readiness where the system tells of each news once.

use core::task::{Context, Poll, Waker};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Side;

/// What an event loop knows of one socket that it watches by edges, as mio, epoll's `EPOLLET` and
/// kqueue's `EV_CLEAR` do: what a [`Watched`](crate::Watched) says is here.
#[derive(Debug, Default)]
pub struct Edges {
    read: Mutex<Half>,
    write: Mutex<Half>,
}

/// One side of a socket.
#[derive(Debug, Default)]
struct Half {
    is_ready: bool,
    stays_ready: bool,
    waker: Option<Waker>,
}

impl Edges {
    /// There is news of the socket; who waits for it is woken. `is_last` where the peer says
    /// nothing more, which is told only once: the read side stays ready for it.
    pub fn wake(&self, is_last: bool) {
        // A wake without a reason does no harm, so both sides hear of every news.
        for side in [Side::Read, Side::Write] {
            let mut half = self.half(side);
            half.is_ready = true;
            half.stays_ready |= is_last && side == Side::Read;
            let waker = half.waker.take();
            drop(half);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// As [`Watched::try_io`](crate::Watched::try_io).
    pub fn try_io<T>(&self, side: Side, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        // The lock is kept, so that no news comes between the call and what is made of it.
        let mut half = self.half(side);
        if !half.is_ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let done = call();
        let blocks = matches!(&done, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        half.is_ready = half.stays_ready || !blocks;
        done
    }

    /// As [`Watched::poll_ready`](crate::Watched::poll_ready).
    pub fn poll_ready(&self, cx: &Context<'_>, side: Side) -> Poll<io::Result<()>> {
        let mut half = self.half(side);
        if half.is_ready {
            return Poll::Ready(Ok(()));
        }
        let before = half.waker.replace(cx.waker().clone());
        // A task may go with its waker, and the socket with the task.
        drop(half);
        drop(before);
        Poll::Pending
    }

    fn half(&self, side: Side) -> MutexGuard<'_, Half> {
        let half = match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        };
        half.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_tried_after_news_and_until_it_would_block() {
        let edges = Edges::default();
        let blocks = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let cx = Context::from_waker(Waker::noop());
        assert!(edges.poll_ready(&cx, Side::Read).is_pending());
        assert!(edges.try_io(Side::Read, || Ok(())).is_err(), "it was tried without news");
        edges.wake(false);
        for side in [Side::Read, Side::Write] {
            assert!(edges.poll_ready(&cx, side).is_ready());
            assert!(edges.try_io(side, || Ok(())).is_ok());
        }
        assert!(edges.try_io(Side::Read, blocks).is_err());
        assert!(edges.poll_ready(&cx, Side::Read).is_pending());
        assert!(edges.poll_ready(&cx, Side::Write).is_ready(), "the other side goes on");
        edges.wake(true);
        for (side, is_ready) in [(Side::Read, true), (Side::Write, false)] {
            assert!(edges.try_io(side, blocks).is_err());
            assert_eq!(edges.poll_ready(&cx, side).is_ready(), is_ready, "{side:?} at the end");
        }
    }
}
