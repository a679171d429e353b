//! What a client or a server tells its owner's functions about connections and requests, as it
//! happens.
//!
//! Events are queued where they happen, in their order, and told when no lock is held. One task
//! tells at a time; whoever finds another at it leaves its events to that one. So a function may
//! use client and server again, and hears of what that does when it has returned.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use http::{Method, StatusCode};
use regatta_core::id::{AttemptId, ConnectionId, RequestId};
use regatta_core::types::{Cause, Origin, Outcome, Refusal};

use crate::timeline::{ConnectionTrace, Timeline};

mod line;
mod server;
mod teller;
#[cfg(test)]
mod tests;

pub use server::{
    ServerConnectionEvent, ServerConnectionFacts, ServerEnded, ServerRequestEvent,
    ServerRequestFacts,
};
pub(crate) use server::{ServerHooks, TellServer, ToldRequest};
pub(crate) use teller::{Facts, Tell, Told};

/// Which connection an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// Its id.
    pub id: ConnectionId,
    /// Whose server it goes to.
    pub origin: Origin,
}

/// What happens to a connection, in this order: every attempt begins with `Connecting`; one of
/// them may become `Connected`, the others `Failed` or `GivenUp`; `Draining` may follow, and
/// `Closed` is the last. A connection that was never `Connected` is never `Closed`. Requests that
/// go in early data are assigned to a connection before it is `Connected`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// An attempt begins; several may race.
    Connecting {
        /// The attempt.
        attempt: AttemptId,
        /// Where it goes.
        address: SocketAddr,
    },
    /// An attempt failed; another may be under way.
    Failed {
        /// The attempt.
        attempt: AttemptId,
        /// Where it went.
        address: SocketAddr,
        /// How long it had lasted.
        after: Duration,
        /// Why.
        cause: Cause,
        /// The words of TLS about it, for people.
        detail: Option<Arc<str>>,
    },
    /// An attempt was given up: another won, it took too long, or nobody needs it.
    GivenUp {
        /// The attempt.
        attempt: AttemptId,
        /// Where it went.
        address: SocketAddr,
        /// How long it had lasted.
        after: Duration,
    },
    /// All handshakes are done.
    Connected {
        /// Its address, its protocol and its TLS.
        trace: Box<ConnectionTrace>,
        /// How long the attempt that won took.
        took: Duration,
    },
    /// It takes no new requests and closes when its last one has ended.
    Draining {
        /// Who wants it.
        reason: DrainReason,
    },
    /// It is gone.
    Closed {
        /// Why.
        cause: Cause,
        /// Where it went.
        address: SocketAddr,
        /// How many requests it was given, those that were sent again elsewhere included.
        requests: u64,
        /// How long it stood, from the end of its handshakes.
        lived: Duration,
    },
}

/// Who wants a connection to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DrainReason {
    /// The peer announced its end (GOAWAY, `Connection: close`), or a stream of HTTP/1 broke off.
    Peer,
    /// The pool: it was idle or old enough, had carried enough, or the client drains.
    Pool,
}

/// Which request an event is about. Nothing in it is a secret: neither the query nor a header
/// field is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestFacts {
    /// Its id, as [`ResponseFuture::id`](crate::ResponseFuture::id) tells it.
    pub id: RequestId,
    /// The try before this one, where the policy of retries made this one.
    pub after: Option<RequestId>,
    /// How many tries of that policy were before this one.
    pub tries: u32,
    /// Its method.
    pub method: Method,
    /// Whose server it is for: where it connects to.
    pub origin: Origin,
    /// Its path, without a query.
    pub path: Box<str>,
}

/// What happens to a request, in this order. `Ended` is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestEvent {
    /// It was made.
    Begun,
    /// It was given to a connection.
    Assigned {
        /// The connection.
        connection: ConnectionId,
        /// Whether that had carried a request before.
        reused: bool,
    },
    /// It is queued again by itself; `Assigned` follows if a connection is found.
    SentAgain {
        /// What its last connection failed it with.
        cause: Option<Cause>,
    },
    /// The final response's head came.
    Answered {
        /// The response's status.
        status: StatusCode,
    },
    /// It is over.
    Ended(Box<Ended>),
}

/// The end of a request, with all that a log of requests has in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// The final response's status, if it came so far.
    pub status: Option<StatusCode>,
    /// Bytes of its body that were given to the connection which carried it last.
    pub sent: u64,
    /// Bytes of the response's body that came, as they were transferred.
    pub received: u64,
    /// Where its time went, and which connection carried it.
    pub timeline: Timeline,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The response came to its end.
    Complete,
    /// Its caller gave it up, or its body was not what it should be.
    GivenUp,
    /// The connection failed it, or the runtime shut down ([`Cause::ShutDown`]).
    Failed(Cause),
    /// The client said no to it, or nothing was left to try.
    Refused(Refusal),
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => Self::Complete,
            Outcome::Reset => Self::GivenUp,
            Outcome::Failed(cause) => Self::Failed(cause),
        }
    }
}

type OnConnection = Arc<dyn Fn(&ConnectionFacts, &ConnectionEvent) + Send + Sync>;
type OnRequest = Arc<dyn Fn(&RequestFacts, &RequestEvent) + Send + Sync>;

/// An owner's functions.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_connection: Option<OnConnection>,
    pub(crate) on_request: Option<OnRequest>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_connection", &self.on_connection.is_some())
            .field("on_request", &self.on_request.is_some())
            .finish()
    }
}
