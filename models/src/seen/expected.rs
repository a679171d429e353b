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
    /// Group and item of what may be reached and need not be.
    pub perhaps: Vec<(&'static str, &'static str)>,
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
            .without(&RACES)
    }

    /// As above, where QUIC and TCP race as well.
    #[must_use]
    pub fn with_all_of_races(self) -> Self {
        let mut all = self.with_all_of_upstream();
        all.exceptions.retain(|exception| !RACES.contains(exception));
        let races = RACES.iter().map(|exception| (exception.group, exception.item));
        all.sometimes.extend(races);
        all
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

    /// Takes out what is too rare to be asked for; where it is reached it is no surprise.
    ///
    /// # Panics
    /// When something is taken out that was not expected.
    #[must_use]
    pub fn perhaps(mut self, rare: &[Exception]) -> Self {
        self.perhaps.extend(rare.iter().map(|exception| (exception.group, exception.item)));
        self.without(rare)
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

const NO_RACE: &str = "of the race between QUIC and TCP, which this world has none of";

/// What no machine can reach today.
const NOWHERE: [Exception; 23] = [
    never("rule", Rule::He3Progress.name(), "it puts a start off, so nothing starts by it"),
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
    never("attempt failed by", "resolve_timeout", "it ends who waits for a lookup"),
    never("attempt failed by", "no_address", "it ends a lookup, not an attempt"),
    never("attempt failed by", "keep_alive_timeout", NOT_A_HANDSHAKE),
    never("attempt failed by", "shut_down", NOT_A_HANDSHAKE),
    never("attempt failed by", "incomplete", NOT_A_HANDSHAKE),
];

/// What only a race between QUIC and TCP reaches.
const RACES: [Exception; 26] = [
    never("rule", "RACE-QUIC-FIRST", NO_RACE),
    never("rule", "RACE-TCP-ONLY", NO_RACE),
    never("rule", "RACE-DELAY", NO_RACE),
    never("rule", "RACE-QUIC-FAILED", NO_RACE),
    never("rule", "RACE-SUSPECT", NO_RACE),
    never("rule", "RACE-BEHIND", NO_RACE),
    never("rule", "RACE-LEARNT", NO_RACE),
    never("rule", "RACE-SECOND-KNOWN", NO_RACE),
    never("rule", "RACE-BROKEN", NO_RACE),
    never("rule", "RACE-SUSPECT-DEAD", NO_RACE),
    never("rule", "RACE-CONFIRMED", NO_RACE),
    never("record", Kind::Http3Broken.name(), NO_RACE),
    never("record", Kind::Http3Suspect.name(), NO_RACE),
    never("record", Kind::Http3Confirmed.name(), NO_RACE),
    never("state", "early data", NO_RACE),
    never("rule", Rule::ResendEarly.name(), NO_RACE),
    never("rule", Rule::EarlyOvertaken.name(), NO_RACE),
    never("record", Kind::EarlyData.name(), NO_RACE),
    never("record", Kind::EarlyDataSent.name(), NO_RACE),
    never("record", Kind::EarlyDataRefused.name(), NO_RACE),
    never("rule", Rule::MuteOvertaken.name(), NO_RACE),
    never("record", Kind::Mute.name(), NO_RACE),
    never("record", Kind::ServicesAsked.name(), NO_RACE),
    never("record", Kind::ServicesOffered.name(), NO_RACE),
    never("record", Kind::ServicesAbsent.name(), NO_RACE),
    never("record", Kind::HeldBack.name(), NO_RACE),
];
