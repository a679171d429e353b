//! Extended CONNECT: a tunnel for a protocol that is named (RFC 8441, RFC 9220).

use core::str::FromStr;

use http::HeaderName;

/// In the extensions of a CONNECT: what is to be spoken through the tunnel, for example
/// `websocket` or `connect-udp` (RFC 8441 4, RFC 9220 3). Its URI is absolute, with a path.
///
/// HTTP/2 and HTTP/3 say it to a server that has said that it knows how; HTTP/1.1 cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended(Box<str>);

impl Extended {
    /// Names a protocol; `None` where that is no token (RFC 9110 5.6.2).
    pub fn new(protocol: &str) -> Option<Self> {
        HeaderName::from_str(protocol).is_ok().then(|| Self(protocol.into()))
    }

    /// The protocol's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
