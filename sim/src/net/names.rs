//! Names: what a resolver answers, when, and for how long.

use core::net::IpAddr;
use core::time::Duration;

use regatta_core::Instant;

/// What is known of one name, per type of record.
///
/// A look-up asks for A and AAAA at once, and every answer comes when it comes, unless they come
/// `together`. It fails when both have ended without an address: as a name that does not exist
/// where one of them said so, else as failed or as a name without an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Records {
    /// IPv4 addresses. Default an answer without any.
    pub a: Record,
    /// IPv6 addresses. Default an answer without any.
    pub aaaa: Record,
    /// Services (RFC 9460). Default an answer without any.
    pub https: Record,
    /// One answer with everything when the last of A and AAAA has come, IPv6 first, as from
    /// getaddrinfo. Default false.
    pub together: bool,
}

/// One type of record of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// From the question to the answer. Default 0.
    pub delay: Duration,
    /// How long an answer holds. Default not said.
    pub ttl: Option<Duration>,
    /// What is answered.
    pub answers: Answers,
}

/// What is answered, and whether that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answers {
    /// This every time.
    Always(Reply),
    /// One after the other, once for each question, then the first again. With none the record is
    /// empty.
    ByTurns(Vec<Reply>),
    /// From each instant on, by the time of the question; empty before the first. The instants
    /// rise.
    From(Vec<(Instant, Reply)>),
}

/// One answer of a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// These addresses, right or wrong, in this order; with none the name exists and has no
    /// record of this type. Addresses of the other family are answered as they are.
    Addresses(Vec<IpAddr>),
    /// These services, in this order.
    Services(Vec<Service>),
    /// HTTPS records of these data, right or wrong.
    Data(Vec<Vec<u8>>),
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The server failed (SERVFAIL).
    Failure,
    /// Nothing ever comes. The resolver gives up after [`GIVES_UP`].
    Silence,
}

/// One HTTPS record (RFC 9460 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Less is tried first; 0 is an alias (2.4.2).
    pub priority: u16,
    /// The name of the endpoint; `None` is the name itself, and of an alias nothing.
    pub target: Option<String>,
    /// Protocols by their ALPN ids, such as `h3` and `h2`.
    pub alpn: Vec<String>,
    /// The port, where it is another than the origin's.
    pub port: Option<u16>,
    /// Addresses to try before those of A and AAAA have come.
    pub hints: Vec<IpAddr>,
}

impl Service {
    /// HTTP/3 and HTTP/2 at the name itself.
    pub fn http3() -> Self {
        let alpn = vec!["h3".to_owned(), "h2".to_owned()];
        Self { priority: 1, alpn, ..Self::default() }
    }

    /// As it comes over the wire (RFC 9460 2.2).
    pub fn data(&self) -> Vec<u8> {
        let mut data = self.priority.to_be_bytes().to_vec();
        for label in self.target.iter().flat_map(|name| name.split('.')) {
            data.push(label.len() as u8);
            data.extend_from_slice(label.as_bytes());
        }
        data.push(0);
        let mut parameter = |key: u16, value: &[u8]| {
            if !value.is_empty() {
                data.extend_from_slice(&key.to_be_bytes());
                data.extend_from_slice(&(value.len() as u16).to_be_bytes());
                data.extend_from_slice(value);
            }
        };
        let named = |name: &String| [&[name.len() as u8], name.as_bytes()].concat();
        parameter(1, &self.alpn.iter().flat_map(named).collect::<Vec<_>>());
        parameter(3, &self.port.map_or_else(Vec::new, |port| port.to_be_bytes().to_vec()));
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for hint in &self.hints {
            match hint {
                IpAddr::V4(address) => v4.extend(address.octets()),
                IpAddr::V6(address) => v6.extend(address.octets()),
            }
        }
        parameter(4, &v4);
        parameter(6, &v6);
        data
    }
}

/// A type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Services (RFC 9460).
    Https,
}

/// How long a resolver waits for an answer that never comes: two tries of 5 s, resolv.conf's
/// defaults.
pub const GIVES_UP: Duration = Duration::from_secs(10);

impl Records {
    /// A name without any record.
    pub const fn new() -> Self {
        Self { a: Record::empty(), aaaa: Record::empty(), https: Record::empty(), together: false }
    }

    /// A name with these addresses, all of them in one answer and at once, in this order.
    pub fn together(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut records = Self::new();
        records.a = Record::new(Reply::Addresses(addresses.into_iter().collect()));
        records.together = true;
        records
    }

    /// A name that does not exist.
    pub fn no_such_name() -> Self {
        let none = || Record::new(Reply::NoSuchName);
        Self { a: none(), aaaa: none(), https: none(), together: false }
    }

    /// With this for A.
    #[must_use]
    pub fn a(mut self, record: Record) -> Self {
        self.a = record;
        self
    }

    /// With this for AAAA.
    #[must_use]
    pub fn aaaa(mut self, record: Record) -> Self {
        self.aaaa = record;
        self
    }

    /// With this for HTTPS.
    #[must_use]
    pub fn https(mut self, record: Record) -> Self {
        self.https = record;
        self
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl Record {
    /// This answer every time, at once.
    pub const fn new(reply: Reply) -> Self {
        Self { delay: Duration::ZERO, ttl: None, answers: Answers::Always(reply) }
    }

    /// These addresses every time, at once.
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::new(Reply::Addresses(addresses.into_iter().collect()))
    }

    /// An answer without a record.
    pub const fn empty() -> Self {
        Self::new(Reply::Addresses(Vec::new()))
    }

    /// One of these after the other.
    pub const fn by_turns(replies: Vec<Reply>) -> Self {
        Self { delay: Duration::ZERO, ttl: None, answers: Answers::ByTurns(replies) }
    }

    /// Each of these from its instant on.
    pub const fn from(replies: Vec<(Instant, Reply)>) -> Self {
        Self { delay: Duration::ZERO, ttl: None, answers: Answers::From(replies) }
    }

    /// With this time from question to answer.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// With this time to live.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}
