//! Early data: who goes with the first flight, and what becomes of it when that comes to nothing.

use super::grid::{BOTH, Race, V4};
use super::*;
use crate::altsvc::{Alternative, State as Known};
use crate::race::NoEarlyData;

const TAKES: Limit = Limit::Total(2);

/// A race for an origin that offers HTTP/3, where early data is allowed.
fn allowed(addresses: &[&str]) -> Race {
    Race::offered(|config| config.profiles[0].early_data = true, addresses)
}

impl Race {
    fn early(&mut self, at: usize) -> Vec<String> {
        let (attempt, connection, _, running) = self.attempts[at];
        assert!(running, "{at} is not under way");
        // It is its connection's, if it wins.
        let event = Event::EarlyData { attempt, limit: TAKES };
        self.rig.up.handle_event(self.rig.at(), event);
        self.attempts[at].3 = !self.rig.up.takes_early_data(connection);
        let actions = self.rig.take();
        self.tell(&actions)
    }

    fn confirmed(&mut self, at: usize) -> Vec<String> {
        let connection = self.attempts[at].1;
        let limit = Limit::Total(100);
        let actions = self.rig.event(Event::Confirmed { connection, limit });
        self.tell(&actions)
    }

    fn ended(&mut self, at: usize, cause: Cause, retry: RetrySafe) -> Vec<String> {
        let actions = self.rig.ended(self.requests[at], Outcome::Failed(cause), retry);
        self.tell(&actions)
    }

    fn closed(&mut self, at: usize, cause: Cause) -> Vec<String> {
        let connection = self.attempts[at].1;
        let actions = self.rig.event(Event::Closed { connection, cause });
        self.tell(&actions)
    }

    fn counts(&self) -> [u64; 3] {
        let kinds = [Kind::EarlyData, Kind::EarlyDataSent, Kind::EarlyDataRefused];
        kinds.map(|kind| self.rig.up.count(kind))
    }
}

#[test]
fn a_request_goes_with_the_first_flight() {
    let mut race = allowed(V4);
    race.ask(MethodClass::Early);
    assert_eq!(race.early(0), ["r0 on 0"]);
    assert_eq!(race.ask(MethodClass::Early), ["r1 on 0"]);
    assert_eq!(race.ask(MethodClass::Early), [""; 0], "two were granted the last time");
    assert_eq!(race.ask(MethodClass::Safe), [""; 0], "that one may not");
    assert_eq!(race.confirmed(0), ["r2 on 0", "r3 on 0"]);
    assert_eq!(race.known(), Some(Known::Confirmed));
    assert_eq!(race.counts(), [1, 2, 0]);
    assert_eq!(race.pass(1_000), [""; 0], "TCP is not needed");
}

// rule: ED-1a
#[test]
fn who_does_not_go_early() {
    // What is not configured is not done.
    let mut race = Race::offered(|_| (), V4);
    race.ask(MethodClass::Early);
    assert_eq!(race.rig.up.early_data(race.attempts[0].1), Err(NoEarlyData::NotAllowed));
    assert_eq!(race.early(0), [""; 0]);
    assert_eq!(race.connected(0), ["r0 on 0"]);
    // Nor where nobody waits who may: the other addresses keep their chance.
    for method in [MethodClass::Safe, MethodClass::Idempotent, MethodClass::Other] {
        let mut race = allowed(V4);
        race.ask(method);
        assert_eq!(race.rig.up.early_data(race.attempts[0].1), Ok(()));
        assert_eq!(race.early(0), [""; 0], "{method:?}");
        assert_eq!(race.ask(MethodClass::Early), [""; 0], "the offer was passed over");
        assert_eq!(race.connected(0), ["r0 on 0", "r1 on 0"]);
        assert_eq!(race.counts(), [0, 0, 0]);
    }
}

/// The addresses of an alternative's host are known as long as somebody is on its way there.
#[test]
fn early_data_to_another_host_leaves_the_second_family_its_addresses() {
    let mut race = Race::new(|config| config.profiles[0].early_data = true, BOTH);
    race.learn(Alternative { host: Some("alt.test".into()), ..Alternative::http3(8_443) });
    race.ask(MethodClass::Early);
    assert_eq!(race.early(0), ["r0 on 0"]);
    race.ask(MethodClass::Safe);
    assert_eq!(
        race.pass(300),
        ["1: quic 192.0.2.1:8443", "resolve example.test", "2: tcp [2001:db8::1]:443"]
    );
    assert_eq!(race.confirmed(0), ["r1 on 0", "abort 1", "abort 2"]);
}

