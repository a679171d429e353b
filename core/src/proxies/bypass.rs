//! Who is reached without a proxy: the words of `NO_PROXY`.

use core::net::IpAddr;

use crate::types::Origin;

/// Origins that are reached without a proxy.
///
/// The text is a list with commas or blanks between its words, as curl reads it; of Go come
/// ports, `*.` and that `*` may be one of many words.
///
/// | word | what it covers |
/// | --- | --- |
/// | `*` | everything |
/// | `a.test`, `.a.test` | that name and all below it (curl; not the name with a dot in Go) |
/// | `*.a.test` | all below that name (Go) |
/// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | that address, where the URL names it |
/// | `192.0.2.0/24`, `2001:db8::/32` | all addresses of that network, where the URL names them |
/// | any of these with `:81` behind it | only that port; an IPv6 address needs its brackets (Go) |
///
/// Names are compared without case and without a dot at their end. A name is not looked up to
/// be compared with addresses. Words that are none of these cover nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bypass {
    all: bool,
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The name, unless only what is below it is meant.
    Name { name: String, below: bool },
    /// The leading bits of an address.
    Net { address: IpAddr, bits: u32 },
}

impl Bypass {
    /// Reads a list as `NO_PROXY` has it.
    pub fn parse(text: &str) -> Self {
        let mut bypass = Self::default();
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            if word == "*" {
                bypass.all = true;
            } else {
                bypass.words.extend(Word::parse(word));
            }
        }
        bypass
    }

    /// Whether nothing goes through a proxy.
    pub const fn is_all(&self) -> bool {
        self.all
    }

    /// Whether `origin` is reached without a proxy.
    pub fn covers(&self, origin: &Origin) -> bool {
        let host = origin.host.strip_suffix('.').unwrap_or(&origin.host);
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.all
            || self.words.iter().any(|word| {
                word.port.is_none_or(|port| port == origin.port) && word.place.has(host, address)
            })
    }
}

impl Word {
    fn parse(word: &str) -> Option<Self> {
        if let Some(place) = Place::net(word) {
            return Some(Self { place, port: None });
        }
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (word, None),
        };
        let place = Place::net(host).or_else(|| Place::name(host))?;
        Some(Self { place, port })
    }
}

impl Place {
    /// An address, perhaps in brackets, perhaps with `/bits`.
    fn net(word: &str) -> Option<Self> {
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (word, None),
        };
        let inner = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let address = inner.unwrap_or(address).parse::<IpAddr>().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self::Net { address, bits })
    }

    fn name(word: &str) -> Option<Self> {
        let (rest, below) = match word.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (word.strip_prefix('.').unwrap_or(word), false),
        };
        let name = rest.strip_suffix('.').unwrap_or(rest).to_ascii_lowercase();
        let is_name = !name.is_empty() && !name.contains(['*', '/', '[', ']', ':']);
        is_name.then_some(Self::Name { name, below })
    }

    fn has(&self, host: &str, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::Net { address: net, bits }, Some(address)) => {
                let shared = common_bits(net.to_canonical(), address);
                shared.is_some_and(|shared| shared >= net_bits(*net, *bits))
            }
            (Self::Name { name, below }, None) => {
                let Some(at) = host.len().checked_sub(name.len()) else { return false };
                let ends = host.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(name));
                let is_below = host.get(..at).is_some_and(|front| front.ends_with('.'));
                ends && (is_below || (at == 0 && !below))
            }
            _ => false,
        }
    }
}

/// The bits of a net whose address may be an IPv4 one in IPv6's clothes.
const fn net_bits(net: IpAddr, bits: u32) -> u32 {
    match (net, net.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(_)) => bits.saturating_sub(96),
        _ => bits,
    }
}

/// How many leading bits two addresses of one family share.
const fn common_bits(one: IpAddr, other: IpAddr) -> Option<u32> {
    Some(match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return None,
    })
}
