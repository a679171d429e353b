//! How many requests were how fast: cumulative distributions, one line for each row.

use core::time::Duration;

use super::Row;
use super::svg::{Anchor, COLOURS, Svg, millis};

/// Width and height of one diagram, and what is left around it.
const SIZE: (f64, f64) = (400.0, 260.0);
const LEFT: f64 = 52.0;
const TOP: f64 = 62.0;
const GAP: f64 = 68.0;
/// Height of a line of the legend.
const LINE: f64 = 18.0;

/// Which times of a row are drawn, the least first.
type Times = fn(&Row) -> &[Duration];

/// Draws times to the first byte, and to the answer's end beside them.
pub fn draw(title: &str, rows: &[Row]) -> String {
    let legend = if rows.len() > 1 { LINE * rows.len() as f64 + 8.0 } else { 0.0 };
    let width = LEFT + 2.0 * SIZE.0 + GAP + 24.0;
    let mut svg = Svg::new(width as u32, (TOP + SIZE.1 + 48.0 + legend) as u32);
    svg.text((16.0, 24.0), Anchor::Start, "head", title);
    let panels: [(&str, Times); 2] = [
        ("time to the first byte", |row| row.figures.first_byte()),
        ("time to the whole answer", |row| row.figures.total()),
    ];
    for (place, (name, times)) in panels.into_iter().enumerate() {
        let left = LEFT + place as f64 * (SIZE.0 + GAP);
        panel(&mut svg, left, name, rows, times);
    }
    if rows.len() > 1 {
        for (n, row) in rows.iter().enumerate() {
            let y = TOP + SIZE.1 + 56.0 + LINE * n as f64;
            svg.path(&[(LEFT, y - 4.0), (LEFT + 26.0, y - 4.0)], colour(n), dashed(n));
            svg.text((LEFT + 34.0, y), Anchor::Start, "", &row.label());
        }
    }
    svg.finish()
}

fn colour(n: usize) -> &'static str {
    COLOURS.get(n % COLOURS.len()).copied().unwrap_or("#888888")
}

const fn dashed(n: usize) -> bool {
    n / COLOURS.len() % 2 == 1
}

fn panel(svg: &mut Svg, left: f64, name: &str, rows: &[Row], times: Times) {
    let scale = Scale::of(rows.iter().flat_map(times).copied());
    let x = |ms: f64| left + SIZE.0 * scale.place(ms);
    let y = |share: f64| TOP + SIZE.1 * (1.0 - share);
    svg.text((left, TOP - 12.0), Anchor::Start, "dim", name);
    for percent in [0, 25, 50, 75, 90, 100] {
        let at = y(f64::from(percent) / 100.0);
        svg.line((left, at), (left + SIZE.0, at), "grid");
        svg.text((left - 6.0, at + 4.0), Anchor::End, "dim", &format!("{percent} %"));
    }
    for tick in &scale.ticks {
        svg.line((x(*tick), TOP), (x(*tick), TOP + SIZE.1), "grid");
        let at = (x(*tick), TOP + SIZE.1 + 18.0);
        svg.text(at, Anchor::Middle, "dim", &millis(*tick));
    }
    svg.line((left, TOP + SIZE.1), (left + SIZE.0, TOP + SIZE.1), "axis");
    for (n, row) in rows.iter().enumerate() {
        let points = steps(times(row), x, y, (left, left + SIZE.0));
        svg.path(&points, colour(n), dashed(n));
    }
    if rows.iter().all(|row| times(row).is_empty()) {
        let middle = (left + SIZE.0 / 2.0, TOP + SIZE.1 / 2.0);
        svg.text(middle, Anchor::Middle, "dim", "no request was answered");
    }
}

/// The stairs of a distribution; one step for each time that differs on the picture.
fn steps(
    sorted: &[Duration],
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
    ends: (f64, f64),
) -> Vec<(f64, f64)> {
    let mut points = vec![(ends.0, y(0.0))];
    let mut share = 0.0;
    for (n, time) in sorted.iter().enumerate() {
        let at = x(time.as_secs_f64() * 1e3);
        let next = (n + 1) as f64 / sorted.len() as f64;
        // What lies within half a pixel is one step.
        match points.last_mut() {
            Some(last) if n > 0 && at - last.0 < 0.5 => last.1 = y(next),
            _ => {
                points.push((at, y(share)));
                points.push((at, y(next)));
            }
        }
        share = next;
    }
    if sorted.is_empty() {
        return Vec::new();
    }
    points.push((ends.1, y(1.0)));
    points
}

/// A logarithmic scale: the tail of latencies is as worth seeing as their bulk.
struct Scale {
    least: f64,
    most: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let all: Vec<f64> = times.map(|time| (time.as_secs_f64() * 1e3).max(0.001)).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(0.0, f64::max);
        let (least, most) = if all.is_empty() { (1.0, 100.0) } else { (least, most) };
        // Round numbers of one leading digit around what there is.
        let round: Vec<f64> = (-3..8)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .collect();
        let below = round.iter().rposition(|at| *at <= least).unwrap_or(0);
        let above = round.iter().position(|at| *at > most).unwrap_or(round.len() - 1);
        let every = (above - below).div_ceil(8).max(1);
        let ticks = round[below..=above].iter().copied().step_by(every).collect();
        Self { least: round[below], most: round[above], ticks }
    }

    fn place(&self, ms: f64) -> f64 {
        ((ms.max(self.least) / self.least).ln() / (self.most / self.least).ln()).clamp(0.0, 1.0)
    }
}
