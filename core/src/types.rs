//! The nouns that every machine, engine and driver shares.

use core::fmt;
use core::net::SocketAddr;
use std::sync::Arc;

use crate::id::{AttemptId, ClusterId, ProfileId};
use crate::time::Instant;

/// `http` or `https` (RFC 9110 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain text; default port 80.
    Http,
    /// Over TLS; default port 443.
    Https,
}

impl Scheme {
    /// The port of a URL that names none (RFC 9110 4.2.1, 4.2.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Scheme, host and port of a request (RFC 9110 4.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// How it is secured.
    pub scheme: Scheme,
    /// Lower-case name, or an IP literal without brackets.
    pub host: Arc<str>,
    /// Always given; 443 for a plain `https://host`.
    pub port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URI that names a host; its port is 1 to 65535
    /// where it has one.
    pub fn of(uri: &http::Uri) -> Result<Self, OriginError> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(other) => return Err(OriginError::Scheme(other.into())),
            None => return Err(OriginError::Relative),
        };
        let authority = uri.authority().ok_or(OriginError::NoHost)?;
        let (host, port) = split(authority.as_str());
        if host.is_empty() {
            return Err(OriginError::NoHost);
        }
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(OriginError::Port(digits.into())),
            },
        };
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let host = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => name.to_ascii_lowercase().into(),
            false => name.into(),
        };
        Ok(Self { scheme, host, port })
    }
}

/// Why a URI has no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginError {
    /// It is not absolute.
    Relative,
    /// Its scheme is this, not `http` or `https`.
    Scheme(Box<str>),
    /// It names no host.
    NoHost,
    /// Its port is this, not 1 to 65535.
    Port(Box<str>),
}

impl core::error::Error for OriginError {}

impl fmt::Display for OriginError {
    /// One sentence without a full stop and without the URI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relative => f.write_str("the URI is not absolute"),
            Self::Scheme(scheme) => write!(f, "the scheme is {scheme}, not http or https"),
            Self::NoHost => f.write_str("the URI names no host"),
            Self::Port(port) => write!(f, "the port is {port}, not 1 to 65535"),
        }
    }
}

/// An authority's host, with the brackets of an IPv6 address, and what stands behind its colon.
/// Every request asks for it: byte by byte, since authorities are short.
fn split(authority: &str) -> (&str, Option<&str>) {
    let begin = authority.bytes().rposition(|byte| byte == b'@').map_or(0, |at| at + 1);
    let place = authority.get(begin..).unwrap_or_default();
    let inside = match place.bytes().position(|byte| byte == b']') {
        Some(at) if place.starts_with('[') => at,
        _ => 0,
    };
    let colon = place.bytes().skip(inside).position(|byte| byte == b':');
    let end = colon.map_or(place.len(), |at| inside + at);
    let (host, rest) = place.split_at_checked(end).unwrap_or((place, ""));
    (host, rest.strip_prefix(':'))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.scheme.as_str(), self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.scheme.as_str(), self.host, self.port)
        }
    }
}

/// Envoy's routing priority: each has circuit breakers of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Envoy's DEFAULT.
    #[default]
    Default,
    /// Envoy's HIGH.
    High,
}

/// What picks a pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whose limits and settings hold.
    pub cluster: ClusterId,
    /// Where the request goes.
    pub origin: Origin,
    /// Which TLS, ALPN and protocol settings hold.
    pub profile: ProfileId,
    /// Which circuit breakers hold.
    pub priority: Priority,
}

impl From<Origin> for Key {
    /// With the settings of the first cluster and the first profile.
    fn from(origin: Origin) -> Self {
        let (cluster, profile) = (ClusterId::new(0, 0), ProfileId(0));
        Self { cluster, origin, profile, priority: Priority::Default }
    }
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, with TLS where the origin asks for it.
    Tcp,
    /// QUIC over UDP.
    Quic,
}

/// What is spoken on a connection; a greater one is of higher rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112): one stream at a time.
    Http1,
    /// HTTP/2 (RFC 9113).
    Http2,
    /// HTTP/3 (RFC 9114).
    Http3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Http3 => "HTTP/3",
        })
    }
}

/// How freely a request may be repeated (RFC 9110 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodClass {
    /// Safe, and it may go in early data, where whoever records it can send it again (RFC 8470 3):
    /// [`MethodClass::early`].
    Early,
    /// GET, HEAD, OPTIONS, TRACE: no effect that the caller asked for.
    Safe,
    /// PUT, DELETE: twice is the same as once.
    Idempotent,
    /// POST, PATCH and what is not known.
    Other,
    /// CONNECT: becomes a tunnel.
    Connect,
}

