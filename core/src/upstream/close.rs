//! The end of everything: what a close does now, and at its deadline.

use super::event::Action;
use super::{State, Upstream};
use crate::time::{Duration, Instant};

/// How long connections have after the deadline to say that their streams were reset (Envoy's
/// `delayed_close_timeout`).
const GRACE: Duration = Duration::from_secs(1);

impl Upstream {
    /// Takes nothing new, and lets no request go on for longer than until `at`.
    pub(super) fn on_close(&mut self, at: Instant) {
        let at = self.tables.close.map_or(at, |before| before.min(at));
        self.tables.close = Some(at);
        self.on_drain();
        let tables = &mut self.tables;
        let requests: Vec<_> = tables.requests.iter().map(|(request, _)| request).collect();
        for request in requests {
            let slot = request.slot();
            let own = tables.deadlines.get(slot);
            tables.deadlines.set(slot, Some(own.map_or(at, |own| own.min(at))));
            if let Some(request) = tables.requests.get_mut(request) {
                request.has_deadline = true;
            }
        }
    }

    /// When [`Upstream::cut_off`] has something to do.
    pub(super) fn cut_off_at(&self) -> Option<Instant> {
        let at = self.tables.close?;
        (!self.cut_off && !self.tables.connections.is_empty()).then_some(at + GRACE)
    }

    /// Aborts every connection that is left a while after the deadline, when every stream was
    /// reset: a peer that takes nothing must not keep one. Those that are being
    /// established end with the requests that wait for them.
    pub(super) fn cut_off(&mut self) {
        let late = self.cut_off_at().is_some_and(|at| at <= self.tables.now);
        if !late || self.tables.budget == 0 {
            return;
        }
        self.cut_off = true;
        let connections: Vec<_> = self.tables.connections.iter().map(|(id, _)| id).collect();
        for connection in connections {
            let slot = self.tables.connections.get(connection);
            if slot.is_some_and(|slot| slot.state != State::Connecting) {
                self.tables.begin_close(connection);
                self.out.push(Action::Abort(connection));
            }
        }
    }
}
