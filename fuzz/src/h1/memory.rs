//! hyper's transport in memory, and somebody who polls until nothing moves any more.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::cuts::Then;

/// What a peer says, given out when it may be; what it hears is kept.
#[derive(Debug)]
pub(super) struct Memory {
    text: Vec<u8>,
    place: usize,
    then: Then,
    /// The peer says nothing before it has heard something.
    waits: bool,
    written: Rc<RefCell<Vec<u8>>>,
}

impl Memory {
    pub(super) fn new(text: &[u8], then: Then, waits: bool) -> Self {
        Self { text: text.to_vec(), place: 0, then, waits, written: Rc::default() }
    }
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits && self.written.borrow().is_empty() {
            return Poll::Pending;
        }
        let rest = &self.text[self.place..];
        let count = rest.len().min(buf.remaining());
        if count > 0 {
            buf.put_slice(&rest[..count]);
            self.place += count;
            return Poll::Ready(Ok(()));
        }
        match self.then {
            Then::Open => Poll::Pending,
            Then::Clean => Poll::Ready(Ok(())),
            Then::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl Write for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls as long as somebody wakes; `None` when it stands still unfinished.
pub(super) fn poll_until_still<F: Future>(future: F) -> Option<F::Output> {
    /// Rounds without an end would be a livelock.
    const ROUNDS_MAX: usize = 100_000;
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    let mut future = core::pin::pin!(future);
    for _ in 0..ROUNDS_MAX {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !flag.0.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
    panic!("hyper wakes itself for ever");
}
