use std::net::SocketAddr;

use regatta_core::id::{AttemptId, ConnectionId};
use regatta_core::types::{Cause, Protocol, Transport};
use regatta_tokio::{ConnectionTrace, Span};

use super::file::{Album, Drawn, Form};
use super::*;

fn ms(ms: u64) -> Instant {
    Instant::from_millis(1_000 + ms)
}

fn attempt(
    n: u32,
    address: &str,
    times: [Option<u64>; 3],
    outcome: AttemptOutcome,
) -> AttemptTrace {
    AttemptTrace {
        attempt: AttemptId::new(n, 0),
        transport: Transport::Tcp,
        address: address.parse::<SocketAddr>().unwrap(),
        started: ms(times[0].unwrap()),
        connected: times[1].map(ms),
        tunnel: None,
        ended: times[2].map(ms),
        outcome,
    }
}

fn race() -> Timeline {
    let mut timeline = Timeline::default();
    timeline.requested = ms(0);
    timeline.resolve = Some(Span { started: ms(0), ended: Some(ms(10)) });
    timeline.attempts = vec![
        attempt(0, "[2001:db8::1]:443", [Some(10), None, Some(340)], AttemptOutcome::Aborted),
        attempt(1, "192.0.2.1:443", [Some(310), Some(320), Some(340)], AttemptOutcome::Won),
    ];
    timeline.connection = Some(ConnectionTrace {
        connection: ConnectionId::new(7, 2),
        address: "192.0.2.1:443".parse().unwrap(),
        protocol: Protocol::Http2,
        established: ms(340),
        reused: false,
        tls: None,
    });
    timeline.assigned = Some(ms(340));
    timeline.first_byte = Some(ms(380));
    timeline.ended = Some(ms(400));
    timeline
}

#[test]
fn quic_and_tcp_beside_each_other() {
    let mut timeline = race();
    timeline.attempts[0].transport = Transport::Quic;
    timeline.attempts[0].address = "192.0.2.1:443".parse().unwrap();
    timeline.attempts[0].outcome = AttemptOutcome::UnderWay;
    timeline.attempts[0].ended = None;
    let drawn = draw(&timeline);
    let labels: Vec<&str> = drawn.lines().filter_map(|line| line.split('|').next()).collect();
    assert!(labels.contains(&"  QUIC 192.0.2.1:443  "), "{drawn}");
    assert!(labels.contains(&"  TCP 192.0.2.1:443   "), "{drawn}");
    assert!(
        drawn.contains("under way\n") && drawn.contains("won: TCP 10.0, TLS 20.0 ms"),
        "{drawn}"
    );
    timeline.attempts[0].outcome = AttemptOutcome::Won;
    timeline.attempts[0].connected = Some(ms(20));
    timeline.attempts[0].ended = Some(ms(30));
    let drawn = draw(&timeline);
    assert!(drawn.contains("ready for later requests:") && drawn.contains("QUIC 10.0"), "{drawn}");
}

#[test]
fn a_race_and_its_answer() {
    let expected = "
  look up the name      |?                                  |     0.0    10.0 ms
  try [2001:db8::1]:443 |-----------------------------      |    10.0   330.0 ms
                           given up, another won
  try 192.0.2.1:443     |                           -=      |   310.0    30.0 ms
                           won: TCP 10.0, TLS 20.0 ms
  wait for the answer   |                             ....  |   340.0    40.0 ms
  receive the body      |                                 ##|   380.0    20.0 ms
";
    assert_eq!(format!("\n{}", draw(&race())), expected);
    assert_eq!(summary(&race()), "400.0 ms, HTTP/2 on connection c7.2 to 192.0.2.1:443 (new)");
}

#[test]
fn a_reused_connection_with_a_queue() {
    let mut timeline = race();
    timeline.resolve = None;
    timeline.attempts.clear();
    timeline.requested = ms(500);
    timeline.assigned = Some(ms(600));
    timeline.first_byte = Some(ms(690));
    timeline.ended = Some(ms(700));
    timeline.resends = 1;
    if let Some(connection) = &mut timeline.connection {
        connection.reused = true;
    }
    let expected = "
  queue for a stream  |::::::::::::::::::                   |     0.0   100.0 ms
  wait for the answer |                  .................  |   100.0    90.0 ms
                         sent again once
  receive the body    |                                   ##|   190.0    10.0 ms
";
    assert_eq!(format!("\n{}", draw(&timeline)), expected);
    assert_eq!(
        summary(&timeline),
        "200.0 ms, HTTP/2 on connection c7.2 to 192.0.2.1:443 (used before)"
    );
}

