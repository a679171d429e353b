//! Steps: what happened in a run, as numbers, folded into one digest.
//!
//! Sizes and times, never ciphertext: keys differ from run to run, their lengths do not.

use regatta_core::Instant;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a step tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum StepKind { $($(#[$doc])* $kind,)* }

        impl StepKind {
            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// A task ran (a: task).
    Polled = "polled",
    /// A task was spawned (a: task).
    Spawned = "spawned",
    /// A task ended (a: task).
    Ended = "ended",
    /// A timer expired (a: timer).
    Expired = "timer",
    /// A connection was asked for (a: connection, b: port).
    Connect = "connect",
    /// A connection was answered (a: connection, value: 0 established, else why not).
    Answered = "answered",
    /// Bytes were written (a: connection and side, value: bytes).
    Written = "written",
    /// Bytes were read (a: connection and side, value: bytes).
    Read = "read",
    /// A segment or datagram arrived (a: connection and side, value: bytes).
    Arrived = "arrived",
    /// A segment or datagram was lost on its way (a: connection and side, value: bytes).
    Lost = "lost",
    /// A side has said that it is done (a: connection and side).
    Finished = "finished",
    /// A connection was reset (a: connection and side).
    Reset = "reset",
    /// A name was looked up (value: answers).
    LookedUp = "looked-up",
    /// Something above the network noted this (a, b, value: its own).
    Noted = "noted",
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: StepKind,
    /// First id.
    pub a: u64,
    /// Second id.
    pub b: u64,
    /// A number, mostly bytes.
    pub value: u64,
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { at, kind, a, b, value } = self;
        write!(f, "{at} {} {a} {b} {value}", kind.name())
    }
}

/// The steps of a run: counted and folded, and kept or compared where that was asked for.
#[derive(Debug)]
pub struct Steps {
    digest: u64,
    count: u64,
    keep: Option<Vec<Step>>,
    log: Option<Vec<u32>>,
    expected: Option<Vec<u32>>,
    divergence: Option<Divergence>,
}

/// Where a second run of the same tape went another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the first step that differs, from 0.
    pub number: u64,
    /// What the second run did there; `None` where it had ended already.
    pub step: Option<Step>,
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

impl Steps {
    /// Counts and folds only.
    pub const fn new() -> Self {
        // The offset basis of FNV-1a.
        let digest = 0xcbf2_9ce4_8422_2325;
        Self { digest, count: 0, keep: None, log: None, expected: None, divergence: None }
    }

    /// Keeps every step, for traces.
    pub fn keep(&mut self) {
        self.keep.get_or_insert_default();
    }

    /// Keeps 32 bits for each step, to compare a second run with.
    pub fn log(&mut self) {
        self.log.get_or_insert_default();
    }

    /// Compares with the log of a first run.
    pub fn expect(&mut self, log: Vec<u32>) {
        self.expected = Some(log);
    }

    /// Notes a step.
    pub fn note(&mut self, step: Step) {
        self.fold(step.at.as_nanos());
        self.fold(step.kind as u64);
        self.fold(step.a);
        self.fold(step.b);
        self.fold(step.value);
        let short = (self.digest >> 32) as u32;
        if let Some(log) = &mut self.log {
            log.push(short);
        }
        if let Some(expected) = &self.expected
            && self.divergence.is_none()
            && expected.get(self.count as usize) != Some(&short)
        {
            self.divergence = Some(Divergence { number: self.count, step: Some(step) });
        }
        if let Some(keep) = &mut self.keep {
            keep.push(step);
        }
        self.count += 1;
    }

    /// Folds a number that is no step of its own, such as a draw, into the digest.
    pub const fn fold(&mut self, number: u64) {
        // FNV-1a by words, with a turn so that high bits reach low ones.
        let mixed = (self.digest ^ number).wrapping_mul(0x0000_0100_0000_01b3);
        self.digest = mixed ^ mixed.rotate_right(29);
    }

    /// Everything so far in one number.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The steps kept so far.
    pub fn kept(&self) -> &[Step] {
        self.keep.as_deref().unwrap_or_default()
    }

    /// Takes the log of this run.
    pub fn take_log(&mut self) -> Vec<u32> {
        self.log.take().unwrap_or_default()
    }

    /// Where this run differs from the first; after its end.
    pub fn divergence(&self) -> Option<Divergence> {
        let expected = self.expected.as_ref()?;
        let short = (expected.len() as u64 > self.count)
            .then_some(Divergence { number: self.count, step: None });
        self.divergence.or(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[u64], expected: Option<Vec<u32>>) -> Steps {
        let mut steps = Steps::new();
        steps.log();
        if let Some(expected) = expected {
            steps.expect(expected);
        }
        for value in values {
            let at = Instant::from_millis(*value);
            steps.note(Step { at, kind: StepKind::Read, a: 1, b: 2, value: *value });
        }
        steps
    }

    #[test]
    fn a_second_run_names_its_first_other_step() {
        let log = run(&[1, 2, 3], None).take_log();
        assert_eq!(run(&[1, 2, 3], Some(log.clone())).divergence(), None);
        let other = run(&[1, 7, 3], Some(log.clone())).divergence().unwrap();
        assert_eq!((other.number, other.step.unwrap().value), (1, 7));
        let longer = run(&[1, 2, 3, 4], Some(log.clone())).divergence().unwrap();
        assert_eq!((longer.number, longer.step.unwrap().value), (3, 4));
        let shorter = run(&[1, 2], Some(log)).divergence().unwrap();
        assert_eq!((shorter.number, shorter.step), (2, None));
    }
}
