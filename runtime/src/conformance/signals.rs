//! What one task tells another.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex, PoisonError};

/// A thing that happens once, and can be waited for.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Flag {
    pub(super) fn raise(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        let wakers = core::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) async fn raised(&self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Raises its flag when it is dropped.
pub(super) struct Tell(pub(super) Flag);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// A number that can be waited for.
#[derive(Default)]
pub(super) struct Count(Mutex<(usize, Option<Waker>)>);

impl Count {
    pub(super) fn add(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) async fn reached(&self, wanted: usize) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 >= wanted {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(super) fn now(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}
