//! How single things are written and read: numbers, times, ids, addresses, names.

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU32;
use std::sync::Arc;

use super::error::Wrong;
use crate::id::{AttemptId, ClusterId, ConnectionId, HostId, Id, PoolId, ProfileId, RequestId};
use crate::time::{Duration, Instant};
use crate::types::{AllFailed, FailedAttempt, Origin, Scheme};

/// One thing without a space in it.
pub(super) trait Value: Sized {
    /// What it looks like, for people.
    fn expected() -> String;
    fn write(&self, out: &mut String);
    fn read(text: &str) -> Option<Self>;
    /// One of each kind there is.
    #[cfg(test)]
    fn samples() -> Vec<Self>;
}

/// One or more fields of a line, each ` name=value`.
pub(super) trait Part: Sized {
    /// Writes it under `name`; what has fields of its own writes those.
    fn put(&self, name: &str, out: &mut String);
    fn take(name: &'static str, fields: &mut Fields<'_>) -> Result<Self, Wrong>;
    #[cfg(test)]
    fn all() -> Vec<Self>;
}

impl<T: Value> Part for T {
    fn put(&self, name: &str, out: &mut String) {
        out.push(' ');
        out.push_str(name);
        out.push('=');
        self.write(out);
    }

    fn take(name: &'static str, fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        let text = fields.take(name)?;
        Self::read(text).ok_or_else(|| Wrong::field(name, Self::expected(), text))
    }

    #[cfg(test)]
    fn all() -> Vec<Self> {
        Self::samples()
    }
}

/// The fields of a line, from left to right.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: core::str::Split<'a, char>,
}

impl<'a> Fields<'a> {
    /// The first word of `line` and the fields that follow it.
    pub(super) fn of(line: &'a str) -> (&'a str, Self) {
        let mut rest = line.split(' ');
        (rest.next().unwrap_or_default(), Self { rest })
    }

    /// The next word, which is not a field.
    pub(super) fn word(&mut self) -> &'a str {
        self.rest.next().unwrap_or_default()
    }

    /// The value of the next field, which must have this name.
    fn take(&mut self, name: &'static str) -> Result<&'a str, Wrong> {
        let field = self.rest.next().unwrap_or_default();
        let value = field.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        value.ok_or_else(|| Wrong::line(format!("the field {name}"), field))
    }

    /// Whether the next field has this name.
    pub(super) fn is_next(&self, name: &str) -> bool {
        let next = self.rest.clone().next().and_then(|field| field.strip_prefix(name));
        next.is_some_and(|rest| rest.starts_with('='))
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.rest.clone().next().is_none()
    }

    /// Nothing may be left.
    pub(super) fn end(mut self) -> Result<(), Wrong> {
        match self.rest.next() {
            None => Ok(()),
            Some(field) => Err(Wrong::line("the end of the line", field)),
        }
    }
}

macro_rules! numbers {
    ($($type:ident: $expected:literal [$($sample:expr),*];)*) => {$(
        impl Value for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn write(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                vec![$($sample),*]
            }
        }
    )*};
}

numbers! {
    u8: "a number up to 255" [0, 40, Self::MAX];
    u16: "a number up to 65535" [0, 443, Self::MAX];
    u32: "a number of 32 bits" [0, 7, Self::MAX];
    u64: "a number of 64 bits" [0, 9, Self::MAX];
    i32: "a number of 32 bits with a sign" [0, -7, Self::MAX, Self::MIN];
    NonZeroU32: "a number of 32 bits that is not 0" [Self::MIN, Self::MAX];
    IpAddr: "an IP address"
        ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    SocketAddr: "an IP address and a port"
        ["192.0.2.1:80".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap()];
}

macro_rules! ids {
    ($($type:ident $letter:literal;)*) => {$(
        impl Value for $type {
            fn expected() -> String {
                concat!("an id like ", $letter, "0.0").to_owned()
            }

            fn write(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }

            fn read(text: &str) -> Option<Self> {
                id(text.strip_prefix($letter)?)
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                vec![Self::new(0, 0), Self::new(7, 1), Self::new(u32::MAX, u32::MAX)]
            }
        }
    )*};
}

ids! {
    RequestId "r";
    ConnectionId "c";
    AttemptId "a";
    HostId "h";
    PoolId "p";
    ClusterId "k";
}

fn id<I: Id>(text: &str) -> Option<I> {
    let (slot, generation) = text.split_once('.')?;
    Some(I::new(slot.parse().ok()?, generation.parse().ok()?))
}

impl Value for ProfileId {
    fn expected() -> String {
        u16::expected()
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }

    fn read(text: &str) -> Option<Self> {
        u16::read(text).map(Self)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        u16::samples().into_iter().map(Self).collect()
    }
}

impl Value for Instant {
    fn expected() -> String {
        "nanoseconds since the run's beginning".to_owned()
    }

    fn write(&self, out: &mut String) {
        self.as_nanos().write(out);
    }

    fn read(text: &str) -> Option<Self> {
        u64::read(text).map(Self::from_nanos)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![Self::EPOCH, Self::from_millis(7), Self::MAX]
    }
}

