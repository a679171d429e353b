//! The file of curl's `--alt-svc`: nine fields a line, `h2 example.org 443 h3 alt.example.net 8443
//! "20310203 04:05:06" 1 0`. It is only read.

use super::lines::{Row, What, Words, Wrong, digits};
use super::{Alternative, Source, authority};
use crate::types::{Origin, Protocol, Scheme};

/// What a line says; nothing where it is about a protocol that is not spoken here.
pub(super) fn row(line: &str) -> Result<Option<Row>, Wrong<'_>> {
    let mut words = Words::new(line);
    words.take("the origin's protocol, like h2", name)?;
    let host = words.take("the origin's host", |word| authority::host(word.as_bytes()))?;
    let port = words.take("the origin's port", |word| authority::port(word.as_bytes()))?;
    let protocol = words.take("the alternative's protocol, like h3", name)?;
    let to = words.take("the alternative's host", |word| authority::host(word.as_bytes()))?;
    let to_port = words.take("the alternative's port", |word| authority::port(word.as_bytes()))?;
    let date = words.take("a date like \"20310203 04:05:06\"", |word| day(word.strip_prefix('"')?));
    let day = date?;
    let until = words.take("the time of day in the date's quotes", |word| {
        Some(day * 86_400 + seconds(word.strip_suffix('"')?)?)
    })?;
    let persist = words.take("0 or 1 for `persist`", |word| match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    })?;
    words.take("a priority", digits)?;
    words.end()?;
    let origin = Origin { scheme: Scheme::Https, host: (&*host).into(), port };
    let protocol = match protocol {
        "h3" => Protocol::Http3,
        "h2" => Protocol::Http2,
        "h1" => Protocol::Http1,
        _ => return Ok(None),
    };
    let alternative = Alternative { protocol, host: Some(to), port: to_port };
    let what = What::Offer { alternative, until, source: Source::File, persist };
    Ok(Some(Row { origin, what }))
}

/// The name of a protocol, known or not.
fn name(word: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/');
    (!word.is_empty() && word.bytes().all(fits)).then_some(word)
}

/// `YYYYMMDD` as days since 1970.
fn day(text: &str) -> Option<u64> {
    let part = |from, to| digits(text.get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month).ok()?.checked_sub(1)?;
    let length = *lengths.get(before)?;
    if text.len() != 8 || year < 1970 || !(1..=length).contains(&day) {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(years + lengths.iter().take(before).sum::<u64>() + day - 1)
}

/// `HH:MM:SS` as seconds since midnight.
fn seconds(text: &str) -> Option<u64> {
    let mut all = 0;
    let mut parts = text.split(':');
    // A minute may have a leap second.
    for limit in [24, 60, 61] {
        let part = parts.next().filter(|part| part.len() == 2).and_then(digits)?;
        if part >= limit {
            return None;
        }
        all = all * 60 + part;
    }
    parts.next().is_none().then_some(all)
}
