//! The clocks of a pool: one list per configured duration, the earliest first.

use super::tables::{ByClock, Clock};
use super::{Action, Out, Pool, State, Turn};
use crate::id::ConnectionId;
use crate::list::List;
use crate::record::{Kind, Rule};
use crate::time::{Duration, Instant};

impl Pool {
    pub(super) fn duration(&self, clock: Clock) -> Option<Duration> {
        match clock {
            Clock::Connect => Some(self.config.connect_timeout),
            Clock::Idle => self.config.idle_timeout,
            Clock::Drain => self.config.drain_timeout,
        }
    }

    fn clock(&mut self, clock: Clock) -> Option<&mut List<ByClock>> {
        self.clocks.get_mut(clock as usize)
    }
}

impl<O: Out> Turn<'_, O> {
    /// Starts a clock of a connection that has none running; one without duration never fires.
    pub(super) fn start_clock(&mut self, connection: ConnectionId, clock: Clock) {
        let Some(duration) = self.pool.duration(clock) else { return };
        let now = self.now;
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.clock.is_none() => {
                slot.clock = Some(clock);
                slot.since = now;
            }
            _ => return,
        }
        self.pool.wake = self.pool.wake.min(now + duration);
        if let Some(list) = self.pool.clock(clock) {
            list.push_back(&mut self.tables.connections, connection.slot());
        }
    }

    /// Stops a clock, if that one runs.
    pub(super) fn stop_clock(&mut self, connection: ConnectionId, clock: Clock) {
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.clock == Some(clock) => slot.clock = None,
            _ => return,
        }
        if let Some(list) = self.pool.clock(clock) {
            list.remove(&mut self.tables.connections, connection.slot());
        }
    }

    /// Watches an established connection's age, if that has a limit.
    pub(super) fn start_age(&mut self, connection: ConnectionId) {
        let Some(most) = self.pool.config.max_connection_duration else { return };
        if let Some(slot) = self.tables.connections.get_mut(connection)
            && !slot.aging
        {
            slot.aging = true;
            self.pool.ages.push_back(&mut self.tables.connections, connection.slot());
            self.pool.wake = self.pool.wake.min(self.now + most);
        }
    }

    pub(super) fn stop_age(&mut self, connection: ConnectionId) {
        if let Some(slot) = self.tables.connections.get_mut(connection)
            && slot.aging
        {
            slot.aging = false;
            self.pool.ages.remove(&mut self.tables.connections, connection.slot());
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self) {
        if self.now < self.pool.wake {
            return;
        }
        self.pool.wake = Instant::MAX;
        let (mut timed_out, mut fired) = (false, self.pool.unfinished);
        for clock in [Clock::Connect, Clock::Idle, Clock::Drain] {
            while let Some(connection) = self.due(clock) {
                self.stop_clock(connection, clock);
                timed_out |= clock == Clock::Connect && self.is_connecting(connection);
                self.on_clock(connection, clock);
                fired = true;
            }
        }
        while let Some(connection) = self.due_age() {
            self.tables.note(Kind::MaxDuration, Rule::None, connection);
            self.drain(connection);
            fired = true;
        }
        if timed_out {
            // POOL-LAST-CONNECT-FAILED: its failure is told next. One that was begun in its
            // place would make it not the last, for ever.
            self.settle_without_growth();
        } else if fired {
            // The deadline of what is gone already is no reason to begin anything.
            self.settle();
        }
        self.rewind();
    }

    fn is_connecting(&self, connection: ConnectionId) -> bool {
        let slot = self.tables.connections.get(connection);
        slot.is_some_and(|slot| slot.state == State::Connecting)
    }

    fn on_clock(&mut self, connection: ConnectionId, clock: Clock) {
        let Some(slot) = self.tables.connections.get_mut(connection) else { return };
        match (clock, slot.state) {
            (Clock::Connect, State::Connecting) => {
                self.tables.note(Kind::ConnectTimeout, Rule::None, connection);
                self.out.push(Action::ConnectTimedOut(connection));
            }
            (Clock::Idle, _) => {
                self.tables.note(Kind::IdleTimeout, Rule::None, connection);
                self.drain(connection);
            }
            // A probe without answer, or a drain that takes too long.
            (Clock::Connect | Clock::Drain, _) => {
                let probe = clock == Clock::Connect;
                slot.closing = true;
                if probe {
                    self.drain(connection);
                    self.stop_clock(connection, Clock::Drain);
                }
                self.out.push(Action::Abort(connection));
            }
        }
    }

    /// The first connection whose clock has run out.
    fn due(&self, clock: Clock) -> Option<ConnectionId> {
        let duration = self.pool.duration(clock)?;
        let list = self.pool.clocks.get(clock as usize)?;
        let first = self.tables.connections.at(list.first()?)?;
        (first.since + duration <= self.now).then(|| list.first_id(&self.tables.connections))?
    }

    fn due_age(&self) -> Option<ConnectionId> {
        let most = self.pool.config.max_connection_duration?;
        let first = self.tables.connections.at(self.pool.ages.first()?)?;
        let due = first.connected? + most <= self.now;
        due.then(|| self.pool.ages.first_id(&self.tables.connections))?
    }

    /// Finds the earliest deadline again after some have fired.
    fn rewind(&mut self) {
        for clock in [Clock::Connect, Clock::Idle, Clock::Drain] {
            if let Some(duration) = self.pool.duration(clock)
                && let Some(list) = self.pool.clocks.get(clock as usize)
                && let Some(first) = list.first().and_then(|at| self.tables.connections.at(at))
            {
                self.pool.wake = self.pool.wake.min(first.since + duration);
            }
        }
        if let Some(most) = self.pool.config.max_connection_duration
            && let Some(first) = self.pool.ages.first()
            && let Some(connected) = self.tables.connections.at(first).and_then(|c| c.connected)
        {
            self.pool.wake = self.pool.wake.min(connected + most);
        }
    }
}
