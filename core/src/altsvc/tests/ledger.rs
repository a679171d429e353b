use super::{at, h3, learn, origin, said, shown};
use crate::altsvc::{BackOff, Config, Heard, Ledger, NotLearnt, Source, State};
use crate::time::Duration;
use crate::types::{Origin, Protocol, Scheme};

fn ledger() -> Ledger {
    Ledger::new(Config::default())
}

// rule: AS-7b AS-14
#[test]
fn what_is_heard_replaces_what_was_heard() {
    let h2 = r#"h2="b.test:443""#;
    // What was heard, from where, and what is known then.
    let rows: [(&str, Source, &str); 8] = [
        (r#"h3=":1""#, Source::Prepopulated, r#"h3=":1""#),
        (r#"h3=":2""#, Source::Dns, r#"h3=":1", h3=":2""#),
        (r#"h3=":3", h3=":4""#, Source::Field, r#"h3=":3", h3=":4", h3=":2""#),
        (r#"h3=":5", h3=":4""#, Source::Frame, r#"h3=":5", h3=":4", h3=":2""#),
        (r#"h3=":6", h3=":4", h3=":2""#, Source::Dns, r#"h3=":5", h3=":4", h3=":6", h3=":2""#),
        ("clear", Source::Field, r#"h3=":6", h3=":4", h3=":2""#),
        (h2, Source::Dns, h2),
        ("clear", Source::Dns, ""),
    ];
    let mut ledger = ledger();
    for (field, source, expected) in rows {
        learn(&mut ledger, 0, "a.test", field, source);
        assert_eq!(shown(&ledger, 0, "a.test"), expected, "{field} from {source:?}");
    }
}

#[test]
fn a_guess_replaces_nothing() {
    let mut ledger = ledger();
    assert_eq!(learn(&mut ledger, 0, "a.test", r#"h3=":1"; ma=10"#, Source::Field), 1);
    let guess = |ledger: &mut Ledger, seconds, source| {
        ledger.learn(at(seconds), &origin("a.test"), &said(r#"h3=":2""#), Heard::from(source))
    };
    for source in [Source::Hint, Source::Prepopulated] {
        assert_eq!(guess(&mut ledger, 9, source), Err(NotLearnt::AlreadyKnown));
    }
    assert_eq!(guess(&mut ledger, 10, Source::Hint), Ok(1), "nothing is known any more");
    assert_eq!(shown(&ledger, 10, "a.test"), r#"h3=":2""#);
}

#[test]
fn plain_text_has_no_alternatives() {
    let plain = Origin { scheme: Scheme::Http, host: "a.test".into(), port: 80 };
    let mut ledger = ledger();
    let learnt = ledger.learn(at(0), &plain, &said(r#"h2=":443""#), Heard::from(Source::Field));
    assert_eq!(learnt, Err(NotLearnt::NotSecure));
    ledger.mark_broken(at(0), &plain, &h3("", 443));
    ledger.note_rtt(&plain, Duration::from_millis(1));
    assert!(ledger.is_empty());
}

// rule: AS-7a AS-7c
#[test]
fn alternatives_end_with_their_time() {
    let mut ledger = ledger();
    let field = said(r#"h3=":1"; ma=100, h3=":2", h3=":3"; ma=30"#);
    let heard = Heard { source: Source::Field, age: Duration::from_secs(30) };
    assert_eq!(ledger.learn(at(1_000), &origin("a.test"), &field, heard), Ok(2), "one has ended");
    let rows = [
        (1_069, r#"h3=":1", h3=":2""#),
        (1_070, r#"h3=":2""#),
        (87_369, r#"h3=":2""#),
        (87_370, ""),
    ];
    for (seconds, expected) in rows {
        assert_eq!(shown(&ledger, seconds, "a.test"), expected, "at {seconds}");
    }
}

#[test]
fn brokenness_doubles_and_heals() {
    let (mut ledger, origin, which) = (ledger(), origin("a.test"), h3("", 443));
    learn(&mut ledger, 0, "a.test", r#"h3=":443"; ma=4000000"#, Source::Field);
    let state = |ledger: &Ledger, now| ledger.known(now, &origin).next().unwrap().state;
    let mut now = at(0);
    assert_eq!(state(&ledger, now), State::Unknown);
    let day = 86_400;
    for wait in [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, day, day] {
        ledger.mark_broken(now, &origin, &which);
        let until = now + Duration::from_secs(wait);
        assert_eq!(state(&ledger, now), State::Broken(until), "{wait} s");
        assert_eq!(ledger.best(now, &origin, Protocol::Http3), None);
        // Meanwhile another failure counts for nothing, nor does offering it again heal it.
        ledger.mark_broken(now + Duration::from_secs(1), &origin, &which);
        learn(&mut ledger, 0, "a.test", "clear", Source::Field);
        learn(&mut ledger, 0, "a.test", r#"h3=":443"; ma=4000000"#, Source::Field);
        assert_eq!(state(&ledger, now), State::Broken(until), "{wait} s");
        now = until;
        assert_eq!(state(&ledger, now), State::Suspect, "after {wait} s");
        assert!(ledger.best(now, &origin, Protocol::Http3).is_some());
    }
    ledger.mark_confirmed(now, &origin, &which);
    assert_eq!(state(&ledger, now), State::Confirmed);
    ledger.mark_broken(now, &origin, &which);
    assert_eq!(state(&ledger, now), State::Broken(now + Duration::from_secs(300)));
    // Suspect at once, and the time of the failure goes on.
    ledger.mark_suspect(now, &origin, &which);
    assert_eq!(state(&ledger, now), State::Suspect);
    ledger.mark_broken(now + Duration::from_secs(299), &origin, &which);
    assert_eq!(state(&ledger, now), State::Broken(now + Duration::from_secs(300)));
}

#[test]
fn envoys_back_off() {
    let rows =
        [(0, 1), (1, 2), (5, 32), (16, 65_536), (17, 131_072), (40, 131_072), (255, 131_072)];
    for (failures, seconds) in rows {
        assert_eq!(BackOff::ENVOY.after(failures), Duration::from_secs(seconds), "{failures}");
    }
}

#[test]
fn each_alternative_is_broken_by_itself() {
    let (mut ledger, a) = (ledger(), origin("a.test"));
    learn(&mut ledger, 0, "a.test", r#"h3=":1", h3=":2""#, Source::Field);
    ledger.mark_broken(at(0), &a, &h3("", 1));
    let best = ledger.best(at(0), &a, Protocol::Http3).unwrap();
    assert_eq!(*best.alternative, h3("", 2));
    // What is not known is remembered, and shown once it is offered.
    ledger.mark_broken(at(0), &a, &h3("", 3));
    ledger.mark_confirmed(at(0), &a, &h3("", 4));
    learn(&mut ledger, 1, "a.test", r#"h3=":3", h3=":4""#, Source::Field);
    let expected = r#"h3=":3" Broken(Instant(300000000000)), h3=":4""#;
    assert_eq!(shown(&ledger, 1, "a.test"), expected);
}

// rule: AS-8
#[test]
fn another_network_leaves_what_persists() {
    let (mut ledger, a) = (ledger(), origin("a.test"));
    learn(&mut ledger, 0, "a.test", r#"h3=":1"; persist=1, h3=":2""#, Source::Field);
    learn(&mut ledger, 0, "a.test", r#"h3=":3""#, Source::Dns);
    ledger.mark_broken(at(0), &a, &h3("", 1));
    ledger.note_rtt(&a, Duration::from_millis(20));
    ledger.network_changed();
    assert_eq!(shown(&ledger, 1, "a.test"), r#"h3=":1""#);
    assert_eq!(ledger.rtt(&a), None);
    ledger.mark_broken(at(1), &a, &h3("", 1));
    assert_eq!(shown(&ledger, 1, "a.test"), r#"h3=":1" Broken(Instant(301000000000))"#);
    ledger.forget(&a);
    assert!(ledger.is_empty());
}

// rule: AS-9
#[test]
fn who_answers_421_is_removed() {
    let mut ledger = ledger();
    learn(&mut ledger, 0, "a.test", r#"h3="b.test:1", h3=":2""#, Source::Field);
    ledger.misdirected(at(0), &origin("a.test"), &h3("b.test", 1));
    assert_eq!(shown(&ledger, 0, "a.test"), r#"h3=":2""#);
}

// rule: AS-12a AS-12b
#[test]
fn what_an_origin_may_not_offer() {
    let private = "127.0.0.1 [::1] localhost a.localhost. 10.1.2.3 169.254.169.254 [fd00::1] \
                   [::ffff:192.168.0.1] 192.0.2.1";
    let private: Vec<_> =
        private.split_whitespace().map(|host| format!("h3=\"{host}:443\"")).collect();
    let private = private.join(", ");
    let mut ledger = ledger();
    assert_eq!(learn(&mut ledger, 0, "a.test", &private, Source::Field), 1);
    assert_eq!(
        (shown(&ledger, 0, "a.test").as_str(), ledger.refused()),
        (r#"h3="192.0.2.1:443""#, 8)
    );
    assert_eq!(
        learn(&mut ledger, 0, "10.0.0.1", &private, Source::Field),
        4,
        "its own is the fifth"
    );
    let hosts: Vec<String> = (0..9).map(|n| format!(r#"h3="h{n}.test:443""#)).collect();
    learn(&mut ledger, 0, "a.test", &hosts.join(", "), Source::Field);
    assert_eq!(shown(&ledger, 0, "a.test"), hosts[..4].join(", "), "and its own");
    let ports: Vec<String> = (1..=12).map(|n| format!(r#"h3=":{n}""#)).collect();
    learn(&mut ledger, 0, "a.test", &ports.join(", "), Source::Field);
    assert_eq!(shown(&ledger, 0, "a.test"), ports[..10].join(", "));
    let config = Config { refuse_user_ports: true, ..Config::default() };
    let mut strict = Ledger::new(config);
    let own_user_port = Origin { port: 1_024, ..origin("a.test") };
    let heard = Heard::from(Source::Field);
    assert_eq!(strict.learn(at(0), &own_user_port, &said(r#"h3=":8443""#), heard), Ok(1));
    let field = r#"h3=":1024", h3=":1023", h3="b.test:8443""#;
    learn(&mut strict, 0, "a.test", field, Source::Field);
    assert_eq!(shown(&strict, 0, "a.test"), r#"h3=":1023", h3="b.test:8443""#);
}

#[test]
fn names_of_one_suffix_share_what_is_known() {
    let canonical_suffixes = vec!["b.test".into(), ".b.test".into(), ".test".into()];
    let config = Config { canonical_suffixes, ..Config::default() };
    let mut ledger = Ledger::new(config);
    learn(&mut ledger, 0, "one.b.test", r#"h3=":1"; ma=50"#, Source::Field);
    assert_eq!(shown(&ledger, 0, "two.b.test"), r#"h3=":1""#);
    assert_eq!(shown(&ledger, 0, "c.test"), "", "another suffix");
    assert_eq!(shown(&ledger, 0, "xb.test"), "", "a suffix begins with a dot");
    // Whoever spoke last speaks for the suffix; one's own word counts more.
    learn(&mut ledger, 0, "two.b.test", r#"h3=":2"; ma=20"#, Source::Field);
    assert_eq!(shown(&ledger, 0, "one.b.test"), r#"h3=":1""#);
    assert_eq!(shown(&ledger, 0, "three.b.test"), r#"h3=":2""#);
    // What befalls it there, befalls it for all; and so with the round trip.
    ledger.mark_suspect(at(1), &origin("three.b.test"), &h3("", 2));
    ledger.note_rtt(&origin("two.b.test"), Duration::from_micros(1_500));
    assert_eq!(shown(&ledger, 1, "four.b.test"), r#"h3=":2" Suspect"#);
    assert_eq!(ledger.rtt(&origin("four.b.test")), Some(Duration::from_micros(1_500)));
    assert_eq!(shown(&ledger, 20, "four.b.test"), "", "its time is over");
    ledger.forget(&origin("two.b.test"));
    assert_eq!(ledger.rtt(&origin("four.b.test")), None);
}

/// Who offers nothing any more, or is forgotten, takes no other's word away.
#[test]
fn whoever_spoke_last_goes_on_to_speak_for_its_suffix() {
    let spoken = || {
        let canonical_suffixes = vec![".test".into()];
        let mut ledger = Ledger::new(Config { canonical_suffixes, ..Config::default() });
        learn(&mut ledger, 0, "one.test", r#"h3=":1""#, Source::Field);
        learn(&mut ledger, 0, "two.test", r#"h3=":2""#, Source::Field);
        ledger
    };
    let mut ledger = spoken();
    learn(&mut ledger, 1, "one.test", "clear", Source::Field);
    assert_eq!(shown(&ledger, 1, "three.test"), r#"h3=":2""#);
    let mut ledger = spoken();
    ledger.forget(&origin("one.test"));
    assert_eq!(shown(&ledger, 1, "three.test"), r#"h3=":2""#);
    let mut ledger = spoken();
    ledger.forget(&origin("two.test"));
    assert_eq!(shown(&ledger, 1, "three.test"), "");
}

/// What the origin said has ended: what DNS says of it stands where DNS has it.
#[test]
fn what_has_ended_keeps_no_place() {
    let mut ledger = ledger();
    learn(&mut ledger, 0, "a.test", r#"h3=":1"; ma=10; persist=1"#, Source::Field);
    learn(&mut ledger, 20, "a.test", r#"h3=":2", h3=":1""#, Source::Dns);
    assert_eq!(shown(&ledger, 20, "a.test"), r#"h3=":2", h3=":1""#);
}

/// DNS knows no `persist`; who said what holds for as long as they said.
#[test]
fn what_persists_is_the_origins_word() {
    let (mut ledger, a) = (ledger(), origin("a.test"));
    learn(&mut ledger, 0, "a.test", r#"h3=":1"; ma=10; persist=1, h3=":3"; ma=10"#, Source::Field);
    learn(&mut ledger, 0, "a.test", r#"h3=":1"; ma=20, h3=":2"; ma=20"#, Source::Dns);
    let told = |seconds| {
        let known = ledger.known(at(seconds), &a);
        let known = known.map(|known| (known.alternative.port, known.source, known.persist));
        known.collect::<Vec<_>>()
    };
    let (said, dns) = (Source::Field, Source::Dns);
    assert_eq!(told(9), [(1, said, true), (3, said, false), (2, dns, false)]);
    assert_eq!(told(10), [(1, dns, false), (2, dns, false)]);
    assert_eq!(told(20), []);
}

/// What was tried and is not offered is remembered, and not without end.
#[test]
fn no_more_is_remembered_than_may_be_offered() {
    let mut ledger = ledger();
    learn(&mut ledger, 0, "a.test", r#"h3=":1", h3=":2""#, Source::Field);
    for port in 3..=15 {
        ledger.mark_suspect(at(0), &origin("a.test"), &h3("", port));
    }
    assert_eq!(shown(&ledger, 0, "a.test"), r#"h3=":1", h3=":2""#);
    let ports: Vec<String> = (3..=15).map(|n| format!(r#"h3=":{n}""#)).collect();
    let mut remembered = 0;
    for port in ports {
        learn(&mut ledger, 0, "a.test", &port, Source::Field);
        remembered += usize::from(shown(&ledger, 0, "a.test").ends_with("Suspect"));
    }
    assert_eq!(remembered, 10);
}

#[test]
fn a_ledger_tells_its_settings_and_its_size() {
    let mut ledger = Ledger::new(Config { max_hosts: 0, max_origins: 7, ..Config::default() });
    assert_eq!((ledger.len(), ledger.is_empty()), (0, true));
    assert_eq!((ledger.config().max_hosts, ledger.config().max_origins), (1, 7));
    for (host, origins) in [("a.test", 1), ("b.test", 2), ("a.test", 2)] {
        learn(&mut ledger, 0, host, r#"h3=":1""#, Source::Field);
        assert_eq!((ledger.len(), ledger.is_empty()), (origins, false));
        assert_eq!(ledger.rtt(&origin(host)), None, "it was not measured");
    }
}

#[test]
fn the_least_recently_used_origin_goes_first() {
    let config = Config { max_origins: 2, ..Config::default() };
    let mut ledger = Ledger::new(config);
    let has = |ledger: &Ledger| {
        ["a", "b", "c", "d"].into_iter().filter(|host| !shown(ledger, 0, host).is_empty()).collect()
    };
    let one = r#"h3=":1""#;
    learn(&mut ledger, 0, "a", one, Source::Field);
    learn(&mut ledger, 0, "b", one, Source::Field);
    ledger.used(at(0), &origin("a"));
    learn(&mut ledger, 0, "c", one, Source::Field);
    let known: Vec<&str> = has(&ledger);
    assert_eq!(known, ["a", "c"]);
    ledger.note_rtt(&origin("a"), Duration::from_millis(1));
    learn(&mut ledger, 0, "d", one, Source::Field);
    let known: Vec<&str> = has(&ledger);
    assert_eq!((known, ledger.evicted()), (vec!["a", "d"], 2));
    learn(&mut ledger, 0, "e", "clear", Source::Field);
    assert_eq!(ledger.evicted(), 2, "nothing to remember of it");
}

// rule: AS-13
#[test]
fn what_the_request_says_of_where_it_goes() {
    let rows = [
        ("a.test", h3("", 443), "a.test"),
        ("a.test", h3("", 8443), "a.test:8443"),
        ("a.test", h3("b.test", 443), "b.test"),
        ("2001:db8::1", h3("", 8443), "[2001:db8::1]:8443"),
    ];
    for (host, alternative, expected) in rows {
        assert_eq!(alternative.alt_used(&origin(host)), expected);
    }
}

#[test]
fn round_trips_are_of_at_least_a_microsecond() {
    let (mut ledger, a) = (ledger(), origin("a.test"));
    let rows = [
        (1, Some(1_000)),
        (2_500, Some(2_000)),
        (0, Some(2_000)),
        (u64::MAX, Some(4_294_967_295_000)),
    ];
    for (nanos, expected) in rows {
        ledger.note_rtt(&a, Duration::from_nanos(nanos));
        assert_eq!(ledger.rtt(&a), expected.map(Duration::from_nanos), "{nanos}");
    }
}

#[test]
fn the_own_host_has_one_form() {
    let mut ledger = ledger();
    learn(&mut ledger, 0, "a.test", r#"h3="a.test:1", h3=":1", h3=":2""#, Source::Field);
    for port in [1, 9] {
        ledger.mark_suspect(at(0), &origin("a.test"), &h3("a.test", port));
    }
    ledger.misdirected(at(0), &origin("a.test"), &h3("a.test", 2));
    assert_eq!(shown(&ledger, 0, "a.test"), r#"h3=":1" Suspect"#);
}
