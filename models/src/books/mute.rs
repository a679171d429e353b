//! Peers that have stopped answering: who is called back from there, and what must become of it.

use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::BodyState;

use super::invariants as law;
use super::{Books, Connection, End, Lull, Place};

impl Books {
    /// The peer of an established connection has stopped answering: it takes nothing new.
    pub(crate) fn mute(&mut self, id: ConnectionId) {
        self.connection_mut(id).mute = true;
        self.stop(id, "its peer is mute");
    }

    /// A request is called back from a connection whose peer is mute: it may be sent twice, it is
    /// called for the first time, and another connection is established.
    pub(crate) fn recall(&mut self, id: RequestId, connection: ConnectionId) {
        let request = self.request(id);
        let on = matches!(request.place, Place::On(there) if there == connection);
        assert!(on, "{id} is called back from {connection}, where it is not");
        assert!(self.connection(connection).mute, "{id} is called back, {connection} is not mute");
        assert!(request.method.is_idempotent(), "{id} is called back and may not go twice");
        assert_eq!(request.lull, Lull::Never, "{id} is called back twice");
        assert!(!request.cancelled && !request.was_reset, "{id} is over, and called back");
        let pool = request.pool;
        // What has just been established may have carried all it may in this same call.
        let serves = |c: &Connection| c.grants() || c.up.is_some() && c.since == self.now;
        let mut others = self.connections.iter().filter(|(_, c)| c.pool == pool && serves(c));
        assert!(others.any(|(other, _)| *other != connection), "{id} is called back to nowhere");
        self.request_mut(id).lull = Lull::Called;
        self.tally.held(law::CALLED_BACK);
    }

    /// It was called back in time, and goes again whatever it may go again by else.
    pub(super) fn is_called_back(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        request.lull == Lull::Called
            && !end.is_answered()
            && end.body != BodyState::Spent
            && !request.cancelled
            && !request.was_reset
    }

    pub(super) fn resend_called(&mut self, id: RequestId, end: End) {
        let request = self.request_mut(id);
        request.lull = Lull::Again;
        request.place = Place::Waiting;
        request.resent = true;
        request.doomed = super::Doom::No;
        request.avoid = Some(end.connection);
        self.tally.held(law::CALLED_AGAIN);
    }
}
