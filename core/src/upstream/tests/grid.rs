//! The race between QUIC and TCP, joined to pools: what starts when, who serves, what is learnt.

use super::*;
use crate::altsvc::{Alternative, Clock, Offer, Said, Source, State as Known};
use crate::types::Transport;

/// A rig whose one profile races; names are resolved as they are asked for.
pub(super) struct Race {
    pub(super) rig: Rig,
    addresses: Vec<IpAddr>,
    /// The resolver has more to say of those that it was asked for last.
    pub(super) slow: bool,
    host: Option<HostId>,
    /// Every attempt: its transport and whether it is under way.
    pub(super) attempts: Vec<(AttemptId, ConnectionId, Transport, bool)>,
    pub(super) requests: Vec<RequestId>,
}

impl Race {
    pub(super) fn new(change: impl FnOnce(&mut Config), addresses: &[&str]) -> Self {
        let rig = Rig::new(|config| {
            config.profiles[0].protocols = Protocols::AutoHttp3;
            change(config);
        });
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Self { rig, addresses, slow: false, host: None, attempts: Vec::new(), requests: Vec::new() }
    }

    /// One whose origin offers HTTP/3.
    pub(super) fn offered(change: impl FnOnce(&mut Config), addresses: &[&str]) -> Self {
        let mut race = Self::new(change, addresses);
        race.learn(Alternative::http3(443));
        race
    }

    pub(super) fn learn(&mut self, alternative: Alternative) {
        let said = Said::Offers(vec![Offer::new(alternative)]);
        let (origin, source, age) = (https().origin, Source::Field, Duration::ZERO);
        assert_eq!(self.rig.event(Event::Learnt { origin, said, source, age }), []);
    }

    /// What the ledger says of HTTP/3 at the origin's own port.
    pub(super) fn known(&self) -> Option<Known> {
        let ledger = self.rig.up.alternatives();
        let origin = https().origin;
        let mut known = ledger.known(self.rig.at(), &origin);
        known.next().map(|known| known.state)
    }

    /// The peer of an attempt's connection falls silent, and a request on it ends.
    fn dies(&mut self, attempt: usize, request: usize) -> Vec<String> {
        let connection = self.attempts[attempt].1;
        let silence = Cause::KeepAliveTimeout;
        self.rig.event(Event::Refusing(connection));
        let request = self.requests[request];
        let actions = self.rig.ended(request, Outcome::Failed(silence), RetrySafe::Unknown);
        let mut told = self.tell(&actions);
        self.rig.event(Event::Closed { connection, cause: silence });
        told.retain(|line| !line.starts_with("Shutdown"));
        told
    }

    /// What is done, in words, with a time before what a timer did.
    pub(super) fn tell(&mut self, actions: &[Action]) -> Vec<String> {
        let mut told = Vec::new();
        for action in actions {
            told.push(match action {
                Action::Resolve { host, name } => {
                    let (host, addresses) = (*host, self.addresses.clone());
                    told.push(format!("resolve {name}"));
                    let mut more = self.rig.event(Event::Resolved { host, addresses });
                    self.host = Some(host);
                    if !self.slow {
                        let event = Event::ResolveFinished { host, failed: None };
                        more.extend(self.rig.event(event));
                    }
                    told.extend(self.tell(&more));
                    continue;
                }
                Action::ResolveServices { name, .. } => format!("services of {name}"),
                Action::Connect { attempt, connection, transport, address, .. } => {
                    let number = self.attempts.len();
                    self.attempts.push((*attempt, *connection, *transport, true));
                    format!("{number}: {transport:?} {address}").to_lowercase()
                }
                Action::AbortAttempt(attempt) => {
                    let at = self.attempts.iter().rposition(|known| known.0 == *attempt).unwrap();
                    self.attempts[at].3 = false;
                    format!("abort {at}")
                }
                Action::Assign { request, connection } => {
                    let (request, at) = (self.request_at(*request), self.at(*connection));
                    format!("r{request} on {at}")
                }
                Action::Refuse { request, reason, failed } => {
                    let tried = failed.as_ref().map_or(0, |failed| failed.attempts.len());
                    format!("r{} refused: {reason}, {tried} tried", self.request_at(*request))
                }
                Action::Resend(request) => format!("r{} again", self.request_at(*request)),
                Action::Finished { request, .. } => format!("r{} over", self.request_at(*request)),
                other => format!("{other:?}"),
            });
        }
        told
    }

