//! The listening side: which connections are served, how long each may take to say what it
//! speaks, and how all of them are drained.
//!
//! It decides whether an accepted connection is served, when its TLS handshake begins, and when
//! all of them are told to end. Accepting, serving and closing are the driver's; what one
//! connection may do once its protocol is known is its engine's.
//!
//! ```text
//!   a connection: Silent --Handshaking--> Queued --a turn is free--> Shaking --Greeted--> Open
//!                        `--Greeted------------------------------------------------------^
//!   the listener: Serving --Drain--> Draining --last Closed, after Abort at the limit--> Drained
//! ```

use core::net::{IpAddr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use crate::arena::Arena;
use crate::id::ConnectionId;
use crate::machine::{Machine, Outbox};
use crate::time::{Duration, Instant};

mod advertise;
mod config;
mod cut;
#[cfg(test)]
mod tests;
mod trial;

pub use advertise::{Advertise, Advertised};
pub use config::{Config, WhenFull};
pub use cut::{Counts, Cut};
pub use trial::Trial;

/// What happened at the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was accepted; `Serve` or `TurnAway` follows.
    Accepted {
        /// Its client's address, where it has one.
        peer: Option<IpAddr>,
    },
    /// A served connection has begun a TLS handshake: `Handshake` follows when it has its turn.
    Handshaking(ConnectionId),
    /// It is known what a served connection speaks.
    Greeted(ConnectionId),
    /// A served connection is gone.
    Closed(ConnectionId),
    /// An engine or driver has refused, cut or timed something out.
    Cut(Cut),
    /// Accept nothing more and end what there is.
    Drain {
        /// How long it may take; `None` is as long as the settings say.
        limit: Option<Duration>,
    },
}

/// What the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve the connection that was just accepted, under this id.
    Serve(ConnectionId),
    /// Close the connection that was just accepted.
    TurnAway,
    /// Go on with the connection's TLS handshake.
    Handshake(ConnectionId),
    /// Accept nothing until `ResumeAccepting`.
    PauseAccepting,
    /// Accept again.
    ResumeAccepting,
    /// Stop listening.
    StopAccepting,
    /// Let the connection's streams end, then close it.
    Shutdown(ConnectionId),
    /// Close the connection now.
    Abort(ConnectionId),
    /// No connection is left, and none will come.
    Drained,
}

/// The connections of one listener.
#[derive(Clone, Debug)]
pub struct Downstream {
    config: Config,
    connections: Arena<ConnectionId, Connection>,
    /// How many connections each client address has, where that is limited.
    addresses: BTreeMap<IpAddr, u32>,
    /// When each connection that has not greeted is given up.
    deadlines: BTreeSet<(Instant, ConnectionId)>,
    /// Whose handshakes wait, first come first served.
    queue: BTreeMap<u64, ConnectionId>,
    queued: u64,
    shaking: u32,
    paused: bool,
    stage: Stage,
    accepted: u64,
    counts: Counts,
}

/// One connection as the listener knows it.
#[derive(Clone, Copy, Debug)]
struct Connection {
    address: Option<IpAddr>,
    greeting: Greeting,
    /// While it is greeting: when it is given up.
    until: Option<Instant>,
}

/// How far a connection has come in saying what it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Silent,
    /// Its handshake waits at this place.
    Queued(u64),
    Shaking,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Until when, where there is a limit.
    Draining(Option<Instant>),
    /// The limit has passed: every connection was told to end now.
    Cutting,
    Drained,
}

