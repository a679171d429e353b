//! The world of one pool: requests are asked for, connections come up, and some things go wrong.

use std::sync::Arc;

use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::pool::{Action, Event, Solo};
use regatta_core::types::{AllFailed, BodyState, Cause, Limit, Outcome, Protocol, RetrySafe};
use regatta_core::{Duration, Instant, Machine};

use super::menu::{Menu, Move};
use super::met::Fingerprint;
use super::search::{World, search};
use super::{BOUNDS, Listener, Size, Verdict, step};
use crate::books::{Books, Place};
use crate::harness::{Input, Subject as _};
use crate::pool::World as Observer;
use crate::seen::Tally;

mod laws;
pub(super) mod settings;

pub(super) use settings::Setting;

/// Time passes in steps of this length; every setting is a small number of them.
const TICK: Duration = Duration::from_millis(1);

pub(super) fn walk(size: Size, progress: &mut Listener<'_>) -> Verdict {
    let settings = settings::all(size).into_iter();
    settings.map(|setting| search(setting.name, Around::new(setting), BOUNDS, progress)).collect()
}

/// Something that may happen. Connections and requests are told by their place among those
/// that live, everything else by its place in a list of the setting or of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// Time passes.
    Tick,
    /// The machine's deadline has come, and the driver says so.
    Timeout,
    Ask {
        method: u8,
        deadline: u8,
    },
    Connected {
        connection: u8,
        handshake: u8,
    },
    ConnectFailed(u8),
    Ended {
        request: u8,
        how: u8,
    },
    Probed(u8),
    Closed(u8),
    Limit {
        connection: u8,
        limit: u8,
    },
    Refusing(u8),
    Cancel(u8),
    /// The connection is dead, and nobody knows it yet.
    Die(u8),
    Renew,
    Drain,
}

/// How a stream may end.
const ENDS: [(Outcome, RetrySafe, BodyState); 6] = [
    (Outcome::Complete, RetrySafe::Answered, BodyState::Spent),
    (Outcome::Reset, RetrySafe::Answered, BodyState::Spent),
    (Outcome::Failed(Cause::GoAway(0)), RetrySafe::Unprocessed, BodyState::Replayable),
    (Outcome::Failed(Cause::Closed), RetrySafe::Unsent, BodyState::Untouched),
    (Outcome::Failed(Cause::ConnectionReset), RetrySafe::Unknown, BodyState::Untouched),
    (Outcome::Failed(Cause::Incomplete), RetrySafe::Answered, BodyState::Spent),
];
const COMPLETE: u8 = 0;
const RESET: u8 = 1;
const UNPROCESSED: u8 = 2;
const UNSENT: u8 = 3;
const UNKNOWN: u8 = 4;
const ANSWERED: u8 = 5;

/// One pool and all that is around it.
#[derive(Clone)]
pub(super) struct Around {
    setting: Arc<Setting>,
    machine: Solo,
    /// The reference: what the machine may do, and who is where.
    observer: Observer,
    now: Instant,
    asked: u8,
    /// How much more may go wrong.
    faults: u8,
    dying: Vec<ConnectionId>,
    refusing: Vec<ConnectionId>,
    /// Who drains, since when; the machine's clocks have that too.
    draining: Vec<(ConnectionId, Instant)>,
}

impl Around {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            machine: Solo::new(&setting.config).without_records(),
            observer: Observer::of(setting.config.clone()),
            now: Instant::EPOCH,
            asked: 0,
            faults: setting.faults,
            dying: vec![],
            refusing: vec![],
            draining: vec![],
            setting: Arc::new(setting),
        }
    }

    const fn books(&self) -> &Books {
        &self.observer.books
    }

    fn connection(&self, place: u8) -> ConnectionId {
        *self.books().connections.keys().nth(place.into()).expect("a choice names who lives")
    }

    fn request(&self, place: u8) -> RequestId {
        *self.books().requests.keys().nth(place.into()).expect("a choice names who lives")
    }

    fn input(&self, choice: Choice) -> Input<Event> {
        let event = match choice {
            Choice::Tick | Choice::Die(_) | Choice::Timeout => return Input::Timeout,
            Choice::Ask { method, deadline } => Event::Requested {
                method: self.setting.methods[usize::from(method)],
                deadline: self.setting.deadlines[usize::from(deadline)].map(|in_| self.now + in_),
            },
            Choice::Connected { connection, handshake } => {
                let (protocol, limit) = self.setting.handshakes[usize::from(handshake)];
                Event::Connected { connection: self.connection(connection), protocol, limit }
            }
            Choice::ConnectFailed(place) => failed(self.connection(place)),
            Choice::Ended { request, how } => {
                let request = self.request(request);
                let Place::On(connection) = self.books().request(request).place else {
                    panic!("{request} has no stream that could end");
                };
                let (outcome, retry, body) = ENDS[usize::from(how)];
                Event::StreamEnded { connection, request, outcome, retry, body }
            }
            Choice::Probed(place) => Event::Probed(self.connection(place)),
            Choice::Closed(place) => {
                Event::Closed { connection: self.connection(place), cause: Cause::Closed }
            }
            Choice::Limit { connection, limit } => Event::Limit {
                connection: self.connection(connection),
                limit: self.setting.limits[usize::from(limit)],
            },
            Choice::Refusing(place) => Event::Refusing(self.connection(place)),
            Choice::Cancel(place) => Event::Cancelled(self.request(place)),
            Choice::Renew => Event::Renew,
            Choice::Drain => Event::Drain,
        };
        Input::Event(event)
    }
}