    fn request_at(&self, request: RequestId) -> usize {
        self.requests.iter().rposition(|known| *known == request).unwrap_or(self.requests.len())
    }

    /// The number of the attempt by which a connection came to be.
    fn at(&self, connection: ConnectionId) -> usize {
        let known = |attempt: &(_, ConnectionId, _, bool)| attempt.1 == connection && !attempt.3;
        self.attempts.iter().rposition(known).unwrap()
    }

    pub(super) fn request(&mut self) -> Vec<String> {
        self.ask(MethodClass::Safe)
    }

    pub(super) fn ask(&mut self, method: MethodClass) -> Vec<String> {
        let request = self.rig.up.request(self.rig.at(), &https(), method, None);
        self.requests.push(request);
        let actions = self.rig.take();
        self.tell(&actions)
    }

    pub(super) fn connected(&mut self, at: usize) -> Vec<String> {
        let (attempt, _, transport, running) = &mut self.attempts[at];
        assert!(core::mem::take(running), "{at} is not under way");
        let (protocol, limit) = match transport {
            Transport::Quic => (Protocol::Http3, Limit::Total(100)),
            Transport::Tcp => (Protocol::Http2, Limit::Concurrent(100)),
        };
        let actions = self.rig.event(Event::Connected { attempt: *attempt, protocol, limit });
        self.tell(&actions)
    }

    pub(super) fn failed(&mut self, at: usize) -> Vec<String> {
        let (attempt, _, _, running) = &mut self.attempts[at];
        assert!(core::mem::take(running), "{at} is not under way");
        let actions =
            self.rig.event(Event::AttemptFailed { attempt: *attempt, cause: Cause::Refused });
        self.tell(&actions)
    }

    pub(super) fn pass(&mut self, millis: u64) -> Vec<String> {
        let actions = self.rig.pass(millis);
        self.tell(&actions)
    }
}

pub(super) const V4: &[&str] = &["192.0.2.1"];
pub(super) const BOTH: &[&str] = &["192.0.2.1", "2001:db8::1", "2001:db8::2"];

#[test]
fn quic_goes_first_and_takes_the_request_with_it() {
    let mut race = Race::offered(|_| (), V4);
    assert_eq!(race.request(), ["resolve example.test", "0: quic 192.0.2.1:443"]);
    assert_eq!(race.connected(0), ["r0 on 0"]);
    assert_eq!(race.known(), Some(Known::Confirmed));
    assert_eq!(race.pass(1_000), [""; 0]);
    assert_eq!(race.request(), ["r1 on 0"]);
    assert_eq!(race.rig.up.count(Kind::Http3Confirmed), 1);
}

