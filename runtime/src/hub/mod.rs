//! The place where events meet the [`Upstream`].
//!
//! [`Hub::feed`] is the only door: it locks, lets the upstream decide, moves actions into
//! mailboxes under the lock, and wakes, spawns and drops after it. It never awaits, does I/O or
//! runs a caller's code under the lock.

use core::fmt;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use regatta_core::Instant;
use regatta_core::id::{AttemptId, ConnectionId, RequestId};
use regatta_core::retry::Ledger;
use regatta_core::types::{BodyState, Cause, Key, MethodClass, Outcome, RetrySafe, Timing};
use regatta_core::upstream::{Action, Event, Upstream};

mod attempts;

use crate::drive::attempt::{self, Job};
use crate::drive::letter::Letter;
use crate::drive::resolve;
use crate::effects::{Effects, Finished, Rare, Refused};
use crate::error::{Error, Kind, broke};
use crate::exchange::{Exchange, Parcel};
use crate::hooks::{Ending, Facts, Hooks, Tell};
use crate::mail::{Mailbox, Wake};
use crate::recording::Journaled;
use crate::roads::Roads;
use crate::runtime::Runtime;
use crate::settings::Settings;
use crate::slots::{find, place};
use crate::trace::{Begun, Traces};

/// The shared half of a client.
pub(crate) struct Hub<R: Runtime> {
    pub(crate) runtime: R,
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Woken when the earliest deadline moved earlier.
    pub(crate) timer: Arc<Wake>,
    /// Who listens.
    pub(crate) tell: Tell,
}

struct State {
    upstream: Journaled,
    /// By slot of the request.
    tickets: Vec<Option<Ticket>>,
    /// By slot of the attempt: who runs it.
    attempts: Mailboxes<AttemptId>,
    /// By slot of the connection: the winning attempt's mailbox.
    connections: Mailboxes<ConnectionId>,
    traces: Traces,
    tell: Tell,
    roads: Arc<Roads>,
    /// Events that came of actions, to be fed before the lock is let go.
    follow_up: VecDeque<Event>,
    /// What the hub's timer is set to.
    armed: Option<Instant>,
    /// The runtime has shut down: nothing will happen any more.
    dead: bool,
    /// Who waits until nothing is left.
    closers: Vec<Waker>,
    retries: Ledger,
}

/// Mailboxes by slot, with the id that the slot belongs to.
type Mailboxes<I> = Vec<Option<(I, Arc<Mailbox<Letter>>)>>;

/// A request that has not ended.
struct Ticket {
    request: RequestId,
    /// With the hub while the request waits; with its connection while it is assigned.
    parcel: Option<Parcel>,
    exchange: Arc<Exchange>,
    key: Key,
    facts: Facts,
    /// What its last connection failed it with.
    broke: Option<Cause>,
}

