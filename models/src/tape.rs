//! The tape: bytes that decide everything a generator draws, and a record of what was drawn.
//!
//! proptest, a fuzzer or an enumerator supply the bytes, or a seed makes them as they are asked
//! for; the generators never know which. The smaller a byte, the earlier the choice, so that a
//! shrunk tape is a simple case.

use regatta_core::rng::Rng;

/// One choice that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What it was for.
    pub name: &'static str,
    /// Among how many.
    pub of: u32,
    /// Which one.
    pub value: u32,
}

/// Bytes to draw from; when they are used up every draw is 0.
#[derive(Clone, Debug)]
pub struct Tape {
    bytes: Vec<u8>,
    place: usize,
    /// Makes more bytes.
    source: Option<Rng>,
    /// Most bytes that the source makes.
    most: usize,
    /// Whether the source favours some values of each choice.
    swarm: Option<u64>,
    drawn: Option<Vec<Draw>>,
}

impl Tape {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), place: 0, source: None, most: 0, swarm: None, drawn: None }
    }

    /// A tape without end, made of `seed` while it is drawn from: the same draws as from
    /// `Tape::new` of its [`bytes`](Self::bytes) afterwards.
    pub fn seeded(seed: u64) -> Self {
        Self {
            bytes: Vec::new(),
            place: 0,
            source: Some(Rng::new(seed)),
            most: usize::MAX,
            swarm: None,
            drawn: None,
        }
    }

    /// As [`Tape::seeded`], but for half of the choices, by name, the seed favours some
    /// neighbouring values over all others: in each seed other things happen often. Bytes of
    /// such a tape replay as all others do.
    pub fn swarm(seed: u64) -> Self {
        Self { swarm: Some(seed), ..Self::seeded(seed) }
    }

    /// Ends a seeded tape after `most` bytes.
    #[must_use]
    pub const fn up_to(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Keeps the list of all draws from now on, for [`drawn`](Self::drawn). Without it none is
    /// kept: millions are made in one run of a large world.
    #[must_use]
    pub fn listed(mut self) -> Self {
        self.drawn = Some(Vec::new());
        self
    }

    /// A number in `0..n`; 0 when `n` is 0 or the tape is used up. Takes no byte for `n` up to
    /// 1, one up to 256, two up to 65,536, four above.
    pub fn draw(&mut self, name: &'static str, n: u32) -> u32 {
        let width = match n {
            0..=1 => 0,
            2..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        if let Some(seed) = self.swarm
            && self.place == self.bytes.len()
        {
            self.favour(seed, name, n, width);
        }
        let mut number = 0;
        for _ in 0..width {
            number = number << 8 | u32::from(self.byte());
        }
        let value = number.checked_rem(n).unwrap_or(0);
        if let Some(drawn) = &mut self.drawn {
            drawn.push(Draw { name, of: n, value });
        }
        value
    }

    fn byte(&mut self) -> u8 {
        if self.place >= self.bytes.len() {
            self.make();
        }
        let byte = self.bytes.get(self.place).copied().unwrap_or(0);
        self.place += 1;
        byte
    }

    /// Makes the bytes of one draw, most often of the values that the seed favours.
    fn favour(&mut self, seed: u64, name: &str, n: u32, width: usize) {
        let Some(source) = &mut self.source else { return };
        if self.bytes.len() + width > self.most || width == 0 {
            return;
        }
        let mut number = source.next_u64() as u32;
        let mut taste = Rng::new(seed ^ hash(name));
        if taste.below(2) == 0 && source.below(8) > 0 {
            let from = taste.below(u64::from(n));
            let many = 1 + taste.below(u64::from(n) - from);
            number = (from + source.below(many)) as u32;
        }
        self.bytes.extend_from_slice(&number.to_be_bytes()[4 - width..]);
    }

    /// Makes eight bytes more, fewer at the end of the tape.
    fn make(&mut self) {
        if let Some(source) = &mut self.source {
            let room = self.most.saturating_sub(self.bytes.len()).min(8);
            self.bytes.extend_from_slice(&source.next_u64().to_be_bytes()[..room]);
        }
    }

    /// One of `choices`, the first when the tape is used up.
    ///
    /// # Panics
    /// When there is no choice.
    pub fn pick<T: Clone>(&mut self, name: &'static str, choices: &[T]) -> T {
        let count = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        choices[self.draw(name, count) as usize].clone()
    }

    /// True once in `n` draws; never when the tape is used up.
    pub fn one_in(&mut self, name: &'static str, n: u32) -> bool {
        n <= 1 || self.draw(name, n) == n - 1
    }

    /// The index of a weight, drawn in proportion to it; 0 when the tape is used up.
    pub fn weighted(&mut self, name: &'static str, weights: &[u32]) -> usize {
        let mut left = self.draw(name, weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// Whether every byte was drawn; never true of a seeded tape without end.
    pub const fn is_used_up(&self) -> bool {
        let made = if self.source.is_some() { self.most } else { self.bytes.len() };
        self.place >= made
    }

    /// The bytes that were drawn so far: a tape to replay, shrink and keep.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.place.min(self.bytes.len())]
    }

    /// Every draw so far, in order; none unless they are [`listed`](Self::listed).
    pub fn drawn(&self) -> &[Draw] {
        self.drawn.as_deref().unwrap_or_default()
    }
}

/// FNV-1a: tells names apart, the same in every build.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_in_range_recorded_and_zero_at_the_end() {
        let mut tape = Tape::new(&[7, 1, 2, 255, 255, 255, 255]).listed();
        assert_eq!(tape.draw("none", 0), 0);
        assert_eq!(tape.draw("only", 1), 0);
        assert_eq!(tape.draw("small", 5), 2);
        assert_eq!(tape.draw("wide", 1_000), 258);
        assert_eq!(tape.draw("all", u32::MAX), 0);
        assert!(tape.is_used_up());
        assert_eq!(tape.draw("after", 9), 0);
        assert_eq!(tape.drawn()[2], Draw { name: "small", of: 5, value: 2 });
        assert_eq!(tape.drawn().len(), 6);
    }

    /// What a run draws of a tape: names and numbers.
    fn draws(tape: &mut Tape, count: u32) -> Vec<u32> {
        (0..count).map(|n| tape.draw("n", [2, 5, 256, 1_000, 70_000][n as usize % 5])).collect()
    }

    #[test]
    fn a_seeded_tape_is_the_tape_of_its_bytes() {
        for seed in 0..50 {
            let mut seeded = Tape::seeded(seed);
            let first = draws(&mut seeded, 101);
            assert_eq!(seeded.bytes().len(), 181, "only what was drawn");
            assert!(!seeded.is_used_up(), "it has no end");
            assert_eq!(seeded.drawn(), [], "not listed");
            let mut again = Tape::new(seeded.bytes());
            assert_eq!(draws(&mut again, 101), first);
            assert!(again.is_used_up());
            assert_ne!(draws(&mut Tape::seeded(seed + 1), 101), first, "{seed}");
        }
    }

    #[test]
    fn a_swarm_favours_some_values_and_its_bytes_replay() {
        let mut favoured = 0;
        for seed in 0..100 {
            let mut swarm = Tape::swarm(seed).up_to(301);
            let mut counts = [0_u32; 10];
            let first: Vec<u32> = (0..300).map(|_| swarm.draw("which", 10)).collect();
            first.iter().for_each(|value| counts[*value as usize] += 1);
            favoured += u32::from(counts.iter().any(|count| *count < 15));
            let mut again = Tape::new(swarm.bytes());
            assert_eq!((0..300).map(|_| again.draw("which", 10)).collect::<Vec<_>>(), first);
            let half = swarm.draw("wide", 1_000);
            let last = u32::from(swarm.bytes()[300]);
            assert_eq!(half, (last << 8) % 1_000, "one byte was left of its two");
            assert!(swarm.is_used_up());
        }
        assert!((25..75).contains(&favoured), "{favoured} of 100 seeds favour something");
    }

    #[test]
    fn a_seeded_tape_ends_where_it_should() {
        let mut endless = Tape::seeded(3);
        (0..20).for_each(|_| {
            endless.draw("byte", 256);
        });
        for most in 0..20 {
            let mut tape = Tape::seeded(3).up_to(most);
            let mut drawn = 0;
            while !tape.is_used_up() {
                tape.draw("byte", 256);
                drawn += 1;
            }
            assert_eq!((drawn, tape.bytes().len()), (most, most));
            assert_eq!(tape.draw("after", 256), 0);
            assert_eq!(tape.bytes(), &endless.bytes()[..most]);
        }
    }

    #[test]
    fn weights_of_zero_are_never_drawn() {
        for byte in 0..=u8::MAX {
            let drawn = Tape::new(&[byte]).weighted("which", &[0, 3, 0, 1]);
            assert!(drawn == 1 || drawn == 3, "{byte} drew {drawn}");
        }
        assert_eq!(Tape::new(&[2]).weighted("which", &[0, 3, 0, 1]), 1);
        assert_eq!(Tape::new(&[3]).weighted("which", &[0, 3, 0, 1]), 3);
    }
}