#[test]
fn nothing_is_offered_and_tcp_goes_alone() {
    let mut race = Race::new(|_| (), V4);
    assert_eq!(race.request(), ["resolve example.test", "0: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(0), ["r0 on 0"]);
    assert_eq!(race.request(), ["r1 on 0"]);
    // A response says that HTTP/3 is there: the next request waits for nothing.
    race.learn(Alternative::http3(8_443));
    assert_eq!(race.request(), ["r2 on 0", "1: quic 192.0.2.1:8443"]);
    assert_eq!(race.request(), ["r3 on 0"]);
    assert_eq!(race.connected(1), [""; 0]);
    assert_eq!(race.request(), ["r4 on 1"]);
}

#[test]
fn tcp_starts_after_the_delay_and_whoever_is_ready_first_serves() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    assert_eq!(race.pass(299), [""; 0]);
    assert_eq!(race.pass(1), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert_eq!(race.request(), ["r1 on 1"]);
    // QUIC goes on, and then takes every later request.
    assert_eq!(race.connected(0), [""; 0]);
    assert_eq!(race.request(), ["r2 on 0"]);
    assert_eq!(race.known(), Some(Known::Confirmed));

    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.pass(300);
    assert_eq!(race.connected(0), ["r0 on 0", "abort 1"], "a losing TCP leg is given up");
}

#[test]
fn quic_that_fails_is_followed_at_once_and_broken_when_tcp_connects() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.rig.now = 40;
    assert_eq!(race.failed(0), ["1: tcp 192.0.2.1:443"], "nobody is told of a failure");
    assert_eq!(race.known(), Some(Known::Unknown));
    assert_eq!(race.connected(1), ["r0 on 1"]);
    let until = Instant::from_millis(300_040);
    assert_eq!(race.known(), Some(Known::Broken(until)));
    assert_eq!(race.rig.up.count(Kind::Http3Broken), 1);
    assert_eq!(race.request(), ["r1 on 1"], "QUIC is left alone");
}

#[test]
fn a_server_that_is_down_breaks_nothing_and_the_error_lists_every_leg() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.request();
    assert_eq!(race.failed(0), ["1: tcp 192.0.2.1:443"]);
    let told = race.failed(1);
    let why = Refusal::ConnectFailed(Cause::Refused);
    let refused = |at| format!("r{at} refused: {why}, 2 tried");
    assert_eq!(told, [refused(0), refused(1)]);
    assert_eq!(race.known(), Some(Known::Unknown));
}

