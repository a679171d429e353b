//! The clocks of a pool: one list per configured duration, the earliest first.

use super::tables::{ByClock, Clock};
use super::{Action, Out, Pool, State, Turn};
use crate::id::ConnectionId;
use crate::list::Chain;
use crate::record::{Kind, Rule};
use crate::time::{Duration, Instant};

/// One list for each clock's connections, the earliest first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Clocks {
    /// Every exchange of HTTP/1 touches this one.
    idle: Chain<ByClock>,
    connect: Chain<ByClock>,
    drain: Chain<ByClock>,
}

impl Clocks {
    pub(super) const fn of(&self, clock: Clock) -> &Chain<ByClock> {
        match clock {
            Clock::Connect => &self.connect,
            Clock::Idle => &self.idle,
            Clock::Drain => &self.drain,
        }
    }

    pub(super) const fn of_mut(&mut self, clock: Clock) -> &mut Chain<ByClock> {
        match clock {
            Clock::Connect => &mut self.connect,
            Clock::Idle => &mut self.idle,
            Clock::Drain => &mut self.drain,
        }
    }
}

impl Pool {
    pub(super) fn duration(&self, clock: Clock) -> Option<Duration> {
        match clock {
            Clock::Connect => Some(self.config.connect_timeout),
            Clock::Idle => self.config.idle_timeout,
            Clock::Drain => self.config.drain_timeout,
        }
    }
}

impl<O: Out> Turn<'_, O> {
    /// Starts a clock of a connection that has none running; one without duration never fires.
    pub(super) fn start_clock(&mut self, connection: ConnectionId, clock: Clock) {
        let Some(duration) = self.pool.duration(clock) else { return };
        match self.tables.connections.get_mut(connection) {
            Some(slot) if slot.clock.is_none() => {
                slot.start_clock(clock, self.now, self.pool.clocks.of(clock));
            }
            _ => return,
        }
        self.started_clock(connection, clock, duration);
    }

    /// Tells a clock's list, and the pool, of what was started in the connection's slot.
    #[inline(always)]
    pub(super) fn started_clock(
        &mut self,
        connection: ConnectionId,
        clock: Clock,
        duration: Duration,
    ) {
        let list = self.pool.clocks.of_mut(clock);
        list.joined_back(&mut self.tables.connections, connection.slot());
        self.pool.wake = self.pool.wake.min(self.now + duration);
    }

    /// Stops a clock, if that one runs.
    #[inline]
    pub(super) fn stop_clock(&mut self, connection: ConnectionId, clock: Clock) {
        let Some(slot) = self.tables.connections.get_mut(connection) else { return };
        if let Some(link) = slot.stop_clock(clock) {
            self.pool.clocks.of_mut(clock).left(&mut self.tables.connections, link);
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
        for clock in Clock::ALL {
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
        let Some(slot) = self.tables.connections.get(connection) else { return };
        match (clock, slot.state) {
            (Clock::Connect, State::Connecting) => {
                self.tables.note(Kind::ConnectTimeout, Rule::None, connection);
                self.out.push(Action::ConnectTimedOut(connection));
            }
            (Clock::Connect, State::EarlyData) => {
                self.tables.note(Kind::ConnectTimeout, Rule::None, connection);
                self.give_up(connection);
            }
            (Clock::Idle, _) => {
                self.tables.note(Kind::IdleTimeout, Rule::None, connection);
                self.drain(connection);
            }
            // A probe without answer, or a drain that takes too long.
            (Clock::Connect | Clock::Drain, _) => {
                let probe = clock == Clock::Connect;
                self.tables.begin_close(connection);
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
        let list = self.pool.clocks.of(clock);
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
        for clock in Clock::ALL {
            if let Some(duration) = self.pool.duration(clock)
                && let Some(first) =
                    self.pool.clocks.of(clock).first().and_then(|at| self.tables.connections.at(at))
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
