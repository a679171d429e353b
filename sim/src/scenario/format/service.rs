//! Servers and what they do.

use std::net::IpAddr;

use regatta_core::types;
use serde::Deserialize;

use super::policy::{Engine, Versions};
use crate::peer::RawKind;
use crate::scenario::units::{Range, Time, TimeOrNone};

/// `[server.NAME]`: a server on one port of one host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The host that it runs on.
    pub host: String,
    /// Where it listens; all addresses of its host.
    pub addresses: Option<Vec<IpAddr>>,
    /// The port; 443 with TLS and 80 without.
    pub port: Option<u16>,
    /// Which certificate it shows, if any.
    #[serde(default)]
    pub tls: Tls,
    /// What it speaks: what ALPN accepts over TCP, best first, and HTTP/3 over UDP.
    #[serde(default = "both_protocols")]
    pub protocols: Vec<Alpn>,
    /// Which versions of TLS.
    #[serde(default)]
    pub tls_versions: Versions,
    /// What its answers say in Alt-Svc, or `none`; with HTTP/3, where that is.
    pub alt_svc: Option<String>,
    /// A QUIC connection of which nothing was heard for so long is dead, for both sides.
    pub quic_idle_timeout: Option<TimeOrNone>,
    /// Whether it takes early data over HTTP/3.
    #[serde(default)]
    pub early_data: bool,
    /// How many tickets a connection gets.
    pub tickets: Option<u8>,
    /// What kind of server it is.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// How long an answer takes.
    #[serde(default)]
    pub answer_after: Range<Time>,
    /// The status of its answers.
    #[serde(default = "status")]
    pub status: u16,
    /// It ends a connection with so many requests on it (GOAWAY, `Connection: close`).
    pub requests_per_connection: Option<u32>,
    /// Most connections at once.
    pub max_connections: Option<u32>,
    /// How long streams may go on after a drain began.
    pub drain_timeout: Option<TimeOrNone>,
    /// Limits of each connection's engine.
    #[serde(default)]
    pub engine: Engine,
    /// What changes, and when.
    #[serde(default)]
    pub changes: Vec<Change>,
}

/// One of a server's `changes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When.
    pub at: Time,
    /// It stops listening and lets its connections end.
    #[serde(default)]
    pub drain: bool,
    /// It listens again after a drain.
    #[serde(default)]
    pub restart: bool,
    /// HTTP/2: it grants so many concurrent streams, on connections that stand too.
    pub stream_limit: Option<u32>,
    /// How long an answer takes from now on.
    pub answer_after: Option<Range<Time>>,
}

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// One that the client trusts.
    #[default]
    Good,
    /// One that expired.
    Expired,
    /// One for another name.
    Stranger,
    /// No TLS: plain text.
    None,
}

/// A protocol as ALPN names it (RFC 7301, RFC 9113 3.2, RFC 9114 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Alpn {
    /// HTTP/3.
    #[serde(rename = "h3")]
    Http3,
    /// HTTP/2.
    #[serde(rename = "h2")]
    Http2,
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
}

/// What kind of server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// It answers every request with as many bytes as the request asks for.
    #[default]
    Answers,
    /// It accepts connections, reads, and never says a word.
    Silent,
    /// It shakes hands, reads, and never answers.
    Mute,
    /// It reads a few bytes at a time, and never answers.
    ReadsSlowly,
    /// It sends half of an answer, then the end.
    HalfAnswer,
    /// HTTP/2: it refuses the first stream of every connection (REFUSED_STREAM) and answers the
    /// others, with no body; HTTP/1.1: it closes.
    RefusesFirstStream,
    /// HTTP/2: it ends every connection by a GOAWAY that has processed nothing; HTTP/1.1: it
    /// closes.
    GoawayZero,
    /// It answers once, with no body, and closes when the connection is used again.
    ClosesAtReuse,
    /// It answers, with no body, and says more than was asked for.
    Unsolicited,
    /// It says what is not HTTP.
    Garbage,
    /// HTTP/1.1 in plain text: it answers the first request of a connection, and resets the
    /// connection when the second comes.
    ResetsAtReuse,
}

fn both_protocols() -> Vec<Alpn> {
    vec![Alpn::Http2, Alpn::Http1]
}

const fn status() -> u16 {
    200
}

impl Server {
    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls == Tls::None { 80 } else { 443 })
    }

    /// Whether it speaks HTTP/3.
    pub fn has_http3(&self) -> bool {
        self.protocols.contains(&Alpn::Http3)
    }
}

impl Behaviour {
    /// The script that does it, if one does.
    pub(in crate::scenario) const fn script(self) -> Option<RawKind> {
        Some(match self {
            Self::Answers | Self::ResetsAtReuse => return None,
            Self::Silent => RawKind::Silent,
            Self::Mute => RawKind::Mute,
            Self::ReadsSlowly => RawKind::SlowReader,
            Self::HalfAnswer => RawKind::HalfAnswer,
            Self::RefusesFirstStream => RawKind::RefuseFirstStream,
            Self::GoawayZero => RawKind::GoAwayZero,
            Self::ClosesAtReuse => RawKind::CloseAtReuse,
            Self::Unsolicited => RawKind::Unsolicited,
            Self::Garbage => RawKind::Garbage,
        })
    }
}

impl From<Alpn> for types::Protocol {
    fn from(alpn: Alpn) -> Self {
        match alpn {
            Alpn::Http1 => Self::Http1,
            Alpn::Http2 => Self::Http2,
            Alpn::Http3 => Self::Http3,
        }
    }
}
