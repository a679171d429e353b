//! Room where every socket is taken: who gives way, when, and for how many.

use regatta_core::upstream::{PoolView, Upstream};

use super::{World, connecting, pool_with, sights};

impl<const RACES: bool> World<RACES> {
    /// Takes a call's end in: only what was idle for the longest gave way, only where every socket
    /// is taken, for no more than wait; and where some still wait nothing is idle.
    pub(super) fn room_is_made(&mut self, machine: &Upstream, after: &[PoolView], done: bool) {
        let gave_way = core::mem::take(&mut self.books.gave_way);
        let full = machine.sockets() >= self.config.max_sockets;
        let begun = after.iter().flat_map(connecting).count();
        let most = self.config.max_handshakes.map_or(usize::MAX, |most| most.get() as usize);
        let in_line = after.iter().filter(|view| view.awaits_turn).count();
        let waiting = in_line.min(most.saturating_sub(begun)) + machine.waiting_attempts();
        let leaving = self.books.leaving();
        // Who stood in line and whose own connection gave way may wait for nothing but its end.
        let stands = |views: &[PoolView], id| views.iter().any(|v| v.id == id && v.awaits_turn);
        let own = gave_way.iter().filter_map(|(id, _)| pool_with(*id, &self.before));
        let own = own.filter(|id| stands(&self.before, *id) && !stands(after, *id)).count();
        for (id, since) in &gave_way {
            assert!(full, "{id} gave way and there are sockets");
            assert!(
                leaving <= waiting + own,
                "{id} gave way: {leaving} close for {waiting} who wait"
            );
            let longer = self.books.idle().find(|(_, earlier)| earlier < since);
            assert!(longer.is_none(), "{id} gave way, idle since {since}, and not {longer:?}");
            self.books.tally.held(sights::ROOM);
        }
        if done && full && leaving < waiting {
            let idle = self.books.idle().next();
            assert!(idle.is_none(), "{waiting} wait for a socket, {leaving} close, not {idle:?}");
        }
    }
}
