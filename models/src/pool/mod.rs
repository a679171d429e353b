//! The pool by itself, in a world that keeps books: it must lose nobody, serve in order, keep
//! every limit, and be empty when everything has ended.

mod draws;

use core::num::NonZeroU32;

use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::limits::Resource;
use regatta_core::pool::{Action, Event, Solo, SoloConfig};
use regatta_core::record::{Kind, Rule};
use regatta_core::types::{BodyState, Cause, Limit, Outcome, Protocol, RetrySafe};
use regatta_core::{Instant, Machine};

use crate::books::{self, Books, Connection, End, Kindness, Place, Rules};
use crate::harness::{self, Input, Rest, Subject};
use crate::seen::{Exception, Expected, STREAMS_END_FIRST, Seen, never};
use crate::settings;
use crate::tape::Tape;

use draws::failed;

/// The world around one pool.
#[derive(Clone, Debug)]
pub struct World {
    config: SoloConfig,
    pub(crate) books: Books,
    /// Those whose time was up: `ConnectFailed` is due.
    pub(crate) timed_out: Vec<ConnectionId>,
}

const POOL: usize = 0;

const SOCKETS: &str = "max_sockets is never exceeded";
const HANDSHAKES: &str = "max_handshakes is never exceeded";
const BREAKERS: &str = "circuit breakers count what is in use";
const CONNECT_TIMEOUT: &str = "connecting ends in time";
const STALE: &str = "a stale event does nothing";
const BURST: &str = "a call ends or assigns no more than a burst";
const EMPTY: &str = "everything is given back at rest";

/// What a sweep over pools must have seen.
pub fn expected() -> Expected {
    Expected::default()
        .with_all_of_upstream()
        .with_admissions()
        .with("action", &ACTIONS)
        .with_always(&harness::INVARIANTS)
        .with_always(&books::INVARIANTS)
        .with_always(&books::INVARIANTS_IN_SIGHT)
        .with_always(&[SOCKETS, HANDSHAKES, BREAKERS, CONNECT_TIMEOUT, STALE, BURST, EMPTY])
        .without(&NEVER)
}

const ACTIONS: [&str; 11] = [
    "connect",
    "connect timed out",
    "abort connect",
    "assign",
    "reset",
    "resend",
    "refuse",
    "finished",
    "probe",
    "shutdown",
    "abort",
];

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Connect(_) => "connect",
        Action::ConnectTimedOut(_) => "connect timed out",
        Action::AbortConnect(_) => "abort connect",
        Action::Assign { .. } => "assign",
        Action::Reset { .. } => "reset",
        Action::Recall { .. } => "recall",
        Action::Resend(_) => "resend",
        Action::Refuse { .. } => "refuse",
        Action::Finished { .. } => "finished",
        Action::Probe(_) => "probe",
        Action::Shutdown(_) => "shutdown",
        Action::Abort(_) => "abort",
    }
}

const NO_RACE: &str = "a pool by itself leaves names and attempts to its owner";
const NO_OTHER: &str = "one pool by itself";

const NEVER: [Exception; 24] = [
    never("record", Kind::Resolving.name(), NO_RACE),
    never("record", Kind::Resolved.name(), NO_RACE),
    never("record", Kind::ResolveFailed.name(), NO_RACE),
    never("record", Kind::AddressesDropped.name(), NO_RACE),
    never("record", Kind::AttemptStarted.name(), NO_RACE),
    never("record", Kind::AttemptWon.name(), NO_RACE),
    never("record", Kind::AttemptFailed.name(), NO_RACE),
    never("record", Kind::AttemptAborted.name(), NO_RACE),
    never("record", Kind::MadeRoom.name(), NO_OTHER),
    never("rule", Rule::LongestIdle.name(), NO_OTHER),
    never("record", Kind::PoolMade.name(), NO_OTHER),
    never("record", Kind::PoolDropped.name(), NO_OTHER),
    never("record", Kind::BudgetSpent.name(), "the upstream notes it without asking a pool"),
    never("record", Kind::DestroyedWithStreams.name(), STREAMS_END_FIRST),
    never("rule", Rule::He2Sort.name(), NO_RACE),
    never("rule", Rule::He2ResolutionDelay.name(), NO_RACE),
    never("rule", Rule::He2AttemptDelay.name(), NO_RACE),
    never("rule", Rule::He2NextOnFailure.name(), NO_RACE),
    never("rule", Rule::He2FirstWins.name(), NO_RACE),
    never("rule", Rule::He3LateAnswers.name(), NO_RACE),
    never("refusal", "deadline_connecting", "which attempt has begun, the upstream alone knows"),
    never("refusal", "unknown_key", NO_OTHER),
    never("attempt failed by", "", NO_RACE),
    never("lookup failed by", "", NO_RACE),
];

