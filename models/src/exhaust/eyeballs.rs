//! The world of one race: answers come in any order or not at all, attempts end any way.

use core::net::IpAddr;
use std::sync::Arc;

use regatta_core::eyeballs::{Action, Config, Event, Eyeballs, Success};
use regatta_core::types::Cause;
use regatta_core::{Duration, Instant, Machine};

use super::menu::{Menu, Move};
use super::met::Fingerprint;
use super::search::{World, search};
use super::{BOUNDS, Listener, Size, Verdict, step};
use crate::eyeballs::Race;
use crate::harness::{Input, Subject as _};
use crate::seen::Tally;

/// Time passes in steps of the least attempt delay that there is.
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
    /// What the resolver has to say; each answer comes by itself, in any order.
    answers: Vec<Vec<IpAddr>>,
    /// How often each attempt may tell that it has moved.
    progress: u8,
    /// How many things may go wrong, attempts that fail aside.
    faults: u8,
}

/// Every world of a size.
pub(super) fn settings(size: Size) -> Vec<Setting> {
    let setting = |name, success| {
        let mut config = Config::default();
        config.attempt_delay = TICK * 2;
        config.resolution_delay = TICK * 3;
        config.success = success;
        let answers = addresses(match size {
            Size::Small => &["2001:db8::1 2001:db8::2", "192.0.2.1"],
            Size::Medium => &["2001:db8::1", "2001:db8::2", "192.0.2.1"],
            Size::Large => &["2001:db8::1 2001:db8::2", "192.0.2.1", "192.0.2.2"],
        });
        let (progress, faults) = if size == Size::Small { (1, 1) } else { (2, 2) };
        Setting { name, config, answers, progress, faults }
    };
    let handshake = |name| setting(name, Success::Handshake);
    let mut narrow = handshake("two at once");
    narrow.config.max_parallel = 2;
    let mut few = handshake("two in all");
    few.config.max_attempts = 2;
    let mut patient = handshake("an attempt waits longer than the resolver");
    (patient.config.attempt_delay, patient.config.resolution_delay) = (TICK * 4, TICK);
    let transport = setting("TCP decides", Success::Transport);
    vec![handshake("TLS decides"), transport, narrow, few, patient]
}

fn addresses(answers: &[&str]) -> Vec<Vec<IpAddr>> {
    let answer = |text: &&str| {
        let addresses = text.split(' ').map(|text| text.parse().expect("an address"));
        addresses.collect()
    };
    answers.iter().map(answer).collect()
}

/// Something that may happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// Time passes.
    Tick,
    /// The machine's deadline has come, and the driver says so.
    Timeout,
    /// An answer of the setting, by its place.
    Answer(u8),
    Finish {
        failed: bool,
    },
    Progress(u8),
    Connected(u8),
    Failed(u8),
    Cancel,
}

/// One race and all that is around it.
#[derive(Clone)]
pub(super) struct Around {
    setting: Arc<Setting>,
    machine: Eyeballs,
    /// The reference: what the machine must do, action by action.
    model: Race,
    now: Instant,
    /// Which answers came.
    came: Vec<bool>,
    finished: bool,
    /// How often each attempt has moved.
    moved: Vec<u8>,
    /// How much more may go wrong.
    faults: u8,
}

impl Around {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            machine: Race::of(setting.config.clone()).machine(),
            model: Race::of(setting.config.clone()),
            now: Instant::EPOCH,
            came: vec![false; setting.answers.len()],
            finished: false,
            moved: vec![0; setting.answers.iter().map(Vec::len).sum()],
            faults: setting.faults,
            setting: Arc::new(setting),
        }
    }

    fn input(&self, choice: Choice) -> Input<Event> {
        let cause = Cause::Refused;
        Input::Event(match choice {
            Choice::Tick | Choice::Timeout => return Input::Timeout,
            Choice::Answer(place) => {
                Event::Resolved(self.setting.answers[usize::from(place)].clone())
            }
            Choice::Finish { failed } => {
                Event::ResolveFinished { failed: failed.then_some(Cause::ResolveFailed) }
            }
            Choice::Progress(number) => Event::Progress(number.into()),
            Choice::Connected(number) => Event::Connected(number.into()),
            Choice::Failed(number) => Event::Failed { attempt: number.into(), cause },
            Choice::Cancel => Event::Cancelled,
        })
    }

    /// Events about attempts that are over, or that never were; once all is over, any event.
    fn stale(&self) -> Vec<Event> {
        let running = self.model.running();
        let numbers = (0..=self.moved.len() as u32).filter(|number| !running.contains(number));
        let of = |number| {
            let failed = Event::Failed { attempt: number, cause: Cause::Refused };
            [Event::Progress(number), Event::Connected(number), failed]
        };
        let mut events: Vec<_> = numbers.flat_map(of).collect();
        if self.finished {
            events.push(Event::ResolveFinished { failed: Some(Cause::NameNotFound) });
        }
        if self.model.is_done() {
            events.extend(self.setting.answers.iter().cloned().map(Event::Resolved));
            events.push(Event::ResolveFinished { failed: None });
            events.push(Event::Cancelled);
        }
        events
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
        for number in self.model.running() {
            let number = number as u8;
            menu.free(Choice::Connected(number));
            menu.free(Choice::Failed(number));
            if self.moved[usize::from(number)] < self.setting.progress {
                menu.free(Choice::Progress(number));
            }
        }
        if !self.finished {
            for (place, came) in (0..).zip(&self.came) {
                menu.add(!came, Choice::Answer(place));
            }
            // The resolver may end before it has said all, or fail.
            let all = self.came.iter().all(|came| *came);
            menu.add(all, Choice::Finish { failed: false });
            menu.fault(Choice::Finish { failed: true });
        }
        if deadline.is_some() && !due {
            menu.free(Choice::Tick);
        }
        menu.fault(Choice::Cancel);
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
        match step.choice {
            Choice::Tick => return self.now = self.now + TICK,
            Choice::Answer(place) => self.came[usize::from(place)] = true,
            Choice::Finish { .. } => self.finished = true,
            Choice::Progress(number) => self.moved[usize::from(number)] += 1,
            _ => {}
        }
        self.machine.check();
        let input = self.input(step.choice);
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
        if self.model.is_done() {
            self.model.at_rest(&self.machine);
        }
        self.model.is_done()
    }

    fn fingerprint(&self) -> u128 {
        let around = (&self.came, self.finished, &self.moved, self.faults);
        Fingerprint::of(&(self.machine.snapshot(self.now), around))
    }
}
