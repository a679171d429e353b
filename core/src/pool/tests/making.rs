//! When a connection is made, and what comes out of it.

use super::*;

#[test]
fn an_unknown_connection_counts_for_the_assumed_streams() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = some(3).unwrap());
    assert_eq!(rig.queue(3), [Action::Connect(c(0))]);
    assert_eq!(rig.solo.admission(), Admission::EnoughConnecting);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    let mut rig = Rig::new(|config| config.http1_alone = true);
    assert_eq!(rig.queue(2), [Action::Connect(c(0)), Action::Connect(c(1))], "HTTP/1: one each");
}

#[test]
fn when_http1_comes_out_of_it_more_are_made_in_the_same_call() {
    let mut rig = Rig::new(|_| ());
    assert_eq!(rig.queue(3), [Action::Connect(c(0))]);
    let told = rig.up(0, Protocol::Http1, 1);
    assert_eq!(told, [assign(0, 0), Action::Connect(c(1)), Action::Connect(c(2))]);
    rig.up(1, Protocol::Http1, 1);
    rig.up(2, Protocol::Http1, 1);
    assert_eq!(rig.queue(2), [Action::Connect(c(3)), Action::Connect(c(4))], "and remembered");
}

#[test]
fn when_http2_comes_out_of_it_those_that_nobody_needs_are_aborted() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    assert_eq!(rig.queue(3).len(), 3);
    let told = rig.up(1, Protocol::Http2, 100);
    let aborted = [Action::AbortConnect(c(2)), Action::AbortConnect(c(0))];
    assert_eq!(told[..3], [assign(0, 1), assign(1, 1), assign(2, 1)]);
    assert_eq!(told[3..], aborted);
    assert_eq!(rig.solo.used(Resource::Connections), 1);
}

#[test]
fn a_sibling_that_somebody_still_needs_goes_on() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    rig.queue(4);
    let told = rig.up(0, Protocol::Http2, 2);
    let aborted = [Action::AbortConnect(c(3)), Action::AbortConnect(c(2))];
    assert_eq!(told[2..], aborted, "one of three will do for the two that are left");
    assert_eq!(rig.states(1..2), [State::Connecting]);
}

#[test]
fn who_waits_fails_only_with_the_last_connecting_connection() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.queue(2);
    assert_eq!(rig.connect_failed(0), []);
    assert_eq!(rig.connect_failed(1), [connect_refused(0), connect_refused(1)]);
    assert_eq!(rig.solo.count(Kind::PendingFailed), 2);
}

#[test]
fn who_can_still_be_served_waits_on_without_a_loop_of_attempts() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    assert_eq!(rig.connect_failed(1), [], "connection 0 will serve it; none is begun at once");
    assert_eq!(rig.done(0, 0), [complete(0), assign(1, 0)]);
}

#[test]
fn when_the_last_hope_closes_a_connection_is_made() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    rig.ask();
    rig.connect_failed(1);
    let told = rig.end(0, 0, Outcome::Failed(Cause::Closed), RetrySafe::Answered);
    let refused = refuse(0, Refusal::StreamFailed(Cause::Closed));
    assert_eq!(told, [refused, assign(1, 0)]);
}

#[test]
fn cancel_leaves_what_is_connecting_to_serve_later() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.event(Event::Cancelled(r(0)));
    assert_eq!(rig.states(0..1), [State::Connecting]);
    assert_eq!(rig.up(0, Protocol::Http2, 10), []);
    assert_eq!(rig.states(0..1), [State::Ready]);
}

#[test]
fn the_preconnect_ratio_makes_them_ahead_of_need() {
    // Envoy's example: ratio 1.5 and one stream each: 2, then 1, then 2 more.
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.pool.preconnect_permille = 1_500;
    });
    for made in [2, 1, 2] {
        assert_eq!(rig.ask().len(), made);
    }
    // Ratio 1.5 and two streams each: 1, then 1 more.
    let mut rig = Rig::new(|config| {
        config.pool.assumed_streams = some(2).unwrap();
        config.pool.preconnect_permille = 1_500;
    });
    for made in [1, 1] {
        assert_eq!(rig.ask().len(), made);
    }
    assert_eq!(rig.solo.count(Kind::Preconnected), 1);
}

