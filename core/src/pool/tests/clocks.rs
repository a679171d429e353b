//! Deadlines of connections.

use super::super::tables::Clock;
use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// rule: L-9
#[test]
fn an_idle_connection_closes_after_its_time_counted_from_the_last_stream() {
    let mut rig = Rig::new(|config| config.pool.idle_timeout = Some(ms(100)));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.pass(1_000), [], "not while a stream is under way");
    rig.done(0, 0);
    assert_eq!(rig.pass(99), []);
    rig.ask();
    assert_eq!(rig.pass(1), []);
    rig.event(Event::Cancelled(RequestId::new(0, 1)));
    rig.pass(10);
    let (connection, request, body) = (c(0), RequestId::new(0, 1), BodyState::Untouched);
    let (outcome, retry) = (Outcome::Reset, RetrySafe::Unknown);
    rig.event(Event::StreamEnded { connection, request, outcome, retry, body });
    assert_eq!(rig.pass(99), []);
    assert_eq!(rig.pass(1), [Action::Shutdown(c(0))]);
    assert_eq!(rig.solo.count(Kind::IdleTimeout), 1);
}

#[test]
fn none_keeps_an_idle_connection_for_ever() {
    let mut rig = Rig::new(|config| config.pool.idle_timeout = None);
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    rig.done(0, 0);
    assert_eq!(rig.solo.poll_timeout().map(|_| ()), Some(()), "the old clock, found out late");
    assert_eq!(rig.pass(10_000_000), []);
    assert_eq!(rig.solo.poll_timeout(), None);
}

#[test]
fn the_connect_timeout_is_told_and_its_failure_awaited() {
    let mut rig = Rig::new(|config| config.pool.connect_timeout = ms(50));
    rig.ask();
    assert_eq!(rig.pass(49), []);
    assert_eq!(rig.pass(1), [Action::ConnectTimedOut(c(0))]);
    assert_eq!(rig.pass(50), [], "once");
    assert_eq!(rig.connect_failed(0), [connect_refused(0)]);
}

#[test]
fn an_old_connection_drains_and_cuts_nobody() {
    let mut rig = Rig::new(|config| config.pool.max_connection_duration = Some(ms(500)));
    rig.ask();
    rig.now = 100;
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.pass(499), []);
    assert_eq!(rig.states(0..1), [State::Ready]);
    assert_eq!(rig.pass(1), []);
    assert_eq!(rig.states(0..1), [State::Draining]);
    assert_eq!(rig.solo.count(Kind::MaxDuration), 1);
    assert_eq!(rig.done(0, 0), [Action::Shutdown(c(0)), complete(0)]);
}

#[test]
fn a_drain_that_takes_too_long_is_cut() {
    let mut rig = Rig::new(|config| config.pool.drain_timeout = Some(ms(30)));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.event(Event::Refusing(c(0)));
    assert_eq!(rig.pass(29), []);
    assert_eq!(rig.pass(1), [Action::Abort(c(0))]);
    let told = rig.end(0, 0, Outcome::Failed(Cause::ShutDown), RetrySafe::Answered);
    assert_eq!(told, [refuse(0, Refusal::StreamFailed(Cause::ShutDown))], "no second Shutdown");
}

#[test]
fn http2_that_was_idle_for_long_is_probed_before_reuse() {
    let mut rig = Rig::new(|config| config.pool.probe_after_idle = Some(ms(10)));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    rig.now = 10;
    assert_eq!(rig.ask(), [Action::Assign { request: RequestId::new(0, 1), connection: c(0) }]);
    let (connection, request, body) = (c(0), RequestId::new(0, 1), BodyState::Untouched);
    let (outcome, retry) = (Outcome::Complete, RetrySafe::Answered);
    rig.event(Event::StreamEnded { connection, request, outcome, retry, body });
    rig.now = 21;
    assert_eq!(rig.ask(), [Action::Probe(c(0))], "and nobody is assigned meanwhile");
    assert_eq!(rig.ask(), [], "one probe will do for both");
    let told = rig.event(Event::Probed(c(0)));
    let request = RequestId::new(0, 2);
    assert_eq!(told, [Action::Assign { request, connection: c(0) }, assign(1, 0)]);
}