#[test]
fn failures_are_marked() {
    let mut timeline = Timeline::default();
    timeline.requested = ms(0);
    let refused = AttemptOutcome::Failed(Cause::Refused);
    timeline.attempts = vec![
        attempt(0, "192.0.2.1:80", [Some(0), None, Some(20)], refused),
        attempt(1, "192.0.2.2:80", [Some(20), None, None], AttemptOutcome::UnderWay),
    ];
    timeline.ended = Some(ms(40));
    let expected = "
  try 192.0.2.1:80 |-------------------x                    |     0.0    20.0 ms
                      failed: connection refused, nobody listens on that port
  try 192.0.2.2:80 |                    ------------------->|    20.0    20.0 ms
                      under way
";
    assert_eq!(format!("\n{}", draw(&timeline)), expected);
    assert_eq!(summary(&timeline), "40.0 ms");
}

#[test]
fn no_answer_is_marked_where_it_was_waited_for() {
    let mut timeline = race();
    timeline.attempts.clear();
    timeline.resolve = None;
    timeline.first_byte = None;
    assert!(
        draw(&timeline)
            .ends_with("x|   340.0    60.0 ms\n                         no answer came\n")
    );
}

#[test]
fn a_name_that_leads_nowhere() {
    let mut timeline = Timeline::default();
    timeline.requested = ms(0);
    timeline.resolve = Some(Span { started: ms(0), ended: Some(ms(4)) });
    timeline.ended = Some(ms(4));
    assert!(
        draw(&timeline)
            .ends_with("?x|     0.0     4.0 ms\n                      no address came of it\n")
    );
}

#[test]
fn a_request_that_never_left_the_queue() {
    let mut timeline = Timeline::default();
    timeline.requested = ms(0);
    timeline.ended = Some(ms(50));
    assert!(
        draw(&timeline)
            .ends_with(":x|     0.0    50.0 ms\n                        none came free\n")
    );
}

#[test]
fn nothing_yet_is_nothing_drawn() {
    assert_eq!(draw(&Timeline::default()), "");
    assert_eq!(summary(&Timeline::default()), "");
}

#[test]
fn an_instant_request_still_has_a_bar() {
    let mut timeline = Timeline::default();
    timeline.assigned = Some(Instant::EPOCH);
    timeline.first_byte = Some(Instant::EPOCH);
    timeline.ended = Some(Instant::EPOCH);
    assert_eq!(draw(&timeline).lines().count(), 2);
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut timeline = race();
    let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:44300";
    let refused = AttemptOutcome::Failed(Cause::Refused);
    timeline.attempts.push(attempt(3, long, [Some(0), None, Some(9)], refused));
    for ended in [400, 999_999, 90_000_000] {
        timeline.ended = Some(ms(ended));
        let text = draw(&timeline);
        for line in text.lines().chain([LEGEND]) {
            assert!(line.chars().count() <= COLUMNS, "{line:?}");
        }
        assert!(text.lines().any(|line| line.chars().count() == COLUMNS), "{text}");
        assert!(text.contains(long), "{text}");
    }
    assert!(draw(&timeline).contains(" 0.4 89999.6 s\n"), "{}", draw(&timeline));
}

/// A request whose every text has what the formats must escape.
fn drawn() -> Drawn {
    let mut timeline = race();
    timeline.attempts[0].outcome = AttemptOutcome::Failed(Cause::Refused);
    Drawn {
        method: "GET".to_owned(),
        url: "https://a.test/?a=\"1\"&b=<\\>\u{1}\u{7f}é".to_owned(),
        outcome: "200 OK".to_owned(),
        timeline,
    }
}

fn album() -> Album {
    let album = Album::default();
    let mut later = drawn();
    later.timeline.requested = ms(5);
    later.timeline.resolve = None;
    later.timeline.connection = None;
    later.timeline.assigned = None;
    later.timeline.attempts.clear();
    album.add(later);
    album.add(drawn());
    album
}

