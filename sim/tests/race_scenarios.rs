//! The scenarios of the race between QUIC and TCP: their times are the policy's, to the nanosecond.

use core::time::Duration;
use std::path::Path;

use regatta_core::record::Kind;
use regatta_core::types::Protocol;
use regatta_sim::scenario::{Asked, End, Outcome, Scenario, Setting};

const MS: Duration = Duration::from_millis(1);

fn run(name: &str, settings: &[(&str, &str)]) -> Outcome {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let text = std::fs::read_to_string(file).unwrap();
    let settings: Vec<Setting> =
        settings.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let outcome = Scenario::read(name, &text, &settings).unwrap().run(1);
    assert_eq!(outcome.failed, None);
    assert!(outcome.asked.iter().all(|asked| asked.end == End::Answered(200)), "{name}");
    outcome
}

/// Time to the first byte, and what it came over, of each request of a load.
fn answers(outcome: &Outcome, load: &str) -> Vec<(Duration, Protocol)> {
    let number = outcome.loads.iter().position(|name| name == load).unwrap();
    let own = outcome.asked.iter().filter(|asked| asked.load == number);
    own.map(|asked: &Asked| {
        let timeline = &asked.timeline;
        let first = timeline.first_byte.unwrap().saturating_since(asked.requested);
        (first, timeline.connection.as_ref().unwrap().protocol)
    })
    .collect()
}

/// Broken, suspect, confirmed.
fn marks(outcome: &Outcome) -> [u64; 3] {
    [Kind::Http3Broken, Kind::Http3Suspect, Kind::Http3Confirmed].map(|kind| outcome.count(kind))
}

#[test]
fn where_udp_is_blocked_only_the_first_request_pays_for_it() {
    let outcome = run("udp-blocked", &[]);
    assert_eq!(answers(&outcome, "first"), [(420 * MS, Protocol::Http2)]);
    assert_eq!(answers(&outcome, "later"), [(40 * MS, Protocol::Http2); 20]);
    let again = answers(&outcome, "tried-again");
    assert_eq!(again[0], (80 * MS, Protocol::Http3));
    assert_eq!(again[1..], [(40 * MS, Protocol::Http3); 19]);
    assert_eq!(marks(&outcome), [1, 0, 1]);
}

#[test]
fn where_udp_dies_one_request_pays_until_the_server_is_mute() {
    for settings in [&[][..], &[("server.www.quic_idle_timeout", "5s")][..]] {
        let outcome = run("udp-dies-later", settings);
        let before = answers(&outcome, "before");
        assert_eq!(before[0], (80 * MS, Protocol::Http3));
        assert_eq!(before[1..], [(40 * MS, Protocol::Http3); 9]);
        // Four probe timeouts, whatever the idle time, and three round trips of TCP.
        assert_eq!(answers(&outcome, "meanwhile"), [((580 + 120) * MS, Protocol::Http2)]);
        let later = answers(&outcome, "later");
        assert!(later.iter().all(|(_, over)| *over == Protocol::Http2), "{later:?}");
        assert_eq!(marks(&outcome), [1, 1, 1]);
    }
}

#[test]
fn a_firewall_that_passes_one_datagram_is_one_that_drops_all() {
    let settings = [("rule.udp.action", "pass-first"), ("rule.udp.most", "1")];
    let outcome = run("udp-blocked", &settings);
    assert_eq!(answers(&outcome, "first"), [(420 * MS, Protocol::Http2)]);
    assert_eq!(answers(&outcome, "later"), [(40 * MS, Protocol::Http2); 20]);
    assert_eq!(marks(&outcome), [1, 0, 1]);
}

#[test]
fn where_ipv6_loses_quic_the_other_family_wins_and_is_remembered() {
    let outcome = run("ipv6-quic-broken", &[]);
    assert_eq!(answers(&outcome, "first"), [(380 * MS, Protocol::Http3)]);
    assert_eq!(answers(&outcome, "later"), [(40 * MS, Protocol::Http3); 10]);
    assert_eq!(answers(&outcome, "again"), [(80 * MS, Protocol::Http3)]);
    assert_eq!(marks(&outcome), [0, 0, 2]);
    // Without the second leg TCP wins over IPv6, and QUIC goes on there until it has failed.
    let alone = run("ipv6-quic-broken", &[("client.race.second_family", "false")]);
    assert_eq!(answers(&alone, "first"), [(420 * MS, Protocol::Http2)]);
    assert_eq!(marks(&alone), [1, 0, 0]);
}

#[test]
fn a_delay_by_the_round_trip_is_shorter_near_and_spares_attempts_far_away() {
    let by_rtt = "{ permille = 1500, least = \"10ms\", most = \"3s\" }";
    for one_way in [5, 10, 50, 100, 200, 400_u32] {
        let rtt = 2 * one_way * MS;
        let link = format!("{one_way}ms");
        for (delay, said) in [(300 * MS, "300ms"), (rtt * 3 / 2, by_rtt)] {
            let settings = [("link.way.delay", link.as_str()), ("client.race.delay", said)];
            let outcome = run("race-300ms-vs-rtt", &settings);
            let blocked = answers(&outcome, "1-udp-blocked");
            assert_eq!(blocked, [(delay + 3 * rtt, Protocol::Http2)], "{link}, {said}");
            assert_eq!(answers(&outcome, "2-udp-open"), [(2 * rtt, Protocol::Http3)]);
            // Two that learn, two that race for the blocked one, one or two for the open one.
            let in_vain = u64::from(delay <= rtt);
            assert_eq!(outcome.count(Kind::AttemptStarted), 5 + in_vain, "{link}, {said}");
            assert_eq!(marks(&outcome), [1, 0, 1]);
        }
    }
}
