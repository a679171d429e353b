//! Which stream goes first (RFC 9218).
//!
//! More urgent streams go before less urgent ones. Of those that are as urgent, answers that are
//! of use only when they are whole go one after another, in the order in which they were asked
//! for; then those of which every part is of use, in turns. So do those of which nothing was said.

use core::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::client::{number, request_stream};
use super::frame::{kind, put_front};
use super::stream::{Fault, Stream};
use super::{H3, code};
use crate::engine::integer;
use crate::id::StreamId;
use crate::time::Instant;

/// The field (RFC 9218 5).
const FIELD: HeaderName = HeaderName::from_static("priority");
/// How urgent what is not said to be anything else is (RFC 9218 4.1).
const URGENCY: u8 = 3;
/// PRIORITY_UPDATE frames that a client may send, and more for each request (A79).
const UPDATES: u32 = 1_000;
const UPDATES_PER_REQUEST: u32 = 16;

/// What a request's sender wants (RFC 9218 4).
///
/// As text it is the value of a `priority` field. In a request's or response's head such a field
/// is heeded; [`H3::prioritize`] changes it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two parameters of RFC 9218")]
pub struct Priority {
    /// From 0, the most urgent, to 7; what is more counts as 7. Default 3.
    pub urgency: u8,
    /// Whether a part of the answer is of use. Default no.
    pub incremental: bool,
}

impl Default for Priority {
    fn default() -> Self {
        Self { urgency: URGENCY, incremental: false }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incremental = if self.incremental { ", i" } else { "" };
        write!(f, "u={}{incremental}", self.urgency.min(7))
    }
}

impl From<Priority> for HeaderValue {
    /// The value of a `priority` field.
    fn from(priority: Priority) -> Self {
        Self::from_str(&priority.to_string()).unwrap_or_else(|_| Self::from_static("u=3"))
    }
}

impl Priority {
    /// What the `priority` fields of a head say; `None` where they say nothing.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let said = Said::of(fields);
        (!said.is_nothing()).then(|| said.over(None))
    }

    /// The transport's number for it: streams with a higher one go first, those with the same one
    /// in turns. What nothing is said of has 0.
    fn rank(self, stream: u64) -> i32 {
        const LEVEL: i32 = 1 << 26;
        let place = i32::try_from(stream / 4).unwrap_or(i32::MAX).min(LEVEL - 2);
        let within = if self.incremental { 0 } else { LEVEL - 1 - place };
        (i32::from(URGENCY) - i32::from(self.urgency.min(7))) * LEVEL + within
    }
}

/// What a dictionary says, and what it leaves unsaid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    urgency: Option<u8>,
    incremental: Option<bool>,
}

impl Said {
    /// The `u` and `i` of a dictionary (RFC 9218 4, RFC 8941 3.2); members that are unknown or
    /// out of range mean nothing.
    fn read(self, value: &[u8]) -> Self {
        let mut quoted = false;
        let members = value.split(|byte| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted
        });
        members.fold(self, |said, member| {
            let item = member.split(|byte| *byte == b';').next().unwrap_or_default();
            match item.trim_ascii() {
                [b'u', b'=', digit @ b'0'..=b'7'] => Self { urgency: Some(digit - b'0'), ..said },
                b"i" | b"i=?1" => Self { incremental: Some(true), ..said },
                b"i=?0" => Self { incremental: Some(false), ..said },
                _ => said,
            }
        })
    }

    /// What a head says.
    pub(super) fn of(fields: &HeaderMap) -> Self {
        let all = fields.get_all(FIELD).iter();
        all.fold(Self::default(), |said, value| said.read(value.as_bytes()))
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// What it says, and of what it leaves unsaid what was said before.
    fn over(self, before: Option<Priority>) -> Priority {
        let before = before.unwrap_or_default();
        Priority {
            urgency: self.urgency.unwrap_or(before.urgency),
            incremental: self.incremental.unwrap_or(before.incremental),
        }
    }
}

impl Stream {
    /// Takes in what a head says; a server's word on its answer counts beside the client's
    /// (RFC 9218 8).
    pub(super) fn heed(&mut self, said: Said) {
        if !said.is_nothing() {
            self.set_priority(said.over(self.priority));
        }
    }

    pub(super) fn set_priority(&mut self, priority: Priority) {
        self.priority = Some(priority);
        self.rank = priority.rank(number(self.quic));
    }
}

impl H3 {
    /// Changes how urgent a stream is. A client tells the server, which sends the answer
    /// (RFC 9218 7.2); a server heeds it itself.
    ///
    /// What already waits at the transport sinks at once and rises when its turn comes: quinn-proto
    /// looks at a new number when it takes a stream from its queue. An answer that the transport
    /// has whole keeps its place.
    pub fn prioritize(&mut self, now: Instant, stream: StreamId, priority: Priority) {
        self.log_at(now);
        let Some(found) = self.streams.get_mut(stream) else { return };
        if found.priority == Some(priority) {
            return;
        }
        found.set_priority(priority);
        let element = number(found.quic);
        self.enlist(stream);
        if !self.is_server {
            self.is_stirred = true;
            self.say_control(|out| {
                let mut payload = Vec::new();
                integer::put(&mut payload, element);
                payload.extend_from_slice(priority.to_string().as_bytes());
                put_front(out, kind::PRIORITY_UPDATE, payload.len());
                out.append(&mut payload);
            });
        }
    }

    /// A client says how urgent a request's answer is (RFC 9218 7.2).
    pub(super) fn on_priority_update(
        &mut self,
        kind: u64,
        mut payload: &[u8],
    ) -> Result<(), Fault> {
        let element = integer::take(&mut payload).ok_or(Fault::Connection(code::FRAME_ERROR))?;
        // Nothing is ever pushed; a request is a client's stream of both directions.
        if kind != kind::PRIORITY_UPDATE || !element.is_multiple_of(4) {
            return Err(Fault::Connection(code::ID_ERROR));
        }
        self.updates += 1;
        let accepted = u32::try_from(self.accepted).unwrap_or(u32::MAX);
        let most = accepted.saturating_mul(UPDATES_PER_REQUEST).saturating_add(UPDATES);
        if self.updates > most {
            return Err(Fault::Connection(code::EXCESSIVE_LOAD));
        }
        // What it leaves unsaid has its default again.
        let priority = Said::default().read(payload).over(None);
        let quic = request_stream(element / 4);
        if let Some(id) = self.numbers.get(quic) {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.set_priority(priority);
                stream.is_updated = true;
                self.enlist(id);
            }
        } else if self.may_come(quic.index()) {
            self.early_priorities.insert(quic.index(), priority);
        }
        Ok(())
    }

    /// Whether a stream that has not come may be one of the next, of which something is kept.
    fn may_come(&self, index: u64) -> bool {
        let most = u64::from(self.config.max_concurrent_streams.get());
        index >= self.accepted && index - self.accepted < most
    }

    /// What was said of a stream before it came.
    pub(super) fn take_early_priority(&mut self, stream: &mut Stream) {
        if let Some(priority) = self.early_priorities.remove(&stream.quic.index()) {
            stream.set_priority(priority);
            stream.is_updated = true;
        }
    }
}
