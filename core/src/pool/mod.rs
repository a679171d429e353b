//! The pool: the connections and waiting requests of one key, all protocols in one table.
//!
//! It decides which request goes on which connection, when a connection is made, drained and
//! closed, and what becomes of a request whose stream failed. It leaves to its owner how a
//! connection is established (names, addresses, attempts) and carries no bytes.
//!
//! ```text
//!             Connected, room                Limit, last room assigned
//! Connecting ----------------> Ready <-----------------------------------> Busy
//!     |    \                     |        Limit, StreamEnded, room           |
//!     |     \ Connected, no room |                                          |
//!     |      `-------------------|----------------------------------------->|
//!     |                          |  Refusing, max_requests_per_connection,   |
//!     | ConnectFailed            v  max_connection_duration, idle, Drain     v
//!     v                          +---------------> Draining <---------------+
//!   Closed <-------------------------------------------'  Closed
//! ```
//!
//! - Where early data is offered a connecting connection becomes EarlyData and takes requests that
//!   may go so (`early.rs`); its handshake is not complete, and all else holds as if they waited.
//! - One queue: a request waits once, first come first served, and is cancelled in O(1).
//! - Ready connections are taken by rank (HTTP/3, HTTP/2, HTTP/1), then the most recently used.
//! - Limits are absolute: what is in use is subtracted here, so a limit may fall below it.
//! - [`Admission`] says whether a connection is made, and why not; it has no side effects.
//! - When the last connecting connection failed and none is left that grants streams, all that
//!   wait are refused with its reason (POOL-LAST-CONNECT-FAILED).
//! - Whether a failed stream's request goes again: `resend.rs` has the rules.
//! - One call ends or assigns at most `burst` requests; the rest follows at once in the next.
//!
//! The slots of requests and connections are shared by all pools of an upstream. A [`Solo`] is
//! a pool with tables of its own: the machine by itself.

mod admission;
mod check;
mod config;
mod connections;
mod early;
mod event;
mod handshakes;
mod legs;
mod mute;
mod queue;
mod resend;
mod shelves;
#[cfg(feature = "verify")]
mod snapshot;
mod solo;
mod tables;
#[cfg(test)]
mod tests;
mod timeouts;

use std::sync::Arc;

pub use admission::Admission;
pub use config::Config;
pub use event::{Action, Event};
pub(crate) use handshakes::Handshakes;
pub(crate) use legs::Leg;
#[cfg(feature = "verify")]
pub use snapshot::{Names, Snapshot};
pub use solo::{Solo, SoloConfig};
pub(crate) use tables::{Place, Request, Tables};

use tables::{ByAge, ByState, Queue};
use timeouts::Clocks;

use crate::id::{ConnectionId, PoolId, RequestId};
use crate::list::{Chain, List};
use crate::machine::Outbox;
use crate::record::{Kind, Rule};
use crate::time::Instant;
use crate::types::{AllFailed, Outcome, Refusal};

/// What a connection is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Being established.
    Connecting,
    /// Being established; takes requests that may go in early data (HTTP/3 alone).
    EarlyData,
    /// Has room for a stream.
    Ready,
    /// Established without room.
    Busy,
    /// Takes nothing new; closes when its last stream has ended.
    Draining,
    /// Gone.
    Closed,
}

impl State {
    /// Every one; a record has its number.
    pub const ALL: [Self; 6] =
        [Self::Connecting, Self::EarlyData, Self::Ready, Self::Busy, Self::Draining, Self::Closed];
}

/// How many lists of ready connections there are: of each rank the idle ones and those in use.
const SHELVES: usize = 6;

/// Those lists.
type Shelves = [Chain<ByState>; SHELVES];

