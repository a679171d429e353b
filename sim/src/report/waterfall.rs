//! Where the time of each request of one run went: one row for a request, and one for each
//! attempt of the race that it waited for.

use regatta_core::Instant;
use regatta_core::types::Transport;
use regatta_runtime::{AttemptOutcome, AttemptTrace};

use super::svg::{Anchor, Svg, millis, ticks};
use crate::scenario::{Asked, End, Outcome};

/// Most requests that are drawn: those that began first.
const MOST: usize = 60;
const LABELS: f64 = 250.0;
const AXIS: f64 = 620.0;
const NOTES: f64 = 240.0;
const TOP: f64 = 84.0;
const ROW: f64 = 18.0;

const NAME: &str = "#8c6bb1";
const TCP: &str = "#e69f00";
const PROXY: &str = "#999933";
const TLS: &str = "#cc79a7";
const QUIC: &str = "#009e73";
const QUEUE: &str = "#8a8a8a";
const WAIT: &str = "#56b4e9";
const BODY: &str = "#0072b2";
const FAILED: &str = "#d55e00";

const LEGEND: [(&str, &str); 8] = [
    (NAME, "name"),
    (TCP, "TCP"),
    (TLS, "TLS"),
    (QUIC, "QUIC"),
    (QUEUE, "queue"),
    (WAIT, "waiting for the first byte"),
    (BODY, "body"),
    (FAILED, "failed"),
];

/// Draws the first requests of `run`.
pub fn draw(title: &str, run: &Outcome) -> String {
    let rows: Vec<Row> = run.asked.iter().take(MOST).flat_map(|asked| rows(asked, run)).collect();
    let start = run.asked.first().map_or(Instant::EPOCH, |asked| asked.requested);
    let end = rows.iter().flat_map(|row| &row.bars).map(|bar| bar.to).max().unwrap_or(start);
    let most = (ms(start, end)).max(0.001);
    let height = TOP + ROW * rows.len() as f64 + 16.0;
    let mut svg = Svg::new((LABELS + AXIS + NOTES) as u32, height as u32);
    svg.text((16.0, 24.0), Anchor::Start, "head", title);
    let shown = run.asked.len().min(MOST);
    let says = format!("seed {}, {shown} of {} requests", run.seed, run.asked.len());
    svg.text((16.0, 42.0), Anchor::Start, "dim", &says);
    legend(&mut svg);
    for tick in ticks(0.0, most, 8) {
        let x = LABELS + AXIS * tick / most;
        svg.line((x, TOP - 8.0), (x, height - 12.0), "grid");
        svg.text((x, TOP - 14.0), Anchor::Middle, "dim", &millis(tick));
    }
    for (n, row) in rows.iter().enumerate() {
        row.draw(&mut svg, TOP + ROW * n as f64, |at| LABELS + AXIS * ms(start, at) / most);
    }
    svg.finish()
}

fn legend(svg: &mut Svg) {
    let mut x = LABELS;
    for (colour, name) in LEGEND {
        svg.bar((x, 34.0), (12.0, 10.0), colour, name);
        svg.text((x + 17.0, 43.0), Anchor::Start, "dim", name);
        x += 40.0 + 6.6 * name.len() as f64;
    }
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_since(from).as_secs_f64() * 1e3
}

struct Row {
    label: String,
    /// An attempt: drawn smaller, below its request.
    below: bool,
    bars: Vec<Bar>,
    note: String,
}

struct Bar {
    from: Instant,
    to: Instant,
    colour: &'static str,
    what: &'static str,
}

impl Row {
    fn draw(&self, svg: &mut Svg, y: f64, x: impl Fn(Instant) -> f64) {
        let (class, indent, height) =
            if self.below { ("dim end", 28.0, 7.0) } else { ("", 16.0, 12.0) };
        svg.text((indent, y + 11.0), Anchor::Start, class, &self.label);
        let mut end = LABELS;
        for bar in &self.bars {
            let (from, to) = (x(bar.from), x(bar.to));
            let width = (to - from).max(1.0);
            let says = format!("{}: {}", bar.what, millis(ms(bar.from, bar.to)));
            svg.bar((from, y + 7.0 - height / 2.0), (width, height), bar.colour, &says);
            end = end.max(from + width);
        }
        svg.text((end + 6.0, y + 11.0), Anchor::Start, "dim end", &self.note);
    }
}

fn rows(asked: &Asked, run: &Outcome) -> Vec<Row> {
    let end = asked.ended.unwrap_or(run.ended);
    let timeline = &asked.timeline;
    let mut bars = Vec::new();
    let mut add = |from: Instant, to: Instant, colour, what| {
        if to > from {
            bars.push(Bar { from, to, colour, what });
        }
    };
    let queued = timeline.assigned.unwrap_or(end);
    add(asked.requested, queued, QUEUE, "until it was given to a connection");
    if let Some(assigned) = timeline.assigned {
        let first = timeline.first_byte.unwrap_or(end);
        add(assigned, first, WAIT, "until the first byte");
        add(first, end, BODY, "the body");
    }
    let took = millis((ms(asked.requested, end) * 10.0).round() / 10.0);
    let again = match timeline.resends {
        0 => String::new(),
        n => format!(", sent again {n} times"),
    };
    let note = match &asked.end {
        End::Answered(status) => format!("{took}, {status}{again}"),
        End::Failed(cause) => format!("{took}, {cause}{again}"),
        End::UnderWay => format!("{took}, under way{again}"),
    };
    if let (End::Failed(_), Some(last)) = (&asked.end, bars.last_mut()) {
        last.colour = FAILED;
    }
    let mut rows = vec![Row { label: asked.what.clone(), below: false, bars, note }];
    if let Some(resolve) = timeline.resolve {
        let to = resolve.ended.unwrap_or(end);
        let bars = vec![Bar { from: resolve.started, to, colour: NAME, what: "the name" }];
        rows.push(Row {
            label: "look up the name".to_owned(),
            below: true,
            bars,
            note: String::new(),
        });
    }
    rows.extend(timeline.attempts.iter().map(|attempt| attempt_row(attempt, end)));
    rows
}

fn attempt_row(attempt: &AttemptTrace, end: Instant) -> Row {
    let ended = attempt.ended.unwrap_or(end);
    let connected = attempt.connected.unwrap_or(ended).min(ended);
    // The first packet has come half-way through QUIC's only handshake.
    let quic = attempt.transport == Transport::Quic;
    let (mut connected, colour, what) =
        if quic { (ended, QUIC, "QUIC") } else { (connected, TCP, "TCP") };
    let mut bars = vec![Bar { from: attempt.started, to: connected, colour, what }];
    if let Some(tunnel) = attempt.tunnel {
        let opened = tunnel.answered.unwrap_or(ended).min(ended);
        bars.push(Bar { from: connected, to: opened, colour: PROXY, what: "proxy" });
        connected = opened;
    }
    if ended > connected {
        bars.push(Bar { from: connected, to: ended, colour: TLS, what: "TLS" });
    }
    let note = match attempt.outcome {
        AttemptOutcome::UnderWay => "under way".to_owned(),
        AttemptOutcome::Won => "won".to_owned(),
        AttemptOutcome::Failed(cause) => cause.to_string(),
        AttemptOutcome::Aborted => "given up".to_owned(),
    };
    if let (AttemptOutcome::Failed(_), Some(last)) = (attempt.outcome, bars.last_mut()) {
        last.colour = FAILED;
    }
    let over = if quic { " (QUIC)" } else { "" };
    Row { label: format!("try {}{over}", attempt.address), below: true, bars, note }
}
