//! A world whose run is written down. When it has come to rest, the journal is read back and
//! replayed: every action must be the same.

use regatta_core::Instant;
use regatta_core::journal::{End, Output, Writer, replay};
use regatta_core::upstream::{Action, Config, Event, Upstream};

use crate::harness::{Input, Rest, Subject};
use crate::seen::Seen;
use crate::tape::Tape;

/// A subject that tells its settings.
pub trait Configured: Subject<Machine = Upstream> {
    /// Of the upstream.
    fn config(&self) -> &Config;
}

/// `W` with a journal.
#[derive(Debug)]
pub struct Journaled<W> {
    world: W,
    writer: Writer,
}

impl<W: Configured> Subject for Journaled<W> {
    type Machine = Upstream;

    fn new(tape: &mut Tape) -> Self {
        let world = W::new(tape);
        let writer = Writer::new(world.config());
        Self { world, writer }
    }

    fn machine(&self) -> Upstream {
        self.world.machine()
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> Event {
        self.world.event(tape, now)
    }

    fn observe(
        &mut self,
        now: Instant,
        input: &Input<Event>,
        actions: &[Action],
        machine: &Upstream,
    ) {
        match input {
            Input::Timeout => self.writer.timeout(now),
            Input::Event(event) => self.writer.event(now, event),
        }
        if let Input::Event(Event::Requested { .. }) = input {
            let minted = machine.last_request().expect("a request was made");
            self.writer.output(&Output::Minted(minted));
        }
        for action in actions {
            self.writer.action(action);
        }
        self.world.observe(now, input, actions, machine);
    }

    fn see(
        &self,
        input: &Input<Event>,
        actions: &[Action],
        machine: &mut Upstream,
        seen: &mut Seen,
    ) {
        self.world.see(input, actions, machine, seen);
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.world.see_invariants(seen);
    }

    fn describe(&self) -> String {
        self.world.describe()
    }

    fn rest(&mut self, now: Instant, machine: &Upstream) -> Rest<Event> {
        self.world.rest(now, machine)
    }

    fn at_rest(&self, machine: &Upstream) {
        self.world.at_rest(machine);
        let mut journal = self.writer.text().to_owned();
        Writer::end(End::Complete, self.writer.steps(), &mut journal);
        match replay(journal.as_bytes()) {
            Ok(summary) => assert_eq!(summary.steps, self.writer.steps(), "steps"),
            Err(failure) => panic!("the replay does otherwise: {failure}\n{journal}"),
        }
    }

    fn actions_max(&self) -> usize {
        self.world.actions_max()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Anarchy, World};
    use super::Journaled;
    use crate::testing::tapes;

    #[test]
    fn a_world_is_had_again() {
        tapes::<Journaled<World>>(3, 400);
    }

    #[test]
    fn anarchy_is_had_again() {
        tapes::<Journaled<Anarchy>>(3, 300);
    }

    #[test]
    fn races_are_had_again() {
        tapes::<Journaled<World<true>>>(3, 400);
        tapes::<Journaled<Anarchy<true>>>(3, 300);
    }
}
