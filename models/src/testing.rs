//! How the tests of this crate get their tapes.

use core::any::{TypeId, type_name};
use core::hash::{Hash as _, Hasher as _};
use std::fs;
use std::hash::DefaultHasher;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::harness::{Subject, run};
use crate::{altsvc, eyeballs, pool, race, upstream};

/// Runs the harness over `share` per cent of `REGATTA_CASES` tapes of up to `length` bytes.
///
/// A failing tape is shrunk and printed: it belongs into the table of regressions of its module.
pub(crate) fn tapes<S: Subject>(share: u32, length: usize) {
    let cases = std::env::var("REGATTA_CASES").ok();
    let cases = cases.map_or(CASES, |text| text.parse().expect("REGATTA_CASES is a number"));
    let config = Config {
        cases: cases / 100 * share,
        failure_persistence: None,
        max_shrink_iters: 1_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng());
    let result = runner.run(&vec(any::<u8>(), 0..length), |tape| {
        run::<S>(&tape);
        Ok(())
    });
    let name = type_name::<S>();
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, tape)) => panic!("{name} fails on &{tape:?}: {why}"),
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
}

/// The same tapes each time, lest a change that breaks nothing fails by luck; `REGATTA_SEED` draws
/// others. New ones by the million are what `regatta-sim machines` is for.
fn rng() -> TestRng {
    let seed = std::env::var("REGATTA_SEED").map(|text| text.parse());
    let seed: u64 = seed.map_or(0, |number| number.expect("REGATTA_SEED is a number"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Runs every tape that once failed, and the one in `REGATTA_TAPE` (numbers, commas between).
pub(crate) fn regressions<S: Subject + 'static>(tapes: &[&[u8]]) {
    for tape in tapes {
        harvest::<S>(tape);
        run::<S>(tape);
    }
    if let Ok(text) = std::env::var("REGATTA_TAPE") {
        let numbers = text.split(',').map(|number| number.trim().parse());
        run::<S>(&numbers.collect::<Result<Vec<u8>, _>>().expect("REGATTA_TAPE is bytes"));
    }
}

/// With `REGATTA_HARVEST` set to a folder, `cargo xtask corpus` collects there what once failed.
fn harvest<S: Subject + 'static>(tape: &[u8]) {
    let Some(folder) = std::env::var_os("REGATTA_HARVEST") else { return };
    let Some(target) = target::<S>() else { return };
    let folder = Path::new(&folder).join(target);
    fs::create_dir_all(&folder).expect("a folder for what is harvested");
    let mut hasher = DefaultHasher::new();
    tape.hash(&mut hasher);
    fs::write(folder.join(format!("{:016x}", hasher.finish())), tape).expect("a file for it");
}

/// The target that is fuzzed with this subject, if there is one.
fn target<S: 'static>() -> Option<&'static str> {
    let targets = [
        (TypeId::of::<eyeballs::Race>(), "eyeballs"),
        (TypeId::of::<pool::World>(), "pool"),
        (TypeId::of::<upstream::World>(), "upstream"),
        (TypeId::of::<upstream::World<true>>(), "raced"),
        (TypeId::of::<upstream::Anarchy>(), "anarchy"),
        (TypeId::of::<upstream::Anarchy<true>>(), "raced_journaled"),
        (TypeId::of::<altsvc::World>(), "altsvc"),
        (TypeId::of::<race::Grid>(), "race"),
    ];
    let known = targets.iter().find(|(subject, _)| *subject == TypeId::of::<S>());
    known.map(|(_, target)| *target)
}

/// Event sequences in all, where `REGATTA_CASES` says nothing.
const CASES: u32 = 120_000;
