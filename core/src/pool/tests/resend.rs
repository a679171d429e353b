//! What becomes of a request whose stream failed.

use super::super::resend::rule;
use super::*;

const FAILED: Outcome = Outcome::Failed(Cause::StreamReset(7));

// rule: H-4a
#[test]
fn what_may_go_again_depends_on_fate_method_and_body_together() {
    use BodyState::{Replayable, Spent, Untouched};
    use MethodClass::{Connect, Idempotent, Other, Safe};
    let all = [Safe, Idempotent, Other, Connect];
    for method in all {
        for body in [Untouched, Replayable] {
            assert_eq!(rule(method, RetrySafe::Unsent, body), Some(Rule::ResendUnsent));
            assert_eq!(rule(method, RetrySafe::Unprocessed, body), Some(Rule::ResendUnprocessed));
            let unknown = rule(method, RetrySafe::Unknown, body);
            let expected = matches!(method, Safe | Idempotent).then_some(Rule::ResendIdempotent);
            assert_eq!(unknown, expected, "{method:?}");
            assert_eq!(rule(method, RetrySafe::Answered, body), None);
        }
        for retry in [RetrySafe::Unsent, RetrySafe::Unprocessed, RetrySafe::Unknown] {
            assert_eq!(rule(method, retry, Spent), None, "{method:?} {retry:?}");
        }
    }
}

#[test]
fn it_is_queued_in_front_before_resend_is_said_and_goes_elsewhere() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    rig.queue(3);
    rig.up(0, Protocol::Http1, 1);
    rig.up(1, Protocol::Http1, 1);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(0)), assign(2, 0)], "who does not avoid 0 may have it");
    assert_eq!(rig.solo.waiting(), 1);
    assert_eq!(rig.done(1, 1), [complete(1), assign(0, 1)]);
}

#[test]
fn it_goes_before_those_who_wait_already() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.queue(3);
    rig.up(0, Protocol::Http1, 1);
    let told = rig.end(0, 0, Outcome::Failed(Cause::Closed), RetrySafe::Unknown);
    assert_eq!(told[..2], [Action::Resend(r(0)), assign(1, 0)]);
    assert_eq!(rig.up(1, Protocol::Http1, 1), [assign(0, 1)]);
    assert_eq!(rig.done(1, 0), [complete(1), assign(2, 0)]);
}

#[test]
fn where_there_is_no_other_hope_the_same_connection_must_do() {
    let mut rig = Rig::new(|config| config.limits.max_connections = Some(1));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(0)), assign(0, 0)]);
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(0)), Action::Connect(c(1))]);
    assert_eq!(rig.connect_failed(1), [assign(0, 0)]);
}

// rule: H-4b
#[test]
fn proven_and_unknown_fates_have_a_budget_each() {
    let mut rig = Rig::new(|config| {
        config.limits.max_connections = Some(1);
        config.limits.max_retries = Some(1);
        config.pool.max_unprocessed_resends = 1;
    });
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    let again = [Action::Resend(r(0)), assign(0, 0)];
    assert_eq!(rig.end(0, 0, FAILED, RetrySafe::Unprocessed), again);
    assert_eq!(rig.end(0, 0, FAILED, RetrySafe::Unknown), again);
    assert_eq!(rig.solo.used(Resource::Retries), 1);
    let refused = [refuse(0, Refusal::StreamFailed(Cause::StreamReset(7)))];
    assert_eq!(rig.end(0, 0, FAILED, RetrySafe::Unprocessed), refused);
    assert_eq!(rig.solo.count(Kind::ResendLimit), 1);
    assert_eq!(rig.solo.used(Resource::Retries), 0);
}

// rule: H-4b
#[test]
fn max_retries_bounds_what_may_have_been_acted_on_and_not_what_was_not() {
    let mut rig = Rig::new(|config| {
        config.limits.max_connections = Some(1);
        config.limits.max_retries = Some(0);
    });
    rig.queue(2);
    rig.up(0, Protocol::Http2, 10);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unknown);
    assert_eq!(told, [refuse(0, Refusal::StreamFailed(Cause::StreamReset(7)))]);
    assert_eq!(rig.solo.count(Kind::ResendOverflow), 1);
    let told = rig.end(1, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(1)), assign(1, 0)]);
}

