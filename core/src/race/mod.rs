//! QUIC against TCP: which transport the next connection to an origin is made over, and when
//! another leg starts beside it (Envoy's connectivity grid).
//!
//! It owns no requests, no addresses and no timers but one. The pool says that it wants a
//! connection, the race starts *legs*, each of which becomes a connection of the pool, and
//! whichever is ready first serves whoever waits. What is known of the origin comes with the
//! event, from the ledger of alternatives; what the legs teach goes back to it by `Mark`.
//! docs/race.md says how they are joined.
//!
//! ```text
//!            Wanted, QUIC is offered            delay, or all QUIC has failed
//!   (idle) --------------------------> Alone ---------------------------------> Beside
//!     |  ^                               |                                        |
//!     |  `------ no leg is under way ----+----------------------------------------+
//!     `-- Wanted, QUIC is not offered, suspect or in use beside TCP --------------^
//! ```
//!
//! - RACE-QUIC-FIRST: QUIC only where it is offered, and then before TCP.
//! - RACE-DELAY: TCP starts when QUIC has run alone for the delay, the second family before it.
//! - RACE-QUIC-FAILED: what comes next starts at once when QUIC has failed: the second family
//!   where there is one and TCP keeps to its delay, else TCP.
//! - RACE-SUSPECT: TCP starts together with QUIC where QUIC failed lately.
//! - RACE-BEHIND: while QUIC is behind, more connections are made over TCP.
//! - RACE-LEARNT: QUIC starts beside a TCP connection in use, so that later requests find it.
//! - RACE-SECOND-KNOWN: the second family starts as soon as its addresses are known when it has won
//!   last.
//! - A QUIC leg that becomes ready aborts all others that are under way; a TCP leg aborts none,
//!   so that QUIC can serve what comes later.
//! - RACE-BROKEN: QUIC is broken when TCP connected and every QUIC leg of the race failed.
//! - RACE-SUSPECT-DEAD: it is suspect when an established leg died of silence, or when one failed
//!   that had carried early data.
//! - RACE-CONFIRMED: it is confirmed when its handshake is complete.
//! - What began on another network proves nothing about this one.
//!
//! ```
//! use regatta_core::race::{Action, Config, Event, Health, Leg, Mark, Offer, Race, Target};
//! use regatta_core::{Instant, Machine, Outbox};
//!
//! let mut race = Race::new(&Config::default());
//! let (mut out, at) = (Outbox::new(), Instant::from_millis);
//! let quic = Some(Offer { target: Target(0), health: Health::Unknown });
//! race.handle_event(at(0), Event::Wanted { quic, rtt: None }, &mut out);
//! let Some(Action::Start { leg: quic, runner: Leg::Quic, .. }) = out.pop() else { panic!() };
//!
//! assert_eq!(race.poll_timeout(), Some(at(300)));
//! race.handle_timeout(at(300), &mut out);
//! let Some(Action::Start { leg: tcp, runner: Leg::Tcp, .. }) = out.pop() else { panic!() };
//!
//! race.handle_event(at(310), Event::Connected(quic), &mut out);
//! let confirmed = Action::Mark { target: Target(0), mark: Mark::Confirmed };
//! assert_eq!(out.pop(), Some(confirmed));
//! assert_eq!(out.pop(), Some(Action::Abort(tcp)));
//! ```

mod check;
mod config;
mod early;
#[cfg(feature = "verify")]
mod snapshot;
mod steps;
#[cfg(test)]
mod tests;

use core::fmt;

use smallvec::SmallVec;

pub use config::{Config, Delay};
pub use early::{Again, Early, NoEarlyData, Refused, after_refusal, early_data};
#[cfg(feature = "verify")]
pub use snapshot::Snapshot;

use crate::arena::Arena;
use crate::id::Id;
use crate::machine::{Machine, Outbox};
use crate::record::Rule;
use crate::time::{Duration, Instant};

/// One runner of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// QUIC, to the addresses of the family that goes first.
    Quic,
    /// QUIC, to the first address of the other family.
    QuicFallback,
    /// TCP.
    Tcp,
}

