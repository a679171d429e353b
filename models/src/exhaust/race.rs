//! The world of one race: connections are wanted, legs connect, fail or go silent, in any order.

use std::sync::Arc;

use regatta_core::race::{Action, Config, Event, Health, Leg, Offer, Race, Target};
use regatta_core::{Duration, Instant, Machine};

use super::menu::{Menu, Move};
use super::met::Fingerprint;
use super::search::{World, search};
use super::{BOUNDS, Listener, Size, Verdict, step};
use crate::harness::{Input, Subject as _};
use crate::race::Grid;
use crate::seen::Tally;

/// Time passes in steps.
const TICK: Duration = Duration::from_millis(10);

pub(super) fn walk(size: Size, progress: &mut Listener<'_>) -> Verdict {
    let settings = settings(size).into_iter();
    settings.map(|setting| search(setting.name, Around::new(setting), BOUNDS, progress)).collect()
}

/// What one world is made of.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) config: Config,
    /// What is known of QUIC whenever a connection is wanted.
    quic: Option<Health>,
    /// Whether the origin has addresses of both families.
    both: bool,
    /// How often a connection is wanted, and how often TCP serves although QUIC is offered.
    wishes: (u8, u8),
    /// How many things may go wrong, legs that fail aside.
    faults: u8,
}

/// Every world of a size.
pub(super) fn settings(size: Size) -> Vec<Setting> {
    let mut config = Config::default();
    config.delay = regatta_core::race::Delay::Fixed(TICK * 2);
    let (wishes, faults) = match size {
        Size::Small => ((2, 0), 1),
        Size::Medium => ((3, 0), 2),
        Size::Large => ((4, 0), 3),
    };
    let quic = Some(Health::Unknown);
    let usual = Setting { name: "QUIC first", config, quic, both: false, wishes, faults };
    let second = Setting { name: "two families", both: true, ..usual.clone() };
    let suspect = Setting { name: "suspect", quic: Some(Health::Suspect), ..second.clone() };
    let failed = Setting { name: "failed before", quic: Some(Health::Failed), ..usual.clone() };
    let plain = Setting { name: "no alternative", quic: None, ..usual.clone() };
    let mut tight = Setting { name: "two legs at most", ..second.clone() };
    tight.config.max_legs = 2;
    let learnt = Setting { name: "learnt beside TCP", wishes: (wishes.0, 1), ..second.clone() };
    vec![usual, second, suspect, failed, plain, tight, learnt]
}

/// Something that may happen; legs by their place among those under way, or established.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// Time passes.
    Tick,
    /// The machine's deadline has come, and the driver says so.
    Timeout,
    Wanted,
    Served,
    /// The addresses that QUIC goes to are known, of both families.
    Families,
    Connected(u8),
    Failed {
        leg: u8,
        early: bool,
    },
    Closed {
        leg: u8,
        silent: bool,
    },
    Unwanted,
    NetworkChanged,
    Drain,
}

/// One race and all that is around it.
#[derive(Clone)]
pub(super) struct Around {
    setting: Arc<Setting>,
    machine: Race,
    /// The reference: what the machine must do, action by action.
    model: Grid,
    now: Instant,
    wanted: u8,
    served: u8,
    /// Whether both families are still to be told to the race under way.
    untold: bool,
    drains: bool,
    /// How much more may go wrong.
    faults: u8,
}

impl Around {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            machine: Grid::of(setting.config.clone()).machine(),
            model: Grid::of(setting.config.clone()),
            now: Instant::EPOCH,
            wanted: 0,
            served: 0,
            untold: false,
            drains: false,
            faults: setting.faults,
            setting: Arc::new(setting),
        }
    }

    fn input(&self, choice: Choice) -> Input<Event> {
        let offer = |health| Offer { target: Target(0), health };
        let running = |leg: u8| self.model.running()[usize::from(leg)];
        Input::Event(match choice {
            Choice::Tick | Choice::Timeout => return Input::Timeout,
            Choice::Wanted => Event::Wanted { quic: self.setting.quic.map(offer), rtt: None },
            Choice::Served => Event::Served { quic: offer(Health::Unknown), rtt: None },
            Choice::Families => Event::BothFamilies(true),
            Choice::Connected(leg) => Event::Connected(running(leg)),
            Choice::Failed { leg, early } => Event::Failed { leg: running(leg), early_data: early },
            Choice::Closed { leg, silent } => {
                Event::Closed { leg: self.model.up()[usize::from(leg)], silent }
            }
            Choice::Unwanted => Event::Unwanted,
            Choice::NetworkChanged => Event::NetworkChanged,
            Choice::Drain => Event::Drain,
        })
    }

    /// Events about legs that are gone, or not in the state that they speak of.
    fn stale(&self) -> Vec<Event> {
        let (running, up, gone) = (self.model.running(), self.model.up(), self.model.gone());
        let closed = |leg| Event::Closed { leg, silent: true };
        let failed = |leg| Event::Failed { leg, early_data: true };
        let of_gone = gone.iter().flat_map(|leg| [closed(*leg), failed(*leg)]);
        let of_up = up.iter().flat_map(|leg| [Event::Connected(*leg), failed(*leg)]);
        of_gone.chain(of_up).chain(running.iter().map(|leg| closed(*leg))).collect()
    }
}

