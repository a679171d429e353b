//! Whether as much is begun as is needed, where the world can tell: with each request, and when
//! QUIC, which had held TCP back, has failed.

use regatta_core::id::ConnectionId;
use regatta_core::pool::State;
use regatta_core::record::Kind;
use regatta_core::types::{Limit, Transport};
use regatta_core::upstream::{Event, PoolView, Upstream};

use super::{World, connecting, races, sights};
use crate::books::Place;
use crate::harness::Input;

impl<const RACES: bool> World<RACES> {
    /// What an earlier pool of a key was granted is forgotten with it.
    pub(super) fn forget_pools(&mut self, after: &[PoolView]) {
        for pool in 0..self.keys.len() {
            let view = |views: &[PoolView]| {
                let view = views.iter().find(|view| view.key == self.keys[pool]);
                view.map(|view| view.id)
            };
            if view(&self.before) != view(after) {
                self.books.forget_granted(pool);
            }
        }
    }

    /// After each call that has nothing left to do.
    pub(super) fn enough_is_begun(
        &self,
        input: &Input<Event>,
        machine: &Upstream,
        after: &[PoolView],
    ) {
        if let Input::Event(Event::Requested { key, .. }) = input
            && let Some(view) = after.iter().find(|view| view.key == *key)
        {
            self.begun_with_a_request(machine, view, after);
        }
        if RACES {
            for view in after.iter().filter(|view| races::is_raced(&view.key)) {
                self.begun_behind_quic(machine, view, after);
            }
        }
    }

    fn begun_with_a_request(&self, machine: &Upstream, view: &PoolView, after: &[PoolView]) {
        let Some(pool) = self.pool_of(&view.key) else { return };
        let raced = RACES && races::is_raced(&view.key);
        let alone = !raced || !self.services.may_have_quic(&view.key.origin);
        let request = machine.last_request().and_then(|id| self.books.requests.get(&id));
        let moved = request.is_some_and(|r| matches!(r.place, Place::Waiting | Place::On(_)));
        if alone && moved && self.may_begin(machine, view, after, pool) {
            let beside = connecting(view).count() as i64;
            let wanted = self.books.wish_beside(pool, beside);
            assert!(!wanted, "{}: another connection is wanted, and not begun", view.id);
            self.books.tally.held(sights::BEGUN);
        }
    }

    fn begun_behind_quic(&self, machine: &Upstream, view: &PoolView, after: &[PoolView]) {
        let Some(pool) = self.pool_of(&view.key) else { return };
        let Some(before) = self.before.iter().find(|before| before.id == view.id) else { return };
        let was_quic = |id| self.legs.get(&id) == Some(&Transport::Quic);
        let held = connecting(before).next().is_some() && connecting(before).all(was_quic);
        let over = |id: ConnectionId, transport| {
            machine.connection_timeline(id).is_some_and(|seen| seen.transport == transport)
        };
        let follows = connecting(view).any(|id| over(id, Transport::Tcp));
        let quic = view.connections.iter().any(|seen| over(seen.id, Transport::Quic));
        // One over TCP that failed as well is followed by none at once.
        let failed = machine.count(Kind::ConnectFailed) - self.failures;
        let alone = failed == connecting(before).count() as u64;
        if held && follows && !quic && alone && self.may_begin(machine, view, after, pool) {
            let beside = connecting(view).count() as i64;
            let wanted = self.books.needs_beside(pool, beside);
            assert!(!wanted, "{}: QUIC has failed, and too little is begun", view.id);
            self.books.tally.held(sights::BEGUN_BEHIND_QUIC);
        }
    }

    /// Whether no limit stands against one more connection, and nothing is unknown outside.
    fn may_begin(
        &self,
        machine: &Upstream,
        view: &PoolView,
        after: &[PoolView],
        pool: usize,
    ) -> bool {
        let all: usize = after.iter().map(|view| view.connections.len()).sum();
        let under_way: usize = after.iter().map(|view| connecting(view).count()).sum();
        let limits = self.books.limits(pool);
        let race = &self.config.clusters[view.key.cluster.slot()].race;
        let shut = |limit: Option<Limit>| limit.is_some_and(Limit::grants_nothing);
        let early = view.connections.iter().any(|seen| seen.state == State::EarlyData);
        !self.books.is_uncertain(pool)
            && !early
            && !view.connections.iter().any(|seen| shut(seen.limit))
            && !after.iter().any(|view| view.awaits_turn)
            && machine.sockets() < self.config.max_sockets
            && self.config.max_handshakes.is_none_or(|most| under_way < most.get() as usize)
            && limits.max_connections.is_none_or(|most| all < most as usize)
            && view.connections.len() < race.max_legs as usize
    }
}