#[test]
fn a_connect_timeout_of_quic_leaves_those_who_wait_to_tcp() {
    let mut race = Race::offered(
        |config| {
            config.clusters[0].pool.connect_timeout = Duration::from_millis(200);
        },
        V4,
    );
    race.request();
    assert_eq!(race.pass(200), ["abort 0", "1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert_eq!(race.rig.up.count(Kind::Http3Broken), 1);
}

#[test]
fn the_second_family_starts_before_tcp() {
    let mut race = Race::offered(|_| (), BOTH);
    assert_eq!(race.request(), ["resolve example.test", "0: quic [2001:db8::1]:443"]);
    assert_eq!(
        race.pass(300),
        ["1: quic [2001:db8::2]:443", "2: quic 192.0.2.1:443", "3: tcp [2001:db8::1]:443"]
    );
    assert_eq!(race.connected(2), ["r0 on 2", "abort 0", "abort 1", "abort 3"]);
    // It has won: it starts with the first from now on.
    let connection = race.attempts[2].1;
    race.rig.complete(race.requests[0]);
    race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    assert_eq!(race.request(), ["4: quic [2001:db8::1]:443", "5: quic 192.0.2.1:443"]);
}

#[test]
fn the_second_family_keeps_to_the_address_that_it_was_given() {
    let mut race = Race::offered(|_| (), BOTH);
    race.slow = true;
    race.request();
    let both = ["1: quic [2001:db8::2]:443", "2: quic 192.0.2.1:443", "3: tcp [2001:db8::1]:443"];
    assert_eq!(race.pass(300), both);
    let (host, late) = (race.host.unwrap(), vec!["192.0.2.2".parse().unwrap()]);
    assert_eq!(race.rig.event(Event::Resolved { host, addresses: late }), []);
    assert_eq!(race.failed(2), [""; 0], "there is no other for it");
}

#[test]
fn an_alternative_on_another_host_is_looked_up_there() {
    let mut race = Race::new(|_| (), V4);
    let host = Some("alt.test".into());
    race.learn(Alternative { host, ..Alternative::http3(8_443) });
    assert_eq!(race.request(), ["resolve alt.test", "0: quic 192.0.2.1:8443"]);
    let connection = race.attempts[0].1;
    assert_eq!(race.rig.up.alt_used(connection).as_deref(), Some("alt.test:8443"));
    assert_eq!(race.pass(300), ["resolve example.test", "1: tcp 192.0.2.1:443"]);
    let connection = race.attempts[1].1;
    assert_eq!(race.rig.up.alt_used(connection), None);
    assert_eq!(race.connected(0), ["r0 on 0", "abort 1"]);
}

/// The second family's leg goes to an address that the first one's lookup has found.
#[test]
fn the_second_family_of_another_host_starts_however_the_first_ends() {
    let elsewhere = || {
        let mut race = Race::new(|_| (), BOTH);
        let host = Some("alt.test".into());
        race.learn(Alternative { host, ..Alternative::http3(8_443) });
        assert_eq!(race.request(), ["resolve alt.test", "0: quic [2001:db8::1]:8443"]);
        race
    };
    let mut race = elsewhere();
    assert_eq!(
        race.pass(300),
        [
            "1: quic [2001:db8::2]:8443",
            "2: quic 192.0.2.1:8443",
            "resolve example.test",
            "3: tcp [2001:db8::1]:443"
        ]
    );
    let mut race = elsewhere();
    assert_eq!(race.failed(0), ["1: quic [2001:db8::2]:8443"]);
    assert_eq!(race.failed(1), ["2: quic 192.0.2.1:8443"]);
    assert_eq!(race.connected(2), ["r0 on 2"]);
    assert_eq!(race.known(), Some(Known::Confirmed));
}

/// What a leg teaches is learnt of the alternative that it went to, also where the origin has told
/// of another one meanwhile.
#[test]
fn each_alternative_is_told_apart() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    // Under way, and more is wanted.
    race.learn(Alternative::http3(8_443));
    for _ in 1..150 {
        assert_eq!(race.request(), [""; 0]);
    }
    let mut told = race.connected(0);
    assert_eq!(race.known(), Some(Known::Unknown), "the other one was not tried");
    told.extend(race.pass(0));
    // Established, and full.
    assert_eq!(told[99..], ["r99 on 0", "1: quic 192.0.2.1:8443"]);
    race.dies(0, 0);
    assert_eq!(race.known(), Some(Known::Unknown), "it was the other one that fell silent");

    // The same where the race itself looks what is offered, as TCP joins it.
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.learn(Alternative::http3(8_443));
    assert_eq!(race.pass(300), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(0), ["r0 on 0", "abort 1"]);
    assert_eq!(race.known(), Some(Known::Unknown), "the other one was not tried");

    // Gone: the next race goes to the one that is offered then.
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    race.rig.complete(race.requests[0]);
    let connection = race.attempts[0].1;
    race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    race.learn(Alternative::http3(8_443));
    assert_eq!(race.request(), ["1: quic 192.0.2.1:8443"]);
}

#[test]
fn an_error_lists_what_its_own_race_has_tried() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.failed(0);
    race.connected(1);
    race.rig.complete(race.requests[0]);
    let connection = race.attempts[1].1;
    race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    assert_eq!(race.request(), ["2: tcp 192.0.2.1:443"], "QUIC is broken");
    let why = Refusal::ConnectFailed(Cause::Refused);
    assert_eq!(race.failed(2), [format!("r1 refused: {why}, 1 tried")]);
}

/// RACE-LEARNT is for later requests: it takes no room that others need, and waits for none.
#[test]
fn quic_starts_beside_tcp_in_use_and_where_there_is_room() {
    let mut race = Race::new(|config| config.max_sockets = 1, V4);
    race.request();
    race.connected(0);
    race.learn(Alternative::http3(443));
    assert_eq!(race.request(), ["r1 on 0"], "no socket is left");
    for request in race.requests.clone() {
        race.rig.complete(request);
    }
    let connection = race.attempts[0].1;
    let actions = race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    assert_eq!(race.tell(&actions), [""; 0], "now one is, and nobody has asked for it");

    let mut race = Race::new(|_| (), V4);
    race.request();
    race.learn(Alternative::http3(443));
    assert_eq!(race.request(), [""; 0], "TCP is under way");
    assert_eq!(race.connected(0), ["r0 on 0", "r1 on 0"]);
    assert_eq!(race.request(), ["r2 on 0", "1: quic 192.0.2.1:443"]);
}

