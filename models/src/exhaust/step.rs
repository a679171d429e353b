//! One step of a machine that is walked.

use core::fmt::Debug;

use regatta_core::{Instant, Machine, Outbox};

use crate::harness::Input;

/// Has the machine take this in; what it does.
pub(super) fn take<M: Machine>(
    machine: &mut M,
    now: Instant,
    input: Input<M::Event>,
) -> Vec<M::Action> {
    let mut out = Outbox::new();
    match input {
        Input::Timeout => machine.handle_timeout(now, &mut out),
        Input::Event(event) => machine.handle_event(now, event, &mut out),
    }
    core::iter::from_fn(|| out.pop()).collect()
}

/// What it is, for people.
pub(super) fn name<E: Debug>(input: &Input<E>) -> String {
    match input {
        Input::Event(event) => format!("{event:?}"),
        Input::Timeout => "Timeout".into(),
    }
}

/// A copy that was told what is stale, and of a timeout where none is due: it must do nothing.
pub(super) fn poked<M>(machine: &M, now: Instant, stale: Vec<M::Event>) -> M
where
    M: Machine<Event: Clone + Debug, Action: Debug> + Clone,
{
    let mut machine = machine.clone();
    for event in stale {
        let did = take(&mut machine, now, Input::Event(event.clone()));
        assert!(did.is_empty(), "{event:?} is stale and did {:?}", did.first());
    }
    if machine.poll_timeout().is_none_or(|at| at > now) {
        let did = take(&mut machine, now, Input::Timeout);
        assert!(did.is_empty(), "too early a timeout did {:?}", did.first());
    }
    machine
}