/// One pool's part of the state; its requests and connections are in [`Tables`].
///
/// The first 128 bytes, two lines of the cache where its owner puts it, are all of it that an
/// exchange on a ready connection touches.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Pool {
    config: Arc<Config>,
    /// When a clock may be due; may be early, is never late.
    pub(crate) wake: Instant,
    /// What the open ones have left; a limit may have fallen below what is in use.
    room: i64,
    pub(crate) waiting: List<Queue>,
    /// Those whom the last failure or overflow ended and who were not told yet.
    failing: List<Queue>,
    /// Requests on a connection.
    active: u32,
    /// How many connections it has, in whatever state.
    members: u32,
    /// The index of its circuit breakers in [`Tables`].
    breaker: u32,
    /// Has a connection or a waiting request.
    pub(crate) occupied: bool,
    draining: bool,
    /// POOL-PRECONNECT is to be judged: a request came, or was given a connection.
    ahead: bool,
    /// A connection is needed, and it waits for its turn to begin one, or for a socket.
    pub(crate) wants_turn: bool,
    /// The call's budget ended before the work did.
    pub(crate) unfinished: bool,
    /// Only HTTP/1 can come out of its connections.
    http1_alone: bool,
    /// By rank: HTTP/1, HTTP/2, HTTP/3; the most recently used first.
    ready: Shelves,
    /// Busy, probing and draining.
    held: Chain<ByState>,
    clocks: Clocks,
    pub(crate) id: PoolId,
    /// Newest first.
    connecting: List<ByState>,
    /// Which batch of waiting requests has not failed.
    batch: u32,
    /// How many are established and not draining.
    open: u32,
    /// How many of those grant no stream at all.
    shut: u32,
    probing: Option<ConnectionId>,
    /// How many streams the last established connection granted.
    granted: Option<u32>,
    failure: Option<(Refusal, Option<Arc<AllFailed>>)>,
    ages: Chain<ByAge>,
    /// The transports race for its connections: it wants them, and does not make them.
    races: bool,
    /// The race lets nothing more begin for now.
    pub(crate) holds: bool,
    /// The race is being told that a connection is wanted; whether one more is, is judged then.
    wished: bool,
    /// How many legs the race has started that wait for a socket or for their turn.
    owed: u32,
    /// How many take early data.
    early: u32,
    /// Requests on those, and on connections whose peers have stopped answering: they are as good
    /// as waiting.
    hoping: u32,
}

impl Pool {
    pub(crate) fn new(id: PoolId, config: Arc<Config>, breaker: u32, http1_alone: bool) -> Self {
        Self {
            config,
            wake: Instant::MAX,
            room: 0,
            waiting: List::default(),
            failing: List::default(),
            active: 0,
            members: 0,
            breaker,
            occupied: false,
            draining: false,
            ahead: false,
            wants_turn: false,
            unfinished: false,
            http1_alone,
            ready: [Chain::default(); SHELVES],
            held: Chain::default(),
            clocks: Clocks::default(),
            id,
            connecting: List::default(),
            batch: 0,
            open: 0,
            shut: 0,
            probing: None,
            granted: None,
            failure: None,
            ages: Chain::default(),
            races: false,
            holds: false,
            wished: false,
            owed: 0,
            early: 0,
            hoping: 0,
        }
    }

    /// How many connections it has, in whatever state.
    pub(crate) const fn connections(&self) -> u32 {
        self.members
    }

    /// Whether nobody waits and nothing is made ahead of need: settling would change nothing.
    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.failing.is_empty() && !self.is_eager()
    }

    /// How many requests wait, those whose refusal is under way included.
    pub(crate) const fn queued(&self) -> u32 {
        self.waiting.len() + self.failing.len()
    }

    /// How many streams a connection that is being established counts for.
    pub(crate) fn assumed(&self) -> u32 {
        if self.http1_alone {
            return 1;
        }
        let most = self.config.max_requests_per_connection.map_or(u32::MAX, u32::from);
        self.granted
            .unwrap_or_else(|| self.config.assumed_streams.get())
            .min(self.config.max_concurrent_streams.get())
            .min(most)
            .max(1)
    }
}

/// Where a pool's actions go.
pub(crate) trait Out {
    /// Adds an action behind all others.
    fn push(&mut self, action: Action);

    /// The two actions of every exchange come this way, so that they can be kept as they are.
    #[inline(always)]
    fn assign(&mut self, request: RequestId, connection: ConnectionId) {
        self.push(Action::Assign { request, connection });
    }

    /// The transports race for this pool, and it would make a connection: the race says which.
    /// Nobody races for a pool by itself.
    fn want(&mut self) {}