#[test]
fn what_races_is_told() {
    let race = Race::new(|config| config.profiles.push(Profile::default()), V4);
    let races = |profile, scheme| race.rig.up.races(ProfileId(profile), scheme);
    assert!(races(0, Scheme::Https));
    assert!(!races(0, Scheme::Http), "QUIC has no plain text");
    assert!(!races(1, Scheme::Https) && !races(2, Scheme::Https));
}

#[test]
fn nobody_waits_any_more_and_quic_alone_goes_on() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.pass(300);
    let request = race.requests[0];
    let actions = race.rig.event(Event::Cancelled(request));
    let mut told = race.tell(&actions);
    told.sort();
    assert_eq!(told, ["abort 1", "r0 over"]);
    assert_eq!(race.pass(1_000), [""; 0]);
    // Somebody waits again: TCP's turn had come before.
    assert_eq!(race.request(), ["2: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(0), ["r1 on 0", "abort 2"]);
}

#[test]
fn where_connections_are_made_ahead_of_need_tcp_goes_on_as_well() {
    let eager = |config: &mut Config| config.clusters[0].pool.preconnect_permille = 1_500;
    for (offers, begun) in [(false, 1), (true, 2)] {
        let mut race = Race::new(eager, V4);
        if offers {
            race.learn(Alternative::http3(443));
        }
        race.request();
        race.pass(300);
        let connections = race.attempts.len();
        assert!(connections >= begun, "{:?}", race.attempts);
        let actions = race.rig.event(Event::Cancelled(race.requests[0]));
        assert_eq!(race.tell(&actions), ["r0 over"], "offers {offers}");
    }
    // Not ahead of need, but without a race: what is begun will serve the next.
    let mut race = Race::new(|_| (), V4);
    race.request();
    let actions = race.rig.event(Event::Cancelled(race.requests[0]));
    assert_eq!(race.tell(&actions), ["r0 over"]);
    assert_eq!(race.connected(0), [""; 0]);
    assert_eq!(race.request(), ["r1 on 0"]);
}

/// Five wait for a connection that is thought to carry all of them, and it speaks HTTP/1.1: those
/// that it cannot carry have connections in the same call, one each.
#[test]
fn without_quic_all_that_are_needed_begin_at_once() {
    let mut race = Race::new(|_| (), V4);
    for _ in 0..5 {
        race.request();
    }
    assert_eq!(race.attempts.len(), 1, "{:?}", race.attempts);
    race.attempts[0].3 = false;
    let actions = race.rig.connected(race.attempts[0].0, Protocol::Http1, 1);
    assert_eq!(race.tell(&actions)[0], "r0 on 0");
    let transports: Vec<_> = race.attempts.iter().map(|attempt| attempt.2).collect();
    assert_eq!(transports, [Transport::Tcp; 5]);
}

/// What QUIC alone has held back begins all at once when TCP's turn comes.
#[test]
fn what_was_held_back_begins_at_once() {
    let one = |config: &mut Config| config.clusters[0].pool.assumed_streams = NonZeroU32::MIN;
    let mut race = Race::offered(one, V4);
    for _ in 0..4 {
        race.request();
    }
    assert_eq!(race.attempts.len(), 1, "{:?}", race.attempts);
    let begun = race.pass(300);
    assert_eq!(begun, [1, 2, 3].map(|number| format!("{number}: tcp 192.0.2.1:443")));
}

/// So does what is needed when QUIC fails before that: as much as without QUIC. Where that is
/// refused as well, everybody hears of it, and nothing is called in a loop.
#[test]
fn what_was_held_back_begins_when_quic_fails() {
    let one = |config: &mut Config| config.clusters[0].pool.assumed_streams = NonZeroU32::MIN;
    let mut race = Race::offered(one, V4);
    for _ in 0..4 {
        race.request();
    }
    assert_eq!(race.attempts.len(), 1, "{:?}", race.attempts);
    let begun = race.failed(0);
    assert_eq!(begun, [1, 2, 3, 4].map(|number| format!("{number}: tcp 192.0.2.1:443")));
    for number in 1..4 {
        assert_eq!(race.failed(number), [""; 0]);
    }
    let told = race.failed(4);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|line| line.contains("refused: ")), "{told:?}");
}

