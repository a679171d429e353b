//! Waterfalls: where one request's time went.
//!
//! One row for each thing that took time, all on one time axis. As text of at most 80 columns:
//!
//! ```text
//!   look up the name    |?                                    |     0.0     0.4 ms
//!   try 127.0.0.2:443   | -----------------------------       |     0.4   301.2 ms
//!                         given up, another won
//!   try 127.0.0.1:443   |                             -=      |   300.5     4.1 ms
//!                         won: TCP 0.2, TLS 3.9 ms
//!   wait for the answer |                               ....  |   304.7     8.0 ms
//!   receive the body    |                                   ##|   312.7     2.2 ms
//! ```
//!
//! The same rows are drawn as SVG ([`svg`]); [`json`] writes the instants themselves.

use std::fmt::Write as _;
use std::time::Duration;

use regatta_core::Instant;
use regatta_core::types::Transport;
use regatta_tokio::{AttemptOutcome, AttemptTrace, Timeline, TimelineHandle};

use crate::get::report::transport;

pub(crate) mod file;
mod json;
mod svg;
#[cfg(test)]
mod tests;

/// Columns of a line of text: what every terminal has.
const COLUMNS: usize = 80;

/// Columns of the times behind the axis, the bars at its ends and the spaces around it.
const AROUND: usize = 24;

/// Widest label; of a longer one the middle is left out, and its note tells it whole.
const LABEL: usize = 24;

/// What the characters of the bars mean, in one line.
pub(crate) const LEGEND: &str =
    "? name  - TCP, QUIC  ~ proxy  = TLS  : queue  . first byte  # body  x failed";

/// From here on times are shown in seconds.
const LONG: Duration = Duration::from_secs(100);

