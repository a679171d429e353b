use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;

use regatta_core::id::{ClusterId, ConnectionId, PoolId, ProfileId};
use regatta_core::types::{Key, Limit, Origin, Protocol, Scheme};
use regatta_core::upstream::ConnectionView;

use super::*;

fn connection(state: State, streams: u32) -> ConnectionView {
    ConnectionView {
        id: ConnectionId::new(streams, 0),
        state,
        protocol: Some(Protocol::Http2),
        streams,
        total: streams.into(),
        limit: Some(Limit::Concurrent(100)),
        age: Duration::ZERO,
    }
}

fn pool(host: &str, waiting: u32, connections: Vec<ConnectionView>) -> PoolView {
    let origin = Origin { scheme: Scheme::Https, host: host.into(), port: 443 };
    let (cluster, profile) = (ClusterId::new(0, 0), ProfileId(1));
    let key = Key { cluster, origin, profile, priority: Priority::High };
    let (awaits_turn, is_held_back) = (false, false);
    PoolView { id: PoolId::new(0, 0), key, waiting, awaits_turn, is_held_back, connections }
}

/// Every counter has a number of its own: 100, 101, and so on in the order of kinds.
fn stats() -> Stats {
    let states = [
        (State::Connecting, 0),
        (State::Ready, 0),
        (State::Ready, 3),
        (State::Busy, 100),
        (State::Draining, 1),
        (State::Draining, 0),
    ];
    let many = states.map(|(state, streams)| connection(state, streams)).to_vec();
    Stats {
        counters: Kind::ALL.iter().copied().zip(100..).collect(),
        pools: vec![pool("a.test", 7, many), pool("b\"\\\n.test", 1, Vec::new())],
        sockets: 9,
        turns: 3,
        resending: 2,
    }
}

/// A sample as it was read back.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
}

fn is_name(text: &str, extra: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c);
    text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty()
}

/// Reads `name="value"` pairs up to the brace; gives what stands behind it.
fn labels(mut text: &str) -> (Vec<(String, String)>, &str) {
    let mut all = Vec::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect("a label has a value in quotes");
        assert!(is_name(name, ""), "{name:?} is no label");
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next().expect("a value has its closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().map(|(_, c)| c) {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => panic!("\\{other:?} is no escape"),
                }),
                (_, c) => value.push(c),
            }
        };
        all.push((name.to_owned(), value));
        let rest = &rest[end + 1..];
        if let Some(rest) = rest.strip_prefix('}') {
            return (all, rest);
        }
        text = rest.strip_prefix(',').expect("labels are separated by commas");
    }
}

/// Reads the text format 0.0.4, and panics at whatever it does not allow or a reader would have
/// to guess.
fn parse(text: &str) -> (BTreeMap<String, &str>, BTreeMap<Sample, u64>) {
    assert!(text.ends_with('\n'), "the last line ends too");
    let (mut types, mut samples) = (BTreeMap::new(), BTreeMap::new());
    let mut helped = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("help has a text");
            assert!(is_name(name, ":") && !help.is_empty(), "{line:?}");
            assert!(helped.insert(name.to_owned()), "{name} is helped twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type has a word");
            assert!(["counter", "gauge"].contains(&kind), "{line:?}");
            assert_eq!(name, current, "the type stands below its help");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line:?}");
            assert!(types.insert(name.to_owned(), kind).is_none(), "{name} has two types");
        } else {
            let at = line.find(['{', ' ']).expect("a sample has a value");
            let (name, rest) = line.split_at(at);
            assert_eq!(name, current, "samples of a name stand together below its type");
            let (labels, rest) = match rest.strip_prefix('{') {
                Some(rest) => labels(rest),
                None => (Vec::new(), rest),
            };
            let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), labels.len(), "a label stands twice in {line:?}");
            let value = rest.strip_prefix(' ').expect("one space").parse().expect("a number");
            let sample = Sample { name: name.to_owned(), labels };
            assert!(samples.insert(sample, value).is_none(), "{line:?} stands twice");
        }
    }
    (types, samples)
}

#[test]
fn every_kind_is_in_the_list_once_and_every_name_is_one() {
    for kind in Kind::ALL {
        let listed = METRICS.iter().filter(|metric| metric.source == Source::Count(*kind));
        assert_eq!(listed.count(), 1, "{kind:?} in METRICS");
    }
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len(), "a name stands twice");
    for metric in METRICS {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(metric.name.chars().all(fits), "{}", metric.name);
        assert!(metric.what.ends_with('.') && !metric.what.contains('\n'), "{}", metric.name);
        let is_new = !METRICS.iter().any(|other| other != metric && other.words == metric.words);
        assert!(is_new && !metric.words.ends_with('.'), "{}", metric.words);
    }
}

