use super::{at, shown};
use crate::altsvc::{Clock, Config, Ledger, Source};

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
    let later = Clock { now: at(1_001), ..CLOCK };
    let text = ledger.text(later);
    assert_eq!(text.lines().filter(|line| line.contains("h3=\":1\"")).count(), 1, "its health");
    let again = Ledger::from_text(Config::default(), later, &text).unwrap();
    assert_eq!(again.text(later), text);
}
