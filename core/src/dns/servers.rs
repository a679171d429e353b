//! Who is asked: name servers, as resolv.conf(5) names them.

use core::net::{IpAddr, SocketAddr};

use crate::time::Duration;

/// Most servers that are asked (MAXNS of resolv.conf).
const SERVERS_MAX: usize = 3;

/// The port of name servers (RFC 1035 4.2).
const PORT: u16 = 53;

/// Name servers, and how they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Servers {
    /// In the order in which they are asked. Default none.
    pub addresses: Vec<SocketAddr>,
    /// For how long each is waited for. Default 5 s, as resolv.conf's.
    pub timeout: Duration,
    /// How often each is asked. Default 2, as resolv.conf's.
    pub attempts: u32,
}

impl Default for Servers {
    fn default() -> Self {
        Self { addresses: Vec::new(), timeout: Duration::from_secs(5), attempts: 2 }
    }
}

impl Servers {
    /// These, by their usual port where none is said.
    pub fn of(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { addresses: addresses.into_iter().collect(), ..Self::default() }
    }

    /// Reads a resolv.conf: `nameserver`, of which the first three count, and the options
    /// `timeout` (30 at most) and `attempts` (5 at most). What else stands there is passed over,
    /// lines that cannot be read too; without a server it is the one on this machine.
    pub fn parse(text: &str) -> Self {
        let mut servers = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    if servers.addresses.len() < SERVERS_MAX {
                        servers.addresses.extend(address.map(|ip| SocketAddr::new(ip, PORT)));
                    }
                }
                Some("options") => words.for_each(|word| servers.option(word)),
                _ => {}
            }
        }
        if servers.addresses.is_empty() {
            servers.addresses.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        servers
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }
}