impl Downstream {
    /// Serves by these settings.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            connections: Arena::new(),
            addresses: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            queue: BTreeMap::new(),
            queued: 0,
            shaking: 0,
            paused: false,
            stage: Stage::Serving,
            accepted: 0,
            counts: Counts::new(),
        }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many connections are served now.
    pub const fn active(&self) -> usize {
        self.connections.len()
    }

    /// How many TLS handshakes are under way now.
    pub const fn handshakes(&self) -> u32 {
        self.shaking
    }

    /// How many were served since the beginning.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How often something was refused, cut or timed out since the beginning.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Why a connection from `address` would not be served now.
    fn refusal(&self, address: Option<IpAddr>) -> Option<Cut> {
        let here = address.and_then(|address| self.addresses.get(&address)).copied();
        if self.stage != Stage::Serving {
            Some(Cut::AcceptedDraining)
        } else if self.is_full() {
            Some(Cut::ConnectionLimit)
        } else if self.config.max_connections_per_address.is_some_and(|most| here >= Some(most)) {
            Some(Cut::AddressLimit)
        } else {
            None
        }
    }

    fn is_full(&self) -> bool {
        self.connections.len() >= self.config.max_connections as usize
    }

    fn on_accepted(&mut self, now: Instant, peer: Option<IpAddr>, out: &mut Outbox<Action>) {
        let limited = self.config.max_connections_per_address.is_some();
        let address = peer.filter(|_| limited).map(one_client);
        if let Some(cut) = self.refusal(address) {
            self.counts.add(cut);
            out.push(Action::TurnAway);
            return;
        }
        self.accepted += 1;
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
        let until = now + self.config.silence_timeout;
        let greeting = Greeting::Silent;
        let id = self.connections.insert(Connection { address, greeting, until: Some(until) });
        self.deadlines.insert((until, id));
        out.push(Action::Serve(id));
        self.pause(out);
    }

    fn on_handshaking(&mut self, now: Instant, id: ConnectionId, out: &mut Outbox<Action>) {
        let until = now + self.config.handshake_timeout;
        let place = self.queued;
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.greeting != Greeting::Silent {
            return;
        }
        // Who was given up already is not given more time.
        if let Some(before) = connection.until.replace(until) {
            self.deadlines.remove(&(before, id));
            self.deadlines.insert((until, id));
        } else {
            connection.until = None;
        }
        connection.greeting = Greeting::Queued(place);
        self.queued += 1;
        self.queue.insert(place, id);
        if self.shaking >= self.config.max_handshakes {
            self.counts.add(Cut::HandshakeWaited);
        }
        self.shake(out);
    }

    /// Gives turns to those who wait.
    fn shake(&mut self, out: &mut Outbox<Action>) {
        while self.shaking < self.config.max_handshakes
            && let Some((_, id)) = self.queue.pop_first()
        {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.greeting = Greeting::Shaking;
                self.shaking += 1;
                out.push(Action::Handshake(id));
            }
        }
    }

    fn on_greeted(&mut self, id: ConnectionId, out: &mut Outbox<Action>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let before = *connection;
        connection.greeting = Greeting::Open;
        connection.until = None;
        self.leave(id, before, out);
    }

    /// The connection greets no more.
    fn leave(&mut self, id: ConnectionId, connection: Connection, out: &mut Outbox<Action>) {
        if let Some(until) = connection.until {
            self.deadlines.remove(&(until, id));
        }
        match connection.greeting {
            Greeting::Queued(place) => {
                self.queue.remove(&place);
            }
            Greeting::Shaking => {
                self.shaking -= 1;
                self.shake(out);
            }
            Greeting::Silent | Greeting::Open => {}
        }
    }

    fn on_closed(&mut self, id: ConnectionId, out: &mut Outbox<Action>) {
        let Some(connection) = self.connections.remove(id) else { return };
        if let Some(address) = connection.address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
        self.leave(id, connection, out);
        self.pause(out);
        self.finish(out);
    }

    /// Pauses or resumes accepting where the limit is not one that turns away.
    fn pause(&mut self, out: &mut Outbox<Action>) {
        if self.config.when_full != WhenFull::Wait || self.stage != Stage::Serving {
            return;
        }
        let full = self.is_full();
        if full && !self.paused {
            self.counts.add(Cut::AcceptPaused);
            out.push(Action::PauseAccepting);
        } else if !full && self.paused {
            out.push(Action::ResumeAccepting);
        }
        self.paused = full;
    }

    fn on_drain(&mut self, now: Instant, limit: Option<Duration>, out: &mut Outbox<Action>) {
        let limit = limit.or(self.config.drain_timeout);
        let until = limit.map(|limit| now + limit);
        match self.stage {
            Stage::Serving => {
                self.stage = Stage::Draining(until);
                out.push(Action::StopAccepting);
                for (connection, _) in self.connections.iter() {
                    out.push(Action::Shutdown(connection));
                }
                self.finish(out);
            }
            // Who asks again may want less patience, never more.
            Stage::Draining(before) => {
                self.stage = Stage::Draining(before.into_iter().chain(until).min());
            }
            Stage::Cutting | Stage::Drained => {}
        }
    }

    fn finish(&mut self, out: &mut Outbox<Action>) {
        let ending = matches!(self.stage, Stage::Draining(_) | Stage::Cutting);
        if ending && self.connections.is_empty() {
            self.stage = Stage::Drained;
            out.push(Action::Drained);
        }
    }

    /// Gives up those who have not said in time what they speak.
    fn end_greetings(&mut self, now: Instant, out: &mut Outbox<Action>) {
        while let Some((until, id)) = self.deadlines.first().copied()
            && until <= now
        {
            self.deadlines.pop_first();
            let Some(connection) = self.connections.get_mut(id) else { continue };
            connection.until = None;
            self.counts.add(match connection.greeting {
                Greeting::Silent => Cut::SilenceTimeout,
                _ => Cut::HandshakeTimeout,
            });
            // It says Closed by itself, and only then is its place free.
            out.push(Action::Abort(id));
        }
    }

    fn end_drain(&mut self, now: Instant, out: &mut Outbox<Action>) {
        if let Stage::Draining(Some(until)) = self.stage
            && until <= now
        {
            // The connections say Closed by themselves; this is asked for only once.
            self.stage = Stage::Cutting;
            for (connection, _) in self.connections.iter() {
                self.counts.add(Cut::DrainConnection);
                out.push(Action::Abort(connection));
            }
        }
    }
}

