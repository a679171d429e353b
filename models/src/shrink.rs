//! Shrinking: the shortest and smallest tape that still fails in the same way.
//!
//! The tape is the case: no generator has to know how its events become smaller. First what
//! comes after the failure is cut, then ever smaller chunks are dropped, the last ones first,
//! then bytes are lowered; all again until nothing helps. What fails in another way is not kept:
//! it is another bug.

use crate::catch::Failure;

/// Chunks up to this many bytes are tried in every size.
const EVERY_SIZE: usize = 16;

/// A shrunk tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The tape.
    pub tape: Vec<u8>,
    /// How it fails.
    pub failure: Failure,
    /// How many tapes were tried.
    pub tries: u32,
}

/// Shrinks `tape` with at most `tries_max` runs; `run` tells how a tape fails. `None` when the
/// tape itself does not fail.
pub fn shrink(
    tape: &[u8],
    tries_max: u32,
    run: impl FnMut(&[u8]) -> Option<Failure>,
) -> Option<Shrunk> {
    let mut shrinker = Shrinker { run, best: tape.to_vec(), failure: None, tries: 0, tries_max };
    shrinker.failure = Some((shrinker.run)(tape)?);
    loop {
        let before = shrinker.best.clone();
        shrinker.cut();
        shrinker.drop_chunks();
        shrinker.lower();
        if shrinker.best == before || shrinker.is_tired() {
            break;
        }
    }
    let Shrinker { best: tape, failure, tries, .. } = shrinker;
    failure.map(|failure| Shrunk { tape, failure, tries })
}

struct Shrinker<F> {
    run: F,
    best: Vec<u8>,
    /// How the best one fails; always there after the first run.
    failure: Option<Failure>,
    tries: u32,
    tries_max: u32,
}

impl<F: FnMut(&[u8]) -> Option<Failure>> Shrinker<F> {
    const fn is_tired(&self) -> bool {
        self.tries >= self.tries_max
    }

    /// Takes `tape` for the best one if it fails in the same way.
    fn take(&mut self, tape: Vec<u8>) -> bool {
        if tape == self.best || self.is_tired() {
            return false;
        }
        self.tries += 1;
        let failure = (self.run)(&tape);
        let same = failure.as_ref().map(|failure| &failure.class)
            == self.failure.as_ref().map(|failure| &failure.class);
        if same {
            self.failure = failure;
            self.best = tape;
        }
        same
    }

    /// Drops the end, as much of it as possible.
    fn cut(&mut self) {
        let (mut fails, mut passes) = (self.best.len(), 0);
        while passes < fails && !self.is_tired() {
            let middle = passes + (fails - passes) / 2;
            if self.take(self.best[..middle].to_vec()) {
                fails = middle;
            } else {
                passes = middle + 1;
            }
        }
    }

    /// Drops chunks, large ones first, from the end to the beginning. Among the small ones every
    /// size is tried: what one event draws is of any.
    fn drop_chunks(&mut self) {
        let mut size = self.best.len().next_power_of_two() / 2;
        while size > 0 {
            let mut end = self.best.len();
            while end > 0 && !self.is_tired() {
                let start = end.saturating_sub(size);
                let mut tape = self.best.clone();
                tape.drain(start..end);
                self.take(tape);
                end = start.min(self.best.len());
            }
            size = if size > EVERY_SIZE { size / 2 } else { size - 1 };
        }
    }

    /// Lowers bytes: to 0, else as far as halving goes, else by one.
    fn lower(&mut self) {
        let mut place = self.best.len();
        while place > 0 && !self.is_tired() {
            place -= 1;
            if self.set(place, 0) {
                continue;
            }
            while let Some(&byte) = self.best.get(place)
                && byte > 1
                && self.set(place, byte / 2)
            {}
            while let Some(&byte) = self.best.get(place)
                && byte > 0
                && self.set(place, byte - 1)
            {}
        }
    }

    fn set(&mut self, place: usize, byte: u8) -> bool {
        let mut tape = self.best.clone();
        match tape.get_mut(place) {
            Some(known) if *known > byte => *known = byte,
            _ => return false,
        }
        self.take(tape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(class: &str) -> Option<Failure> {
        Some(Failure { class: class.to_owned(), message: String::new() })
    }

    #[test]
    fn what_the_failure_does_not_need_is_dropped_and_lowered() {
        // Fails when a byte over 100 is followed, anywhere, by one over 50.
        let run = |tape: &[u8]| {
            let first = tape.iter().position(|byte| *byte > 100)?;
            tape[first + 1..].iter().any(|byte| *byte > 50).then(|| fails("pair"))?
        };
        let noise: Vec<u8> = (0..500_u32).map(|n| (n * 37 % 256) as u8).collect();
        let shrunk = shrink(&noise, 100_000, run).unwrap();
        assert_eq!(shrunk.tape, [101, 51]);
        assert_eq!(shrunk.failure.class, "pair");
    }

    #[test]
    fn another_failure_is_not_taken_for_the_same() {
        let run = |tape: &[u8]| fails(if tape.contains(&9) { "nine" } else { "none" });
        assert_eq!(shrink(&[1, 9, 2, 9], 1_000, run).unwrap().tape, [9]);
        assert_eq!(shrink(&[1, 2], 1_000, run).unwrap().tape, [0; 0]);
    }

    #[test]
    fn it_ends_when_told_and_says_nothing_of_what_does_not_fail() {
        let mut runs = 0;
        let long = vec![1; 1_000];
        let shrunk = shrink(&long, 10, |tape| {
            runs += 1;
            (tape.len() > 3).then(|| fails("long"))?
        });
        let shrunk = shrunk.unwrap();
        assert_eq!((shrunk.tries, runs), (10, 11));
        assert!(shrunk.tape.len() < 1_000);
        assert_eq!(shrink(&long, 10, |_| None), None);
    }
}
