//! The contract of every machine, tested without knowing what the machine is for.
//!
//! A [`Subject`] supplies the machine, the events and a model of what should come out. The
//! harness drives both from one tape and asserts what holds for every machine:
//! - *total*: no event at any time makes it panic, and `check()` holds after every call;
//! - *deterministic*: a twin, cloned at some point, gives the same actions and deadlines;
//! - *bounded*: one call gives no more actions than the subject allows;
//! - *progress*: called when it asked to be, it asks for a later time within a few calls;
//! - *harmless*: a call before its time, or a second one, does nothing.

use core::fmt::Debug;

use regatta_core::{Duration, Instant, Machine, Outbox};

use crate::seen::Seen;
use crate::tape::Tape;

/// Most steps that are drawn from one tape.
const STEPS_MAX: usize = 2_000;
/// Most steps that coming to rest may take.
const REST_MAX: usize = 3_000;
/// Most calls at one instant until a machine has done what is due then, and so many more for
/// each step of its past: who asked may wait, and three connections be made for him, one a call.
const CALLS_MAX: u64 = 300;
const CALLS_PER_STEP: u64 = 5;
/// Most deadlines that are followed in one look ahead.
const HOPS_MAX: usize = 8;

/// What holds for every machine, by name.
pub const INVARIANTS: [&str; 7] =
    [SOUND, TWIN, BOUNDED, PROGRESS, HARMLESS, EARLY_IS_NOTHING, COMES_TO_REST];

const SOUND: &str = "a machine's own recount agrees after every call";
const TWIN: &str = "a copy of a machine does the same";
const BOUNDED: &str = "one call does no more than it may";
const PROGRESS: &str = "what is due is done within a few calls";
const HARMLESS: &str = "a second timeout does nothing";
const EARLY_IS_NOTHING: &str = "a timeout before its time does nothing";
const COMES_TO_REST: &str = "a kind world comes to rest";

/// What a machine is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<E> {
    /// `handle_timeout`.
    Timeout,
    /// `handle_event`.
    Event(E),
}

/// How a world that has become kind goes on.
#[derive(Clone, Debug)]
pub enum Rest<E> {
    /// By this event, now.
    Event(E),
    /// By the work that the machine has left for now.
    Work,
    /// By sleeping until the machine's deadline.
    Sleep,
    /// Nothing is left to come.
    Done,
}

/// A machine under test: how to make it, what happens to it, and what it should answer.
pub trait Subject {
    /// The machine.
    type Machine: Machine<Event: Clone + Debug, Action: Clone + Debug + PartialEq> + Clone;

    /// Draws a configuration.
    fn new(tape: &mut Tape) -> Self;

    /// A machine of that configuration, always the same.
    fn machine(&self) -> Self::Machine;

    /// Draws the next event, legal or not.
    fn event(&mut self, tape: &mut Tape, now: Instant) -> <Self::Machine as Machine>::Event;

    /// Compares what the machine did with what it should have done; panics on a difference.
    fn observe(
        &mut self,
        now: Instant,
        input: &Input<<Self::Machine as Machine>::Event>,
        actions: &[<Self::Machine as Machine>::Action],
        machine: &Self::Machine,
    );

    /// Counts what the step just observed has reached. The machine's records may be taken.
    fn see(
        &self,
        _input: &Input<<Self::Machine as Machine>::Event>,
        _actions: &[<Self::Machine as Machine>::Action],
        _machine: &mut Self::Machine,
        _seen: &mut Seen,
    ) {
    }

    /// Counts the invariants that were evaluated during the run.
    fn see_invariants(&self, _seen: &mut Seen) {}

    /// Its settings, for people.
    fn describe(&self) -> String {
        String::new()
    }

    /// The next step of a world in which nothing goes wrong any more.
    fn rest(
        &mut self,
        now: Instant,
        machine: &Self::Machine,
    ) -> Rest<<Self::Machine as Machine>::Event>;

    /// Asserts what must be true when nothing is left to come.
    fn at_rest(&self, machine: &Self::Machine);

    /// Most actions that one call may give.
    fn actions_max(&self) -> usize;
}

