//! HTTPS records (RFC 9460): what they say of alternatives. Looking them up belongs to whoever
//! resolves names, following aliases to `upstream`; address hints are read and not used, because
//! the addresses themselves are looked up in any case.

use core::fmt;

use super::{Alternative, Offer, authority};
use crate::time::Duration;
use crate::types::{Origin, Protocol};

/// Most records of one answer that are used.
const RECORDS_MAX: usize = 16;

/// What the HTTPS records of a name say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpsRecords {
    /// Ask for the records of this name instead (SV-2). Following is bounded, and where it
    /// ends without records the origin is asked as if there were none.
    Alias(Box<str>),
    /// The service does not exist (SV-3: an alias to the root).
    Unavailable,
    /// To be learnt with [`Source::Dns`](super::Source::Dns), best first.
    Offers(Vec<Offer>),
}

/// Why all records of an answer count for nothing (SV-1): the first that is malformed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Which record of the answer, from 0.
    pub record: usize,
    /// What belongs there.
    pub expected: &'static str,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTPS record {}: expected {}", self.record, self.expected)
    }
}

impl core::error::Error for RecordError {}

/// Reads the data of all HTTPS records of one answer, each as it came over the wire, for
/// `origin`; they hold for `ttl`. `owner` is the name that they belong to: the origin's host, or
/// where a port before the name, or aliases, lead elsewhere, that.
pub fn https_records(
    data: &[impl AsRef<[u8]>],
    origin: &Origin,
    owner: &str,
    ttl: Duration,
) -> Result<HttpsRecords, RecordError> {
    let mut records = Vec::new();
    for (index, data) in data.iter().enumerate() {
        let wrong = |expected| RecordError { record: index, expected };
        let record = Record::read(data.as_ref()).map_err(wrong)?;
        if records.len() < RECORDS_MAX {
            records.push(record);
        }
    }
    // SV-2: an alias leaves no service beside it.
    if let Some(alias) = records.iter_mut().find(|record| record.priority == 0) {
        return Ok(match alias.target.take() {
            Target::Owner => HttpsRecords::Unavailable,
            Target::Name(name) => HttpsRecords::Alias(name),
            Target::Odd => HttpsRecords::Offers(Vec::new()),
        });
    }
    records.sort_by_key(|record| record.priority);
    let offers = records.iter().flat_map(|record| record.offers(origin, owner, ttl)).collect();
    Ok(HttpsRecords::Offers(offers))
}

/// Where a record points.
#[derive(Debug, Default)]
enum Target {
    /// To the name that it belongs to (SV-5).
    #[default]
    Owner,
    Name(Box<str>),
    /// To a name that no host has.
    Odd,
}

impl Target {
    fn take(&mut self) -> Self {
        core::mem::take(self)
    }
}

#[derive(Debug, Default)]
struct Record {
    priority: u16,
    target: Target,
    /// Of those that are spoken here.
    alpn: Vec<Protocol>,
    no_default: bool,
    port: Option<u16>,
    /// Demands what is not understood here (SV-6).
    incompatible: bool,
}

/// The numbers of parameters (RFC 9460 14.3.2). `ech`, 5, is not understood.
mod key {
    pub(super) const MANDATORY: u16 = 0;
    pub(super) const ALPN: u16 = 1;
    pub(super) const NO_DEFAULT_ALPN: u16 = 2;
    pub(super) const PORT: u16 = 3;
    pub(super) const IPV4_HINT: u16 = 4;
    pub(super) const IPV6_HINT: u16 = 6;
}

