//! HTTPS records beside the race: when they are asked for, who waits for them, what they change.

use super::grid::{BOTH, Race, V4};
use super::*;
use crate::altsvc::{Alternative, HttpsRecords, Offer, State as Known};

fn asking(config: &mut Config) {
    config.profiles[0].https_records = true;
}

fn http3(alternative: Alternative) -> HttpsRecords {
    HttpsRecords::Offers(vec![Offer::new(alternative)])
}

fn nothing() -> HttpsRecords {
    HttpsRecords::Offers(Vec::new())
}

impl Race {
    /// The resolver says this of the only pool's services.
    fn services(&mut self, records: HttpsRecords, ttl: Option<u64>) -> Vec<String> {
        let pool = self.rig.up.snapshot(self.rig.at())[0].id;
        let ttl = ttl.map(Duration::from_secs);
        let actions = self.rig.event(Event::ServicesResolved { pool, records, ttl });
        self.rig.up.check();
        self.tell(&actions)
    }

    fn alt_used(&self, attempt: usize) -> Option<String> {
        self.rig.up.alt_used(self.attempts[attempt].1)
    }
}

const ASKED: [&str; 2] = ["services of example.test", "resolve example.test"];

#[test]
fn a_record_sends_the_first_request_over_quic() {
    let mut race = Race::new(asking, V4);
    assert_eq!(race.request(), ASKED);
    assert_eq!(race.request(), [""; 0]);
    let told = race.services(http3(Alternative::http3(8_443)), Some(300));
    assert_eq!(told, ["0: quic 192.0.2.1:8443"], "nothing was tried over TCP");
    assert_eq!(race.connected(0), ["r0 on 0", "r1 on 0"]);
    assert_eq!(race.known(), Some(Known::Confirmed));
    // It is the origin itself, and no alternative service.
    assert_eq!(race.alt_used(0), None);
    assert_eq!(race.request(), ["r2 on 0"]);
}

#[test]
fn what_the_origin_says_as_well_is_its_own_word() {
    let mut race = Race::new(asking, V4);
    race.request();
    race.learn(Alternative::http3(443));
    assert_eq!(race.services(http3(Alternative::http3(443)), None), ["0: quic 192.0.2.1:443"]);
    assert_eq!(race.alt_used(0).as_deref(), Some("example.test"));
}

#[test]
fn without_a_record_tcp_goes_on_at_once() {
    for none in [nothing(), HttpsRecords::Unavailable, http3_of_another_kind()] {
        let mut race = Race::new(asking, V4);
        race.request();
        assert_eq!(race.services(none, None), ["0: tcp 192.0.2.1:443"]);
        assert_eq!(race.connected(0), ["r0 on 0"]);
        assert_eq!(race.request(), ["r1 on 0"]);
    }
}

/// HTTP/2 alone.
fn http3_of_another_kind() -> HttpsRecords {
    http3(Alternative { protocol: Protocol::Http2, ..Alternative::http3(443) })
}

#[test]
fn nobody_waits_for_the_records_longer_than_the_resolution_delay() {
    let mut race = Race::new(asking, V4);
    race.request();
    assert_eq!(race.pass(49), [""; 0]);
    assert_eq!(race.pass(1), ["0: tcp 192.0.2.1:443"]);
    // Late, but not in vain: what is being established goes on, and the next request has QUIC.
    assert_eq!(race.services(http3(Alternative::http3(443)), None), [""; 0]);
    assert_eq!(race.connected(0), ["r0 on 0"]);
    assert_eq!(race.request(), ["r1 on 0", "1: quic 192.0.2.1:443"]);
}

/// The other family's addresses are late as well: who has waited for the records has waited for
/// those too, whatever the records say, and however long they took.
#[test]
fn the_resolution_delay_passes_once_behind_the_gate() {
    let rows = [
        (0, Some(nothing()), 50, "tcp 192.0.2.1:443"),
        (30, Some(nothing()), 50, "tcp 192.0.2.1:443"),
        (30, Some(http3(Alternative::http3(8_443))), 50, "quic 192.0.2.1:8443"),
        (50, None, 50, "tcp 192.0.2.1:443"),
    ];
    for (answer_at, records, begun_at, begun) in rows {
        let mut race = Race::new(asking, V4);
        race.slow = true;
        assert_eq!(race.request(), ASKED);
        let mut told = race.pass(answer_at);
        let mut now = answer_at;
        if let Some(records) = records {
            assert_eq!(told, [""; 0]);
            told = race.services(records, None);
            let left = begun_at - now;
            assert_eq!(told, [""; 0], "its delay is not over at {now} ms");
            assert_eq!(race.pass(left - 1), [""; 0]);
            told = race.pass(1);
            now = begun_at;
        }
        assert_eq!((now, told), (begun_at, vec![format!("0: {begun}")]));
    }
}

