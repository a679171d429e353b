//! Which authorities a message may name, in every version of HTTP.

use http::uri::Authority;

/// A host without userinfo (RFC 9110 4.2.4, RFC 9113 8.3.1), its port, where given, a number.
pub(super) fn is_plain(authority: &Authority) -> bool {
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