    /// As [`Out::assign`], for an exchange that is complete.
    #[inline(always)]
    fn complete(&mut self, request: RequestId) {
        self.push(Action::Finished { request, outcome: Outcome::Complete });
    }
}

impl Out for &mut Outbox<Action> {
    fn push(&mut self, action: Action) {
        Outbox::push(self, action);
    }
}

/// All that one pool may touch while it decides.
pub(crate) struct Turn<'a, O> {
    /// The pool's own.
    pub(crate) id: PoolId,
    pub(crate) now: Instant,
    pub(crate) pool: &'a mut Pool,
    pub(crate) tables: &'a mut Tables,
    pub(crate) out: O,
}

impl<O: Out> Turn<'_, O> {
    /// Takes in what happened to a connection, a request, or everything.
    pub(crate) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Requested { method, deadline } => {
                self.on_requested(method, deadline);
            }
            Event::Cancelled(request) => self.on_cancelled(request),
            Event::Connected { connection, protocol, limit } => {
                self.on_connected(connection, protocol, limit);
            }
            Event::ConnectFailed { connection, failed } => {
                self.on_connect_failed(connection, failed, false);
            }
            Event::Limit { connection, limit } => self.on_limit(connection, limit),
            Event::Refusing(connection) => self.on_refusing(connection),
            Event::StreamEnded { connection, request, outcome, retry, body } => {
                self.on_stream_ended(connection, request, outcome, retry, body);
            }
            Event::Probed(connection) => self.on_probed(connection),
            Event::Closed { connection, cause } => self.on_closed(connection, cause),
            Event::Renew => self.on_renew(),
            Event::Drain => self.on_drain(),
        }
    }

    /// Brings everything to rest: tells who failed, serves who waits, makes connections.
    #[inline]
    fn settle(&mut self) {
        self.pool.unfinished = false;
        let quiet = self.pool.is_quiet();
        let pool = &*self.pool;
        if quiet && pool.members > 0 && pool.occupied && !pool.draining && !pool.wants_turn {
            return;
        }
        self.settle_all(quiet);
    }

    /// As [`Turn::settle`], but makes no connection.
    fn settle_without_growth(&mut self) {
        self.pool.unfinished = false;
        self.fail();
        self.pump(true);
        self.rest();
    }

    #[inline(never)]
    fn settle_all(&mut self, quiet: bool) {
        if !quiet {
            self.fail();
            self.pump(true);
            self.grow();
        }
        self.rest();
    }

    /// What is left to do when no connection is to be made.
    fn rest(&mut self) {
        // POOL-PRECONNECT has been judged, unless the budget ended before, or the race says first
        // what becomes of one connection.
        self.pool.ahead &= self.pool.unfinished || self.pool.wished;
        // Nor does a leg stand in line for whom nobody waits.
        self.pool.wants_turn &= !self.pool.nobody_waits();
        if self.pool.draining && self.pool.nobody_waits() {
            self.drain_all();
        }
        let pool = &mut *self.pool;
        let occupied =
            pool.connections() > 0 || !pool.waiting.is_empty() || !pool.failing.is_empty();
        if occupied != pool.occupied {
            pool.occupied = occupied;
            self.take_or_give(crate::limits::Resource::Pools, occupied);
        }
    }

    /// Goes on where the last call's budget ended.
    pub(crate) fn resume(&mut self) {
        if self.pool.unfinished {
            self.settle();
        }
    }

    /// Its turn to begin a connection has come, if it still needs one.
    pub(crate) fn on_turn(&mut self) {
        self.pool.wants_turn = false;
        self.settle();
    }

    #[cold]
    #[inline(never)]
    fn stale(&mut self, id: impl crate::id::Id) {
        self.tables.note(Kind::Stale, Rule::None, id);
    }

    fn may(&self, what: crate::limits::Resource) -> bool {
        self.pool.may(self.tables, what)
    }

    fn take_or_give(&mut self, what: crate::limits::Resource, take: bool) {
        if let Some(limits) = self.tables.limits.get_mut(self.pool.breaker as usize) {
            if take {
                limits.take(what);
            } else {
                limits.give(what);
            }
        }
    }
}
