//! A server's spans and events.

use core::net::SocketAddr;

use http::{Request, StatusCode};
use regatta_core::types::{Cause, Protocol};
use tracing::field::Empty;
#[cfg(feature = "http3")]
use tracing::warn;
use tracing::{Level, Span, debug, info_span};

use super::version;
use crate::server::ConnectionHandle;

const SERVER: &str = "regatta::server";

/// The span of one request of a server: its service runs within it.
#[derive(Debug)]
pub(crate) struct ServerSpan(Option<Span>);

impl ServerSpan {
    pub(crate) fn of(request: &Request<()>, on: Option<&ConnectionHandle>) -> Self {
        if !tracing::enabled!(target: SERVER, Level::INFO) {
            return Self(None);
        }
        let peer = on.and_then(ConnectionHandle::peer);
        let span = info_span!(
            target: SERVER,
            parent: None,
            "request",
            otel.name = %request.method(),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = %request.method(),
            http.response.status_code = Empty,
            url.path = request.uri().path(),
            url.scheme = on.map(|on| if on.is_secure() { "https" } else { "http" }),
            network.protocol.version = on.map(|on| version(on.protocol())),
            network.peer.address = peer.map(|peer| display(peer.ip())),
            network.peer.port = peer.map(|peer| peer.port()),
            error.type = Empty,
        );
        Self((!span.is_disabled()).then_some(span))
    }

    /// Works within the span.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(span) => span.in_scope(work),
            None => work(),
        }
    }

    /// The service has answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let Some(span) = &self.0 else { return };
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", status.as_str());
        }
    }

    /// The peer went away before the service had answered.
    pub(crate) fn given_up(&self) {
        if let Some(span) = &self.0 {
            debug!(target: SERVER, parent: span, {}, "given up by the peer");
        }
    }
}

/// A connection has greeted and is served from now on.
pub(crate) fn served(peer: Option<SocketAddr>, protocol: Protocol, secure: bool) {
    debug!(
        target: SERVER,
        parent: None,
        {
            network.peer.address = peer.map(|peer| display(peer.ip())),
            network.peer.port = peer.map(|peer| peer.port()),
            network.protocol.version = version(protocol),
            secure
        },
        "connection begins"
    );
}

/// HTTP/3 is served no more, because its socket cannot be read.
#[cfg(feature = "http3")]
pub(crate) fn port_lost(at: Option<SocketAddr>, cause: Cause) {
    warn!(
        target: SERVER,
        parent: None,
        {
            server.address = at.map(|at| display(at.ip())),
            server.port = at.map(|at| at.port()),
            cause = ?cause
        },
        "HTTP/3 is served no more: the UDP socket cannot be read, {cause}"
    );
}

/// A connection that was served is gone.
pub(crate) fn closed(peer: Option<SocketAddr>, cause: Cause) {
    debug!(
        target: SERVER,
        parent: None,
        {
            network.peer.address = peer.map(|peer| display(peer.ip())),
            network.peer.port = peer.map(|peer| peer.port()),
            cause = ?cause
        },
        "connection ends"
    );
}
