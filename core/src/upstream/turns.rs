//! Whose turn it is to begin a connection: pools stand in line, first come, first served.

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
        while self.tables.handshakes.is_due()
            && self.tables.budget > 0
            && let Some(pool) = self.turns.first_id(&self.pools)
        {
            self.give_turn(pool);
        }
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