/// Who looks at a run.
pub struct Watch<'a> {
    /// Counts what was reached, also when the run fails.
    pub seen: &'a mut Seen,
    /// How many steps were taken.
    pub steps: u64,
    /// Is told of every step in a few lines.
    pub trace: Option<&'a mut dyn FnMut(&str)>,
}

impl Debug for Watch<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Watch").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// Runs one tape to its end and then to rest; panics on the first lie.
/// With `REGATTA_TRACE` set, every step is printed.
pub fn run<S: Subject>(bytes: &[u8]) {
    let mut print = |lines: &str| eprintln!("{lines}");
    let trace: Option<&mut dyn FnMut(&str)> =
        if std::env::var_os("REGATTA_TRACE").is_some() { Some(&mut print) } else { None };
    let seen = &mut Seen::default();
    drive::<S>(&mut Tape::new(bytes), &mut Watch { seen, steps: 0, trace });
}

/// As [`run`], under the eyes of `watch`. After a panic the tape's bytes are those that were
/// drawn until then.
pub fn drive<S: Subject>(tape: &mut Tape, watch: &mut Watch<'_>) {
    let subject = S::new(tape);
    if let Some(trace) = &mut watch.trace {
        trace(&subject.describe());
    }
    let machine = subject.machine();
    let twin = subject.machine();
    let mut run = Run {
        subject,
        machine,
        twin,
        now: Instant::EPOCH,
        out: Outbox::new(),
        actions: vec![],
        counts: Counts::default(),
        watch,
    };
    for _ in 0..STEPS_MAX {
        if tape.is_used_up() {
            break;
        }
        run.step(tape);
    }
    run.rest();
    run.count();
}

/// How often what holds for every machine was tried.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    progress: u64,
    harmless: u64,
    early: u64,
    rest: u64,
}

struct Run<'a, 'b, S: Subject> {
    subject: S,
    machine: S::Machine,
    twin: S::Machine,
    now: Instant,
    out: Outbox<<S::Machine as Machine>::Action>,
    actions: Vec<<S::Machine as Machine>::Action>,
    counts: Counts,
    watch: &'a mut Watch<'b>,
}

impl<S: Subject> Run<'_, '_, S> {
    fn step(&mut self, tape: &mut Tape) {
        self.now = moment(tape, self.now, self.machine.poll_timeout());
        let input = match tape.weighted("input", &[12, 3]) {
            0 => Input::Event(self.subject.event(tape, self.now)),
            _ => Input::Timeout,
        };
        self.apply(input);
        match tape.weighted("look", &[13, 2, 1]) {
            0 => {}
            1 => self.look_ahead(),
            _ => self.twin = self.machine.clone(),
        }
    }

    fn apply(&mut self, input: Input<<S::Machine as Machine>::Event>) {
        let before = self.machine.poll_timeout();
        call(&mut self.machine, self.now, &input, &mut self.out);
        self.actions.clear();
        while let Some(action) = self.out.pop() {
            self.actions.push(action);
        }
        self.watch.steps += 1;
        if let Some(trace) = &mut self.watch.trace {
            trace(&told(self.now, &input, &self.actions, self.machine.poll_timeout()));
        }
        self.machine.check();
        let most = self.subject.actions_max();
        assert!(self.actions.len() <= most, "{} actions, over {most}", self.actions.len());
        call(&mut self.twin, self.now, &input, &mut self.out);
        for action in &self.actions {
            assert_eq!(self.out.pop().as_ref(), Some(action), "the twin does otherwise");
        }
        assert_eq!(self.out.pop(), None, "the twin does more");
        let timeout = self.machine.poll_timeout();
        assert_eq!(self.twin.poll_timeout(), timeout, "the twin waits otherwise");
        if matches!(input, Input::Timeout) && before.is_none_or(|at| self.now < at) {
            assert!(self.actions.is_empty(), "too early a timeout did {:?}", self.actions);
            self.counts.early += 1;
        }
        self.subject.observe(self.now, &input, &self.actions, &self.machine);
        self.subject.see(&input, &self.actions, &mut self.machine, self.watch.seen);
    }

    /// Tells what has held.
    fn count(&mut self) {
        let (seen, steps) = (&mut *self.watch.seen, self.watch.steps);
        let counts = self.counts;
        let times = [steps, steps, steps, counts.progress, counts.harmless, counts.early];
        for (name, times) in INVARIANTS.into_iter().zip(times.into_iter().chain([counts.rest])) {
            if times > 0 {
                seen.always(name, times);
            }
        }
        self.subject.see_invariants(seen);
    }

