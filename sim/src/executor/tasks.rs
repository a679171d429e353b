//! Tasks by slot, and who is ready.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

/// What runs.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The id of the future that [`Net::run`](super::Net::run) was given.
pub(super) const MAIN: usize = u32::MAX as usize;

/// All tasks.
#[derive(Default)]
pub(crate) struct Tasks {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// By slot: what woke its last task, for the next one when nobody else has it.
    spare: Vec<Option<Arc<Alarm>>>,
}

struct Slot {
    /// The task and what wakes it; away while it is polled.
    task: Option<(Task, Waker)>,
    alarm: Arc<Alarm>,
}

impl Tasks {
    /// Takes a task in; it is ready.
    pub(super) fn add(&mut self, task: Task, ready: &Arc<Ready>) -> usize {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.spare.push(None);
            self.slots.len() - 1
        });
        let alarm = self.alarm(id, ready);
        let waker = Waker::from(Arc::clone(&alarm));
        alarm.raise();
        self.slots[id] = Some(Slot { task: Some((task, waker)), alarm });
        id
    }

    fn alarm(&mut self, id: usize, ready: &Arc<Ready>) -> Arc<Alarm> {
        if let Some(mut alarm) = self.spare[id].take()
            && let Some(alone) = Arc::get_mut(&mut alarm)
        {
            alone.queued = AtomicBool::new(false);
            return alarm;
        }
        Arc::new(Alarm { id, queued: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// Takes a task out to be polled; `None` when it has ended.
    pub(super) fn take(&mut self, id: usize) -> Option<(Task, Waker)> {
        let slot = self.slots.get_mut(id)?.as_mut()?;
        slot.alarm.taken();
        slot.task.take()
    }

    pub(super) fn put_back(&mut self, id: usize, task: Task, waker: Waker) {
        if let Some(Some(slot)) = self.slots.get_mut(id) {
            slot.task = Some((task, waker));
        }
    }

    pub(super) fn end(&mut self, id: usize) {
        self.spare[id] = self.slots[id].take().map(|slot| slot.alarm);
        self.free.push(id);
    }

    /// Wakes the task in a slot, if there is one.
    pub(super) fn wake(&self, id: usize) {
        if let Some(Some(slot)) = self.slots.get(id) {
            slot.alarm.raise();
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many slots there are.
    pub(super) const fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn take_all(&mut self) -> Vec<Task> {
        let all = core::mem::take(self);
        all.slots.into_iter().flatten().filter_map(|slot| slot.task.map(|(task, _)| task)).collect()
    }
}

/// The tasks that are ready, in the order in which they were woken.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    queue: Mutex<VecDeque<usize>>,
}

impl Ready {
    fn queue(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, id: usize) {
        self.queue().push_back(id);
    }

    /// Takes the one at the place that `choose` says of so many, where there is a choice; the
    /// others keep their order.
    pub(super) fn take(&self, choose: impl FnOnce(usize) -> usize) -> Option<usize> {
        let mut queue = self.queue();
        match queue.len() {
            0 | 1 => queue.pop_front(),
            count => queue.remove(choose(count)),
        }
    }

    /// What wakes the main future.
    pub(super) fn main(self: &Arc<Self>) -> Arc<Alarm> {
        Arc::new(Alarm { id: MAIN, queued: AtomicBool::new(true), ready: Arc::clone(self) })
    }
}

/// Puts its task on the queue, once until it has run.
#[derive(Debug)]
pub(super) struct Alarm {
    id: usize,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Alarm {
    fn raise(&self) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.id);
        }
    }

    /// The task runs now: from here on a wake counts again.
    pub(super) fn taken(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}
