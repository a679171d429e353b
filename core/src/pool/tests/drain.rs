//! Connections that take nothing new.

use super::*;

#[test]
fn goaway_takes_no_new_stream_and_shuts_down_when_empty() {
    let mut rig = Rig::new(|_| ());
    rig.queue(2);
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.event(Event::Refusing(c(0))), [], "no demand, no connection");
    assert_eq!(rig.states(0..1), [State::Draining]);
    assert_eq!(rig.event(Event::Refusing(c(0))), [], "said twice");
    assert_eq!(rig.solo.count(Kind::CloseNotify), 1);
    assert_eq!(rig.ask(), [Action::Connect(c(1))], "a new one when there is demand");
    assert_eq!(rig.done(0, 0), [complete(0)]);
    assert_eq!(rig.done(1, 0), [Action::Shutdown(c(0)), complete(1)]);
    assert_eq!(rig.down(0), []);
}

#[test]
fn goaway_with_somebody_waiting_makes_a_connection() {
    let mut rig = Rig::new(|config| config.limits.max_connections = Some(2));
    rig.queue(2);
    rig.up(0, Protocol::Http2, 1);
    rig.connect_failed(1);
    assert_eq!(rig.event(Event::Refusing(c(0))), [Action::Connect(ConnectionId::new(1, 1))]);
}

#[test]
fn goaway_on_an_idle_connection_closes_it_at_once() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    assert_eq!(rig.event(Event::Refusing(c(0))), [Action::Shutdown(c(0))]);
}

#[test]
fn who_waits_fails_when_only_draining_connections_are_left() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 1);
    rig.event(Event::Refusing(c(0)));
    rig.ask();
    assert_eq!(rig.connect_failed(1), [connect_refused(1)]);
}

#[test]
fn drain_serves_who_waits_and_then_closes_all() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.queue(2);
    rig.up(0, Protocol::Http1, 1);
    assert_eq!(rig.event(Event::Drain), []);
    assert_eq!(rig.ask(), [refuse(2, Refusal::Draining)]);
    assert_eq!(rig.up(1, Protocol::Http1, 1), [assign(1, 1)]);
    assert_eq!(rig.states(0..2), [State::Draining, State::Draining]);
    assert_eq!(rig.done(1, 1), [Action::Shutdown(c(1)), complete(1)]);
    assert_eq!(rig.done(0, 0), [Action::Shutdown(c(0)), complete(0)]);
}

#[test]
fn drain_aborts_what_nobody_needs() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.event(Event::Cancelled(r(0)));
    assert_eq!(rig.event(Event::Drain), [Action::AbortConnect(c(0))]);
    assert_eq!(rig.solo.admission(), Admission::Draining);
}

#[test]
fn a_changed_network_drains_what_is_established_and_goes_on() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.event(Event::Renew), []);
    assert_eq!(rig.states(0..1), [State::Draining]);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
}

#[test]
fn a_driver_that_closes_with_streams_loses_them_by_name() {
    let mut rig = Rig::new(|_| ());
    rig.queue(2);
    rig.up(0, Protocol::Http2, 10);
    let lost = Refusal::StreamFailed(Cause::Closed);
    assert_eq!(rig.down(0), [refuse(0, lost), refuse(1, lost)]);
    assert_eq!(rig.solo.count(Kind::DestroyedWithStreams), 1);
    let told = rig.end(0, 0, Outcome::Complete, RetrySafe::Answered);
    assert_eq!(told, [], "its end comes too late");
}

#[test]
fn only_who_is_not_established_cannot_refuse() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    assert_eq!(rig.event(Event::Refusing(c(0))), []);
    assert_eq!(rig.solo.count(Kind::Stale), 1, "it is being established");
    rig.up(0, Protocol::Http2, 10);
    for _ in 0..3 {
        assert_eq!(rig.event(Event::Refusing(c(0))), []);
    }
    assert_eq!(rig.solo.count(Kind::Stale), 1, "who drains may say so as often as it likes");
}
