//! A client's spans and events.

use http::{Request, StatusCode, Uri};
use regatta_core::types::{Origin, Refusal};
use tracing::field::{Empty, display};
use tracing::{Level, Span, debug, info_span};

use super::version;
use crate::error::{Error, Kind};
use crate::hooks::{ConnectionEvent, ConnectionFacts, Ending, RequestEvent, RequestFacts};
use crate::timeline::{AttemptOutcome, AttemptTrace, Timeline};

const REQUEST: &str = "regatta::client";
const CONNECTION: &str = "regatta::connection";

/// The span of one request of a client, all its tries together. Where nobody listens there is
/// none.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSpan(Option<Span>);

impl RequestSpan {
    /// A span within the caller's current one.
    pub(crate) fn of(head: &Request<()>, origin: &Origin, queries: bool) -> Self {
        if !tracing::enabled!(target: REQUEST, Level::INFO) {
            return Self(None);
        }
        let named = Origin::of(head.uri());
        let origin = named.as_ref().unwrap_or(origin);
        let span = info_span!(
            target: REQUEST,
            "request",
            otel.name = %head.method(),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = %head.method(),
            http.request.resend_count = Empty,
            http.response.status_code = Empty,
            url.full = url(head.uri(), queries),
            server.address = &*origin.host,
            server.port = origin.port,
            network.protocol.version = Empty,
            network.peer.address = Empty,
            network.peer.port = Empty,
            error.type = Empty,
        );
        Self((!span.is_disabled()).then_some(span))
    }

    /// Whether anybody wants to hear of the request.
    pub(crate) const fn listens(&self) -> bool {
        self.0.is_some()
    }

    /// Tells what happened as an event within the span.
    pub(crate) fn tell(
        &self,
        facts: &RequestFacts,
        event: &RequestEvent,
        timeline: Option<&Timeline>,
    ) {
        let Some(span) = &self.0 else { return };
        match event {
            RequestEvent::Begun if facts.tries > 0 => {
                debug!(target: REQUEST, parent: span, { tries = facts.tries }, "tried again");
            }
            RequestEvent::Begun => {}
            RequestEvent::Assigned { connection, reused } => {
                if let Some(timeline) = timeline.filter(|_| !reused) {
                    way(span, timeline);
                }
                debug!(
                    target: REQUEST,
                    parent: span,
                    { connection = %connection, reused },
                    "given to a connection"
                );
            }
            RequestEvent::SentAgain { cause } => {
                let cause = cause.map(display);
                debug!(target: REQUEST, parent: span, { cause }, "sent again");
            }
            RequestEvent::Answered { status } => {
                debug!(
                    target: REQUEST,
                    parent: span,
                    { http.response.status_code = status.as_u16() },
                    "answered"
                );
            }
            RequestEvent::Ended(end) => {
                if end.timeline.assigned.is_none() {
                    way(span, &end.timeline);
                }
                let broke = match end.ending {
                    Ending::Complete | Ending::GivenUp => None,
                    Ending::Failed(cause) => Some(format!("{cause:?}")),
                    Ending::Refused(refusal) => Some(word(refusal)),
                };
                // Before the head it is told by `failed`, if no other try follows.
                if end.status.is_some()
                    && let Some(word) = &broke
                {
                    span.record("otel.status_code", "ERROR");
                    span.record("error.type", word.as_str());
                }
                debug!(
                    target: REQUEST,
                    parent: span,
                    {
                        error.type = broke,
                        given_up = end.ending == Ending::GivenUp,
                        http.request.body.size = end.sent,
                        http.response.body.size = end.received
                    },
                    "ended"
                );
            }
        }
    }

    /// The caller gets a response.
    pub(crate) fn answered(
        &self,
        status: StatusCode,
        tries: u32,
        timeline: impl FnOnce() -> Timeline,
    ) {
        let Some(span) = &self.0 else { return };
        span.record("http.response.status_code", status.as_u16());
        if status.is_client_error() || status.is_server_error() {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", status.as_str());
        }
        self.came(&timeline(), tries);
    }

    /// The caller gets an error.
    pub(crate) fn failed(&self, error: &Error, tries: u32) {
        let Some(span) = &self.0 else { return };
        span.record("otel.status_code", "ERROR");
        match error.kind() {
            Kind::Refused(reason) => span.record("error.type", word(*reason)),
            Kind::Request(_) => span.record("error.type", "Request"),
            Kind::Body(_) => span.record("error.type", "Body"),
            Kind::Config(_) => span.record("error.type", "Config"),
            Kind::BodyMemory => span.record("error.type", "BodyMemory"),
            Kind::Gone => span.record("error.type", "Gone"),
        };
        if let Some(timeline) = error.timeline() {
            self.came(timeline, tries);
        }
    }

