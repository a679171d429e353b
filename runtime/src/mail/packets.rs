//! Datagrams of one stream, both ways, between a caller's task and its connection's: unreliable,
//! bounded in bytes, the oldest lost first.

use core::fmt;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use regatta_core::engine::h3::{DatagramError, DatagramQueue};

use super::{lock, sync::Mutex};

/// Both queues of one stream.
pub(crate) struct Packets {
    /// Most bytes that wait in each of them.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How long the next one may be, as was last known; `None` where none goes out.
    longest: Option<usize>,
    out: DatagramQueue<()>,
    came: DatagramQueue<()>,
    /// The stream has ended.
    is_over: bool,
    /// Who waits for one that comes.
    reader: Option<Waker>,
    /// The connection's task.
    carrier: Option<Waker>,
}

impl Packets {
    pub(crate) fn new(most: usize, longest: Option<usize>) -> Self {
        let state = State { longest, ..State::default() };
        Self { most, state: Mutex::new(state) }
    }

    /// The path carries other lengths, or carries some at all.
    pub(crate) fn set_longest(&self, longest: Option<usize>) {
        lock(&self.state).longest = longest;
    }

    pub(crate) fn longest(&self) -> Option<usize> {
        let state = lock(&self.state);
        state.longest.filter(|_| !state.is_over)
    }

    /// How many were lost because too much waited, of those that were to be sent and of those that
    /// came.
    pub(crate) fn lost(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.out.lost(), state.came.lost())
    }

    /// The caller sends one.
    pub(crate) fn send(&self, payload: Bytes) -> Result<(), DatagramError> {
        let (lost, carrier) = {
            let mut state = lock(&self.state);
            if state.is_over {
                return Err(DatagramError::NoStream);
            }
            let longest = state.longest.ok_or(DatagramError::Unsupported)?;
            if payload.len() > longest {
                return Err(DatagramError::TooLong);
            }
            (state.out.push(self.most, (), payload), state.carrier.take())
        };
        // A caller's own buffers, which are not let go under the lock.
        drop(lost);
        wake(carrier);
        Ok(())
    }

    /// The next one to be sent; else the connection's task is remembered.
    pub(crate) fn poll_out(&self, cx: &Context<'_>) -> Poll<Bytes> {
        let mut state = lock(&self.state);
        let State { out, carrier, .. } = &mut *state;
        match out.pop() {
            Some(((), payload)) => Poll::Ready(payload),
            None => remember(carrier, cx),
        }
    }

    /// One has come.
    pub(crate) fn deliver(&self, payload: Bytes) {
        let (lost, reader) = {
            let mut state = lock(&self.state);
            if state.is_over {
                return;
            }
            (state.came.push(self.most, (), payload), state.reader.take())
        };
        drop(lost);
        wake(reader);
    }

    /// The oldest that came and was not taken; `None` when no more will come.
    pub(crate) fn poll_came(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = lock(&self.state);
        let State { came, reader, is_over, .. } = &mut *state;
        match came.pop() {
            Some(((), payload)) => Poll::Ready(Some(payload)),
            None if *is_over => Poll::Ready(None),
            None => remember(reader, cx),
        }
    }

    /// The stream has ended. What came before stays to be taken.
    pub(crate) fn end(&self) {
        let (unsent, reader) = {
            let mut state = lock(&self.state);
            state.is_over = true;
            state.carrier = None;
            let unsent: Vec<_> = core::iter::from_fn(|| state.out.pop()).collect();
            (unsent, state.reader.take())
        };
        drop(unsent);
        wake(reader);
    }
}

fn remember<T>(place: &mut Option<Waker>, cx: &Context<'_>) -> Poll<T> {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
    Poll::Pending
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl fmt::Debug for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packets").field("most", &self.most).finish_non_exhaustive()
    }
}
