//! Hosts and ports as text from outside has them.

use core::net::{IpAddr, Ipv6Addr};

/// Longest name of the domain name system, in its text form (RFC 1035 2.3.4).
const NAME_MAX: usize = 253;

/// `[host]:port`, as in an Alt-Svc field: the host may be missing, the port may not.
pub(super) fn split(text: &[u8]) -> Option<(Option<Box<str>>, u16)> {
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let (name, digits) = text.split_at_checked(colon)?;
    let port = port(digits.strip_prefix(b":")?)?;
    match name {
        b"" => Some((None, port)),
        name => Some((Some(host(name)?), port)),
    }
}

/// A port between 1 and 65535, in digits alone.
pub(super) fn port(digits: &[u8]) -> Option<u16> {
    if digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok().filter(|port| *port > 0)
}

/// A name in lower case, or an address; one of IPv6 stands in brackets and loses them.
pub(super) fn host(name: &[u8]) -> Option<Box<str>> {
    if let Some(inside) = name.strip_prefix(b"[") {
        let address = core::str::from_utf8(inside.strip_suffix(b"]")?).ok()?;
        return Some(address.parse::<Ipv6Addr>().ok()?.to_string().into());
    }
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > NAME_MAX || !name.iter().all(fits) {
        return None;
    }
    Some(core::str::from_utf8(name).ok()?.to_ascii_lowercase().into())
}

/// Whether a host is on this machine or in a network that is not the world's, as far as its name
/// tells (AS-12).
pub(super) fn is_private(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.octets()[0] == 0
        }
        Ok(IpAddr::V6(v6)) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
        Err(_) => {
            let name = host.strip_suffix('.').unwrap_or(host);
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}
