use super::{at, shown};
use crate::altsvc::lines::What;
use crate::altsvc::{Alternative, Clock, Config, Heard, Ledger, Offer, Said, Source, curl};
use crate::types::Protocol;

const OURS: &str = include_str!("golden/version-1.altsvc");
const CURL: &str = include_str!("golden/curl.txt");

const CLOCK: Clock = Clock { now: at(1_000), unix: 1_900_000_000 };

fn load(text: &str) -> Result<Ledger, String> {
    Ledger::from_text(Config::default(), CLOCK, text).map_err(|error| error.to_string())
}

#[test]
fn version_1_is_read_and_written_again() {
    let ledger = load(OURS).unwrap();
    ledger.check();
    assert_eq!(ledger.text(CLOCK), OURS);
    let rows = [
        (
            1_000,
            r#"h3=":443" Broken(Instant(1600000000000)), h3="alt.example.net:8443" Suspect, h2="[2001:db8::7]:8443""#,
        ),
        (1_300, r#"h3=":443" Broken(Instant(1600000000000)), h3="alt.example.net:8443" Suspect"#),
        (1_600, r#"h3=":443" Suspect, h3="alt.example.net:8443" Suspect"#),
        (4_600, ""),
    ];
    for (seconds, expected) in rows {
        assert_eq!(shown(&ledger, seconds, "example.org"), expected, "at {seconds}");
    }
    assert_eq!(shown(&ledger, u64::MAX / 2_000_000_000, "example.com"), r#"h3=":443" Confirmed"#);
    // Another program, later: what has ended is not there.
    let later = Clock { now: at(7), unix: 1_900_000_599 };
    let again = Ledger::from_text(Config::default(), later, OURS).unwrap();
    let expected: Vec<_> = OURS.lines().filter(|line| !line.contains(" dns ")).collect();
    let expected = expected.join("\n").replace("broken 1 1900000300", "broken 1 0");
    assert_eq!(again.text(later).trim_end(), expected);
}

#[test]
fn what_another_network_said_is_not_written() {
    let mut ledger = load(OURS).unwrap();
    ledger.network_changed();
    let persists = "regatta-altsvc 1\n\
        offer https://example.org:443 h3=\":443\" 1900003600 field persist\n";
    assert_eq!(ledger.text(CLOCK), persists);
}

#[test]
fn curls_file_is_read() {
    let ledger = load(CURL).unwrap();
    let rows = [
        ("example.org", r#"h3=":443", h3="alt.example.net:8443""#),
        ("2001:db8::1", r#"h3=":443""#),
        ("past.example", ""),
    ];
    for (host, expected) in rows {
        assert_eq!(shown(&ledger, 1_000, host), expected, "{host}");
    }
    let ours = "regatta-altsvc 1\n\
        offer https://example.org:443 h3=\":443\" 1927857906 file persist\n\
        offer https://example.org:443 h3=\"alt.example.net:8443\" 1927857906 file -\n\
        offer https://example.com:8443 h2=\":443\" 1927857906 file -\n\
        offer https://[2001:db8::1]:443 h3=\":443\" 1927857906 file -\n";
    assert_eq!(ledger.text(CLOCK), ours, "date -u -d '2031-02-03 04:05:06' +%s");
    assert_eq!(load("").unwrap().text(CLOCK), "regatta-altsvc 1\n");
}

/// The Gregorian calendar in UTC, from 1970 on; `date -u -d '2000-02-29 23:59:59' +%s`.
#[test]
fn curls_dates_are_read() {
    let rows = [
        ("19700101", "00:00:00", Some(0)),
        ("19700301", "00:00:00", Some(5_097_600)),
        ("20000229", "23:59:59", Some(951_868_799)),
        ("20010101", "00:00:00", Some(978_307_200)),
        ("20240301", "00:00:00", Some(1_709_251_200)),
        ("21000301", "00:00:00", Some(4_107_542_400)),
        ("24000229", "00:00:00", Some(13_574_563_200)),
        ("24010101", "00:00:00", Some(13_601_088_000)),
        // A minute may have a leap second, which is the next minute's first; an hour has none.
        ("20161231", "23:59:60", Some(1_483_228_800)),
        ("20161231", "23:59:61", None),
        ("20161231", "23:60:00", None),
        ("20161231", "24:00:00", None),
        ("20161231", "23:59:5", None),
        ("20161231", "23:59:059", None),
        ("20161231", "23:59", None),
        ("20161231", "23:59:59:00", None),
        // Such a day there is not.
        ("19691231", "23:59:59", None),
        ("20230229", "00:00:00", None),
        ("21000229", "00:00:00", None),
        ("20240230", "00:00:00", None),
        ("20240431", "00:00:00", None),
        ("20240100", "00:00:00", None),
        ("20240001", "00:00:00", None),
        ("20241301", "00:00:00", None),
        ("2024010", "00:00:00", None),
        ("202401010", "00:00:00", None),
    ];
    for (date, time, expected) in rows {
        let line = format!(r#"h2 a.test 443 h3 a.test 443 "{date} {time}" 0 0"#);
        let read = curl::row(&line).ok().flatten().map(|row| match row.what {
            What::Offer { until, .. } => until,
            other => panic!("{other:?}"),
        });
        assert_eq!(read, expected, "{line}");
    }
}

#[test]
fn curls_words_for_protocols_are_read() {
    let rows = [
        ("h3", Some(Protocol::Http3)),
        ("h2", Some(Protocol::Http2)),
        ("h1", Some(Protocol::Http1)),
        ("h3-29", None),
        ("http/1.1", None),
    ];
    for (word, expected) in rows {
        let line = format!(r#"h2 a.test 443 {word} a.test 443 "20310203 04:05:06" 0 0"#);
        let row = curl::row(&line).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let read = row.map(|row| match row.what {
            What::Offer { alternative, .. } => alternative.protocol,
            other => panic!("{other:?}"),
        });
        assert_eq!(read, expected, "{line}");
    }
}

#[test]
fn a_damaged_line_is_named() {
    let ours = |line: &str| format!("regatta-altsvc 1\n# fine\n\n{line}\n");
    let rows = [
        ("regatta-altsvc 2\n".to_owned(), r#"line 1: expected version 1 of the format, found "2""#),
        ("regatta-altsvc".to_owned(), "line 1: expected version 1 of the format, found nothing"),
        (ours("offers"), r#"line 4: expected `offer`, `health` or `rtt`, found "offers""#),
        (
            ours("rtt http://a.test:80 1"),
            r#"line 4: expected an origin like https://example.org:443, found "http://a.test:80""#,
        ),
        (ours("rtt https://a.test:443 +1"), r#"line 4: expected microseconds, found "+1""#),
        (ours("rtt https://a.test:443 "), "line 4: expected microseconds, found nothing"),
        (ours("rtt https://a.test:443 -1"), r#"line 4: expected microseconds, found "-1""#),
        (
            ours("rtt https://a.test:443 1 2"),
            r#"line 4: expected the end of the line, found "rtt https://a.test:443 1 2""#,
        ),
        (
            ours("offer https://a.test:443 h3=:443 1 field -"),
            r#"line 4: expected an alternative like h3=":443", found "h3=:443""#,
        ),
        (
            ours("offer https://a.test:443 h3=\":443\" soon field -"),
            r#"line 4: expected seconds since 1970 or `never`, found "soon""#,
        ),
        (
            ours("offer https://a.test:443 h3=\":443\" 1 hearsay -"),
            r#"line 4: expected where it was heard, found "hearsay""#,
        ),
        (
            ours("offer https://a.test:443 h3=\":443\" 1 field"),
            "line 4: expected `persist` or `-`, found nothing",
        ),
        (
            ours("health https://a.test:443 h3=\":443\" fine 0 0"),
            r#"line 4: expected `unknown`, `confirmed`, `suspect` or `broken`, found "fine""#,
        ),
        (
            ours("health https://a.test:443 h3=\":443\" broken 256 0"),
            r#"line 4: expected a count up to 255, found "256""#,
        ),
        (
            CURL.replace("8443 \"20310203", "8443 \"20310229"),
            "line 4: expected a date like \"20310203 04:05:06\", found \"\\\"20310229\"",
        ),
        (
            CURL.replace("04:05:06\" 1", "24:05:06\" 1"),
            "line 3: expected the time of day in the date's quotes, found \"24:05:06\\\"\"",
        ),
        (
            CURL.replace("h3 example.org 443", "h3 example.org 0"),
            r#"line 3: expected the alternative's port, found "0""#,
        ),
        (
            CURL.replace("h2 past.example", "h_2 past.example"),
            r#"line 8: expected the origin's protocol, like h2, found "h_2""#,
        ),
        (
            CURL.replace("h2 past.example", " past.example"),
            "line 8: expected the origin's protocol, like h2, found nothing",
        ),
        ("nonsense".to_owned(), "line 1: expected the origin's host, found nothing"),
    ];
    for (text, expected) in rows {
        assert_eq!(load(&text).unwrap_err(), expected, "{text}");
    }
    let long = ours(&"x".repeat(1 << 20));
    assert!(load(&long).unwrap_err().len() < 200, "an error shows a part of the line");
}

/// What has ended, and what both the origin and DNS offer, stand where they will stand again.
#[test]
fn a_file_that_is_read_is_written_the_same() {
    let mut ledger = load("").unwrap();
    super::learn(&mut ledger, 1_000, "a.test", r#"h3=":1"; ma=1, h3=":2", h3=":3""#, Source::Field);
    super::learn(&mut ledger, 1_000, "a.test", r#"h3=":4", h3=":2""#, Source::Dns);
    for port in [1, 2, 4, 9] {
        ledger.mark_suspect(at(1_000), &super::origin("a.test"), &super::h3("", port));
    }
    let text = ledger.text(CLOCK);
    assert_eq!(load(&text).unwrap().text(CLOCK), text);
    for port in [1, 2, 4, 9] {
        let health = format!("health https://a.test:443 h3=\":{port}\" suspect 0 0");
        assert_eq!(text.lines().filter(|line| *line == health).count(), 1, "{health} in {text}");
    }
    let later = Clock { now: at(1_001), ..CLOCK };
    let text = ledger.text(later);
    assert_eq!(text.lines().filter(|line| line.contains("h3=\":1\"")).count(), 1, "its health");
    let again = Ledger::from_text(Config::default(), later, &text).unwrap();
    assert_eq!(again.text(later), text);
}

/// Limits and rules hold for what is read as for what is heard.
#[test]
fn of_a_file_no_more_is_taken_than_may_be_heard() {
    let offer = |what: &str, source: &str| {
        format!("offer https://a.test:443 {what} 1900003600 {source} -\n")
    };
    let read = |offers: &[String]| {
        let ledger = load(&format!("regatta-altsvc 1\n{}", offers.concat())).unwrap();
        let count = shown(&ledger, 1_000, "a.test").split(", ").count();
        (count, ledger.refused())
    };
    let ports =
        |from, source| (from..from + 12).map(move |port| offer(&format!("h3=\":{port}\""), source));
    let hosts = |source| (0..9).map(move |n| offer(&format!("h3=\"h{n}.test:443\""), source));
    for source in ["field", "dns"] {
        assert_eq!(read(&ports(1, source).collect::<Vec<_>>()), (10, 2), "{source}");
        assert_eq!(read(&hosts(source).collect::<Vec<_>>()), (4, 5), "{source}");
    }
    // Each of the two by itself.
    let both: Vec<_> = ports(1, "field").chain(ports(101, "dns")).collect();
    assert_eq!(read(&both), (20, 4));
    let both: Vec<_> = ports(101, "dns").chain(ports(1, "field")).collect();
    assert_eq!(read(&both), (20, 4));
    let private = offer("h3=\"127.0.0.1:443\"", "field");
    assert_eq!(read(&[offer("h3=\":1\"", "field"), private]), (1, 1));
}

/// What ends with this second has ended, and a health that says nothing is not kept.
#[test]
fn what_has_ended_is_not_taken_from_a_file() {
    let ended = "regatta-altsvc 1\noffer https://a.test:443 h3=\":1\" 1900000000 field -\n";
    assert!(load(ended).unwrap().is_empty());
    let lasts = ended.replace("1900000000", "1900000001");
    assert_eq!(load(&lasts).unwrap().text(CLOCK), lasts);
    let healed = "regatta-altsvc 1\nhealth https://a.test:443 h3=\":1\" unknown 0 1900000000\n";
    assert_eq!(load(healed).unwrap().text(CLOCK), "regatta-altsvc 1\n");
}

/// A line is made of words: a name that no host has would end its word, or the line.
#[test]
fn what_could_not_be_read_again_is_not_written() {
    let mut ledger = load("").unwrap();
    let odd = |host: &str| Alternative { host: Some(host.into()), ..super::h3("", 2) };
    let offers = [super::h3("", 1), odd("b c"), odd("d\ne")].map(Offer::new);
    let said = Said::Offers(offers.into());
    for host in ["a.test", "f g"] {
        let heard = Heard::from(Source::Field);
        assert_eq!(ledger.learn(at(1_000), &super::origin(host), &said, heard), Ok(3));
    }
    let plain = "regatta-altsvc 1\noffer https://a.test:443 h3=\":1\" 1900086400 field -\n";
    assert_eq!(ledger.text(CLOCK), plain);
}
