//! The table of connections: their states, what they have room for, which one is taken.

use std::sync::Arc;

use super::tables::{Clock, Connection};
use super::{Action, Config, Out, State, Turn};
use crate::id::ConnectionId;
use crate::limits::Resource;
use crate::list::Chain;
use crate::record::{Kind, Record, Rule, pack};
use crate::types::{AllFailed, BodyState, Cause, Limit, Outcome, Protocol, Refusal, RetrySafe};

/// More than any peer grants; keeps sums of room far from overflow.
pub(super) const ROOM_MAX: i64 = u32::MAX as i64;

impl Connection {
    /// How many more streams it may carry at this moment; negative when a limit fell below
    /// what is in use. What it has used up in its life counts as well.
    #[inline]
    pub(super) fn room(&self, config: &Config) -> i64 {
        let used = i64::from(self.streams.len());
        let room = match (self.protocol, self.limit) {
            (Protocol::Http1, _) => 1 - used,
            (_, Limit::Concurrent(granted)) => {
                i64::from(granted.min(config.max_concurrent_streams.get())) - used
            }
            (_, Limit::Total(granted)) => {
                i64::try_from(granted.saturating_sub(self.total)).unwrap_or(ROOM_MAX).min(ROOM_MAX)
            }
        };
        match config.max_requests_per_connection {
            None => room,
            Some(most) => {
                let left = u64::from(most.get()).saturating_sub(self.total);
                room.min(i64::try_from(left).unwrap_or(ROOM_MAX))
            }
        }
    }
}