/// The second family is still to be tried: nothing else begins.
#[test]
fn what_was_held_back_waits_for_the_second_family() {
    let one = |config: &mut Config| config.clusters[0].pool.assumed_streams = NonZeroU32::MIN;
    let mut race = Race::offered(one, BOTH);
    race.request();
    race.request();
    let begun = race.failed(0);
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert!(begun[0].starts_with("1: quic "), "{begun:?}");
}

/// As many as the ratio asks for begin in the call that shows it, whether the transports race or
/// not: three for each request, as with Envoy.
#[test]
fn as_much_is_made_ahead_of_need_where_the_transports_race() {
    for protocols in [Protocols::AutoHttp3, Protocols::Auto] {
        let ratio = |config: &mut Config| {
            config.profiles[0].protocols = protocols;
            config.clusters[0].pool.assumed_streams = NonZeroU32::MIN;
            config.clusters[0].pool.preconnect_permille = 3_000;
        };
        let mut race = Race::new(ratio, V4);
        let tcp = |number| format!("{number}: tcp 192.0.2.1:443");
        let first = [vec!["resolve example.test".into()], [0, 1, 2].map(tcp).to_vec()].concat();
        assert_eq!(race.request(), first, "{protocols:?}");
        assert_eq!(race.request(), [3, 4, 5].map(tcp), "{protocols:?}");
        // One that fails is not followed by another: nobody has moved.
        assert_eq!(race.failed(5), [""; 0], "{protocols:?}");
        let more = [vec!["resolve example.test".into()], [6, 7, 8, 9].map(tcp).to_vec()].concat();
        assert_eq!(race.request(), more, "{protocols:?}");
    }
    // Where QUIC may carry all of it, it goes alone.
    let mut race = Race::offered(|config| config.clusters[0].pool.preconnect_permille = 3_000, V4);
    assert_eq!(race.request(), ["resolve example.test", "0: quic 192.0.2.1:443"]);
}

#[test]
fn who_waits_again_before_the_delay_has_it_anew() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.rig.event(Event::Cancelled(race.requests[0]));
    assert_eq!(race.pass(1_000), [""; 0]);
    assert_eq!(race.request(), [""; 0], "QUIC is still under way");
    assert_eq!(race.pass(300), ["1: tcp 192.0.2.1:443"]);
}

#[test]
fn a_silent_death_makes_quic_suspect_and_tcp_starts_with_it() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    race.rig.ended(race.requests[0], Outcome::Complete, RetrySafe::Answered);
    assert_eq!(race.request(), ["r1 on 0"]);
    assert_eq!(race.dies(0, 1), ["r1 again", "1: quic 192.0.2.1:443", "2: tcp 192.0.2.1:443"]);
    assert_eq!(race.known(), Some(Known::Suspect));
    assert_eq!(race.connected(2), ["r1 on 2"]);
    // An idle connection that times out has proven nothing.
    assert_eq!(race.connected(1), [""; 0]);
    assert_eq!(race.known(), Some(Known::Confirmed));
    let connection = race.attempts[1].1;
    race.rig.event(Event::Closed { connection, cause: Cause::KeepAliveTimeout });
    assert_eq!(race.known(), Some(Known::Confirmed));
}

#[test]
fn a_handshake_behind_which_nothing_is_answered_sends_its_requests_over_tcp_alone() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    assert_eq!(race.dies(0, 0), ["r0 again", "1: tcp 192.0.2.1:443"]);
    assert_eq!(race.known(), Some(Known::Suspect));
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert!(matches!(race.known(), Some(Known::Broken(_))), "TCP does better");
}

