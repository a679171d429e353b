//! The counts of the small worlds, and proof that the search can fail.

mod planted;
mod toy;

use super::search::{Bounds, World, search};
use super::{BOUNDS, Counterexample, Size, Subject, Walk, eyeballs, pool, race};

/// Walks a world to its end, and makes states that look alike prove that they are.
fn alike<W: World>(name: &'static str, world: W) -> Walk {
    let bounds = Bounds { lookalikes: true, ..BOUNDS };
    search(name, world, bounds, &mut |_| ()).unwrap_or_else(|found| panic!("{found}"))
}

fn broken<W: World>(world: W) -> Counterexample {
    *search("planted", world, BOUNDS, &mut |_| ()).expect_err("a fault is planted")
}

/// Compares with the counts in the table; a change of the machine's behaviour changes them.
fn compare(walks: &[Walk], table: &[(&str, [u64; 5])]) {
    let counted = walks.iter().map(|walk| {
        assert!(!walk.cut_short, "{}: the search did not end", walk.name);
        let Walk { states, moves, ends, depth, rest_within, .. } = *walk;
        (walk.name, [states, moves, ends, depth.into(), rest_within.into()])
    });
    let counted: Vec<_> = counted.collect();
    assert_eq!(counted, table, "states, moves, ends, depth, steps to rest");
}

#[test]
fn every_order_of_a_pool() {
    let pool = Subject::named("pool").unwrap();
    let walks = (pool.walk)(Size::Small, &mut |_| ()).unwrap_or_else(|found| panic!("{found}"));
    let table = [
        ("HTTP/1", [12_150, 40_689, 6, 29, 17]),
        ("HTTP/2", [3_031, 8_274, 7, 20, 14]),
        ("deadlines and drain timeout", [11_859, 41_146, 6, 25, 18]),
        ("methods, resends and max_retries", [7_247, 23_214, 6, 33, 14]),
        ("max_requests_per_connection and age", [7_193, 26_311, 6, 20, 17]),
        ("probes", [5_547, 15_884, 6, 26, 14]),
        ("bursts of one", [13_288, 46_178, 8, 31, 19]),
        ("preconnect, any protocol", [15_880, 53_112, 6, 22, 16]),
        ("tight breakers and sockets", [1_458, 4_217, 6, 16, 13]),
        ("HTTP/3 and MAX_STREAMS", [10_772, 36_328, 9, 23, 16]),
    ];
    compare(&walks, &table);
}

/// The larger worlds are left out: each state that is met again is looked at twice.
#[test]
fn pools_that_look_alike_are() {
    let settings = pool::settings::all(Size::Small).into_iter();
    let small = settings.filter(|it| it.handshakes.len() == 1 && it.name != "bursts of one");
    let walks = small.map(|it| alike(it.name, pool::Around::new(it)));
    assert!(walks.map(|walk| walk.states).sum::<u64>() > 40_000);
}

#[test]
fn every_order_of_a_race() {
    let settings = eyeballs::settings(Size::Small).into_iter();
    let walks: Vec<_> = settings.map(|it| alike(it.name, eyeballs::Around::new(it))).collect();
    let table = [
        ("TLS decides", [8_943, 16_334, 5_946, 17, 2]),
        ("TCP decides", [3_088, 4_812, 2_024, 15, 2]),
        ("two at once", [4_839, 8_390, 3_002, 15, 2]),
        ("two in all", [1_763, 2_904, 1_098, 13, 2]),
        ("an attempt waits longer than the resolver", [10_095, 18_748, 6_686, 19, 2]),
    ];
    compare(&walks, &table);
}

#[test]
fn every_order_of_quic_against_tcp() {
    let settings = race::settings(Size::Small).into_iter();
    let walks: Vec<_> = settings.map(|it| alike(it.name, race::Around::new(it))).collect();
    let table = [
        ("QUIC first", [475, 2_118, 3, 13, 6]),
        ("two families", [3_460, 18_245, 12, 14, 8]),
        ("suspect", [3_848, 21_659, 12, 14, 8]),
        ("failed before", [54, 164, 3, 5, 6]),
        ("no alternative", [52, 159, 3, 5, 6]),
        ("two legs at most", [1_940, 8_669, 12, 13, 8]),
        ("learnt beside TCP", [15_272, 92_877, 12, 18, 11]),
    ];
    compare(&walks, &table);
}