    /// Follows the machine's deadlines on a copy, with nothing else happening.
    fn look_ahead(&mut self) {
        let mut machine = self.machine.clone();
        let mut out = Outbox::new();
        let mut now = self.now;
        for _ in 0..HOPS_MAX {
            let Some(at) = machine.poll_timeout() else { return };
            now = now.max(at);
            settle(&mut machine, now, &mut out, CALLS_MAX + CALLS_PER_STEP * self.watch.steps);
            self.counts.progress += 1;
            machine.handle_timeout(now, &mut out);
            machine.check();
            assert!(out.is_empty(), "a second timeout at {now:?} did {:?}", out.pop());
            self.counts.harmless += 1;
        }
    }

    /// Lets the world be kind until nothing is left to come.
    fn rest(&mut self) {
        for _ in 0..REST_MAX {
            match self.subject.rest(self.now, &self.machine) {
                Rest::Event(event) => self.apply(Input::Event(event)),
                Rest::Work => {
                    let at = self.machine.poll_timeout();
                    assert!(at.is_some_and(|at| at <= self.now), "work is left, and no call asked");
                    self.apply(Input::Timeout);
                }
                Rest::Sleep => {
                    let Some(at) = self.machine.poll_timeout() else {
                        panic!("something is left to come and the machine has no deadline");
                    };
                    self.now = self.now.max(at);
                    self.apply(Input::Timeout);
                }
                Rest::Done => {
                    self.counts.rest += 1;
                    return self.subject.at_rest(&self.machine);
                }
            }
        }
        panic!("no rest after {REST_MAX} steps of a kind world");
    }
}

/// One step in words: when, what happened, what was done about it, when to be called again.
fn told<E: Debug, A: Debug>(
    now: Instant,
    input: &Input<E>,
    actions: &[A],
    timeout: Option<Instant>,
) -> String {
    let input = match input {
        Input::Timeout => "Timeout".to_owned(),
        Input::Event(event) => format!("{event:?}"),
    };
    let mut text = format!("{now:>14}  {input}");
    for action in actions {
        text.push_str(&format!("\n{:>14}  -> {action:?}", ""));
    }
    match timeout {
        None => text.push_str(&format!("\n{:>14}  waits for nothing", "")),
        Some(at) => text.push_str(&format!("\n{:>14}  waits until {at}", "")),
    }
    text
}

fn call<M: Machine<Event: Clone>>(
    machine: &mut M,
    now: Instant,
    input: &Input<M::Event>,
    out: &mut Outbox<M::Action>,
) {
    match input {
        Input::Timeout => machine.handle_timeout(now, out),
        Input::Event(event) => machine.handle_event(now, event.clone(), out),
    }
}

/// Calls until nothing is due at `now`, and drops what it does.
fn settle<M: Machine>(machine: &mut M, now: Instant, out: &mut Outbox<M::Action>, calls_max: u64) {
    for _ in 0..calls_max {
        machine.handle_timeout(now, out);
        machine.check();
        while out.pop().is_some() {}
        if machine.poll_timeout().is_none_or(|next| next > now) {
            return;
        }
    }
    // The end of time has no later instant.
    assert_eq!(now, Instant::MAX, "{calls_max} calls at {now:?} made no progress");
}

/// The instant of the next step: often the present, often the deadline or one beside it.
fn moment(tape: &mut Tape, now: Instant, deadline: Option<Instant>) -> Instant {
    let deadline = deadline.unwrap_or(now).max(now);
    match tape.weighted("moment", &[16, 3, 2, 4, 2, 2, 1]) {
        0 => now,
        1 => now + Duration::from_millis(1),
        2 => Instant::from_nanos(deadline.as_nanos().saturating_sub(1)).max(now),
        3 => deadline,
        4 => deadline + Duration::from_nanos(1),
        5 => now + Duration::from_millis(u64::from(tape.draw("ms", 1_000))),
        _ => now + Duration::from_secs(u64::from(tape.draw("s", 200))),
    }
}

#[cfg(test)]
mod tests;