#[test]
fn where_tcp_does_no_better_than_a_silent_quic_both_are_tried_again() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    race.dies(0, 0);
    race.failed(1);
    assert_eq!(race.known(), Some(Known::Suspect));
    assert_eq!(race.request()[1..], ["2: quic 192.0.2.1:443", "3: tcp 192.0.2.1:443"]);
}

#[test]
fn one_socket_does_for_both_in_turn() {
    let mut race = Race::offered(|config| config.max_sockets = 1, V4);
    race.request();
    assert_eq!(race.pass(300), [""; 0], "TCP waits for the socket");
    assert_eq!(race.failed(0), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert_eq!(race.rig.up.count(Kind::Http3Broken), 1);
}

#[test]
fn one_handshake_does_for_both_in_turn() {
    let mut race = Race::offered(|config| config.max_handshakes = NonZeroU32::new(1), V4);
    race.request();
    assert_eq!(race.pass(300), [""; 0], "TCP waits for its turn");
    assert_eq!(race.failed(0), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.failed(1).len(), 1, "the request is refused");
}

#[test]
fn the_first_connection_over_each_transport_is_made_where_the_breaker_is_open() {
    let mut race = Race::offered(|config| config.clusters[0].limits.max_connections = Some(1), V4);
    race.request();
    assert_eq!(race.pass(300), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
}

#[test]
fn a_hundred_more_wait_for_quic_too_until_its_delay() {
    let mut race = Race::offered(|_| (), V4);
    for _ in 0..150 {
        race.request();
    }
    assert_eq!(race.attempts.len(), 1, "QUIC runs alone");
    assert_eq!(race.pass(300), ["1: tcp 192.0.2.1:443"]);
    for _ in 0..100 {
        race.request();
    }
    assert_eq!(race.attempts.len(), 3, "RACE-BEHIND: what else is needed is made over TCP");
    assert!(race.attempts[2].2 == Transport::Tcp);
}

#[test]
fn an_alternative_that_does_not_speak_for_the_origin_is_left() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    let connection = race.attempts[0].1;
    assert_eq!(race.rig.event(Event::Misdirected(connection)), []);
    assert_eq!(race.known(), None);
    assert_eq!(race.request(), ["1: tcp 192.0.2.1:443"]);
    race.connected(1);
    // Of the origin itself it says nothing.
    let connection = race.attempts[1].1;
    assert_eq!(race.rig.event(Event::Misdirected(connection)), []);
    assert_eq!(race.request(), ["r2 on 1"]);
}

#[test]
fn another_network_forgets_what_was_learnt_on_this_one() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    race.rig.event(Event::NetworkChanged);
    assert_eq!(race.known(), None);
    assert_eq!(race.request(), ["resolve example.test", "1: tcp 192.0.2.1:443"]);
}

#[test]
fn what_a_file_knew_is_known_again() {
    let race = Race::offered(|_| (), V4);
    let clock = Clock { now: race.rig.at(), unix: 1_000_000 };
    let text: Arc<str> = race.rig.up.alternatives().text(clock).into();
    let mut race = Race::new(|_| (), V4);
    race.rig.event(Event::Restored { unix: 1_000_000, text: "not such a file".into() });
    assert_eq!(race.known(), None);
    race.rig.event(Event::Restored { unix: 1_000_000, text });
    assert_eq!(race.known(), Some(Known::Unknown));
    assert_eq!(race.request(), ["resolve example.test", "0: quic 192.0.2.1:443"]);
}

#[test]
fn a_drain_gives_up_what_nobody_waits_for() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.rig.event(Event::Cancelled(race.requests[0]));
    let actions = race.rig.event(Event::Drain);
    assert_eq!(race.tell(&actions), ["abort 0"]);
    assert_eq!(race.rig.up.count(Kind::Http3Broken), 0);
}
