//! How far a connection has come.

use regatta_core::Instant;
use regatta_core::types::Cause;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// The engine is done; what is left is being written.
    Flushing(Cause),
    /// FIN was sent; a server waits for the peer's.
    Lingering(Cause, Instant),
    Closed(Cause),
}
