//! HTTPS records (RFC 9460): what they say of alternatives. Looking them up belongs to whoever
//! resolves names, following aliases to `upstream`; address hints are read and not used, because
//! the addresses themselves are looked up in any case. The `domain` crate takes a record apart;
//! what RFC 9460 demands of its parameters is looked after here.

use core::fmt;

use domain::base::iana::SvcParamKey;
use domain::base::name::Name;
use domain::base::wire::Parse as _;
use domain::dep::octseq::parse::Parser;
use domain::rdata::svcb::{SvcParams, value};

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
    fn of(name: &Name<&[u8]>) -> Self {
        if name.is_root() {
            return Self::Owner;
        }
        // What is written with an escape is none of a host's letters.
        authority::host(name.to_string().as_bytes()).map_or(Self::Odd, Self::Name)
    }

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

/// The parameters that are understood (RFC 9460 14.3.2): `ech` is not.
const KNOWN: [SvcParamKey; 5] = [
    SvcParamKey::ALPN,
    SvcParamKey::NO_DEFAULT_ALPN,
    SvcParamKey::PORT,
    SvcParamKey::IPV4HINT,
    SvcParamKey::IPV6HINT,
];

impl Record {
    fn read(data: &[u8]) -> Result<Self, &'static str> {
        let mut rest = Parser::from_ref(data);
        let priority = u16::parse(&mut rest).map_err(|_| "a priority of two bytes")?;
        let target = Name::parse(&mut rest).map_err(|_| "a target name")?;
        let parameters = SvcParams::from_octets(rest.peek_all());
        let parameters =
            parameters.map_err(|_| "whole parameters in the order of their keys, each once")?;
        let mut record = Self { priority, target: Target::of(&target), ..Self::default() };
        let mut keys = Vec::new();
        let mut mandatory = Vec::new();
        for parameter in parameters.iter_raw() {
            keys.push(parameter.key());
            record.take(parameter.key(), parameter.as_slice(), &mut mandatory)?;
        }
        if record.no_default && !keys.contains(&SvcParamKey::ALPN) {
            return Err("`alpn` beside `no-default-alpn`");
        }
        if mandatory.iter().any(|key| !keys.contains(key)) {
            return Err("every parameter that is mandatory");
        }
        record.incompatible = !mandatory.iter().all(|key| KNOWN.contains(key));
        Ok(record)
    }

    fn take(
        &mut self,
        key: SvcParamKey,
        value: &[u8],
        mandatory: &mut Vec<SvcParamKey>,
    ) -> Result<(), &'static str> {
        match key {
            SvcParamKey::MANDATORY => {
                *mandatory = keys(value).ok_or("keys in order as `mandatory`")?;
            }
            SvcParamKey::ALPN => {
                self.alpn = protocols(value).ok_or("names of protocols as `alpn`")?;
            }
            SvcParamKey::NO_DEFAULT_ALPN if value.is_empty() => self.no_default = true,
            SvcParamKey::NO_DEFAULT_ALPN => return Err("nothing as `no-default-alpn`"),
            SvcParamKey::PORT => {
                let port = value.try_into().map_err(|_| "two bytes as `port`")?;
                self.port = Some(u16::from_be_bytes(port));
            }
            SvcParamKey::IPV4HINT
                if value.is_empty() || value::Ipv4Hint::from_slice(value).is_err() =>
            {
                return Err("addresses of four bytes as `ipv4hint`");
            }
            SvcParamKey::IPV6HINT
                if value.is_empty() || value::Ipv6Hint::from_slice(value).is_err() =>
            {
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

/// Keys in order, each once, not `mandatory` itself.
fn keys(value: &[u8]) -> Option<Vec<SvcParamKey>> {
    let keys: Vec<_> = value::Mandatory::from_slice(value).ok()?.iter().collect();
    let in_order = keys.is_sorted_by(|one, next| one < next);
    let own = keys.first() == Some(&SvcParamKey::MANDATORY);
    (!keys.is_empty() && in_order && !own).then_some(keys)
}

/// At least one name, none of them empty; those that are spoken here.
fn protocols(value: &[u8]) -> Option<Vec<Protocol>> {
    let names = value::Alpn::from_slice(value).ok()?;
    if value.is_empty() || names.iter().any(<[u8]>::is_empty) {
        return None;
    }
    let spoken = |name: &[u8]| match name {
        b"h3" => Some(Protocol::Http3),
        b"h2" => Some(Protocol::Http2),
        b"http/1.1" => Some(Protocol::Http1),
        _ => None,
    };
    Some(names.iter().filter_map(spoken).collect())
}
