//! The clock and its timers.

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use super::{Fact, ensure};
use crate::runtime::{Runtime, Timer};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3_600);

/// Readings of the clock never fall.
pub async fn clock_never_goes_back<R: Runtime>(runtime: R) -> Fact {
    let mut last = runtime.now();
    for _ in 0..10_000 {
        let now = runtime.now();
        ensure!(now >= last, "the clock went back from {last:?} to {now:?}");
        last = now;
    }
    Ok(())
}

/// The wall clock at the epoch is a time at which certificates can be valid.
pub async fn wall_clock_is_after_2020<R: Runtime>(runtime: R) -> Fact {
    let at = runtime.unix_at_epoch();
    ensure!(at.as_secs() > 1_577_836_800, "the epoch is {at:?} after 1970, before 2020");
    Ok(())
}

/// When a timer has expired, its time has come by the clock.
pub async fn timer_is_never_early<R: Runtime>(runtime: R) -> Fact {
    for _ in 0..20 {
        let at = runtime.now() + Duration::from_micros(700);
        let mut timer = runtime.timer(at);
        expired(&mut timer).await;
        let now = runtime.now();
        ensure!(now >= at, "a timer for {at:?} expired at {now:?}");
    }
    Ok(())
}

/// An hour that is shortened to some milliseconds ends.
pub async fn timer_can_be_moved_closer<R: Runtime>(runtime: R) -> Fact {
    let mut timer = runtime.timer(runtime.now() + LONG);
    ensure!(!is_expired(&mut timer).await, "an hour was over at once");
    timer.reset(runtime.now() + SHORT);
    expired(&mut timer).await;
    Ok(())
}

/// Some milliseconds that are made an hour do not end.
pub async fn timer_can_be_moved_away<R: Runtime>(runtime: R) -> Fact {
    let mut moved = runtime.timer(runtime.now() + SHORT);
    ensure!(!is_expired(&mut moved).await, "{SHORT:?} were over at once");
    moved.reset(runtime.now() + LONG);
    let mut other = runtime.timer(runtime.now() + SHORT * 4);
    expired(&mut other).await;
    ensure!(!is_expired(&mut moved).await, "a timer expired at the time that it was moved from");
    Ok(())
}

/// A timer that has expired can be used again.
pub async fn timer_can_be_moved_after_it_expired<R: Runtime>(runtime: R) -> Fact {
    let mut timer = runtime.timer(runtime.now() + SHORT);
    for _ in 0..3 {
        expired(&mut timer).await;
        let at = runtime.now() + SHORT;
        timer.reset(at);
        ensure!(!is_expired(&mut timer).await, "a timer that was moved had still expired");
        expired(&mut timer).await;
        ensure!(runtime.now() >= at, "a timer that was moved expired early");
    }
    Ok(())
}

/// Dropping a timer that somebody waits for harms nobody.
pub async fn timer_can_be_dropped<R: Runtime>(runtime: R) -> Fact {
    let mut dropped = runtime.timer(runtime.now() + SHORT);
    ensure!(!is_expired(&mut dropped).await, "{SHORT:?} were over at once");
    drop(dropped);
    let mut timer = runtime.timer(runtime.now() + SHORT * 2);
    expired(&mut timer).await;
    Ok(())
}

/// Of two timers of one task the earlier wakes it first, whichever was made first.
pub async fn timers_expire_in_order<R: Runtime>(runtime: R) -> Fact {
    let now = runtime.now();
    let mut late = runtime.timer(now + LONG);
    let mut early = runtime.timer(now + SHORT);
    let first = poll_fn(|cx| {
        if late.poll_expired(cx).is_ready() {
            return Poll::Ready("late");
        }
        early.poll_expired(cx).map(|()| "early")
    })
    .await;
    ensure!(first == "early", "the later of two timers expired first");
    Ok(())
}

async fn expired<T: Timer>(timer: &mut T) {
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

async fn is_expired<T: Timer>(timer: &mut T) -> bool {
    poll_fn(|cx| Poll::Ready(timer.poll_expired(cx).is_ready())).await
}
