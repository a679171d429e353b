//! What the books do not ask of a pool and a small world can: that it avoids a connection that
//! failed a request, and that a drain ends in time.

use regatta_core::id::ConnectionId;
use regatta_core::pool::{Action, Event};
use regatta_core::{Instant, Machine};

use super::Around;
use crate::harness::Input;

impl Around {
    /// A request goes back to the connection that failed it only where there is no other hope.
    pub(super) fn avoids_who_failed(&self, input: &Input<Event>, actions: &[Action]) {
        // When connecting fails, what is there is taken: a port that refuses is not called again.
        if matches!(input, Input::Event(Event::ConnectFailed { .. })) {
            return;
        }
        let books = self.books();
        let living = books.connections.values().filter(|slot| !slot.gone);
        let shut = living.clone().filter(|slot| {
            slot.up.is_some_and(|(_, limit)| limit.grants_nothing()) && slot.stopped.is_none()
        });
        let config = &self.setting.config;
        let most = config.limits.max_connections.unwrap_or(u32::MAX).min(config.max_sockets);
        let hope = living.count() < most as usize && shut.count() < 2;
        for action in actions {
            let Action::Assign { request, connection } = *action else { continue };
            let slot = books.requests.get(&request);
            let again = slot.is_some_and(|slot| slot.avoid == Some(connection));
            assert!(!(again && hope), "{request} goes to {connection} again, which failed it");
        }
    }

    /// Notes who drains since when, and that a drain that takes too long is cut.
    pub(super) fn drains_in_time(&mut self) {
        let Some(most) = self.setting.config.pool.drain_timeout else { return };
        let drains = |id: &ConnectionId| {
            let slot = self.observer.books.connections.get(id);
            slot.is_some_and(|slot| slot.up.is_some() && slot.stopped.is_some() && !slot.aborted)
        };
        self.draining.retain(|(id, _)| drains(id));
        for id in self.observer.books.connections.keys() {
            if drains(id) && self.draining.iter().all(|(other, _)| other != id) {
                self.draining.push((*id, self.now));
            }
        }
        let due = |at: Instant| at <= self.now;
        if self.machine.poll_timeout().is_none_or(|at| !due(at)) {
            for (id, since) in &self.draining {
                assert!(!due(*since + most), "{id} drains for longer than it may");
            }
        }
    }
}
