//! What a server tells its owner's functions about connections and requests, by the rules of a
//! client's.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use http::{Method, StatusCode};
use regatta_core::Instant;
use regatta_core::id::ConnectionId;
use regatta_core::types::{Cause, Outcome, Protocol};

use super::Ending;
use super::line::Line;

/// Which connection of a server an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConnectionFacts {
    /// Its id.
    pub id: ConnectionId,
    /// Who made it, where that has an address.
    pub peer: Option<SocketAddr>,
}

/// What happens to a connection of a server, in this order: it is `Accepted`, and becomes
/// `Connected` or `Failed`; `Draining` may follow, and `Closed` is the last. A connection that was
/// never `Connected` is never `Closed`; one that the server turned away is not told at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerConnectionEvent {
    /// It was accepted; over QUIC its handshake is done already.
    Accepted,
    /// It came to nothing: TLS failed, or nobody spoke, or the server drained before that.
    Failed {
        /// How long it had lasted.
        after: Duration,
    },
    /// All handshakes are done, and its protocol is known.
    Connected {
        /// What is spoken.
        protocol: Protocol,
        /// Whether it is under TLS.
        secure: bool,
    },
    /// It takes no new requests and closes when its last one has ended: the server drains, or a
    /// service asked for it by [`ConnectionHandle::drain`](crate::ConnectionHandle::drain).
    Draining,
    /// It is gone.
    Closed {
        /// Why.
        cause: Cause,
        /// How many requests it brought.
        requests: u64,
        /// How long it stood, from the end of its handshakes.
        lived: Duration,
    },
}

/// Which request of a server an event is about. Nothing in it is a secret: neither the query nor
/// a header field is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerRequestFacts {
    /// The connection that it came on.
    pub connection: ConnectionId,
    /// Which of that connection's requests it is, from 1 on.
    pub number: u64,
    /// Who asks, where that has an address.
    pub peer: Option<SocketAddr>,
    /// What is spoken.
    pub protocol: Protocol,
    /// Its method.
    pub method: Method,
    /// Its path, without a query.
    pub path: Box<str>,
}

/// What happens to a request of a server, in this order. `Ended` is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerRequestEvent {
    /// Its head came.
    Begun,
    /// The service has answered.
    Answered {
        /// The response's status.
        status: StatusCode,
    },
    /// It is over.
    Ended(ServerEnded),
}

/// The end of a request, with all that a log of requests has in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEnded {
    /// How: [`Ending::GivenUp`] is the service's, which fell or whose body failed; what the peer
    /// gave up is [`Ending::Failed`].
    pub ending: Ending,
    /// The response's status, if the service has answered.
    pub status: Option<StatusCode>,
    /// Bytes of the request's body that came, as they were transferred.
    pub received: u64,
    /// Bytes of the response's body that were given to the connection.
    pub sent: u64,
    /// How long it took, from its head to its end.
    pub took: Duration,
}

type OnConnection = Arc<dyn Fn(&ServerConnectionFacts, &ServerConnectionEvent) + Send + Sync>;
type OnRequest = Arc<dyn Fn(&ServerRequestFacts, &ServerRequestEvent) + Send + Sync>;

/// An owner's functions.
#[derive(Clone, Default)]
pub(crate) struct ServerHooks {
    pub(crate) on_connection: Option<OnConnection>,
    pub(crate) on_request: Option<OnRequest>,
}

impl fmt::Debug for ServerHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHooks")
            .field("on_connection", &self.on_connection.is_some())
            .field("on_request", &self.on_request.is_some())
            .finish()
    }
}

/// Where what happens at a server is said; most often nobody listens. Nothing of it may be called
/// with a lock held.
#[derive(Clone)]
pub(crate) struct TellServer(Option<Arc<Teller>>);

struct Teller {
    hooks: ServerHooks,
    line: Line<Event>,
}

enum Event {
    Connection(ServerConnectionFacts, ServerConnectionEvent),
    Request(Arc<Story>, ServerRequestEvent),
}

/// A request of which somebody hears.
struct Story {
    facts: ServerRequestFacts,
    begun: Instant,
    /// 0 while there is none.
    status: AtomicU16,
    over: AtomicBool,
}

impl TellServer {
    pub(crate) fn to(hooks: ServerHooks) -> Self {
        let hears = hooks.on_connection.is_some() || hooks.on_request.is_some();
        Self(hears.then(|| Arc::new(Teller { hooks, line: Line::new() })))
    }

    /// Something has happened to a connection.
    pub(crate) fn connection(
        &self,
        id: ConnectionId,
        peer: Option<SocketAddr>,
        event: ServerConnectionEvent,
    ) {
        let hears = |teller: &&Arc<Teller>| teller.hooks.on_connection.is_some();
        if let Some(teller) = self.0.as_ref().filter(hears) {
            teller.line.push(Event::Connection(ServerConnectionFacts { id, peer }, event));
            teller.tell();
        }
    }

    /// A request has come.
    pub(crate) fn begun(
        &self,
        now: Instant,
        facts: impl FnOnce() -> ServerRequestFacts,
    ) -> ToldRequest {
        let hears = |teller: &&Arc<Teller>| teller.hooks.on_request.is_some();
        let Some(teller) = self.0.as_ref().filter(hears) else { return ToldRequest(None) };
        let (status, over) = (AtomicU16::new(0), AtomicBool::new(false));
        let story = Arc::new(Story { facts: facts(), begun: now, status, over });
        teller.line.push(Event::Request(Arc::clone(&story), ServerRequestEvent::Begun));
        teller.tell();
        ToldRequest(Some((Arc::clone(teller), story)))
    }
}

impl fmt::Debug for TellServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TellServer").field(&self.0.is_some()).finish()
    }
}

/// What is told of one request.
#[derive(Clone, Default)]
pub(crate) struct ToldRequest(Option<(Arc<Teller>, Arc<Story>)>);

impl ToldRequest {
    /// Whether somebody listens.
    pub(crate) const fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// The service has answered; that is not told behind the request's end.
    pub(crate) fn answered(&self, status: StatusCode) {
        let Some((teller, story)) = &self.0 else { return };
        teller.line.push_if(|| {
            if story.over.load(Ordering::Relaxed) {
                return None;
            }
            story.status.store(status.as_u16(), Ordering::Relaxed);
            Some(Event::Request(Arc::clone(story), ServerRequestEvent::Answered { status }))
        });
        teller.tell();
    }

    /// It is over.
    pub(crate) fn ended(&self, now: Instant, outcome: Outcome, received: u64, sent: u64) {
        let Some((teller, story)) = &self.0 else { return };
        teller.line.push_if(|| {
            story.over.store(true, Ordering::Relaxed);
            let ended = ServerEnded {
                ending: outcome.into(),
                status: StatusCode::from_u16(story.status.load(Ordering::Relaxed)).ok(),
                received,
                sent,
                took: now.saturating_since(story.begun),
            };
            Some(Event::Request(Arc::clone(story), ServerRequestEvent::Ended(ended)))
        });
        teller.tell();
    }
}

impl fmt::Debug for ToldRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToldRequest").field(&self.0.is_some()).finish()
    }
}

impl Teller {
    fn tell(&self) {
        self.line.tell(|event| match event {
            Event::Connection(facts, event) => {
                if let Some(told) = &self.hooks.on_connection {
                    told(facts, event);
                }
            }
            Event::Request(story, event) => {
                if let Some(told) = &self.hooks.on_request {
                    told(&story.facts, event);
                }
            }
        });
    }
}
