//! What must hold of every text that comes from outside, as functions of that text which panic
//! where it does not: for fuzzers. The feature `oracles` alone has them.

use std::collections::BTreeSet;

use http::HeaderValue;
use regatta_core::retry;

use crate::cli::{self, config_file, value};
use crate::get::cookies::{Jar, Site};
use crate::get::report::Report;
use crate::get::url::Url;
use crate::get::{date, disposition, form, payload, write_out};
use crate::origin::date::http_date;

/// The clock that all of this is read by: seconds since 1970.
const NOW: i64 = 1_700_000_000;

/// Two lines, a URL and a reference: what is understood is written so that it is understood
/// again, and credentials do not leave their origin.
pub fn urls(text: &str) {
    let (base, reference) = text.split_once('\n').unwrap_or((text, ""));
    for url in [Url::parse(base), Url::typed(base, "https", false)].into_iter().flatten() {
        same_when_read_again(&url);
        let Ok(joined) = url.join(reference) else { continue };
        same_when_read_again(&joined);
        let is_given = joined.credentials().is_some() && !reference.contains('@');
        assert!(!is_given || url.same_origin(&joined), "{url} gives {joined} its credentials");
        if let Ok(named) = url.with_name(reference) {
            let folder = url.uri().path();
            let added = named.uri().path().strip_prefix(folder);
            assert!(added.is_some_and(|name| !name.contains('/')), "{named} is not below {url}");
        }
        if let Ok(longer) = url.with_query(reference.as_bytes()) {
            assert_eq!(longer.uri().path(), url.uri().path());
            assert!(longer.same_origin(&url));
        }
    }
}

fn same_when_read_again(url: &Url) {
    let shown = url.to_string();
    assert!(shown.bytes().all(|byte| byte > b' ' && byte != 0x7f), "{shown:?} is no token");
    assert!(!url.host().is_empty(), "{shown:?} has no host");
    let again = Url::parse(&shown).map(|again| again.to_string());
    assert_eq!(again.as_deref(), Ok(shown.as_str()), "{shown:?} read again");
    if let Some(name) = url.file_name() {
        assert!(!name.contains('/') && name != "..", "{shown:?} would be saved as {name:?}");
    }
}

/// Those who set cookies, a line each.
const SITES: [Site<'static>; 4] = [
    Site { host: "a.test", path: "/b/c", is_safe: true },
    Site { host: "www.a.test", path: "/", is_safe: false },
    Site { host: "other.test", path: "/b", is_safe: true },
    Site { host: "127.0.0.1", path: "/b/c", is_safe: true },
];

/// Lines, each a digit for one of four sites and a Set-Cookie: nobody hears what another site
/// set, what is sent is one lawful field, and a file gives the same cookies again.
pub fn cookies(text: &str) {
    let (mut all, mut family) = (Jar::default(), Jar::default());
    for line in text.lines() {
        let Some(digit) = line.chars().next().and_then(|digit| digit.to_digit(4)) else { continue };
        let site = SITES[digit as usize];
        all.set(&line[1..], site, NOW);
        if site.host.ends_with("a.test") {
            family.set(&line[1..], site, NOW);
        }
    }
    for site in SITES {
        let Some(field) = all.field(site, NOW) else { continue };
        assert!(field.len() <= 8_190, "{} bytes for {}", field.len(), site.host);
        assert!(HeaderValue::from_str(&field).is_ok(), "{field:?} is not a field");
    }
    let a = SITES[0];
    assert_eq!(all.field(a, NOW), family.field(a, NOW), "a.test hears what others set");
    let lines = |file: &str| file.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let read = |text: &str| {
        let mut jar = Jar::default();
        jar.read(text, false, NOW);
        jar
    };
    let file = all.write(NOW);
    assert_eq!(lines(&read(&file).write(NOW)), lines(&file), "the file read again");
    // What people or other programs write is read in some way, and then stays as it is.
    let once = read(text).write(NOW);
    let twice = read(&once).write(NOW);
    assert_eq!(lines(&read(&twice).write(NOW)), lines(&twice), "{text:?} as a file");
}

/// Words, a line each: what is understood is understood in one way and asks for something. The
/// same text as a file of options: each line written anew means the same.
pub fn command_line(text: &str) {
    let words: Vec<String> = text.lines().map(str::to_owned).collect();
    // Those would read files whose names are drawn.
    let reads = |word: &String| {
        let is_short = word.starts_with('-') && !word.starts_with("--");
        (is_short && word.contains('K')) || word.starts_with("--conf")
    };
    if !words.iter().any(reads) {
        let asked = |words| cli::get(words).map(|parts| format!("{parts:?}")).ok();
        assert_eq!(asked(&words), asked(&words), "understood in two ways");
        let parts = cli::get(&words).unwrap_or_default();
        assert!(parts.iter().all(|part| !part.urls.is_empty()), "a part asks for nothing");
    }
    for (number, line) in config_file::lines(text) {
        assert!((1..=words.len()).contains(&number), "line {number} of {}", words.len());
        // Nothing has no name.
        let Some(value) = line.value.as_ref().filter(|_| !line.option.is_empty()) else { continue };
        let mut quoted = String::new();
        for c in value.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                c => quoted.push(c),
            }
        }
        let anew = format!("{} \"{quoted}\"", line.option);
        let again = config_file::lines(&anew).next().map(|(_, line)| line);
        assert_eq!(again.as_ref(), Some(&line), "{anew:?}");
    }
}

/// Fields, and words of options: dates are the same for all who read and write them, no file name
/// leads out of its folder, and a form's text stays within its part.
pub fn fields(text: &str) {
    if let Some(name) = disposition::file_name(text) {
        let leads_out = name.is_empty() || name.contains(['/', '\\', '\0']);
        assert!(!leads_out && name != "." && name != "..", "saved as {name:?}");
    }
    let date = date::parse(text);
    if let Some(unix) = date.and_then(|unix| u64::try_from(unix).ok()) {
        let written = http_date(unix);
        assert_eq!(date::parse(&written), date, "{text:?}, written as {written:?}");
        let waited = retry::retry_after(&written, core::time::Duration::ZERO);
        assert_eq!(waited.map(|wait| wait.as_secs()), Some(unix), "{written:?} as Retry-After");
    }
    if text.contains(',')
        && let Some(wait) = retry::retry_after(text, core::time::Duration::ZERO)
    {
        assert_eq!(date, i64::try_from(wait.as_secs()).ok(), "{text:?} as Retry-After");
    }
    let _ = write_out::fill(text, &Report::default());
    let _ = (value::resolve(text), value::connect_to(text), value::offset(text));
    if let Ok(value::HeaderLine::Set(name, field)) = value::header(text) {
        let again = value::header(&format!("{name}: {}", field.to_str().unwrap_or_default()));
        let is_same =
            matches!(&again, Ok(value::HeaderLine::Set(n, f)) if *n == name && *f == field);
        assert!(is_same || field.is_empty() || field.to_str().is_err(), "{text:?}: {again:?}");
    }
    form_part(text);
}

/// `--form-string`: one part, whose head has the lines that it should and no other.
fn form_part(text: &str) {
    let Ok(form) = form::build(&[(text.to_owned(), true)], false, 7) else { return };
    let Some(payload::Part::Bytes(head)) = form.payload.0.first() else {
        panic!("{text:?} has no head")
    };
    let head = String::from_utf8_lossy(head);
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text:?} has the head {head:?}");
    assert!(lines[1].starts_with("Content-Disposition: form-data"), "{text:?}: {head:?}");
}
