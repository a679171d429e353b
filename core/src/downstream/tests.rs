//! The rules of the listening side, as rows of (event, actions).

use super::*;
use crate::machine::must_see;

fn id(slot: u32, generation: u32) -> ConnectionId {
    ConnectionId::new(slot, generation)
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

struct Rig {
    machine: Downstream,
    out: Outbox<Action>,
}

impl Rig {
    fn new(max_connections: u32) -> Self {
        let drain_timeout = Some(Duration::from_millis(100));
        let machine = Downstream::new(Config { max_connections, drain_timeout });
        Self { machine, out: Outbox::new() }
    }

    fn gives(&mut self, ms: u64, event: Event, expected: &[Action]) {
        self.machine.handle_event(at(ms), event, &mut self.out);
        self.drained(expected);
    }

    fn times_out(&mut self, ms: u64, expected: &[Action]) {
        self.machine.handle_timeout(at(ms), &mut self.out);
        self.drained(expected);
    }

    fn drained(&mut self, expected: &[Action]) {
        self.machine.check();
        let actions: Vec<_> = core::iter::from_fn(|| self.out.pop()).collect();
        assert_eq!(actions, expected);
    }
}

// rule: L-11
#[test]
fn the_limit_is_exact_and_given_back() {
    let mut rig = Rig::new(1);
    rig.gives(0, Event::Accepted, &[Action::Serve(id(0, 0))]);
    rig.gives(1, Event::Accepted, &[Action::TurnAway]);
    rig.gives(2, Event::Closed(id(0, 0)), &[]);
    rig.gives(3, Event::Closed(id(0, 0)), &[]);
    rig.gives(4, Event::Accepted, &[Action::Serve(id(0, 1))]);
    assert_eq!((rig.machine.accepted(), rig.machine.turned_away()), (2, 1));
}

#[test]
fn who_is_served_and_who_was_turned_away_is_counted() {
    let mut rig = Rig::new(2);
    let counted = |rig: &Rig| (rig.machine.active(), rig.machine.turned_away());
    assert_eq!(counted(&rig), (0, 0));
    rig.gives(0, Event::Accepted, &[Action::Serve(id(0, 0))]);
    assert_eq!(counted(&rig), (1, 0));
    rig.gives(1, Event::Accepted, &[Action::Serve(id(1, 0))]);
    rig.gives(2, Event::Accepted, &[Action::TurnAway]);
    rig.gives(3, Event::Accepted, &[Action::TurnAway]);
    assert_eq!(counted(&rig), (2, 2));
    rig.gives(4, Event::Closed(id(0, 0)), &[]);
    assert_eq!(counted(&rig), (1, 2));
}

#[test]
fn a_drain_waits_for_the_last_stream() {
    let mut rig = Rig::new(4);
    rig.gives(0, Event::Accepted, &[Action::Serve(id(0, 0))]);
    rig.gives(1, Event::Drain, &[Action::StopAccepting, Action::Shutdown(id(0, 0))]);
    rig.gives(2, Event::Drain, &[]);
    rig.gives(3, Event::Accepted, &[Action::TurnAway]);
    rig.gives(4, Event::Closed(id(0, 0)), &[Action::Drained]);
    assert_eq!(rig.machine.poll_timeout(), None);
}

#[test]
fn a_drain_without_connections_is_over_at_once() {
    let mut rig = Rig::new(4);
    rig.gives(0, Event::Drain, &[Action::StopAccepting, Action::Drained]);
}

#[test]
fn what_outlives_the_drain_timeout_is_cut() {
    let mut rig = Rig::new(4);
    rig.gives(0, Event::Accepted, &[Action::Serve(id(0, 0))]);
    rig.gives(1, Event::Drain, &[Action::StopAccepting, Action::Shutdown(id(0, 0))]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(101)));
    rig.times_out(100, &[]);
    rig.times_out(101, &[Action::Abort(id(0, 0))]);
    rig.times_out(102, &[]);
    rig.gives(103, Event::Closed(id(0, 0)), &[Action::Drained]);
}

#[test]
fn what_contradicts_itself_is_seen() {
    let mut rig = Rig::new(2);
    rig.gives(0, Event::Accepted, &[Action::Serve(id(0, 0))]);
    must_see(
        &rig.machine,
        &[
            ("max_connections holds", |machine| machine.config.max_connections = 0),
            ("drained with connections left", |machine| machine.stage = Stage::Drained),
        ],
    );
}
