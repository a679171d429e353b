//! The resolver: looks names up in the net's records.

use std::collections::BTreeMap;

use regatta_core::Instant;
use regatta_core::time::Duration;

use super::names::{Answers, GIVES_UP, Record, RecordType, Records, Reply};

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    records: Records,
    /// How often each type was asked for.
    asked: [usize; 3],
}

/// An answer that will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coming {
    pub(crate) after: Duration,
    pub(crate) ttl: Option<Duration>,
    pub(crate) reply: Reply,
}

impl Names {
    pub(super) fn set(&mut self, name: &str, records: Records) {
        self.names.insert(canonical(name), Known { records, asked: [0; 3] });
    }

    /// Whether A and AAAA come together.
    pub(super) fn is_together(&self, name: &str) -> bool {
        self.names.get(&canonical(name)).is_none_or(|known| known.records.together)
    }

    /// Asks for one type of record.
    pub(super) fn ask(&mut self, now: Instant, name: &str, which: RecordType) -> Coming {
        let Some(known) = self.names.get_mut(&canonical(name)) else {
            return Coming { after: Duration::ZERO, ttl: None, reply: Reply::NoSuchName };
        };
        let asked = &mut known.asked[which as usize];
        let turn = *asked;
        *asked += 1;
        let record = match which {
            RecordType::A => &known.records.a,
            RecordType::Aaaa => &known.records.aaaa,
            RecordType::Https => &known.records.https,
        };
        let reply = record.reply(now, turn);
        let after = if reply == Reply::Silence { GIVES_UP } else { record.delay };
        Coming { after, ttl: record.ttl, reply }
    }
}

impl Record {
    fn reply(&self, now: Instant, turn: usize) -> Reply {
        let found = match &self.answers {
            Answers::Always(reply) => Some(reply),
            Answers::ByTurns(replies) => {
                turn.checked_rem(replies.len()).and_then(|turn| replies.get(turn))
            }
            Answers::From(replies) => {
                replies.iter().rev().find(|(from, _)| *from <= now).map(|(_, reply)| reply)
            }
        };
        found.cloned().unwrap_or_else(|| Reply::Addresses(Vec::new()))
    }
}

/// Names are compared without regard to case, and to a dot at the end.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
