//! The hub's one timer.

use core::future::{Future, poll_fn};
use core::task::Poll;
use std::sync::{Arc, Weak};

use crate::hub::WeakHub;
use crate::mail::Wake;
use crate::runtime::{Runtime, Timer};

/// Calls the upstream when a deadline has come, until the hub is gone.
pub(crate) fn run<R: Runtime>(
    hub: WeakHub<R>,
    wake: Arc<Wake>,
) -> impl Future<Output = ()> + Send + 'static {
    // Only a runtime that shuts down drops this task while there is a hub. Made here and not in
    // the task itself, which may be dropped before it has run at all.
    let last_words = LastWords(Weak::clone(&hub));
    async move {
        let _last_words = last_words;
        let mut timer: Option<R::Timer> = None;
        while let Some(next) = turn(&hub, &mut timer) {
            match next {
                Next::Again => yield_once().await,
                Next::Wait => {
                    poll_fn(|cx| {
                        let expired = timer.as_mut().map_or(Poll::Pending, |t| t.poll_expired(cx));
                        if expired.is_ready() { expired } else { wake.poll_raised(cx) }
                    })
                    .await;
                }
                Next::WaitRaised => poll_fn(|cx| wake.poll_raised(cx)).await,
            }
        }
    }
}

struct LastWords<R: Runtime>(WeakHub<R>);

impl<R: Runtime> Drop for LastWords<R> {
    fn drop(&mut self) {
        if let Some(hub) = self.0.upgrade() {
            hub.shut_down();
        }
    }
}

enum Next {
    /// Work was left: come again after a yield.
    Again,
    /// The timer is set.
    Wait,
    /// There is no deadline.
    WaitRaised,
}

/// Does what is due and sets the timer; `None` when the hub is gone.
fn turn<R: Runtime>(hub: &WeakHub<R>, timer: &mut Option<R::Timer>) -> Option<Next> {
    let hub = hub.upgrade()?;
    let (now, next) = hub.turn();
    Some(match next {
        None => Next::WaitRaised,
        Some(at) if at <= now => Next::Again,
        Some(at) => {
            match timer {
                Some(timer) => timer.reset(at),
                none => *none = Some(hub.runtime.timer(at)),
            }
            Next::Wait
        }
    })
}

/// Lets every other task run once.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
