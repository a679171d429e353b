//! The stable names of what machines tell, and how a [`Seen`] takes it in.

use regatta_core::pool::{Admission, State};
use regatta_core::record::{Kind, Record, Rule};
use regatta_core::types::{AllFailed, Cause, Phase, Refusal, RetrySafe};

use super::Seen;

/// Every change of state that the diagram of the pool knows.
pub(super) const CHANGES: [&str; 8] = [
    "connecting>busy",
    "connecting>closed",
    "ready>busy",
    "busy>ready",
    "ready>draining",
    "busy>draining",
    "draining>closed",
    "early data",
];

const fn change(from: State, to: State) -> &'static str {
    use State::{Busy, Closed, Connecting, Draining, EarlyData, Ready};
    match (from, to) {
        (Connecting, Busy) => "connecting>busy",
        (Connecting, Closed) => "connecting>closed",
        (Ready, Busy) => "ready>busy",
        (Busy, Ready) => "busy>ready",
        (Ready, Draining) => "ready>draining",
        (Busy, Draining) => "busy>draining",
        (Draining, Closed) => "draining>closed",
        (EarlyData, _) | (_, EarlyData) => "early data",
        _ => "outside of the diagram",
    }
}

/// Every way to be refused.
pub(super) const REFUSALS: [&str; 12] = [
    "pending_overflow",
    "active_overflow",
    "pool_overflow",
    "socket_overflow",
    "connect_failed",
    "stream_failed",
    "deadline_resolving",
    "deadline_connecting",
    "deadline_queued",
    "deadline_answering",
    "draining",
    "unknown_key",
];

const fn refusal(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::PendingOverflow => "pending_overflow",
        Refusal::ActiveOverflow => "active_overflow",
        Refusal::PoolOverflow => "pool_overflow",
        Refusal::SocketOverflow => "socket_overflow",
        Refusal::ConnectFailed(_) => "connect_failed",
        Refusal::StreamFailed(_) => "stream_failed",
        Refusal::Deadline(Phase::Resolving) => "deadline_resolving",
        Refusal::Deadline(Phase::Connecting) => "deadline_connecting",
        Refusal::Deadline(Phase::Queued) => "deadline_queued",
        Refusal::Deadline(Phase::Answering) => "deadline_answering",
        Refusal::Draining => "draining",
        Refusal::UnknownKey => "unknown_key",
        _ => "new",
    }
}

/// Every cause that an attempt or a lookup may fail for.
pub(super) const CAUSES: [&str; 18] = [
    "name_not_found",
    "resolve_failed",
    "resolve_timeout",
    "no_address",
    "refused",
    "unreachable",
    "connect_timeout",
    "connection_reset",
    "closed",
    "os",
    "tls",
    "protocol",
    "stream_reset",
    "go_away",
    "incomplete",
    "keep_alive_timeout",
    "shut_down",
    "cancelled",
];

const fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::NameNotFound => "name_not_found",
        Cause::ResolveFailed => "resolve_failed",
        Cause::ResolveTimeout => "resolve_timeout",
        Cause::NoAddress => "no_address",
        Cause::Refused => "refused",
        Cause::Unreachable => "unreachable",
        Cause::ConnectTimeout => "connect_timeout",
        Cause::ConnectionReset => "connection_reset",
        Cause::Closed => "closed",
        Cause::Os(_) => "os",
        Cause::Tls(_) => "tls",
        Cause::Protocol(_) => "protocol",
        Cause::StreamReset(_) => "stream_reset",
        Cause::GoAway(_) | Cause::Quic(_) => "go_away",
        Cause::Incomplete => "incomplete",
        Cause::KeepAliveTimeout => "keep_alive_timeout",
        Cause::ShutDown => "shut_down",
        Cause::Cancelled => "cancelled",
        _ => "new",
    }
}

/// Every answer of admission.
pub(super) const ADMISSIONS: [&str; 8] = [
    "connect",
    "no_demand",
    "enough_connecting",
    "nothing_granted",
    "connection_limit",
    "socket_limit",
    "handshake_limit",
    "draining",
];

/// Every fate of a stream that decides whether its request goes again.
pub(super) const RESENDS: [&str; 4] = ["unsent", "unprocessed", "unknown", "answered"];

impl Seen {
    /// Takes a record in: its kind, its rule, a change of state, and why a connection was made.
    pub fn record(&mut self, record: &Record) {
        self.sometimes("record", record.kind.name());
        if record.rule != Rule::None {
            self.sometimes("rule", record.rule.name());
        }
        if record.kind == Kind::ConnectionState {
            let state = |number: u8| State::ALL.iter().find(|state| **state as u8 == number);
            let known = state(record.from).zip(state(record.to));
            let name = known.map_or("outside of the diagram", |(from, to)| change(*from, *to));
            self.sometimes("state", name);
        }
    }

    /// Takes a refusal in, and what its attempts and lookup failed for.
    pub fn refusal(&mut self, reason: &Refusal, failed: Option<&AllFailed>) {
        self.sometimes("refusal", refusal(reason));
        if let Some(failed) = failed {
            self.failure(failed.attempts.iter().map(|line| line.cause), failed.resolution);
        }
    }

    /// Takes in what attempts and a lookup failed for.
    pub fn failure(&mut self, causes: impl Iterator<Item = Cause>, resolution: Option<Cause>) {
        let mut alone = true;
        for line in causes {
            alone = false;
            self.sometimes("attempt failed by", cause(&line));
        }
        match resolution {
            Some(why) => self.sometimes("lookup failed by", cause(&why)),
            None if alone => self.sometimes("lookup failed by", "no_address"),
            None => {}
        }
    }

    /// Takes in what a pool says about one more connection.
    pub fn admission(&mut self, answer: Admission) {
        self.sometimes(
            "admission",
            match answer {
                Admission::Connect(_) => "connect",
                Admission::NoDemand => "no_demand",
                Admission::EnoughConnecting => "enough_connecting",
                Admission::NothingGranted => "nothing_granted",
                Admission::ConnectionLimit => "connection_limit",
                Admission::SocketLimit => "socket_limit",
                Admission::HandshakeLimit => "handshake_limit",
                Admission::Draining => "draining",
            },
        );
    }

    /// A request is sent again after its stream had this fate.
    pub fn resend(&mut self, fate: RetrySafe) {
        self.sometimes(
            "resend",
            match fate {
                RetrySafe::Unsent => "unsent",
                RetrySafe::Unprocessed => "unprocessed",
                RetrySafe::Unknown => "unknown",
                RetrySafe::Answered => "answered",
            },
        );
    }
}
