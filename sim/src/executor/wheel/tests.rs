//! The wheel against an ordered map, and its edges.

use std::collections::BTreeMap;

use regatta_core::Instant;
use regatta_core::rng::Rng;

use super::{Key, Wheel};

/// Instants by bits: a wheel of the epoch keeps each at another level.
const LAST: [u64; 12] = [
    0,
    (1 << 6) - 1,
    (1 << 12) - 1,
    (1 << 18) - 1,
    (1 << 24) - 1,
    (1 << 30) - 1,
    (1 << 36) - 1,
    (1 << 42) - 1,
    (1 << 48) - 1,
    (1 << 54) - 1,
    (1 << 60) - 1,
    u64::MAX,
];

/// What an ordered map makes of the same calls: by instant, then by the order of arming.
#[derive(Default)]
struct Model {
    now: u64,
    armed: u64,
    due: BTreeMap<(u64, u64), u64>,
    places: BTreeMap<u64, (u64, u64)>,
}

impl Model {
    fn arm(&mut self, at: u64, value: u64) {
        let place = (at.max(self.now), self.armed);
        self.armed += 1;
        self.due.insert(place, value);
        self.places.insert(value, place);
    }

    fn cancel(&mut self, value: u64) -> bool {
        let place = self.places.remove(&value);
        place.is_some_and(|place| self.due.remove(&place).is_some())
    }

    fn rearm(&mut self, at: u64, value: u64) -> bool {
        let armed = self.cancel(value);
        if armed {
            self.arm(at, value);
        }
        armed
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        let ((at, _), value) = self.due.pop_first()?;
        self.places.remove(&value);
        self.now = at;
        Some((at, value))
    }
}

/// Pairs of instant and value, in the order in which the wheel gives them.
fn all(wheel: &mut Wheel<u64>) -> Vec<(u64, u64)> {
    core::iter::from_fn(|| wheel.pop()).map(|(at, value)| (at.as_nanos(), value)).collect()
}

fn nanos(at: u64) -> Instant {
    Instant::from_nanos(at)
}

#[test]
fn it_does_what_an_ordered_map_does() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let (mut wheel, mut model) = (Wheel::new(), Model::default());
        let mut keys: Vec<Key> = Vec::new();
        for _ in 0..1_000 {
            // Few bits crowd one instant, many reach far; half of the runs stay near.
            let bits = rng.below(if seed % 2 == 0 { 14 } else { 64 });
            let at = model.now.saturating_add(rng.next_u64() >> (63 - bits));
            let value = rng.below(keys.len().max(1) as u64);
            match rng.below(8) {
                0..3 => {
                    model.arm(at, keys.len() as u64);
                    keys.push(wheel.arm(nanos(at), keys.len() as u64));
                }
                3 | 4 if !keys.is_empty() => {
                    let armed = wheel.rearm(keys[value as usize], nanos(at));
                    assert_eq!(armed, model.rearm(at, value), "seed {seed}");
                }
                5 if !keys.is_empty() => {
                    let taken = wheel.cancel(keys[value as usize]);
                    assert_eq!(taken, model.cancel(value).then_some(value), "seed {seed}");
                }
                _ => {
                    let next = wheel.pop().map(|(at, value)| (at.as_nanos(), value));
                    assert_eq!(next, model.pop(), "seed {seed}");
                }
            }
            assert_eq!(wheel.len(), model.due.len(), "seed {seed}");
        }
        let rest: Vec<_> = core::iter::from_fn(|| model.pop()).collect();
        assert_eq!(all(&mut wheel), rest, "seed {seed}");
    }
}

#[test]
fn of_one_instant_the_first_armed_comes_first() {
    for at in LAST {
        let mut wheel = Wheel::new();
        for value in 0..5 {
            wheel.arm(nanos(at), value);
        }
        let expected: Vec<_> = (0..5).map(|value| (at, value)).collect();
        assert_eq!(all(&mut wheel), expected);
    }
}

