//! Questions to a recursive resolver and its answers (RFC 1035, RFC 6891), for who asks one by
//! itself: the system's own `getaddrinfo` knows nothing of HTTPS records.
//!
//! ```text
//!  Lookup --turn--> which server, how long --(driver: UDP, or TCP)--> hear --> Heard
//! ```
//!
//! A [`Lookup`] is one question: it writes the message, says whom to send it to and for how long
//! to wait, and judges what comes back. It owns no socket and no clock. What is not an answer to
//! its question (another id, another name, another type) is not heard at all.
//!
//! - Servers are asked in their order, each once in a round; there are as many rounds as
//!   [`Servers::attempts`] says.
//! - A server that fails (SERVFAIL, REFUSED, an answer that cannot be read) is passed over at once.
//! - An answer that was cut off (TC) is asked for again over TCP, of the same server.
//! - Aliases in an answer (CNAME) are followed, at most eight of them.
//!
//! ```
//! use core::net::IpAddr;
//! use regatta_core::dns::{Heard, Lookup, RecordType, Servers, Turn};
//!
//! let servers = Servers::parse("nameserver 192.0.2.53\noptions timeout:2");
//! let mut lookup = Lookup::new(&servers, 7, "example.org", RecordType::A).unwrap();
//! let Some(Turn { server, patience, over_tcp: false }) = lookup.turn() else { panic!() };
//! assert_eq!((server.to_string().as_str(), patience.as_secs()), ("192.0.2.53:53", 2));
//!
//! let mut answer = lookup.message().to_vec();
//! answer[2] |= 0x80;
//! answer[7] = 1; // One answer, and the question's EDNS is taken off.
//! answer.truncate(answer.len() - 11);
//! answer[11] = 0;
//! answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
//! let Heard::Answer(answer) = lookup.hear(&answer) else { panic!() };
//! assert_eq!(answer.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
//! assert_eq!(answer.ttl.unwrap().as_secs(), 60);
//! ```

mod message;
mod servers;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

use message::{Message, Name};
pub use servers::Servers;

use crate::time::Duration;

/// A type of record that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses (RFC 1035).
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
    /// Services of an HTTP origin (RFC 9460).
    Https,
}

impl RecordType {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Https => 65,
        }
    }
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The name that the records belong to, in lower case, where aliases lead away from the one
    /// that was asked for.
    pub owner: Option<Box<str>>,
    /// Addresses, in the server's order.
    pub addresses: Vec<IpAddr>,
    /// The data of HTTPS records, for [`https_records`](crate::altsvc::https_records).
    pub https: Vec<Box<[u8]>>,
    /// For how long it holds: the least of all records that led to it, or for an answer without
    /// any what the zone says of those (RFC 2308). `None` where nothing is said.
    pub ttl: Option<Duration>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answers another question, or none: go on waiting.
    Nothing,
    /// This server is of no use: take the next turn.
    Failed,
    /// It was cut off: the next turn is over TCP.
    CutOff,
    /// The name does not exist.
    NoSuchName {
        /// For how long that holds, where it is said.
        ttl: Option<Duration>,
    },
    /// The answer, which may have no record.
    Answer(Answer),
}

/// Whom to ask now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Where to.
    pub server: SocketAddr,
    /// For how long to wait.
    pub patience: Duration,
    /// Over TCP, each message behind its length in two bytes (RFC 1035 4.2.2).
    pub over_tcp: bool,
}

/// One question, until it is answered or nobody is left to ask.
#[derive(Clone, Debug)]
pub struct Lookup {
    servers: Servers,
    name: Name,
    kind: RecordType,
    message: Vec<u8>,
    id: u16,
    /// How many turns were taken.
    turns: usize,
    /// The last server cut its answer off.
    again_over_tcp: bool,
}

impl Lookup {
    /// Asks for records of this type. `id` should be hard to guess. `None` where `name` is none
    /// that a message can carry.
    pub fn new(servers: &Servers, id: u16, name: &str, kind: RecordType) -> Option<Self> {
        let name = message::name(name)?;
        let message = message::question(id, &name, kind)?;
        let servers = servers.clone();
        Some(Self { servers, name, kind, message, id, turns: 0, again_over_tcp: false })
    }

    /// What is sent.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whom to ask next; `None` when all were asked as often as they may be.
    pub fn turn(&mut self) -> Option<Turn> {
        let patience = self.servers.timeout;
        if core::mem::take(&mut self.again_over_tcp) {
            let last = self.turns.checked_sub(1)?;
            return Some(Turn { server: self.server(last)?, patience, over_tcp: true });
        }
        let rounds = self.servers.attempts.max(1) as usize;
        if self.turns >= self.servers.addresses.len() * rounds {
            return None;
        }
        self.turns += 1;
        Some(Turn { server: self.server(self.turns - 1)?, patience, over_tcp: false })
    }

    fn server(&self, turn: usize) -> Option<SocketAddr> {
        let at = turn.checked_rem(self.servers.addresses.len())?;
        self.servers.addresses.get(at).copied()
    }

    /// Judges what came.
    pub fn hear(&mut self, message: &[u8]) -> Heard {
        let read = Message::read(message, self.id, &self.name, self.kind);
        let Some(message) = read else { return Heard::Nothing };
        if message.is_cut_off() {
            self.again_over_tcp = true;
            return Heard::CutOff;
        }
        let no_such_name = match message.code() {
            0 => false,
            3 => true,
            _ => return Heard::Failed,
        };
        match message.answer(&self.name, self.kind) {
            Some(found) if no_such_name && found.is_empty() => Heard::NoSuchName { ttl: found.ttl },
            Some(found) => Heard::Answer(found),
            None => Heard::Failed,
        }
    }
}

impl Answer {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.https.is_empty()
    }
}
