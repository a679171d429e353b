//! What is heard of hosts and origins: addresses, alternatives, another network.

use core::net::IpAddr;

use smallvec::SmallVec;

use super::Upstream;
use crate::altsvc::{Clock, Heard, Ledger, Said};
use crate::eyeballs;
use crate::id::{ConnectionId, HostId};
use crate::pool;
use crate::record::{Kind, Rule};
use crate::types::{Cause, Origin, Transport};

impl Upstream {
    pub(super) fn on_resolved(&mut self, host: HostId, addresses: &[IpAddr]) {
        let (now, most) = (self.tables.now, self.max_addresses);
        match self.hosts.get_mut(host) {
            Some(found) if found.is_resolving() => found.add(now, addresses, most),
            _ => return self.stale(host),
        }
        self.tables.note_value(Kind::Resolved, host, addresses.len() as u64);
        for connection in self.racing(host) {
            if let Some(race) = self.race(connection)
                && !addresses.is_empty()
            {
                race.resolved.get_or_insert(now);
            }
            if self.race(connection).is_some_and(|race| race.is_fixed()) {
                continue;
            }
            if self.race(connection).is_some_and(|race| race.gated) {
                if !addresses.is_empty() {
                    self.note_addresses(connection);
                }
                continue;
            }
            self.note_families(connection);
            let event = eyeballs::Event::Resolved(addresses.to_vec());
            self.on_race(connection, event, None);
        }
    }

    pub(super) fn on_resolve_finished(&mut self, host: HostId, failed: Option<Cause>) {
        let (now, lifetime) = (self.tables.now, self.address_lifetime);
        match self.hosts.get_mut(host) {
            Some(found) if found.is_resolving() => found.finish(now, lifetime),
            _ => return self.stale(host),
        }
        if failed.is_some() {
            self.tables.note(Kind::ResolveFailed, Rule::None, host);
        }
        for connection in self.racing(host) {
            if !self.is_told_of_the_end(connection) {
                continue;
            }
            self.on_race(connection, eyeballs::Event::ResolveFinished { failed }, None);
        }
    }

    fn racing(&self, host: HostId) -> SmallVec<[ConnectionId; 2]> {
        self.hosts.get(host).map(|host| host.racing.clone()).unwrap_or_default()
    }

    pub(super) fn on_learnt(&mut self, origin: &Origin, said: &Said, heard: Heard) {
        // What is refused changes nothing, and the ledger counts it.
        let _ = self.ledger.learn(self.tables.now, origin, said, heard);
    }

    pub(super) fn on_misdirected(&mut self, connection: ConnectionId) {
        let now = self.tables.now;
        let race = self.races.get(connection.slot()).and_then(Option::as_deref);
        let Some(race) = race.filter(|race| race.connection == connection) else {
            return self.stale(connection);
        };
        let Some(member) = self.pools.get(race.pool) else { return };
        if !member.races || race.transport != Transport::Quic || race.eyeballs.is_some() {
            return;
        }
        let alternative = race.runner.as_ref().and_then(|runner| runner.alternative.as_ref());
        if let Some(which) = alternative {
            self.ledger.misdirected(now, &member.key.origin, which);
        }
        self.on_connection(connection, pool::Event::Refusing(connection));
    }

    pub(super) fn on_mute(&mut self, connection: ConnectionId) {
        let slot = self.tables.connections.get(connection).filter(|slot| slot.may_be_mute());
        let Some(pool) = slot.map(|slot| slot.pool) else { return self.stale(connection) };
        // What the race learns comes first: the next connection is made by it.
        self.note_unanswered(connection);
        self.on_leg_closed(connection, true);
        self.turn(pool, |turn| turn.on_mute(connection));
        self.settle(pool);
        if self.pools.get(pool).is_some_and(|member| member.pool.wants_for_hopeful()) {
            self.want_for_hopeful(pool);
            self.settle(pool);
        }
    }

    pub(super) fn on_restored(&mut self, unix: u64, text: &str) {
        let clock = Clock { now: self.tables.now, unix };
        let config = self.ledger.config().clone();
        if let Ok(ledger) = Ledger::from_text(config, clock, text) {
            self.ledger = ledger;
        }
    }

    pub(super) fn on_network_changed(&mut self) {
        let hosts: Vec<_> = self.hosts.iter().map(|(id, _)| id).collect();
        for host in hosts {
            if let Some(host) = self.hosts.get_mut(host) {
                host.forget();
            }
        }
        self.grids_changed_network();
        for pool in self.pool_ids() {
            self.on_pool(pool, pool::Event::Renew);
        }
    }
}
