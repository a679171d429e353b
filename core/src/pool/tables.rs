//! What all pools share: the slots of requests and connections, circuit breakers, records.

use crate::arena::Arena;
use crate::id::{ConnectionId, Id, PoolId, RequestId};
use crate::limits::Limits;
use crate::list::{Chain, Link, Linked, List};
use crate::record::{Kind, Record, Recorder, Rule, pack};
use crate::time::Instant;
use crate::timers::Timers;
use crate::types::{Limit, MethodClass, Phase, Protocol, Refusal};

use super::{Handshakes, State};

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In its pool's queue. An older batch than the pool's own has failed already: its turn to
    /// be told comes with the next burst.
    Waiting { batch: u32 },
    /// On this connection.
    Assigned(ConnectionId),
}

/// Why an assigned request's stream was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Cancelled,
    Deadline,
    Closed,
    /// Early data that another connection has overtaken: it goes again.
    Recalled,
}

/// What became of a request in early data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flight {
    /// It never went.
    Never,
    /// It went, and has gone nowhere else since.
    Early,
    /// It came to nothing: it goes again over a full handshake.
    Again,
}

/// What became of a request on a connection whose peer has stopped answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lull {
    /// It was on none.
    Never,
    /// It is as good as waiting for another connection.
    Hoping,
    /// There is one: it was called back, which comes too late where its answer has begun.
    Called,
    /// It went again, and is not called back a second time.
    Again,
}

/// A request's slot.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) pool: PoolId,
    /// Neighbours in the queue, or among the streams of its connection.
    link: Link,
    pub(crate) place: Place,
    pub(crate) method: MethodClass,
    pub(crate) ending: Option<Ending>,
    /// Holds a place of the `max_retries` breaker.
    pub(crate) holds_retry: bool,
    pub(crate) has_deadline: bool,
    pub(crate) flight: Flight,
    pub(crate) lull: Lull,
    /// How often it was sent again after nothing of it had been sent.
    pub(crate) unsent: u32,
    /// How often it was sent again after it was proven unprocessed.
    pub(crate) unprocessed: u32,
    /// How often it was sent again although its fate was unknown.
    pub(crate) retries: u32,
    /// The connection that failed it last.
    pub(crate) avoid: Option<ConnectionId>,
    pub(crate) requested: Instant,
    pub(crate) assigned: Option<Instant>,
}

impl Request {
    /// One that belongs to nobody yet.
    pub(crate) const BLANK: Self = Self {
        pool: PoolId::new(u32::MAX, u32::MAX),
        link: Link::NONE,
        place: Place::Waiting { batch: 0 },
        method: MethodClass::Other,
        ending: None,
        holds_retry: false,
        has_deadline: false,
        flight: Flight::Never,
        lull: Lull::Never,
        unsent: 0,
        unprocessed: 0,
        retries: 0,
        avoid: None,
        requested: Instant::EPOCH,
        assigned: None,
    };

    /// How often it was sent again by itself.
    pub(crate) fn resends(&self) -> u32 {
        let counted = self.unsent.saturating_add(self.unprocessed).saturating_add(self.retries);
        let counted = counted.saturating_add(u32::from(self.flight == Flight::Again));
        counted.saturating_add(u32::from(self.lull == Lull::Again))
    }

    pub(crate) fn new(pool: PoolId, method: MethodClass, now: Instant) -> Self {
        Self { pool, method, requested: now, ..Self::BLANK }
    }
}

/// Which of its pool's clocks runs for a connection, beside its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Clock {
    /// `connect_timeout`: connecting, or waiting for the answer to a probe.
    Connect,
    /// `idle_timeout`: no stream.
    Idle,
    /// `drain_timeout`.
    Drain,
}

impl Clock {
    /// Every one, in the order in which they are looked at.
    pub(super) const ALL: [Self; 3] = [Self::Connect, Self::Idle, Self::Drain];
}

