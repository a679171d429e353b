//! The tape: bytes that decide everything a generator draws, and a record of what was drawn.
//!
//! proptest, a fuzzer or an enumerator supply the bytes; the generators never know which. The
//! smaller a byte, the earlier the choice, so that a shrunk tape is a simple case.

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
    drawn: Vec<Draw>,
}

impl Tape {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), place: 0, drawn: Vec::new() }
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
        let mut number = 0;
        for _ in 0..width {
            let byte = self.bytes.get(self.place).copied().unwrap_or(0);
            self.place += 1;
            number = number << 8 | u32::from(byte);
        }
        let value = number.checked_rem(n).unwrap_or(0);
        self.drawn.push(Draw { name, of: n, value });
        value
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

    /// Whether every byte was drawn.
    pub const fn is_used_up(&self) -> bool {
        self.place >= self.bytes.len()
    }

    /// Every draw so far, in order.
    pub fn drawn(&self) -> &[Draw] {
        &self.drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_in_range_recorded_and_zero_at_the_end() {
        let mut tape = Tape::new(&[7, 1, 2, 255, 255, 255, 255]);
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
