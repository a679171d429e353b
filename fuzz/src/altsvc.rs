//! What servers and files say of alternatives: the Alt-Svc field beside a second reader that
//! splits where this one scans, and the ledger's file, read, written and read again.

use core::net::Ipv6Addr;

use regatta_core::Instant;
use regatta_core::altsvc::{Clock, Config, Field, Ledger, Offer, Said, parse};
use regatta_core::types::Protocol;
use regatta_models::{altsvc as ledgers, harness, race as grids};

/// The race between QUIC and TCP beside its model.
pub fn race(bytes: &[u8]) {
    harness::run::<grids::Grid>(bytes);
}

/// The ledger of alternatives beside its model.
pub fn ledger(bytes: &[u8]) {
    harness::run::<ledgers::World>(bytes);
}

/// The values of a field, a line each.
pub fn field(bytes: &[u8]) {
    let values = || bytes.split(|byte| *byte == b'\n');
    let read = parse(values(), usize::MAX);
    let (expected, clear) = second(values());
    match &read {
        Ok(Field { said, malformed, unknown, .. }) => {
            assert_eq!(*said == Said::Clear, clear, "whether it says clear");
            if let Said::Offers(offers) = said {
                let first: Vec<Offer> = expected.offers.iter().take(64).cloned().collect();
                assert_eq!(*offers, first, "the second reader's offers");
                assert_eq!((*malformed, *unknown), (expected.malformed, expected.unknown));
            }
            let text = said.to_string();
            let again = parse([text.as_bytes()], usize::MAX);
            match again {
                Ok(again) => {
                    assert_eq!(again.said, *said, "{text}");
                    assert_eq!((again.malformed, again.unknown, again.cut), (0, 0, false));
                }
                Err(error) => assert!(text.is_empty(), "{text}: {error}"),
            }
        }
        Err(error) => {
            assert!(!clear && expected.offers.is_empty() && expected.unknown == 0, "{error}");
            assert!(error.at <= bytes.len(), "{error}");
        }
    }
    // What is cut off says no more than the whole.
    for most in [0, 1, bytes.len() / 2, bytes.len()] {
        let (Ok(part), Ok(whole)) = (parse([bytes], most), parse([bytes], usize::MAX)) else {
            continue;
        };
        match (part.said, whole.said) {
            (Said::Offers(part), Said::Offers(whole)) => {
                assert!(whole.starts_with(&part), "{most} bytes");
            }
            (part, whole) => assert_eq!(whole, Said::Clear, "{part}"),
        }
    }
}

/// A file of alternatives: ours or curl's.
pub fn file(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let clock = Clock { now: Instant::from_millis(5_000), unix: 1_800_000_000 };
    match Ledger::from_text(Config::default(), clock, text) {
        Ok(ledger) => {
            ledger.check();
            let ours = ledger.text(clock);
            let again = Ledger::from_text(Config::default(), clock, &ours);
            let again = again.unwrap_or_else(|error| panic!("own file: {error}\n{ours}"));
            again.check();
            assert_eq!(again.text(clock), ours);
            // Another moment of another program: nothing holds for longer.
            let later = Clock { now: Instant::EPOCH, unix: clock.unix + 1_000 };
            let read = Ledger::from_text(Config::default(), later, &ours);
            assert!(read.is_ok_and(|ledger| ledger.text(later).len() <= ours.len()));
        }
        Err(error) => {
            let lines = text.lines().count().max(1) as u64;
            assert!((1..=lines).contains(&error.line), "{error}, of {lines} lines");
            let said = error.to_string();
            assert!(!said.chars().any(char::is_control) && said.len() < 2_000, "{said:?}");
        }
    }
}

/// What the second reader makes of a field.
#[derive(Default)]
struct Second {
    offers: Vec<Offer>,
    malformed: u32,
    unknown: u32,
}

fn second<'a>(values: impl Iterator<Item = &'a [u8]>) -> (Second, bool) {
    let (mut second, mut clear) = (Second::default(), false);
    for element in values.flat_map(|value| split(value, b',')) {
        match trimmed(element) {
            b"" => {}
            b"clear" => clear = true,
            element => match offer(element) {
                Some(Some(offer)) => second.offers.push(offer),
                Some(None) => second.unknown += 1,
                None => second.malformed += 1,
            },
        }
    }
    (second, clear)
}

/// An alternative; nothing inside where its protocol is another, nothing at all where it is none.
fn offer(element: &[u8]) -> Option<Option<Offer>> {
    let mut parts = split(element, b';').into_iter();
    let (name, rest) = token(parts.next()?);
    let (authority, rest) = unquoted(rest.strip_prefix(b"=")?)?;
    let (mut max_age, mut persist) = (None, None);
    if name.is_empty() || !trimmed(rest).is_empty() {
        return None;
    }
    for part in parts.map(trimmed) {
        let (name, rest) = token(part);
        let value = match rest.strip_prefix(b"=") {
            None if rest.is_empty() => vec![],
            None => return None,
            Some(_) if name.is_empty() => return None,
            Some(rest) if rest.starts_with(b"\"") => {
                unquoted(rest).filter(|(_, rest)| rest.is_empty())?.0
            }
            Some(rest) => {
                Some(token(rest)).filter(|it| !it.0.is_empty() && it.1.is_empty())?.0.into()
            }
        };
        match name {
            b"ma" if max_age.is_none() => {
                let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
                let text = String::from_utf8(value).ok().filter(|_| digits)?;
                max_age = Some(text.parse().unwrap_or(u32::MAX));
            }
            b"persist" if persist.is_none() => persist = Some(value == b"1"),
            _ => {}
        }
    }
    let protocol = match name {
        b"h3" => Protocol::Http3,
        b"h2" => Protocol::Http2,
        b"http%2F1.1" => Protocol::Http1,
        _ => return Some(None),
    };
    let text = String::from_utf8(authority).ok()?;
    let (host, port) = text.rsplit_once(':')?;
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port: &u16| digits && *port > 0)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => Some(address.parse::<Ipv6Addr>().ok()?.to_string()),
        None if host.is_empty() => None,
        None if host.len() < 254 && host.bytes().all(plain) => Some(host.to_lowercase()),
        None => return None,
    };
    let alternative =
        regatta_core::altsvc::Alternative { protocol, host: host.map(Into::into), port };
    let mut offer = Offer::new(alternative);
    if let Some(seconds) = max_age {
        offer.max_age = core::time::Duration::from_secs(seconds.into());
    }
    offer.persist = persist == Some(true);
    Some(Some(offer))
}

/// The pieces between marks that do not stand in quotes.
fn split(bytes: &[u8], mark: u8) -> Vec<&[u8]> {
    let (mut pieces, mut begin, mut quotes, mut escaped) = (vec![], 0, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quotes,
            b'"' => quotes = !quotes,
            byte if *byte == mark && !quotes => {
                pieces.push(&bytes[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&bytes[begin..]);
    pieces
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The letters of a token in front, and the rest.
fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    bytes.split_at(bytes.iter().position(|byte| !fits(byte)).unwrap_or(bytes.len()))
}

/// The text in the quotes in front, and the rest.
fn unquoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = bytes.strip_prefix(b"\"")?;
    let mut text = vec![];
    loop {
        let (byte, behind) = match rest {
            [b'"', behind @ ..] => return Some((text, behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => (*byte, behind),
            [] => return None,
        };
        if byte < 0x20 && byte != b'\t' || byte == 0x7f {
            return None;
        }
        text.push(byte);
        rest = behind;
    }
}