/// A connection's slot. What every exchange touches comes first: the lines of the cache that it
/// lies in are what an exchange costs where there are many connections.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) state: State,
    pub(crate) protocol: Protocol,
    /// A probe was sent and not answered: no stream is assigned.
    pub(crate) probing: bool,
    /// Shutdown or Abort was said: only `Closed` is expected.
    pub(crate) closing: bool,
    pub(crate) clock: Option<Clock>,
    /// While it is ready: in which of its pool's lists.
    pub(super) shelf: u8,
    /// In the list of those whose age is watched.
    pub(crate) aging: bool,
    /// It has answered a request.
    pub(crate) answered: bool,
    state_link: Link,
    clock_link: Link,
    /// How many streams it has carried, those under way included.
    pub(crate) total: u64,
    /// The last sign of life: established, a stream ended, a probe answered.
    pub(crate) alive: Instant,
    /// When its clock was started.
    pub(crate) since: Instant,
    pub(crate) limit: Limit,
    pub(crate) streams: List<Streams>,
    age_link: Link,
    rest_link: Link,
    pub(crate) pool: PoolId,
    pub(crate) made: Instant,
    pub(crate) connected: Option<Instant>,
    /// Its first attempt has begun: the host's addresses are known.
    pub(crate) started: bool,
    /// A leg over QUIC of the race between the transports.
    pub(crate) over_quic: bool,
    /// Its peer has stopped answering.
    pub(crate) mute: bool,
}

impl Connection {
    pub(crate) fn new(pool: PoolId, now: Instant) -> Self {
        Self {
            pool,
            state: State::Connecting,
            protocol: Protocol::Http1,
            probing: false,
            closing: false,
            started: false,
            answered: false,
            aging: false,
            clock: None,
            shelf: 0,
            state_link: Link::default(),
            clock_link: Link::default(),
            age_link: Link::default(),
            rest_link: Link::default(),
            streams: List::default(),
            limit: Limit::Concurrent(0),
            total: 0,
            made: now,
            connected: None,
            over_quic: false,
            mute: false,
            since: now,
            alive: now,
        }
    }

    /// Starts a clock; its list is told that the connection joined it.
    #[inline(always)]
    pub(super) fn start_clock(&mut self, clock: Clock, now: Instant, list: &Chain<ByClock>) {
        self.clock = Some(clock);
        self.since = now;
        self.clock_link = list.back();
    }

    /// Stops a clock, if that one runs; the clock's list is told of the link that it had there.
    #[inline]
    pub(super) fn stop_clock(&mut self, clock: Clock) -> Option<Link> {
        if self.clock != Some(clock) {
            return None;
        }
        self.clock = None;
        Some(core::mem::take(&mut self.clock_link))
    }

    /// In which list it belongs when it is ready: by rank, and those in use before the idle.
    pub(super) const fn best_shelf(&self) -> u8 {
        self.protocol as u8 * 2 + !self.streams.is_empty() as u8
    }

    /// Ready, and carries nothing.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Ready) && self.streams.is_empty()
    }

    /// Established and not draining.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Ready | State::Busy)
    }

    /// Whether the peer grants nothing at all.
    pub(crate) const fn is_shut(&self) -> bool {
        self.is_open() && self.limit.grants_nothing()
    }
}

macro_rules! links {
    ($($(#[$doc:meta])* $kind:ident: $owner:ident . $field:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $kind;

        impl Linked<$owner> for $kind {
            fn link(value: &$owner) -> &Link {
                &value.$field
            }
            fn link_mut(value: &mut $owner) -> &mut Link {
                &mut value.$field
            }
        }
    )*};
}

links! {
    /// Requests that wait.
    Queue: Request.link
    /// Requests on one connection.
    Streams: Request.link
    /// Connections in one state.
    ByState: Connection.state_link
    /// Connections under one clock, earliest first.
    ByClock: Connection.clock_link
    /// Established connections, oldest first.
    ByAge: Connection.age_link
    /// Connections of all pools that were idle, the longest since first.
    ByRest: Connection.rest_link
}

/// The slots of all connections.
pub(crate) type Connections = Arena<ConnectionId, Connection>;

/// What all pools share.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) requests: Arena<RequestId, Request>,
    pub(crate) connections: Connections,
    /// Circuit breakers; a pool knows the index of its own.
    pub(crate) limits: Vec<Limits>,
    /// Requests with a deadline, by slot.
    pub(crate) deadlines: Timers,
    pub(crate) recorder: Recorder,
    /// When everything that is under way is cut off.
    pub(crate) close: Option<Instant>,
    /// How many requests were.
    pub(crate) cut: u64,
    /// Attempts and connections, each connecting one counting for one at least.
    pub(crate) sockets: u32,
    pub(crate) max_sockets: u32,
    /// Connections that were told to close and still have their socket.
    pub(crate) leaving: u32,
    /// Every idle connection of all pools, by when it became so. One that is in use again stays
    /// at its place until it is idle once more, or met by who looks for the first.
    pub(crate) resting: Chain<ByRest>,
    pub(crate) handshakes: Handshakes,
    /// How many requests a call may assign or end.
    pub(crate) burst: u32,
    /// How many of those the current call has left.
    pub(crate) budget: u32,
    /// The time of the newest call: time never goes back.
    pub(crate) now: Instant,
}

