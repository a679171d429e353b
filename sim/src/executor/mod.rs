//! The executor: one thread, virtual time, and an order of tasks that is chosen.
//!
//! Time stands still while any task is ready; then it jumps to the next thing that happens.

mod tasks;
mod wheel;

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regatta_core::Instant;
use regatta_models::tape::Tape;

use crate::choice::{Choices, Point};
use crate::step::{StepKind, Steps};
use crate::tls;
use crate::world::World;
pub(crate) use tasks::Tasks;
use tasks::{MAIN, Ready};
pub(crate) use wheel::{Armed, Wheel};

/// Most polls at one instant: more is a task that wakes itself for ever.
const POLLS_PER_INSTANT: u64 = 1_000_000;

/// A simulated net: hosts, links, names, a clock.
///
/// One thread runs it. Its tasks are dropped with it.
pub struct Net {
    pub(crate) shared: Arc<Shared>,
}

/// What a net's hosts share.
pub(crate) struct Shared {
    world: Mutex<World>,
    /// The world's time once more: it is asked for more often than anything else, without a lock.
    now: AtomicU64,
    pub(crate) tasks: Mutex<Tasks>,
    ready: Arc<Ready>,
    /// The seeded bytes of TLS, while the net does not run.
    random: Mutex<tls::Random>,
    pub(crate) seed: u64,
}

/// Why a run cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// No task is ready and nothing will happen any more, but the run is not over.
    Deadlock {
        /// When that was.
        at: Instant,
        /// How many tasks are left.
        tasks: usize,
    },
    /// The tasks keep each other busy and time stands still.
    Spinning {
        /// When that was.
        at: Instant,
    },
    /// The time that was given is over.
    TimeIsUp {
        /// When that was.
        at: Instant,
    },
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock { at, tasks } => {
                write!(f, "at {at} nothing will ever happen again, and {tasks} tasks wait")
            }
            Self::Spinning { at } => {
                write!(f, "at {at} tasks wake each other and time stands still")
            }
            Self::TimeIsUp { at } => write!(f, "at {at} the run was not over, and its time was up"),
        }
    }
}

impl std::error::Error for Stuck {}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual time now.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn spawn(&self, future: tasks::Task) {
        let id = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).add(future, &self.ready);
        self.world().note(StepKind::Spawned, id as u64, 0, 0);
    }
}

impl Net {
    /// A net in which only loss and jitter are drawn, from this seed.
    pub fn seeded(seed: u64) -> Self {
        Self::new(Choices::quiet(Tape::seeded(seed)), seed)
    }

    /// A net in which the legal but rare happens, as the choices have it.
    ///
    /// `seed` is what hash keys and TLS are made from.
    pub fn new(choices: Choices, seed: u64) -> Self {
        let shared = Shared {
            world: Mutex::new(World::new(choices)),
            now: AtomicU64::new(0),
            tasks: Mutex::default(),
            ready: Arc::default(),
            random: Mutex::new(tls::Random::new(seed)),
            seed,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Virtual time now.
    pub fn now(&self) -> Instant {
        self.shared.now()
    }

    /// How many tasks have not ended.
    pub fn tasks_left(&self) -> usize {
        self.tasks().len()
    }

    /// Looks at the steps so far.
    pub fn steps<T>(&self, look: impl FnOnce(&mut Steps) -> T) -> T {
        look(&mut self.shared.world().steps)
    }

    /// Looks at the choices so far.
    pub fn choices<T>(&self, look: impl FnOnce(&mut Choices) -> T) -> T {
        look(&mut self.shared.world().choices)
    }

    /// Runs `future`, and all tasks beside it, until it ends.
    pub fn run<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        self.run_until(Instant::MAX, future, || {})
    }

    /// Runs `future` until it ends or virtual time passes `end`; calls `each_step` whenever a
    /// task has run.
    pub fn run_until<F: Future>(
        &self,
        end: Instant,
        future: F,
        mut each_step: impl FnMut(),
    ) -> Result<F::Output, Stuck> {
        let _random = tls::Borrowed::new(&self.shared.random);
        let mut future = pin!(future);
        let main = self.shared.ready.main();
        self.shared.ready.push(MAIN);
        let mut polls = 0;
        loop {
            while let Some(id) = self.next_ready() {
                polls += 1;
                if polls > POLLS_PER_INSTANT {
                    return Err(Stuck::Spinning { at: self.now() });
                }
                self.shared.world().note(StepKind::Polled, id as u64, 0, 0);
                if id == MAIN {
                    main.taken();
                    let waker = main.waker();
                    if let Poll::Ready(output) =
                        future.as_mut().poll(&mut Context::from_waker(&waker))
                    {
                        return Ok(output);
                    }
                } else {
                    self.poll_task(id);
                }
                each_step();
            }
            polls = 0;
            self.advance(end)?;
        }
    }

    fn advance(&self, end: Instant) -> Result<(), Stuck> {
        let mut world = self.shared.world();
        if !world.advance() {
            let at = world.now;
            drop(world);
            let tasks = self.tasks().len();
            return Err(Stuck::Deadlock { at, tasks });
        }
        self.shared.now.store(world.now.as_nanos(), Ordering::Relaxed);
        if world.now > end {
            return Err(Stuck::TimeIsUp { at: world.now });
        }
        let spurious = world.choices.fires(Point::SpuriousWake);
        drop(world);
        if spurious {
            let count = self.tasks().slots();
            let id = self.shared.world().choices.draw("woken task", count as u32) as usize;
            self.tasks().wake(id);
        }
        Ok(())
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task that runs next.
    fn next_ready(&self) -> Option<usize> {
        self.shared.ready.take(|count| {
            let mut world = self.shared.world();
            match world.choices.fires(Point::TaskOrder) {
                true => world.choices.draw("next task", count as u32) as usize,
                false => 0,
            }
        })
    }

    fn poll_task(&self, id: usize) {
        let Some((mut task, waker)) = self.tasks().take(id) else { return };
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks().end(id);
            self.shared.world().note(StepKind::Ended, id as u64, 0, 0);
            // A future's own Drop may use the net.
            drop(task);
        } else {
            self.tasks().put_back(id, task, waker);
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _random = tls::Borrowed::new(&self.shared.random);
        // What is dropped may spawn.
        loop {
            let left = self.tasks().take_all();
            if left.is_empty() {
                return;
            }
            drop(left);
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("now", &self.now()).finish_non_exhaustive()
    }
}
