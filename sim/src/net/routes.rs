//! Routes: which link a packet takes, and what the link does to it.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;
use regatta_core::time::Duration;

use super::HostId;
use super::link::{Burst, Jitter, Link};
use crate::choice::Choices;

/// A part of the whole in parts per million.
const WHOLE: u32 = 1_000_000;

/// One direction of a link, with what is on it.
#[derive(Debug)]
struct Path {
    link: Link,
    /// When the last bit that waits will have gone in.
    busy: Instant,
    /// When the latest packet arrives.
    last: Instant,
    /// The state of the link's bursts of loss.
    bad: bool,
}

/// Which direction of which link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathId(u32);

/// All links, and who is cut off from whom.
#[derive(Debug)]
pub(crate) struct Routes {
    paths: Vec<Path>,
    by_hosts: BTreeMap<(HostId, HostId), PathId>,
    /// By (host, address of another): there and back.
    by_address: BTreeMap<(HostId, IpAddr), [PathId; 2]>,
    cut: BTreeSet<(HostId, HostId)>,
    apart: BTreeSet<HostId>,
}

/// Where a packet begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) from: HostId,
    pub(crate) source: IpAddr,
    pub(crate) to: HostId,
    pub(crate) destination: IpAddr,
}

/// When a packet arrives: never, once or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    pub(crate) first: Option<Instant>,
    pub(crate) second: Option<Instant>,
}

/// The path of hosts that nobody linked.
const UNLINKED: PathId = PathId(0);
/// The path of a host to itself.
const LOOPBACK: PathId = PathId(1);

impl Default for Routes {
    fn default() -> Self {
        let here = Link::delay(Duration::ZERO);
        Self {
            paths: vec![Path::new(here), Path::new(here.mtu(u16::MAX))],
            by_hosts: BTreeMap::new(),
            by_address: BTreeMap::new(),
            cut: BTreeSet::new(),
            apart: BTreeSet::new(),
        }
    }
}

impl Path {
    const fn new(link: Link) -> Self {
        Self { link, busy: Instant::EPOCH, last: Instant::EPOCH, bad: false }
    }
}

impl Routes {
    pub(super) fn link(&mut self, from: HostId, to: HostId, link: Link) {
        if let Some(PathId(index)) = self.by_hosts.get(&(from, to)) {
            self.paths[*index as usize].link = link;
            return;
        }
        let id = self.add(link);
        self.by_hosts.insert((from, to), id);
    }

    pub(super) fn link_address(&mut self, host: HostId, address: IpAddr, link: Option<Link>) {
        match (self.by_address.get(&(host, address)).copied(), link) {
            (_, None) => {
                self.by_address.remove(&(host, address));
            }
            (Some(both), Some(link)) => {
                both.into_iter().for_each(|id| self.paths[id.0 as usize].link = link);
            }
            (None, Some(link)) => {
                let both = [self.add(link), self.add(link)];
                self.by_address.insert((host, address), both);
            }
        }
    }

    fn add(&mut self, link: Link) -> PathId {
        self.paths.push(Path::new(link));
        PathId(self.paths.len() as u32 - 1)
    }

    pub(super) fn cut(&mut self, one: HostId, other: HostId, cut: bool) {
        let pair = (one.min(other), one.max(other));
        match cut {
            true => self.cut.insert(pair),
            false => self.cut.remove(&pair),
        };
    }

    pub(super) fn partition(&mut self, apart: Vec<HostId>) {
        self.apart = apart.into_iter().collect();
    }

    /// Whether anything gets from one to the other.
    pub(crate) fn are_joined(&self, from: HostId, to: HostId) -> bool {
        !self.cut.contains(&(from.min(to), from.max(to)))
            && self.apart.contains(&from) == self.apart.contains(&to)
    }

    pub(crate) fn find(&self, ends: Ends) -> PathId {
        let Ends { from, source, to, destination } = ends;
        if from == to {
            return LOOPBACK;
        }
        if !self.by_address.is_empty() {
            if let Some([there, _]) = self.by_address.get(&(from, destination)) {
                return *there;
            }
            if let Some([_, back]) = self.by_address.get(&(to, source)) {
                return *back;
            }
        }
        self.by_hosts.get(&(from, to)).copied().unwrap_or(UNLINKED)
    }

