//! Early data over QUIC: when a connection may take it, and what comes of its handshake.

use std::sync::Arc;

use super::settle::Prize;
use super::{Attempt, State, Upstream};
use crate::eyeballs;
use crate::id::{AttemptId, ConnectionId};
use crate::race::{self, Early, Health, NoEarlyData};
use crate::types::{Cause, Limit, MethodClass};

impl Upstream {
    /// Whether a request may go with the first flight of this connection's handshake, and if not
    /// why: what the profile allows, over what it goes, and how QUIC has worked there.
    pub fn early_data(&self, connection: ConnectionId) -> Result<(), NoEarlyData> {
        let race = self.races.get(connection.slot()).and_then(Option::as_deref);
        let race = race.filter(|race| race.connection == connection);
        let member = race.and_then(|race| self.pools.get(race.pool));
        let Some((race, member)) = race.zip(member) else { return Err(NoEarlyData::NotAllowed) };
        let profile = self.profiles.get(usize::from(member.key.profile.0));
        let which = race.runner.as_ref().and_then(|runner| runner.alternative.as_ref());
        let mut known = self.ledger.known(self.tables.now, &member.key.origin);
        let known = which.and_then(|which| known.find(|known| known.alternative == which));
        let known = known.zip(member.grid.as_deref());
        let health = known.map_or(Health::Unknown, |(known, grid)| grid.health(&known));
        race::early_data(&Early {
            allowed: profile.is_some_and(|profile| profile.early_data),
            transport: race.transport,
            method: MethodClass::Early,
            health,
            refused: false,
        })
    }

    /// Whether requests go on this connection although its handshake is not complete.
    pub fn takes_early_data(&self, connection: ConnectionId) -> bool {
        let slot = self.tables.connections.get(connection);
        slot.is_some_and(|slot| slot.state == State::EarlyData)
    }

    pub(super) fn on_early_data(&mut self, attempt: AttemptId, limit: Limit) {
        let Some(&Attempt { connection, number, parked: false }) = self.attempts.get(attempt)
        else {
            return self.stale(attempt);
        };
        let Some(pool) = self.race(connection).map(|race| race.pool) else { return };
        let is_of_use = self.turn(pool, |turn| turn.would_go_early());
        // Where nobody would go so, the other addresses keep their chance.
        if is_of_use == Some(true) && self.early_data(connection).is_ok() {
            let won = Some(Prize::EarlyData(limit));
            self.on_race(connection, eyeballs::Event::Connected(number), won);
        }
    }

    pub(super) fn on_confirmed(&mut self, connection: ConnectionId, limit: Limit) {
        let now = self.tables.now;
        let slot = self.tables.connections.get(connection);
        let is_under_way = slot.filter(|slot| slot.state == State::EarlyData && !slot.closing);
        let Some(pool) = is_under_way.map(|slot| slot.pool) else {
            return self.stale(connection);
        };
        self.turn(pool, |turn| turn.on_confirming(connection));
        if let Some(race) = self.race(connection)
            && let Some(number) = race.early.take()
        {
            race.end(number, now, None);
            self.on_leg_connected(connection, number);
        }
        self.turn(pool, |turn| turn.on_confirmed(connection, limit));
        self.settle(pool);
    }

    /// A connection that took early data is gone before its handshake was complete.
    pub(super) fn on_early_closed(&mut self, connection: ConnectionId, cause: Cause) {
        let now = self.tables.now;
        let Some(slot) = self.tables.connections.get(connection) else { return };
        let (pool, carried, closing) = (slot.pool, slot.total > 0, slot.closing);
        let timeout = self.pools.get(pool).map(|member| member.pool.connect_timeout());
        let late = closing && timeout.is_some_and(|most| slot.made + most <= now);
        let cause = match (closing, late) {
            (true, true) => Cause::ConnectTimeout,
            // Nobody needed it any more.
            (true, false) => Cause::Cancelled,
            (false, _) => cause,
        };
        let Some(race) = self.race(connection) else { return };
        if let Some(number) = race.early.take() {
            race.end(number, now, Some(cause));
        }
        let (host, shares) = (race.host, race.shares_addresses());
        let leg = race.runner.as_ref().map(|runner| runner.id);
        let failed = race.failure(now, None);
        let held = self.forget_race(connection);
        let ours = closing && !late;
        if !shares
            && !ours
            && let Some(host) = self.hosts.get_mut(host)
        {
            host.disappoint();
        }
        match leg {
            Some(leg) => self.on_leg_failed(pool, connection, leg, (&failed, carried)),
            None => {
                let failed = Arc::new(failed);
                self.turn(pool, |turn| turn.on_early_failed(connection, failed, false));
            }
        }
        self.let_go(held);
        self.settle(pool);
    }
}
