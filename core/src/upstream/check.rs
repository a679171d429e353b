//! Recounts the whole upstream.

use super::Upstream;
use crate::machine::Machine;
use crate::pool::State;

impl Upstream {
    /// Recounts every counter and index from the tables and panics on the first lie. For tests,
    /// fuzzers and the simulator; production never calls it.
    pub fn check(&self) {
        self.tables.check(self.pools.iter().map(|(_, member)| &member.pool));
        self.pool_timers.check();
        self.race_timers.check();
        assert!(self.inner.is_empty() && self.eyes.is_empty(), "an inner action was left");
        self.check_pools();
        self.check_races();
        assert!(self.legs.is_empty() && !self.wants, "a leg was left");
        self.check_grids();
        let own = self.races.iter().flatten().filter(|race| race.own_host).map(|race| race.host);
        self.hosts.check(self.pools.iter().map(|(_, member)| member.host).chain(own));
    }

    fn check_pools(&self) {
        self.empties.check(&self.pools, "empty pools");
        self.check_turns();
        let mut empty = 0;
        for (id, member) in self.pools.iter() {
            assert_eq!(member.id(), id);
            assert_eq!(
                self.origins.find(self.origins.hash_key(&member.key), |known| known == id),
                Some(id),
                "{id}"
            );
            assert_eq!(member.is_empty, !member.pool.occupied, "{id}: listed as empty");
            assert_eq!(member.in_line, self.unfinished.contains(&id), "{id}: stands in line");
            assert!(!member.pool.unfinished || member.in_line, "{id} is forgotten unfinished");
            empty += usize::from(member.is_empty);
            let armed = self.pool_timers.get(id.slot());
            assert_eq!(armed.unwrap_or(crate::Instant::MAX), member.armed, "{id}: its deadline");
            let wake = member.pool.wake;
            let late = armed.is_none_or(|armed| armed > wake);
            assert!(wake == crate::Instant::MAX || !late, "{id} would wake late");
        }
        assert_eq!(self.empties.len() as usize, empty, "pools in the list of empty ones");
        assert_eq!(self.origins.len(), self.pools.len(), "origins and pools");
        assert!(self.pools.len() <= self.max_pools, "more pools than allowed");
    }

    fn check_grids(&self) {
        self.grid_timers.check();
        let mut legs = 0;
        for (id, member) in self.pools.iter() {
            assert_eq!(member.races, member.grid.is_some(), "{id}: races");
            let Some(grid) = &member.grid else {
                assert_eq!(member.pool.owed(), 0, "{id}: legs without a race");
                continue;
            };
            grid.race.check();
            assert_eq!(grid.owed(), member.pool.owed() as usize, "{id}: legs that wait");
            let quiet = member.pool.nobody_waits();
            assert_eq!(quiet, member.quiet, "{id}: whether somebody waits");
            let armed = self.grid_timers.get(id.slot());
            assert_eq!(armed, grid.poll_timeout(), "{id}: the deadline of its race");
            for (leg, connection) in grid.connections() {
                let race = self.races.get(connection.slot()).and_then(Option::as_deref);
                let race = race.filter(|race| race.connection == connection && race.pool == id);
                let runner = race.and_then(|race| race.runner.as_ref()).map(|runner| runner.id);
                assert_eq!(runner, Some(leg), "{id}: the leg that {connection} is");
                legs += 1;
            }
            // What the peer has left or lost is no leg any more.
            for (connection, slot) in member.pool.members(&self.tables) {
                let is_leg = grid.connections().any(|(_, known)| known == connection);
                assert!(is_leg || slot.state != State::Connecting, "{connection} is no leg");
            }
        }
        let runners = self.races.iter().flatten().filter(|race| race.runner.is_some());
        assert_eq!(runners.count(), legs, "connections that are legs");
    }

    fn check_turns(&self) {
        let listed = self.turns.check(&self.pools, "pools in line");
        for (id, member) in self.turns.iter(&self.pools) {
            assert!(member.awaits_turn, "{id} stands in line and does not know");
        }
        let mut waiting = 0;
        for (id, member) in self.pools.iter() {
            assert_eq!(member.awaits_turn, member.pool.wants_turn, "{id}: waits for its turn");
            waiting += u32::from(member.awaits_turn);
        }
        let handshakes = &self.tables.handshakes;
        assert_eq!((listed, handshakes.in_line), (waiting, waiting), "pools in line");
        let calls = self.poll_timeout().is_some_and(|at| at <= self.tables.now);
        let due = self.tables.turn_is_due();
        assert!(calls || !due, "{waiting} pools in line and nobody calls");
        assert!(calls || !self.room_is_due(), "{waiting} pools in line and nobody makes room");
    }

    fn check_races(&self) {
        let (mut attempts, mut parked, mut sockets) = (0, 0, self.tables.connections.len());
        for race in self.races.iter().flatten() {
            let id = race.connection;
            let slot = self.tables.connections.get(id);
            assert!(slot.is_some(), "the race of {id} outlives it");
            let Some(slot) = slot else { continue };
            assert_eq!(race.pool, slot.pool, "{id}");
            let connecting = slot.state == State::Connecting;
            assert_eq!(race.eyeballs.is_some(), connecting, "{id}: race and connection");
            let host = self.hosts.get(race.host);
            let listed = host.is_some_and(|host| host.racing.contains(&id));
            assert_eq!(listed, connecting, "{id}: whether its host tells it addresses");
            let mut running = 0;
            for (number, line) in (0..).zip(&race.lines) {
                let Some(attempt) = self.attempts.get(line.attempt) else { continue };
                assert_eq!((attempt.connection, attempt.number), (id, number));
                assert!(line.ended.is_none(), "{} ended and lives", line.attempt);
                attempts += 1;
                parked += usize::from(attempt.parked);
                running += u32::from(!attempt.parked);
            }
            assert_eq!(race.running, running, "{id}: attempts with a socket");
            sockets += race.extra_sockets() as usize;
            if race.gated && connecting {
                let grid = self.pools.get(race.pool).and_then(|member| member.grid.as_deref());
                let shut = grid.is_some_and(|grid| grid.services.is_shut());
                assert!(shut && race.lines.is_empty(), "{id} stands behind an open gate");
            }
            if let Some(eyeballs) = &race.eyeballs {
                eyeballs.check();
                assert_eq!(self.race_timers.get(id.slot()), eyeballs.poll_timeout(), "{id}");
            }
        }
        for (id, _) in self.tables.connections.iter() {
            let race = self.races.get(id.slot()).and_then(Option::as_deref);
            assert!(race.is_some_and(|race| race.connection == id), "{id} has no race");
        }
        assert_eq!(self.attempts.len(), attempts, "attempts outside races");
        assert_eq!(self.parked.len(), parked, "parked attempts");
        assert_eq!(self.tables.sockets as usize, sockets, "sockets");
        assert!(self.tables.sockets <= self.tables.max_sockets, "more sockets than allowed");
    }
}
