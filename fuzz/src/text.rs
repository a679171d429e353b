//! Text from outside: scenarios, and the certificates that are shown to people.

use regatta_core::engine::tls::Certificate;
use regatta_sim::scenario::Scenario;

/// A scenario: what is wrong with it is told in one sentence, with its place.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let once = Scenario::read("a.toml", text, &[]).map(|scenario| format!("{:?}", scenario.file()));
    let again =
        Scenario::read("a.toml", text, &[]).map(|scenario| format!("{:?}", scenario.file()));
    match (once, again) {
        (Ok(once), Ok(again)) => assert_eq!(once, again, "read twice, understood in two ways"),
        (Err(mistake), Err(_)) => {
            assert!(mistake.place.starts_with("a.toml"), "{mistake:?}");
            assert!(!mistake.says.is_empty(), "{mistake:?}");
            let line = mistake.place.split(':').nth(1).map(str::parse);
            let lines = text.split('\n').count();
            assert!(
                line.is_none_or(|line| line.is_ok_and(|line: usize| (1..=lines).contains(&line))),
                "{mistake:?}, of {lines} lines"
            );
        }
        (once, again) => panic!("read twice, understood in two ways: {once:?}, {again:?}"),
    }
}

/// A certificate: what is shown of it moves no cursor and breaks no line.
pub fn certificate(bytes: &[u8]) {
    let Some(certificate) = Certificate::parse(bytes) else { return };
    let shown = certificate.to_string();
    assert!(is_one_line(&shown), "{shown:?}");
    // A name is at most so much longer than its bytes: U+FFFD for each, and words around them.
    assert!(shown.len() <= 16 * bytes.len() + 200, "{} bytes of {}", shown.len(), bytes.len());
}

fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
