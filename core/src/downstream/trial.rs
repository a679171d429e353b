//! Whether a connection tries a service itself, before the answer gets a task of its own.

use crate::time::{Duration, Instant};

/// How long services may hold a connection up in one turn of it, together. Those that come behind
/// in that turn get their tasks untried.
const TURN: Duration = Duration::from_micros(100);

/// A service that takes so long by itself works for longer than a task costs to begin.
const LONG: Duration = Duration::from_micros(20);

/// After one that was long none is tried for so many times as long: what computes is work for
/// other threads, and holds up the other streams of its connection for a tenth of the time at most.
const REST: u32 = 10;

/// What one connection of many streams knows of how long its services have held it up.
///
/// A service that answers at once costs no task where it is tried first, but nothing else of its
/// connection moves meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trial {
    /// The connection's turn.
    turn: Option<Instant>,
    /// When the first was tried in it, and since when no other was.
    begun: Instant,
    ended: Instant,
    /// Until when none is tried.
    resting: Instant,
}

impl Trial {
    /// Whether no service was tried yet in the turn that began at `turn`: then [`Trial::begin`] is
    /// to be called. The turn's own time is no measure: it may have read much since.
    pub fn is_new(&self, turn: Instant) -> bool {
        self.turn != Some(turn)
    }

    /// The first service of a turn may be tried at `now`.
    pub const fn begin(&mut self, turn: Instant, now: Instant) {
        self.turn = Some(turn);
        self.begun = now;
        self.ended = now;
    }

    /// Whether the next service is tried.
    pub fn may(&self) -> bool {
        self.ended.saturating_since(self.begun) < TURN && self.resting <= self.ended
    }

    /// One was tried, and that was over at `now`. What the connection itself did since the one
    /// before it counts as the service's: who would tell them apart would have to read the clock
    /// twice as often.
    pub fn tried(&mut self, now: Instant) {
        let took = now.saturating_since(self.ended);
        if took >= LONG {
            self.resting = now + took.saturating_mul(REST);
        }
        self.ended = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    /// Each row is a turn's beginning, how long the services in it take, and how many are tried.
    #[test]
    fn services_are_tried_while_they_hold_nobody_up() {
        let rows: [(u64, &[u64], usize); 9] = [
            (1_000, &[1; 64], 64),
            // Together they are too long for a turn: the others go to their tasks, this time.
            (2_000, &[19, 19, 19, 19, 19, 19, 1], 6),
            (3_000, &[1, 1], 2),
            // The turn's time is over at its very end.
            (3_500, &[10; 11], 10),
            // One alone is too long: it does not go again, nor do others, for ten times as long.
            (4_000, &[1, 20, 1], 2),
            (4_220, &[1], 0),
            (4_221, &[1], 1),
            // What is longer is less often in the way.
            (5_000, &[90, 1], 1),
            (5_989, &[1], 0),
        ];
        let mut trial = Trial::default();
        for (turn, services, expected) in rows {
            // Much was read before the first.
            let (turn, mut now, mut tried) = (at(turn - 500), at(turn), 0);
            assert!(trial.is_new(turn));
            trial.begin(turn, now);
            for service in services {
                if trial.may() {
                    tried += 1;
                    now = now + Duration::from_micros(*service);
                    trial.tried(now);
                }
                assert!(!trial.is_new(turn));
            }
            assert_eq!(tried, expected, "in the turn at {turn:?}");
        }
        trial.begin(at(5_000), at(5_990));
        assert!(trial.may());
    }
}
