//! Which authorities a message may name, in every version of HTTP.

use http::uri::Authority;

/// Which bytes are letters, digits, dots or hyphens.
static NAME: [bool; 256] = names();

#[expect(clippy::indexing_slicing, reason = "a constant: it is checked when it is made")]
const fn names() -> [bool; 256] {
    let mut name = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        name[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        byte += 1;
    }
    name
}

/// Whether these bytes, of a Host field, name such a host.
#[cfg(feature = "http1")]
pub(super) fn names_host(host: &[u8]) -> bool {
    is_simple(host) || Authority::try_from(host).is_ok_and(|authority| is_plain(&authority))
}

/// A name of letters, digits, dots and hyphens, with a port of at most five digits where there is
/// one: what nearly all authorities are, and seen without parsing them.
fn is_simple(authority: &[u8]) -> bool {
    let is_name = |byte: u8| NAME.get(usize::from(byte)).is_some_and(|is_name| *is_name);
    match authority.iter().position(|byte| !is_name(*byte)) {
        None => !authority.is_empty(),
        Some(0) => false,
        Some(end) => match authority.get(end..) {
            Some([b':', port @ ..]) => is_port(port),
            _ => false,
        },
    }
}

/// The digits of a port's number.
fn is_port(digits: &[u8]) -> bool {
    let add = |number: u32, digit: &u8| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    };
    (1..=5).contains(&digits.len())
        && digits.iter().try_fold(0, add).is_some_and(|number| number <= u16::MAX.into())
}

/// A host without userinfo (RFC 9110 4.2.4, RFC 9113 8.3.1), its port, where given, a number.
pub(super) fn is_plain(authority: &Authority) -> bool {
    if is_simple(authority.as_str().as_bytes()) {
        return true;
    }
    let host = authority.host();
    match authority.as_str().strip_prefix(host) {
        Some("") => !host.is_empty(),
        Some(_) => !host.is_empty() && authority.port_u16().is_some(),
        None => false,
    }
}

/// CONNECT's target: such a host, and a port that is not empty (RFC 9110 9.3.6).
pub(super) fn is_target(authority: &Authority) -> bool {
    is_plain(authority) && authority.port_u16().is_some_and(|port| port != 0)
}

#[cfg(all(test, feature = "http1"))]
mod tests {
    use super::*;

    /// What is seen to be simple is what parsing would say of it, byte by byte.
    #[test]
    fn what_is_simple_is_plain() {
        let parts = ["", "a", "Z9", "a.b-c", "1.2.3.4", "[::1]", "u@h", "a_b", "%41", "a b", ":"];
        let ports = [
            "", ":", ":0", ":80", ":9999", ":65535", ":65536", ":99999", ":00080", ":000080",
            ":8x", ":-1",
        ];
        let mut simple = 0;
        for part in parts {
            for port in ports {
                let host = format!("{part}{port}");
                let parsed = Authority::try_from(host.as_str()).is_ok_and(|authority| {
                    let (name, port) = (authority.host(), authority.port_u16());
                    let rest = authority.as_str().strip_prefix(name);
                    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || port.is_some())
                });
                assert_eq!(names_host(host.as_bytes()), parsed, "{host:?}");
                simple += usize::from(is_simple(host.as_bytes()));
            }
        }
        assert_eq!(simple, 24);
    }
}
