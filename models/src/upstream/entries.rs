//! What is written down of each call: what the world did, and what the upstream did about it.

use std::sync::Arc;

use core::net::IpAddr;

use regatta_core::types::{Protocol, Refusal, Transport};
use regatta_core::upstream::{Action, Event, PoolView, Upstream};

use super::{World, races, sights};
use crate::books::End;

impl<const RACES: bool> World<RACES> {
    /// Writes down what the world did.
    pub(super) fn enter(&mut self, event: &Event, machine: &Upstream) {
        self.hear_of_services(event);
        let books = &mut self.books;
        match event {
            Event::Requested { key, method, deadline } => {
                let id = machine.last_request().expect("a request has an id");
                if let Some(pool) = self.keys.iter().position(|known| known == key) {
                    let known = self.before.iter().any(|view| view.key == *key);
                    let idle = |view: &PoolView| view.connections.is_empty() && view.waiting == 0;
                    let full = self.before.len() >= self.config.max_pools as usize;
                    books.no_pool_left = !known && full && !self.before.iter().any(idle);
                    books.arrive(id, pool, *method, *deadline);
                }
            }
            Event::Cancelled(id) => books.cancel(*id),
            Event::Resolved { host, addresses } => {
                self.told.extend(addresses.iter().map(IpAddr::to_canonical));
                self.resolving.entry(*host).and_modify(|told| *told |= !addresses.is_empty());
            }
            Event::ResolveFinished { host, .. } => {
                let told = self.resolving.remove(host).expect("it is legal");
                self.looked_up = self.names.get(host).map(|name| (Arc::clone(name), told));
                let outdated = self.outdated.remove(host);
                if told
                    && !outdated
                    && let Some(name) = self.names.get(host)
                {
                    let until = books.now + self.config.address_lifetime;
                    self.known.insert(Arc::clone(name), until);
                }
            }
            Event::Connected { attempt, protocol, limit } => {
                let connection = self.attempts.remove(attempt).expect("it is legal");
                books.connected(connection, *protocol, *limit);
            }
            Event::EarlyData { attempt, limit } => self.offer_early_data(*attempt, *limit, machine),
            Event::Confirmed { connection, limit } => {
                self.books.connected(*connection, Protocol::Http3, *limit);
            }
            Event::AttemptFailed { attempt, .. } => {
                self.attempts.remove(attempt);
            }
            Event::Limit { connection, limit } => books.limited(*connection, *limit),
            Event::Misdirected(connection) if self.quic.contains(connection) => {
                books.stop(*connection, "its alternative does not speak for the origin");
            }
            Event::AttemptProgress(_) | Event::BudgetSpent(_) | Event::Misdirected(_) => {}
            Event::Learnt { .. } | Event::Restored { .. } => {}
            Event::ServicesResolved { .. } => {}
            Event::Refusing(connection) => books.stop(*connection, "its peer refuses"),
            Event::StreamEnded { connection, request, outcome, retry, body, .. } => {
                let (connection, outcome) = (*connection, *outcome);
                let (retry, body) = (*retry, *body);
                let end = End { connection, outcome, retry, body, early: false };
                books.stream_ended(*request, end);
            }
            Event::Probed(connection) => books.probed(*connection),
            Event::Mute(connection) => books.mute(*connection),
            Event::Closed { connection, .. } => self.lost(*connection, machine),
            Event::NetworkChanged => {
                self.networks += 1;
                for pool in 0..self.keys.len() {
                    books.stop_all(pool, "the network changed");
                }
                self.known.clear();
                self.outdated.extend(self.resolving.keys());
            }
            Event::Drain | Event::Close { .. } => books.draining = true,
        }
    }

    /// Writes down what the upstream did, and says if it must not.
    pub(super) fn obey(&mut self, action: &Action) {
        let books = &mut self.books;
        match action {
            Action::Resolve { host, name } => {
                let known = self.keys.iter().any(|key| key.origin.host == *name);
                let known = known || RACES && **name == *races::ELSEWHERE;
                assert!(known, "nobody asked for {name}");
                self.names.insert(*host, Arc::clone(name));
                let before = self.resolving.insert(*host, false);
                assert!(before.is_none(), "{name} is looked up twice at once");
                books.tally.held(sights::LOOKUP);
            }
            Action::ResolveServices { pool, origin, name } => {
                self.services_asked(*pool, origin, name);
            }
            Action::Connect { attempt, connection, transport, address, origin, profile } => {
                let pool = self.keys.iter().position(|key| key.origin == *origin);
                let pool = pool.expect("a connection belongs to a key");
                assert_eq!(self.keys[pool].profile, *profile, "{attempt} has another profile");
                match transport {
                    Transport::Tcp => assert_eq!(address.port(), origin.port),
                    Transport::Quic => assert!(RACES && races::PORTS.contains(&address.port())),
                }
                assert!(self.told.contains(&address.ip()), "{address} was never told");
                if !books.connections.contains_key(connection) {
                    books.made(*connection, pool);
                    self.services.begun(*connection, *transport);
                    if *transport == Transport::Tcp {
                        self.may_be_used(&origin.host);
                    }
                }
                if *transport == Transport::Quic {
                    self.quic.insert(*connection);
                }
                let books = &mut self.books;
                let slot = books.connection(*connection);
                assert!(slot.pool == pool && slot.is_connecting(), "{attempt} for {connection}");
                let before = self.attempts.insert(*attempt, *connection);
                assert!(before.is_none(), "{attempt} started twice");
                let past = self.past_attempts.insert(*attempt, *address);
                assert!(past.is_none(), "{attempt} was given out before");
                books.tally.held(sights::ATTEMPT);
            }
            Action::AbortAttempt(attempt) => {
                assert!(self.attempts.remove(attempt).is_some(), "{attempt} is not under way");
            }
            Action::Assign { request, connection } => books.assign(*request, *connection),
            Action::Reset { connection, request } => books.reset(*request, *connection),
            Action::Recall { connection, request } => books.recall(*request, *connection),
            Action::Resend(id) => books.resend(*id),
            Action::Refuse { request, reason, failed } => {
                if let Some(slot) = books.requests.get(request) {
                    let pool = slot.pool;
                    books.refuse(*request, *reason);
                    if matches!(reason, Refusal::ConnectFailed(_)) {
                        let failed = failed.as_ref().expect("a failed connection says why");
                        self.is_true(failed, pool);
                    }
                } else {
                    let fits = matches!(reason, Refusal::UnknownKey | Refusal::Draining);
                    assert!(fits, "{request} has an unknown key, not {reason:?}");
                }
            }
            Action::Finished { request, outcome } => books.finish(*request, *outcome),
            Action::Probe(id) => books.probe(*id),
            Action::Shutdown(id) => books.shutdown(*id),
            Action::Abort(id) => books.abort(*id),
        }
    }

    /// The addresses that a new connection begins with are not too old.
    fn may_be_used(&self, name: &Arc<str>) {
        let asked = self.resolving.keys().any(|host| self.names.get(host) == Some(name));
        let told = self.looked_up.as_ref().is_some_and(|(now, _)| now == name);
        let known = self.known.get(name).is_some_and(|until| self.books.now < *until);
        assert!(asked || told || known, "the addresses of {name} are too old, or bad");
        self.books.tally.held(sights::FRESH);
    }
}