#[test]
fn neighbours_across_every_level_keep_their_order() {
    // The last nanosecond of each level, and the first of the next: armed from the far end.
    let mut instants: Vec<u64> = LAST.iter().flat_map(|at| [*at, at.saturating_add(1)]).collect();
    instants.dedup();
    let mut wheel = Wheel::new();
    for at in instants.iter().rev() {
        wheel.arm(nanos(*at), *at);
    }
    let given: Vec<_> = all(&mut wheel).into_iter().map(|(at, _)| at).collect();
    assert_eq!(given, instants);
}

#[test]
fn what_is_armed_while_a_slot_is_gone_through_joins_it() {
    for level in 1..11 {
        let slot = 1 << (6 * level);
        let mut wheel = Wheel::new();
        wheel.arm(nanos(slot + 2), 0);
        wheel.arm(nanos(slot), 1);
        wheel.arm(nanos(slot + 1), 2);
        assert_eq!(wheel.pop(), Some((nanos(slot), 1)));
        // Behind what the slot had for that instant, and before what it has later.
        wheel.arm(nanos(slot + 1), 3);
        wheel.arm(nanos(slot), 4);
        wheel.arm(nanos(0), 5);
        let rest = [(slot, 4), (slot, 5), (slot + 1, 2), (slot + 1, 3), (slot + 2, 0)];
        assert_eq!(all(&mut wheel), rest, "level {level}");
    }
}

#[test]
fn rearming_is_arming_anew() {
    // (first instant of 0, its new one, what comes)
    let table = [
        (5, 5, [(5, 1), (5, 0), (90, 2)]),
        (5, 90, [(5, 1), (90, 2), (90, 0)]),
        (90, 5, [(5, 1), (5, 0), (90, 2)]),
        (5, 1 << 40, [(5, 1), (90, 2), (1 << 40, 0)]),
        (u64::MAX, 1, [(1, 0), (5, 1), (90, 2)]),
        (1, u64::MAX, [(5, 1), (90, 2), (u64::MAX, 0)]),
    ];
    for (before, after, expected) in table {
        let mut wheel = Wheel::new();
        let key = wheel.arm(nanos(before), 0);
        wheel.arm(nanos(5), 1);
        wheel.arm(nanos(90), 2);
        assert!(wheel.rearm(key, nanos(after)));
        assert_eq!(all(&mut wheel), expected, "from {before} to {after}");
        assert!(!wheel.rearm(key, nanos(after)), "it has come");
    }
}

#[test]
fn what_is_cancelled_does_not_come_even_from_the_slot_that_is_firing() {
    for at in LAST {
        for cancelled in 1..5 {
            let mut wheel = Wheel::new();
            let keys: Vec<_> = (0..5).map(|value| wheel.arm(nanos(at), value)).collect();
            assert_eq!(wheel.pop(), Some((nanos(at), 0)));
            assert_eq!(wheel.cancel(keys[cancelled]), Some(cancelled as u64));
            assert_eq!(wheel.cancel(keys[cancelled]), None, "once");
            assert_eq!(wheel.cancel(keys[0]), None, "it has come");
            let rest: Vec<_> = all(&mut wheel).into_iter().map(|(_, value)| value).collect();
            let expected: Vec<_> = (1..5).filter(|value| *value != cancelled as u64).collect();
            assert_eq!(rest, expected);
        }
    }
}

#[test]
fn a_key_does_not_name_who_came_into_its_place() {
    let mut wheel = Wheel::new();
    let key = wheel.arm(nanos(7), 0);
    assert_eq!(wheel.cancel(key), Some(0));
    let other = wheel.arm(nanos(7), 1);
    assert_eq!(wheel.cancel(key), None);
    assert!(!wheel.rearm(key, nanos(9)));
    assert_eq!(wheel.cancel(other), Some(1));
    assert_eq!(wheel.pop(), None);
}

#[test]
fn it_holds_as_much_as_is_armed() {
    let mut wheel = Wheel::new();
    let mut key = wheel.arm(nanos(1), 0);
    for value in 1..10_000 {
        assert!(wheel.rearm(key, nanos(value << 30)));
        assert!(wheel.cancel(key).is_some());
        key = wheel.arm(nanos(value << 20), value);
    }
    assert_eq!((wheel.len(), wheel.entries.len()), (1, 1));
}