/// What may happen next.
impl Around {
    fn to_connection(&self, connection: u8, id: ConnectionId, menu: &mut Menu<Choice>) {
        let slot = self.books().connection(id);
        let Some((protocol, limit)) = slot.up else {
            let late = self.observer.timed_out.contains(&id);
            let handshakes = 0..self.setting.handshakes.len() as u8;
            let connected = handshakes.map(|handshake| Choice::Connected { connection, handshake });
            // News may cross: one that was told to stop may be up already.
            connected.for_each(|choice| menu.add(!late, choice));
            return menu.add(late, Choice::ConnectFailed(connection));
        };
        let (dying, refusing) = (self.dying.contains(&id), self.refusing.contains(&id));
        if slot.probing && !dying {
            menu.free(Choice::Probed(connection));
        }
        if slot.streams.is_empty() {
            let forgotten = self.machine.poll_timeout().is_none() && self.is_all_told();
            let ends = slot.closing || dying || refusing || forgotten;
            menu.add(ends, Choice::Closed(connection));
        }
        if dying || slot.closing {
            return;
        }
        menu.fault(Choice::Die(connection));
        if !refusing {
            menu.fault(Choice::Refusing(connection));
        }
        if protocol != Protocol::Http1 {
            let others = (0..).zip(&self.setting.limits).filter(|(_, new)| **new != limit);
            let others = others.map(|(limit, _)| Choice::Limit { connection, limit });
            // A peer that grants nothing more will grant something later.
            let spent = match limit {
                Limit::Concurrent(granted) => granted == 0,
                Limit::Total(_) => self.books().room(id) <= 0,
            };
            others.for_each(|choice| menu.add(spent, choice));
        }
    }

    fn to_request(&self, request: u8, id: RequestId, menu: &mut Menu<Choice>) {
        let slot = self.books().request(id);
        if !slot.cancelled {
            menu.fault(Choice::Cancel(request));
        }
        let Place::On(connection) = slot.place else { return };
        let end = |how| Choice::Ended { request, how };
        if self.dying.contains(&connection) || self.books().connection(connection).aborted {
            return [UNKNOWN, UNSENT, ANSWERED].into_iter().for_each(|how| menu.free(end(how)));
        }
        menu.free(end(COMPLETE));
        if slot.was_reset {
            return menu.free(end(RESET));
        }
        menu.add(self.refusing.contains(&connection), end(UNPROCESSED));
        [UNSENT, UNKNOWN, ANSWERED].into_iter().for_each(|how| menu.fault(end(how)));
    }

    /// Whether all requests were asked for and are over.
    fn is_all_told(&self) -> bool {
        self.asked == self.setting.requests && self.books().requests.is_empty()
    }
}

impl World for Around {
    type Choice = Choice;
    type Action = Action;

    fn moves(&self, menu: &mut Menu<Choice>) {
        let deadline = self.machine.poll_timeout();
        let due = deadline.is_some_and(|at| at <= self.now);
        if due {
            menu.free(Choice::Timeout);
        }
        if self.asked < self.setting.requests {
            for method in 0..self.setting.methods.len() as u8 {
                for deadline in 0..self.setting.deadlines.len() as u8 {
                    menu.free(Choice::Ask { method, deadline });
                }
            }
        }
        for (place, id) in (0..).zip(self.books().connections.keys()) {
            self.to_connection(place, *id, menu);
        }
        for (place, id) in (0..).zip(self.books().requests.keys()) {
            self.to_request(place, *id, menu);
        }
        if deadline.is_some() && !due {
            menu.free(Choice::Tick);
        }
        menu.fault(Choice::Renew);
        if !self.books().draining {
            menu.fault(Choice::Drain);
        }
        if self.faults == 0 {
            menu.unkind.clear();
        }
    }

