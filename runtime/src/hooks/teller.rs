//! Where what happens is said, and what is told of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use core::fmt;
use core::net::SocketAddr;

use http::StatusCode;
use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, RequestId};
use regatta_core::types::{Cause, Origin};
use regatta_core::upstream;

use super::line::Line;
use super::{
    ConnectionEvent, ConnectionFacts, DrainReason, Ended, Ending, Hooks, RequestEvent, RequestFacts,
};
use crate::exchange::{Exchange, Parcel};
use crate::spans::{self, RequestSpan};
use crate::timeline::{AttemptOutcome, AttemptTrace, Timeline};
use crate::trace::Traces;

/// What is known of a request whose story is told; most often nobody listens.
pub(crate) type Facts = Option<Arc<Story>>;

/// A request of which somebody hears.
pub(crate) struct Story {
    pub(super) facts: RequestFacts,
    pub(super) span: RequestSpan,
}

/// What a request brings with it for those who listen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The span of all its tries.
    pub(crate) span: RequestSpan,
    /// The try before this one.
    pub(crate) after: Option<RequestId>,
    /// How many there were before this one.
    pub(crate) tries: u32,
}

impl Told {
    /// The same for the next try.
    pub(crate) fn next(&mut self, last: RequestId) -> Self {
        self.after = Some(last);
        self.tries += 1;
        self.clone()
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.fmt(f)
    }
}

/// Where what happens is said; most often nobody listens.
#[derive(Clone)]
pub(crate) struct Tell(pub(super) Option<Arc<Teller>>);

/// What is said of requests. All but `answered` may be called under the hub's lock.
impl Tell {
    pub(crate) fn to(hooks: Hooks) -> Self {
        let hears = hooks.on_connection.is_some() || hooks.on_request.is_some();
        let listens = hears || cfg!(feature = "tracing");
        Self(listens.then(|| Arc::new(Teller::new(hooks))))
    }

    pub(crate) fn begun(&self, parcel: &Parcel, origin: &Origin) -> Facts {
        let Told { span, after, tries } = &parcel.told;
        let hears = |teller: &&Arc<Teller>| teller.hooks.on_request.is_some() || span.listens();
        let teller = self.0.as_ref().filter(hears)?;
        let facts = RequestFacts {
            id: parcel.request,
            after: *after,
            tries: *tries,
            method: parcel.message.head.method().clone(),
            origin: origin.clone(),
            path: parcel.message.head.uri().path().into(),
        };
        let story = Arc::new(Story { facts, span: span.clone() });
        teller.request(Arc::clone(&story), RequestEvent::Begun, None);
        Some(story)
    }

    pub(crate) fn assigned(&self, parcel: &Parcel, connection: ConnectionId, reused: bool) {
        if let (Some(teller), Some(story)) = (&self.0, &parcel.facts) {
            let way = story.span.listens().then(|| Box::new(parcel.exchange.timeline()));
            let event = RequestEvent::Assigned { connection, reused };
            teller.request(Arc::clone(story), event, way);
        }
    }

    pub(crate) fn sent_again(&self, facts: &Facts, cause: Option<Cause>) {
        self.request(facts.as_ref(), || RequestEvent::SentAgain { cause });
    }

    /// Tells it at once: called with no lock held.
    pub(crate) fn answered(&self, facts: &Facts, status: StatusCode) {
        if facts.is_some() {
            self.request(facts.as_ref(), || RequestEvent::Answered { status });
            self.all();
        }
    }

    /// Takes the facts, so that nothing of a listener is dropped under the hub's lock.
    pub(crate) fn ended(&self, facts: Facts, ending: Ending, exchange: &Exchange) {
        let Some(story) = facts else { return };
        let event = {
            RequestEvent::Ended(Box::new(Ended {
                ending,
                status: exchange.status(),
                sent: exchange.up.sent(),
                received: exchange.received(),
                timeline: exchange.timeline(),
            }))
        };
        if let Some(teller) = &self.0 {
            teller.request(story, event, None);
        }
    }

    fn request(&self, facts: Option<&Arc<Story>>, event: impl FnOnce() -> RequestEvent) {
        if let (Some(teller), Some(story)) = (&self.0, facts) {
            teller.request(Arc::clone(story), event(), None);
        }
    }
}

/// What is said of connections. All but `all` may be called under the hub's lock.
impl Tell {
    pub(crate) fn connecting(
        &self,
        connection: ConnectionId,
        attempt: AttemptId,
        address: SocketAddr,
        origin: &Origin,
    ) {
        self.connection(|| {
            let facts = ConnectionFacts { id: connection, origin: origin.clone() };
            Some((facts, ConnectionEvent::Connecting { attempt, address }))
        });
    }

    pub(crate) fn given_up(&self, now: Instant, attempt: AttemptId, traces: &Traces) {
        self.connection(|| {
            let (facts, aim) = traces.aim(attempt)?;
            let (address, after) = (aim.address, now.saturating_since(aim.started));
            Some((facts, ConnectionEvent::GivenUp { attempt, address, after }))
        });
    }