impl World for Around {
    type Choice = Choice;
    type Action = Action;

    fn moves(&self, menu: &mut Menu<Choice>) {
        let deadline = self.machine.poll_timeout();
        let due = deadline.is_some_and(|at| at <= self.now);
        if due {
            menu.free(Choice::Timeout);
        }
        for (leg, _) in (0..).zip(self.model.running()) {
            menu.free(Choice::Connected(leg));
            menu.free(Choice::Failed { leg, early: false });
            menu.fault(Choice::Failed { leg, early: true });
        }
        for (leg, _) in (0..).zip(self.model.up()) {
            menu.free(Choice::Closed { leg, silent: false });
            menu.fault(Choice::Closed { leg, silent: true });
        }
        if self.untold {
            menu.free(Choice::Families);
        }
        if self.wanted < self.setting.wishes.0 {
            menu.free(Choice::Wanted);
        }
        if self.served < self.setting.wishes.1 {
            menu.free(Choice::Served);
        }
        if deadline.is_some() && !due {
            menu.free(Choice::Tick);
        }
        menu.fault(Choice::Unwanted);
        menu.fault(Choice::NetworkChanged);
        if !self.drains {
            menu.fault(Choice::Drain);
        }
        if self.faults == 0 {
            menu.unkind.clear();
        }
    }

    fn name(&self, choice: Choice) -> String {
        match (choice, self.input(choice)) {
            (Choice::Tick, _) => format!("{TICK:?} pass"),
            (_, input) => step::name(&input),
        }
    }

    fn take(&mut self, choice: Choice) -> Vec<Action> {
        match (choice, self.input(choice)) {
            (Choice::Tick, _) => vec![],
            (_, input) => step::take(&mut self.machine, self.now, input),
        }
    }

    fn judge(&mut self, step: Move<Choice>, actions: &[Action]) {
        self.faults -= u8::from(step.fault);
        // Before the model has heard of it: a leg is named by its place.
        let input = self.input(step.choice);
        match step.choice {
            Choice::Tick => return self.now = self.now + TICK,
            Choice::Wanted => self.wanted += 1,
            Choice::Served => self.served += 1,
            Choice::Families => self.untold = false,
            Choice::Drain => self.drains = true,
            _ => {}
        }
        let quic = |action: &Action| matches!(action, Action::Start { runner: Leg::Quic, .. });
        self.untold |= self.setting.both && actions.iter().any(quic);
        self.untold &= self.machine.is_about_quic();
        self.machine.check();
        self.model.observe(self.now, &input, actions, &self.machine);
        // It is copied with every state, and nobody reads it here.
        self.model.tally = Tally::default();
    }

    fn poke(&self) {
        // What is due is done by any call.
        if self.machine.poll_timeout().is_some_and(|at| at <= self.now) {
            return;
        }
        let before = self.machine.snapshot(self.now);
        let after = step::poked(&self.machine, self.now, self.stale()).snapshot(self.now);
        assert_eq!(before, after, "stale events and early timeouts must leave no trace");
    }

    fn is_over(&self) -> bool {
        let asked = (self.wanted, self.served) == self.setting.wishes;
        let over = asked && self.model.running().is_empty() && self.model.up().is_empty();
        if over {
            self.model.at_rest(&self.machine);
        }
        over
    }

    fn fingerprint(&self) -> u128 {
        let around = (self.wanted, self.served, self.untold, self.drains, self.faults);
        Fingerprint::of(&(self.machine.snapshot(self.now), around))
    }
}
