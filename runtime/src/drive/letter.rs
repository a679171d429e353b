//! What the hub, pipes and servers put into a connection task's mailbox.

use std::sync::Arc;

use regatta_core::id::RequestId;

use crate::exchange::{Exchange, Parcel};

/// A word to a connection task.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Carry this request.
    Assign(Parcel),
    /// Reset this request's stream, if it is still under way here.
    Reset { request: RequestId, exchange: Arc<Exchange> },
    /// The same, unless its answer has begun or its body cannot be sent again.
    Recall { request: RequestId, exchange: Arc<Exchange> },
    /// Close when the last stream has ended.
    Shutdown,
    /// Close now.
    Abort,
    /// Ask the peer for a sign of life.
    Probe,
    /// Server: it is the connection's turn to do its TLS handshake.
    Handshake,
    /// Server: grant the peer so many concurrent streams.
    Limit(u32),
    /// Client: the network changed; HTTP/3 goes on from where this host is now.
    #[cfg(feature = "http3")]
    Move,
    /// Client: this request's caller wants its answer to be more or less urgent.
    #[cfg(feature = "http3")]
    Prioritize(Arc<Exchange>),
    /// A pipe of the stream in this slot has moved.
    Lane(u32),
}