impl<O: Out> Turn<'_, O> {
    /// The connection that the next request goes on: the highest rank, then one in use, then the
    /// most recently used. `avoid` failed that request and is taken only where there is no other
    /// hope.
    #[inline]
    pub(super) fn pick(&mut self, avoid: Option<ConnectionId>) -> Option<ConnectionId> {
        if avoid.is_none() {
            let best = self.pool.ready.iter().rev().find_map(Chain::first)?;
            if !self.needs_probe(self.tables.connections.at(best)?) {
                return self.tables.connections.id_at(best);
            }
        }
        self.pick_with_care(avoid)
    }

    #[inline(never)]
    fn pick_with_care(&mut self, avoid: Option<ConnectionId>) -> Option<ConnectionId> {
        let mut last_hope = None;
        for shelf in (0..self.pool.ready.len()).rev() {
            let Some(list) = self.pool.ready.get(shelf).copied() else { continue };
            let Some(mut slot) = list.first() else { continue };
            if avoid.is_some() && self.tables.connections.id_at(slot) == avoid {
                last_hope = avoid;
                match list.after(&self.tables.connections, slot) {
                    Some(next) => slot = next,
                    None => continue,
                }
            }
            let Some(found) = self.tables.connections.at(slot) else { continue };
            if !self.needs_probe(found) {
                return self.tables.connections.id_at(slot);
            }
            // The others on this shelf were idle for longer: one answer at a time.
            if self.pool.probing.is_none() {
                self.probe(slot);
            }
        }
        let pool = &*self.pool;
        let elsewhere = !pool.connecting.is_empty() || pool.probing.is_some();
        let hope = last_hope.filter(|_| !elsewhere && !pool.may_connect(self.tables))?;
        if self.needs_probe(self.tables.connections.get(hope)?) {
            self.probe(hope.slot());
            return None;
        }
        Some(hope)
    }

    /// What is in use is told first, which every exchange asks.
    #[inline(always)]
    fn needs_probe(&self, connection: &Connection) -> bool {
        connection.protocol == Protocol::Http2
            && connection.streams.is_empty()
            && self
                .pool
                .config
                .probe_after_idle
                .is_some_and(|idle| self.now.saturating_since(connection.alive) > idle)
    }

    fn probe(&mut self, slot: usize) {
        let Some(connection) = self.tables.connections.id_at(slot) else { return };
        self.stop_clock(connection, Clock::Idle);
        self.set_state(connection, State::Busy);
        self.pool.probing = Some(connection);
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.probing = true;
        }
        self.start_clock(connection, Clock::Connect);
        self.out.push(Action::Probe(connection));
    }

    pub(super) fn on_probed(&mut self, connection: ConnectionId) {
        if self.pool.probing != Some(connection) {
            return self.stale(connection);
        }
        self.end_probe(connection);
        let now = self.now;
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.alive = now;
        }
        self.refresh(connection);
        self.settle();
    }

    pub(super) fn end_probe(&mut self, connection: ConnectionId) {
        if self.pool.probing == Some(connection) {
            self.pool.probing = None;
            self.stop_clock(connection, Clock::Connect);
            if let Some(slot) = self.tables.connections.get_mut(connection) {
                slot.probing = false;
            }
        }
    }

    pub(super) fn on_connected(
        &mut self,
        connection: ConnectionId,
        protocol: Protocol,
        limit: Limit,
    ) {
        let now = self.now;
        // RFC 9112 9.3: one exchange after the other, whatever was said.
        let limit = if protocol == Protocol::Http1 { Limit::Concurrent(1) } else { limit };
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.state == State::Connecting => {
                slot.protocol = protocol;
                slot.limit = limit;
                slot.connected = Some(now);
                slot.alive = now;
            }
            _ => return self.stale(connection),
        }
        self.establish(connection, protocol);
    }

    /// Its handshakes are complete.
    pub(super) fn establish(&mut self, connection: ConnectionId, protocol: Protocol) {
        let kind = match protocol {
            Protocol::Http1 => Kind::Http1,
            Protocol::Http2 => Kind::Http2,
            Protocol::Http3 => Kind::Http3,
        };
        self.tables.note(kind, Rule::None, connection);
        self.stop_clock(connection, Clock::Connect);
        self.set_state(connection, State::Busy);
        self.learn(connection);
        self.start_age(connection);
        self.refresh(connection);
        self.pool.unfinished = false;
        self.fail();
        self.pump(true);
        if self.pool.hoping > 0 {
            self.recall();
            self.call_all_back();
        }
        if protocol != Protocol::Http1 {
            self.trim();
        }
        self.settle();
    }

    /// Remembers what this connection grants for those that are still to come.
    fn learn(&mut self, connection: ConnectionId) {
        let Some(slot) = self.tables.connections.get(connection) else { return };
        let granted = match (slot.protocol, slot.limit) {
            (Protocol::Http1, _) => 1,
            (_, Limit::Concurrent(granted)) => granted,
            (_, Limit::Total(granted)) => u32::try_from(granted).unwrap_or(u32::MAX),
        };
        self.pool.granted = Some(granted.max(1));
    }

    /// Where `follows`, the race has another leg for who waits.
    pub(crate) fn on_connect_failed(
        &mut self,
        connection: ConnectionId,
        failed: Arc<AllFailed>,
        follows: bool,
    ) {
        match self.tables.connections.get(connection) {
            Some(slot) if slot.is_connecting() => {}
            _ => return self.stale(connection),
        }
        self.tables.note(Kind::ConnectFailed, Rule::None, connection);
        self.remove(connection);
        // POOL-LAST-CONNECT-FAILED: who can still be served by an open connection waits on, but
        // not for one that grants no stream. No new connection is begun at once, lest a port that
        // refuses be called in a loop; not either where the last call's budget left one to be
        // begun.
        (self.pool.unfinished, self.pool.ahead) = (false, false);
        self.pool.wants_turn &= self.pool.owed > 0;
        self.fail();
        let follows = follows || self.pool.owed > 0;
        if self.pool.connecting.is_empty() && self.pool.open == self.pool.shut && !follows {
            let reason = Refusal::ConnectFailed(failed.cause());
            self.fail_all(reason, Some(failed));
        }
        self.pump(follows || !self.pool.connecting.is_empty());
        self.rest();
    }

    pub(super) fn on_limit(&mut self, connection: ConnectionId, limit: Limit) {
        let Some(slot) = self.tables.connections.get(connection) else {
            return self.stale(connection);
        };
        if slot.is_connecting() {
            return self.stale(connection);
        }
        let limit = match (slot.protocol, slot.limit, limit) {
            // It has nothing to grant with.
            (Protocol::Http1, old, _) => old,
            // RFC 9114: MAX_STREAMS never falls.
            (_, Limit::Total(old), Limit::Total(new)) => Limit::Total(old.max(new)),
            (_, _, new) => new,
        };
        let value = match limit {
            Limit::Concurrent(granted) => u64::from(granted),
            Limit::Total(granted) => granted,
        };
        let now = self.now;
        self.tables.note_value(Kind::LimitChanged, connection, value);
        self.count_out(connection);
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.limit = limit;
            slot.alive = now;
        }
        self.count_in(connection);
        self.learn(connection);
        self.refresh(connection);
        self.freshen(connection);
        self.settle();
    }

    /// Puts an idle connection that gave a sign of life before the others of its shelf, which
    /// were idle for longer: where the first one needs a probe, so do all.
    fn freshen(&mut self, connection: ConnectionId) {
        let Some(slot) = self.tables.connections.get(connection) else { return };
        let idle = slot.state == State::Ready && slot.streams.is_empty();
        // The others are not probed.
        if !idle || slot.protocol != Protocol::Http2 {
            return;
        }
        if let Some(list) = self.pool.ready.get_mut(usize::from(slot.shelf)) {
            list.remove(&mut self.tables.connections, connection.slot());
            list.push_front(&mut self.tables.connections, connection.slot());
        }
    }

    pub(super) fn on_refusing(&mut self, connection: ConnectionId) {
        match self.tables.connections.get(connection) {
            Some(slot) if slot.is_open() => {
                // One that was of use is replaced before the next request asks.
                self.pool.ahead |= slot.total > 0;
                self.tables.note(Kind::CloseNotify, Rule::None, connection);
                self.drain(connection);
                self.settle();
            }
            Some(slot) if slot.state == State::Draining => {}
            _ => self.stale(connection),
        }
    }

    pub(super) fn on_closed(&mut self, connection: ConnectionId, cause: Cause) {
        let closing = match self.tables.connections.get(connection) {
            Some(slot) if slot.state != State::Connecting => slot.closing,
            _ => return self.stale(connection),
        };
        self.tables.note(Kind::Destroyed, Rule::None, connection);
        let by = if closing { Kind::DestroyedLocal } else { Kind::DestroyedRemote };
        self.tables.note(by, Rule::None, connection);
        self.drain_silently(connection);
        // What the last call's budget left to be begun ahead of need might close as well.
        self.pool.ahead = false;
        self.tables.begin_close(connection);
        // Every stream should have ended before; what did not is lost, its fate unknown.
        let mut lost = false;
        while let Some(request) = self.first_stream(connection) {
            lost = true;
            let (retry, body) = (RetrySafe::Unknown, BodyState::Spent);
            self.end_stream(connection, request, Outcome::Failed(cause), retry, body);
        }
        if lost {
            self.tables.note(Kind::DestroyedWithStreams, Rule::None, connection);
        }
        self.remove(connection);
        self.settle();
    }

    pub(super) fn first_stream(&self, connection: ConnectionId) -> Option<crate::id::RequestId> {
        let slot = self.tables.connections.get(connection)?;
        slot.streams.first_id(&self.tables.requests)
    }

    /// Network changed: what is established belongs to the old one.
    pub(super) fn on_renew(&mut self) {
        self.drain_open();
        self.settle();
    }

    pub(super) fn on_drain(&mut self) {
        self.pool.draining = true;
        self.leave_hope();
        self.settle();
    }

    /// Nobody waits any more and nothing new will come.
    pub(super) fn drain_all(&mut self) {
        let mut next = self.pool.connecting.first();
        while let Some(slot) = next {
            next = self.pool.connecting.after(&self.tables.connections, slot);
            if let Some(connection) = self.tables.connections.id_at(slot) {
                self.give_up(connection);
            }
        }
        self.drain_open();
    }

    fn drain_open(&mut self) {
        if self.pool.open == 0 {
            return;
        }
        for shelf in 0..self.pool.ready.len() {
            while let Some(list) = self.pool.ready.get(shelf)
                && let Some(connection) = list.first_id(&self.tables.connections)
            {
                self.drain(connection);
            }
        }
        let mut next = self.pool.held.first();
        while let Some(slot) = next {
            next = self.pool.held.after(&self.tables.connections, slot);
            let open = self.tables.connections.at(slot).is_some_and(Connection::is_open);
            if open && let Some(connection) = self.tables.connections.id_at(slot) {
                self.drain(connection);
            }
        }
    }

    /// Gives a connection that is being established up.
    pub(super) fn abort_connect(&mut self, connection: ConnectionId) {
        self.remove(connection);
        self.out.push(Action::AbortConnect(connection));
    }

    /// Takes nothing new on an open connection, and closes it when its last stream has ended.
    pub(super) fn drain(&mut self, connection: ConnectionId) {
        self.drain_silently(connection);
        let Some(slot) = self.tables.connections.get(connection) else { return };
        if slot.streams.is_empty() {
            self.shut(connection);
        }
        if self.pool.config.drain_timeout.is_some() {
            self.start_clock(connection, Clock::Drain);
        }
    }

    /// Closes a connection that carries nothing, unless that was said before.
    fn shut(&mut self, connection: ConnectionId) {
        if self.tables.begin_close(connection) {
            self.out.push(Action::Shutdown(connection));
        }
    }

    /// Its socket is needed elsewhere, and no other connection has been idle for longer.
    pub(crate) fn on_give_way(&mut self, connection: ConnectionId) {
        self.tables.note(Kind::MadeRoom, Rule::LongestIdle, connection);
        self.drain(connection);
        self.settle();
    }

    /// As [`Turn::drain`], telling nobody.
    fn drain_silently(&mut self, connection: ConnectionId) {
        self.end_probe(connection);
        self.stop_clock(connection, Clock::Idle);
        self.stop_age(connection);
        self.set_state(connection, State::Draining);
    }

    /// Puts an established connection where its room and streams say it belongs.
    pub(super) fn refresh(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.tables.connections.get(connection) {
            self.refresh_to(connection, slot.room(&self.pool.config));
        }
    }

    /// As [`Turn::refresh`], where the room is known.
    #[inline(always)]
    pub(super) fn refresh_to(&mut self, connection: ConnectionId, room: i64) {
        let (pool, tables) = (&mut *self.pool, &mut *self.tables);
        let (all, resting) = (&mut tables.connections, &mut tables.resting);
        let Some(slot) = all.get_mut(connection) else { return };
        let from = slot.state;
        if !slot.is_open() || slot.probing {
            if from == State::Draining && slot.streams.is_empty() {
                self.shut(connection);
            }
            return;
        }
        let idle_timeout = pool.config.idle_timeout;
        let idle = idle_timeout.filter(|_| slot.streams.is_empty() && slot.clock.is_none());
        if idle.is_some() {
            slot.start_clock(Clock::Idle, self.now, pool.clocks.of(Clock::Idle));
        }
        let place = connection.slot();
        match (from, room > 0) {
            (State::Busy, true) => {
                let left = slot.come_free(&pool.ready);
                pool.came_free(all, resting, place, left);
                self.note_state(connection, from, State::Ready);
            }
            (State::Ready, false) => {
                let left = slot.fill_up(&pool.held);
                pool.filled_up(all, place, left);
                self.note_state(connection, from, State::Busy);
            }
            (_, true) => self.shelve(connection),
            (_, false) => {}
        }
        if let Some(idle) = idle {
            self.started_clock(connection, Clock::Idle, idle);
        }
    }

    /// Moves a connection to another state and list, and keeps the pool's sums.
    pub(super) fn set_state(&mut self, connection: ConnectionId, to: State) {
        let (pool, all) = (&mut *self.pool, &mut self.tables.connections);
        let Some(slot) = all.get_mut(connection) else { return };
        let (from, place) = (slot.state, connection.slot());
        match (from, to) {
            (State::Ready, State::Busy) => {
                let left = slot.fill_up(&pool.held);
                pool.filled_up(all, place, left);
            }
            _ if from == to => return,
            _ => self.move_state(connection, from, to),
        }
        self.note_state(connection, from, to);
    }

    #[inline(always)]
    pub(super) fn note_state(&mut self, connection: ConnectionId, from: State, to: State) {
        self.tables.recorder.record(Record {
            at: self.now,
            kind: Kind::ConnectionState,
            rule: Rule::None,
            from: from as u8,
            to: to as u8,
            a: pack(connection),
            b: 0,
            value: 0,
        });
    }

    /// As [`Turn::set_state`], where a connection begins or ends to be open, or is not.
    #[inline(never)]
    fn move_state(&mut self, connection: ConnectionId, from: State, to: State) {
        self.count_out(connection);
        let Some(slot) = self.tables.connections.get_mut(connection) else { return };
        let (shelf, best) = (slot.shelf, slot.best_shelf());
        self.tables.handshakes.under_way -= u32::from(slot.is_connecting());
        if from == State::EarlyData {
            self.pool.early -= 1;
            self.pool.hoping -= slot.streams.len();
        }
        slot.state = to;
        slot.shelf = best;
        let place = connection.slot();
        let (pool, connections) = (&mut *self.pool, &mut self.tables.connections);
        pool.unlist(connections, place, from, shelf);
        pool.list(connections, place, to, best);
        self.count_in(connection);
    }

    /// Keeps a ready connection among those in use, or among the idle ones.
    #[inline(always)]
    pub(super) fn shelve(&mut self, connection: ConnectionId) {
        let (pool, tables) = (&mut *self.pool, &mut *self.tables);
        let (all, resting) = (&mut tables.connections, &mut tables.resting);
        let Some(slot) = all.get_mut(connection) else { return };
        if slot.state == State::Ready && slot.shelf != slot.best_shelf() {
            let left = slot.take_shelf(&pool.ready);
            pool.left_shelf(all, left);
            pool.took_shelf(all, resting, connection.slot());
        }
    }

    /// Takes an open connection out of the pool's sums.
    fn count_out(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.tables.connections.get(connection)
            && slot.is_open()
        {
            self.pool.open -= 1;
            self.pool.shut -= u32::from(slot.is_shut());
            self.pool.room -= slot.room(&self.pool.config);
        }
    }

    /// Takes an open connection into the pool's sums.
    fn count_in(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.tables.connections.get(connection)
            && slot.is_open()
        {
            self.pool.open += 1;
            self.pool.shut += u32::from(slot.is_shut());
            self.pool.room += slot.room(&self.pool.config);
        }
    }

    /// Makes a connection's slot and has it established.
    pub(super) fn connect(&mut self, rule: Rule) {
        let connection = self.make(rule, false);
        self.out.push(Action::Connect(connection));
    }

    /// Makes a connection's slot; the owner establishes it.
    pub(super) fn make(&mut self, rule: Rule, over_quic: bool) -> ConnectionId {
        let mut slot = Connection::new(self.pool.id, self.now);
        slot.over_quic = over_quic;
        let connection = self.tables.connections.insert(slot);
        self.pool.connecting.push_front(&mut self.tables.connections, connection.slot());
        self.tables.sockets += 1;
        self.tables.handshakes.under_way += 1;
        self.tables.handshakes.called = false;
        self.pool.members += 1;
        self.take_or_give(Resource::Connections, true);
        self.tables.note(Kind::ConnectionMade, rule, connection);
        if rule == Rule::Preconnect {
            self.tables.note(Kind::Preconnected, rule, connection);
        }
        self.start_clock(connection, Clock::Connect);
        connection
    }

    /// Forgets a connection that is gone; it carries no stream.
    fn remove(&mut self, connection: ConnectionId) {
        self.end_probe(connection);
        for clock in Clock::ALL {
            self.stop_clock(connection, clock);
        }
        self.stop_age(connection);
        self.set_state(connection, State::Closed);
        let (all, resting) = (&mut self.tables.connections, &mut self.tables.resting);
        if resting.holds(all, connection.slot()) {
            resting.remove(all, connection.slot());
        }
        if let Some(slot) = all.remove(connection) {
            self.tables.sockets = self.tables.sockets.saturating_sub(1);
            self.tables.leaving -= u32::from(slot.closing);
            self.pool.members -= 1;
            self.take_or_give(Resource::Connections, false);
        }
    }
}