impl World {
    /// The world around a pool of this configuration.
    pub(crate) fn of(config: SoloConfig) -> Self {
        let books = Books {
            rules: vec![Rules::new(config.pool.clone(), 0, config.http1_alone)],
            breakers: vec![config.limits.clone()],
            no_sockets: config.max_sockets == 0,
            ..Books::default()
        };
        Self { config, books, timed_out: vec![] }
    }

    fn is_connecting(&self, id: ConnectionId) -> bool {
        self.books.connections.get(&id).is_some_and(Connection::is_connecting)
    }

    fn is_up(&self, id: ConnectionId) -> bool {
        self.books.connections.get(&id).is_some_and(|c| c.up.is_some() && !c.gone)
    }

    fn is_on(&self, request: RequestId, connection: ConnectionId) -> bool {
        let request = self.books.requests.get(&request);
        request.is_some_and(|r| matches!(r.place, Place::On(there) if there == connection))
    }

    /// Whether the driver's contract allows this event now; all others must do nothing.
    fn is_legal(&self, event: &Event) -> bool {
        match event {
            Event::Requested { .. } | Event::Renew | Event::Drain => true,
            Event::Cancelled(id) => {
                let request = self.books.requests.get(id);
                request.is_some_and(|r| !matches!(r.place, Place::Over))
            }
            Event::Connected { connection, .. } | Event::ConnectFailed { connection, .. } => {
                self.is_connecting(*connection)
            }
            Event::Limit { connection, .. } | Event::Closed { connection, .. } => {
                self.is_up(*connection)
            }
            Event::Refusing(connection) => self.is_up(*connection),
            Event::StreamEnded { connection, request, .. } => self.is_on(*request, *connection),
            Event::Probed(connection) => {
                self.is_up(*connection) && self.books.connection(*connection).probing
            }
        }
    }

    /// Writes down what the world did.
    fn enter(&mut self, event: &Event, machine: &Solo) {
        let books = &mut self.books;
        match *event {
            Event::Requested { method, deadline } => {
                let id = machine.last_request().expect("a request has an id");
                books.arrive(id, POOL, method, deadline);
                if !books.draining {
                    books.stir(POOL);
                }
            }
            Event::Cancelled(id) => {
                if matches!(books.request(id).place, Place::Waiting) {
                    books.stir(POOL);
                }
                books.cancel(id);
            }
            Event::Connected { connection, protocol, limit } => {
                // It was quicker than the news of its end.
                self.timed_out.retain(|id| *id != connection);
                books.connected(connection, protocol, limit);
                books.stir(POOL);
            }
            Event::ConnectFailed { connection, .. } => {
                self.timed_out.retain(|id| *id != connection);
                books.stands_still(POOL);
                books.connect_failed(connection);
            }
            Event::Limit { connection, limit } => {
                books.limited(connection, limit);
                books.stir(POOL);
            }
            Event::Refusing(connection) => books.refusing(connection),
            Event::StreamEnded { connection, request, outcome, retry, body } => {
                books.stream_ended(request, End { connection, outcome, retry, body, early: false });
                books.stir(POOL);
            }
            Event::Probed(connection) => {
                books.probed(connection);
                books.stir(POOL);
            }
            Event::Closed { connection, .. } => {
                books.gone(connection);
                books.stands_still(POOL);
                books.stir(POOL);
            }
            Event::Renew => {
                books.stop_all(POOL, "the network changed");
                books.stir(POOL);
            }
            Event::Drain => {
                books.draining = true;
                books.stir(POOL);
            }
        }
    }