#[test]
fn a_goaway_loses_no_stream_above_its_last_id() {
    let mut rig = Rig::new(|_| ());
    rig.queue(6);
    rig.up(0, Protocol::Http2, 100);
    assert_eq!(rig.event(Event::Refusing(c(0))), []);
    let failed = Outcome::Failed(Cause::GoAway(0));
    let first = rig.end(2, 0, failed, RetrySafe::Unprocessed);
    assert_eq!(first, [Action::Resend(r(2)), Action::Connect(c(1))]);
    for request in 3..6 {
        let told = rig.end(request, 0, failed, RetrySafe::Unprocessed);
        assert_eq!(told, [Action::Resend(r(request))]);
    }
    assert_eq!(rig.up(1, Protocol::Http2, 100).len(), 4);
    assert_eq!(rig.done(0, 0), [complete(0)], "those below it go on");
    assert_eq!(rig.done(1, 0), [Action::Shutdown(c(0)), complete(1)]);
}

#[test]
fn any_number_of_stale_connections_costs_a_request_nothing() {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.pool.max_resends = 0;
    });
    rig.queue(3);
    for connection in 0..3 {
        rig.up(connection, Protocol::Http1, 1);
    }
    for connection in 0..3 {
        rig.done(connection, connection);
    }
    let method = MethodClass::Other;
    let told = rig.event(Event::Requested { method, deadline: None });
    let request = rig.solo.last_request().unwrap();
    let on = |connection| Action::Assign { request, connection: c(connection) };
    assert_eq!(told, [on(2)]);
    let (outcome, retry) = (Outcome::Failed(Cause::Closed), RetrySafe::Unsent);
    let body = BodyState::Untouched;
    let end = |connection| Event::StreamEnded {
        connection: c(connection),
        request,
        outcome,
        retry,
        body,
    };
    let again = |old| [Action::Shutdown(c(old)), Action::Resend(request)];
    let told = rig.event(end(2));
    assert_eq!((&told[..2], &told[2..]), (&again(2)[..], &[on(1)][..]));
    let told = rig.event(end(1));
    assert_eq!((&told[..2], &told[2..]), (&again(1)[..], &[on(0)][..]));
    let told = rig.event(end(0));
    assert_eq!((&told[..2], &told[2..]), (&again(0)[..], &[Action::Connect(c(3))][..]));
    rig.up(3, Protocol::Http1, 1);
    let told = rig.event(end(3));
    let reason = Refusal::StreamFailed(Cause::Closed);
    let refused = Action::Refuse { request, reason, failed: None };
    assert_eq!(told[1], refused, "a fresh one that drops its first stream is no stale one");
}

#[test]
fn a_connection_that_did_not_take_a_stream_is_offered_no_other() {
    let mut rig = Rig::new(|_| ());
    rig.queue(2);
    rig.up(0, Protocol::Http2, 10);
    let told = rig.end(0, 0, Outcome::Failed(Cause::ShutDown), RetrySafe::Unsent);
    assert_eq!(told, [Action::Resend(r(0)), Action::Connect(c(1))]);
    assert_eq!(rig.states(0..1), [State::Draining]);
}

#[test]
fn an_unsayable_head_costs_no_connection() {
    let mut rig = Rig::new(|config| config.limits.max_connections = Some(1));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    let failed = Outcome::Failed(Cause::Cancelled);
    let told = rig.end(0, 0, failed, RetrySafe::Unsent);
    assert_eq!(told, [Action::Resend(r(0)), assign(0, 0)]);
    let told = rig.end(0, 0, failed, RetrySafe::Unsent);
    assert_eq!(told, [refuse(0, Refusal::StreamFailed(Cause::Cancelled))]);
    assert_eq!(rig.states(0..1), [State::Ready]);
}