/// The address that stands for a client: IPv6 gives each a /64 at least (RFC 6177).
fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Machine for Downstream {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        match event {
            Event::Accepted { peer } => self.on_accepted(now, peer, out),
            Event::Handshaking(connection) => self.on_handshaking(now, connection, out),
            Event::Greeted(connection) => self.on_greeted(connection, out),
            Event::Closed(connection) => self.on_closed(connection, out),
            Event::Cut(cut) => self.counts.add(cut),
            Event::Drain { limit } => self.on_drain(now, limit, out),
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        self.end_greetings(now, out);
        self.end_drain(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let drain = match self.stage {
            Stage::Draining(until) => until,
            Stage::Serving | Stage::Cutting | Stage::Drained => None,
        };
        let greeting = self.deadlines.first().map(|(at, _)| *at);
        drain.into_iter().chain(greeting).min()
    }

    fn check(&self) {
        let counted = self.connections.iter().count();
        assert_eq!(counted, self.connections.len(), "connections are counted right");
        assert!(counted <= self.config.max_connections as usize, "max_connections holds");
        assert!(self.stage != Stage::Drained || counted == 0, "drained with connections left");
        self.check_greetings();
        let mut addresses = BTreeMap::new();
        for (_, connection) in self.connections.iter() {
            if let Some(address) = connection.address {
                *addresses.entry(address).or_default() += 1_u32;
            }
        }
        assert_eq!(addresses, self.addresses, "addresses are counted right");
        let most = self.config.max_connections_per_address;
        let holds = |count: &u32| most.is_none_or(|most| *count <= most);
        assert!(addresses.values().all(holds), "max_connections_per_address holds");
    }
}

impl Downstream {
    fn check_greetings(&self) {
        let shaking = |(_, one): &(_, &Connection)| one.greeting == Greeting::Shaking;
        let counted = self.connections.iter().filter(shaking).count();
        assert_eq!(counted, self.shaking as usize, "handshakes are counted right");
        assert!(self.shaking <= self.config.max_handshakes, "max_handshakes holds");
        let turn = self.shaking < self.config.max_handshakes;
        assert!(self.queue.is_empty() || !turn, "a handshake waits though its turn is free");
        let queued = |(id, one): (ConnectionId, &Connection)| match one.greeting {
            Greeting::Queued(place) => Some((place, id)),
            _ => None,
        };
        let waiting: BTreeMap<_, _> = self.connections.iter().filter_map(queued).collect();
        assert_eq!(waiting, self.queue, "who waits for a handshake is in the queue");
        let timed = |(id, one): (ConnectionId, &Connection)| one.until.map(|until| (until, id));
        let deadlines: BTreeSet<_> = self.connections.iter().filter_map(timed).collect();
        assert_eq!(deadlines, self.deadlines, "who greets has a deadline");
    }
}
