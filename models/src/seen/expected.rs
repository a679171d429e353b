//! What a sweep must have seen, subject by subject, and what it cannot see.

use regatta_core::record::{Kind, Rule};

use super::names::{ADMISSIONS, CAUSES, CHANGES, REFUSALS, RESENDS};

/// A state that cannot be reached, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Of which group; every item of it where `item` is empty.
    pub group: &'static str,
    /// Which one.
    pub item: &'static str,
    /// Why it cannot be.
    pub reason: &'static str,
}

/// What must be reached and evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Group and item of each state.
    pub sometimes: Vec<(&'static str, &'static str)>,
    /// The name of each invariant.
    pub always: Vec<&'static str>,
    /// What was left out.
    pub exceptions: Vec<Exception>,
}

impl Expected {
    /// Every item of a group must be reached.
    #[must_use]
    pub fn with(mut self, group: &'static str, items: &[&'static str]) -> Self {
        self.sometimes.extend(items.iter().map(|item| (group, *item)));
        self
    }

    /// These invariants must be evaluated.
    #[must_use]
    pub fn with_always(mut self, invariants: &[&'static str]) -> Self {
        self.always.extend(invariants);
        self
    }

    /// Whatever the upstream may record, refuse and answer: every kind, rule, change of state,
    /// refusal, cause, and fate of a stream that is sent again. A new one is expected by itself.
    #[must_use]
    pub fn with_all_of_upstream(self) -> Self {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let rules = Rule::ALL.iter().filter(|rule| **rule != Rule::None);
        let rules: Vec<_> = rules.map(|rule| rule.name()).collect();
        self.with("record", &kinds)
            .with("rule", &rules)
            .with("state", &CHANGES)
            .with("refusal", &REFUSALS)
            .with("attempt failed by", &CAUSES)
            .with("lookup failed by", &CAUSES)
            .with("resend", &RESENDS)
            .without(&NOWHERE)
    }

    /// Every answer of a pool's admission.
    #[must_use]
    pub fn with_admissions(self) -> Self {
        self.with("admission", &ADMISSIONS)
    }

    /// Takes out what cannot be reached; it stays listed with its reason.
    ///
    /// # Panics
    /// When something is taken out that was not expected.
    #[must_use]
    pub fn without(mut self, exceptions: &[Exception]) -> Self {
        for exception in exceptions {
            let before = self.sometimes.len();
            self.sometimes.retain(|(group, item)| {
                *group != exception.group || !exception.item.is_empty() && *item != exception.item
            });
            assert!(self.sometimes.len() < before, "{exception:?} was not expected");
            self.exceptions.push(*exception);
        }
        self
    }
}

/// Shorthand for a table of exceptions.
pub(crate) const fn never(
    group: &'static str,
    item: &'static str,
    reason: &'static str,
) -> Exception {
    Exception { group, item, reason }
}

/// Why a law-abiding world never closes a connection under its streams.
pub(crate) const STREAMS_END_FIRST: &str =
    "a driver tells every stream's end before its connection's; only anarchy does not";

const NOT_A_LOOKUP: &str = "it ends an attempt, not a lookup";
const NOT_A_HANDSHAKE: &str = "it ends a stream or an established connection";

const NOT_JOINED: &str = "of the race between QUIC and TCP, which no upstream asks yet";

/// What no machine can reach today.
const NOWHERE: [Exception; 34] = [
    never("rule", Rule::He3Progress.name(), "it puts a start off, so nothing starts by it"),
    never("state", "early data", "belongs to HTTP/3 over QUIC, which does not exist yet"),
    never("resend", "answered", "a request that was answered in part never goes again"),
    never("lookup failed by", "refused", NOT_A_LOOKUP),
    never("lookup failed by", "unreachable", NOT_A_LOOKUP),
    never("lookup failed by", "connect_timeout", NOT_A_LOOKUP),
    never("lookup failed by", "connection_reset", NOT_A_LOOKUP),
    never("lookup failed by", "closed", NOT_A_LOOKUP),
    never("lookup failed by", "os", NOT_A_LOOKUP),
    never("lookup failed by", "tls", NOT_A_LOOKUP),
    never("lookup failed by", "protocol", NOT_A_LOOKUP),
    never("lookup failed by", "stream_reset", NOT_A_LOOKUP),
    never("lookup failed by", "go_away", NOT_A_LOOKUP),
    never("lookup failed by", "incomplete", NOT_A_LOOKUP),
    never("lookup failed by", "keep_alive_timeout", NOT_A_LOOKUP),
    never("lookup failed by", "shut_down", NOT_A_LOOKUP),
    never("lookup failed by", "cancelled", NOT_A_LOOKUP),
    never("attempt failed by", "name_not_found", "it ends a lookup, not an attempt"),
    never("attempt failed by", "resolve_failed", "it ends a lookup, not an attempt"),
    never("attempt failed by", "no_address", "it ends a lookup, not an attempt"),
    never("attempt failed by", "keep_alive_timeout", NOT_A_HANDSHAKE),
    never("attempt failed by", "shut_down", NOT_A_HANDSHAKE),
    never("attempt failed by", "incomplete", NOT_A_HANDSHAKE),
    never("rule", "RACE-QUIC-FIRST", NOT_JOINED),
    never("rule", "RACE-TCP-ONLY", NOT_JOINED),
    never("rule", "RACE-DELAY", NOT_JOINED),
    never("rule", "RACE-QUIC-FAILED", NOT_JOINED),
    never("rule", "RACE-SUSPECT", NOT_JOINED),
    never("rule", "RACE-BEHIND", NOT_JOINED),
    never("rule", "RACE-LEARNT", NOT_JOINED),
    never("rule", "RACE-SECOND-KNOWN", NOT_JOINED),
    never("rule", "RACE-BROKEN", NOT_JOINED),
    never("rule", "RACE-SUSPECT-DEAD", NOT_JOINED),
    never("rule", "RACE-CONFIRMED", NOT_JOINED),
];