impl<R: Runtime> Hub<R> {
    /// Builds the hub and starts its timer task, which ends when the last handle is gone.
    pub(crate) fn start(
        runtime: R,
        upstream: Journaled,
        settings: Settings,
        hooks: Hooks,
    ) -> Arc<Self> {
        let tell = Tell::to(hooks);
        let retries = Ledger::new(settings.retry_budget, runtime.seed());
        let roads = Arc::clone(&settings.roads);
        let hub = Arc::new(Self {
            runtime: runtime.clone(),
            settings,
            state: Mutex::new(State {
                upstream,
                tickets: Vec::new(),
                attempts: Vec::new(),
                connections: Vec::new(),
                traces: Traces::default(),
                tell: tell.clone(),
                roads,
                follow_up: VecDeque::new(),
                armed: None,
                dead: false,
                closers: Vec::new(),
                retries,
            }),
            timer: Arc::new(Wake::new()),
            tell,
        });
        let (weak, wake) = (Arc::downgrade(&hub), Arc::clone(&hub.timer));
        runtime.spawn(crate::drive::timer::run(weak, wake));
        hub
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a stream that carries `parcel`, which gets the request's id.
    pub(crate) fn request(
        self: &Arc<Self>,
        key: Key,
        method: MethodClass,
        deadline: Option<Instant>,
        mut parcel: Parcel,
    ) -> RequestId {
        let now = self.runtime.now();
        let mut state = self.lock();
        if state.dead {
            drop(state);
            parcel.exchange.fail(Error::new(Kind::Gone));
            return parcel.request;
        }
        let request = state.upstream.request(now, &key, method, deadline);
        parcel.request = request;
        parcel.facts = state.tell.begun(&parcel, &key.origin);
        let facts = parcel.facts.clone();
        let exchange = Arc::clone(&parcel.exchange);
        let ticket = Ticket { request, parcel: Some(parcel), exchange, key, facts, broke: None };
        place(&mut state.tickets, request.slot(), ticket);
        self.finish(now, state);
        request
    }

    /// Tells the upstream what happened.
    pub(crate) fn feed(self: &Arc<Self>, event: Event) {
        let now = self.runtime.now();
        let mut state = self.lock();
        state.traces.note(now, &event);
        state.tell.event(now, &event, &state.traces);
        state.upstream.handle_event(now, event);
        self.finish(now, state);
    }

    /// The one end of an assigned request's stream. The parcel comes back beside the event.
    pub(crate) fn stream_ended(
        self: &Arc<Self>,
        connection: ConnectionId,
        parcel: Parcel,
        outcome: Outcome,
        retry: RetrySafe,
        timing: Timing,
    ) {
        let now = timing.ended;
        let request = parcel.request;
        let body = parcel.exchange.up.body_state();
        let mut state = self.lock();
        let mut parcel = Some(parcel);
        if let Some(ticket) = state.ticket(request) {
            ticket.parcel = parcel.take();
            ticket.broke = broke(outcome);
        }
        let event = Event::StreamEnded { connection, request, outcome, retry, body, timing };
        state.upstream.handle_event(now, event);
        self.finish(now, state);
        drop(parcel);
    }

    /// Does what is due and says when to come again; for the timer task alone.
    pub(crate) fn turn(self: &Arc<Self>) -> (Instant, Option<Instant>) {
        let now = self.runtime.now();
        let mut state = self.lock();
        if state.upstream.poll_timeout().is_some_and(|at| at <= now) {
            state.upstream.handle_timeout(now);
        }
        let mut effects = Effects::new();
        Self::settle(now, &mut state, &mut effects);
        let next = state.upstream.poll_timeout();
        state.armed = next;
        drop(state);
        self.run(effects);
        self.tell.all();
        (now, next)
    }

    /// The runtime drops its tasks: whoever waits hears of it, and whoever asks from now on.
    pub(crate) fn shut_down(&self) {
        let (tickets, closers) = {
            let mut state = self.lock();
            state.dead = true;
            (core::mem::take(&mut state.tickets), core::mem::take(&mut state.closers))
        };
        closers.into_iter().for_each(Waker::wake);
        for ticket in tickets.into_iter().flatten() {
            self.tell.ended(ticket.facts, Ending::Failed(Cause::ShutDown), &ticket.exchange);
            ticket.exchange.abandon(Error::new(Kind::Gone));
        }
        self.tell.all();
    }

    /// Ready when no request and no connection is left: how many requests were cut off.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<u64> {
        let mut state = self.lock();
        if state.dead || state.is_empty() {
            return Poll::Ready(state.upstream.cut());
        }
        if !state.closers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.closers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Asks whether something is tried again: with the time, and how many requests wait or are
    /// under way.
    pub(crate) fn retry<T>(&self, ask: impl FnOnce(Instant, usize, &mut Ledger) -> T) -> T {
        let now = self.runtime.now();
        let mut state = self.lock();
        let active = state.upstream.requests();
        ask(now, active, &mut state.retries)
    }

    /// How many requests were tried again, and how many the budget kept from it.
    pub(crate) fn retries(&self) -> (u64, u64) {
        self.lock().retries.counts()
    }

    /// Looks at the upstream.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Upstream) -> T) -> T {
        look(&self.lock().upstream)
    }

