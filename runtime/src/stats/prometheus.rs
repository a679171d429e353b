//! The text that Prometheus scrapes, version 0.0.4 of its exposition format.

use core::fmt::Write as _;

use regatta_core::types::Priority;
use regatta_core::upstream::PoolView;

use super::{Gauge, MetricType, Stats, of_pool};

/// The Content-Type of [`Stats::prometheus`].
pub const PROMETHEUS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What stands before every name.
const PREFIX: &str = "regatta_";

/// Gauges of each pool, with its key as labels. Their names differ from those without labels, so
/// that a sum over one name counts nothing twice.
const OF_POOLS: [(&str, Gauge, &str); 3] = [
    ("pool_cx_active", Gauge::Connections, "Connections of a pool."),
    ("pool_rq_active", Gauge::Streams, "Requests on a connection of a pool."),
    ("pool_rq_pending_active", Gauge::Waiting, "Requests that wait for a connection of a pool."),
];

impl Stats {
    /// Every number in Prometheus's text format 0.0.4: names begin with `regatta_`, counters end
    /// in `_total`. Three gauges tell of each pool apart, labelled by `origin`, `profile` and
    /// `priority`; there are as many of them as there are pools now.
    ///
    /// Serve it with [`PROMETHEUS_CONTENT_TYPE`].
    pub fn prometheus(&self) -> String {
        self.prometheus_with(&[])
    }

    /// As [`Stats::prometheus`], each sample with these labels before its own: a process with
    /// several clients tells them apart. A label's name is of `[a-zA-Z_][a-zA-Z0-9_]*`, what else
    /// is in it becomes `_`, and it is none of a pool's; its value may be anything.
    pub fn prometheus_with(&self, labels: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for (metric, value) in self.values() {
            let name = exported(metric.name, metric.metric_type());
            // A type is told once for each name, directly before its samples.
            header(&mut text, &name, metric.what, metric.metric_type());
            sample(&mut text, &name, labels.iter().copied(), value);
        }
        for (name, gauge, what) in OF_POOLS {
            let name = exported(name, MetricType::Gauge);
            header(&mut text, &name, what, MetricType::Gauge);
            for pool in &self.pools {
                let own = key_labels(pool);
                let own = own.iter().map(|(name, value)| (*name, value.as_str()));
                sample(&mut text, &name, labels.iter().copied().chain(own), of_pool(pool, gauge));
            }
        }
        text
    }
}

/// The names that [`Stats::prometheus`] uses, with their types, in order.
#[cfg(test)]
pub(super) fn names() -> Vec<(String, MetricType)> {
    let all = super::METRICS.iter().map(|metric| {
        let kind = metric.metric_type();
        (exported(metric.name, kind), kind)
    });
    let pools = OF_POOLS.map(|(name, ..)| (exported(name, MetricType::Gauge), MetricType::Gauge));
    all.chain(pools).collect()
}

fn exported(name: &str, kind: MetricType) -> String {
    match kind {
        MetricType::Counter => format!("{PREFIX}{}_total", name.trim_end_matches("_total")),
        MetricType::Gauge => format!("{PREFIX}{name}"),
    }
}

fn key_labels(pool: &PoolView) -> [(&'static str, String); 3] {
    let priority = match pool.key.priority {
        Priority::Default => "default",
        Priority::High => "high",
    };
    [
        ("origin", pool.key.origin.to_string()),
        ("profile", pool.key.profile.0.to_string()),
        ("priority", priority.to_owned()),
    ]
}

fn header(text: &mut String, name: &str, what: &str, kind: MetricType) {
    let what = what.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {}", kind.name());
}

fn sample<'a>(
    text: &mut String,
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    value: u64,
) {
    text.push_str(name);
    let mut before = '{';
    for (label, value) in labels {
        text.push(before);
        before = ',';
        let label = if label.is_empty() { "_" } else { label };
        text.extend(label.chars().enumerate().map(|(at, letter)| {
            let fits = letter == '_'
                || letter.is_ascii_alphabetic()
                || (at > 0 && letter.is_ascii_digit());
            if fits { letter } else { '_' }
        }));
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                letter => text.push(letter),
            }
        }
        text.push('"');
    }
    if before == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}
