//! What a pool is told, and what it wants done.

use std::sync::Arc;

use crate::id::{ConnectionId, RequestId};
use crate::time::Instant;
use crate::types::{
    AllFailed, BodyState, Cause, Limit, MethodClass, Outcome, Protocol, Refusal, RetrySafe,
};

/// What happened outside the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller asks; [`Solo::last_request`](super::Solo::last_request) tells the minted id.
    Requested {
        /// How freely it may be repeated.
        method: MethodClass,
        /// When it must be over, resends included.
        deadline: Option<Instant>,
    },
    /// The caller gave up.
    Cancelled(RequestId),
    /// A connection is established.
    Connected {
        /// Which.
        connection: ConnectionId,
        /// What it speaks.
        protocol: Protocol,
        /// What the peer grants, as far as it is known by now.
        limit: Limit,
    },
    /// A connection could not be established.
    ConnectFailed {
        /// Which.
        connection: ConnectionId,
        /// All that was tried.
        failed: Arc<AllFailed>,
    },
    /// The peer changed how many streams it grants.
    Limit {
        /// On which connection.
        connection: ConnectionId,
        /// The new limit, absolute.
        limit: Limit,
    },
    /// The connection takes no new streams.
    Refusing(ConnectionId),
    /// The one end of an assigned request's stream.
    StreamEnded {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
        /// How.
        outcome: Outcome,
        /// May it go again.
        retry: RetrySafe,
        /// What is left of its body.
        body: BodyState,
    },
    /// The answer to [`Action::Probe`] came.
    Probed(ConnectionId),
    /// A connection is gone.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        cause: Cause,
    },
    /// Drain everything that is established and go on with new connections.
    Renew,
    /// Serve who waits, close what is idle, take nothing new.
    Drain,
}

/// What is to be done outside the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Establish a connection; `Connected` or `ConnectFailed` answers.
    Connect(ConnectionId),
    /// The connection took too long: stop it and answer `ConnectFailed`.
    ConnectTimedOut(ConnectionId),
    /// Nobody needs the connection that is being established: stop it. The id is stale.
    AbortConnect(ConnectionId),
    /// Carry a request on a connection.
    Assign {
        /// Which request.
        request: RequestId,
        /// On which connection.
        connection: ConnectionId,
    },
    /// Reset an assigned request's stream; its `StreamEnded` is still expected.
    Reset {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
    },
    /// Reset an assigned request's stream, unless its answer has begun or its body cannot be sent
    /// again; its `StreamEnded` is still expected.
    Recall {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
    },
    /// The request is queued again.
    Resend(RequestId),
    /// Tell the caller no. The id is stale.
    Refuse {
        /// Which request.
        request: RequestId,
        /// Why.
        reason: Refusal,
        /// The attempts of the connection that it waited for.
        failed: Option<Arc<AllFailed>>,
    },
    /// The request ended. The id is stale.
    Finished {
        /// Which request.
        request: RequestId,
        /// How.
        outcome: Outcome,
    },
    /// Ask the peer for a sign of life; `Probed` or `Closed` answers.
    Probe(ConnectionId),
    /// Close when the last stream has ended; `Closed` answers.
    Shutdown(ConnectionId),
    /// Close now; `Closed` answers.
    Abort(ConnectionId),
}