    /// Recounts the upstream, and compares the tickets with its requests.
    pub(crate) fn check(&self) {
        let state = self.lock();
        if state.dead {
            return;
        }
        state.upstream.check();
        let mut tickets = 0;
        for ticket in state.tickets.iter().flatten() {
            tickets += 1;
            let request = ticket.request;
            assert!(state.upstream.pool_of(request).is_some(), "the ticket of {request} is stale");
            let assigned = state.upstream.connection_of(request).is_some();
            assert_eq!(ticket.parcel.is_none(), assigned, "who has the parcel of {request}");
        }
        assert_eq!(tickets, state.upstream.requests(), "requests without a ticket");
    }

    /// Connections over QUIC that have something to do go on from another address.
    #[cfg(feature = "http3")]
    pub(crate) fn move_connections(&self) {
        let state = self.lock();
        let all = state.connections.iter().flatten();
        let wakers: Vec<_> =
            all.filter_map(|(_, mailbox)| mailbox.push(Letter::Move).ok().flatten()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A request's caller wants its answer to be more or less urgent than it said: the connection
    /// that carries it is told. One that it is assigned to later finds it by itself.
    #[cfg(feature = "http3")]
    pub(crate) fn prioritize(&self, exchange: &Arc<Exchange>) {
        let Some(connection) = exchange.connection() else { return };
        let mut effects = Effects::new();
        self.lock().post_to(connection, Letter::Prioritize(Arc::clone(exchange)), &mut effects);
        effects.wakers.into_iter().for_each(Waker::wake);
    }

    /// Most bytes of one pipe, and most letters of one mailbox.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.lock();
        let pipes = state.tickets.iter().flatten().map(|ticket| {
            let exchange = &ticket.exchange;
            exchange.up.held().max(exchange.down.held())
        });
        let mailboxes = state.connections.iter().flatten().map(|(_, mailbox)| mailbox.len());
        (pipes.max().unwrap_or(0), mailboxes.max().unwrap_or(0))
    }

    /// Takes the newest records out.
    pub(crate) fn records(&self) -> Vec<regatta_core::record::Record> {
        let mut state = self.lock();
        core::iter::from_fn(|| state.upstream.poll_record()).collect()
    }

    fn finish(self: &Arc<Self>, now: Instant, mut state: MutexGuard<'_, State>) {
        let mut effects = Effects::new();
        Self::settle(now, &mut state, &mut effects);
        let next = state.upstream.poll_timeout();
        if next.is_some_and(|at| state.armed.is_none_or(|armed| at < armed)) {
            state.armed = next;
            effects.rearm = true;
        }
        drop(state);
        self.run(effects);
        self.tell.all();
    }

    /// Carries actions out as far as that is possible under the lock.
    fn settle(now: Instant, state: &mut State, effects: &mut Effects) {
        loop {
            while let Some(action) = state.upstream.poll_action() {
                state.apply(now, action, effects);
            }
            let Some(event) = state.follow_up.pop_front() else {
                if let Some(journal) = state.upstream.take_fresh() {
                    effects.rare().journal = Some(journal);
                }
                if !state.closers.is_empty() && state.is_empty() {
                    effects.wakers.extend(state.closers.drain(..));
                }
                return;
            };
            state.upstream.handle_event(now, event);
        }
    }

    fn run(self: &Arc<Self>, mut effects: Effects) {
        let rare = effects.take_rare();
        for waker in effects.wakers {
            waker.wake();
        }
        for Finished { exchange, parcel, outcome } in effects.finished {
            if outcome == Outcome::Reset {
                // Nobody hears it who has given the request up. Else this side broke it off.
                let text = "its length is not what Content-Length says".to_owned();
                exchange.down.fail(Some(Error::new(Kind::Body(text))));
            }
            // Nothing of the body is sent any more. Frames are the caller's own buffers: they are
            // never dropped under the lock.
            exchange.end(parcel);
        }
        if let Some(rare) = rare {
            self.run_rare(*rare);
        }
        if effects.rearm {
            self.timer.raise();
        }
    }

    fn run_rare(self: &Arc<Self>, rare: Rare) {
        for Refused { exchange, parcel, error } in rare.refused {
            exchange.give_back(parcel);
            exchange.fail(error);
        }
        // HE3-2: before the addresses.
        for asked in rare.services {
            self.runtime.spawn(resolve::services(Arc::clone(self), asked));
        }
        for (host, name) in rare.resolves {
            self.runtime.spawn(resolve::run(Arc::clone(self), host, name));
        }
        for job in rare.jobs {
            self.runtime.spawn(attempt::run(Arc::clone(self), job));
        }
        if let Some(journal) = rare.journal {
            journal.wake.raise();
        }
    }
}

impl<R: Runtime> Drop for Hub<R> {
    fn drop(&mut self) {
        self.timer.raise();
    }
}

impl<R: Runtime> fmt::Debug for Hub<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// A hub that may be gone already.
pub(crate) type WeakHub<R> = Weak<Hub<R>>;

impl State {
    fn is_empty(&self) -> bool {
        self.upstream.requests() == 0 && self.upstream.connections() == 0
    }