    fn came(&self, timeline: &Timeline, tries: u32) {
        let Some(span) = &self.0 else { return };
        if tries + timeline.resends > 0 {
            span.record("http.request.resend_count", tries + timeline.resends);
        }
        if let Some(used) = &timeline.connection {
            span.record("network.protocol.version", version(used.protocol));
            span.record("network.peer.address", display(used.address.ip()));
            span.record("network.peer.port", used.address.port());
        }
    }
}

/// The kind of a failure: few words, and no number of a peer's but error codes.
fn word(reason: Refusal) -> String {
    match reason {
        Refusal::ConnectFailed(cause) | Refusal::StreamFailed(cause) => format!("{cause:?}"),
        reason => format!("{reason:?}"),
    }
}

/// The URL without credentials, and without the query where that is nobody's business.
fn url(uri: &Uri, queries: bool) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let path =
        if queries { uri.path_and_query().map_or("/", |it| it.as_str()) } else { uri.path() };
    match uri.scheme_str() {
        Some(scheme) => format!("{scheme}://{authority}{path}"),
        None => format!("{authority}{path}"),
    }
}

/// How a request came to its connection, or to none.
fn way(span: &Span, timeline: &Timeline) {
    if let Some(lookup) = timeline.resolve
        && let Some(ended) = lookup.ended
    {
        let took_us = micros(ended.saturating_since(lookup.started));
        debug!(target: REQUEST, parent: span, { took_us }, "name looked up");
    }
    for attempt in &timeline.attempts {
        let AttemptTrace { address, started, ended, outcome, .. } = attempt;
        let started_us = micros(started.saturating_since(timeline.requested));
        let took_us = ended.map(|ended| micros(ended.saturating_since(*started)));
        let (outcome, cause) = match outcome {
            AttemptOutcome::UnderWay => ("under way", None),
            AttemptOutcome::Won => ("won", None),
            AttemptOutcome::Failed(cause) => ("failed", Some(format!("{cause:?}"))),
            AttemptOutcome::Aborted => ("given up", None),
        };
        debug!(
            target: REQUEST,
            parent: span,
            {
                network.peer.address = %address.ip(),
                network.peer.port = address.port(),
                started_us,
                took_us,
                outcome,
                error.type = cause
            },
            "attempt to connect"
        );
    }
}

fn micros(time: regatta_core::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whether anybody wants to hear of connections.
pub(crate) fn hears_connections() -> bool {
    tracing::enabled!(target: CONNECTION, Level::DEBUG)
}

/// Tells what happened to a connection. It belongs to no request: many may wait for one.
pub(crate) fn tell_connection(facts: &ConnectionFacts, event: &ConnectionEvent) {
    /// An event with what all have in common.
    macro_rules! say {
        ($($field:tt)*) => {
            debug!(
                target: CONNECTION,
                parent: None,
                connection = %facts.id,
                server.address = &*facts.origin.host,
                server.port = facts.origin.port,
                $($field)*
            )
        };
    }
    match event {
        ConnectionEvent::Connecting { address, .. } => say!(
            network.peer.address = %address.ip(),
            network.peer.port = address.port(),
            "connecting"
        ),
        ConnectionEvent::Failed { address, after, cause, detail, .. } => say!(
            network.peer.address = %address.ip(),
            network.peer.port = address.port(),
            took_us = micros(*after),
            error.type = ?cause,
            detail = detail.as_deref(),
            "cannot connect"
        ),
        ConnectionEvent::GivenUp { address, after, .. } => say!(
            network.peer.address = %address.ip(),
            network.peer.port = address.port(),
            took_us = micros(*after),
            "attempt given up"
        ),
        ConnectionEvent::Connected { trace, took } => say!(
            network.peer.address = %trace.address.ip(),
            network.peer.port = trace.address.port(),
            network.protocol.version = version(trace.protocol),
            tls.protocol.version = trace.tls.as_ref().map(|tls| tls.version.as_str()),
            tls.cipher = trace.tls.as_ref().map(|tls| tls.cipher.as_str()),
            tls.resumed = trace.tls.as_ref().map(|tls| tls.resumed),
            took_us = micros(*took),
            "connected"
        ),
        ConnectionEvent::Draining { reason } => say!(reason = ?reason, "draining"),
        ConnectionEvent::Closed { cause, address, requests, lived } => say!(
            network.peer.address = %address.ip(),
            network.peer.port = address.port(),
            requests,
            lived_us = micros(*lived),
            cause = ?cause,
            "closed"
        ),
    }
}