/// A second race to the same name, while it is being resolved: the delay began for both.
#[test]
fn the_resolution_delay_is_the_names_own() {
    let mut race =
        Race::new(|config| config.clusters[0].pool.assumed_streams = 1.try_into().unwrap(), V4);
    race.slow = true;
    assert_eq!(race.request(), ["resolve example.test"]);
    assert_eq!(race.pass(30), [""; 0]);
    assert_eq!(race.request(), [""; 0]);
    assert_eq!(race.pass(19), [""; 0]);
    assert_eq!(race.pass(1), ["0: tcp 192.0.2.1:443", "1: tcp 192.0.2.1:443"]);
}

#[test]
fn addresses_that_do_not_come_fail_whoever_waits() {
    let mut race = Race::new(asking, &[]);
    let told = race.request();
    assert_eq!(told[..2], ASKED);
    assert!(told[2].starts_with("r0 refused: ") && told[2].ends_with(", 0 tried"), "{told:?}");
    assert_eq!(race.services(nothing(), None), [""; 0]);
}

#[test]
fn aliases_are_followed_and_not_for_ever() {
    let mut race = Race::new(asking, V4);
    race.request();
    for hop in 0..8 {
        let alias = HttpsRecords::Alias(format!("hop{hop}.test").into());
        assert_eq!(race.services(alias, None), [format!("services of hop{hop}.test")]);
    }
    let alias = HttpsRecords::Alias("hop8.test".into());
    assert_eq!(race.services(alias, None), ["0: tcp 192.0.2.1:443"]);

    let mut race = Race::new(asking, V4);
    race.request();
    race.services(HttpsRecords::Alias("svc.test".into()), None);
    let elsewhere = Alternative { host: Some("svc.test".into()), ..Alternative::http3(443) };
    let told = race.services(http3(elsewhere), None);
    assert_eq!(told, ["resolve svc.test", "0: quic 192.0.2.1:443"]);
}

#[test]
fn a_record_that_lies_is_broken_as_what_a_response_has_told() {
    let mut race = Race::new(asking, V4);
    race.request();
    race.services(http3(Alternative::http3(443)), None);
    assert_eq!(race.failed(0), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), ["r0 on 1"]);
    assert!(matches!(race.known(), Some(Known::Broken(_))));
}

#[test]
fn an_answer_holds_for_its_time_and_is_asked_for_again() {
    let mut race = Race::new(asking, V4);
    race.request();
    race.services(nothing(), Some(5));
    race.connected(0);
    let close = |race: &mut Race, attempt: usize| {
        let connection = race.attempts[attempt].1;
        let request = race.requests[attempt];
        let actions = race.rig.ended(request, Outcome::Complete, RetrySafe::Unknown);
        race.tell(&actions);
        race.rig.event(Event::Closed { connection, cause: Cause::Closed });
    };
    close(&mut race, 0);
    assert_eq!(race.request(), ["1: tcp 192.0.2.1:443"], "it is known that there is none");
    race.connected(1);
    close(&mut race, 1);
    race.pass(5_000);
    assert_eq!(race.request(), ["services of example.test"]);
    assert_eq!(race.services(nothing(), Some(0)), ["2: tcp 192.0.2.1:443"]);
}

#[test]
fn a_pool_that_has_a_connection_waits_for_nothing() {
    let mut race = Race::new(
        |config| {
            asking(config);
            config.clusters[0].pool.max_concurrent_streams = 1.try_into().unwrap();
        },
        V4,
    );
    race.request();
    race.services(nothing(), Some(1));
    race.connected(0);
    race.pass(2_000);
    assert_eq!(race.request(), ["services of example.test", "1: tcp 192.0.2.1:443"]);
}

#[test]
fn another_network_has_another_resolver() {
    let mut race = Race::new(asking, V4);
    race.request();
    race.rig.event(Event::NetworkChanged);
    let told = race.services(http3(Alternative::http3(443)), None);
    // What the old one said counts for nothing, and its addresses for no more than a beginning.
    assert_eq!(told, ["resolve example.test", "0: tcp 192.0.2.1:443"]);
    assert_eq!(race.known(), None);
}

#[test]
fn an_address_has_no_records_and_another_port_has_its_own_name() {
    let told = |host: &str, port| {
        let mut race = Race::new(asking, BOTH);
        let mut key = https();
        (key.origin.host, key.origin.port) = (host.into(), port);
        race.rig.up.request(race.rig.at(), &key, MethodClass::Safe, None);
        let actions = race.rig.take();
        race.tell(&actions).remove(0)
    };
    assert_eq!(told("example.test", 8_443), "services of _8443._https.example.test");
    assert_eq!(told("192.0.2.1", 443), "resolve 192.0.2.1");
    assert_eq!(told(&"a.".repeat(126), 8_443), format!("resolve {}", "a.".repeat(126)));
}

#[test]
fn an_answer_that_nobody_waits_for_is_stale() {
    let mut race = Race::new(asking, V4);
    race.request();
    race.services(nothing(), None);
    let stale = race.rig.up.count(Kind::Stale);
    assert_eq!(race.services(http3(Alternative::http3(443)), None), [""; 0]);
    assert_eq!((race.rig.up.count(Kind::Stale), race.known()), (stale + 1, None));
}
