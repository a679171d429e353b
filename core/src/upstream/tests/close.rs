//! A close: what it does at once, and what at its deadline.

use super::*;

const DEADLINE: u64 = 100;

fn close(rig: &mut Rig, within: u64) -> Vec<Action> {
    let at = Instant::from_millis(rig.now + within);
    rig.event(Event::Close { at })
}

fn timed(rig: &mut Rig, key: &Key, within: u64) -> RequestId {
    let at = Instant::from_millis(rig.now + within);
    let request = rig.up.request(rig.at(), key, MethodClass::Safe, Some(at));
    rig.take();
    request
}

/// The driver's answers to what comes at the deadline.
fn gone(rig: &mut Rig, connection: ConnectionId) {
    rig.event(Event::Closed { connection, cause: Cause::ShutDown });
}

#[test]
fn what_is_idle_closes_at_once_and_nothing_new_is_taken() {
    let mut rig = Rig::new(|_| ());
    let (connection, request) = rig.up(&http(), Protocol::Http1, 1);
    rig.complete(request);
    assert_eq!(close(&mut rig, DEADLINE), [Action::Shutdown(connection)]);
    let (late, actions) = rig.request(&http());
    assert_eq!(refusals(&actions), [(late, Refusal::Draining)]);
    gone(&mut rig, connection);
    assert_eq!((rig.up.requests(), rig.up.connections(), rig.up.cut()), (0, 0, 0));
    assert_eq!(rig.pass(1_000), [], "nothing is left that the deadline could cut");
}

#[test]
fn at_the_deadline_streams_are_reset_and_those_who_wait_refused() {
    let mut rig = Rig::new(|config| config.clusters[0].limits.max_connections = Some(1));
    let (connection, carried) = rig.up(&http(), Protocol::Http1, 1);
    let (waits, _) = rig.request(&http());
    assert_eq!(close(&mut rig, DEADLINE), []);
    assert_eq!(rig.pass(DEADLINE - 1), []);
    let mut actions = rig.pass(1);
    let refused = Action::Refuse { request: waits, reason: Refusal::Closed, failed: None };
    actions.sort_by_key(|action| *action == refused);
    assert_eq!(actions, [Action::Reset { connection, request: carried }, refused]);
    let actions = rig.ended(carried, Outcome::Reset, RetrySafe::Unknown);
    assert_eq!(refusals(&actions), [(carried, Refusal::Closed)]);
    assert!(actions.contains(&Action::Shutdown(connection)), "{actions:?}");
    // Its task has a second for its goodbyes.
    assert_eq!(rig.pass(999), []);
    assert_eq!(rig.pass(1), [Action::Abort(connection)]);
    assert_eq!(rig.pass(10_000), []);
    gone(&mut rig, connection);
    assert_eq!((rig.up.requests(), rig.up.connections(), rig.up.cut()), (0, 0, 2));
}

#[test]
fn what_is_being_established_ends_with_those_who_wait_for_it() {
    let mut rig = Rig::new(|_| ());
    let (request, actions) = rig.request(&http());
    let actions = rig.resolve(&actions);
    let (attempt, _) = attempts(&actions)[0];
    close(&mut rig, DEADLINE);
    let actions = rig.pass(DEADLINE);
    assert_eq!(refusals(&actions), [(request, Refusal::Closed)]);
    assert!(actions.contains(&Action::AbortAttempt(attempt)), "{actions:?}");
    assert_eq!((rig.up.connections(), rig.up.cut()), (0, 1));
}

#[test]
fn what_ends_before_the_deadline_ends_as_ever() {
    let mut rig = Rig::new(|_| ());
    let (first, carried) = rig.up(&http(), Protocol::Http1, 1);
    let short = timed(&mut rig, &https(), 50);
    close(&mut rig, DEADLINE);
    let actions = rig.pass(60);
    assert_eq!(refusals(&actions), [(short, Refusal::Deadline(Phase::Connecting))]);
    let actions = rig.complete(carried);
    let finished = Action::Finished { request: carried, outcome: Outcome::Complete };
    assert_eq!(actions, [Action::Shutdown(first), finished]);
    gone(&mut rig, first);
    assert_eq!(rig.pass(1_000), []);
    assert_eq!(rig.up.cut(), 0);
}

#[test]
fn the_earliest_of_several_deadlines_holds() {
    for (first, second, expected) in [(100, 30, 30), (30, 100, 30), (0, 50, 0)] {
        let mut rig = Rig::new(|_| ());
        let (_, carried) = rig.up(&http(), Protocol::Http2, 100);
        close(&mut rig, first);
        close(&mut rig, second);
        let mut actions = Vec::new();
        while actions.is_empty() {
            let at = rig.up.poll_timeout().expect("a deadline");
            rig.now = rig.now.max(at.as_nanos() / 1_000_000);
            actions = rig.pass(0);
        }
        assert_eq!(rig.now, expected, "of {first} and {second}");
        assert!(matches!(actions[0], Action::Reset { request, .. } if request == carried));
    }
}

#[test]
fn a_stream_that_fails_after_the_deadline_is_not_sent_again() {
    let mut rig = Rig::new(|_| ());
    let (connection, carried) = rig.up(&http(), Protocol::Http2, 100);
    close(&mut rig, DEADLINE);
    // The driver is late: the stream fails before it is told of the deadline.
    rig.now += DEADLINE;
    let failed = Outcome::Failed(Cause::GoAway(0));
    let actions = rig.ended(carried, failed, RetrySafe::Unprocessed);
    assert_eq!(refusals(&actions), [(carried, Refusal::Closed)]);
    gone(&mut rig, connection);
    assert_eq!(rig.up.cut(), 1);
}

#[test]
fn one_call_cuts_a_burst_of_those_who_wait_and_the_rest_follows_at_once() {
    let mut rig = Rig::new(|config| config.burst = NonZeroU32::new(10).unwrap());
    for _ in 0..35 {
        rig.request(&http());
    }
    close(&mut rig, DEADLINE);
    rig.now += DEADLINE;
    let mut calls = Vec::new();
    while rig.up.poll_timeout().is_some_and(|at| at <= rig.at()) {
        rig.up.handle_timeout(rig.at());
        calls.push(refusals(&rig.take()).len());
    }
    assert_eq!(calls, [10, 10, 10, 5]);
    assert_eq!((rig.up.requests(), rig.up.connections(), rig.up.cut()), (0, 0, 35));
}
