//! What came of a run.

use std::collections::BTreeMap;

use regatta_core::Instant;
use regatta_core::record::Kind;
use regatta_runtime::{ErrorKind, Stats, Timeline};

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which of the scenario's loads it belongs to.
    pub load: usize,
    /// What it asked for: method and URL.
    pub what: String,
    /// When it began.
    pub requested: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it ended.
    pub end: End,
    /// Bytes of its body.
    pub sent: u64,
    /// Bytes of the answer's body.
    pub received: u64,
    /// Where its time went.
    pub timeline: Timeline,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It had not when the run's time was up.
    UnderWay,
    /// An answer came, whole, with this status.
    Answered(u16),
    /// It failed; the cause's name.
    Failed(String),
}

/// What came of one run.
#[derive(Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The names of its loads.
    pub loads: Vec<String>,
    /// Every request, in the order of asking.
    pub asked: Vec<Asked>,
    /// The client's counters.
    pub counters: BTreeMap<Kind, u64>,
    /// Virtual time at its end.
    pub ended: Instant,
    /// What kept it from being run to its end.
    pub failed: Option<String>,
    /// All its steps in one number.
    pub digest: u64,
    /// How many steps there were.
    pub steps: u64,
}

impl Outcome {
    /// How often something happened at the client.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counters.get(&kind).copied().unwrap_or(0)
    }
}

/// A client's counters.
pub(super) fn counters<'a>(all: impl IntoIterator<Item = &'a Stats>) -> BTreeMap<Kind, u64> {
    let mut counters = BTreeMap::new();
    for stats in all {
        for kind in Kind::ALL {
            *counters.entry(*kind).or_default() += stats.count(*kind);
        }
    }
    counters
}

/// A failure's stable name: `pending-overflow`, `connect-failed(refused)`.
pub(super) fn name_of(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Refused(refusal) => kebab(&format!("{refusal:?}")),
        ErrorKind::Request(_) => "bad-request".to_owned(),
        ErrorKind::Body(_) => "body-failed".to_owned(),
        ErrorKind::Config(_) => "bad-configuration".to_owned(),
        _ => "gone".to_owned(),
    }
}

/// `ConnectFailed(NoAddress)` as `connect-failed(no-address)`.
fn kebab(shown: &str) -> String {
    let mut text = String::with_capacity(shown.len() + 4);
    for letter in shown.chars() {
        if letter.is_ascii_uppercase() && text.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use regatta_core::types::{Cause, Refusal};

    use super::*;

    #[test]
    fn failures_have_names() {
        let all = [
            (Refusal::PendingOverflow, "pending-overflow"),
            (Refusal::ConnectFailed(Cause::Refused), "connect-failed(refused)"),
            (Refusal::StreamFailed(Cause::Os(5)), "stream-failed(os(5))"),
        ];
        for (refusal, name) in all {
            assert_eq!(name_of(&ErrorKind::Refused(refusal)), name);
        }
        assert_eq!(name_of(&ErrorKind::Gone), "gone");
    }
}