/// Units of time, the greatest first, in nanoseconds.
const UNITS: [(&str, u128); 4] =
    [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// In the greatest unit in which it is a whole number.
impl Value for Duration {
    fn expected() -> String {
        "a time like 5s, 300ms, 20us or 1ns".to_owned()
    }

    fn write(&self, out: &mut String) {
        let nanos = self.as_nanos();
        if let Some((unit, size)) = UNITS.iter().find(|(_, size)| nanos.is_multiple_of(*size)) {
            let _ = write!(out, "{}{unit}", nanos / size);
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, size) = UNITS.iter().find(|(known, _)| *known == unit)?;
        let nanos = number.parse::<u128>().ok()?.checked_mul(*size)?;
        let secs = u64::try_from(nanos / 1_000_000_000).ok()?;
        Some(Self::new(secs, u32::try_from(nanos % 1_000_000_000).ok()?))
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let (s, ms) = (Self::from_secs(5), Self::from_millis(300));
        vec![s, ms, Self::from_micros(20), Self::from_nanos(1), Self::ZERO, Self::MAX]
    }
}

impl<T: Value> Value for Option<T> {
    fn expected() -> String {
        format!("none or {}", T::expected())
    }

    fn write(&self, out: &mut String) {
        match self {
            None => out.push_str("none"),
            Some(value) => value.write(out),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "none" { Some(None) } else { T::read(text).map(Some) }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        core::iter::once(None).chain(T::samples().into_iter().map(Some)).collect()
    }
}

impl<T: Value> Value for Arc<T> {
    fn expected() -> String {
        T::expected()
    }

    fn write(&self, out: &mut String) {
        T::write(self, out);
    }

    fn read(text: &str) -> Option<Self> {
        T::read(text).map(Self::new)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        T::samples().into_iter().map(Self::new).collect()
    }
}

impl Value for Vec<IpAddr> {
    fn expected() -> String {
        "IP addresses with commas between them".to_owned()
    }

    fn write(&self, out: &mut String) {
        for (at, address) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            address.write(out);
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::new());
        }
        text.split(',').map(IpAddr::read).collect()
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![vec![], vec![IpAddr::samples()[1]], IpAddr::samples()]
    }
}

/// What stands for itself in a name. All else is `%` and two digits for each byte.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b'[' | b']')
}

impl Value for Arc<str> {
    fn expected() -> String {
        "a name in which all but printable ASCII is %XX".to_owned()
    }

    fn write(&self, out: &mut String) {
        for byte in self.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if is_plain(first) {
                bytes.push(first);
                rest = after;
            } else {
                let (digits, after) = after.split_first_chunk::<2>().filter(|_| first == b'%')?;
                let digits = digits.iter().try_fold(0, |sum, digit| {
                    char::from(*digit).to_digit(16).map(|value| sum << 4 | value)
                });
                bytes.push(u8::try_from(digits?).ok()?);
                rest = after;
            }
        }
        String::from_utf8(bytes).ok().map(Self::from)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let all = ["a.test", "2001:db8::1", "", " =\n%\u{7f}", "[b\u{fc}cher]", "x,y;z/"];
        all.into_iter().map(Self::from).collect()
    }
}

/// As in a URL, brackets included.
impl Value for Origin {
    fn expected() -> String {
        "an origin like https://a.test:443".to_owned()
    }

    fn write(&self, out: &mut String) {
        let Self { scheme, host, port } = self;
        out.push_str(scheme.as_str());
        out.push_str("://");
        let is_address = host.contains(':');
        out.push_str(if is_address { "[" } else { "" });
        host.write(out);
        out.push_str(if is_address { "]:" } else { ":" });
        port.write(out);
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = rest.rsplit_once(':')?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if inner.is_some() != host.contains(':') {
            return None;
        }
        let host = Value::read(inner.unwrap_or(host))?;
        Some(Self { scheme: Scheme::read(scheme)?, host, port: Value::read(port)? })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let hosts = Arc::<str>::samples().into_iter();
        let both = [Scheme::Http, Scheme::Https].into_iter().cycle();
        hosts.zip(both).map(|(host, scheme)| Self { scheme, host, port: 8_443 }).collect()
    }
}

/// What the resolver said, `/`, and the attempts with `;` between them.
impl Value for AllFailed {
    fn expected() -> String {
        "a resolver's failure or none, /, and attempts with ; between them".to_owned()
    }

    fn write(&self, out: &mut String) {
        let Self { attempts, resolution } = self;
        resolution.write(out);
        out.push('/');
        for (at, attempt) in attempts.iter().enumerate() {
            if at > 0 {
                out.push(';');
            }
            attempt.write(out);
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (resolution, attempts) = text.split_once('/')?;
        let resolution = Value::read(resolution)?;
        if attempts.is_empty() {
            return Some(Self { attempts: Vec::new(), resolution });
        }
        let attempts = attempts.split(';').map(FailedAttempt::read).collect::<Option<_>>()?;
        Some(Self { attempts, resolution })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let attempts = [vec![], FailedAttempt::samples(), vec![]];
        let resolution = [Some(crate::types::Cause::NameNotFound), None, None];
        let both = attempts.into_iter().zip(resolution);
        both.map(|(attempts, resolution)| Self { attempts, resolution }).collect()
    }
}

/// With commas between its parts.
impl Value for FailedAttempt {
    fn expected() -> String {
        "attempt,address,started,ended,cause".to_owned()
    }

    fn write(&self, out: &mut String) {
        let Self { attempt, address, started, ended, cause } = self;
        attempt.write(out);
        out.push(',');
        address.write(out);
        out.push(',');
        started.write(out);
        out.push(',');
        ended.write(out);
        out.push(',');
        cause.write(out);
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let read = Self {
            attempt: Value::read(parts.next()?)?,
            address: Value::read(parts.next()?)?,
            started: Value::read(parts.next()?)?,
            ended: Value::read(parts.next()?)?,
            cause: Value::read(parts.next()?)?,
        };
        parts.next().is_none().then_some(read)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let causes = crate::types::Cause::samples().into_iter().zip(0..);
        let one = |(cause, number): (_, u32)| Self {
            attempt: AttemptId::new(number, 1),
            address: SocketAddr::samples()[number as usize % 2],
            started: Instant::from_nanos(u64::from(number)),
            ended: Instant::MAX,
            cause,
        };
        causes.map(one).collect()
    }
}