    /// Writes down what the pool did, and says if it must not.
    fn obey(&mut self, action: &Action) {
        let books = &mut self.books;
        match *action {
            Action::Connect(id) => {
                let sockets = books.connections.values().filter(|c| !c.gone).count();
                let most = self.config.max_sockets as usize;
                assert!(sockets < most, "{id} is one socket too many beside {sockets}");
                books.tally.held(SOCKETS);
                assert!(handshakes_left(&self.config, books), "{id} is one handshake too many");
                books.tally.held(HANDSHAKES);
                books.made(id, POOL);
            }
            Action::ConnectTimedOut(id) => {
                let waits = books.connection(id).is_connecting() && !self.timed_out.contains(&id);
                assert!(waits, "{id} timed out and was not connecting");
                self.timed_out.push(id);
                books.timed_out(POOL);
            }
            Action::AbortConnect(id) => {
                assert!(books.connection(id).is_connecting(), "{id} is not connecting");
                self.timed_out.retain(|other| *other != id);
                books.gone(id);
            }
            Action::Assign { request, connection } => {
                let sockets = books.connections.values().filter(|c| !c.gone).count();
                let left = sockets < self.config.max_sockets as usize;
                books.avoided_is_last_hope(request, connection, left);
                books.assign(request, connection);
            }
            Action::Reset { connection, request } => books.reset(request, connection),
            Action::Recall { .. } => panic!("nobody said that a peer is mute"),
            Action::Resend(id) => books.resend(id),
            Action::Refuse { request, reason, .. } => books.refuse(request, reason),
            Action::Finished { request, outcome } => books.finish(request, outcome),
            Action::Probe(id) => books.probe(id),
            Action::Shutdown(id) => books.shutdown(id),
            Action::Abort(id) => books.abort(id),
        }
    }

    fn compare(&self, machine: &Solo) {
        let books = &self.books;
        let waiting = books.waiting(|_| true).count() as u32;
        let connections = books.connections.values().filter(|c| !c.gone).count() as u32;
        let retries = books.guessed(POOL) as u32;
        assert_eq!(machine.used(Resource::Pending), waiting, "requests that wait");
        assert_eq!(machine.used(Resource::Requests), books.active(|_| true) as u32, "active");
        assert_eq!(machine.used(Resource::Connections), connections, "connections");
        assert_eq!(machine.used(Resource::Retries), retries, "retries");
        let pools = u32::from(books.is_occupied(POOL));
        assert_eq!(machine.used(Resource::Pools), pools, "pools in use");
        books.tally.held(BREAKERS);
    }

    fn connects_are_in_time(&self) {
        for (id, slot) in self.books.connections.iter().filter(|(_, c)| c.is_connecting()) {
            let late = slot.since + self.config.pool.connect_timeout <= self.books.now;
            assert!(!late || self.timed_out.contains(id), "{id} takes longer than it may");
            self.books.tally.held(CONNECT_TIMEOUT);
        }
    }

    fn one_more_is_left(&self) -> bool {
        let sockets = self.books.connections.values().filter(|c| !c.gone).count();
        sockets < self.config.max_sockets as usize && handshakes_left(&self.config, &self.books)
    }
}

/// Whether one more connection may be established at once.
fn handshakes_left(config: &SoloConfig, books: &Books) -> bool {
    let connecting = books.connections.values().filter(|c| c.is_connecting()).count();
    config.max_handshakes.is_none_or(|most| connecting < most.get() as usize)
}

fn kind(kindness: Kindness) -> Event {
    match kindness {
        Kindness::Probed(connection) => Event::Probed(connection),
        Kindness::Complete(connection, request) => {
            let outcome = Outcome::Complete;
            let (retry, body) = (RetrySafe::Answered, BodyState::Spent);
            Event::StreamEnded { connection, request, outcome, retry, body }
        }
        Kindness::Closed(connection) => Event::Closed { connection, cause: Cause::ShutDown },
        Kindness::Limit(connection, limit) => Event::Limit { connection, limit },
    }
}

impl Subject for World {
    type Machine = Solo;

    fn new(tape: &mut Tape) -> Self {
        let (pool, limits) = (settings::pool(tape), settings::breakers(tape));
        let http1_alone = tape.one_in("plain", 4);
        // One draw for both: the tapes that once failed stay what they are.
        let at_once = [(16_384, 0), (16_384, 1), (1, 0), (2, 2), (3, 2), (0, 1)];
        let (max_sockets, handshakes) = tape.pick("sockets", &at_once);
        Self::of(SoloConfig {
            pool,
            limits,
            http1_alone,
            max_sockets,
            max_handshakes: NonZeroU32::new(handshakes),
            burst: tape.pick("burst", &[64, 64, 1, 2]),
        })
    }

