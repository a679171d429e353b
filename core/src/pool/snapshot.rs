//! What of a pool's state decides, to compare and hash: two pools with equal snapshots do the
//! same whatever happens to them.
//!
//! Left out are indexes and sums (`check` rebuilds them), counters, records, and times that are
//! only told. Ids are numbers by first appearance, deadlines relative to now.

use super::tables::{Clock, Connection, Ending, Flight, Lull, Request};
use super::{Pool, Solo, State, Tables};
use crate::id::{ConnectionId, RequestId};
use crate::record::Recorder;
use crate::time::{Duration, Instant};
use crate::types::{Limit, MethodClass, Protocol, Refusal};

/// One pool's state without names and dates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Connecting ones, those that are ready from the lowest shelf on, then the others.
    connections: Vec<Carrier>,
    /// Those on connections, in the order of these, then the waiting, then the failing ones.
    requests: Vec<Asker>,
    waiting: u32,
    failing: u32,
    /// Under which clocks connections stand, and their ages: earliest first.
    clocks: Vec<usize>,
    failure: Option<Refusal>,
    granted: Option<u32>,
    draining: bool,
    unfinished: bool,
    ahead: bool,
    wake: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Carrier {
    state: State,
    protocol: Protocol,
    probing: bool,
    mute: bool,
    closing: bool,
    started: bool,
    limit: Limit,
    total: u64,
    streams: u32,
    clock: Option<(Clock, Duration)>,
    age: Option<Duration>,
    /// How long it has been silent, as far as that matters to probes.
    silent: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asker {
    method: MethodClass,
    ending: Option<Ending>,
    flight: Flight,
    lull: Lull,
    holds_retry: bool,
    deadline: Option<Duration>,
    sent_again: [u32; 3],
    /// The number of the connection that it avoids, while that lives.
    avoid: Option<usize>,
}

/// Whom the numbers of a [`Snapshot`] stand for.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Every connection, by number.
    pub connections: Vec<ConnectionId>,
    /// Every request, by number.
    pub requests: Vec<RequestId>,
}

impl Solo {
    /// What of its state decides from `now` on, and whom the numbers in it stand for.
    pub fn snapshot(&self, now: Instant) -> (Snapshot, Names) {
        self.pool.snapshot(&self.tables, now)
    }

    /// The same pool without a memory for records, which makes copies of it small.
    pub fn without_records(mut self) -> Self {
        self.tables.recorder = Recorder::new(0);
        self
    }
}

impl Pool {
    fn snapshot(&self, tables: &Tables, now: Instant) -> (Snapshot, Names) {
        let connections = self.members(tables).map(|(id, _)| id).collect();
        let mut names = Names { connections, requests: Vec::new() };
        let carriers = self.members(tables).map(|(_, slot)| self.carrier(slot, now)).collect();
        let mut askers = Vec::new();
        let streams =
            self.members(tables).flat_map(|(_, slot)| slot.streams.iter(&tables.requests));
        let queues = [&self.waiting, &self.failing];
        let queues = queues.into_iter().flat_map(|list| list.iter(&tables.requests));
        for (id, slot) in streams.chain(queues) {
            askers.push(asker(id, slot, tables, &names, now));
            names.requests.push(id);
        }
        let clocks = Clock::ALL
            .into_iter()
            .flat_map(|clock| self.clocks.of(clock).iter(&tables.connections));
        let clocks = clocks.chain(self.ages.iter(&tables.connections));
        let snapshot = Snapshot {
            connections: carriers,
            requests: askers,
            waiting: self.waiting.len(),
            failing: self.failing.len(),
            clocks: clocks.filter_map(|(id, _)| names.number(id)).collect(),
            failure: self.failure.as_ref().map(|failure| failure.0),
            granted: self.granted,
            draining: self.draining,
            unfinished: self.unfinished,
            ahead: self.ahead && self.unfinished && self.is_eager(),
            wake: (self.wake < Instant::MAX).then(|| self.wake.saturating_since(now)),
        };
        (snapshot, names)
    }

    fn carrier(&self, slot: &Connection, now: Instant) -> Carrier {
        let left = |from: Instant, lasts: Duration| (from + lasts).saturating_since(now);
        let clock = slot.clock.and_then(|clock| {
            let lasts = self.duration(clock)?;
            Some((clock, left(slot.since, lasts)))
        });
        let age = self.config.max_connection_duration.filter(|_| slot.aging);
        // More than what makes a probe necessary is all the same.
        let enough = self.config.probe_after_idle;
        let enough = enough.map_or(Duration::ZERO, |idle| idle.saturating_add(INSTANT));
        Carrier {
            state: slot.state,
            protocol: slot.protocol,
            probing: slot.probing,
            mute: slot.mute,
            closing: slot.closing,
            started: slot.started,
            limit: slot.limit,
            total: slot.total,
            streams: slot.streams.len(),
            clock,
            age: age.map(|lasts| left(slot.connected.unwrap_or(slot.made), lasts)),
            silent: now.saturating_since(slot.alive).min(enough),
        }
    }
}

/// The shortest time there is.
const INSTANT: Duration = Duration::from_nanos(1);

fn asker(id: RequestId, slot: &Request, tables: &Tables, names: &Names, now: Instant) -> Asker {
    let deadline = tables.deadlines.get(id.slot()).filter(|_| slot.has_deadline);
    Asker {
        method: slot.method,
        ending: slot.ending,
        flight: slot.flight,
        lull: slot.lull,
        holds_retry: slot.holds_retry,
        deadline: deadline.map(|at| at.saturating_since(now)),
        sent_again: [slot.unsent, slot.unprocessed, slot.retries],
        avoid: slot.avoid.and_then(|avoid| names.number(avoid)),
    }
}

impl Names {
    fn number(&self, connection: ConnectionId) -> Option<usize> {
        self.connections.iter().position(|id| *id == connection)
    }
}