impl Leg {
    /// Whether it is one of the two over QUIC.
    pub const fn is_quic(self) -> bool {
        !matches!(self, Self::Tcp)
    }

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::QuicFallback => "quic fallback",
            Self::Tcp => "tcp",
        }
    }
}

/// A leg, from its start until its connection is gone. Prints as `l3.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId {
    slot: u32,
    generation: u32,
}

impl LegId {
    /// Builds an id; for drivers that keep them packed, and tests that forge stale ones.
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
}

impl Id for LegId {
    fn new(slot: u32, generation: u32) -> Self {
        Self::new(slot, generation)
    }
    fn slot(self) -> usize {
        self.slot as usize
    }
    fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "l{}.{}", self.slot, self.generation)
    }
}

/// The number by which the owner knows an alternative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(pub u32);

/// How QUIC has worked there, as far as it matters here; what is broken is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It was not tried.
    Unknown,
    /// It worked the last time.
    Confirmed,
    /// It failed lately.
    Suspect,
    /// It failed this very request after its handshake: it goes over TCP, and where that
    /// connects QUIC is broken (Envoy's `http3-post-connect-failure`).
    Failed,
}

/// QUIC, offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offer {
    /// Which alternative.
    pub target: Target,
    /// How it has worked.
    pub health: Health,
}

/// What happened outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection is wanted. Nothing happens where [`Race::next`] says so.
    Wanted {
        /// The best alternative over QUIC, where one is known and not broken.
        quic: Option<Offer>,
        /// The smoothed round trip to the origin, where it is known.
        rtt: Option<Duration>,
    },
    /// Nobody waits for a connection any more: TCP legs under way are aborted, nothing more
    /// starts, and QUIC goes on.
    Unwanted,
    /// A request went to a TCP connection although QUIC is offered.
    Served {
        /// The best alternative over QUIC.
        quic: Offer,
        /// As with `Wanted`.
        rtt: Option<Duration>,
    },
    /// Where the first leg over QUIC goes there are addresses of both families, or there are not;
    /// so long as nothing is said since that leg began there are not.
    BothFamilies(bool),
    /// A leg's handshakes are complete.
    Connected(LegId),
    /// A leg failed before they were.
    Failed {
        /// Which.
        leg: LegId,
        /// Whether a request had gone with its first flight.
        early_data: bool,
    },
    /// A leg was not made, as there was no room for it, or given up, as nobody needs it. It has not
    /// failed, so that nothing is learnt of QUIC.
    Withdrawn(LegId),
    /// A connection that a leg had become is gone.
    Closed {
        /// Which.
        leg: LegId,
        /// Whether the peer had stopped answering.
        silent: bool,
    },
    /// Another network.
    NetworkChanged,
    /// Nothing starts from now on.
    Drain,
}

/// What is learnt of an alternative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// RACE-BROKEN.
    Broken,
    /// RACE-SUSPECT-DEAD.
    Suspect,
    /// RACE-CONFIRMED.
    Confirmed,
}

/// What is to be done outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a connection; `Connected`, `Failed` or `Withdrawn` follows, unless it is aborted, and
    /// `Closed` follows `Connected`.
    Start {
        /// Its id from now on.
        leg: LegId,
        /// Over what.
        runner: Leg,
        /// To which alternative, where it is over QUIC.
        target: Option<Target>,
        /// Why now.
        rule: Rule,
    },
    /// Give a leg up; nothing more is expected of it.
    Abort(LegId),
    /// Tell the ledger.
    Mark {
        /// Of which alternative.
        target: Target,
        /// What.
        mark: Mark,
    },
    /// Every leg has failed and none will start: who waits hears it.
    GiveUp,
}

impl Mark {
    /// By which rule.
    pub const fn rule(self) -> Rule {
        match self {
            Self::Broken => Rule::RaceBroken,
            Self::Suspect => Rule::RaceSuspectDead,
            Self::Confirmed => Rule::RaceConfirmed,
        }
    }
}

/// What becomes of one more `Wanted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Next {
    /// A race begins, with QUIC; TCP beside it, or later.
    Quic,
    /// A connection is made over TCP.
    Tcp,
    /// QUIC still runs alone: nothing starts before its delay.
    Wait,
    /// `max_legs` is reached.
    Full,
    /// Nothing starts any more.
    Draining,
}