/// RFC 9001 4.6.2: the handshake did not take it. The same connection serves it then.
// rule: ED-1b
#[test]
fn what_the_handshake_refuses_goes_again_on_the_same_connection() {
    for confirmed_first in [true, false] {
        let mut race = allowed(V4);
        race.ask(MethodClass::Early);
        assert_eq!(race.early(0), ["r0 on 0"]);
        let refused = (Cause::EarlyDataRefused, RetrySafe::Unprocessed);
        if confirmed_first {
            assert_eq!(race.confirmed(0), [""; 0]);
            assert_eq!(race.ended(0, refused.0, refused.1), ["r0 again", "r0 on 0"]);
        } else {
            assert_eq!(race.ended(0, refused.0, refused.1), ["r0 again"]);
            assert_eq!(race.confirmed(0), ["r0 on 0"]);
        }
        assert_eq!(race.counts(), [1, 1, 1]);
        assert_eq!(race.known(), Some(Known::Confirmed), "QUIC works");
        // A second refusal is none that there can be: it counts as any other.
        assert_eq!(race.ended(0, refused.0, refused.1).first().unwrap(), "r0 again");
        assert_eq!(race.counts(), [1, 1, 1]);
    }
}

#[test]
fn a_handshake_that_fails_makes_quic_suspect_and_tcp_serves() {
    let mut race = allowed(V4);
    race.ask(MethodClass::Early);
    race.early(0);
    assert_eq!(race.ended(0, Cause::ConnectionReset, RetrySafe::Unknown), ["r0 again"]);
    assert_eq!(race.closed(0, Cause::ConnectionReset), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.known(), Some(Known::Suspect));
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert_eq!(race.known(), Some(Known::Suspect), "it is not broken by that");
    // The next race starts both, and nothing goes early.
    let connection = race.attempts[1].1;
    let actions = race.rig.complete(race.requests[0]);
    race.tell(&actions);
    race.rig.event(Event::Refusing(connection));
    race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    assert_eq!(race.ask(MethodClass::Early), ["2: quic 192.0.2.1:443", "3: tcp 192.0.2.1:443"]);
    assert_eq!(race.rig.up.early_data(race.attempts[2].1), Err(NoEarlyData::Suspect));
    assert_eq!(race.early(2), [""; 0]);
    assert_eq!(race.failed(2), [""; 0]);
    assert_eq!(race.connected(3), ["r1 on 3"]);
    assert!(matches!(race.known(), Some(Known::Broken(_))), "now it is");
}