#[test]
fn a_probe_without_answer_costs_the_connection_and_not_the_request() {
    let mut rig = Rig::new(|config| {
        config.pool.probe_after_idle = Some(ms(10));
        config.pool.connect_timeout = ms(50);
    });
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    rig.now = 21;
    rig.ask();
    assert_eq!(rig.pass(50), [Action::Abort(c(0)), Action::Connect(c(1))]);
    let told = rig.up(1, Protocol::Http2, 10);
    assert_eq!(told, [Action::Assign { request: RequestId::new(0, 1), connection: c(1) }]);
}

#[test]
fn an_idle_connection_that_says_something_goes_before_those_that_say_nothing() {
    let mut rig = Rig::new(|config| config.pool.probe_after_idle = Some(ms(10)));
    rig.ask();
    rig.up(0, Protocol::Http2, 1);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    rig.up(1, Protocol::Http2, 1);
    rig.done(0, 0);
    rig.done(1, 1);
    rig.now = 8;
    rig.limit(0, 1);
    rig.now = 12;
    let request = RequestId::new(1, 1);
    assert_eq!(rig.ask(), [Action::Assign { request, connection: c(0) }], "and nobody is probed");
}

#[test]
fn nothing_is_begun_in_the_place_of_what_timed_out() {
    // Found by the explorer: two that wait for an address that swallows everything, begun one
    // after the other, kept each other's connections from being the last, and waited for ever.
    let mut rig = Rig::new(|config| {
        config.pool.connect_timeout = ms(50);
        config.http1_alone = true;
    });
    assert_eq!(rig.ask(), [Action::Connect(c(0))]);
    assert_eq!(rig.pass(10), []);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    assert_eq!(rig.pass(40), [Action::ConnectTimedOut(c(0))]);
    assert_eq!(rig.connect_failed(0), []);
    assert_eq!(rig.pass(10), [Action::ConnectTimedOut(c(1))]);
    let told = rig.connect_failed(1);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|action| matches!(action, Action::Refuse { .. })), "{told:?}");
}

#[test]
fn the_deadline_of_what_has_failed_before_begins_nothing() {
    // Found by the explorer, by seed 20714: as above, of connections that fail before their time.
    let mut rig = Rig::new(|config| {
        config.pool.connect_timeout = ms(50);
        config.http1_alone = true;
    });
    rig.ask();
    assert_eq!(rig.pass(10), []);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    assert_eq!(rig.connect_failed(0), []);
    assert_eq!(rig.pass(40), []);
    assert_eq!(rig.connect_failed(1).len(), 2, "both are refused");
}

#[test]
fn what_the_budget_left_to_begin_is_not_begun_when_another_times_out() {
    let mut rig = Rig::new(|config| {
        config.pool.connect_timeout = ms(50);
        config.http1_alone = true;
        config.pool.preconnect_permille = 3_000;
        config.burst = 1;
    });
    assert_eq!(rig.ask(), [Action::Connect(c(0))], "three are wanted");
    rig.now = 50;
    rig.solo.handle_timeout(rig.at(), &mut rig.out);
    assert_eq!(rig.take(), [Action::ConnectTimedOut(c(0))], "its failure is told next");
    assert_eq!(rig.connect_failed(0), [connect_refused(0)]);
}

#[test]
fn nobody_goes_on_a_connection_that_owes_a_sign_of_life() {
    let mut rig = Rig::new(|config| config.pool.probe_after_idle = Some(ms(10)));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    rig.now = 11;
    assert_eq!(rig.ask(), [Action::Probe(c(0))]);
    // Its peer wrote this before it was asked, perhaps.
    assert_eq!(rig.limit(0, 20), []);
    assert_eq!(rig.states(0..1), [State::Busy]);
    let request = RequestId::new(0, 1);
    let told = rig.event(Event::Probed(c(0)));
    assert_eq!(told, [Action::Assign { request, connection: c(0) }]);
}

#[test]
fn a_connection_has_one_clock_at_a_time() {
    let mut rig = Rig::new(|config| config.pool.drain_timeout = Some(ms(30)));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    let Rig { solo: Solo { pool, tables, .. }, out, .. } = &mut rig;
    let mut turn = Turn { id: pool.id, now: Instant::EPOCH, pool, tables, out };
    turn.start_clock(c(0), Clock::Drain);
    assert_eq!(rig.pass(59_999), [], "the one for idle runs on");
    assert_eq!(rig.pass(1), [Action::Shutdown(c(0))]);
}