    fn ticket(&mut self, request: RequestId) -> Option<&mut Ticket> {
        let ticket = self.tickets.get_mut(request.slot())?.as_mut()?;
        (ticket.request == request).then_some(ticket)
    }

    fn take_ticket(&mut self, request: RequestId) -> Option<Ticket> {
        let slot = self.tickets.get_mut(request.slot())?;
        slot.take_if(|ticket| ticket.request == request)
    }

    fn apply(&mut self, now: Instant, action: Action, effects: &mut Effects) {
        match action {
            Action::Resolve { host, name } => {
                self.traces.resolving(now, host, &name);
                effects.rare().resolves.push((host, name));
            }
            Action::ResolveServices { pool, origin, name } => {
                effects.rare().services.push(resolve::Services { pool, origin, name });
            }
            Action::Connect { attempt, connection, transport, address, origin, profile } => {
                let mailbox = Arc::new(Mailbox::new());
                let job = Job { attempt, connection, transport, address, origin, profile, mailbox };
                self.begin(now, &job);
                effects.rare().jobs.push(job);
            }
            Action::AbortAttempt(attempt) => {
                self.traces.aborted(now, attempt);
                self.tell.given_up(now, attempt, &self.traces);
                let known = self.attempts.get_mut(attempt.slot());
                let taken = known.and_then(|place| place.take_if(|(id, _)| *id == attempt));
                if let Some((_, mailbox)) = taken {
                    post(&mailbox, Letter::Abort, effects);
                }
            }
            Action::Assign { request, connection } => {
                self.assign(now, request, connection, effects);
            }
            Action::Reset { connection, request } => {
                let letter = |exchange| Letter::Reset { request, exchange };
                self.post_of(request, connection, letter, effects);
            }
            Action::Recall { connection, request } => {
                let letter = |exchange| Letter::Recall { request, exchange };
                self.post_of(request, connection, letter, effects);
            }
            Action::Resend(request) => {
                let Some(ticket) = self.ticket(request) else { return };
                ticket.exchange.up.rewind();
                ticket.exchange.resent();
                let (facts, cause) = (ticket.facts.clone(), ticket.broke);
                self.tell.sent_again(&facts, cause);
            }
            Action::Refuse { request, reason, failed } => {
                let Some(mut ticket) = self.take_ticket(request) else { return };
                ticket.exchange.ended(now);
                let origin = &ticket.key.origin;
                let proxy = self.roads.proxy_of(origin, ticket.key.profile).cloned();
                if let Some(failed) = &failed {
                    ticket.exchange.tried(self.traces.tried(origin, proxy.as_ref(), failed));
                }
                let facts = ticket.facts.take();
                self.tell.ended(facts, Ending::Refused(reason), &ticket.exchange);
                let detail = self.traces.detail_of(failed.as_deref());
                let error = Error::refused(reason, ticket.key.origin, failed, detail);
                let error = error.with_proxy(proxy);
                let Ticket { exchange, parcel, .. } = ticket;
                effects.rare().refused.push(Refused { exchange, parcel, error });
            }
            Action::Finished { request, outcome } => {
                let Some(ticket) = self.take_ticket(request) else { return };
                ticket.exchange.ended(now);
                self.tell.ended(ticket.facts, outcome.into(), &ticket.exchange);
                let Ticket { exchange, parcel, .. } = ticket;
                effects.finished.push(Finished { exchange, parcel, outcome });
            }
            Action::Probe(connection) => self.post_to(connection, Letter::Probe, effects),
            Action::Shutdown(connection) => self.shut_down(connection, effects),
            Action::Abort(connection) => self.post_to(connection, Letter::Abort, effects),
        }
    }

