//! Tasks.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex, PoisonError};

use super::io::pause;
use super::{Fact, ensure};
use crate::runtime::Runtime;

/// A number that can be waited for.
#[derive(Default)]
struct Count(Mutex<(usize, Option<Waker>)>);

impl Count {
    fn add(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn reached(&self, wanted: usize) {
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

    fn now(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A thousand tasks, half of them spawned by the other half, all end.
pub async fn many_tasks_end<R: Runtime>(runtime: R) -> Fact {
    let count = Arc::new(Count::default());
    for _ in 0..500 {
        let (count, inner) = (Arc::clone(&count), runtime.clone());
        runtime.spawn(async move {
            let second = Arc::clone(&count);
            inner.spawn(async move { second.add() });
            count.add();
        });
    }
    count.reached(1_000).await;
    ensure!(count.now() == 1_000, "1,000 tasks ended {} times", count.now());
    Ok(())
}

/// A task that waits is woken by another.
pub async fn task_is_woken_from_another<R: Runtime>(runtime: R) -> Fact {
    let (there, back) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (heard, answer) = (Arc::clone(&there), Arc::clone(&back));
    runtime.spawn(async move {
        for n in 1..=100 {
            heard.reached(n).await;
            answer.add();
        }
    });
    for n in 1..=100 {
        there.add();
        back.reached(n).await;
    }
    Ok(())
}

/// A task that yields again and again lets the others run, and timers expire meanwhile.
pub async fn tasks_take_turns<R: Runtime>(runtime: R) -> Fact {
    let stop = Arc::new(Count::default());
    let seen = Arc::clone(&stop);
    runtime.spawn(poll_fn(move |cx| {
        if seen.now() > 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    pause(&runtime, core::time::Duration::from_millis(2)).await;
    stop.add();
    Ok(())
}
