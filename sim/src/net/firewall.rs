//! The firewall: rules in order, and what they remember.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use regatta_core::Instant;

use super::HostId;
use super::rule::{Action, Rule, Transport};

/// All rules with their memories.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    rules: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    rule: Rule,
    /// Packets that passed, by flow.
    flows: BTreeMap<(Transport, SocketAddr, SocketAddr), u32>,
    /// Bits in a bucket, and when that was.
    bucket: Option<(u128, Instant)>,
}

/// A packet as a firewall sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) transport: Transport,
    pub(crate) from: HostId,
    pub(crate) source: SocketAddr,
    pub(crate) to: HostId,
    pub(crate) destination: SocketAddr,
    /// Bytes behind the header of the transport.
    pub(crate) payload: usize,
    /// Bytes in all.
    pub(crate) size: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
    Reset,
    Unreachable,
}

impl Firewall {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(Known { rule, flows: BTreeMap::new(), bucket: None });
    }

    pub(super) fn remove(&mut self, rule: &Rule) {
        self.rules.retain(|known| known.rule != *rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Whether any rule is of packets between these two.
    pub(crate) fn concerns(&self, seen: &Seen) -> bool {
        self.rules.iter().any(|known| known.is_of(seen))
    }

    /// Judges a packet.
    pub(crate) fn judge(&mut self, now: Instant, seen: &Seen) -> Verdict {
        let judged = self.rules.iter_mut().filter(|known| known.is_of(seen));
        judged
            .map(|known| known.judge(now, seen))
            .find(|verdict| *verdict != Verdict::Pass)
            .unwrap_or(Verdict::Pass)
    }
}

impl Known {
    fn is_of(&self, seen: &Seen) -> bool {
        let rule = &self.rule;
        rule.asks(seen.transport, seen.from, seen.destination)
            || (!rule.one_way && rule.asks(seen.transport, seen.to, seen.source))
    }

    fn judge(&mut self, now: Instant, seen: &Seen) -> Verdict {
        let passes = match self.rule.action {
            Action::Drop => false,
            Action::RejectReset => return Verdict::Reset,
            Action::RejectUnreachable => return Verdict::Unreachable,
            Action::PassFirst(count) => {
                let (one, other) = (seen.source, seen.destination);
                let flow = (seen.transport, one.min(other), one.max(other));
                let passed = self.flows.entry(flow).or_default();
                *passed = passed.saturating_add(1);
                *passed <= count
            }
            Action::DropAbove(most) => seen.payload <= most,
            Action::Rate { bits_per_second, burst } => {
                let full = u128::from(burst) * 8_000_000_000;
                let (level, at) = self.bucket.unwrap_or((full, now));
                let came = now.saturating_since(at).as_nanos() * u128::from(bits_per_second);
                let level = full.min(level + came);
                let wanted = u128::from(seen.size) * 8_000_000_000;
                self.bucket = Some((level.saturating_sub(wanted), now));
                if wanted > level {
                    self.bucket = Some((level, now));
                }
                wanted <= level
            }
        };
        if passes { Verdict::Pass } else { Verdict::Drop }
    }
}