    fn machine(&self) -> Solo {
        Solo::new(&self.config)
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> Event {
        self.draw(tape, now).unwrap_or_else(|| self.requested(tape, now))
    }

    fn observe(&mut self, now: Instant, input: &Input<Event>, actions: &[Action], machine: &Solo) {
        self.books.now = now;
        let mut many_streams_came = false;
        if let Input::Event(event) = input {
            if self.is_legal(event) {
                many_streams_came = matches!(event, Event::Connected { protocol, .. }
                    if *protocol != Protocol::Http1);
                self.enter(event, machine);
            } else {
                assert!(actions.is_empty(), "{event:?} is stale and did {actions:?}");
                self.books.tally.held(STALE);
            }
        }
        let passes = !matches!(input, Input::Event(_));
        for action in actions {
            self.obey(action);
        }
        let told = actions.iter().filter(|action| {
            matches!(
                action,
                Action::Assign { .. } | Action::Refuse { .. } | Action::Finished { .. }
            )
        });
        assert!(told.count() <= self.config.burst as usize, "a call ends or assigns too many");
        self.books.tally.held(BURST);
        self.books.close();
        if passes {
            self.books.judged_before();
        }
        let done = machine.poll_timeout().is_none_or(|at| at > now);
        if done {
            self.connects_are_in_time();
            self.books.nothing_is_late();
            self.books.nobody_is_forgotten(self.one_more_is_left());
            if many_streams_came {
                self.books.nothing_is_needless(POOL);
            }
        }
        self.books.over(done);
        self.compare(machine);
    }

    fn see(&self, input: &Input<Event>, actions: &[Action], machine: &mut Solo, seen: &mut Seen) {
        while let Some(record) = machine.poll_record() {
            seen.record(&record);
        }
        for action in actions {
            seen.sometimes("action", name(action));
            match (action, input) {
                (Action::Refuse { reason, .. }, _) => seen.refusal(reason, None),
                (Action::Resend(_), Input::Event(Event::StreamEnded { retry, .. })) => {
                    seen.resend(*retry);
                }
                _ => {}
            }
        }
        seen.admission(machine.admission());
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.books.tally.tell(seen);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, machine: &Solo) -> Rest<Event> {
        let books = &self.books;
        if let Some(connection) = self.timed_out.first().copied() {
            return Rest::Event(Event::ConnectFailed {
                connection,
                failed: failed(Cause::Refused),
            });
        }
        let mut connecting = books.connections.iter().filter(|(_, c)| c.is_connecting());
        if let Some((&connection, _)) = connecting.next() {
            let (protocol, limit) = match self.config.http1_alone {
                true => (Protocol::Http1, Limit::Concurrent(1)),
                false => (Protocol::Http2, Limit::Concurrent(100)),
            };
            return Rest::Event(Event::Connected { connection, protocol, limit });
        }
        if let Some(kindness) = books.kindness() {
            return Rest::Event(kind(kindness));
        }
        if books.requests.values().any(|r| !matches!(r.place, Place::Over)) {
            return Rest::Work;
        }
        match books.connections.iter().find(|(_, c)| !c.gone) {
            _ if machine.poll_timeout().is_some() => Rest::Sleep,
            Some((&connection, _)) => {
                Rest::Event(Event::Closed { connection, cause: Cause::Closed })
            }
            None => Rest::Done,
        }
    }

    fn at_rest(&self, machine: &Solo) {
        for what in Resource::ALL {
            assert_eq!(machine.used(what), 0, "{what:?} is in use and nothing is there");
        }
        assert_eq!(machine.waiting(), 0, "nobody waits");
        assert_eq!(machine.poll_timeout(), None, "an empty pool wants nothing");
        self.books.tally.held(EMPTY);
    }

    fn actions_max(&self) -> usize {
        let connections = self.books.connections.values().filter(|c| !c.gone).count();
        2 * (self.config.burst as usize + connections) + 4
    }
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::testing::{regressions, tapes};

    #[test]
    fn the_books_agree_on_short_tapes() {
        tapes::<World>(30, 120);
    }

    #[test]
    fn the_books_agree_on_long_tapes() {
        tapes::<World>(5, 1_200);
    }

    /// A limit that fell and rose again made an HTTP/1 connection the most recently used one.
    const HTTP1_HAS_NO_LIMITS: &[u8] = &[
        0, 0, 180, 3, 0, 0, 0, 32, 0, 0, 20, 87, 48, 90, 0, 237, 0, 30, 0, 35, 2, 90, 0, 147, 0, 0,
        0, 0, 104, 9, 0, 0, 0, 53, 0, 0, 87, 0, 0, 12, 0, 0, 0, 67, 0, 169, 0, 1, 0, 0, 42, 0, 0,
        45, 103, 0, 53, 0, 0, 165, 153, 128, 15, 0, 0, 30, 45, 0, 0, 0, 0, 19, 0, 31, 0, 0, 0, 19,
        12, 0, 19, 0, 89, 1, 0, 0, 0, 0, 9, 125, 0, 0, 0, 117, 0, 0, 0, 117, 7, 0, 0, 0, 55, 0,
        135, 11, 0, 37,
    ];

    #[test]
    fn what_was_judged_a_call_later_once_failed() {
        // A request that was refused had let the pool think ahead, and the burst ended.
        regressions::<World>(&[
            &[
                0, 0, 0, 0, 0, 0, 39, 0, 0, 0, 21, 0, 0, 140, 0, 0, 0, 235, 35, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 161, 0,
                0, 0, 0, 251, 122, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 197, 0, 0, 0,
            ],
            &[
                0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 254, 0, 0, 0, 0, 203, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 233, 3, 0,
                0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 67, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0,
                0, 0, 0, 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                161, 3, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
            &[
                0, 0, 3, 0, 2, 0, 105, 0, 0, 1, 1, 0, 0, 188, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
                0, 17, 0, 0, 0, 0, 0, 17, 0, 3, 0, 1, 0, 21, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                17, 3, 0, 1, 0, 0, 162, 0, 21, 132, 0, 19, 0, 0, 0, 0, 0, 0, 0, 17, 0, 3, 0, 1, 0,
                0, 0, 17, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 147, 1, 0, 102, 0, 0, 0, 0, 0, 0, 0, 209,
                1, 252, 0, 0, 0, 17, 0, 0, 0, 0,
            ],
        ]);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<World>(&[
            HTTP1_HAS_NO_LIMITS,
            // One socket too many.
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 104, 0, 83, 0, 0],
            // A waiting request was lost when the last connecting connection failed.
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 67, 0, 0, 0, 0, 0, 0, 137, 0, 0],
            // One waiting request too many.
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 19, 0, 64, 0, 0, 0, 0, 0, 0, 0, 75],
            // A closed connection was counted on.
            &[0, 0, 0, 0, 0, 1, 62, 0, 0, 0, 181, 2, 53, 0, 0, 0, 0, 78, 19, 0, 0, 0, 0],
            // An idle connection stayed for ever.
            &[0, 104, 0, 13, 0, 0, 0, 0, 0, 0, 188, 0, 0, 0, 0],
            // A connection was made for nobody.
            &[
                0, 0, 0, 0, 0, 1, 96, 0, 0, 0, 44, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0,
            ],
            // Two streams at once on HTTP/1.
            &[
                0, 0, 0, 43, 0, 0, 0, 0, 0, 0, 109, 2, 32, 32, 0, 9, 43, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 0, 0, 0, 0, 0,
            ],
            // An idle connection was taken while another of its rank was in use.
            &[
                0, 0, 0, 23, 59, 0, 0, 0, 0, 0, 2, 32, 78, 154, 0, 0, 0, 0, 187, 0, 1, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
            // The last hope was not asked for a sign of life, idle for long as it was.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0, 0, 0, 17, 3, 0, 1, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 125, 3, 0, 0, 0, 0, 0, 9, 7, 0, 0, 0, 25,
            ],
            // A sign of life of an idle connection was not seen behind one that had to be probed.
            &[
                1, 0, 0, 0, 138, 0, 41, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 19, 0,
                0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0,
                0, 17, 0, 0, 0, 16, 0, 0, 0, 24, 0, 0, 12, 0, 0, 0, 45, 71, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 168, 0, 0, 0, 0, 17, 13,
                243, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 24, 194, 0, 0, 0, 9, 1, 0,
                0, 0, 0, 0, 17, 0, 179, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 27, 14, 0, 0, 0, 0, 12,
            ],
            // One that was drained for its age, which nobody heard of, was told to take no more.
            &[
                0, 0, 114, 85, 8, 150, 170, 0, 0, 105, 12, 0, 220, 180, 207, 18, 223, 164, 43, 69,
                131, 144, 189, 199, 72, 193, 50, 55, 14, 26, 236, 179, 160, 20, 44, 246, 111, 59,
                122, 177, 27, 63, 68, 101,
            ],
            // Who avoided a connection held up those behind it.
            &[
                0, 0, 0, 54, 0, 0, 0, 26, 0, 0, 104, 32, 78, 127, 0, 0, 0, 0, 0, 0, 27, 0, 0, 45,
                0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 30, 0, 0, 0, 0, 0, 30, 12, 0, 0, 0, 99, 0, 9, 0, 0,
                0, 197, 0, 0, 0, 102, 0, 0, 0, 96, 0, 0, 0, 0, 189, 0, 0, 0, 30, 0, 67, 0, 53, 0,
                0, 12, 0, 0, 75, 9, 51, 63, 0,
            ],
        ]);
    }
}
