//! Time is data: the system's clocks are read in one place per runtime, and by what measures or
//! tests it from outside.

use super::code::{line_of, test_blocks};
use super::{Tree, Violation};

const CLOCKS: [&str; 2] = ["Instant::now", "SystemTime::now"];

/// Packages that stand outside: they measure and test, or are a runtime in each file.
const OUTSIDE: [&str; 4] = ["benches/", "examples/", "tests/", "xtask/"];

/// Where each clock may be read once: in a runtime, by what tells people of progress, and where
/// core takes an instant of std's to reckon from, whichever it is.
const RUNTIMES: [&str; 4] =
    ["core/src/engine/tls/clock.rs", "runtime-async-std/", "runtime-tokio/", "sim/src/cli/"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut runtime_reads: Vec<(&str, &str)> = Vec::new();
    for file in tree.rust() {
        if OUTSIDE.iter().any(|package| file.path.starts_with(package)) {
            continue;
        }
        let runtime = RUNTIMES.into_iter().find(|package| file.path.starts_with(package));
        let tests = test_blocks(&file.code);
        for clock in CLOCKS {
            for (at, _) in file.code.match_indices(clock) {
                let line = line_of(&file.code, at);
                let in_tests = file.is_tests() || tests.iter().any(|block| block.contains(&at));
                match runtime {
                    Some(_) if in_tests => {}
                    Some(package) if runtime_reads.contains(&(package, clock)) => {
                        let says = format!("`{clock}` is read a second time in {package}");
                        found.push(file.violation(line, says));
                    }
                    Some(package) => runtime_reads.push((package, clock)),
                    None => {
                        let says = format!("`{clock}`: time comes from the runtime, as data");
                        found.push(file.violation(line, says));
                    }
                }
            }
        }
    }
    found
}
