//! Faults on purpose: each must be found, by the shortest way.

use regatta_core::{eyeballs as core_eyeballs, pool as core_pool};

use super::super::menu::{Menu, Move};
use super::super::search::World;
use super::super::{Size, eyeballs, pool};
use super::broken;

/// A world with a fault: in what happens, or in what the observer hears.
#[derive(Clone)]
struct Twisted<W: World> {
    world: W,
    happens: fn(&mut Menu<W::Choice>),
    heard: fn(&mut Vec<W::Action>),
}

impl<W: World> Twisted<W> {
    fn new(world: W) -> Self {
        Self { world, happens: |_| (), heard: |_| () }
    }
}

impl<W: World> World for Twisted<W> {
    type Choice = W::Choice;
    type Action = W::Action;

    fn moves(&self, menu: &mut Menu<W::Choice>) {
        self.world.moves(menu);
        (self.happens)(menu);
    }

    fn name(&self, choice: W::Choice) -> String {
        self.world.name(choice)
    }

    fn take(&mut self, choice: W::Choice) -> Vec<W::Action> {
        let mut actions = self.world.take(choice);
        (self.heard)(&mut actions);
        actions
    }

    fn judge(&mut self, step: Move<W::Choice>, actions: &[W::Action]) {
        self.world.judge(step, actions);
    }

    fn poke(&self) {
        self.world.poke();
    }

    fn is_over(&self) -> bool {
        self.world.is_over()
    }

    fn fingerprint(&self) -> u128 {
        self.world.fingerprint()
    }
}

fn any_pool() -> pool::Around {
    pool::Around::new(pool::settings::all(Size::Small).remove(0))
}

fn any_race() -> eyeballs::Around {
    eyeballs::Around::new(eyeballs::settings(Size::Small).remove(0))
}

fn steps(path: &[(String, Vec<String>)]) -> Vec<&str> {
    let words = path.iter().map(|(event, _)| event.split([' ', '(']).next());
    words.map(|word| word.unwrap_or_default()).collect()
}

#[test]
fn a_refusal_that_nobody_hears() {
    let mut world = Twisted::new(any_pool());
    world.heard = |actions| {
        actions.retain(|action| !matches!(action, core_pool::Action::Refuse { .. }));
    };
    let found = broken(world);
    assert_eq!(steps(&found.path), ["Requested", "ConnectFailed"], "{found}");
    assert!(found.why.contains("should have been told of its failure"), "{found}");
}

#[test]
fn a_stream_too_many() {
    let mut world = Twisted::new(any_pool());
    world.heard = |actions| {
        let assign =
            |action: &core_pool::Action| matches!(action, core_pool::Action::Assign { .. });
        if let Some(first) = actions.iter().find(|action| assign(action)).cloned() {
            actions.push(first);
        }
    };
    let found = broken(world);
    assert_eq!(steps(&found.path), ["Requested", "Connected"], "{found}");
    assert!(found.why.contains("does not wait and is assigned"), "{found}");
}

#[test]
fn a_peer_that_never_closes() {
    let mut world = Twisted::new(any_pool());
    world.happens = |menu| {
        let closes = |step: &Move<pool::Choice>| matches!(step.choice, pool::Choice::Closed(_));
        menu.kind.retain(|step| !closes(step));
        menu.unkind.retain(|step| !closes(step));
    };
    let found = broken(world);
    assert_eq!(found.why, "nothing is left to happen, and it is not over", "{found}");
}

#[test]
fn a_timer_that_is_never_told() {
    let mut world = Twisted::new(any_pool());
    world.happens = |menu| {
        menu.kind.retain(|step| !matches!(step.choice, pool::Choice::Timeout));
        menu.free(pool::Choice::Tick);
    };
    let found = broken(world);
    assert!(found.why.ends_with("comes back to this state for ever"), "{found}");
}

#[test]
fn a_loser_that_is_not_aborted() {
    let mut world = Twisted::new(any_race());
    world.heard = |actions| {
        actions.retain(|action| !matches!(action, core_eyeballs::Action::Abort(_)));
    };
    let found = broken(world);
    assert!(found.why.contains("must lead to the second"), "{found}");
    assert_eq!(steps(&found.path), ["Resolved", "Cancelled"], "{found}");
}
