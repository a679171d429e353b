//! Tasks.

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use super::io::pause;
use super::signals::Count;
use super::{Fact, ensure};
use crate::runtime::Runtime;

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

/// Tasks that yield again and again let each other run.
pub async fn tasks_take_turns<R: Runtime>(runtime: R) -> Fact {
    let (turns, ended) = (Arc::new(Count::default()), Arc::new(Count::default()));
    for _ in 0..2 {
        let (seen, ended) = (Arc::clone(&turns), Arc::clone(&ended));
        runtime.spawn(async move {
            yielding(|| seen.now() >= 100).await;
            ended.add();
        });
    }
    for _ in 0..100 {
        let mut yielded = false;
        yielding(|| core::mem::replace(&mut yielded, true)).await;
        turns.add();
    }
    ended.reached(2).await;
    Ok(())
}

/// Timers expire though a task is always ready, unless time stands still as long as one is.
pub async fn busy_task_stops_no_timer<R: Runtime>(runtime: R) -> Fact {
    const TURNS: u32 = 10_000;
    let (stop, ended) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let late = Arc::new(Count::default());
    let (seen, over, too_late, clock) =
        (Arc::clone(&stop), Arc::clone(&ended), Arc::clone(&late), runtime.clone());
    runtime.spawn(async move {
        let (began, mut turns) = (clock.now(), 0);
        yielding(|| {
            turns += 1;
            let now = clock.now();
            if now > began + Duration::from_secs(10) {
                too_late.add();
            }
            seen.now() > 0 || too_late.now() > 0 || (turns > TURNS && now == began)
        })
        .await;
        over.add();
    });
    pause(&runtime, Duration::from_millis(2)).await;
    stop.add();
    ended.reached(1).await;
    ensure!(late.now() == 0, "a timer of 2 ms did not expire in 10 s beside a busy task");
    Ok(())
}

/// Polls until the condition holds, and wakes itself.
async fn yielding(mut done: impl FnMut() -> bool) {
    poll_fn(|cx| {
        if done() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