#[test]
fn prometheus_reads_back_what_was_written() {
    let stats = stats();
    let text = stats.prometheus();
    let (types, samples) = parse(&text);
    let plain = |name: &str| samples[&Sample { name: name.to_owned(), labels: Vec::new() }];
    for (metric, value) in stats.values() {
        let name = match metric.metric_type() {
            MetricType::Gauge => format!("regatta_{}", metric.name),
            _ => format!("regatta_{}_total", metric.name.trim_end_matches("_total")),
        };
        assert_eq!(plain(&name), value, "{name}");
        assert_eq!(types[&name], metric.metric_type().name(), "{name}");
    }
    assert_eq!(plain("regatta_upstream_rq_made_total"), 100);
    assert_eq!(plain("regatta_upstream_rq_total"), stats.count(Kind::Assigned));
    let waiting: Vec<_> = samples
        .iter()
        .filter(|(sample, _)| sample.name.ends_with("pool_rq_pending_active"))
        .collect();
    let labels = |origin: &str| {
        [("origin", origin), ("profile", "1"), ("priority", "high")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    let told: Vec<_> = waiting.iter().map(|(sample, value)| (&sample.labels, **value)).collect();
    let (one, other) = (labels("https://a.test:443"), labels("https://b\"\\\n.test:443"));
    assert_eq!(told, [(&one, 7), (&other, 1)]);
}

#[test]
fn labels_of_the_caller_come_first_and_are_made_fit() {
    let stats = stats();
    let all = [("client", "a \"b\"\n\\"), ("9 é", ""), ("", "none")];
    let text = stats.prometheus_with(&all);
    let (_, samples) = parse(&text);
    for sample in samples.keys() {
        let given: Vec<_> = sample.labels.iter().take(3).map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(given, [("client", "a \"b\"\n\\"), ("___", ""), ("_", "none")]);
    }
    assert!(samples.keys().any(|sample| sample.labels.len() == 6));
}

#[test]
fn gauges_are_sums_over_pools() {
    let stats = stats();
    let all = [
        ("upstream_cx_active", 6),
        ("upstream_cx_connecting", 1),
        ("upstream_cx_idle", 1),
        ("upstream_cx_draining", 2),
        ("upstream_rq_active", 104),
        ("upstream_rq_pending_active", 8),
        ("upstream_rq_retry_active", 2),
        ("socket_active", 9),
        ("pool_handshake_pending_active", 3),
        ("pool_active", 2),
    ];
    for (name, value) in all {
        assert_eq!(stats.get(name), Some(value), "{name}");
    }
    let gauges = METRICS.iter().filter(|metric| metric.metric_type() == MetricType::Gauge);
    assert_eq!(gauges.count(), all.len());
    assert_eq!(stats.get("upstream_cx"), None);
}

#[test]
fn people_read_words_and_programs_read_names() {
    let mut stats = stats();
    for (kind, count) in &mut stats.counters {
        *count = match kind {
            Kind::Requested => 13,
            Kind::Completed => 9,
            _ => 0,
        };
    }
    stats.pools.clear();
    (stats.sockets, stats.resending, stats.turns) = (0, 0, 0);
    assert_eq!(stats.to_string(), "13 requests were made\n 9 requests were completed\n");
    let lines = stats.lines();
    assert!(lines.starts_with("upstream_rq_made: 13\n"), "{lines}");
    assert!(lines.contains("\nupstream_rq_timeout: 0\n"), "{lines}");
    assert_eq!(lines.lines().count(), METRICS.len());
}

/// The page has every number in the order of the list, and no other.
#[test]
fn the_page_about_observing_has_every_name() {
    let page = include_str!("../../../docs/observing.md");
    assert!(page.contains("\n## Numbers\n"));
    let row = |metric: &Metric, exported: &str| {
        let (kind, unit) = (metric.metric_type().name(), metric.unit);
        format!("| `{}` | `{exported}` | {kind} | {unit} | {} |", metric.name, metric.what)
    };
    let names = prometheus::names();
    let listed: Vec<_> =
        METRICS.iter().zip(&names).map(|(metric, (exported, _))| row(metric, exported)).collect();
    let table: Vec<_> = page
        .lines()
        .skip_while(|line| *line != "## Numbers")
        .filter(|line| line.starts_with("| `"))
        .take(METRICS.len() + 1)
        .take_while(|line| line.contains("| counter |") || line.contains("| gauge |"))
        .collect();
    assert_eq!(table, listed, "docs/observing.md should have these rows:\n{}", listed.join("\n"));
    for (exported, _) in &names {
        assert!(page.contains(&format!("`{exported}")), "{exported} is not in docs/observing.md");
    }
}
