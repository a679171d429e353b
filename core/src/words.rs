//! What went wrong, in words for people, and what an error of the operating system stands for.

use core::fmt;
use std::io;

use crate::codes;
use crate::types::{Cause, Phase, ProtocolFault, Refusal, TlsFault};

impl From<&io::Error> for Cause {
    /// What a socket's error means while a connection is being made. On an established one
    /// `TimedOut` is the peer's silence: a driver says [`Cause::Os`] there.
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::HostUnreachable | Kind::NetworkUnreachable => Self::Unreachable,
            Kind::AddrNotAvailable | Kind::NetworkDown => Self::Unreachable,
            Kind::TimedOut => Self::ConnectTimeout,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                Self::ConnectionReset
            }
            _ => Self::Os(error.raw_os_error().unwrap_or(0)),
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl fmt::Display for Refusal {
    /// One sentence without a full stop, to be put behind "origin: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingOverflow => "max_pending_requests is reached, no more requests may wait",
            Self::ActiveOverflow => "max_requests is reached, no more requests may be under way",
            Self::PoolOverflow => "max_connection_pools is reached, no new origin may be asked",
            Self::SocketOverflow => "max_sockets is 0, no connection may ever be opened",
            Self::ConnectFailed(cause) => return write!(f, "cannot connect: {cause}"),
            Self::StreamFailed(cause) => return cause.fmt(f),
            Self::Deadline(phase) => {
                return write!(f, "the request's time limit passed while {phase}");
            }
            Self::Draining => "the client is shutting down",
            Self::Closed => "the client was closed before the response was complete",
            Self::UnknownKey => "no such cluster or profile is configured",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking its name up",
            Self::Connecting => "connecting",
            Self::Queued => "waiting for a free connection",
            Self::Answering => "waiting for the complete response",
        })
    }
}

impl fmt::Display for Cause {
    /// One sentence without a full stop and without the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameNotFound => f.write_str("the name does not exist"),
            Self::ResolveFailed => f.write_str("the name could not be looked up"),
            Self::ResolveTimeout => {
                f.write_str("the name was not looked up within the connect timeout")
            }
            Self::NoAddress => f.write_str("the name has no usable address"),
            Self::Refused => f.write_str("connection refused, nobody listens on that port"),
            Self::Unreachable => f.write_str("no route to the host"),
            Self::ConnectTimeout => f.write_str("no connection within the connect timeout"),
            Self::ConnectionReset => f.write_str("the peer reset the connection"),
            Self::Closed => f.write_str("the peer closed the connection before it answered"),
            Self::Os(code) => io::Error::from_raw_os_error(*code).fmt(f),
            Self::Tls(fault) => fault.fmt(f),
            Self::Protocol(fault) => fault.fmt(f),
            Self::StreamReset(code) => {
                write!(f, "the peer reset the stream with {}", codes::http(*code))
            }
            Self::GoAway(code) if codes::is_http3(*code) => {
                write!(f, "the peer closed the connection with {}", codes::http(*code))
            }
            Self::GoAway(code) => {
                write!(f, "the peer ended the connection with GOAWAY {}", codes::http(*code))
            }
            Self::Quic(code) => {
                write!(f, "the peer closed the connection with QUIC's {}", codes::quic(*code))
            }
            Self::Incomplete => f.write_str("the connection ended in the middle of a response"),
            Self::TunnelRefused(status) => {
                write!(f, "the proxy refused a tunnel with status {status}")
            }
            Self::KeepAliveTimeout => f.write_str("the peer stopped answering PINGs"),
            Self::ShutDown => f.write_str("the connection was shut down"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::EarlyDataRefused => f.write_str("the server refused early data"),
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameMismatch => "TLS failed, the certificate is for another name",
            Self::UnknownIssuer => "TLS failed, the certificate's issuer is not trusted",
            Self::Expired => "TLS failed, the certificate has expired or is not valid yet",
            Self::BadCertificate => "TLS failed, the certificate is not valid",
            Self::Alert(_) => "TLS failed, the peer sent an alert",
            Self::NothingInCommon => "TLS failed, no version, cipher or protocol in common",
            Self::NotTls => "TLS failed, the peer does not speak TLS",
            Self::Other => "TLS failed",
        })
    }
}

impl fmt::Display for ProtocolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::StartLine => "a malformed status line",
            Self::Field => "a malformed header field",
            Self::ConflictingLength => "conflicting lengths of the body",
            Self::Chunk => "a malformed chunk",
            Self::HeadTooLarge => "a head larger than the limit",
            Self::Version => "an HTTP version that is not supported",
            Self::UnsolicitedBytes => "bytes that nobody asked for",
            Self::Excessive => "more frames than the limit",
            Self::BodyTooLarge => "a body longer than the limit",
            Self::TooSlow => "a body slower than the limit",
            Self::Upgrade => "an upgrade that nobody asked for",
            Self::Connection(code) => {
                let version = if codes::is_http3(*code) { 3 } else { 2 };
                let code = codes::http(*code);
                return write!(f, "HTTP/{version} failed on the connection with {code}");
            }
            Self::Stream(code) => {
                let version = if codes::is_http3(*code) { 3 } else { 2 };
                let code = codes::http(*code);
                return write!(f, "HTTP/{version} failed on the stream with {code}");
            }
            Self::Quic(code) => {
                return write!(f, "QUIC failed on the connection with {}", codes::quic(*code));
            }
        };
        write!(f, "the peer sent {what}")
    }
}