impl Tables {
    pub(crate) fn new(
        limits: Vec<Limits>,
        max_sockets: u32,
        handshakes: Handshakes,
        burst: u32,
        records: u32,
    ) -> Self {
        Self {
            requests: Arena::new(),
            connections: Arena::new(),
            limits,
            deadlines: Timers::new(),
            recorder: Recorder::new(records),
            close: None,
            cut: 0,
            sockets: 0,
            max_sockets,
            leaving: 0,
            resting: Chain::default(),
            handshakes,
            burst,
            budget: burst,
            now: Instant::EPOCH,
        }
    }

    /// Begins a call: a new budget, and a time that does not go back.
    #[inline]
    pub(crate) fn begin(&mut self, now: Instant) -> Instant {
        self.budget = self.burst;
        self.now = self.now.max(now);
        self.now
    }

    /// Whether there is a socket that nobody has.
    pub(crate) const fn has_socket(&self) -> bool {
        self.sockets < self.max_sockets
    }

    /// How many sockets are left for the pool that decides now: nobody overtakes those in line.
    pub(crate) const fn sockets_left(&self) -> u32 {
        let left = self.max_sockets.saturating_sub(self.sockets);
        if self.handshakes.called { left } else { left.saturating_sub(self.handshakes.in_line) }
    }

    /// Whether a pool in line is to be called.
    #[inline]
    pub(crate) const fn turn_is_due(&self) -> bool {
        self.handshakes.is_due() && self.has_socket()
    }

    /// Counts an established connection among those that close. Whether it is news.
    pub(crate) fn begin_close(&mut self, connection: ConnectionId) -> bool {
        match self.connections.get_mut(connection) {
            Some(slot) if !slot.closing => {
                slot.closing = true;
                self.leaving += 1;
                true
            }
            _ => false,
        }
    }

    /// Takes the connection that has been idle for the longest off the list of those, as far as
    /// the budget lets look for it.
    pub(crate) fn take_longest_idle(&mut self) -> Option<ConnectionId> {
        while self.budget > 0
            && let Some(first) = self.resting.first()
        {
            self.budget -= 1;
            self.resting.remove(&mut self.connections, first);
            // The exchange by which it is in use again pays for its way out.
            if self.connections.at(first).is_some_and(Connection::is_idle) {
                return self.connections.id_at(first);
            }
        }
        None
    }

    /// Why a request ends whose time is up in this phase: its own time, or everyone's.
    pub(crate) fn late(&self, phase: Phase) -> Refusal {
        match self.close {
            Some(at) if at <= self.now => Refusal::Closed,
            _ => Refusal::Deadline(phase),
        }
    }

    /// Makes a record about one thing.
    #[inline]
    pub(crate) fn note(&mut self, kind: Kind, rule: Rule, a: impl Id) {
        self.recorder.record(Record {
            at: self.now,
            kind,
            rule,
            from: 0,
            to: 0,
            a: pack(a),
            b: 0,
            value: 0,
        });
    }

    /// Makes a record about two things.
    #[inline]
    pub(crate) fn note_both(&mut self, kind: Kind, rule: Rule, a: impl Id, b: impl Id) {
        let b = pack(b);
        self.recorder.record(Record {
            at: self.now,
            kind,
            rule,
            from: 0,
            to: 0,
            a: pack(a),
            b,
            value: 0,
        });
    }

    /// Makes a record with a number.
    #[inline]
    pub(crate) fn note_value(&mut self, kind: Kind, a: impl Id, value: u64) {
        let rule = Rule::None;
        let at = self.now;
        self.recorder.record(Record { at, kind, rule, from: 0, to: 0, a: pack(a), b: 0, value });
    }
}
