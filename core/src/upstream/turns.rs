//! Whose turn it is to begin a connection: pools stand in line, first come, first served. Where
//! every socket is taken, idle connections make room for those in line.

use super::Upstream;
use crate::id::PoolId;

impl Upstream {
    /// A pool begins or ends to wait for its turn.
    #[cold]
    pub(super) fn queue_for_turn(&mut self, id: PoolId) {
        let Some(member) = self.pools.get_mut(id) else { return };
        member.awaits_turn = member.pool.wants_turn;
        if member.awaits_turn {
            self.turns.push_back(&mut self.pools, id.slot());
        } else {
            self.turns.remove(&mut self.pools, id.slot());
        }
        self.tables.handshakes.in_line = self.turns.len();
    }

    /// Calls those in line, as many as may begin a connection; each begins one at most, and who
    /// needs more stands behind the others again.
    #[inline]
    pub(super) fn give_turns(&mut self) {
        while self.tables.turn_is_due()
            && self.tables.budget > 0
            && let Some(pool) = self.turns.first_id(&self.pools)
        {
            self.give_turn(pool);
        }
    }

    /// Closes what has been idle for the longest, in whichever pool: one connection for each that
    /// wants for nothing but a socket, those that close anyway counted.
    #[inline]
    pub(super) fn make_room(&mut self) {
        if self.tables.handshakes.in_line > 0 || !self.parked.is_empty() {
            self.shut_idle();
        }
    }

    #[cold]
    fn shut_idle(&mut self) {
        while self.wants_room()
            && let Some(connection) = self.tables.take_longest_idle()
            && let Some(pool) = self.tables.connections.get(connection).map(|slot| slot.pool)
        {
            self.turn(pool, |turn| turn.on_give_way(connection));
            self.settle(pool);
        }
    }

    /// Whether every socket is taken and fewer will be given back than are waited for.
    #[inline]
    fn wants_room(&self) -> bool {
        if self.tables.has_socket() {
            return false;
        }
        let waiting = self.tables.handshakes.held_up() as usize + self.parked.len();
        waiting > self.tables.leaving as usize
    }

    /// Whether the last call's budget ended before there was room.
    #[inline]
    pub(super) fn room_is_due(&self) -> bool {
        self.wants_room() && self.tables.resting.first().is_some()
    }

    #[cold]
    fn give_turn(&mut self, id: PoolId) {
        self.turns.remove(&mut self.pools, id.slot());
        if let Some(member) = self.pools.get_mut(id) {
            member.awaits_turn = false;
        }
        self.tables.handshakes.in_line = self.turns.len();
        self.tables.handshakes.called = true;
        self.turn(id, |turn| turn.on_turn());
        self.tables.handshakes.called = false;
        self.settle(id);
    }
}
