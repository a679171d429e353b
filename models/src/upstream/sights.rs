//! What runs of an upstream have reached, and what a sweep over them must reach.

use regatta_core::record::Kind;
use regatta_core::upstream::{Action, Event, Upstream};

use crate::books;
use crate::harness::{self, Input};
use crate::seen::{Expected, STREAMS_END_FIRST, Seen, never};

pub(super) const LOOKUP: &str = "a name is looked up once at a time";
pub(super) const FRESH: &str = "a connection begins with addresses that are fresh";
pub(super) const ATTEMPT: &str = "an attempt is for a connection of its key, to an address told";
pub(super) const TRUTH: &str = "what a failed connection says of its attempts is true";
pub(super) const COUNTS: &str = "sockets, pools and requests are those that there are";
pub(super) const STALE: &str = "a stale event does nothing";
pub(super) const EMPTY: &str = "everything is gone at rest";
pub(super) const TURNS: &str = "pools take turns, and max_handshakes is never exceeded";
pub(super) const ROOM: &str = "what is idle for the longest makes room, and nothing in vain";
pub(super) const EARLY_SUSPECT: &str =
    "HTTP/3 is suspect when a handshake failed that carried early data";
pub(super) const SERVICES_ASKED: &str = "who knows nothing of QUIC asks for services";
pub(super) const HELD_BACK: &str = "nobody is held back for longer than the resolution delay";
pub(super) const TRIED: &str = "who has an address tries it within the resolution delay";
pub(super) const BEGUN: &str = "all that a request shows to be needed begins with it";
pub(super) const BEGUN_BEHIND_QUIC: &str = "what QUIC has held back begins when it has failed";
pub(super) const LIMITS: &str = "sockets and requests stay within their limits";

/// What a sweep over lawful worlds must have seen.
pub fn expected() -> Expected {
    lawful(Expected::default().with_all_of_upstream())
}

/// What a sweep over lawful worlds must have seen in which QUIC and TCP race.
pub fn expected_of_races() -> Expected {
    lawful(Expected::default().with_all_of_races())
        .with("action", &["recall", "resolve services"])
        .with_always(&books::INVARIANTS_OF_EARLY_DATA)
        .with_always(&books::INVARIANTS_OF_SILENCE)
        .with_always(&[EARLY_SUSPECT, SERVICES_ASKED, HELD_BACK, BEGUN_BEHIND_QUIC])
}

/// What a sweep over lawless worlds must have seen.
pub fn expected_of_anarchy() -> Expected {
    lawless(Expected::default().with_all_of_upstream())
}

/// What a sweep over lawless worlds must have seen in which QUIC and TCP race.
pub fn expected_of_raced_anarchy() -> Expected {
    lawless(Expected::default().with_all_of_races()).with("action", &["recall", "resolve services"])
}

fn lawful(machine: Expected) -> Expected {
    machine
        .with("action", &ACTIONS)
        .with_always(&harness::INVARIANTS)
        .with_always(&books::INVARIANTS)
        .with_always(&[
            LOOKUP, FRESH, ATTEMPT, TRUTH, COUNTS, STALE, EMPTY, TURNS, ROOM, TRIED, BEGUN,
        ])
        .without(&[never("record", Kind::DestroyedWithStreams.name(), STREAMS_END_FIRST)])
}

fn lawless(machine: Expected) -> Expected {
    machine
        .with("action", &ACTIONS)
        .with_always(&harness::INVARIANTS)
        .with_always(&[LIMITS])
        .without(&[
            never("refusal", "unknown_key", "only known keys are asked for"),
            never("lookup failed by", "resolve_failed", "a lookup fails only for want of the name"),
        ])
}

const ACTIONS: [&str; 11] = [
    "resolve",
    "connect",
    "abort attempt",
    "assign",
    "reset",
    "resend",
    "refuse",
    "finished",
    "probe",
    "shutdown",
    "abort",
];

pub(super) fn see(
    input: &Input<Event>,
    actions: &[Action],
    machine: &mut Upstream,
    seen: &mut Seen,
) {
    while let Some(record) = machine.poll_record() {
        seen.record(&record);
    }
    for action in actions {
        seen.sometimes("action", name(action));
        match (action, input) {
            (Action::Refuse { reason, failed, .. }, _) => seen.refusal(reason, failed.as_deref()),
            (Action::Resend(_), Input::Event(Event::StreamEnded { retry, .. })) => {
                seen.resend(*retry);
            }
            _ => {}
        }
    }
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Resolve { .. } => "resolve",
        Action::ResolveServices { .. } => "resolve services",
        Action::Connect { .. } => "connect",
        Action::AbortAttempt(_) => "abort attempt",
        Action::Assign { .. } => "assign",
        Action::Reset { .. } => "reset",
        Action::Recall { .. } => "recall",
        Action::Resend(_) => "resend",
        Action::Refuse { .. } => "refuse",
        Action::Finished { .. } => "finished",
        Action::Probe(_) => "probe",
        Action::Shutdown(_) => "shutdown",
        Action::Abort(_) => "abort",
    }
}
