//! The one error that callers see: one clear sentence, and the facts behind it.

use core::fmt;
use std::sync::Arc;

use regatta_core::retry::Verdict;
use regatta_core::types::{AllFailed, Cause, Origin, Outcome, Refusal};

use crate::timeline::Timeline;

/// Why a request failed.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    origin: Option<Origin>,
    proxy: Option<Origin>,
    detail: Option<Arc<str>>,
    failed: Option<Arc<AllFailed>>,
    timeline: Option<Timeline>,
    verdict: Option<Verdict>,
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
    /// Nobody read the body, and those of all requests hold twice what
    /// [`Builder::body_memory`](crate::Builder::body_memory) allows.
    BodyMemory,
    /// The peer, the connection or its runtime went away before the message had ended.
    Gone,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                origin: None,
                proxy: None,
                detail: None,
                failed: None,
                timeline: None,
                verdict: None,
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

    pub(crate) fn with_proxy(mut self, proxy: Option<Origin>) -> Self {
        self.inner.proxy = proxy;
        self
    }

    pub(crate) fn with_timeline(mut self, timeline: Timeline) -> Self {
        self.inner.timeline = Some(timeline);
        self
    }

    pub(crate) fn with_verdict(mut self, verdict: Option<Verdict>) -> Self {
        self.inner.verdict = verdict;
        self
    }

    /// Whether the request was tried again, and why not once more. `None` for what was never
    /// tried, and for what failed after the response's head.
    pub fn verdict(&self) -> Option<Verdict> {
        self.inner.verdict
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

    /// The proxy that it was to go through, where there is one.
    pub fn proxy(&self) -> Option<&Origin> {
        self.inner.proxy.as_ref()
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
                    | Refusal::ConnectFailed(Cause::ConnectTimeout | Cause::ResolveTimeout)
                    | Refusal::StreamFailed(Cause::KeepAliveTimeout)
            )
        )
    }

    /// Whether a circuit breaker of this side is open: nothing was sent.
    pub fn is_overflow(&self) -> bool {
        matches!(
            self.inner.kind,
            Kind::Refused(
                Refusal::PendingOverflow
                    | Refusal::ActiveOverflow
                    | Refusal::PoolOverflow
                    | Refusal::SocketOverflow
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
            Kind::BodyMemory => f.write_str(
                "the response was not read, and the bodies of all requests hold twice the memory \
                 that they may",
            ),
            Kind::Gone => f.write_str(
                "the peer, the connection or its runtime went away before the message had ended",
            ),
        }
    }
}

impl Inner {
    fn at(&self) -> String {
        match (&self.origin, &self.proxy) {
            (Some(origin), Some(proxy)) if origin == proxy => format!("the proxy {proxy}"),
            (Some(origin), Some(proxy)) => format!("{origin} through the proxy {proxy}"),
            (Some(origin), None) => origin.to_string(),
            (None, _) => "the origin".to_owned(),
        }
    }
}

impl Error {
    fn refusal(&self, reason: Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.inner.at();
        match reason {
            Refusal::ConnectFailed(cause) => self.connect_failed(&at, cause, f),
            Refusal::StreamFailed(_) => {
                write!(f, "{at}: {reason}")?;
                self.detail(f)
            }
            _ => write!(f, "{at}: {reason}"),
        }
    }

    fn connect_failed(&self, at: &str, cause: Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {at}: {cause}")?;
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
                    write!(f, "{comma}{}: {} after {took} ms", one.address, one.cause)?;
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

/// What a stream failed with.
pub(crate) const fn broke(outcome: Outcome) -> Option<Cause> {
    match outcome {
        Outcome::Failed(cause) => Some(cause),
        Outcome::Complete | Outcome::Reset => None,
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
