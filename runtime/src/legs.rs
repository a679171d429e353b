//! What the legs of one origin's race have done lately, as all its requests share it.

use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::Instant;

use crate::timeline::AttemptTrace;

/// The latest attempts over QUIC and TCP to one origin. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legs(Arc<Mutex<Vec<AttemptTrace>>>);

impl Legs {
    /// Most attempts that are kept: a race has three legs, each with a few addresses.
    const MOST: usize = 32;

    /// An attempt began, or has come further.
    pub(crate) fn note(&self, attempt: AttemptTrace) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.iter_mut().find(|known| known.attempt == attempt.attempt) {
            Some(place) => *place = attempt,
            None => {
                if known.len() >= Self::MOST {
                    known.remove(0);
                }
                known.push(attempt);
            }
        }
    }

    /// Puts beside a request's own attempts those of other legs that were under way between
    /// `from` and `to`, in the order in which they began.
    pub(crate) fn beside(&self, from: Instant, to: Instant, own: &mut Vec<AttemptTrace>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = known.iter().filter(|other| {
            let meanwhile = other.started <= to && other.ended.is_none_or(|at| at >= from);
            meanwhile && !own.iter().any(|mine| mine.attempt == other.attempt)
        });
        let others: Vec<AttemptTrace> = others.copied().collect();
        drop(known);
        own.extend(others);
        own.sort_by_key(|attempt| attempt.started);
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::id::AttemptId;
    use regatta_core::types::Transport;

    use super::*;
    use crate::timeline::AttemptOutcome;

    const fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn attempt(number: u32, started: u64, ended: Option<u64>) -> AttemptTrace {
        AttemptTrace {
            attempt: AttemptId::new(0, number),
            transport: Transport::Quic,
            address: ([192, 0, 2, 1], 443).into(),
            started: at(started),
            connected: None,
            tunnel: None,
            ended: ended.map(at),
            outcome: AttemptOutcome::UnderWay,
        }
    }

    /// The numbers of the attempts that a request sees, whose own is 9.
    fn seen(legs: &Legs, from: u64, to: u64) -> Vec<u32> {
        let mut own = vec![attempt(9, 300, None)];
        legs.beside(at(from), at(to), &mut own);
        own.iter().map(|attempt| attempt.attempt.generation()).collect()
    }

    #[test]
    fn a_request_sees_the_legs_that_ran_while_it_waited() {
        let legs = Legs::default();
        legs.note(attempt(1, 0, Some(50)));
        legs.note(attempt(2, 100, None));
        legs.note(attempt(9, 300, None));
        legs.note(attempt(3, 500, None));
        assert_eq!(seen(&legs, 0, 400), [1, 2, 9]);
        assert_eq!(seen(&legs, 60, 400), [2, 9]);
        assert_eq!(seen(&legs, 60, 500), [2, 9, 3]);
        legs.note(attempt(2, 100, Some(310)));
        assert_eq!(seen(&legs, 311, 400), [9]);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let legs = Legs::default();
        (10..100).for_each(|number| legs.note(attempt(number, 0, None)));
        assert_eq!(seen(&legs, 0, 0).len(), Legs::MOST + 1);
        assert_eq!(seen(&legs, 0, 0).first(), Some(&68));
    }
}
