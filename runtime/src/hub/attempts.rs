//! What attempts tell the hub: that they have become their connections, or not.

use std::sync::Arc;

use regatta_core::id::{AttemptId, ConnectionId};
use regatta_core::types::Cause;
#[cfg(feature = "http3")]
use regatta_core::types::Limit;
use regatta_core::upstream::Event;

use super::Hub;
#[cfg(feature = "http3")]
use crate::drive::attempt::Job;
use crate::drive::letter::Letter;
use crate::mail::Mailbox;
use crate::runtime::Runtime;
use crate::slots::place;
use crate::timeline::TlsTrace;

impl<R: Runtime> Hub<R> {
    /// An attempt's handshakes are done: its mailbox is the connection's from now on. False when
    /// the attempt was given up in the meantime: the connection may be another attempt's by now.
    pub(crate) fn connected(
        self: &Arc<Self>,
        event: Event,
        connection: ConnectionId,
        mailbox: &Arc<Mailbox<Letter>>,
        tls: Option<TlsTrace>,
    ) -> bool {
        let now = self.runtime.now();
        let mut state = self.lock();
        state.traces.note(now, &event);
        let mut won = false;
        if let Event::Connected { attempt, protocol, .. } = &event {
            let known = state.attempts.get_mut(attempt.slot());
            let own = known.and_then(|place| place.take_if(|(id, _)| id == attempt));
            won = own.is_some();
            if won {
                state.traces.established(now, *attempt, connection, *protocol, tls);
                state.tell.connected(connection, &state.traces);
                let mailbox = Arc::clone(mailbox);
                place(&mut state.connections, connection.slot(), (connection, mailbox));
            }
        }
        state.upstream.handle_event(now, event);
        self.finish(now, state);
        won
    }

    /// An attempt over QUIC would take early data. Where core wants that its mailbox is the
    /// connection's from now on; else it goes on as it was.
    #[cfg(feature = "http3")]
    pub(crate) fn offer_early_data(self: &Arc<Self>, job: &Job, limit: Limit) -> bool {
        let Job { attempt, connection, .. } = *job;
        let now = self.runtime.now();
        let mut state = self.lock();
        let before = state.upstream.takes_early_data(connection);
        state.upstream.handle_event(now, Event::EarlyData { attempt, limit });
        // Another attempt of the same connection may have had it before.
        let taken = !before && state.upstream.takes_early_data(connection);
        if taken {
            let known = state.attempts.get_mut(attempt.slot());
            let _own = known.and_then(|place| place.take_if(|(id, _)| *id == attempt));
            state.traces.takes_early_data(now, attempt, connection);
            let mailbox = Arc::clone(&job.mailbox);
            place(&mut state.connections, connection.slot(), (connection, mailbox));
        }
        self.finish(now, state);
        taken
    }

    /// The handshake of a connection that takes early data is complete; `accepted` says whether
    /// the server took that.
    #[cfg(feature = "http3")]
    pub(crate) fn confirmed(
        self: &Arc<Self>,
        connection: ConnectionId,
        limit: Limit,
        tls: Option<TlsTrace>,
        accepted: bool,
    ) {
        let now = self.runtime.now();
        let mut state = self.lock();
        state.traces.confirmed(now, connection, tls, accepted);
        state.tell.connected(connection, &state.traces);
        state.upstream.handle_event(now, Event::Confirmed { connection, limit });
        self.finish(now, state);
    }

    /// Words for people about a handshake that failed after early data.
    #[cfg(feature = "http3")]
    pub(crate) fn early_failed(&self, connection: ConnectionId, detail: Arc<str>) {
        let mut state = self.lock();
        if let Some((_, attempt)) = state.traces.failed_early(connection) {
            state.traces.detail(attempt.attempt, Some(detail));
        }
    }

    /// An attempt failed; `detail` is for people.
    pub(crate) fn attempt_failed(
        self: &Arc<Self>,
        attempt: AttemptId,
        cause: Cause,
        detail: Option<Arc<str>>,
    ) {
        let now = self.runtime.now();
        let mut state = self.lock();
        let event = Event::AttemptFailed { attempt, cause };
        state.traces.note(now, &event);
        state.traces.detail(attempt, detail);
        state.tell.event(now, &event, &state.traces);
        state.upstream.handle_event(now, event);
        self.finish(now, state);
    }

    /// A proxy is asked for a tunnel, or has answered with this status: for timelines, and for the
    /// race, which sees that it moves.
    pub(crate) fn tunnel(self: &Arc<Self>, attempt: AttemptId, status: Option<u16>) {
        let now = self.runtime.now();
        self.lock().traces.tunnel(now, attempt, status);
        self.feed(Event::AttemptProgress(attempt));
    }
}
