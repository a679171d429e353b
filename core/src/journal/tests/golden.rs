//! Journals of real runs; `tests/src/journal/` makes them.

use super::super::{End, replay};

macro_rules! golden {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../golden/", $name, ".journal")))),*]
    };
}

const ALL: &[(&str, &str)] = golden! {
    "circuit-breaker" "deadline" "failed-connect" "go-away" "http1" "http2" "tls"
};

pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().copied()
}

#[test]
fn real_runs_are_decided_as_they_were() {
    for (name, journal) in ALL {
        match replay(journal.as_bytes()) {
            Ok(summary) => assert_eq!(summary.end, End::Complete, "{name}"),
            Err(failure) => panic!("{name}: {failure}"),
        }
    }
}
