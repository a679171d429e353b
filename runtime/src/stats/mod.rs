//! Numbers of a client: counters since the beginning, gauges of now, pools and connections.
//!
//! [`METRICS`] is the one list of names; what is printed, exported and documented comes from it.

use core::fmt;

use regatta_core::id::ClusterId;
use regatta_core::limits::Resource;
use regatta_core::pool::State;
use regatta_core::record::Kind;
use regatta_core::types::Priority;
use regatta_core::upstream::PoolView;

mod metrics;
mod prometheus;
#[cfg(test)]
mod tests;

pub use metrics::{METRICS, Metric, MetricType};
pub use prometheus::PROMETHEUS_CONTENT_TYPE;

use self::metrics::Source;
use crate::hub::Hub;
use crate::runtime::Runtime;

/// A client's numbers at one moment.
///
/// `Display` is for people: plain words, without what never happened. [`Stats::lines`] and
/// [`Stats::prometheus`] are for programs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    counters: Vec<(Kind, u64)>,
    pools: Vec<PoolView>,
    sockets: u64,
    turns: u64,
    resending: u64,
}

/// What a gauge is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gauge {
    Connections,
    Connecting,
    Idle,
    Draining,
    Streams,
    Waiting,
    Resending,
    Sockets,
    Turns,
    Pools,
}

impl Stats {
    pub(crate) fn of<R: Runtime>(hub: &Hub<R>) -> Self {
        let now = hub.runtime.now();
        hub.look(|upstream| {
            let counters = Kind::ALL.iter().map(|kind| (*kind, upstream.count(*kind)));
            let resending = [Priority::Default, Priority::High]
                .map(|priority| upstream.in_use(ClusterId::new(0, 0), priority, Resource::Retries));
            Self {
                counters: counters.collect(),
                pools: upstream.snapshot(now),
                sockets: upstream.sockets().into(),
                turns: upstream.waiting_for_turn().into(),
                resending: resending.iter().copied().map(u64::from).sum(),
            }
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

    /// Every number with what it is, in the order of [`METRICS`].
    pub fn values(&self) -> impl Iterator<Item = (&'static Metric, u64)> {
        METRICS.iter().map(|metric| (metric, self.value(metric)))
    }

    /// The number of this name; `None` when there is none of that name.
    pub fn get(&self, name: &str) -> Option<u64> {
        METRICS.iter().find(|metric| metric.name == name).map(|metric| self.value(metric))
    }

    /// Every number, one a line as `name: value`, in the order of [`METRICS`], for programs:
    /// the form of Envoy's admin page.
    pub fn lines(&self) -> String {
        self.values().map(|(metric, value)| format!("{}: {value}\n", metric.name)).collect()
    }

    fn value(&self, metric: &Metric) -> u64 {
        match metric.source {
            Source::Count(kind) => self.count(kind),
            Source::Now(gauge) => self.gauge(gauge),
        }
    }

    fn gauge(&self, gauge: Gauge) -> u64 {
        match gauge {
            Gauge::Sockets => self.sockets,
            Gauge::Turns => self.turns,
            Gauge::Resending => self.resending,
            Gauge::Pools => self.pools.len() as u64,
            _ => self.pools.iter().map(|pool| of_pool(pool, gauge)).sum(),
        }
    }
}

/// What one pool adds to a gauge.
fn of_pool(pool: &PoolView, gauge: Gauge) -> u64 {
    let connections = pool.connections.iter();
    match gauge {
        Gauge::Connections => connections.count() as u64,
        Gauge::Connecting => connections
            .filter(|one| matches!(one.state, State::Connecting | State::EarlyData))
            .count() as u64,
        Gauge::Idle => {
            connections.filter(|one| one.state == State::Ready && one.streams == 0).count() as u64
        }
        Gauge::Draining => connections.filter(|one| one.state == State::Draining).count() as u64,
        Gauge::Streams => connections.map(|one| u64::from(one.streams)).sum(),
        Gauge::Waiting => pool.waiting.into(),
        Gauge::Pools => 1,
        Gauge::Resending | Gauge::Sockets | Gauge::Turns => 0,
    }
}

impl fmt::Display for Stats {
    /// One number a line with what it counts, in plain words; without zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.values().filter(|(_, value)| *value > 0).collect();
        let width = all.iter().map(|(_, value)| value.to_string().len()).max().unwrap_or(1);
        for (metric, value) in all {
            writeln!(f, "{value:width$} {}", metric.words)?;
        }
        Ok(())
    }
}