    fn name(&self, choice: Choice) -> String {
        match (choice, self.input(choice)) {
            (Choice::Tick, _) => format!("{TICK:?} passes"),
            (Choice::Die(place), _) => format!("{} dies unnoticed", self.connection(place)),
            (_, input) => step::name(&input),
        }
    }

    fn take(&mut self, choice: Choice) -> Vec<Action> {
        match (choice, self.input(choice)) {
            (Choice::Tick | Choice::Die(_), _) => vec![],
            (_, input) => step::take(&mut self.machine, self.now, input),
        }
    }

    fn judge(&mut self, step: Move<Choice>, actions: &[Action]) {
        let input = self.input(step.choice);
        self.faults -= u8::from(step.fault);
        match step.choice {
            Choice::Tick => return self.now = self.now + TICK,
            Choice::Die(place) => return self.dying.push(self.connection(place)),
            Choice::Refusing(place) => self.refusing.push(self.connection(place)),
            Choice::Ask { .. } => self.asked += 1,
            _ => {}
        }
        self.machine.check();
        self.observer.observe(self.now, &input, actions, &self.machine);
        self.avoids_who_failed(&input, actions);
        self.drains_in_time();
        // It is copied with every state, and nobody reads it here.
        self.observer.books.tally = Tally::default();
        let living = &self.observer.books.connections;
        self.dying.retain(|id| living.contains_key(id));
        self.refusing.retain(|id| living.contains_key(id));
    }

    fn poke(&self) {
        let (before, names) = self.machine.snapshot(self.now);
        let books = self.books();
        assert!(names.connections.iter().all(|id| books.connections.contains_key(id)));
        assert!(names.requests.iter().all(|id| books.requests.contains_key(id)));
        let after = step::poked(&self.machine, self.now, self.stale()).snapshot(self.now).0;
        assert_eq!(before, after, "stale events and early timeouts must leave no trace");
    }

    fn is_over(&self) -> bool {
        // A deadline may be early: the machine finds out when it has come.
        let over = self.is_all_told()
            && self.books().connections.is_empty()
            && self.machine.poll_timeout().is_none();
        if over {
            self.observer.at_rest(&self.machine);
        }
        over
    }

    fn fingerprint(&self) -> u128 {
        let (snapshot, names) = self.machine.snapshot(self.now);
        let connections = names.connections.iter().map(|id| {
            let aborted = self.books().connections.get(id).is_some_and(|slot| slot.aborted);
            let late = self.observer.timed_out.contains(id);
            [aborted, late, self.dying.contains(id), self.refusing.contains(id)]
        });
        let requests = names.requests.iter().map(|id| {
            let slot = self.books().requests.get(id);
            slot.map(|slot| [slot.cancelled, slot.was_reset])
        });
        let around: (Vec<_>, Vec<_>) = (connections.collect(), requests.collect());
        Fingerprint::of(&(snapshot, around, self.asked, self.faults))
    }
}

impl Around {
    /// Events about the past, and about those who are not so far.
    fn stale(&self) -> Vec<Event> {
        let books = self.books();
        let mut events = vec![];
        let past = books.past_connections.last().copied();
        let limit = Limit::Concurrent(7);
        let wrong = ConnectionId::new(7, 7);
        if let Some(request) = books.past_requests.last().copied() {
            events.push(Event::Cancelled(request));
            events.push(ended(past.unwrap_or(wrong), request));
        }
        events.extend(books.requests.keys().map(|id| ended(past.unwrap_or(wrong), *id)));
        let up = |id: &ConnectionId| books.connections.get(id).map(|slot| slot.up.is_some());
        for connection in books.connections.keys().copied().chain(past) {
            let up = up(&connection);
            if up != Some(false) {
                events.push(failed(connection));
                events.push(Event::Connected { connection, protocol: Protocol::Http2, limit });
            }
            if up != Some(true) {
                events.push(Event::Limit { connection, limit });
                events.push(Event::Refusing(connection));
                events.push(Event::Closed { connection, cause: Cause::Closed });
                events.push(Event::Probed(connection));
            }
        }
        events
    }
}

fn ended(connection: ConnectionId, request: RequestId) -> Event {
    let (outcome, retry, body) = ENDS[usize::from(UNSENT)];
    Event::StreamEnded { connection, request, outcome, retry, body }
}

fn failed(connection: ConnectionId) -> Event {
    let failed = AllFailed { attempts: vec![], resolution: Some(Cause::Refused) };
    Event::ConnectFailed { connection, failed: Arc::new(failed) }
}
