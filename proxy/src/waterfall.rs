//! Waterfalls: where one request's time went, drawn with plain characters.
//!
//! One row for each thing that took time, all on one time axis:
//!
//! ```text
//!   look up the name     |?                         |    0.0    0.4 ms
//!   try 127.0.0.2:443    | -------------------      |    0.4  301.2 ms  given up, another won
//!   try 127.0.0.1:443    |                  -=      |  300.5    4.1 ms  won: TCP 0.2, TLS 3.9 ms
//!   wait for the answer  |                    ....  |  304.7    8.0 ms
//!   receive the body     |                        ##|  312.7    2.2 ms
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use regatta_core::Instant;
use regatta_tokio::{AttemptOutcome, AttemptTrace, Timeline, TimelineHandle};

/// Columns of the axis.
const AXIS: usize = 40;

/// What the characters of the bars mean, in one line.
pub(crate) const LEGEND: &str =
    "? name  - TCP  = TLS  : queue  . waiting for the first byte  # body  x failed";

/// Draws `timeline`, each line with a line feed at its end.
pub(crate) fn draw(timeline: &Timeline) -> String {
    let rows = rows(timeline);
    let start = timeline.requested;
    let end = rows.iter().filter_map(Row::end).max().unwrap_or(start);
    let total = end.saturating_since(start).as_nanos().max(1);
    let width = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        row.draw(start, total, width, &mut text);
    }
    text
}