#[test]
fn while_draining_only_what_nobody_acted_on_goes_again() {
    let mut rig = Rig::new(|config| config.limits.max_connections = Some(1));
    rig.queue(2);
    rig.up(0, Protocol::Http2, 10);
    rig.event(Event::Drain);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unknown);
    assert_eq!(told, [refuse(0, Refusal::StreamFailed(Cause::StreamReset(7)))]);
    let told = rig.end(1, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told[..2], [Action::Shutdown(c(0)), Action::Resend(r(1))]);
}

/// Rows: what is configured, the fates of a request's streams in turn, and whether it goes again
/// after each.
#[test]
fn each_reason_to_go_again_has_a_count_and_a_bound_of_its_own() {
    use RetrySafe::{Unknown, Unprocessed, Unsent};
    type Row<'a> = ((u32, u32), &'a [(RetrySafe, bool)]);
    let rows: &[Row<'_>] = &[
        ((1, 1), &[(Unprocessed, true), (Unprocessed, false)]),
        ((1, 1), &[(Unknown, true), (Unknown, false)]),
        ((1, 1), &[(Unsent, true), (Unsent, false)]),
        ((1, 1), &[(Unprocessed, true), (Unsent, true), (Unknown, true), (Unprocessed, false)]),
        ((1, 1), &[(Unknown, true), (Unprocessed, true), (Unsent, true), (Unknown, false)]),
        ((1, 1), &[(Unsent, true), (Unknown, true), (Unprocessed, true), (Unsent, false)]),
        ((0, 1), &[(Unprocessed, true), (Unknown, false)]),
        ((1, 0), &[(Unknown, true), (Unsent, true), (Unprocessed, false)]),
        ((1, 3), &[(Unprocessed, true), (Unprocessed, true), (Unprocessed, true), (Unknown, true)]),
        ((0, 2), &[(Unprocessed, true), (Unprocessed, true), (Unprocessed, false)]),
    ];
    for (bounds, fates) in rows {
        let mut rig = Rig::new(|config| {
            (config.pool.max_resends, config.pool.max_unprocessed_resends) = *bounds;
        });
        rig.ask();
        for (turn, (fate, goes_again)) in fates.iter().enumerate() {
            let connection = rig.next_connection();
            rig.event(Event::Connected {
                connection,
                protocol: Protocol::Http2,
                limit: Limit::Concurrent(10),
            });
            let (request, outcome) = (r(0), Outcome::Failed(Cause::ShutDown));
            let (retry, body) = (*fate, BodyState::Untouched);
            let told = rig.event(Event::StreamEnded { connection, request, outcome, retry, body });
            rig.event(Event::Closed { connection, cause: Cause::Closed });
            let said = told.contains(&Action::Resend(request));
            assert_eq!(said, *goes_again, "{bounds:?} {fates:?}, in turn {turn}: {told:?}");
        }
    }
}

/// A server that ends each connection after a few requests refuses one of a burst many times.
#[test]
fn what_is_proven_unprocessed_goes_again_as_often_as_curl_lets_it_if_told() {
    let mut rig = Rig::new(|config| config.pool.max_unprocessed_resends = 5);
    rig.ask();
    for turn in 0..6 {
        let connection = rig.next_connection();
        let limit = Limit::Concurrent(10);
        rig.event(Event::Connected { connection, protocol: Protocol::Http2, limit });
        let (request, outcome) = (r(0), Outcome::Failed(Cause::GoAway(0)));
        let (retry, body) = (RetrySafe::Unprocessed, BodyState::Untouched);
        rig.event(Event::Refusing(connection));
        let told = rig.event(Event::StreamEnded { connection, request, outcome, retry, body });
        assert_eq!(told.contains(&Action::Resend(request)), turn < 5, "{turn}: {told:?}");
        rig.event(Event::Closed { connection, cause: Cause::Closed });
    }
    assert_eq!(rig.solo.count(Kind::ResendLimit), 1);
}

#[test]
fn where_no_other_connection_may_be_made_the_same_must_do() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    let told = rig.end(0, 0, FAILED, RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(0)), Action::Connect(c(1))]);
    assert_eq!(rig.up(1, Protocol::Http2, 0), [Action::Connect(c(2))], "the first grants nothing");
    assert_eq!(rig.up(2, Protocol::Http2, 0), [assign(0, 0)], "after two, no third is made");
}
