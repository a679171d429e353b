//! What happened to one request, and when: the stuff of waterfalls.

use core::net::SocketAddr;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::engine::tls::Certificate;
use regatta_core::id::{AttemptId, ConnectionId};
use regatta_core::types::{Cause, Origin, Protocol, Transport};

/// What happened to one request so far. Times are since the runtime's epoch; absent ones have
/// not happened (or did not concern this request: a reused connection has no new attempts).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeline {
    /// The caller asked.
    pub requested: Instant,
    /// The name was looked up for this request's connection.
    pub resolve: Option<Span>,
    /// Every attempt of the race that made the connection, over QUIC and over TCP, when this
    /// request waited for it.
    pub attempts: Vec<AttemptTrace>,
    /// The proxy that its connection goes to, where there is one.
    pub proxy: Option<Origin>,
    /// The connection that carried it last.
    pub connection: Option<ConnectionTrace>,
    /// It was given to that connection.
    pub assigned: Option<Instant>,
    /// The first byte of the final response's head came.
    pub first_byte: Option<Instant>,
    /// It ended, well or not.
    pub ended: Option<Instant>,
    /// How often it was sent again by itself.
    pub resends: u32,
    /// It went in early data (0-RTT), with the first flight of its connection's handshake.
    pub early: Option<EarlyTrace>,
}

/// A request in early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyTrace {
    /// When it was given to the connection that was being established.
    pub sent: Instant,
    /// What came of it.
    pub outcome: EarlyOutcome,
}

impl EarlyTrace {
    pub(crate) fn is_under_way(&self) -> bool {
        self.outcome == EarlyOutcome::UnderWay
    }
}

/// What came of early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyOutcome {
    /// It is not known.
    UnderWay,
    /// The server took it and answered.
    Accepted,
    /// It came to nothing, and the request went again over a full handshake: the handshake did not
    /// take it or failed, the server answered 425 (Too Early), or another connection was
    /// established first.
    SentAgain,
}

/// A beginning and, once it has come, an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
}

/// One handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptTrace {
    /// Its id.
    pub attempt: AttemptId,
    /// Over TCP, or over QUIC.
    pub transport: Transport,
    /// Where it went.
    pub address: SocketAddr,
    /// When it began.
    pub started: Instant,
    /// When TCP was up, or the first packet over QUIC had come.
    pub connected: Option<Instant>,
    /// The tunnel that a proxy was asked for on it.
    pub tunnel: Option<TunnelTrace>,
    /// When it won, failed or was given up.
    pub ended: Option<Instant>,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// CONNECT and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelTrace {
    /// When the proxy was asked: TCP was up, and TLS with an `https` proxy done.
    pub asked: Instant,
    /// When its answer's head was there.
    pub answered: Option<Instant>,
    /// What that said; the tunnel is open with any of 2xx.
    pub status: Option<u16>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It has not.
    UnderWay,
    /// Its handshakes are done and it became the connection.
    Won,
    /// It failed.
    Failed(Cause),
    /// Another won, or nobody needed it.
    Aborted,
}

/// What a request needs to know of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionTrace {
    /// Its id.
    pub connection: ConnectionId,
    /// The peer's address.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// When its handshakes were done; until they are, when it took early data.
    pub established: Instant,
    /// Whether it had carried a request before this one.
    pub reused: bool,
    /// TLS, where there is any.
    pub tls: Option<TlsTrace>,
}

/// What was agreed on in the TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsTrace {
    /// `TLSv1.3`, for people.
    pub version: String,
    /// The cipher suite's registered name; empty for QUIC, whose library does not tell it.
    pub cipher: String,
    /// What ALPN chose; `None` when the peer chose nothing.
    pub alpn: Option<Protocol>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The peer's own certificate, where it has shown one.
    pub certificate: Option<Arc<Certificate>>,
}