/// Draws `timeline`, each line with a line feed at its end.
pub(crate) fn draw(timeline: &Timeline) -> String {
    let rows = rows(timeline);
    let start = timeline.requested;
    let end = rows.iter().filter_map(Row::end).max().unwrap_or(start);
    let total = end.saturating_since(start).as_nanos().max(1);
    let widest = rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    let scale = Scale { start, total, label: widest.min(LABEL) };
    let mut text = String::new();
    for row in &rows {
        row.draw(&scale, &mut text);
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

/// What the rows of one drawing share.
struct Scale {
    start: Instant,
    /// Nanoseconds.
    total: u128,
    /// Columns of the labels.
    label: usize,
}

impl Scale {
    const fn axis(&self) -> usize {
        COLUMNS - AROUND - self.label
    }

    fn column(&self, at: Instant) -> usize {
        let nanos = at.saturating_since(self.start).as_nanos();
        let axis = self.axis();
        let column = usize::try_from(nanos * axis as u128 / self.total).unwrap_or(axis);
        column.min(axis)
    }

    /// A time as a number, and its unit.
    fn time(&self, time: Duration) -> (f64, &'static str) {
        match self.total > LONG.as_nanos() {
            true => (time.as_secs_f64(), "s"),
            false => (time.as_secs_f64() * 1e3, "ms"),
        }
    }
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

    fn draw(&self, scale: &Scale, text: &mut String) {
        let axis = scale.axis();
        let mut bar = vec![' '; axis];
        let mut last = 0;
        for stretch in &self.stretches {
            let from = scale.column(stretch.from).min(axis - 1);
            let to = scale.column(stretch.to).max(from + 1);
            bar[from..to].fill(stretch.fill);
            last = to - 1;
        }
        if let Some(mark) = self.mark {
            bar[last] = mark;
        }
        let bar: String = bar.into_iter().collect();
        let from = self.start().unwrap_or(scale.start);
        let took = self.end().unwrap_or(from).saturating_since(from);
        let (from, unit) = scale.time(from.saturating_since(scale.start));
        let (took, _) = scale.time(took);
        let (label, is_whole) = shortened(&self.label, scale.label);
        let width = scale.label;
        let line = format!("  {label:width$} |{bar}| {from:7.1} {took:7.1} {unit}");
        text.push_str(&line);
        text.push('\n');
        let note = match (is_whole, self.note.as_str()) {
            (true, "") => return,
            (true, note) => note.to_owned(),
            (false, "") => self.label.clone(),
            (false, note) => format!("{}: {note}", self.label),
        };
        for line in wrapped(&note, COLUMNS - width - 6) {
            let _ = writeln!(text, "{:indent$}{line}", "", indent = width + 6);
        }
    }
}

/// At most `most` characters of a label, its ends; and whether that is all of it.
fn shortened(label: &str, most: usize) -> (String, bool) {
    let letters: Vec<char> = label.chars().collect();
    if letters.len() <= most {
        return (label.to_owned(), true);
    }
    let head = (most - 2).div_ceil(2);
    let tail = letters.len() - (most - 2 - head);
    let (head, tail): (String, String) =
        (letters[..head].iter().collect(), letters[tail..].iter().collect());
    (format!("{head}..{tail}"), false)
}

/// The words of a note in lines of at most `most` columns, but for a word that is longer.
fn wrapped(note: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in note.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
    let races = timeline.attempts.iter().any(|attempt| attempt.transport == Transport::Quic);
    let used = timeline.connection.as_ref().map(|used| transport(used.protocol));
    rows.extend(timeline.attempts.iter().map(|attempt| {
        let mut row = attempt_row(attempt, end, races);
        if races && used.is_some_and(|used| used != attempt.transport) {
            // A race between QUIC and TCP may have two winners, one after the other.
            row.note = row.note.replacen("won", "ready for later requests", 1);
        }
        row
    }));
    if let Some(assigned) = timeline.assigned {
        let ready = timeline
            .connection
            .as_ref()
            .map_or(timeline.requested, |connection| connection.established)
            .max(timeline.requested);
        if !negligible(ready, assigned) {
            rows.push(Row::new("queue for a stream", ready, assigned, ':'));
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
        let mut queue = Row::new("queue for a stream", timeline.requested, ended, ':');
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

/// The row of one attempt; where QUIC and TCP race, it says over which of them it is.
fn attempt_row(attempt: &AttemptTrace, end: Instant, races: bool) -> Row {
    let transport = match attempt.transport {
        Transport::Tcp => "TCP",
        Transport::Quic => "QUIC",
    };
    let label = if races { transport } else { "try" };
    let ended = attempt.ended.unwrap_or(end);
    let connected = attempt.connected.unwrap_or(ended).min(ended);
    let mut row = Row::new(format!("{label} {}", attempt.address), attempt.started, connected, '-');
    let mut connected = connected;
    let mut steps = format!("{transport} {:.1}", millis(attempt.started, connected));
    if let Some(tunnel) = attempt.tunnel {
        // TLS with an https proxy is the proxy's part.
        let opened = tunnel.answered.unwrap_or(ended).min(ended);
        row.stretches.push(Stretch { from: connected, to: opened, fill: '~' });
        let _ = write!(steps, ", proxy {:.1}", millis(connected, opened));
        connected = opened;
    }
    let has_tls = !negligible(connected, ended);
    if has_tls {
        row.stretches.push(Stretch { from: connected, to: ended, fill: '=' });
        let _ = write!(steps, ", TLS {:.1}", millis(connected, ended));
    }
    let (mark, note) = match attempt.outcome {
        AttemptOutcome::UnderWay => (Some('>'), "under way".to_owned()),
        AttemptOutcome::Won if row.stretches.len() > 1 => (None, format!("won: {steps} ms")),
        AttemptOutcome::Won => (None, "won".to_owned()),
        AttemptOutcome::Failed(cause) => (Some('x'), format!("failed: {cause}")),
        AttemptOutcome::Aborted => (None, "given up, another won".to_owned()),
    };
    row.mark = mark;
    row.note = note;
    row
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_since(from).as_secs_f64() * 1e3
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
    if let Some(proxy) = &timeline.proxy {
        let _ = write!(text, ", through the proxy {proxy}");
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