    pub(crate) fn connected(&self, connection: ConnectionId, traces: &Traces) {
        self.connection(|| {
            let (facts, trace, took) = traces.how_made(connection)?;
            Some((facts, ConnectionEvent::Connected { trace: Box::new(trace), took }))
        });
    }

    pub(crate) fn shut_down(&self, connection: ConnectionId, traces: &Traces) {
        let reason = DrainReason::Pool;
        self.connection(|| Some((traces.facts(connection)?, ConnectionEvent::Draining { reason })));
    }

    /// What an event means to those who listen to connections.
    pub(crate) fn event(&self, now: Instant, event: &upstream::Event, traces: &Traces) {
        self.connection(|| match event {
            upstream::Event::Refusing(connection) => {
                let reason = DrainReason::Peer;
                Some((traces.facts(*connection)?, ConnectionEvent::Draining { reason }))
            }
            upstream::Event::Closed { connection, cause } => {
                if let Some((facts, aim)) = traces.failed_early(*connection) {
                    return Some((facts, never_connected(now, &aim, traces)));
                }
                let (facts, trace, requests) = traces.life(*connection)?;
                let (cause, address) = (*cause, trace.address);
                let lived = now.saturating_since(trace.established);
                Some((facts, ConnectionEvent::Closed { cause, address, requests, lived }))
            }
            upstream::Event::AttemptFailed { attempt, cause } => {
                let (facts, aim) = traces.aim(*attempt)?;
                Some((facts, failed(now, &aim, *cause, traces)))
            }
            _ => None,
        });
    }

    /// Tells everything that is queued. Never called with a lock held.
    pub(crate) fn all(&self) {
        if let Some(teller) = &self.0 {
            teller.tell();
        }
    }

    fn connection(&self, event: impl FnOnce() -> Option<(ConnectionFacts, ConnectionEvent)>) {
        let hears = |teller: &&Arc<Teller>| {
            teller.hooks.on_connection.is_some() || spans::hears_connections()
        };
        if let Some(teller) = self.0.as_ref().filter(hears)
            && let Some((facts, event)) = event()
        {
            teller.connection(facts, event);
        }
    }
}

fn failed(now: Instant, aim: &AttemptTrace, cause: Cause, traces: &Traces) -> ConnectionEvent {
    ConnectionEvent::Failed {
        attempt: aim.attempt,
        address: aim.address,
        after: now.saturating_since(aim.started),
        cause,
        detail: traces.words_of(aim.attempt),
    }
}

/// A connection that took early data is gone before its handshake was complete.
fn never_connected(now: Instant, aim: &AttemptTrace, traces: &Traces) -> ConnectionEvent {
    match aim.outcome {
        AttemptOutcome::Failed(cause) => failed(now, aim, cause, traces),
        _ => ConnectionEvent::GivenUp {
            attempt: aim.attempt,
            address: aim.address,
            after: now.saturating_since(aim.started),
        },
    }
}

/// Tells the functions of one client what happened.
pub(crate) struct Teller {
    hooks: Hooks,
    pub(super) line: Line<Event>,
    /// Connections of which it was told that they drain.
    pub(super) draining: Mutex<BTreeSet<ConnectionId>>,
}

pub(super) enum Event {
    Connection(ConnectionFacts, ConnectionEvent),
    /// With what is known of its way to a connection, where somebody asks for that.
    Request(Arc<Story>, RequestEvent, Option<Box<Timeline>>),
}

impl Teller {
    fn new(hooks: Hooks) -> Self {
        Self { hooks, line: Line::new(), draining: Mutex::default() }
    }

    pub(super) fn connection(&self, facts: ConnectionFacts, event: ConnectionEvent) {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        match &event {
            ConnectionEvent::Draining { .. } if !draining.insert(facts.id) => return,
            ConnectionEvent::Closed { .. } => {
                draining.remove(&facts.id);
            }
            _ => {}
        }
        self.line.push(Event::Connection(facts, event));
    }

    pub(super) fn request(
        &self,
        story: Arc<Story>,
        event: RequestEvent,
        way: Option<Box<Timeline>>,
    ) {
        self.line.push(Event::Request(story, event, way));
    }

    /// Tells everything that is in line. Never called with a lock held.
    pub(super) fn tell(&self) {
        self.line.tell(|event| match event {
            Event::Connection(facts, event) => {
                spans::tell_connection(facts, event);
                if let Some(told) = &self.hooks.on_connection {
                    told(facts, event);
                }
            }
            Event::Request(story, event, way) => {
                let Story { facts, span } = &**story;
                span.tell(facts, event, way.as_deref());
                if let Some(told) = &self.hooks.on_request {
                    told(facts, event);
                }
            }
        });
    }
}