#[test]
fn the_ratio_is_at_most_three() {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.pool.preconnect_permille = 90_000;
    });
    assert_eq!(rig.ask().len(), 3);
    // The first one has somebody who waits for it.
    assert_eq!(rig.solo.count(Kind::Preconnected), 2);
}

/// A pool of HTTP/1 connections with a ratio of 3: one in use, two ahead of need.
fn eager() -> Rig {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.pool.preconnect_permille = 3_000;
    });
    assert_eq!(rig.ask().len(), 3);
    assert_eq!(rig.up(0, Protocol::Http1, 1), [assign(0, 0)]);
    rig
}

#[test]
fn what_was_made_ahead_of_need_and_closes_is_not_made_again() {
    // Found by the explorer: a peer that took so many connections and no more closed each
    // further one at once, and another was begun in the same moment, for ever.
    let mut rig = eager();
    assert_eq!(rig.up(1, Protocol::Http1, 1), []);
    assert_eq!(rig.down(1), []);
    assert_eq!(rig.up(2, Protocol::Http1, 1), [], "nor when another comes up");
    assert_eq!(rig.pass(1), []);
    assert_eq!(rig.ask().len(), 5, "the next request is assigned, and asks for four more");
    let lost = refuse(1, Refusal::StreamFailed(Cause::Closed));
    assert_eq!(rig.down(2), [lost], "nor where a connection in use closes");
}

#[test]
fn what_the_budget_left_to_begin_ahead_of_need_is_not_begun_after_a_close() {
    let mut rig = Rig::new(|config| {
        config.burst = 1;
        config.http1_alone = true;
        config.pool.preconnect_permille = 3_000;
    });
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    rig.solo.handle_timeout(rig.at(), &mut rig.out);
    assert_eq!(rig.take(), [Action::Connect(c(1))], "and one more is wanted");
    assert_eq!(rig.up(1, Protocol::Http1, 1), [Action::Connect(c(2))]);
    assert_eq!(rig.down(1), []);
    assert_eq!(rig.pass(0), [], "it would close in the same moment");
}

#[test]
fn what_was_of_use_and_takes_no_more_is_replaced_ahead_of_need() {
    let mut rig = eager();
    rig.up(1, Protocol::Http1, 1);
    rig.up(2, Protocol::Http1, 1);
    let spare = rig.event(Event::Refusing(c(2)));
    assert_eq!(spare, [Action::Shutdown(c(2))], "it never carried a request");
    let used = rig.event(Event::Refusing(c(0)));
    assert_eq!(used, [Action::Connect(c(3))], "one is left of the two");
}

#[test]
fn what_the_budget_left_to_begin_is_not_begun_after_a_failure() {
    // Found by the explorer: a name that cannot be looked up was looked up for ever, without
    // any time passing.
    let mut rig = Rig::new(|config| {
        config.burst = 1;
        config.http1_alone = true;
        config.pool.preconnect_permille = 3_000;
    });
    rig.ask();
    assert_eq!(rig.up(0, Protocol::Http1, 1), [assign(0, 0)]);
    rig.solo.handle_timeout(rig.at(), &mut rig.out);
    assert_eq!(rig.take(), [Action::Connect(c(1))], "and one more is wanted");
    assert_eq!(rig.connect_failed(1), []);
    assert_eq!(rig.pass(0), [], "it would fail in the same moment");
}

#[test]
fn nobody_waits_for_a_connection_that_grants_no_stream() {
    // Found by the explorer: the only open connection had a limit of 0, and what was begun beside
    // it could not be established. Whoever waited then waited for ever.
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 1);
    rig.done(0, 0);
    assert_eq!(rig.limit(0, 0), []);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    let told = rig.connect_failed(1);
    assert!(
        matches!(told[..], [Action::Refuse { request, .. }] if request == RequestId::new(0, 1))
    );
}
