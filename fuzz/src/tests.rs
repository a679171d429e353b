//! The corpora, and tapes drawn at random, through the functions that the fuzzer calls.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::{TARGETS, Target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn every_target_has_its_files() {
    let mut expected: Vec<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    expected.sort();
    assert_eq!(names(&folder("corpus")), expected, "the folders in corpus/");
    let programs: Vec<String> = expected.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder("fuzz_targets")), programs, "the programs");
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &expected {
        let path = format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&path), "Cargo.toml has no [[bin]] with {path}");
    }
}

/// Runs every file of a target's corpus, or the one that `REGATTA_INPUT` names.
fn replay(target: &Target) {
    let one = std::env::var_os("REGATTA_INPUT").map(PathBuf::from);
    let folder = folder("corpus").join(target.name);
    let all = names(&folder).into_iter().map(|name| folder.join(name));
    let files: Vec<PathBuf> = one.map_or_else(|| all.collect(), |file| vec![file]);
    // A new target's first corpus is being gathered.
    let first = std::env::var_os("REGATTA_HARVEST").is_some();
    assert!(first || !files.is_empty(), "{} has no corpus", target.name);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let result = std::panic::catch_unwind(|| (target.run)(&bytes));
        assert!(result.is_ok(), "{} fails on {}: {}", target.name, file.display(), target.oracle);
    }
}

/// Runs tapes that are the same each time, or others where a corpus is harvested; a failing one is
/// shrunk and printed. What is new is libFuzzer's to find.
fn draw(target: &Target, cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = match std::env::var_os("REGATTA_HARVEST") {
        Some(_) => TestRunner::new(config),
        None => {
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[0; 32]);
            TestRunner::new_with_rng(config, rng)
        }
    };
    let result = runner.run(&vec(any::<u8>(), 0..600), |bytes| {
        harvest(target, &bytes);
        (target.run)(&bytes);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, tape)) => panic!("{} fails on &{tape:?}: {why}", target.name),
        Err(TestError::Abort(why)) => panic!("{}: {why}", target.name),
    }
}

/// With `REGATTA_HARVEST` set to a folder, `cargo xtask corpus` collects there what was drawn.
fn harvest(target: &Target, bytes: &[u8]) {
    let Some(folder) = std::env::var_os("REGATTA_HARVEST") else { return };
    let folder = Path::new(&folder).join(target.name);
    fs::create_dir_all(&folder).unwrap();
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    fs::write(folder.join(format!("{:016x}", hasher.finish())), bytes).unwrap();
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        const TESTED: &[&str] = &[$(stringify!($name)),+];
        $(mod $name {
            #[test]
            fn corpus() {
                super::replay(super::target(stringify!($name)));
            }

            #[test]
            fn tapes() {
                let target = super::target(stringify!($name));
                super::draw(target, super::cases(target.name));
            }
        })+
    };
}

/// Tapes drawn for each target; the fuzzer, the models' own tests and the explorer draw many more.
fn cases(name: &str) -> u32 {
    if name == "small_world" { 3 } else { 300 }
}

targets!(
    eyeballs,
    pool,
    upstream,
    anarchy,
    h1_requests,
    h1_responses,
    h1_pair,
    h2_pair,
    h3_requests,
    h3_responses,
    h3_pair,
    quic_datagrams,
    qpack_pair,
    qpack_sections,
    tls,
    small_world,
    journaled,
    journal,
    scenario,
    certificate,
    urls,
    cookies,
    command_line,
    fields,
    altsvc,
    altsvc_field,
    altsvc_file,
    race,
    raced,
    raced_journaled,
    dns
);

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

#[test]
fn every_target_is_tested() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
}