/// The timeline of a request whose body has been read: its last instant may be noted a moment
/// after its last byte was.
pub(crate) async fn settled(handle: &TimelineHandle) -> Timeline {
    for _ in 0..100 {
        let timeline = handle.snapshot();
        if timeline.ended.is_some() {
            return timeline;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    handle.snapshot()
}

/// One line of a waterfall.
struct Row {
    label: String,
    /// Consecutive stretches, each with the character that fills it.
    stretches: Vec<Stretch>,
    /// The last column becomes this: how it ended.
    mark: Option<char>,
    note: String,
}

#[derive(Clone, Copy)]
struct Stretch {
    from: Instant,
    to: Instant,
    fill: char,
}

impl Row {
    fn new(label: impl Into<String>, from: Instant, to: Instant, fill: char) -> Self {
        let stretches = vec![Stretch { from, to, fill }];
        Self { label: label.into(), stretches, mark: None, note: String::new() }
    }

    fn start(&self) -> Option<Instant> {
        self.stretches.first().map(|stretch| stretch.from)
    }

    fn end(&self) -> Option<Instant> {
        self.stretches.last().map(|stretch| stretch.to)
    }

    fn draw(&self, start: Instant, total: u128, width: usize, text: &mut String) {
        let column = |at: Instant| {
            let nanos = at.saturating_since(start).as_nanos();
            usize::try_from(nanos * AXIS as u128 / total).unwrap_or(AXIS).min(AXIS)
        };
        let mut bar = vec![' '; AXIS];
        let mut last = 0;
        for stretch in &self.stretches {
            let from = column(stretch.from).min(AXIS - 1);
            let to = column(stretch.to).max(from + 1);
            bar[from..to].fill(stretch.fill);
            last = to - 1;
        }
        if let Some(mark) = self.mark {
            bar[last] = mark;
        }
        let bar: String = bar.into_iter().collect();
        let from = self.start().unwrap_or(start);
        let took = self.end().unwrap_or(from).saturating_since(from);
        let from = from.saturating_since(start);
        let (from, took) = (from.as_secs_f64() * 1e3, took.as_secs_f64() * 1e3);
        let (label, note) = (&self.label, &self.note);
        let line = format!("  {label:width$} |{bar}| {from:7.1} {took:7.1} ms  {note}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// The rows in the order of their beginning.
fn rows(timeline: &Timeline) -> Vec<Row> {
    let end = last_instant(timeline);
    let mut rows = Vec::new();
    if let Some(resolve) = timeline.resolve {
        let ended = resolve.ended.unwrap_or(end);
        let mut row = Row::new("look up the name", resolve.started, ended, '?');
        if timeline.attempts.is_empty() && timeline.connection.is_none() {
            row.mark = Some('x');
            row.note = "no address came of it".to_owned();
        }
        rows.push(row);
    }
    rows.extend(timeline.attempts.iter().map(|attempt| attempt_row(attempt, end)));
    if let Some(assigned) = timeline.assigned {
        let ready = timeline
            .connection
            .as_ref()
            .map_or(timeline.requested, |connection| connection.established)
            .max(timeline.requested);
        if !negligible(ready, assigned) {
            rows.push(Row::new("queue for a free stream", ready, assigned, ':'));
        }
        let first_byte = timeline.first_byte.unwrap_or(end);
        let mut wait = Row::new("wait for the answer", assigned, first_byte, '.');
        wait.note = sent_again(timeline.resends);
        if timeline.first_byte.is_none() && timeline.ended.is_some() {
            wait.mark = Some('x');
            wait.note = "no answer came".to_owned();
        }
        rows.push(wait);
    }
    if let (Some(first_byte), Some(ended)) = (timeline.first_byte, timeline.ended) {
        rows.push(Row::new("receive the body", first_byte, ended, '#'));
    }
    if let (true, Some(ended)) = (rows.is_empty(), timeline.ended) {
        let mut queue = Row::new("queue for a free stream", timeline.requested, ended, ':');
        queue.mark = Some('x');
        queue.note = "none came free".to_owned();
        rows.push(queue);
    }
    rows.sort_by_key(Row::start);
    rows
}

fn sent_again(resends: u32) -> String {
    match resends {
        0 => String::new(),
        1 => "sent again once".to_owned(),
        n => format!("sent again {n} times"),
    }
}

/// Less than a twentieth of a millisecond is shown as 0.0 and is worth no row.
fn negligible(from: Instant, to: Instant) -> bool {
    to.saturating_since(from).as_micros() < 50
}

fn attempt_row(attempt: &AttemptTrace, end: Instant) -> Row {
    let ended = attempt.ended.unwrap_or(end);
    let connected = attempt.connected.unwrap_or(ended).min(ended);
    let mut row = Row::new(format!("try {}", attempt.address), attempt.started, connected, '-');
    let has_tls = !negligible(connected, ended);
    if has_tls {
        row.stretches.push(Stretch { from: connected, to: ended, fill: '=' });
    }
    let (mark, note) = match attempt.outcome {
        AttemptOutcome::UnderWay => (Some('>'), "under way".to_owned()),
        AttemptOutcome::Won if has_tls => {
            let tcp = connected.saturating_since(attempt.started).as_secs_f64() * 1e3;
            let tls = ended.saturating_since(connected).as_secs_f64() * 1e3;
            (None, format!("won: TCP {tcp:.1}, TLS {tls:.1} ms"))
        }
        AttemptOutcome::Won => (None, "won".to_owned()),
        AttemptOutcome::Failed(cause) => (Some('x'), format!("failed: {cause}")),
        AttemptOutcome::Aborted => (None, "given up, another won".to_owned()),
    };
    row.mark = mark;
    row.note = note;
    row
}

/// The newest instant that the timeline knows: where what is under way is drawn to.
fn last_instant(timeline: &Timeline) -> Instant {
    let attempts = timeline.attempts.iter();
    let mut last =
        attempts.flat_map(|attempt| [Some(attempt.started), attempt.ended]).max().flatten();
    for at in [timeline.assigned, timeline.first_byte, timeline.ended] {
        last = last.max(at);
    }
    last.max(timeline.resolve.and_then(|resolve| resolve.ended)).unwrap_or(timeline.requested)
}

/// One line about how long a request took and on what it went.
pub(crate) fn summary(timeline: &Timeline) -> String {
    let mut text = String::new();
    let took = timeline.ended.map(|ended| ended.saturating_since(timeline.requested));
    if let Some(took) = took {
        let _ = write!(text, "{:.1} ms", took.as_secs_f64() * 1e3);
    }
    if let Some(connection) = &timeline.connection {
        // A new one may have carried others first that waited for it too.
        let waited = connection.established >= timeline.requested;
        let reused = if waited { "new" } else { "used before" };
        let _ = write!(
            text,
            ", {} on connection {:?} to {} ({reused})",
            connection.protocol, connection.connection, connection.address
        );
    }
    text.trim_start_matches(", ").to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use regatta_core::id::{AttemptId, ConnectionId};
    use regatta_core::types::{Cause, Protocol};
    use regatta_tokio::{ConnectionTrace, Span};

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
            address: address.parse::<SocketAddr>().unwrap(),
            started: ms(times[0].unwrap()),
            connected: times[1].map(ms),
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
    fn a_race_and_its_answer() {
        let expected = "
  look up the name      |?                                       |     0.0    10.0 ms
  try [2001:db8::1]:443 | ---------------------------------      |    10.0   330.0 ms  given up, another won
  try 192.0.2.1:443     |                               -==      |   310.0    30.0 ms  won: TCP 10.0, TLS 20.0 ms
  wait for the answer   |                                  ....  |   340.0    40.0 ms
  receive the body      |                                      ##|   380.0    20.0 ms
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
  queue for a free stream |::::::::::::::::::::                    |     0.0   100.0 ms
  wait for the answer     |                    ..................  |   100.0    90.0 ms  sent again once
  receive the body        |                                      ##|   190.0    10.0 ms
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
  try 192.0.2.1:80 |-------------------x                    |     0.0    20.0 ms  failed: connection refused, nobody listens on that port
  try 192.0.2.2:80 |                    ------------------->|    20.0    20.0 ms  under way
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
        assert!(draw(&timeline).ends_with("x|   340.0    60.0 ms  no answer came\n"));
    }

    #[test]
    fn a_name_that_leads_nowhere() {
        let mut timeline = Timeline::default();
        timeline.requested = ms(0);
        timeline.resolve = Some(Span { started: ms(0), ended: Some(ms(4)) });
        timeline.ended = Some(ms(4));
        assert!(draw(&timeline).ends_with("?x|     0.0     4.0 ms  no address came of it\n"));
    }

    #[test]
    fn a_request_that_never_left_the_queue() {
        let mut timeline = Timeline::default();
        timeline.requested = ms(0);
        timeline.ended = Some(ms(50));
        assert!(draw(&timeline).ends_with(":x|     0.0    50.0 ms  none came free\n"));
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
}