#[derive(Clone, Copy, Debug)]
struct Runner {
    runner: Leg,
    target: Target,
    /// On which network it began.
    network: u32,
    established: bool,
}

/// From the first leg until none is under way.
#[derive(Clone, Debug)]
struct Round {
    /// QUIC, where this race is about it.
    target: Option<Target>,
    network: u32,
    /// When QUIC has run alone for long enough.
    until: Option<Instant>,
    /// It has.
    due: bool,
    /// TCP does not wait for that.
    at_once: bool,
    /// QUIC failed before this race began, and is not tried in it.
    failed_before: bool,
    /// Somebody waits for a connection.
    wanted: bool,
    /// Nobody does any more.
    quiet: bool,
    /// TCP was started, or is in use.
    tcp: bool,
    /// TCP connected, or was connected when this race began.
    tcp_ok: bool,
    quic_ok: bool,
    /// The second family was started.
    second: bool,
    /// QUIC is not broken whatever else fails: a leg of it had carried early data, which makes it
    /// suspect, or was withdrawn.
    spared: bool,
    broken: bool,
    /// Those under way, in the order of their start.
    legs: SmallVec<[LegId; 4]>,
}

/// The race between the transports to one origin.
#[derive(Clone, Debug)]
pub struct Race {
    config: Config,
    legs: Arena<LegId, Runner>,
    round: Option<Round>,
    /// Where the first leg over QUIC of this race goes there are addresses of both.
    both_families: bool,
    /// The second family has won last, on this network.
    second_won: bool,
    network: u32,
    draining: bool,
    /// Established legs over QUIC.
    quic: u32,
    stale: u64,
}

impl Race {
    /// Nothing is under way.
    pub fn new(config: &Config) -> Self {
        let mut config = config.clone();
        config.max_legs = config.max_legs.max(1);
        Self {
            config,
            legs: Arena::new(),
            round: None,
            both_families: false,
            second_won: false,
            network: 0,
            draining: false,
            quic: 0,
            stale: 0,
        }
    }

    /// What one more [`Event::Wanted`] leads to: the same function decides and explains.
    pub fn next(&self, quic: Option<Offer>) -> Next {
        let quic = quic.is_some_and(|offer| offer.health != Health::Failed);
        match &self.round {
            _ if self.draining => Next::Draining,
            _ if self.is_full() => Next::Full,
            None if quic => Next::Quic,
            None => Next::Tcp,
            Some(round) if !quic || self.is_beside(round) => Next::Tcp,
            Some(_) => Next::Wait,
        }
    }

    /// Whether a QUIC connection is established: it takes every later request.
    pub const fn has_quic(&self) -> bool {
        self.quic > 0
    }

    /// Whether a race is under way that QUIC runs in, or has run in.
    pub fn is_about_quic(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.target.is_some())
    }

    /// How many legs are under way, established ones not among them.
    pub fn running(&self) -> usize {
        self.round.as_ref().map_or(0, |round| round.legs.len())
    }

    /// How many events named a leg that is gone, or that is not in the state that they speak of.
    pub const fn stale(&self) -> u64 {
        self.stale
    }

    fn is_full(&self) -> bool {
        self.legs.len() >= self.config.max_legs as usize
    }
}

impl Machine for Race {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        match event {
            Event::Wanted { quic, rtt } => self.on_wanted(now, quic, rtt, out),
            Event::Unwanted => self.on_unwanted(out),
            Event::Served { quic, rtt } => self.on_served(now, quic, rtt, out),
            Event::BothFamilies(both) => self.on_both_families(both, out),
            Event::Connected(leg) => self.on_connected(leg, out),
            Event::Failed { leg, early_data } => self.on_failed(leg, early_data, out),
            Event::Withdrawn(leg) => self.on_withdrawn(leg),
            Event::Closed { leg, silent } => self.on_closed(leg, silent, out),
            Event::NetworkChanged => self.on_network_changed(),
            Event::Drain => self.on_drain(),
        }
        self.advance(now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        self.advance(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.round.as_ref()?.until
    }

    fn check(&self) {
        self.recount();
    }
}
