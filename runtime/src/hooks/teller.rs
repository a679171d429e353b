//! Where what happens is said and queued, and who tells it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core::net::SocketAddr;

use http::StatusCode;
use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, RequestId};
use regatta_core::types::{Cause, Origin};
use regatta_core::upstream::Event as Told;

use super::{
    ConnectionEvent, ConnectionFacts, DrainReason, Ended, Ending, Hooks, RequestEvent, RequestFacts,
};
use crate::exchange::{Exchange, Parcel};
use crate::trace::Traces;

/// What is known of a request whose story is told; most often nobody listens.
pub(crate) type Facts = Option<Arc<RequestFacts>>;

/// Where what happens is said; most often nobody listens.
#[derive(Clone)]
pub(crate) struct Tell(pub(super) Option<Arc<Teller>>);

/// What is said of requests. All but `answered` may be called under the hub's lock.
impl Tell {
    pub(crate) fn to(hooks: Hooks) -> Self {
        let listens = hooks.on_connection.is_some() || hooks.on_request.is_some();
        Self(listens.then(|| Arc::new(Teller { hooks, queue: Mutex::default() })))
    }

    pub(crate) fn begun(
        &self,
        parcel: &Parcel,
        origin: &Origin,
        after: Option<RequestId>,
    ) -> Facts {
        let teller = self.0.as_ref().filter(|teller| teller.hooks.on_request.is_some())?;
        let facts = Arc::new(RequestFacts {
            id: parcel.request,
            after,
            method: parcel.head.method().clone(),
            origin: origin.clone(),
            path: parcel.head.uri().path().into(),
        });
        teller.request(&facts, RequestEvent::Begun);
        Some(facts)
    }

    pub(crate) fn assigned(&self, facts: &Facts, connection: ConnectionId, reused: bool) {
        self.request(facts, || RequestEvent::Assigned { connection, reused });
    }

    pub(crate) fn sent_again(&self, facts: &Facts, cause: Option<Cause>) {
        self.request(facts, || RequestEvent::SentAgain { cause });
    }

    /// Tells it at once: called with no lock held.
    pub(crate) fn answered(&self, facts: &Facts, status: StatusCode) {
        self.request(facts, || RequestEvent::Answered { status });
        self.all();
    }

    pub(crate) fn ended(&self, facts: &Facts, ending: Ending, exchange: &Exchange) {
        self.request(facts, || {
            RequestEvent::Ended(Box::new(Ended {
                ending,
                status: exchange.status(),
                sent: exchange.up.sent(),
                received: exchange.received(),
                timeline: exchange.timeline(),
            }))
        });
    }

    fn request(&self, facts: &Facts, event: impl FnOnce() -> RequestEvent) {
        if let (Some(teller), Some(facts)) = (&self.0, facts) {
            teller.request(facts, event());
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
    pub(crate) fn event(&self, now: Instant, event: &Told, traces: &Traces) {
        self.connection(|| match event {
            Told::Refusing(connection) => {
                let reason = DrainReason::Peer;
                Some((traces.facts(*connection)?, ConnectionEvent::Draining { reason }))
            }
            Told::Closed { connection, cause } => {
                let (facts, trace, requests) = traces.life(*connection)?;
                let (cause, address) = (*cause, trace.address);
                let lived = now.saturating_since(trace.established);
                Some((facts, ConnectionEvent::Closed { cause, address, requests, lived }))
            }
            Told::AttemptFailed { attempt, cause } => {
                let (facts, aim) = traces.aim(*attempt)?;
                let event = ConnectionEvent::Failed {
                    attempt: *attempt,
                    address: aim.address,
                    after: now.saturating_since(aim.started),
                    cause: *cause,
                    detail: traces.words_of(*attempt),
                };
                Some((facts, event))
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
        if let Some(teller) = self.0.as_ref().filter(|it| it.hooks.on_connection.is_some())
            && let Some((facts, event)) = event()
        {
            teller.connection(facts, event);
        }
    }
}

/// Tells the functions of one client what happened.
pub(crate) struct Teller {
    hooks: Hooks,
    queue: Mutex<Queue>,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) events: VecDeque<Event>,
    /// Connections of which it was told that they drain.
    pub(super) draining: BTreeSet<ConnectionId>,
    /// Somebody tells.
    pub(super) busy: bool,
}

pub(super) enum Event {
    Connection(ConnectionFacts, ConnectionEvent),
    Request(Arc<RequestFacts>, RequestEvent),
}

impl Teller {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connection(&self, facts: ConnectionFacts, event: ConnectionEvent) {
        let mut queue = self.lock();
        match &event {
            ConnectionEvent::Draining { .. } if !queue.draining.insert(facts.id) => return,
            ConnectionEvent::Closed { .. } => {
                queue.draining.remove(&facts.id);
            }
            _ => {}
        }
        queue.events.push_back(Event::Connection(facts, event));
    }

    pub(super) fn request(&self, facts: &Arc<RequestFacts>, event: RequestEvent) {
        self.lock().events.push_back(Event::Request(Arc::clone(facts), event));
    }

    /// Tells everything that is queued. Never called with a lock held.
    pub(super) fn tell(&self) {
        if core::mem::replace(&mut self.lock().busy, true) {
            return;
        }
        // A function that panics must not silence the others for ever.
        let mut turn = Turn { teller: self, over: false };
        loop {
            let next = {
                let mut queue = self.lock();
                let next = queue.events.pop_front();
                queue.busy = next.is_some();
                next
            };
            let Some(event) = next else {
                turn.over = true;
                return;
            };
            self.tell_one(&event);
        }
    }

    fn tell_one(&self, event: &Event) {
        match event {
            Event::Connection(facts, event) => {
                if let Some(told) = &self.hooks.on_connection {
                    told(facts, event);
                }
            }
            Event::Request(facts, event) => {
                if let Some(told) = &self.hooks.on_request {
                    told(facts, event);
                }
            }
        }
    }
}

/// Whoever tells.
struct Turn<'a> {
    teller: &'a Teller,
    /// It has said so already, and another may tell by now.
    over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.teller.lock().busy = false;
        }
    }
}
