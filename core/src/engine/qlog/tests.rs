//! What is written is what a reader of qlog takes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// Keeps what it is given.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memory(Mutex<BTreeMap<String, String>>);

impl Sink for Memory {
    fn append(&self, name: &str, records: &str) {
        self.0.lock().unwrap().entry(name.to_owned()).or_default().push_str(records);
    }
}

impl Memory {
    pub(in crate::engine) fn files(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap().clone()
    }
}

/// Takes a file apart as RFC 7464 2.1 says; the head is the first.
pub(in crate::engine) fn records(file: &str) -> Vec<Value> {
    let mut parts = file.split('\u{1e}');
    assert_eq!(parts.next(), Some(""), "a record separator is in front");
    let read = |part: &str| {
        let text = part.strip_suffix('\n').expect("a line feed is behind");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let all: Vec<Value> = parts.map(read).collect();
    let mut last = 0.0;
    for event in &all[1..] {
        let time = event["time"].as_f64().unwrap();
        assert!(time >= last, "{event} goes back in time");
        last = time;
        assert!(event["name"].as_str().unwrap().contains(':'), "{event}");
        assert!(event["data"].is_object(), "{event}");
    }
    all
}

/// The events' names, each as often as it comes.
pub(in crate::engine) fn names(records: &[Value]) -> Vec<&str> {
    records[1..].iter().map(|event| event["name"].as_str().unwrap()).collect()
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(in crate::engine) fn log(sink: &Arc<Memory>, side: Side) -> Log {
    let sink: Arc<dyn Sink> = Arc::clone(sink) as _;
    Log::new(&sink, &[1, 0xab], side, Duration::from_millis(1_750_000_000_123), Instant::EPOCH)
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[test]
fn a_file_has_a_head_and_events_in_the_order_of_time() {
    let sink = Arc::new(Memory::default());
    let mut log = log(&sink, Side::Client);
    let other = log.clone();
    log.at(Instant::from_nanos(1_500_001));
    log.event("a:b", |data| {
        data.text("text", "\"\\\u{1}é");
        data.objects("none", []);
        data.array("words", &["x", "y"]);
        data.flag("yes", true);
    });
    // Another layer has not heard how late it is.
    other.event("c:d", |_| {});
    assert!(sink.files().is_empty(), "short records are kept together");
    drop((log, other));
    let files = sink.files();
    let (name, file) = files.first_key_value().unwrap();
    assert_eq!(name, "01ab_client.sqlog");
    let records = records(file);
    let head = &records[0];
    assert_eq!((&head["qlog_version"], &head["qlog_format"]), (&"0.3".into(), &"JSON-SEQ".into()));
    assert_eq!(head["trace"]["vantage_point"]["type"], "client");
    assert_eq!(head["trace"]["common_fields"]["reference_time"], 1_750_000_000_123.0);
    assert_eq!(head["trace"]["common_fields"]["group_id"], "01ab");
    assert_eq!(records[1]["time"], 1.500001);
    assert_eq!(records[1]["data"]["text"], "\"\\\u{1}é");
    assert_eq!(records[1]["data"]["words"], serde_json::json!(["x", "y"]));
    assert_eq!(records[2]["time"], 1.500001);
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[test]
fn a_long_log_is_passed_on_in_pieces() {
    let sink = Arc::new(Memory::default());
    let log = log(&sink, Side::Server);
    for _ in 0..1_000 {
        log.event("a:b", |data| data.text("text", "0123456789"));
    }
    let before = sink.files()["01ab_server.sqlog"].len();
    assert!(before > 2 * PIECE, "{before} bytes");
    drop(log);
    assert_eq!(names(&records(&sink.files()["01ab_server.sqlog"])).len(), 1_000);
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[test]
fn packets_are_told_as_far_as_they_can_be_seen() {
    const IDS: &[u8] = &[0, 0, 0, 1, 2, 0xaa, 0xbb, 1, 0xcc];
    let long = |front: u8, rest: &[u8]| [&[front], IDS, rest].concat();
    let initial = long(0xc0, &[1, 0xff, 0x40, 3, 7, 7, 7]);
    let handshake = long(0xe0, &[2, 7, 7]);
    let early = long(0xd0, &[1, 7]);
    let short = [0x40, 1, 2, 3].to_vec();
    let version = [&[0x80, 0, 0, 0, 0, 0, 0][..], &[0, 0, 0, 1]].concat();
    type Row<'a> = (&'a [&'a [u8]], &'a [(&'a str, usize)]);
    let table: [Row<'_>; 9] = [
        (&[&initial], &[("initial", 17)]),
        (&[&initial, &handshake, &short], &[("initial", 17), ("handshake", 13), ("1RTT", 4)]),
        (&[&early, &short], &[("0RTT", 12), ("1RTT", 4)]),
        (&[&long(0xf0, &[1, 2, 3])], &[("retry", 13)]),
        (&[&version], &[("version_negotiation", 11)]),
        // Cut off, or longer than there is.
        (&[&initial[..12]], &[("unknown", 12)]),
        (&[&long(0xe0, &[9, 7])], &[("unknown", 12)]),
        (&[&[0xc0]], &[("unknown", 1)]),
        (&[], &[]),
    ];
    for (parts, expected) in table {
        let told: Vec<Value> = packets::describe(&parts.concat())
            .into_iter()
            .map(|json| serde_json::from_str(&json.finish()).unwrap())
            .collect();
        assert_eq!(told.len(), expected.len());
        for (told, (kind, length)) in told.iter().zip(expected) {
            assert_eq!(told["header"]["packet_type"], *kind);
            assert_eq!(told["raw"]["length"], *length);
            assert_eq!(told["is_coalesced"], expected.len() > 1);
            if ["initial", "handshake", "0RTT", "retry"].contains(kind) {
                assert_eq!(
                    (&told["header"]["dcid"], &told["header"]["scid"]),
                    (&"aabb".into(), &"cc".into())
                );
            }
        }
    }
}
