//! The memory that all bodies of a server may hold together. Core says what is too much; here it
//! is counted, and who has to wait is woken.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::task::{Context, Waker};
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::downstream::Config;

/// Bytes of all bodies of one server.
#[derive(Debug)]
pub(crate) struct Budget {
    config: Config,
    held: AtomicU64,
    /// Whether anyone waits.
    any: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Budget {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        let (held, any) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { config, held, any, waiting: Mutex::default() })
    }

    /// How many bytes are held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::SeqCst)
    }

    /// How much more may be held.
    #[cfg(feature = "http3")]
    pub(crate) fn room(&self) -> u64 {
        self.config.max_buffered.saturating_sub(self.held())
    }

    /// What was `before` is `after` now.
    pub(crate) fn change(&self, before: usize, after: usize) {
        let (before, after) = (before as u64, after as u64);
        if after >= before {
            self.held.fetch_add(after - before, Ordering::SeqCst);
            return;
        }
        let old = self.held.fetch_sub(before - after, Ordering::SeqCst);
        let fell = !self.config.may_hold_more(1, old)
            && self.config.may_hold_more(1, old.saturating_sub(before - after));
        if fell && self.any.swap(false, Ordering::SeqCst) {
            let waiting = core::mem::take(&mut *lock(&self.waiting));
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether who holds `own` bytes may hold more; if not, its task is woken when it may.
    pub(crate) fn may_hold_more(&self, own: usize, cx: &Context<'_>) -> bool {
        if self.config.may_hold_more(own, self.held()) {
            return true;
        }
        {
            let mut waiting = lock(&self.waiting);
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            self.any.store(true, Ordering::SeqCst);
        }
        // It may have fallen before anyone knew of the wait.
        self.config.may_hold_more(own, self.held())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one response holds of a server's budget, from when its service gives a frame until the
/// frame has left its engine.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    budget: Option<Arc<Budget>>,
    held: AtomicUsize,
    /// The response's own task, where it waits.
    writer: Mutex<Option<Waker>>,
}

impl Charge {
    pub(crate) fn of(budget: &Arc<Budget>) -> Self {
        let (held, writer) = (AtomicUsize::new(0), Mutex::new(None));
        Self { budget: Some(Arc::clone(budget)), held, writer }
    }

    /// Whether one more frame may be made; if not, the task is woken when it may.
    pub(crate) fn may_take(&self, cx: &Context<'_>) -> bool {
        let Some(budget) = &self.budget else { return true };
        let own = || self.held.load(Ordering::SeqCst);
        if budget.may_hold_more(own(), cx) {
            return true;
        }
        *lock(&self.writer) = Some(cx.waker().clone());
        // The last frame may have left before anyone knew of the wait.
        own() == 0
    }

    /// A frame of so many bytes was made.
    pub(crate) fn take(&self, bytes: usize) {
        if let Some(budget) = &self.budget {
            self.held.fetch_add(bytes, Ordering::SeqCst);
            budget.change(0, bytes);
        }
    }

    /// So many bytes have left, at most all that there are.
    pub(crate) fn give(&self, bytes: usize) {
        let Some(budget) = self.budget.as_ref().filter(|_| bytes > 0) else { return };
        let subtract = |held: usize| Some(held.saturating_sub(bytes));
        let before = self.held.fetch_update(Ordering::SeqCst, Ordering::SeqCst, subtract);
        let before = before.unwrap_or_default();
        budget.change(before.min(bytes), 0);
        if before <= bytes {
            let writer = lock(&self.writer).take();
            if let Some(writer) = writer {
                writer.wake();
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.give(usize::MAX);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn budget(most: u64) -> Arc<Budget> {
        let mut config = Config::default();
        config.max_buffered = most;
        Budget::new(config)
    }

    #[test]
    fn who_waits_is_woken_when_there_is_room() {
        let (budget, count) = (budget(10), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        budget.change(0, 10);
        assert!(budget.may_hold_more(0, &cx), "who holds nothing never waits");
        assert!(!budget.may_hold_more(4, &cx) && !budget.may_hold_more(4, &cx));
        budget.change(2, 3);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        budget.change(4, 2);
        assert_eq!((count.0.load(Ordering::Relaxed), budget.held()), (1, 9));
        assert!(budget.may_hold_more(4, &cx));
    }

    #[test]
    fn a_response_waits_for_its_own_frame() {
        let (budget, count) = (budget(10), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        budget.change(0, 50);
        let charge = Charge::of(&budget);
        assert!(charge.may_take(&cx));
        charge.take(5);
        assert!(!charge.may_take(&cx));
        charge.give(2);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        charge.give(7);
        assert_eq!((count.0.load(Ordering::Relaxed), budget.held()), (1, 50));
        charge.take(5);
        drop(charge);
        assert_eq!(budget.held(), 50);
    }
}