#[test]
fn json_tells_everything_and_is_json() {
    let text = album().text(Form::Json);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["format"], "regatta-timeline");
    assert_eq!(value["version"], json::VERSION);
    let request = &value["requests"][0];
    assert_eq!(request["url"], drawn().url.as_str());
    assert_eq!(request["requested_ms"], 0.0);
    assert_eq!(request["resolve"], serde_json::json!({"start_ms": 0.0, "end_ms": 10.0}));
    let failed = &request["attempts"][0];
    assert_eq!((&failed["outcome"], &failed["connected_ms"]), (&"failed".into(), &().into()));
    assert_eq!(failed["cause"], Cause::Refused.to_string());
    assert_eq!(request["connection"]["id"], "c7.2");
    assert_eq!(request["connection"]["protocol"], "HTTP/2");
    assert_eq!(request["connection"]["tls"], serde_json::Value::Null);
    assert_eq!(request["first_byte_ms"], 380.0);
    assert_eq!(request["ended_ms"], 400.0);
    let second = &value["requests"][1];
    assert_eq!(second["requested_ms"], 5.0);
    assert_eq!(second["resolve"], serde_json::Value::Null);
    assert_eq!(second["assigned_ms"], serde_json::Value::Null);
}

/// The page that describes the JSON names every field of it, and its version.
#[test]
fn the_page_describes_every_field() {
    let page = include_str!("../../../docs/observing.md");
    let value: serde_json::Value = serde_json::from_str(&album().text(Form::Json)).unwrap();
    fn fields(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(all) => {
                for (name, value) in all {
                    found.push(name.clone());
                    fields(value, found);
                }
            }
            serde_json::Value::Array(all) => all.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    fields(&value, &mut found);
    assert!(found.len() > 30);
    for name in found {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not in docs/observing.md");
    }
    assert!(page.contains(&format!("is {} now", json::VERSION)));
}

/// Every tag is closed in its turn, and every text is escaped.
fn is_well_formed(text: &str) {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, tag) = rest.split_at(at);
        assert!(!before.contains('>') || tag.is_empty(), "a bare > in {before:?}");
        if let Some(entity) = tag.strip_prefix('&') {
            let names = ["lt;", "gt;", "amp;", "quot;"];
            assert!(names.iter().any(|name| entity.starts_with(name)), "{entity:.20}");
            rest = entity;
            continue;
        }
        let (tag, after) = tag[1..].split_once('>').unwrap();
        rest = after;
        let quotes = tag.matches('"').count();
        assert!(quotes % 2 == 0 && !tag.contains('<'), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap().to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
    assert!(!text.chars().any(|letter| letter < ' ' && letter != '\n'), "a control character");
}

#[test]
fn svg_is_well_formed_and_has_every_row() {
    let text = album().text(Form::Svg);
    is_well_formed(&text);
    assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "));
    for row in rows(&drawn().timeline) {
        assert!(text.contains(&format!(">{}</text>", row.label)), "{}", row.label);
    }
    assert!(text.contains("a=&quot;1&quot;&amp;b=&lt;\\&gt;?"), "{text}");
    assert!(text.contains(">TCP: 10.0 ms</title>"), "{text}");
    assert!(text.contains("failed: connection refused"), "{text}");
}

#[test]
fn an_album_keeps_the_first_and_counts_the_rest() {
    let album = Album::default();
    for _ in 0..1_003 {
        album.add(drawn());
    }
    let value: serde_json::Value = serde_json::from_str(&album.text(Form::Json)).unwrap();
    assert_eq!(value["left_out"], 3);
    assert_eq!(value["requests"].as_array().unwrap().len(), 1_000);
    assert!(album.text(Form::Svg).contains(">3 more requests are left out</text>"));
}

#[test]
fn a_files_name_says_its_form() {
    let all = [("a.svg", Some(Form::Svg)), ("b/c.json", Some(Form::Json)), ("svg", None)];
    for (name, form) in all {
        assert_eq!(Form::of(std::path::Path::new(name)), form, "{name}");
    }
}
