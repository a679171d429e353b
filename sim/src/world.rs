//! The world of a run: clock, agenda, choices, steps and the network, under one lock.

use core::task::Waker;

use regatta_core::Instant;
use regatta_core::time::Duration;

use crate::choice::{Choices, Point};
use crate::executor::{Armed, Wheel};
use crate::net::{self, Network};
use crate::step::{Step, StepKind, Steps};

/// Everything that the hosts of a net share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) choices: Choices,
    pub(crate) steps: Steps,
    pub(crate) network: Network,
    pub(crate) timers: Timers,
    /// What will happen; at one instant in the order in which it was scheduled.
    pub(crate) agenda: Wheel<Happening>,
}

/// What will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The timer in this slot may be due.
    Timer(usize),
    /// Something arrives.
    Net(net::Happening),
}

impl World {
    pub(crate) fn new(choices: Choices) -> Self {
        Self {
            now: Instant::EPOCH,
            choices,
            steps: Steps::new(),
            network: Network::default(),
            timers: Timers::default(),
            agenda: Wheel::new(),
        }
    }

    /// Lets something happen at `at`, or now if that is past, and no more be taken back.
    pub(crate) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.agenda.arm(at, happening);
    }

    pub(crate) fn note(&mut self, kind: StepKind, a: u64, b: u64, value: u64) {
        self.steps.note(Step { at: self.now, kind, a, b, value });
    }

    /// Goes on to the next thing that happens and lets it; false when nothing will.
    pub(crate) fn advance(&mut self) -> bool {
        let Some((at, happening)) = self.agenda.pop() else { return false };
        self.now = at;
        match happening {
            Happening::Timer(slot) => self.timer_due(slot),
            Happening::Net(happening) => net::happen(self, happening),
        }
        true
    }

    /// Arms the timer in `slot` for `at`.
    ///
    /// # Panics
    /// When `at` is not later than now: a timer for zero or the past is a bug of its owner.
    pub(crate) fn arm(&mut self, slot: usize, at: Instant) {
        assert!(
            at > self.now,
            "a timer was set to {at}, which is not later than now, {}",
            self.now
        );
        let late = match self.choices.fires(Point::LateTimer) {
            true => Duration::from_micros(u64::from(self.choices.draw("late", 20_000)) + 1),
            false => Duration::ZERO,
        };
        let at = at + late;
        let Some(timer) = self.timers.slots.get_mut(slot) else { return };
        timer.expired = false;
        self.agenda.set(&mut timer.armed, Some(at), || Happening::Timer(slot));
    }

    /// The owner of the timer in `slot` is gone.
    pub(crate) fn drop_timer(&mut self, slot: usize) {
        let timer = &mut self.timers.slots[slot];
        timer.waker = None;
        self.agenda.set(&mut timer.armed, None, || Happening::Timer(slot));
        self.timers.free.push(slot);
    }

    fn timer_due(&mut self, slot: usize) {
        let Some(timer) = self.timers.slots.get_mut(slot) else { return };
        (timer.armed, timer.expired) = (None, true);
        let waker = timer.waker.take();
        self.note(StepKind::Expired, slot as u64, 0, 0);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Timers by slot.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    slots: Vec<TimerSlot>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct TimerSlot {
    /// Its place in the agenda, until it expires.
    armed: Option<Armed>,
    expired: bool,
    waker: Option<Waker>,
}

impl Timers {
    /// A slot for a timer that is armed next.
    pub(crate) fn make(&mut self) -> usize {
        let fresh = TimerSlot { armed: None, expired: false, waker: None };
        if let Some(slot) = self.free.pop() {
            self.slots[slot] = fresh;
            return slot;
        }
        self.slots.push(fresh);
        self.slots.len() - 1
    }

    /// Whether it has expired; else who is woken when it does.
    pub(crate) fn poll(&mut self, slot: usize, waker: &Waker) -> bool {
        let timer = &mut self.slots[slot];
        if !timer.expired {
            timer.waker = Some(waker.clone());
        }
        timer.expired
    }
}
