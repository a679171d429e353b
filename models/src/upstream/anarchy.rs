//! No law at all: any event about anything at any time, also what no driver would do. Nothing is
//! predicted; the contract must hold all the same.

use std::collections::BTreeSet;

use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, HostId, PoolId, RequestId};
use regatta_core::types::{Cause, Limit, MethodClass, Timing, Transport};
use regatta_core::upstream::{Action, Config, Event, Upstream};

use super::{ADDRESSES, Configured, draw, keys, races, sights};
use crate::harness::{Input, Rest, Subject};
use crate::seen::Seen;
use crate::streams;
use crate::tape::Tape;

/// A world that breaks every rule; where `RACES`, one in which QUIC and TCP race.
#[derive(Debug)]
pub struct Anarchy<const RACES: bool = false> {
    config: Config,
    requests: BTreeSet<RequestId>,
    connections: BTreeSet<ConnectionId>,
    attempts: BTreeSet<AttemptId>,
    /// Over QUIC, and it has not offered early data.
    fresh: Option<AttemptId>,
    hosts: BTreeSet<HostId>,
    /// Those that have asked for HTTPS records.
    pools: BTreeSet<PoolId>,
    /// Since the beginning: bounds what can be under way.
    asked: usize,
}

impl<const RACES: bool> Anarchy<RACES> {
    fn request(&self, tape: &mut Tape) -> RequestId {
        one(tape, &self.requests).unwrap_or(RequestId::new(0, 0))
    }

    fn connection(&self, tape: &mut Tape) -> ConnectionId {
        one(tape, &self.connections).unwrap_or(ConnectionId::new(0, 0))
    }

    fn attempt(&self, tape: &mut Tape) -> AttemptId {
        one(tape, &self.attempts).unwrap_or(AttemptId::new(0, 0))
    }

    fn host(&self, tape: &mut Tape) -> HostId {
        one(tape, &self.hosts).unwrap_or(HostId::new(0, 0))
    }
}

/// One of the newest ids, or any.
fn one<I: Copy>(tape: &mut Tape, ids: &BTreeSet<I>) -> Option<I> {
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    ids.iter().nth_back(tape.draw("id", count) as usize).copied()
}

impl<const RACES: bool> Configured for Anarchy<RACES> {
    fn config(&self) -> &Config {
        &self.config
    }
}

impl<const RACES: bool> Subject for Anarchy<RACES> {
    type Machine = Upstream;

    fn new(tape: &mut Tape) -> Self {
        let mut config = draw(tape);
        if RACES {
            races::draw(tape, &mut config);
        }
        Self {
            config,
            requests: BTreeSet::new(),
            connections: BTreeSet::new(),
            attempts: BTreeSet::new(),
            fresh: None,
            hosts: BTreeSet::new(),
            pools: BTreeSet::new(),
            asked: 0,
        }
    }

    fn machine(&self) -> Upstream {
        Upstream::new(self.config.clone())
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> Event {
        if RACES && tape.one_in("misdirected", 24) {
            return Event::Misdirected(self.connection(tape));
        }
        if RACES && tape.one_in("learn", 8) {
            return races::learnt(tape, &keys());
        }
        if !self.pools.is_empty() && tape.one_in("services", 16) {
            let pool = one(tape, &self.pools).unwrap_or(PoolId::new(0, 0));
            return races::services(tape, pool, false);
        }
        if RACES && tape.one_in("early", if self.fresh.is_some() { 2 } else { 8 }) {
            let limit = Limit::Total(u64::from(tape.draw("granted", 4)));
            return match self.fresh.take() {
                Some(attempt) => Event::EarlyData { attempt, limit },
                None if tape.one_in("confirmed", 2) => {
                    Event::Confirmed { connection: self.connection(tape), limit }
                }
                None => Event::EarlyData { attempt: self.attempt(tape), limit },
            };
        }
        let http1_alone = tape.one_in("http/1", 2);
        match tape.weighted("event", &[5, 2, 4, 2, 1, 4, 2, 2, 2, 5, 1, 2, 1, 1]) {
            0 => {
                self.asked += 1;
                let key = tape.pick("key", &keys());
                let mut method = streams::method(tape);
                if RACES && method == MethodClass::Safe {
                    method = MethodClass::Early;
                }
                Event::Requested { key, method, deadline: streams::deadline(tape, now) }
            }
            1 => Event::Cancelled(self.request(tape)),
            2 => {
                let many = tape.draw("addresses", 4);
                let addresses = (0..many).map(|_| tape.pick("address", &ADDRESSES)).collect();
                Event::Resolved { host: self.host(tape), addresses }
            }
            3 => {
                let failed = http1_alone.then_some(Cause::NameNotFound);
                Event::ResolveFinished { host: self.host(tape), failed }
            }
            4 => Event::AttemptProgress(self.attempt(tape)),
            5 => {
                let (protocol, limit) = streams::established(tape, http1_alone);
                Event::Connected { attempt: self.attempt(tape), protocol, limit }
            }
            6 => {
                let cause = streams::cause(tape);
                Event::AttemptFailed { attempt: self.attempt(tape), cause }
            }
            7 => Event::Limit { connection: self.connection(tape), limit: streams::limit(tape) },
            8 if RACES && tape.one_in("mute", 2) => Event::Mute(self.connection(tape)),
            8 => Event::Refusing(self.connection(tape)),
            9 => {
                let (outcome, retry, body) = streams::end(tape, false, http1_alone);
                let (connection, request) = (self.connection(tape), self.request(tape));
                let timing = Timing::default();
                Event::StreamEnded { connection, request, outcome, retry, body, timing }
            }
            10 => Event::Probed(self.connection(tape)),
            11 => {
                let cause = streams::cause(tape);
                Event::Closed { connection: self.connection(tape), cause }
            }
            12 => Event::NetworkChanged,
            _ if tape.one_in("drain", 8) => Event::Drain,
            _ => Event::BudgetSpent(self.connection(tape)),
        }
    }

    fn observe(
        &mut self,
        _now: Instant,
        input: &Input<Event>,
        actions: &[Action],
        machine: &Upstream,
    ) {
        if matches!(input, Input::Event(Event::Requested { .. })) {
            self.requests.extend(machine.last_request());
        }
        for action in actions {
            match action {
                Action::Resolve { host, .. } => {
                    self.hosts.insert(*host);
                }
                Action::ResolveServices { pool, .. } => {
                    self.pools.insert(*pool);
                }
                Action::Connect { attempt, connection, transport, .. } => {
                    if *transport == Transport::Quic {
                        self.fresh = Some(*attempt);
                    }
                    self.attempts.insert(*attempt);
                    self.connections.insert(*connection);
                }
                _ => {}
            }
        }
    }

    fn see(
        &self,
        input: &Input<Event>,
        actions: &[Action],
        machine: &mut Upstream,
        seen: &mut Seen,
    ) {
        sights::see(input, actions, machine, seen);
    }

    fn see_invariants(&self, seen: &mut Seen) {
        seen.always(sights::LIMITS, 1);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, _machine: &Upstream) -> Rest<Event> {
        Rest::Done
    }

    fn at_rest(&self, machine: &Upstream) {
        assert!(machine.sockets() <= self.config.max_sockets, "too many sockets");
        assert!(machine.requests() <= self.asked, "requests out of nothing");
    }

    fn actions_max(&self) -> usize {
        16 * (self.asked + self.connections.len() + 1) + 64
    }
}
