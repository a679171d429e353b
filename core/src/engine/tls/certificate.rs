//! What a person wants to know of a certificate. Nothing is decided by it: trust and names are
//! rustls's to judge, from the bytes themselves.

use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const BMP_STRING: u8 = 0x1e;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;
/// `[3] EXPLICIT`, the extensions.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `[2] dNSName` and `[7] iPAddress` (RFC 5280 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// The parts of an X.509 certificate (RFC 5280) that are shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// Whose it is, as `C=.., O=.., CN=..`; often empty nowadays.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The DNS names and IP addresses that it is for.
    pub names: Vec<String>,
    /// From when it is valid, as `2026-01-31 00:00:00Z`.
    pub not_before: String,
    /// Until when it is valid.
    pub not_after: String,
}

impl Certificate {
    /// Reads a certificate in DER; `None` when it is not one.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut whole = Der(der);
        let mut outer = Der(whole.expect(SEQUENCE)?);
        let mut body = Der(outer.expect(SEQUENCE)?);
        body.skip_if(VERSION)?;
        let _serial = body.next()?;
        let _algorithm = body.expect(SEQUENCE)?;
        let issuer = distinguished_name(body.expect(SEQUENCE)?)?;
        let mut validity = Der(body.expect(SEQUENCE)?);
        let not_before = time(validity.next()?)?;
        let not_after = time(validity.next()?)?;
        let subject = distinguished_name(body.expect(SEQUENCE)?)?;
        let mut names = Vec::new();
        while !body.0.is_empty() {
            if let (EXTENSIONS, extensions) = body.next()? {
                names = alternative_names(extensions)?;
            }
        }
        Some(Self { subject, issuer, names, not_before, not_after })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, names, not_before, not_after } = self;
        if !subject.is_empty() {
            write!(f, "{subject}; ")?;
        }
        write!(f, "for {}; issued by {issuer}; ", names.join(", "))?;
        write!(f, "valid from {not_before} until {not_after}")
    }
}

/// A row of DER values (X.690 8.1): tag, length, contents.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut len = usize::from(first);
        if first >= 0x80 {
            // Long form; certificates are shorter than 16 MiB.
            let count = usize::from(first & 0x7f);
            let bytes = rest.get(..count).filter(|_| (1..=3).contains(&count))?;
            len = bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            rest = rest.get(count..)?;
        }
        let (contents, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, contents))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|next| next.0 == tag).map(|next| next.1)
    }

    fn skip_if(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Some(())
    }
}

/// RFC 5280 4.1.2.4; attributes without a short name are left out.
fn distinguished_name(name: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut sets = Der(name);
    while !sets.0.is_empty() {
        let mut set = Der(sets.expect(SET)?);
        while !set.0.is_empty() {
            let mut attribute = Der(set.expect(SEQUENCE)?);
            let id = attribute.expect(OBJECT_ID)?;
            let (tag, value) = attribute.next()?;
            if let Some(label) = label(id) {
                let comma = if text.is_empty() { "" } else { ", " };
                // Writing to a string cannot fail.
                let _ = write!(text, "{comma}{label}={}", string(tag, value));
            }
        }
    }
    Some(text)
}

/// The attributes of 2.5.4 that have short names (RFC 4519 2).
const fn label(id: &[u8]) -> Option<&'static str> {
    match id {
        [0x55, 0x04, 3] => Some("CN"),
        [0x55, 0x04, 6] => Some("C"),
        [0x55, 0x04, 7] => Some("L"),
        [0x55, 0x04, 8] => Some("ST"),
        [0x55, 0x04, 10] => Some("O"),
        [0x55, 0x04, 11] => Some("OU"),
        _ => None,
    }
}

/// Text fit for a terminal: what a stranger wrote may not steer it.
fn string(tag: u8, value: &[u8]) -> String {
    let text = if tag == BMP_STRING {
        let (units, _) = value.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    text.replace(char::is_control, "\u{fffd}")
}

/// RFC 5280 4.1.2.5: `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn time((tag, value): (u8, &[u8])) -> Option<String> {
    let digits = str::from_utf8(value).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (century, digits) = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => ("20", digits),
        (UTC_TIME, 12) => ("19", digits),
        (GENERALIZED_TIME, 14) => digits.split_at(2),
        _ => return None,
    };
    let part = |at: usize| digits.get(at..at + 2);
    let day = format!("{century}{}-{}-{}", part(0)?, part(2)?, part(4)?);
    Some(format!("{day} {}:{}:{}Z", part(6)?, part(8)?, part(10)?))
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut extensions = Der(Der(extensions).expect(SEQUENCE)?);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.expect(SEQUENCE)?);
        let id = extension.expect(OBJECT_ID)?;
        extension.skip_if(BOOLEAN)?;
        let value = extension.expect(OCTETS)?;
        if id != SUBJECT_ALT_NAME {
            continue;
        }
        let mut all = Der(Der(value).expect(SEQUENCE)?);
        while !all.0.is_empty() {
            let (tag, value) = all.next()?;
            match tag {
                DNS_NAME => names.push(string(tag, value)),
                IP_ADDRESS => names.extend(address(value)),
                _ => {}
            }
        }
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).to_string())
}
