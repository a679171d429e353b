//! The harness must notice: an alarm clock with one defect at a time.

use core::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// The deadline stands after it was served.
    Stuck,
    /// It rings whenever it is called.
    Hasty,
    /// It rings a hundred times.
    Chatty,
    /// No two of it ring alike.
    Whimsical,
    /// A copy of it has no deadline.
    Forgetful,
    /// It counts wrong.
    Liar,
}

#[derive(Debug)]
struct Alarm {
    defect: Defect,
    at: Option<Instant>,
    rings: u64,
    counted: u64,
}

impl Clone for Alarm {
    fn clone(&self) -> Self {
        let at = self.at.filter(|_| self.defect != Defect::Forgetful);
        Self { at, ..*self }
    }
}

static WHIM: AtomicU64 = AtomicU64::new(0);

impl Machine for Alarm {
    type Event = u64;
    type Action = u64;

    fn handle_event(&mut self, now: Instant, millis: u64, _out: &mut Outbox<u64>) {
        self.at = Some(now + Duration::from_millis(millis));
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<u64>) {
        let due = self.at.is_some_and(|at| at <= now);
        if !due && self.defect != Defect::Hasty {
            return;
        }
        if self.defect != Defect::Stuck {
            self.at = None;
        }
        let many = if self.defect == Defect::Chatty { 100 } else { 1 };
        for _ in 0..many {
            self.rings += 1;
            self.counted += u64::from(self.defect != Defect::Liar);
            let whim = WHIM.fetch_add(1, Ordering::Relaxed);
            out.push(if self.defect == Defect::Whimsical { whim } else { self.rings });
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    fn check(&self) {
        assert_eq!(self.rings, self.counted, "it counts wrong");
    }
}

/// The first byte of the tape picks the defect.
struct Bedroom {
    defect: Defect,
    expected: Option<Instant>,
}

const DEFECTS: [(Defect, &str); 7] = [
    (Defect::None, ""),
    (Defect::Stuck, "made no progress"),
    (Defect::Hasty, "timeout"),
    (Defect::Chatty, "100 actions, over 1"),
    (Defect::Whimsical, "the twin does otherwise"),
    (Defect::Forgetful, "the twin"),
    (Defect::Liar, "it counts wrong"),
];

impl Subject for Bedroom {
    type Machine = Alarm;

    fn new(tape: &mut Tape) -> Self {
        Self { defect: tape.pick("defect", &DEFECTS).0, expected: None }
    }

    fn machine(&self) -> Alarm {
        Alarm { defect: self.defect, at: None, rings: 0, counted: 0 }
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> u64 {
        let millis = u64::from(tape.draw("millis", 1_000)) + 1;
        self.expected = Some(now + Duration::from_millis(millis));
        millis
    }

    fn observe(&mut self, now: Instant, input: &Input<u64>, actions: &[u64], _alarm: &Alarm) {
        let due = *input == Input::Timeout && self.expected.is_some_and(|at| at <= now);
        if self.defect == Defect::None {
            assert_eq!(actions.len(), usize::from(due), "whether it rings");
        }
        if due {
            self.expected = None;
        }
    }

    fn rest(&mut self, _now: Instant, alarm: &Alarm) -> Rest<u64> {
        if alarm.at.is_some() { Rest::Sleep } else { Rest::Done }
    }

    fn at_rest(&self, alarm: &Alarm) {
        assert_eq!(alarm.at, None, "it has rung");
    }

    fn actions_max(&self) -> usize {
        1
    }
}

#[test]
fn every_defect_is_noticed_and_a_sound_machine_passes() {
    for (which, (defect, words)) in (0..).zip(DEFECTS) {
        let tape: Vec<u8> =
            core::iter::once(which).chain((0..=u8::MAX).cycle().take(4_000)).collect();
        let result = std::panic::catch_unwind(|| run::<Bedroom>(&tape));
        let told = match &result {
            Ok(()) => "",
            Err(why) => why.downcast_ref::<String>().map_or("no words", String::as_str),
        };
        assert_eq!(result.is_ok(), defect == Defect::None, "{defect:?}: {told}");
        assert!(told.contains(words), "{defect:?} was noticed by: {told}");
    }
}
