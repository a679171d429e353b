//! Numbers of a client: counters since the beginning, pools and connections now.

use core::fmt;

use regatta_core::record::Kind;
use regatta_core::upstream::PoolView;

use crate::hub::Hub;
use crate::runtime::Runtime;

/// A client's numbers at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    counters: Vec<(Kind, u64)>,
    pools: Vec<PoolView>,
}

impl Stats {
    pub(crate) fn of<R: Runtime>(hub: &Hub<R>) -> Self {
        let now = hub.runtime.now();
        hub.look(|upstream| {
            let counters = Kind::ALL.iter().map(|kind| (*kind, upstream.count(*kind)));
            Self { counters: counters.collect(), pools: upstream.snapshot(now) }
        })
    }

    /// How often something happened since the client was built.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counters.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
    }

    /// Every pool with its connections, as they were when the numbers were taken.
    pub fn pools(&self) -> &[PoolView] {
        &self.pools
    }

    /// Every counter that is not zero, by its name (Envoy's, where Envoy has it).
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counters.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| (kind.name(), *n))
    }
}

impl fmt::Display for Stats {
    /// One counter a line, `name: value`, as Envoy's admin page prints them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counters() {
            writeln!(f, "{name}: {count}")?;
        }
        Ok(())
    }
}
