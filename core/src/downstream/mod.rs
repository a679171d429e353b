//! The listening side: how many connections are served, and how they are drained.
//!
//! It decides whether an accepted connection is served and when all of them are told to end.
//! Accepting, serving and closing are the driver's.
//!
//! ```text
//!   Serving --Drain--> Draining --last Closed or drain_timeout--> Drained
//! ```

use crate::arena::Arena;
use crate::id::ConnectionId;
use crate::machine::{Machine, Outbox};
use crate::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Settings of a listener's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Most connections at once; more are closed as soon as they are accepted. Default 16,384
    /// (Envoy's listener has no limit of its own, but its edge guide asks for one).
    pub max_connections: u32,
    /// How long streams may go on after a drain began; then they are cut. Default 600 s
    /// (Envoy's `--drain-time-s`); `None` waits as long as they need.
    pub drain_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_connections: 16_384, drain_timeout: Some(Duration::from_secs(600)) }
    }
}

/// What happened at the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was accepted; `Serve` or `Turn away` follows.
    Accepted,
    /// A served connection is gone.
    Closed(ConnectionId),
    /// Accept nothing more and end what there is.
    Drain,
}

/// What the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve the connection that was just accepted, under this id.
    Serve(ConnectionId),
    /// Close the connection that was just accepted.
    TurnAway,
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
    connections: Arena<ConnectionId, ()>,
    stage: Stage,
    turned_away: u64,
    accepted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Until when, where there is a limit.
    Draining(Option<Instant>),
    Drained,
}

impl Downstream {
    /// Serves by these settings.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            connections: Arena::new(),
            stage: Stage::Serving,
            turned_away: 0,
            accepted: 0,
        }
    }

    /// How many connections are served now.
    pub const fn active(&self) -> usize {
        self.connections.len()
    }

    /// How many were served since the beginning.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many were turned away since the beginning.
    pub const fn turned_away(&self) -> u64 {
        self.turned_away
    }

    fn on_accepted(&mut self, out: &mut Outbox<Action>) {
        let full = self.connections.len() >= self.config.max_connections as usize;
        if full || self.stage != Stage::Serving {
            self.turned_away += 1;
            out.push(Action::TurnAway);
            return;
        }
        self.accepted += 1;
        out.push(Action::Serve(self.connections.insert(())));
    }

    fn on_closed(&mut self, connection: ConnectionId, out: &mut Outbox<Action>) {
        if self.connections.remove(connection).is_some() {
            self.finish(out);
        }
    }

    fn on_drain(&mut self, now: Instant, out: &mut Outbox<Action>) {
        if self.stage != Stage::Serving {
            return;
        }
        self.stage = Stage::Draining(self.config.drain_timeout.map(|limit| now + limit));
        out.push(Action::StopAccepting);
        for (connection, ()) in self.connections.iter() {
            out.push(Action::Shutdown(connection));
        }
        self.finish(out);
    }

    fn finish(&mut self, out: &mut Outbox<Action>) {
        if matches!(self.stage, Stage::Draining(_)) && self.connections.is_empty() {
            self.stage = Stage::Drained;
            out.push(Action::Drained);
        }
    }
}

impl Machine for Downstream {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        match event {
            Event::Accepted => self.on_accepted(out),
            Event::Closed(connection) => self.on_closed(connection, out),
            Event::Drain => self.on_drain(now, out),
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        if let Stage::Draining(Some(until)) = self.stage
            && until <= now
        {
            // The connections say Closed by themselves; this is asked for only once.
            self.stage = Stage::Draining(None);
            for (connection, ()) in self.connections.iter() {
                out.push(Action::Abort(connection));
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Draining(until) => until,
            Stage::Serving | Stage::Drained => None,
        }
    }

    fn check(&self) {
        let counted = self.connections.iter().count();
        assert_eq!(counted, self.connections.len(), "connections are counted right");
        assert!(counted <= self.config.max_connections as usize, "max_connections holds");
        assert!(self.stage != Stage::Drained || counted == 0, "drained with connections left");
    }
}
