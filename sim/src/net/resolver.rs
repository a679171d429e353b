//! The resolver: looks names up in the net's records.

use std::borrow::Cow;
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
        self.names.insert(canonical(name).into_owned(), Known { records, asked: [0; 3] });
    }

    /// Asks for records of these types; with whether A and AAAA come together.
    pub(super) fn ask<const N: usize>(
        &mut self,
        now: Instant,
        name: &str,
        which: [RecordType; N],
    ) -> ([Coming; N], bool) {
        match self.names.get_mut(canonical(name).as_ref()) {
            Some(known) => (which.map(|which| known.ask(now, which)), known.records.together),
            None => {
                let none = Coming { after: Duration::ZERO, ttl: None, reply: Reply::NoSuchName };
                (which.map(|_| none.clone()), true)
            }
        }
    }
}

impl Known {
    fn ask(&mut self, now: Instant, which: RecordType) -> Coming {
        let asked = &mut self.asked[which as usize];
        let turn = *asked;
        *asked += 1;
        let record = match which {
            RecordType::A => &self.records.a,
            RecordType::Aaaa => &self.records.aaaa,
            RecordType::Https => &self.records.https,
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
fn canonical(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}