impl MethodClass {
    /// The class of `method`.
    pub fn of(method: &http::Method) -> Self {
        use http::Method;
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => Self::Safe,
            Method::PUT | Method::DELETE => Self::Idempotent,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    /// The class of `method` without a body, where early data is allowed: GET, HEAD and OPTIONS go
    /// early. TRACE does not: it shows whoever repeats it what was sent.
    pub fn early(method: &http::Method) -> Self {
        use http::Method;
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Early,
            _ => Self::of(method),
        }
    }

    /// Whether a request whose fate is unknown may be sent again (RFC 9110 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Early | Self::Safe | Self::Idempotent)
    }
}

/// What is known of a failed stream's fate at the server: may the request go again unnoticed?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetrySafe {
    /// No byte of it was sent.
    Unsent,
    /// The server proved that it did not act on it (GOAWAY, REFUSED_STREAM).
    Unprocessed,
    /// It may have been acted on; no byte of a response came.
    Unknown,
    /// Part of a response came: it was acted on.
    Answered,
}

/// What is left of a request's body at its near end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BodyState {
    /// Not a frame has been taken from it (also when it has none).
    Untouched,
    /// What was taken is still kept and can be sent again.
    Replayable,
    /// What was taken is gone.
    Spent,
}

/// How many streams a connection grants: absolute, never a remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// So many at the same time: 1 for HTTP/1, SETTINGS for HTTP/2. May fall below what is in use.
    Concurrent(u32),
    /// So many in all since the connection began (HTTP/3's MAX_STREAMS). Never falls.
    Total(u64),
}

impl Limit {
    /// Whether not a single stream is, or ever was, granted.
    pub const fn grants_nothing(self) -> bool {
        matches!(self, Self::Concurrent(0) | Self::Total(0))
    }
}

/// How a stream ended, as its connection saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Request and response are both complete.
    Complete,
    /// The network, TLS or the peer ended it.
    Failed(Cause),
    /// This side gave it up (cancelled, or its deadline passed).
    Reset,
}

/// When the stages of a stream happened; absent ones never did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timing {
    /// The request's head was given to the connection's engine.
    pub opened: Option<Instant>,
    /// The first byte of the final response's head came.
    pub first_byte: Option<Instant>,
    /// The stream ended.
    pub ended: Instant,
}

/// What went wrong outside: the network, TLS, or the peer. Small and `Copy`; words and
/// addresses are added where a person reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The name does not exist.
    NameNotFound,
    /// The resolver failed (server failure, no answer in time).
    ResolveFailed,
    /// The connect timeout passed while the name was looked up.
    ResolveTimeout,
    /// The name exists and has no usable address.
    NoAddress,
    /// Nobody listens on that port.
    Refused,
    /// No route to the host or network.
    Unreachable,
    /// The transport or TLS handshake took longer than the connect timeout.
    ConnectTimeout,
    /// The peer reset the connection.
    ConnectionReset,
    /// The peer closed the connection before it had answered.
    Closed,
    /// Another error of the operating system, by its number.
    Os(i32),
    /// TLS failed.
    Tls(TlsFault),
    /// The peer broke the rules of HTTP; which one is told by the engine.
    Protocol(ProtocolFault),
    /// The peer reset the stream, with the protocol's error code.
    StreamReset(u32),
    /// The peer announced the connection's end (GOAWAY, with its error code).
    GoAway(u32),
    /// The peer closed the connection with this code of QUIC's transport (RFC 9000 20.1).
    Quic(u32),
    /// The connection ended in the middle of a response.
    Incomplete,
    /// The proxy refused a tunnel to the origin, with this status.
    TunnelRefused(u16),
    /// The peer stopped answering PINGs.
    KeepAliveTimeout,
    /// The connection lived longer idle than allowed, or this side shut it down.
    ShutDown,
    /// Nobody needed it any more.
    Cancelled,
    /// It went in early data, which the handshake did not take, or the server answered 425.
    EarlyDataRefused,
}

/// Why TLS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate is for other names.
    NameMismatch,
    /// The certificate's issuer is not trusted.
    UnknownIssuer,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid for another reason.
    BadCertificate,
    /// The peer sent this alert.
    Alert(u8),
    /// No protocol version, cipher suite or ALPN protocol in common.
    NothingInCommon,
    /// What came is not TLS.
    NotTls,
    /// Anything else.
    Other,
}