/// Only what carried a request may have failed for its sake.
#[test]
fn a_first_flight_that_carried_nothing_fails_as_any_handshake() {
    let mut race = allowed(V4);
    race.ask(MethodClass::Early);
    let (attempt, ..) = race.attempts[0];
    race.attempts[0].3 = false;
    let none = Limit::Total(0);
    assert_eq!(race.rig.event(Event::EarlyData { attempt, limit: none }), [], "nobody goes early");
    assert_eq!(race.closed(0, Cause::ConnectionReset), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert!(matches!(race.known(), Some(Known::Broken(_))), "{:?}", race.known());
}

/// EARLY-OVERTAKEN
#[test]
fn tcp_that_is_ready_first_calls_early_data_back() {
    let mut race = allowed(V4);
    race.ask(MethodClass::Early);
    assert_eq!(race.early(0), ["r0 on 0"]);
    assert_eq!(race.pass(299), [""; 0]);
    assert_eq!(race.pass(1), ["1: tcp 192.0.2.1:443"]);
    let told = race.connected(1);
    assert!(told.len() == 1 && told[0].starts_with("Reset"), "{told:?}");
    assert_eq!(race.ask(MethodClass::Early), ["r1 on 1"], "nothing more goes early");
    // It goes on over TCP, unless it was answered meanwhile.
    let actions = race.rig.ended(race.requests[0], Outcome::Reset, RetrySafe::Unknown);
    assert_eq!(race.tell(&actions), ["r0 again", "r0 on 1"]);
    // QUIC goes on, and then takes what comes.
    assert_eq!(race.confirmed(0), [""; 0]);
    assert_eq!(race.ask(MethodClass::Early), ["r2 on 0"]);
}

/// What was called back and ends behind its deadline has run out of time, also where the driver is
/// late to tell of the time.
#[test]
fn what_comes_back_behind_its_deadline_has_run_out_of_time() {
    let late = Refusal::Deadline(Phase::Answering);
    for (after, retry, expected) in [
        (9, RetrySafe::Answered, Refusal::StreamFailed(Cause::Cancelled)),
        (10, RetrySafe::Answered, late),
        (10, RetrySafe::Unknown, late),
    ] {
        let mut race = allowed(V4);
        let deadline = Some(Instant::from_millis(310));
        let request = race.rig.up.request(race.rig.at(), &https(), MethodClass::Early, deadline);
        race.requests.push(request);
        let actions = race.rig.take();
        race.tell(&actions);
        assert_eq!(race.early(0), ["r0 on 0"]);
        race.pass(300);
        race.connected(1);
        race.rig.now += after;
        let actions = race.rig.ended(request, Outcome::Reset, retry);
        assert_eq!(actions, [Action::Refuse { request, reason: expected, failed: None }]);
    }
}

#[test]
fn a_handshake_that_takes_too_long_is_given_up() {
    let only_quic = |config: &mut Config| {
        config.profiles[0].early_data = true;
        config.profiles[0].protocols = Protocols::Http3;
    };
    let mut rig = Rig::new(only_quic);
    let request = rig.up.request(rig.at(), &https(), MethodClass::Early, None);
    let waits = rig.up.request(rig.at(), &https(), MethodClass::Other, None);
    let actions = rig.take();
    let actions = rig.resolve(&actions);
    let (attempt, connection) = attempts(&actions)[0];
    let actions = rig.event(Event::EarlyData { attempt, limit: TAKES });
    assert_eq!(actions, [Action::Assign { request, connection }]);
    assert_eq!(rig.pass(4_999), []);
    assert_eq!(rig.pass(1), [Action::Abort(connection)]);
    let actions = rig.ended(request, Outcome::Failed(Cause::ShutDown), RetrySafe::Unknown);
    assert_eq!(actions, [Action::Resend(request)]);
    let actions = rig.event(Event::Closed { connection, cause: Cause::ShutDown });
    let refused = |action: &Action| match action {
        Action::Refuse { request, reason, failed } => {
            let attempts = failed.as_ref().map_or(0, |failed| failed.attempts.len());
            Some((*request, *reason, attempts))
        }
        _ => None,
    };
    let refused: Vec<_> = actions.iter().filter_map(refused).collect();
    let reason = Refusal::ConnectFailed(Cause::ConnectTimeout);
    assert_eq!(refused, [(request, reason, 1), (waits, reason, 1)]);
}

#[test]
fn a_leg_that_another_has_beaten_is_closed_and_its_requests_go_there() {
    let mut race = allowed(BOTH);
    race.ask(MethodClass::Early);
    assert_eq!(race.early(0), ["r0 on 0"]);
    assert_eq!(race.pass(300), ["1: quic 192.0.2.1:443", "2: tcp [2001:db8::1]:443"]);
    let told = race.connected(1);
    assert_eq!(told[0].split('(').next(), Some("Abort"), "{told:?}");
    let stale = race.rig.up.count(Kind::Stale);
    assert_eq!(race.confirmed(0), [""; 0], "that is too late");
    assert_eq!(race.rig.up.count(Kind::Stale), stale + 1);
    let told = race.ended(0, Cause::ShutDown, RetrySafe::Unknown);
    assert_eq!(told, ["r0 again", "r0 on 1"]);
    assert_eq!(race.closed(0, Cause::ShutDown), [""; 0]);
    assert_eq!(race.known(), Some(Known::Confirmed));
}

#[test]
fn stale_events_of_early_data() {
    let mut race = allowed(V4);
    race.ask(MethodClass::Early);
    let (attempt, connection, ..) = race.attempts[0];
    let before = race.rig.up.count(Kind::Stale);
    assert_eq!(race.confirmed(0), [""; 0], "it was never taken");
    race.early(0);
    race.rig.event(Event::EarlyData { attempt, limit: TAKES });
    race.confirmed(0);
    race.confirmed(0);
    race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    race.confirmed(0);
    assert_eq!(race.rig.up.count(Kind::Stale) - before, 4);
}
