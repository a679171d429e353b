//! Text from outside: scenarios, the certificates that are shown to people, and what the command
//! line, files and servers tell the program.

use regatta_cli::oracles;
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

/// A URL and a reference, a line each.
pub fn urls(bytes: &[u8]) {
    on_text(bytes, oracles::urls);
}

/// Set-Cookie fields of four sites, a line each; and a file of cookies.
pub fn cookies(bytes: &[u8]) {
    on_text(bytes, oracles::cookies);
}

/// The words behind `regatta get`, a line each; and a file of options.
pub fn command_line(bytes: &[u8]) {
    on_text(bytes, oracles::command_line);
}

/// Dates, file names, `-w`'s formats, forms, and other single words.
pub fn fields(bytes: &[u8]) {
    on_text(bytes, oracles::fields);
}

fn on_text(bytes: &[u8], hold: fn(&str)) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        hold(text);
    }
}

fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
