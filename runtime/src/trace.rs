//! What the hub has seen of names, attempts and connections: for timelines and error texts.
//! Nothing is decided by it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, HostId, ProfileId};
use regatta_core::types::{AllFailed, Cause, Origin, Protocol, Transport};
use regatta_core::upstream::Event;

use crate::exchange::{Made, Tried};
use crate::hooks::ConnectionFacts;
use crate::legs::Legs;
use crate::slots::place;
use crate::timeline::{AttemptOutcome, AttemptTrace, ConnectionTrace, Span, TlsTrace, TunnelTrace};

/// Side tables by slot; a slot's next tenant overwrites the last.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    hosts: Vec<Option<(HostId, Span)>>,
    /// The host of a name, for spans of connections; as many as there are hosts.
    names: BTreeMap<Arc<str>, HostId>,
    /// The connection that an attempt is for; the attempt's story is with it, because a race may
    /// use a slot more than once.
    attempts: Vec<Option<(AttemptId, ConnectionId)>>,
    connections: Vec<Option<Connection>>,
    /// The races between QUIC and TCP.
    races: BTreeMap<(ProfileId, Origin), Legs>,
}

/// A handshake that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun<'a> {
    pub(crate) attempt: AttemptId,
    pub(crate) connection: ConnectionId,
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) origin: &'a Origin,
    /// The proxy that it goes to.
    pub(crate) proxy: Option<&'a Origin>,
    /// Whose race it is in, where QUIC and TCP race.
    pub(crate) race: Option<ProfileId>,
}

#[derive(Debug)]
struct Attempt {
    trace: AttemptTrace,
    detail: Option<Arc<str>>,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    attempts: Vec<Attempt>,
    origin: Origin,
    /// The proxy that it goes to.
    proxy: Option<Origin>,
    legs: Option<Legs>,
    made: Option<Arc<Made>>,
    /// The attempt that takes early data, or took it and is lost: its handshake was never complete.
    early: Option<AttemptId>,
    /// Requests that it was given.
    used: u64,
}

