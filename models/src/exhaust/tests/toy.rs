//! The search itself, on a world that can be counted by hand: a counter that is moved on a dial.

use super::super::menu::{Menu, Move};
use super::super::search::World;
use super::{alike, broken};

/// What is wrong with the dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// It panics at 6.
    Sharp,
    /// At 6 it cannot be moved any more.
    Stuck,
    /// From 6 the kind way leads back to 4.
    Circle,
    /// Whether the last step was a wide one is not seen from outside, and matters at 6.
    Hidden,
}

#[derive(Clone, Debug)]
struct Dial {
    at: u8,
    wide: bool,
    flaw: Flaw,
}

impl World for Dial {
    type Choice = u8;
    type Action = u8;

    fn moves(&self, menu: &mut Menu<u8>) {
        match (self.flaw, self.at) {
            (Flaw::Stuck, 6) => {}
            (Flaw::Circle, 6) => menu.free(4),
            (Flaw::Hidden, 6) if self.wide => menu.free(9),
            (_, at) => {
                menu.free(at + 1);
                menu.fault(at + 2);
            }
        }
    }

    fn name(&self, choice: u8) -> String {
        format!("to {choice}")
    }

    fn take(&mut self, choice: u8) -> Vec<u8> {
        self.wide = choice == self.at + 2;
        self.at = choice;
        vec![choice]
    }

    fn judge(&mut self, _step: Move<u8>, actions: &[u8]) {
        assert!(self.flaw != Flaw::Sharp || actions != [6], "ouch");
    }

    fn poke(&self) {}

    fn is_over(&self) -> bool {
        self.at >= 9
    }

    fn fingerprint(&self) -> u128 {
        super::super::met::Fingerprint::of(&self.at)
    }
}

fn dial(flaw: Flaw) -> Dial {
    Dial { at: 0, wide: false, flaw }
}

#[test]
fn a_dial_has_eleven_states() {
    let walk = alike("dial", dial(Flaw::None));
    assert_eq!((walk.states, walk.moves, walk.ends), (11, 18, 2), "0 to 10; 9 and 10 are ends");
    assert_eq!((walk.depth, walk.rest_within), (5, 9), "by twos to 10; by ones to 9");
}

#[test]
fn each_flaw_is_found_by_the_shortest_way() {
    let rows = [
        (Flaw::Sharp, "ouch"),
        (Flaw::Stuck, "nothing is left to happen, and it is not over"),
        (
            Flaw::Circle,
            "a world in which nothing more goes wrong comes back to this state for ever",
        ),
    ];
    for (flaw, why) in rows {
        let found = broken(dial(flaw));
        assert_eq!(found.why, why);
        let at = found.path.last().map(|step| step.0.as_str());
        let expected = if flaw == Flaw::Circle { ("to 4", 2) } else { ("to 6", 3) };
        assert_eq!((at, found.path.len()), (Some(expected.0), expected.1), "{found}");
    }
}

#[test]
#[should_panic(expected = "this state and one that looks like it go on differently")]
fn what_a_fingerprint_hides_is_found() {
    alike("dial", dial(Flaw::Hidden));
}