    pub(crate) fn link_of(&self, path: PathId) -> &Link {
        &self.paths[path.0 as usize].link
    }

    /// Sends a packet of `size` bytes, headers included.
    pub(crate) fn carry(
        &mut self,
        choices: &mut Choices,
        now: Instant,
        path: PathId,
        size: u64,
    ) -> Arrivals {
        let path = &mut self.paths[path.0 as usize];
        let link = path.link;
        if link.is_flat() {
            return Arrivals { first: Some(now + link.delay), second: None };
        }
        let lost = choices.chance("loss", link.loss_ppm);
        let lost = link.burst.is_some_and(|burst| path.burst(choices, burst)) || lost;
        let Some(gone) = path.go_in(now, size) else { return Arrivals::default() };
        if lost {
            return Arrivals::default();
        }
        let usual = (gone + jittered(choices, link.delay, link.jitter)).max(path.last);
        let first = if choices.chance("reorder", link.reorder_ppm) {
            usual + link.reorder_by
        } else {
            path.last = usual;
            usual
        };
        let second = choices.chance("duplicate", link.duplicate_ppm).then_some(first);
        Arrivals { first: Some(first), second }
    }
}

impl Path {
    /// When the packet's last bit has gone in; `None` when there is no room for it.
    fn go_in(&mut self, now: Instant, size: u64) -> Option<Instant> {
        let Some(rate) = self.link.bandwidth else { return Some(now) };
        let rate = u128::from(rate.max(1));
        let wait = self.busy.saturating_since(now);
        let waiting = wait.as_nanos() * rate / 8_000_000_000;
        if !wait.is_zero() && waiting + u128::from(size) > u128::from(self.link.queue) {
            return None;
        }
        let takes = u128::from(size) * 8_000_000_000 / rate;
        let takes = Duration::from_nanos(u64::try_from(takes).unwrap_or(u64::MAX));
        self.busy = self.busy.max(now) + takes;
        Some(self.busy)
    }

    /// Whether the chain of bursts loses this packet.
    fn burst(&mut self, choices: &mut Choices, burst: Burst) -> bool {
        let turn = if self.bad { burst.recover_ppm } else { burst.enter_ppm };
        if choices.chance("burst", turn) {
            self.bad = !self.bad;
        }
        let loss = if self.bad { burst.bad_loss_ppm } else { burst.good_loss_ppm };
        choices.chance("loss in a burst", loss)
    }
}

/// A drawn delay; that of a used-up tape is the link's own.
///
/// Only operations that every machine rounds alike: add, multiply, divide and square root.
fn jittered(choices: &mut Choices, delay: Duration, jitter: Jitter) -> Duration {
    match jitter {
        Jitter::None => delay,
        Jitter::Uniform(most) => {
            let part = u64::from(choices.draw("jitter", 1 << 16));
            delay + scaled(most, part, (1 << 16) - 1)
        }
        Jitter::Normal(deviation) => {
            // The sum of four bytes has a standard deviation of 147.8.
            let bytes = choices.draw("jitter", u32::MAX).to_be_bytes();
            let sum: i64 = bytes.iter().map(|byte| i64::from(byte.cast_signed())).sum();
            let by = scaled(deviation, sum.unsigned_abs() * 10, 1_478);
            if sum < 0 { delay.saturating_sub(by) } else { delay + by }
        }
        Jitter::Pareto(scale) => {
            let left = (1 << 16) - choices.draw("jitter", 1 << 16);
            let factor = (f64::from(1 << 16) / f64::from(left)).sqrt() - 1.0;
            delay + scaled(scale, (factor * f64::from(WHOLE)) as u64, u64::from(WHOLE))
        }
    }
}

fn scaled(time: Duration, part: u64, of: u64) -> Duration {
    let nanos = time.as_nanos() * u128::from(part) / u128::from(of);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
