//! The figures of a run: what tables show, files hold and expectations speak of.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Instant;
use regatta_core::record::Kind;
use regatta_core::types::Protocol;

use super::outcome::{Asked, End, Outcome};

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// How many.
    Count(u64),
    /// How many, in thousandths.
    Ratio(u64),
    /// How long.
    Time(Duration),
    /// Bytes.
    Bytes(u64),
    /// Bits in a second.
    Rate(u64),
    /// One of a few words.
    Word(&'static str),
}

/// A figure: its name, what it is, how it is worked out. `None` where nothing was measured.
pub struct Metric {
    name: &'static str,
    what: &'static str,
    sample: Value,
    work_out: fn(&Figures) -> Option<Value>,
}

impl Metric {
    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, for people.
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// Of what kind it is.
    pub const fn sample(&self) -> Value {
        self.sample
    }
}

impl core::fmt::Debug for Metric {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Metric").field(&self.name).finish()
    }
}

/// Runs, counted.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub(super) requests: u64,
    pub(super) ok: u64,
    pub(super) failed: BTreeMap<String, u64>,
    unfinished: u64,
    first_byte: Vec<Duration>,
    pub(super) total: Vec<Duration>,
    counters: BTreeMap<Kind, u64>,
    handshakes: u64,
    resumed: u64,
    families: BTreeSet<bool>,
    /// Answers by what they came over.
    over: BTreeMap<Protocol, u64>,
    sent: u64,
    received: u64,
    /// From the first request to the last end, of all runs.
    busy: Duration,
    /// From each answer's first byte to its end, all together.
    receiving: Duration,
    ended: Duration,
    steps: u64,
    /// The same of each load by itself, as far as its requests tell.
    loads: BTreeMap<String, Self>,
}

impl Figures {
    /// The figures of these runs together.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut all = Self::default();
        for run in runs {
            all.add(run);
        }
        all.sort();
        all
    }

    fn sort(&mut self) {
        self.first_byte.sort_unstable();
        self.total.sort_unstable();
        self.loads.values_mut().for_each(Self::sort);
    }

    fn add(&mut self, run: &Outcome) {
        self.steps += run.steps;
        self.ended += run.ended.saturating_since(Instant::EPOCH);
        for (kind, count) in &run.counters {
            *self.counters.entry(*kind).or_default() += count;
        }
        self.add_requests(&run.asked.iter().collect::<Vec<_>>());
        for (number, name) in run.loads.iter().enumerate() {
            let own = run.asked.iter().filter(|asked| asked.load == number);
            let figures = self.loads.entry(name.clone()).or_default();
            figures.add_requests(&own.collect::<Vec<_>>());
        }
    }

    fn add_requests(&mut self, all: &[&Asked]) {
        self.requests += all.len() as u64;
        let mut connections = BTreeMap::new();
        for asked in all {
            self.add_request(asked);
            if let Some(made) = &asked.timeline.connection {
                self.families.insert(made.address.is_ipv6());
                connections.insert(made.connection, made.tls.as_ref().map(|tls| tls.resumed));
            }
        }
        let shaken = connections.values().flatten();
        self.handshakes += shaken.clone().count() as u64;
        self.resumed += shaken.filter(|resumed| **resumed).count() as u64;
        let first = all.iter().map(|asked| asked.requested).min();
        let last = all.iter().filter_map(|asked| asked.ended).max();
        if let (Some(first), Some(last)) = (first, last) {
            self.busy += last.saturating_since(first);
        }
    }

    fn add_request(&mut self, asked: &Asked) {
        match &asked.end {
            End::UnderWay => self.unfinished += 1,
            End::Failed(cause) => *self.failed.entry(cause.clone()).or_default() += 1,
            End::Answered(_) => {
                self.ok += 1;
                if let Some(made) = &asked.timeline.connection {
                    *self.over.entry(made.protocol).or_default() += 1;
                }
                self.sent += asked.sent;
                self.received += asked.received;
                let since = |at: Instant| at.saturating_since(asked.requested);
                self.first_byte.extend(asked.timeline.first_byte.map(since));
                self.total.extend(asked.ended.map(since));
                if let (Some(first), Some(ended)) = (asked.timeline.first_byte, asked.ended) {
                    self.receiving += ended.saturating_since(first);
                }
            }
        }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.counters.get(&kind).copied().unwrap_or(0)
    }

    /// The figure of this name; `failed.CAUSE` is one too, and `LOAD:NAME` that of one load.
    pub fn get(&self, name: &str) -> Option<Value> {
        if let Some((load, name)) = name.split_once(':') {
            return self.loads.get(load)?.get(name);
        }
        if let Some(cause) = name.strip_prefix("failed.") {
            return Some(Value::Count(self.failed.get(cause).copied().unwrap_or(0)));
        }
        let metric = METRICS.iter().find(|metric| metric.name == name)?;
        (metric.work_out)(self)
    }

    /// How many requests failed, by cause.
    pub const fn failed(&self) -> &BTreeMap<String, u64> {
        &self.failed
    }

    /// How many had not ended.
    pub const fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// Times to the first byte of answered requests, the least first.
    pub fn first_byte(&self) -> &[Duration] {
        &self.first_byte
    }

    /// Times to the end of answered requests, the least first.
    pub fn total(&self) -> &[Duration] {
        &self.total
    }

    /// The figures of each load by itself, as far as its requests tell.
    pub const fn loads(&self) -> &BTreeMap<String, Self> {
        &self.loads
    }

    fn over(&self, protocol: Protocol) -> Option<Value> {
        Some(Value::Count(self.over.get(&protocol).copied().unwrap_or(0)))
    }

    /// Whether QUIC had any part in it.
    pub fn knows_http3(&self) -> bool {
        [Kind::Http3, Kind::Http3Broken, Kind::Http3Suspect]
            .iter()
            .any(|kind| self.count(*kind) > 0)
    }

    fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn established(&self) -> u64 {
        self.count(Kind::Http1) + self.count(Kind::Http2) + self.count(Kind::Http3)
    }

    fn family(&self) -> &'static str {
        match (self.families.contains(&false), self.families.contains(&true)) {
            (false, false) => "none",
            (true, false) => "ipv4",
            (false, true) => "ipv6",
            (true, true) => "both",
        }
    }

    fn goodput(&self) -> Option<Value> {
        rate(self.sent + self.received, self.busy)
    }

    fn body_rate(&self) -> Option<Value> {
        rate(self.received, self.receiving)
    }
}