impl Record {
    fn read(data: &[u8]) -> Result<Self, &'static str> {
        let (priority, rest) = number(data).ok_or("a priority of two bytes")?;
        let (target, mut rest) = name(rest).ok_or("a target name")?;
        let mut record = Self { priority, target, ..Self::default() };
        let mut keys = Vec::new();
        let mut mandatory = Vec::new();
        while !rest.is_empty() {
            let (key, value, behind) = parameter(rest).ok_or("a whole parameter")?;
            if keys.last().is_some_and(|last| *last >= key) {
                return Err("parameters in the order of their keys, each once");
            }
            keys.push(key);
            record.take(key, value, &mut mandatory)?;
            rest = behind;
        }
        if record.no_default && !keys.contains(&key::ALPN) {
            return Err("`alpn` beside `no-default-alpn`");
        }
        if mandatory.iter().any(|key| !keys.contains(key)) {
            return Err("every parameter that is mandatory");
        }
        let known = key::ALPN..=key::IPV4_HINT;
        let is_known = |key: &u16| known.contains(key) || *key == key::IPV6_HINT;
        record.incompatible |= !mandatory.iter().all(is_known);
        Ok(record)
    }

    fn take(
        &mut self,
        key: u16,
        value: &[u8],
        mandatory: &mut Vec<u16>,
    ) -> Result<(), &'static str> {
        match key {
            key::MANDATORY => *mandatory = keys(value).ok_or("keys in order as `mandatory`")?,
            key::ALPN => self.alpn = protocols(value).ok_or("names of protocols as `alpn`")?,
            key::NO_DEFAULT_ALPN if value.is_empty() => self.no_default = true,
            key::NO_DEFAULT_ALPN => return Err("nothing as `no-default-alpn`"),
            key::PORT => match number(value) {
                Some((port, [])) => self.port = Some(port),
                _ => return Err("two bytes as `port`"),
            },
            key::IPV4_HINT if value.is_empty() || !value.len().is_multiple_of(4) => {
                return Err("addresses of four bytes as `ipv4hint`");
            }
            key::IPV6_HINT if value.is_empty() || !value.len().is_multiple_of(16) => {
                return Err("addresses of sixteen bytes as `ipv6hint`");
            }
            _ => {}
        }
        Ok(())
    }

    fn offers(&self, origin: &Origin, owner: &str, max_age: Duration) -> Vec<Offer> {
        let host = match &self.target {
            // SV-5
            Target::Owner => (owner != &*origin.host).then(|| owner.into()),
            Target::Name(name) => Some(name.clone()),
            Target::Odd => return Vec::new(),
        };
        // SV-8
        let port = self.port.unwrap_or(origin.port);
        if self.incompatible || port == 0 {
            return Vec::new();
        }
        let spoken = [Protocol::Http3, Protocol::Http2, Protocol::Http1].into_iter();
        // SV-7
        let spoken = spoken.filter(|protocol| {
            self.alpn.contains(protocol) || *protocol == Protocol::Http1 && !self.no_default
        });
        let offer = |protocol| Offer {
            alternative: Alternative { protocol, host: host.clone(), port },
            max_age,
            persist: false,
        };
        spoken.map(offer).collect()
    }
}

fn number(data: &[u8]) -> Option<(u16, &[u8])> {
    let (bytes, rest) = data.split_first_chunk()?;
    Some((u16::from_be_bytes(*bytes), rest))
}

fn parameter(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (key, rest) = number(data)?;
    let (length, rest) = number(rest)?;
    let (value, rest) = rest.split_at_checked(length.into())?;
    Some((key, value, rest))
}

/// Labels without compression, up to the root (RFC 9460 2.2).
fn name(mut data: &[u8]) -> Option<(Target, &[u8])> {
    let mut text = Vec::new();
    loop {
        let (length, rest) = data.split_first()?;
        if *length > 63 {
            return None;
        }
        let (label, rest) = rest.split_at_checked((*length).into())?;
        data = rest;
        if label.is_empty() {
            break;
        }
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
        if text.len() > 254 {
            return None;
        }
    }
    let target = match (text.as_slice(), authority::host(&text)) {
        (b"", _) => Target::Owner,
        (_, Some(name)) => Target::Name(name),
        (_, None) => Target::Odd,
    };
    Some((target, data))
}

/// Keys in order, each once, not `mandatory` itself.
fn keys(value: &[u8]) -> Option<Vec<u16>> {
    let (pairs, rest) = value.as_chunks();
    let keys: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    let in_order = keys.is_sorted_by(|one, next| one < next);
    let own = keys.first() == Some(&key::MANDATORY);
    (rest.is_empty() && !keys.is_empty() && in_order && !own).then_some(keys)
}

/// Names with their lengths in front, at least one and none empty; those that are spoken here.
fn protocols(mut value: &[u8]) -> Option<Vec<Protocol>> {
    let mut all = Vec::new();
    if value.is_empty() {
        return None;
    }
    while let Some((length, rest)) = value.split_first() {
        let (name, rest) = rest.split_at_checked((*length).into())?;
        match name {
            b"" => return None,
            b"h3" => all.push(Protocol::Http3),
            b"h2" => all.push(Protocol::Http2),
            b"http/1.1" => all.push(Protocol::Http1),
            _ => {}
        }
        value = rest;
    }
    Some(all)
}
