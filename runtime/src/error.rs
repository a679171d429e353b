//! The one error that callers see: one clear sentence, and the facts behind it.

use core::fmt;
use std::sync::Arc;

use regatta_core::types::{AllFailed, Cause, Origin, Phase, ProtocolFault, Refusal, TlsFault};

use crate::timeline::Timeline;

/// Why a request failed.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    origin: Option<Origin>,
    detail: Option<Arc<str>>,
    failed: Option<Arc<AllFailed>>,
    timeline: Option<Timeline>,
}

/// What kind of failure it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The upstream said no.
    Refused(Refusal),
    /// The request itself is wrong; the text says what was expected.
    Request(String),
    /// The caller's body failed; the text is its own.
    Body(String),
    /// The configuration is wrong; the text names the field.
    Config(String),
    /// The peer, the connection or its runtime went away before the message had ended.
    Gone,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                origin: None,
                detail: None,
                failed: None,
                timeline: None,
            }),
        }
    }

    pub(crate) fn refused(
        reason: Refusal,
        origin: Origin,
        failed: Option<Arc<AllFailed>>,
        detail: Option<Arc<str>>,
    ) -> Self {
        let mut error = Self::new(Kind::Refused(reason));
        error.inner.origin = Some(origin);
        error.inner.failed = failed;
        error.inner.detail = detail;
        error
    }

    pub(crate) fn with_timeline(mut self, timeline: Timeline) -> Self {
        self.inner.timeline = Some(timeline);
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> &Kind {
        &self.inner.kind
    }

    /// What went wrong outside, where it was outside.
    pub fn cause(&self) -> Option<Cause> {
        match self.inner.kind {
            Kind::Refused(Refusal::ConnectFailed(cause) | Refusal::StreamFailed(cause)) => {
                Some(cause)
            }
            _ => None,
        }
    }

    /// Whether no connection could be made (names, TCP, TLS).
    pub fn is_connect(&self) -> bool {
        matches!(self.inner.kind, Kind::Refused(Refusal::ConnectFailed(_)))
    }

    /// Whether a time limit passed: the connect timeout or the request's own deadline.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.inner.kind,
            Kind::Refused(
                Refusal::Deadline(_)
                    | Refusal::ConnectFailed(Cause::ConnectTimeout)
                    | Refusal::StreamFailed(Cause::KeepAliveTimeout)
            )
        )
    }

    /// Every attempt of the connection that could not be made.
    pub fn attempts(&self) -> Option<&AllFailed> {
        self.inner.failed.as_deref()
    }

    /// What happened to the request until it failed.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.inner.timeline.as_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("origin", &self.inner.origin.as_ref().map(ToString::to_string))
            .field("detail", &self.inner.detail)
            .field("failed", &self.inner.failed)
            .finish_non_exhaustive()
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.kind {
            Kind::Refused(reason) => self.refusal(*reason, f),
            Kind::Request(text) => write!(f, "the request cannot be sent: {text}"),
            Kind::Body(text) => write!(f, "the request's body failed: {text}"),
            Kind::Config(text) => write!(f, "the configuration is wrong: {text}"),
            Kind::Gone => f.write_str(
                "the peer, the connection or its runtime went away before the message had ended",
            ),
        }
    }
}

impl Inner {
    fn at(&self) -> String {
        self.origin.as_ref().map_or_else(|| "the origin".to_owned(), ToString::to_string)
    }
}

impl Error {
    fn refusal(&self, reason: Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.inner.at();
        match reason {
            Refusal::PendingOverflow => {
                write!(f, "{at}: max_pending_requests is reached, no more requests may wait")
            }
            Refusal::ActiveOverflow => {
                write!(f, "{at}: max_requests is reached, no more requests may be under way")
            }
            Refusal::PoolOverflow => {
                write!(f, "{at}: max_connection_pools is reached, no new origin may be asked")
            }
            Refusal::SocketOverflow => {
                write!(f, "{at}: max_sockets is reached, no connection may be opened")
            }
            Refusal::ConnectFailed(cause) => self.connect_failed(&at, cause, f),
            Refusal::StreamFailed(cause) => {
                write!(f, "{at}: {}", Words(cause))?;
                self.detail(f)
            }
            Refusal::Deadline(phase) => {
                let phase = match phase {
                    Phase::Resolving => "looking its name up",
                    Phase::Connecting => "connecting",
                    Phase::Queued => "waiting for a free connection",
                    Phase::Answering => "waiting for the complete response",
                };
                write!(f, "{at}: the request's time limit passed while {phase}")
            }
            Refusal::Draining => write!(f, "{at}: the client is shutting down"),
            Refusal::UnknownKey => write!(f, "{at}: no such cluster or profile is configured"),
            other => write!(f, "{at}: refused ({other:?})"),
        }
    }