impl Traces {
    /// Most names whose span is kept, and most origins whose race is.
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
                self.change(*attempt, |trace| {
                    trace.connected.get_or_insert(now);
                });
            }
            Event::AttemptFailed { attempt, cause } => {
                self.ended(now, *attempt, AttemptOutcome::Failed(*cause));
            }
            Event::Closed { connection, cause } => self.lost_early(now, *connection, *cause),
            _ => {}
        }
    }

    pub(crate) fn resolving(&mut self, now: Instant, host: HostId, name: &Arc<str>) {
        if name.parse::<IpAddr>().is_ok() {
            return;
        }
        place(&mut self.hosts, host.slot(), (host, Span { started: now, ended: None }));
        if self.names.len() >= Self::MOST_NAMES {
            self.names.clear();
        }
        self.names.insert(Arc::clone(name), host);
    }

    pub(crate) fn connecting(&mut self, now: Instant, begun: Begun<'_>) {
        let Begun { attempt, connection, transport, address, origin, proxy, race } = begun;
        let trace = AttemptTrace {
            attempt,
            transport,
            address,
            started: now,
            connected: None,
            tunnel: None,
            ended: None,
            outcome: AttemptOutcome::UnderWay,
        };
        let legs = race.map(|profile| self.legs(profile, origin));
        if let Some(legs) = &legs {
            legs.note(trace);
        }
        let begun = Attempt { trace, detail: None };
        place(&mut self.attempts, attempt.slot(), (attempt, connection));
        match self.connections.get_mut(connection.slot()) {
            Some(Some(known)) if known.id == connection => known.attempts.push(begun),
            _ => place(
                &mut self.connections,
                connection.slot(),
                Connection {
                    id: connection,
                    attempts: vec![begun],
                    origin: origin.clone(),
                    proxy: proxy.cloned(),
                    legs,
                    made: None,
                    early: None,
                    used: 0,
                },
            ),
        }
    }

    fn legs(&mut self, profile: ProfileId, origin: &Origin) -> Legs {
        if self.races.len() >= Self::MOST_NAMES {
            self.races.clear();
        }
        self.races.entry((profile, origin.clone())).or_default().clone()
    }

    /// A proxy is asked for a tunnel, or has answered with this status.
    pub(crate) fn tunnel(&mut self, now: Instant, attempt: AttemptId, status: Option<u16>) {
        self.change(attempt, |trace| {
            let begun = TunnelTrace { asked: now, answered: None, status };
            let tunnel = trace.tunnel.get_or_insert(begun);
            if status.is_some() {
                *tunnel = TunnelTrace { answered: Some(now), status, ..*tunnel };
            }
        });
    }

    pub(crate) fn aborted(&mut self, now: Instant, attempt: AttemptId) {
        let connection = self.connection_of(attempt);
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
        self.make(now, attempt, connection, protocol, tls);
    }

    /// An attempt has become its connection before its handshake is complete.
    #[cfg(feature = "http3")]
    pub(crate) fn takes_early_data(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        connection: ConnectionId,
    ) {
        self.make(now, attempt, connection, Protocol::Http3, None);
        if let Some(known) = self.known_mut(connection) {
            known.early = Some(attempt);
        }
    }

    /// The handshake of a connection that takes early data is complete; `accepted` says whether the
    /// server took that.
    #[cfg(feature = "http3")]
    pub(crate) fn confirmed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        tls: Option<TlsTrace>,
        accepted: bool,
    ) {
        let Some(known) = self.known_mut(connection) else { return };
        let Some(attempt) = known.early.take() else { return };
        if !accepted {
            known.used = 0;
        }
        let before = known.made.clone();
        self.established(now, attempt, connection, Protocol::Http3, tls);
        self.tell_whole(connection, before);
    }

    /// A connection that takes early data may be gone before its handshake was complete.
    fn lost_early(&mut self, now: Instant, connection: ConnectionId, cause: Cause) {
        let Some(known) = self.known(connection) else { return };
        let Some(attempt) = known.early else { return };
        let before = known.made.clone();
        let outcome = match cause {
            Cause::ShutDown => AttemptOutcome::Aborted,
            cause => AttemptOutcome::Failed(cause),
        };
        self.ended(now, attempt, outcome);
        self.remake(connection);
        self.tell_whole(connection, before);
    }

    /// Requests that went early are told the same as those after them.
    fn tell_whole(&self, connection: ConnectionId, before: Option<Arc<Made>>) {
        let now = self.known(connection).and_then(|known| known.made.clone());
        if let Some((before, now)) = before.zip(now) {
            let _told_once = before.whole.set(now);
        }
    }

    /// The attempt of a connection that took early data and is gone before its handshake was
    /// complete.
    pub(crate) fn failed_early(
        &self,
        connection: ConnectionId,
    ) -> Option<(ConnectionFacts, AttemptTrace)> {
        self.aim(self.known(connection)?.early?)
    }

    fn make(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        connection: ConnectionId,
        protocol: Protocol,
        tls: Option<TlsTrace>,
    ) {
        let Some(address) = self.attempt(attempt).map(|found| found.trace.address) else { return };
        let trace =
            ConnectionTrace { connection, address, protocol, established: now, reused: false, tls };
        let resolve = self.span_of(connection);
        let attempts = self.attempts_of(connection);
        if let Some(known) = self.known_mut(connection) {
            let (proxy, legs, whole) = (known.proxy.clone(), known.legs.clone(), OnceLock::new());
            known.made = Some(Arc::new(Made { resolve, proxy, attempts, legs, trace, whole }));
        }
    }

    /// How a connection came to be, and whether it has carried a request before.
    pub(crate) fn made(&mut self, connection: ConnectionId) -> Option<(Arc<Made>, bool)> {
        let known = self.connections.get_mut(connection.slot())?.as_mut()?;
        if known.id != connection {
            return None;
        }
        known.used += 1;
        Some((Arc::clone(known.made.as_ref()?), known.used > 1))
    }

    /// Which connection it is.
    pub(crate) fn facts(&self, connection: ConnectionId) -> Option<ConnectionFacts> {
        let known = self.known(connection)?;
        Some(ConnectionFacts { id: connection, origin: known.origin.clone() })
    }

    /// How a connection came to be, and how long its attempt took.
    pub(crate) fn how_made(
        &self,
        connection: ConnectionId,
    ) -> Option<(ConnectionFacts, ConnectionTrace, Duration)> {
        let made = self.known(connection)?.made.as_ref()?;
        let won = made.attempts.iter().find(|one| one.outcome == AttemptOutcome::Won)?;
        let took = made.trace.established.saturating_since(won.started);
        Some((self.facts(connection)?, made.trace.clone(), took))
    }

    /// What a connection was, and how many requests it was given.
    pub(crate) fn life(
        &self,
        connection: ConnectionId,
    ) -> Option<(ConnectionFacts, &ConnectionTrace, u64)> {
        let known = self.known(connection).filter(|known| known.early.is_none())?;
        Some((self.facts(connection)?, &known.made.as_ref()?.trace, known.used))
    }

    /// Whose an attempt is, and what is known of it.
    pub(crate) fn aim(&self, attempt: AttemptId) -> Option<(ConnectionFacts, AttemptTrace)> {
        let connection = self.connection_of(attempt)?;
        let mut attempts = self.known(connection)?.attempts.iter();
        let found = attempts.find(|known| known.trace.attempt == attempt)?;
        Some((self.facts(connection)?, found.trace))
    }

    /// The words about an attempt's failure.
    pub(crate) fn words_of(&self, attempt: AttemptId) -> Option<Arc<str>> {
        let mut attempts = self.known(self.connection_of(attempt)?)?.attempts.iter();
        attempts.find(|known| known.trace.attempt == attempt)?.detail.clone()
    }

    fn known(&self, connection: ConnectionId) -> Option<&Connection> {
        let known = self.connections.get(connection.slot())?.as_ref()?;
        (known.id == connection).then_some(known)
    }

    fn known_mut(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        let known = self.connections.get_mut(connection.slot())?.as_mut()?;
        (known.id == connection).then_some(known)
    }

    fn retell(&mut self, connection: ConnectionId) {
        // Else it is told when its handshake is over.
        if self.known(connection).is_some_and(|known| known.early.is_none()) {
            self.remake(connection);
        }
    }

    fn remake(&mut self, connection: ConnectionId) {
        let attempts = self.attempts_of(connection);
        if let Some(known) = self.known_mut(connection)
            && let Some(made) = &known.made
        {
            let (resolve, trace, whole) = (made.resolve, made.trace.clone(), OnceLock::new());
            let (proxy, legs) = (known.proxy.clone(), known.legs.clone());
            known.made = Some(Arc::new(Made { resolve, proxy, attempts, legs, trace, whole }));
        }
    }

    fn connection_of(&self, attempt: AttemptId) -> Option<ConnectionId> {
        let (id, connection) = self.attempts.get(attempt.slot())?.as_ref()?;
        (*id == attempt).then_some(*connection)
    }

    fn attempt(&mut self, attempt: AttemptId) -> Option<&mut Attempt> {
        let connection = self.connection_of(attempt)?;
        let known = self.connections.get_mut(connection.slot())?.as_mut()?;
        if known.id != connection {
            return None;
        }
        known.attempts.iter_mut().find(|known| known.trace.attempt == attempt)
    }

    fn ended(&mut self, now: Instant, attempt: AttemptId, outcome: AttemptOutcome) {
        self.change(attempt, |trace| {
            if trace.ended.is_none() {
                trace.ended = Some(now);
                trace.outcome = outcome;
            }
        });
    }

    /// Changes what is told of an attempt, also where the other legs of its race tell it.
    fn change(&mut self, attempt: AttemptId, change: impl FnOnce(&mut AttemptTrace)) {
        let Some(found) = self.attempt(attempt) else { return };
        change(&mut found.trace);
        let trace = found.trace;
        let connection = self.connection_of(attempt).and_then(|connection| self.known(connection));
        if let Some(legs) = connection.and_then(|connection| connection.legs.as_ref()) {
            legs.note(trace);
        }
    }

    fn span_of(&self, connection: ConnectionId) -> Option<Span> {
        let known = self.connections.get(connection.slot())?.as_ref()?;
        self.span_of_name(&known.proxy.as_ref().unwrap_or(&known.origin).host)
    }

    fn span_of_name(&self, name: &str) -> Option<Span> {
        let host = self.names.get(name)?;
        let (id, span) = self.hosts.get(host.slot())?.as_ref()?;
        (id == host).then_some(*span)
    }

    /// What was tried for a request that got no connection, by way of this proxy.
    pub(crate) fn tried(
        &self,
        origin: &Origin,
        proxy: Option<&Origin>,
        failed: &AllFailed,
    ) -> Tried {
        let name = &proxy.unwrap_or(origin).host;
        let newest = failed.attempts.last().and_then(|last| self.connection_of(last.attempt));
        let attempts = newest.map(|connection| self.attempts_of(connection)).unwrap_or_default();
        let legs = newest.and_then(|connection| self.known(connection)?.legs.clone());
        Tried { resolve: self.span_of_name(name), proxy: proxy.cloned(), attempts, legs }
    }

    fn attempts_of(&self, connection: ConnectionId) -> Vec<AttemptTrace> {
        match self.connections.get(connection.slot()) {
            Some(Some(known)) if known.id == connection => {
                known.attempts.iter().map(|attempt| attempt.trace).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::types::{FailedAttempt, Scheme};

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn origin() -> Origin {
        Origin { scheme: Scheme::Http, host: "a.test".into(), port: 80 }
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 80))
    }

    /// A race of two attempts that use the same slot in turn; the first is refused.
    fn race(traces: &mut Traces) -> (AttemptId, AttemptId, ConnectionId) {
        let (first, second) = (AttemptId::new(0, 0), AttemptId::new(0, 1));
        let connection = ConnectionId::new(0, 0);
        traces.resolving(at(0), HostId::new(0, 0), &"a.test".into());
        let resolved = Event::ResolveFinished { host: HostId::new(0, 0), failed: None };
        traces.note(at(1), &resolved);
        let origin = origin();
        let begun = |attempt, last| Begun {
            attempt,
            connection,
            transport: Transport::Tcp,
            address: address(last),
            origin: &origin,
            proxy: None,
            race: None,
        };
        traces.connecting(at(1), begun(first, 1));
        traces.note(at(2), &Event::AttemptFailed { attempt: first, cause: Cause::Refused });
        traces.connecting(at(2), begun(second, 2));
        (first, second, connection)
    }

    fn outcomes(attempts: &[AttemptTrace]) -> Vec<AttemptOutcome> {
        attempts.iter().map(|attempt| attempt.outcome).collect()
    }

    #[test]
    fn a_race_is_told_whole_though_its_attempts_share_a_slot() {
        let mut traces = Traces::default();
        let (_, second, connection) = race(&mut traces);
        traces.established(at(3), second, connection, Protocol::Http1, None);
        let (made, used) = traces.made(connection).unwrap();
        let refused = AttemptOutcome::Failed(Cause::Refused);
        assert_eq!(outcomes(&made.attempts), [refused, AttemptOutcome::Won]);
        assert_eq!(made.resolve, Some(Span { started: at(0), ended: Some(at(1)) }));
        assert!(!used);
    }

    #[test]
    fn a_race_that_nobody_won_is_told_as_well() {
        let mut traces = Traces::default();
        let (_, second, _) = race(&mut traces);
        traces.note(at(4), &Event::AttemptProgress(second));
        traces.note(at(5), &Event::AttemptFailed { attempt: second, cause: Cause::Closed });
        let failed = FailedAttempt {
            attempt: second,
            address: address(2),
            started: at(2),
            ended: at(5),
            cause: Cause::Closed,
        };
        let failed = AllFailed { attempts: vec![failed], resolution: None };
        let tried = traces.tried(&origin(), None, &failed);
        let causes = [Cause::Refused, Cause::Closed].map(AttemptOutcome::Failed);
        assert_eq!(outcomes(&tried.attempts), causes);
        assert_eq!(tried.attempts[1].connected, Some(at(4)));
        assert!(tried.resolve.is_some());
    }

    #[test]
    fn the_legs_of_a_race_are_told_together() {
        let mut traces = Traces::default();
        let origin = origin();
        let mut begin = |ms: u64, number: u32, transport| {
            let connection = ConnectionId::new(number, 0);
            let begun = Begun {
                attempt: AttemptId::new(number, 0),
                connection,
                transport,
                address: address(1),
                origin: &origin,
                proxy: None,
                race: Some(ProfileId(0)),
            };
            traces.connecting(at(ms), begun);
            connection
        };
        begin(0, 0, Transport::Quic);
        let tcp = begin(300, 1, Transport::Tcp);
        traces.established(at(310), AttemptId::new(1, 0), tcp, Protocol::Http2, None);
        let (made, _) = traces.made(tcp).unwrap();
        let told = |made: &Made| {
            let mut attempts = made.attempts.clone();
            made.legs.as_ref().unwrap().beside(at(0), at(310), &mut attempts);
            attempts.iter().map(|one| (one.transport, one.outcome)).collect::<Vec<_>>()
        };
        let quic = |outcome| (Transport::Quic, outcome);
        let won = (Transport::Tcp, AttemptOutcome::Won);
        assert_eq!(told(&made), [quic(AttemptOutcome::UnderWay), won]);
        let failed =
            Event::AttemptFailed { attempt: AttemptId::new(0, 0), cause: Cause::ConnectTimeout };
        traces.note(at(500), &failed);
        assert_eq!(told(&made), [quic(AttemptOutcome::Failed(Cause::ConnectTimeout)), won]);
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let mut traces = Traces::default();
        let origin = Origin { host: "192.0.2.1".into(), ..origin() };
        traces.resolving(at(0), HostId::new(0, 0), &origin.host);
        let failed = AllFailed { attempts: Vec::new(), resolution: None };
        assert_eq!(traces.tried(&origin, None, &failed).resolve, None);
    }
}
