//! What the hub has seen of names, attempts and connections: for timelines and error texts.
//! Nothing is decided by it.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, HostId};
use regatta_core::types::{AllFailed, Origin, Protocol};
use regatta_core::upstream::Event;

use crate::exchange::Made;
use crate::timeline::{AttemptOutcome, AttemptTrace, ConnectionTrace, Span, TlsTrace};

/// Side tables by slot; a slot's next tenant overwrites the last.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    hosts: Vec<Option<(HostId, Span)>>,
    /// The host of a name, for spans of connections; as many as there are hosts.
    names: BTreeMap<Arc<str>, HostId>,
    attempts: Vec<Option<Attempt>>,
    connections: Vec<Option<Connection>>,
}

#[derive(Debug)]
struct Attempt {
    trace: AttemptTrace,
    connection: ConnectionId,
    detail: Option<Arc<str>>,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    attempts: Vec<AttemptId>,
    origin: Arc<str>,
    made: Option<Arc<Made>>,
    used: bool,
}

impl Traces {
    /// Most names whose span is kept.
    const MOST_NAMES: usize = 4_096;

    /// Takes what it wants from an event.
    pub(crate) fn note(&mut self, now: Instant, event: &Event) {
        match event {
            Event::ResolveFinished { host, .. } | Event::Resolved { host, .. } => {
                if let Some(Some((id, span))) = self.hosts.get_mut(host.slot())
                    && id == host
                {
                    span.ended.get_or_insert(now);
                }
            }
            Event::AttemptProgress(attempt) => {
                if let Some(attempt) = self.attempt(*attempt) {
                    attempt.trace.connected.get_or_insert(now);
                }
            }
            Event::AttemptFailed { attempt, cause } => {
                self.ended(now, *attempt, AttemptOutcome::Failed(*cause));
            }
            _ => {}
        }
    }

    pub(crate) fn resolving(&mut self, now: Instant, host: HostId, name: &Arc<str>) {
        if name.parse::<IpAddr>().is_ok() {
            return;
        }
        set(&mut self.hosts, host.slot(), (host, Span { started: now, ended: None }));
        if self.names.len() >= Self::MOST_NAMES {
            self.names.clear();
        }
        self.names.insert(Arc::clone(name), host);
    }

    pub(crate) fn connecting(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        connection: ConnectionId,
        address: SocketAddr,
        origin: &Origin,
    ) {
        let trace = AttemptTrace {
            attempt,
            address,
            started: now,
            connected: None,
            ended: None,
            outcome: AttemptOutcome::UnderWay,
        };
        set(&mut self.attempts, attempt.slot(), Attempt { trace, connection, detail: None });
        match self.connections.get_mut(connection.slot()) {
            Some(Some(known)) if known.id == connection => known.attempts.push(attempt),
            _ => set(
                &mut self.connections,
                connection.slot(),
                Connection {
                    id: connection,
                    attempts: vec![attempt],
                    origin: Arc::clone(&origin.host),
                    made: None,
                    used: false,
                },
            ),
        }
    }

    pub(crate) fn aborted(&mut self, now: Instant, attempt: AttemptId) {
        let connection = self.attempt(attempt).map(|found| found.connection);
        self.ended(now, attempt, AttemptOutcome::Aborted);
        // The winner was told of before its losers were given up: its story is told again.
        if let Some(connection) = connection {
            self.retell(connection);
        }
    }

    /// Keeps rustls's or the system's own words about a failure.
    pub(crate) fn detail(&mut self, attempt: AttemptId, detail: Option<Arc<str>>) {
        if let Some(attempt) = self.attempt(attempt) {
            attempt.detail = detail;
        }
    }

    /// The words about the newest failure of a race.
    pub(crate) fn detail_of(&mut self, failed: Option<&AllFailed>) -> Option<Arc<str>> {
        let newest = failed?.attempts.iter().max_by_key(|attempt| attempt.ended)?.attempt;
        self.attempt(newest)?.detail.clone()
    }

    /// An attempt has become its connection.
    pub(crate) fn established(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        connection: ConnectionId,
        protocol: Protocol,
        tls: Option<TlsTrace>,
    ) {
        self.ended(now, attempt, AttemptOutcome::Won);
        let Some(address) = self.attempt(attempt).map(|found| found.trace.address) else { return };
        let trace =
            ConnectionTrace { connection, address, protocol, established: now, reused: false, tls };
        let resolve = self.span_of(connection);
        let attempts = self.attempts_of(connection);
        if let Some(Some(known)) = self.connections.get_mut(connection.slot())
            && known.id == connection
        {
            known.made = Some(Arc::new(Made { resolve, attempts, trace }));
        }
    }

    /// How a connection came to be, and whether it has carried a request before.
    pub(crate) fn made(&mut self, connection: ConnectionId) -> Option<(Arc<Made>, bool)> {
        let known = self.connections.get_mut(connection.slot())?.as_mut()?;
        if known.id != connection {
            return None;
        }
        let used = core::mem::replace(&mut known.used, true);
        Some((Arc::clone(known.made.as_ref()?), used))
    }

    fn retell(&mut self, connection: ConnectionId) {
        let attempts = self.attempts_of(connection);
        if let Some(Some(known)) = self.connections.get_mut(connection.slot())
            && known.id == connection
            && let Some(made) = &known.made
        {
            let (resolve, trace) = (made.resolve, made.trace.clone());
            known.made = Some(Arc::new(Made { resolve, attempts, trace }));
        }
    }

    fn attempt(&mut self, attempt: AttemptId) -> Option<&mut Attempt> {
        let found = self.attempts.get_mut(attempt.slot())?.as_mut()?;
        (found.trace.attempt == attempt).then_some(found)
    }

    fn ended(&mut self, now: Instant, attempt: AttemptId, outcome: AttemptOutcome) {
        if let Some(attempt) = self.attempt(attempt)
            && attempt.trace.ended.is_none()
        {
            attempt.trace.ended = Some(now);
            attempt.trace.outcome = outcome;
        }
    }

    fn span_of(&self, connection: ConnectionId) -> Option<Span> {
        let known = self.connections.get(connection.slot())?.as_ref()?;
        let host = self.names.get(&known.origin)?;
        let (id, span) = self.hosts.get(host.slot())?.as_ref()?;
        (id == host).then_some(*span)
    }

    fn attempts_of(&self, connection: ConnectionId) -> Vec<AttemptTrace> {
        let Some(Some(known)) = self.connections.get(connection.slot()) else { return Vec::new() };
        let all = known.attempts.iter();
        all.filter_map(|attempt| {
            let found = self.attempts.get(attempt.slot())?.as_ref()?;
            (found.trace.attempt == *attempt).then_some(found.trace)
        })
        .collect()
    }
}

fn set<T>(table: &mut Vec<Option<T>>, slot: usize, value: T) {
    if table.len() <= slot {
        table.resize_with(slot + 1, || None);
    }
    if let Some(place) = table.get_mut(slot) {
        *place = Some(value);
    }
}
