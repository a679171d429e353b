//! A small world of the simulator: real clients and servers, with the bytes as its tape.

use regatta_models::tape::Tape;
use regatta_sim::explore::{Options, Profile, run};

/// Longest tape: what is longer is another world's.
const LONGEST: usize = 4_096;

/// Every invariant of the explorer holds after every step, and everything comes to its end.
pub fn small(bytes: &[u8]) {
    let Some((first, tape)) = bytes.split_first() else { return };
    let profile = if first % 2 == 0 { Profile::Flat } else { Profile::Realistic };
    let mut options = Options::new(profile);
    options.trace = std::env::var_os("REGATTA_TRACE").is_some();
    let ended = run(Tape::new(&tape[..tape.len().min(LONGEST)]), &options);
    if let Some(violation) = ended.violation {
        panic!("{:?}: {:?}\n{}", violation.class, violation.failure, ended.story.join("\n"));
    }
}
