//! In which order the addresses of a host are tried: RFC 6724 section 6, then RFC 8305 section 4.
//!
//! No source address is known here, so of RFC 6724's rules only those that look at the
//! destination alone apply: rule 6 (precedence), rule 8 (smaller scope), rule 10 (unchanged).

use core::net::{IpAddr, Ipv6Addr};
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::config::{Config, Family};

/// So many addresses are sorted without an allocation: more than most names have.
const INLINE: usize = 8;

/// The family of an address.
pub(super) const fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// Sorts by RFC 6724 and lets the families take turns, the first one `first_family_count`
/// addresses at a time (as Envoy does).
pub(super) fn order(answers: &[IpAddr], config: &Config) -> VecDeque<IpAddr> {
    let mut sorted: SmallVec<[IpAddr; INLINE]> = SmallVec::from_slice(answers);
    sorted.sort_by_key(|&address| rank(address));
    let is_first = |address: &&IpAddr| family(**address) == config.first_family;
    let mut first = sorted.iter().filter(is_first);
    let mut second = sorted.iter().filter(|address| !is_first(address));
    let count = config.first_family_count.max(1) as usize;
    let mut ordered = VecDeque::with_capacity(answers.len());
    while ordered.len() < answers.len() {
        ordered.extend(first.by_ref().take(count));
        ordered.extend(second.next());
    }
    ordered
}

/// Less is better: higher precedence (rule 6), then smaller scope (rule 8).
fn rank(address: IpAddr) -> (core::cmp::Reverse<u8>, u8) {
    let address = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    (core::cmp::Reverse(precedence(address)), scope(address))
}

/// The default policy table (RFC 6724 2.1): prefix, its length in bits, precedence; the longest
/// match comes first. IPv4 is looked up as its mapped address.
const POLICY: [(Ipv6Addr, u32, u8); 8] = [
    (Ipv6Addr::LOCALHOST, 128, 50),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35),
    (Ipv6Addr::UNSPECIFIED, 96, 1),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3),
];

/// The precedence of `::/0`, which everything matches.
const PRECEDENCE_OF_THE_REST: u8 = 40;

fn precedence(address: Ipv6Addr) -> u8 {
    let found = POLICY.iter().find(|(prefix, bits, _)| {
        (address.to_bits() ^ prefix.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
    });
    found.map_or(PRECEDENCE_OF_THE_REST, |row| row.2)
}

/// The scope of a unicast address (RFC 6724 3.1, 3.2, 3.4; numbers of RFC 4291 2.7).
fn scope(address: Ipv6Addr) -> u8 {
    const LINK_LOCAL: u8 = 0x2;
    const SITE_LOCAL: u8 = 0x5;
    const GLOBAL: u8 = 0xe;
    if let Some(v4) = address.to_ipv4_mapped() {
        return if v4.is_link_local() || v4.is_loopback() { LINK_LOCAL } else { GLOBAL };
    }
    match address.segments() {
        _ if address.is_loopback() || address.is_unicast_link_local() => LINK_LOCAL,
        [first, ..] if first & 0xffc0 == 0xfec0 => SITE_LOCAL,
        _ => GLOBAL,
    }
}