    fn connect_failed(&self, at: &str, cause: Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {at}: {}", Words(cause))?;
        self.detail(f)?;
        let Some(failed) = &self.inner.failed else { return Ok(()) };
        match failed.attempts.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " ({})", one.address),
            many => {
                write!(f, " (tried ")?;
                for (n, one) in many.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    let took = one.ended.saturating_since(one.started).as_millis();
                    write!(f, "{comma}{}: {} after {took} ms", one.address, Words(one.cause))?;
                }
                f.write_str(")")
            }
        }
    }

    fn detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

/// A URI for people, without the password that may be in it.
pub(crate) fn shown(uri: &http::Uri) -> String {
    let text = uri.to_string();
    match uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')) {
        Some((secret, _)) => text.replacen(&format!("{secret}@"), "", 1),
        None => text,
    }
}

/// A [`Cause`] in words, without the address.
#[derive(Clone, Copy, Debug)]
pub struct Words(pub Cause);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::NameNotFound => f.write_str("the name does not exist"),
            Cause::ResolveFailed => f.write_str("the name could not be looked up"),
            Cause::NoAddress => f.write_str("the name has no usable address"),
            Cause::Refused => f.write_str("connection refused, nobody listens on that port"),
            Cause::Unreachable => f.write_str("no route to the host"),
            Cause::ConnectTimeout => f.write_str("no connection within the connect timeout"),
            Cause::ConnectionReset => f.write_str("the peer reset the connection"),
            Cause::Closed => f.write_str("the peer closed the connection before it answered"),
            Cause::Os(code) => write!(f, "{}", std::io::Error::from_raw_os_error(code)),
            Cause::Tls(fault) => f.write_str(tls_words(fault)),
            Cause::Protocol(fault) => protocol_words(fault, f),
            Cause::StreamReset(code) => {
                write!(f, "the peer reset the stream with {}", http2_code(code))
            }
            Cause::GoAway(code) => {
                write!(f, "the peer ended the connection with GOAWAY {}", http2_code(code))
            }
            Cause::Incomplete => f.write_str("the connection ended in the middle of a response"),
            Cause::KeepAliveTimeout => f.write_str("the peer stopped answering PINGs"),
            Cause::ShutDown => f.write_str("the connection was shut down"),
            Cause::Cancelled => f.write_str("cancelled"),
            other => write!(f, "{other:?}"),
        }
    }
}

const fn tls_words(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::NameMismatch => "TLS failed, the certificate is for another name",
        TlsFault::UnknownIssuer => "TLS failed, the certificate's issuer is not trusted",
        TlsFault::Expired => "TLS failed, the certificate has expired or is not valid yet",
        TlsFault::BadCertificate => "TLS failed, the certificate is not valid",
        TlsFault::Alert(_) => "TLS failed, the peer sent an alert",
        TlsFault::NothingInCommon => "TLS failed, no version, cipher or protocol in common",
        TlsFault::NotTls => "TLS failed, the peer does not speak TLS",
        _ => "TLS failed",
    }
}

fn protocol_words(fault: ProtocolFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let what = match fault {
        ProtocolFault::StartLine => "a malformed status line",
        ProtocolFault::Field => "a malformed header field",
        ProtocolFault::ConflictingLength => "conflicting lengths of the body",
        ProtocolFault::Chunk => "a malformed chunk",
        ProtocolFault::HeadTooLarge => "a head larger than the limit",
        ProtocolFault::Version => "an HTTP version that is not supported",
        ProtocolFault::UnsolicitedBytes => "bytes that nobody asked for",
        ProtocolFault::Excessive => "more frames than the limit",
        ProtocolFault::Upgrade => "an upgrade that nobody asked for",
        ProtocolFault::Connection(code) => {
            return write!(f, "HTTP/2 failed on the connection with {}", http2_code(code));
        }
        ProtocolFault::Stream(code) => {
            return write!(f, "HTTP/2 failed on the stream with {}", http2_code(code));
        }
        _ => "something that HTTP does not allow",
    };
    write!(f, "the peer sent {what}")
}

/// The registered name of an HTTP/2 error code (RFC 9113 7), or its number.
fn http2_code(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| format!("error code {code}"), |name| (*name).to_owned())
}