/// Which rule of HTTP the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The status or request line is malformed (RFC 9112 3, 4).
    StartLine,
    /// A header field is malformed (RFC 9112 5).
    Field,
    /// Content-Length and Transfer-Encoding, or several lengths, contradict each other
    /// (RFC 9112 6.3).
    ConflictingLength,
    /// A chunk is malformed (RFC 9112 7.1).
    Chunk,
    /// The head is larger, or has more fields, than the configured limit.
    HeadTooLarge,
    /// The HTTP version is not one we speak.
    Version,
    /// Bytes came that nobody asked for (RFC 9112 9.2).
    UnsolicitedBytes,
    /// More interim responses, or other frames, than the configured limit.
    Excessive,
    /// A body longer than the configured limit.
    BodyTooLarge,
    /// A body, or the taking of one, slower than the configured pace.
    TooSlow,
    /// An upgrade that nobody asked for, or otherwise out of place.
    Upgrade,
    /// A connection error of HTTP/2 or HTTP/3, with its code (RFC 9113 7).
    Connection(u32),
    /// A stream error of HTTP/2 or HTTP/3, with its code (RFC 9113 7).
    Stream(u32),
    /// A rule of QUIC was broken, with the transport's code (RFC 9000 20.1).
    Quic(u32),
}

/// Why the upstream said no to a request: our limits, and the end of hope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The `max_pending_requests` circuit breaker is open.
    PendingOverflow,
    /// The `max_requests` circuit breaker is open.
    ActiveOverflow,
    /// The `max_connection_pools` circuit breaker is open.
    PoolOverflow,
    /// `max_sockets` is 0: no connection can ever be made. Where there are sockets and all of them
    /// are taken, requests wait.
    SocketOverflow,
    /// The last connecting connection failed; the request was waiting for it.
    ConnectFailed(Cause),
    /// The stream failed and the request may not, or may not again, be sent once more.
    StreamFailed(Cause),
    /// The request's own deadline passed in this phase.
    Deadline(Phase),
    /// The upstream shuts down and takes nothing new.
    Draining,
    /// The upstream was closed, and its deadline passed before this request was complete.
    Closed,
    /// No cluster or profile of that id is configured.
    UnknownKey,
}

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waiting for the host's addresses.
    Resolving,
    /// Waiting for a connection to be established.
    Connecting,
    /// Waiting for a stream on a connection.
    Queued,
    /// Sent, or being sent; the response is not complete.
    Answering,
}

/// One attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Its id; a driver may keep more words about it in a side table.
    pub attempt: AttemptId,
    /// Where it went.
    pub address: SocketAddr,
    /// When it began.
    pub started: Instant,
    /// When it failed.
    pub ended: Instant,
    /// Why.
    pub cause: Cause,
}

/// The one error of a connection that could not be made: every attempt, in order of start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllFailed {
    /// Every attempt; empty when the name did not resolve.
    pub attempts: Vec<FailedAttempt>,
    /// What the resolver said, where it failed.
    pub resolution: Option<Cause>,
}

impl AllFailed {
    /// The last attempt's cause, or the resolver's: the one to show when there is room for one.
    pub fn cause(&self) -> Cause {
        let last = self.attempts.iter().max_by_key(|failed| failed.ended);
        last.map(|failed| failed.cause).or(self.resolution).unwrap_or(Cause::NoAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_from_a_uri() {
        let rows = [
            ("http://a.test", "http://a.test:80"),
            ("https://A.Test/path", "https://a.test:443"),
            ("https://a.test:8443/", "https://a.test:8443"),
            ("http://user:secret@a.test:81/", "http://a.test:81"),
            ("http://user:80@a.test/", "http://a.test:80"),
            ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"),
            ("http://a.test:/", "http://a.test:80"),
            ("http://a.test:0/", "the port is 0, not 1 to 65535"),
            ("http://a.test:65536/", "the port is 65536, not 1 to 65535"),
            ("ftp://a.test/", "the scheme is ftp, not http or https"),
            ("/path", "the URI is not absolute"),
        ];
        for (uri, expected) in rows {
            let origin = Origin::of(&uri.parse().unwrap());
            let said = origin.map_or_else(|error| error.to_string(), |origin| origin.to_string());
            assert_eq!(said, expected, "{uri}");
        }
    }
}
