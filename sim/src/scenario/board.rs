//! Where the requests of a run are written down while it goes on.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regatta_core::Instant;
use regatta_runtime::Timeline;

use super::outcome::{Asked, End};

/// Every request so far, and how many loads are still at work. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    asked: Vec<Asked>,
    at_work: usize,
    waker: Option<Waker>,
}

/// Something is at work as long as this lives.
#[derive(Debug)]
pub(super) struct AtWork(Board);

impl Board {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something more is at work.
    pub(super) fn begin(&self) -> AtWork {
        self.inner().at_work += 1;
        AtWork(self.clone())
    }

    /// A request begins; gives its number.
    pub(super) fn ask(&self, load: usize, what: String, sent: u64, now: Instant) -> usize {
        let mut inner = self.inner();
        let mut timeline = Timeline::default();
        timeline.requested = now;
        inner.asked.push(Asked {
            load,
            what,
            requested: now,
            ended: None,
            end: End::UnderWay,
            sent,
            received: 0,
            timeline,
        });
        inner.asked.len() - 1
    }

    /// A request has ended.
    pub(super) fn end(
        &self,
        number: usize,
        now: Instant,
        end: End,
        received: u64,
        timeline: Option<Timeline>,
    ) {
        let mut inner = self.inner();
        let Some(asked) = inner.asked.get_mut(number) else { return };
        asked.ended = Some(now);
        asked.end = end;
        asked.received = received;
        if let Some(timeline) = timeline {
            asked.timeline = timeline;
        }
    }

    /// Waits until nothing is at work any more.
    pub(super) async fn done(&self) {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if inner.at_work == 0 {
                return Poll::Ready(());
            }
            inner.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Takes all requests.
    pub(super) fn take(&self) -> Vec<Asked> {
        core::mem::take(&mut self.inner().asked)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.at_work -= 1;
        let waker = if inner.at_work == 0 { inner.waker.take() } else { None };
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
