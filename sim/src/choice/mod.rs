//! Choices: everything in a run that could go one way or another, drawn from one tape.
//!
//! What is legal but rare happens at named [`Point`]s, in two phases: half of them are switched
//! on in a run, and one that is on fires at its rate. So runs differ in *kind*, and a rare thing
//! comes in bursts. A used-up tape fires nothing and draws 0: the quiet world.

mod point;

use regatta_models::tape::Tape;

pub use point::{Point, Rate};

/// The source of all choices of a run.
#[derive(Debug)]
pub struct Choices {
    tape: Tape,
    points: [Known; Point::ALL.len()],
}

/// How often a point fires in a run at most: one that a swarm favours makes a large body go by
/// in single bytes, and no run longer would tell anything new.
const FIRED_MAX: u64 = 10_000;

/// What is known of a point in this run.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    phase: Phase,
    asked: u64,
    fired: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Not asked yet: whether it is on in this run is drawn when it is.
    #[default]
    Unasked,
    On,
    Off,
}

/// How often a point was asked and fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which.
    pub point: Point,
    /// How often it could have fired.
    pub asked: u64,
    /// How often it did.
    pub fired: u64,
}

impl Choices {
    /// Every point may fire, as `tape` says.
    pub const fn new(tape: Tape) -> Self {
        let known = Known { phase: Phase::Unasked, asked: 0, fired: 0 };
        Self { tape, points: [known; Point::ALL.len()] }
    }

    /// No point fires; loss and jitter of links are still drawn from `tape`.
    pub fn quiet(tape: Tape) -> Self {
        let mut choices = Self::new(tape);
        choices.points.iter_mut().for_each(|known| known.phase = Phase::Off);
        choices
    }

    /// Switches a point off or, whatever the tape says, on.
    pub const fn switch(&mut self, point: Point, on: bool) {
        self.points[point as usize].phase = if on { Phase::On } else { Phase::Off };
    }

    /// Whether `point` fires now.
    pub fn fires(&mut self, point: Point) -> bool {
        let known = &mut self.points[point as usize];
        known.asked += 1;
        if known.phase == Phase::Unasked {
            let on = self.tape.one_in(point.name(), 2);
            known.phase = if on { Phase::On } else { Phase::Off };
        }
        if known.phase == Phase::Off || known.fired == FIRED_MAX {
            return false;
        }
        let fires = self.tape.one_in(point.name(), point.rate().one_in());
        known.fired += u64::from(fires);
        fires
    }

    /// A number in `0..n`; 0 when the tape is used up.
    pub fn draw(&mut self, name: &'static str, n: u32) -> u32 {
        self.tape.draw(name, n)
    }

    /// True with a probability of `ppm` in a million; never when the tape is used up.
    pub fn chance(&mut self, name: &'static str, ppm: u32) -> bool {
        const WHOLE: u32 = 1_000_000;
        ppm > 0 && self.tape.draw(name, WHOLE) >= WHOLE.saturating_sub(ppm)
    }

    /// How often each point was asked and fired, in the points' order.
    pub fn counts(&self) -> impl Iterator<Item = Count> + '_ {
        let known = Point::ALL.iter().zip(&self.points);
        known.map(|(point, known)| Count { point: *point, asked: known.asked, fired: known.fired })
    }

    /// The tape.
    pub const fn tape(&self) -> &Tape {
        &self.tape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_that_is_off_draws_nothing() {
        let mut choices = Choices::quiet(Tape::new(&[255, 99]));
        assert!(!choices.fires(Point::SpuriousWake));
        assert_eq!(choices.draw("first byte of the tape", 256), 255);
        choices.switch(Point::SpuriousWake, true);
        assert!(choices.fires(Point::SpuriousWake));
        let count = choices.counts().find(|count| count.point == Point::SpuriousWake);
        let expected = Count { point: Point::SpuriousWake, asked: 2, fired: 1 };
        assert_eq!(count, Some(expected));
    }

    #[test]
    fn a_point_fires_so_often_and_no_more() {
        let mut choices = Choices::new(Tape::new(&[99; 20_000]));
        choices.switch(Point::SpuriousWake, true);
        let fired = (0..20_000).filter(|_| choices.fires(Point::SpuriousWake)).count();
        assert_eq!(fired as u64, FIRED_MAX);
    }

    #[test]
    fn a_used_up_tape_is_a_quiet_world() {
        let mut choices = Choices::new(Tape::new(&[]));
        for point in Point::ALL {
            assert!(!choices.fires(*point), "{point:?}");
        }
        assert!(!choices.chance("loss", 999_999));
        assert!(choices.chance("loss", 1_000_000));
    }
}
