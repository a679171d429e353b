//! quinn-proto's errors as causes for machines and sentences for people.

use core::fmt;

use quinn_proto::{ConnectError, ConnectionError, TransportErrorCode};
use rustls::AlertDescription;

use crate::engine::tls::error::alert_fault;
use crate::types::{Cause, ProtocolFault, TlsFault};

/// The application's codes are HTTP/3's: this one is a close without a fault (RFC 9114 8.1).
const H3_NO_ERROR: u64 = 0x100;
/// What an alert of TLS becomes (RFC 9001 4.8).
const CRYPTO: core::ops::Range<u64> = 0x100..0x200;

/// Why a connection is lost.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuicError {
    /// For machines.
    pub cause: Cause,
    /// quinn-proto's own error; `None` when a handshake took too long, or one could not begin.
    pub source: Option<ConnectionError>,
}

impl QuicError {
    pub(super) const fn plain(cause: Cause) -> Self {
        Self { cause, source: None }
    }

    /// `handshaking` says that the connection never stood.
    pub(super) fn new(source: ConnectionError, handshaking: bool) -> Self {
        Self { cause: cause(&source, handshaking), source: Some(source) }
    }
}

impl From<&ConnectError> for QuicError {
    fn from(error: &ConnectError) -> Self {
        Self::plain(match error {
            ConnectError::InvalidServerName(_) => Cause::Tls(TlsFault::Other),
            ConnectError::InvalidRemoteAddress(_) => Cause::Unreachable,
            _ => Cause::Protocol(ProtocolFault::Version),
        })
    }
}

impl From<QuicError> for Cause {
    fn from(error: QuicError) -> Self {
        error.cause
    }
}

fn cause(error: &ConnectionError, handshaking: bool) -> Cause {
    match error {
        ConnectionError::VersionMismatch => Cause::Protocol(ProtocolFault::Version),
        ConnectionError::TransportError(error) => ours(error.code.into(), &error.reason),
        ConnectionError::ConnectionClosed(close) => theirs(close.error_code),
        ConnectionError::ApplicationClosed(close) => match close.error_code.into_inner() {
            H3_NO_ERROR => Cause::Closed,
            code => Cause::GoAway(short(code)),
        },
        ConnectionError::Reset => Cause::ConnectionReset,
        ConnectionError::TimedOut if handshaking => Cause::ConnectTimeout,
        ConnectionError::TimedOut => Cause::KeepAliveTimeout,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => Cause::ShutDown,
    }
}

/// What this side found wrong.
fn ours(code: u64, reason: &str) -> Cause {
    if !CRYPTO.contains(&code) {
        return Cause::Protocol(ProtocolFault::Quic(short(code)));
    }
    Cause::Tls(match alert(code) {
        // quinn-proto hands on what rustls said, not what it meant.
        AlertDescription::BadCertificate if reason.contains("not valid for name") => {
            TlsFault::NameMismatch
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => TlsFault::BadCertificate,
        AlertDescription::CertificateExpired => TlsFault::Expired,
        AlertDescription::UnknownCA => TlsFault::UnknownIssuer,
        alert => match alert_fault(alert) {
            TlsFault::Alert(_) => TlsFault::Other,
            fault => fault,
        },
    })
}

/// What the peer's QUIC or TLS said.
fn theirs(code: TransportErrorCode) -> Cause {
    match code {
        TransportErrorCode::NO_ERROR => Cause::Closed,
        TransportErrorCode::CONNECTION_REFUSED => Cause::Refused,
        code => match u64::from(code) {
            code if CRYPTO.contains(&code) => Cause::Tls(alert_fault(alert(code))),
            code => Cause::Quic(short(code)),
        },
    }
}

/// The low byte is the alert (RFC 9001 4.8).
fn alert(code: u64) -> AlertDescription {
    AlertDescription::from(code.to_le_bytes()[0])
}

/// Codes have 62 bits; those that mean anything are short.
fn short(code: u64) -> u32 {
    u32::try_from(code).unwrap_or(u32::MAX)
}

impl core::error::Error for QuicError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl fmt::Display for QuicError {
    /// One sentence without a full stop, to be put behind "what: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            None => write!(f, "the QUIC handshake failed: {}", self.cause),
            Some(ConnectionError::VersionMismatch) => {
                f.write_str("the server speaks no version of QUIC that is spoken here")
            }
            Some(ConnectionError::TransportError(error)) => match &*error.reason {
                "" => write!(f, "QUIC failed: {}", error.code),
                reason if CRYPTO.contains(&error.code.into()) => f.write_str(reason),
                reason => write!(f, "QUIC failed: {reason}"),
            },
            Some(ConnectionError::ConnectionClosed(close)) => {
                write!(f, "the peer ended QUIC: {}{}", close.error_code, Said(&close.reason))
            }
            Some(ConnectionError::ApplicationClosed(close)) => {
                let code = close.error_code.into_inner();
                write!(f, "the peer closed the connection ({code:#x}){}", Said(&close.reason))
            }
            Some(ConnectionError::Reset) => {
                f.write_str("the peer no longer knows the connection (stateless reset)")
            }
            Some(ConnectionError::TimedOut) => {
                f.write_str("nothing was heard of the peer until the idle timeout")
            }
            Some(ConnectionError::LocallyClosed) => f.write_str("this side closed the connection"),
            Some(ConnectionError::CidsExhausted) => f.write_str("no connection id is left"),
        }
    }
}

/// What a stranger added, fit for a terminal.
struct Said<'a>(&'a [u8]);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(self.0);
        write!(f, ": {}", text.replace(char::is_control, "\u{fffd}"))
    }
}
