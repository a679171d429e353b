//! The Alt-Svc field (RFC 7838 3). An element that is no alternative is passed over up to the
//! next comma and counted; the others hold.

use core::fmt;

use super::{Alternative, MAX_AGE, Offer, Said, authority};
use crate::time::Duration;
use crate::types::Protocol;

/// Most alternatives that are kept of one field: more than anybody may use of them.
const OFFERS_MAX: usize = 64;

/// What was read of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What the origin says.
    pub said: Said,
    /// How many elements were malformed.
    pub malformed: u32,
    /// How many elements were for protocols that are not spoken here.
    pub unknown: u32,
    /// Whether there was more than is read: bytes, or alternatives.
    pub cut: bool,
}

/// Why a field says nothing: what belongs where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which byte of its values, one behind the other, from 0.
    pub at: usize,
    /// What belongs there.
    pub expected: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alt-Svc: expected {} at byte {}", self.expected, self.at)
    }
}

impl core::error::Error for FieldError {}

/// The protocol's name as fields write it (AS-6: each has one form).
pub(super) const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => "http%2F1.1",
        Protocol::Http2 => "h2",
        Protocol::Http3 => "h3",
    }
}

pub(super) fn protocol(token: &[u8]) -> Option<Protocol> {
    let all = [Protocol::Http3, Protocol::Http2, Protocol::Http1];
    all.into_iter().find(|protocol| name(*protocol).as_bytes() == token)
}

/// Reads the values of all Alt-Svc fields of one response, at most `bytes_max` bytes of them
/// (4,096 are plenty). Whatever they are, that costs time and memory of that order and no more.
///
/// `clear` anywhere is the whole answer (RFC 7838 3). An error means that there is nothing to
/// learn, and that what is known stays. Nothing is to be learnt of a response 421 (AS-9).
pub fn parse<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    bytes_max: usize,
) -> Result<Field, FieldError> {
    let mut read = Read::default();
    let mut before = 0;
    for value in values {
        let room = bytes_max.saturating_sub(before);
        let cut = value.len() > room;
        let bytes = value.get(..room).unwrap_or(value);
        read.value(&mut Scan { bytes, at: 0, cut }, before);
        before += bytes.len();
        read.cut |= cut;
        if read.clear {
            break;
        }
    }
    read.field(before)
}

#[derive(Default)]
struct Read {
    offers: Vec<Offer>,
    clear: bool,
    malformed: u32,
    unknown: u32,
    cut: bool,
    first: Option<FieldError>,
}

enum Element {
    Clear,
    Offer(Offer),
    Unknown,
}

impl Read {
    fn value(&mut self, scan: &mut Scan<'_>, before: usize) {
        while !self.clear {
            while scan.eat(b',') || scan.eat_space() {}
            let begin = scan.at;
            if scan.is_over() {
                return;
            }
            match scan.element() {
                // What the limit has cut may have gone on.
                _ if scan.cut && scan.is_over() => return,
                Ok(Element::Clear) => self.clear = true,
                Ok(Element::Offer(offer)) if self.offers.len() < OFFERS_MAX => {
                    self.offers.push(offer);
                }
                Ok(Element::Offer(_)) => self.cut = true,
                Ok(Element::Unknown) => self.unknown += 1,
                Err(expected) => {
                    let at = before + scan.at;
                    self.first.get_or_insert(FieldError { at, expected });
                    scan.at = begin;
                    scan.skip_element();
                    if !(scan.cut && scan.is_over()) {
                        self.malformed += 1;
                    }
                }
            }
        }
    }

    fn field(self, end: usize) -> Result<Field, FieldError> {
        let Self { offers, clear, malformed, unknown, cut, first } = self;
        if !clear && offers.is_empty() && unknown == 0 {
            let expected = "an alternative or `clear`";
            return Err(first.unwrap_or(FieldError { at: end, expected }));
        }
        let said = if clear { Said::Clear } else { Said::Offers(offers) };
        Ok(Field { said, malformed, unknown, cut })
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The value goes on behind these bytes.
    cut: bool,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    const fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    /// Optional white space (RFC 9110 5.6.3). Whether there was some.
    fn eat_space(&mut self) -> bool {
        let begin = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > begin
    }

    /// `protocol="authority" *( ; name=value )`, up to a comma or the end.
    fn element(&mut self) -> Result<Element, &'static str> {
        let token = self.token().ok_or("a protocol's name")?;
        if token == b"clear" && self.is_at_end_of_element() {
            return Ok(Element::Clear);
        }
        if !self.eat(b'=') {
            return Err("`=` behind the protocol's name");
        }
        let place = self.at;
        let quoted = self.quoted().ok_or("an authority in quotes")?;
        let (mut max_age, mut persist) = (None, None);
        self.eat_space();
        while self.eat(b';') {
            self.eat_space();
            let Some(name) = self.token() else { continue };
            let value = self.parameter()?;
            match name {
                b"ma" if max_age.is_none() => {
                    max_age = Some(seconds(&value).ok_or("a number of seconds as `ma`")?);
                }
                b"persist" if persist.is_none() => persist = Some(value == b"1"),
                _ => {}
            }
            self.eat_space();
        }
        if !self.is_at_end_of_element() {
            return Err("`;`, a comma or the end");
        }
        let Some(protocol) = protocol(token) else { return Ok(Element::Unknown) };
        let Some((host, port)) = authority::split(&quoted) else {
            self.at = place;
            return Err("`host:port` or `:port` in quotes");
        };
        Ok(Element::Offer(Offer {
            alternative: Alternative { protocol, host, port },
            max_age: max_age.unwrap_or(MAX_AGE),
            persist: persist == Some(true),
        }))
    }

    /// The value of a parameter; nothing where it has none.
    fn parameter(&mut self) -> Result<Vec<u8>, &'static str> {
        if !self.eat(b'=') {
            return Ok(Vec::new());
        }
        if self.peek() == Some(b'"') {
            return self.quoted().ok_or("the end of a parameter's quotes");
        }
        self.token().map(<[u8]>::to_vec).ok_or("a parameter's value")
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let begin = self.at;
        while self.peek().is_some_and(is_token) {
            self.at += 1;
        }
        self.bytes.get(begin..self.at).filter(|token| !token.is_empty())
    }

    /// A quoted string without its quotes and escapes (RFC 9110 5.6.4).
    fn quoted(&mut self) -> Option<Vec<u8>> {
        if !self.eat(b'"') {
            return None;
        }
        let mut text = Vec::new();
        loop {
            let mut byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(text),
                b'\\' => {
                    byte = self.peek()?;
                    self.at += 1;
                }
                _ => {}
            }
            if byte != b'\t' && (byte < b' ' || byte == 0x7f) {
                return None;
            }
            text.push(byte);
        }
    }

    fn is_at_end_of_element(&mut self) -> bool {
        self.eat_space();
        matches!(self.peek(), None | Some(b','))
    }

    /// Goes to the comma behind an element, or to the end; those in quotes do not count.
    fn skip_element(&mut self) {
        let mut quotes = false;
        while let Some(byte) = self.peek() {
            match byte {
                b',' if !quotes => return,
                b'"' => quotes = !quotes,
                b'\\' if quotes => self.at += 1,
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.bytes.len();
    }
}

/// RFC 9110 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Seconds in digits; more than fit are as many as fit (RFC 9111 1.2.2).
fn seconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let more =
        |all: u32, digit: &u8| all.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    Some(Duration::from_secs(digits.iter().fold(0, more).into()))
}