/// The smallest of `sorted` that at least `permille` thousandths of them do not exceed.
pub fn percentile(sorted: &[Duration], permille: usize) -> Option<Duration> {
    let rank = (sorted.len() * permille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied()
}

fn rate(bytes: u64, time: Duration) -> Option<Value> {
    let nanos = time.as_nanos();
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    (nanos > 0).then(|| Value::Rate(u64::try_from(bits / nanos).unwrap_or(u64::MAX)))
}

fn time(sorted: &[Duration], permille: usize) -> Option<Value> {
    percentile(sorted, permille).map(Value::Time)
}

const COUNT: Value = Value::Count(0);
const TIME: Value = Value::Time(Duration::ZERO);

macro_rules! metrics {
    ($($name:ident: $sample:expr, $what:literal, $work_out:expr;)*) => {
        /// Every figure, in the order of the table.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name), what: $what, sample: $sample, work_out: $work_out,
        },)*];
    };
}

metrics! {
    requests: COUNT, "requests made", |all| Some(Value::Count(all.requests));
    ok: COUNT, "requests that got a whole answer", |all| Some(Value::Count(all.ok));
    failed: COUNT, "requests that failed", |all| Some(Value::Count(all.failures()));
    unfinished: COUNT, "requests that had not ended when the time was up",
        |all| Some(Value::Count(all.unfinished));
    first_byte_min: TIME, "least time to the first byte", |all| time(&all.first_byte, 0);
    first_byte_p50: TIME, "half were as fast", |all| time(&all.first_byte, 500);
    first_byte_p90: TIME, "nine of ten were as fast", |all| time(&all.first_byte, 900);
    first_byte_p99: TIME, "99 of 100 were as fast", |all| time(&all.first_byte, 990);
    first_byte_max: TIME, "most time to the first byte", |all| time(&all.first_byte, 1_000);
    total_min: TIME, "least time to the answer's end", |all| time(&all.total, 0);
    total_p50: TIME, "half were as fast", |all| time(&all.total, 500);
    total_p90: TIME, "nine of ten were as fast", |all| time(&all.total, 900);
    total_p99: TIME, "99 of 100 were as fast", |all| time(&all.total, 990);
    total_max: TIME, "most time to the answer's end", |all| time(&all.total, 1_000);
    connections: COUNT, "connections that were begun",
        |all| Some(Value::Count(all.count(Kind::ConnectionMade)));
    established: COUNT, "connections that were established",
        |all| Some(Value::Count(all.established()));
    attempts: COUNT, "attempts that were started, over TCP and over QUIC",
        |all| Some(Value::Count(all.count(Kind::AttemptStarted)));
    attempts_per_success: Value::Ratio(0), "attempts for each that became a connection", |all| {
        let won = all.count(Kind::AttemptWon);
        (won > 0).then(|| Value::Ratio(all.count(Kind::AttemptStarted) * 1_000 / won))
    };
    handshakes: COUNT, "TLS handshakes of connections that carried a request",
        |all| Some(Value::Count(all.handshakes));
    resumed: COUNT, "those of them that resumed an earlier one",
        |all| Some(Value::Count(all.resumed));
    resends: COUNT, "requests that were sent again",
        |all| Some(Value::Count(all.count(Kind::Resent)));
    http1: COUNT, "connections that spoke HTTP/1.1",
        |all| Some(Value::Count(all.count(Kind::Http1)));
    http2: COUNT, "connections that spoke HTTP/2",
        |all| Some(Value::Count(all.count(Kind::Http2)));
    http3: COUNT, "connections that spoke HTTP/3",
        |all| Some(Value::Count(all.count(Kind::Http3)));
    over_http1: COUNT, "answers that came over HTTP/1.1", |all| all.over(Protocol::Http1);
    over_http2: COUNT, "answers that came over HTTP/2", |all| all.over(Protocol::Http2);
    over_http3: COUNT, "answers that came over HTTP/3", |all| all.over(Protocol::Http3);
    broken: COUNT, "times that HTTP/3 was marked broken",
        |all| Some(Value::Count(all.count(Kind::Http3Broken)));
    suspect: COUNT, "times that HTTP/3 was marked suspect",
        |all| Some(Value::Count(all.count(Kind::Http3Suspect)));
    confirmed: COUNT, "times that HTTP/3 was marked confirmed",
        |all| Some(Value::Count(all.count(Kind::Http3Confirmed)));
    winner: Value::Word(""), "family of the connections used: ipv4, ipv6, both or none",
        |all| Some(Value::Word(all.family()));
    sent: Value::Bytes(0), "bytes of requests' bodies", |all| Some(Value::Bytes(all.sent));
    received: Value::Bytes(0), "bytes of answers' bodies",
        |all| Some(Value::Bytes(all.received));
    goodput: Value::Rate(0), "bodies' bits in a second, from the first request to the last end",
        Figures::goodput;
    body_rate: Value::Rate(0), "answers' bits in a second, from an answer's first byte to its end",
        Figures::body_rate;
    virtual_time: TIME, "virtual time of all runs together",
        |all| Some(Value::Time(all.ended));
    steps: COUNT, "steps of the simulation", |all| Some(Value::Count(all.steps));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let all: Vec<Duration> = (1..=10).map(Duration::from_millis).collect();
        let at = |permille| percentile(&all, permille).unwrap().as_millis();
        assert_eq!([at(0), at(500), at(900), at(990), at(1_000)], [1, 5, 9, 10, 10]);
        assert_eq!(percentile(&[], 500), None);
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        let nothing = Figures::of([]);
        assert_eq!(nothing.get("requests"), Some(Value::Count(0)));
        assert_eq!(nothing.get("failed.gone"), Some(Value::Count(0)));
        assert_eq!(nothing.get("winner"), Some(Value::Word("none")));
        for name in ["first_byte_p50", "goodput", "attempts_per_success", "no_such_figure"] {
            assert_eq!(nothing.get(name), None, "{name}");
        }
    }
}
