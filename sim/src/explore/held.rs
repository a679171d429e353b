//! HTTPS records: who is held back until they are there is so no longer than the policy allows,
//! and nobody tries QUIC before somebody has said that it is there.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;
use regatta_core::record::{Kind, Record};
use regatta_core::time::Duration;
use regatta_core::types::{Origin, Transport};

/// Timers may be 20 ms late, twice.
const LATE: Duration = Duration::from_millis(41);

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) pool: u64,
    pub(super) transport: Transport,
    /// When the first address came that it waited for.
    pub(super) resolved: Option<Instant>,
}

/// Connections that are held back, and pools whose records have offered something.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Since when, and whose.
    since: BTreeMap<u64, (Instant, u64)>,
    offered: BTreeMap<u64, bool>,
    /// When a name was last asked for, and when addresses last came.
    asked: Instant,
    resolved: Instant,
}

impl Held {
    /// Takes a record in: what was met; or what is wrong.
    pub(super) fn record(
        &mut self,
        record: &Record,
        delay: Duration,
        course: impl Fn(u64) -> Option<Course>,
    ) -> Result<Option<&'static str>, String> {
        let Record { at, kind, a, b, .. } = *record;
        match kind {
            Kind::ServicesOffered => drop(self.offered.insert(a, true)),
            Kind::Resolving => self.asked = at,
            Kind::Resolved => self.resolved = at,
            Kind::HeldBack => {
                if let Some(course) = course(a) {
                    self.since.insert(a, (at, course.pool));
                }
                return Ok(Some("TCP held back"));
            }
            Kind::AttemptStarted => {
                let Some(course) = course(b) else { return Ok(None) };
                if course.transport == Transport::Quic {
                    return Ok(self.over_quic(course.pool));
                }
                let Some((since, _)) = self.since.remove(&b) else { return Ok(None) };
                let mut begun = course.resolved.unwrap_or(since).max(since);
                if self.asked > begun {
                    // Its addresses have expired meanwhile, and it waits for them again.
                    begun = begun.max(self.resolved);
                }
                // The race between addresses may wait for the other family as long again.
                let latest = begun + delay * 2 + LATE;
                if at > latest {
                    return Err(format!("held back since {since}, TCP was tried at {at}"));
                }
                return Ok(Some("held back, then TCP"));
            }
            _ => {}
        }
        Ok(None)
    }

    fn over_quic(&mut self, pool: u64) -> Option<&'static str> {
        let before = self.since.len();
        self.since.retain(|_, (_, whose)| *whose != pool);
        let first = self.offered.get_mut(&pool).is_some_and(core::mem::take);
        match (self.since.len() < before, first) {
            (true, _) => Some("held back, then QUIC"),
            (false, true) => Some("HTTP/3 learnt from DNS"),
            _ => None,
        }
    }
}

/// Origins of which somebody has said something: known beforehand, told by DNS, or one of their
/// servers has been reached, which may say anything from then on (RFC 7838).
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<Origin>);

impl Told {
    pub(super) fn hear(&mut self, origin: Origin) {
        self.0.insert(origin);
    }

    pub(super) fn is(&self, origin: &Origin) -> bool {
        self.0.contains(origin)
    }
}
