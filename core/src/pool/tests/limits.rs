//! What a connection has room for, and the circuit breakers.

use super::*;

#[test]
fn settings_go_up_down_to_zero_and_back() {
    // Envoy's worked example: limit 6, 5 active, then 3, two ends, then 1.
    let mut rig = Rig::new(|config| config.limits.max_connections = Some(1));
    rig.queue(5);
    rig.up(0, Protocol::Http2, 6);
    assert_eq!(rig.states(0..1), [State::Ready]);
    let rows: &[(u32, State)] =
        &[(3, State::Busy), (5, State::Busy), (6, State::Ready), (0, State::Busy)];
    for (limit, state) in rows {
        assert_eq!(rig.limit(0, *limit), []);
        assert_eq!(rig.states(0..1), [*state], "5 in use of {limit}");
    }
    assert_eq!(rig.ask(), [], "it waits: the breaker allows no second connection");
    for request in 0..5 {
        assert_eq!(rig.done(request, 0), [complete(request)], "nothing is granted");
    }
    assert_eq!(rig.limit(0, 1), [assign(5, 0)], "an increase serves who waits");
}

#[test]
fn an_http1_connection_has_no_limit_that_could_change() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.ask();
    assert_eq!(rig.up(0, Protocol::Http1, 0), [assign(0, 0)]);
    assert_eq!(rig.limit(0, 0), []);
    assert_eq!(rig.done(0, 0), [complete(0)]);
    assert_eq!(rig.states(0..1), [State::Ready]);
}

#[test]
fn no_more_than_two_connections_that_grant_nothing() {
    let mut rig = Rig::new(|_| ());
    assert_eq!(rig.ask(), [Action::Connect(c(0))]);
    assert_eq!(rig.up(0, Protocol::Http2, 0), [Action::Connect(c(1))]);
    assert_eq!(rig.up(1, Protocol::Http2, 0), []);
    assert_eq!(rig.solo.admission(), Admission::NothingGranted);
    assert_eq!(rig.limit(0, 3), [assign(0, 0)]);
}

#[test]
fn credit_that_was_never_given_is_waited_for_on_two_connections() {
    // HTTP/3 with MAX_STREAMS of 0, which later rises.
    let mut rig = Rig::new(|_| ());
    assert_eq!(rig.ask(), [Action::Connect(c(0))]);
    let connected = |at| {
        let (protocol, limit) = (Protocol::Http3, Limit::Total(0));
        Event::Connected { connection: c(at), protocol, limit }
    };
    assert_eq!(rig.event(connected(0)), [Action::Connect(c(1))]);
    assert_eq!(rig.event(connected(1)), []);
    assert_eq!(rig.solo.admission(), Admission::NothingGranted);
    let event = Event::Limit { connection: c(0), limit: Limit::Total(1) };
    assert_eq!(rig.event(event), [assign(0, 0)]);
    assert_eq!(rig.ask(), [Action::Connect(c(2))], "credit that is used up is another matter");
}

#[test]
fn the_configured_ceiling_holds_whatever_settings_say() {
    let mut rig = Rig::new(|config| {
        config.pool.max_concurrent_streams = some(2).unwrap();
        config.limits.max_connections = Some(1);
    });
    rig.queue(3);
    assert_eq!(rig.up(0, Protocol::Http2, u32::MAX), [assign(0, 0), assign(1, 0)]);
    assert_eq!(rig.limit(0, 1_000), []);
    assert_eq!(rig.done(0, 0), [complete(0), assign(2, 0)]);
}

#[test]
fn a_connection_carries_exactly_what_it_may_in_its_life() {
    // Envoy's second example: concurrency 8, lifetime 6.
    let mut rig = Rig::new(|config| config.pool.max_requests_per_connection = some(6));
    assert_eq!(rig.queue(6), [Action::Connect(c(0))]);
    let told = rig.up(0, Protocol::Http2, 8);
    assert_eq!(told.len(), 6);
    assert_eq!(rig.states(0..1), [State::Draining]);
    assert_eq!(rig.solo.count(Kind::MaxRequests), 1);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    for request in 0..5 {
        assert_eq!(rig.done(request, 0), [complete(request)]);
    }
    assert_eq!(rig.done(5, 0), [Action::Shutdown(c(0)), complete(5)]);
}

#[test]
fn one_request_per_connection_is_no_keep_alive() {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.pool.max_requests_per_connection = some(1);
    });
    rig.ask();
    assert_eq!(rig.up(0, Protocol::Http1, 1), [assign(0, 0)]);
    assert_eq!(rig.done(0, 0), [Action::Shutdown(c(0)), complete(0)]);
    assert_eq!(rig.down(0), []);
    assert_eq!(rig.ask(), [Action::Connect(ConnectionId::new(0, 1))]);
}

#[test]
fn each_breaker_refuses_by_name_and_is_released_in_every_way_out() {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.limits.max_pending_requests = Some(1);
        config.limits.max_requests = Some(1);
    });
    rig.ask();
    assert_eq!(rig.ask(), [refuse(1, Refusal::PendingOverflow)]);
    rig.event(Event::Cancelled(r(0)));
    assert_eq!(rig.solo.used(Resource::Pending), 0);
    rig.ask();
    assert_eq!(rig.solo.used(Resource::Pending), 1);
    let told = rig.up(0, Protocol::Http1, 1);
    assert_eq!(told.len(), 1);
    assert_eq!((rig.solo.used(Resource::Pending), rig.solo.used(Resource::Requests)), (0, 1));
    rig.ask();
    let told = rig.up(1, Protocol::Http1, 1);
    assert!(matches!(told[..], [Action::Refuse { reason: Refusal::ActiveOverflow, .. }]));
    assert_eq!(rig.states(1..2), [State::Ready], "the connection is kept");
    assert_eq!(rig.solo.used(Resource::Connections), 2);
    rig.down(0);
    rig.down(1);
    for what in Resource::ALL {
        assert_eq!(rig.solo.used(what), 0, "{what:?}");
    }
}

#[test]
fn a_pool_without_connection_may_always_make_one_but_for_sockets() {
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.limits.max_connections = Some(0);
        config.max_sockets = 1;
    });
    assert_eq!(rig.ask(), [Action::Connect(c(0))]);
    assert_eq!(rig.solo.count(Kind::ConnectionOverflow), 1, "counted although forced");
    assert_eq!(rig.ask(), [], "the second waits for the first's connection");
    let mut rig = Rig::new(|config| config.max_sockets = 0);
    assert_eq!(rig.ask(), [refuse(0, Refusal::SocketOverflow)]);
}

#[test]
fn an_occupied_pool_is_one_of_its_breaker() {
    let mut rig = Rig::new(|config| config.limits.max_connection_pools = Some(0));
    assert_eq!(rig.ask(), [refuse(0, Refusal::PoolOverflow)]);
    let mut rig = Rig::new(|config| config.limits.max_connection_pools = Some(1));
    assert_eq!(rig.queue(2), [Action::Connect(c(0))]);
    assert_eq!(rig.solo.used(Resource::Pools), 1);
    rig.connect_failed(0);
    assert_eq!(rig.solo.used(Resource::Pools), 0);
}