    fn shut_down(&mut self, connection: ConnectionId, effects: &mut Effects) {
        self.tell.shut_down(connection, &self.traces);
        self.post_to(connection, Letter::Shutdown, effects);
    }

    /// Tells a connection something about one of its requests.
    fn post_of(
        &mut self,
        request: RequestId,
        connection: ConnectionId,
        letter: impl FnOnce(Arc<Exchange>) -> Letter,
        effects: &mut Effects,
    ) {
        let Some(ticket) = self.ticket(request) else { return };
        let letter = letter(Arc::clone(&ticket.exchange));
        self.post_to(connection, letter, effects);
    }

    /// An attempt begins.
    fn begin(&mut self, now: Instant, job: &Job) {
        let Job { attempt, connection, transport, address, origin, profile, mailbox } = job;
        let begun = Begun {
            attempt: *attempt,
            connection: *connection,
            transport: *transport,
            address: *address,
            origin,
            proxy: self.roads.proxy_of(origin, *profile),
            race: self.upstream.races(*profile, origin.scheme).then_some(*profile),
        };
        self.traces.connecting(now, begun);
        self.tell.connecting(*connection, *attempt, *address, origin);
        place(&mut self.attempts, attempt.slot(), (*attempt, Arc::clone(mailbox)));
    }

    /// Hands the parcel to the connection. A connection that has closed its mailbox answers as
    /// it would have by itself: unsent.
    fn assign(
        &mut self,
        now: Instant,
        request: RequestId,
        connection: ConnectionId,
        effects: &mut Effects,
    ) {
        let made = self.traces.made(connection);
        let early = self.upstream.takes_early_data(connection);
        let Some(ticket) = self.ticket(request) else { return };
        let Some(mut parcel) = ticket.parcel.take() else { return };
        parcel.early = early;
        if early {
            parcel.exchange.sent_early(now);
        }
        let reused = made.as_ref().is_some_and(|(_, reused)| *reused);
        if let Some((made, _)) = made {
            parcel.exchange.assigned(now, &made, reused);
        }
        self.tell.assigned(&parcel, connection, reused);
        let returned = match find(&self.connections, connection.slot(), connection) {
            Some(mailbox) => mailbox.push(Letter::Assign(parcel)),
            None => Err(Letter::Assign(parcel)),
        };
        match returned {
            Ok(waker) => effects.wakers.extend(waker),
            Err(letter) => {
                let outcome = Outcome::Failed(Cause::Closed);
                let mut body = BodyState::Untouched;
                if let (Letter::Assign(parcel), Some(ticket)) = (letter, self.ticket(request)) {
                    body = parcel.exchange.up.body_state();
                    ticket.parcel = Some(parcel);
                    ticket.broke = broke(outcome);
                }
                self.follow_up.push_back(Event::StreamEnded {
                    connection,
                    request,
                    outcome,
                    retry: RetrySafe::Unsent,
                    body,
                    timing: Timing { ended: now, ..Timing::default() },
                });
            }
        }
    }

    fn post_to(&self, connection: ConnectionId, letter: Letter, effects: &mut Effects) {
        if let Some(mailbox) = find(&self.connections, connection.slot(), connection) {
            post(mailbox, letter, effects);
        }
    }
}

/// Puts a letter in; one that is not taken any more has lost its meaning.
fn post(mailbox: &Mailbox<Letter>, letter: Letter, effects: &mut Effects) {
    if let Ok(waker) = mailbox.push(letter) {
        effects.wakers.extend(waker);
    }
}
