//! Waterfalls as one SVG, which any browser shows. It loads nothing and runs nothing.

use std::fmt::Write as _;
use std::time::Duration;

use regatta_core::Instant;

use super::file::Drawn;
use super::{Row, rows, summary};

/// Sizes in pixels: the whole, the labels, the axis, and one line.
const WIDTH: u32 = 1_100;
const LABELS: u32 = 280;
const AXIS: u32 = 500;
const LINE: u32 = 22;

/// What each character of the text stands for, its colour, and its name in the legend.
const FILLS: [(char, &str, &str); 7] = [
    ('?', "#8e6bbf", "look up the name"),
    (':', "#b8b8b8", "queue"),
    ('-', "#e8973a", "TCP"),
    ('~', "#7a8b3d", "proxy"),
    ('=', "#c2569b", "TLS"),
    ('.', "#53a567", "wait for the first byte"),
    ('#', "#4a86c8", "body"),
];

const FAILED: &str = "#cc3333";

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#222}\
.t{font-weight:600}.s,.n{fill:#666}.n{font-size:12px}\
.g{stroke:#ddd}.b{fill:#fff}";

/// All of a file: one waterfall below another, each on an axis of its own.
pub(super) fn write(drawn: &[Drawn], left_out: usize) -> String {
    let mut page = Page { body: String::new(), y: 10 };
    page.legend();
    for one in drawn {
        page.request(one);
    }
    if left_out > 0 {
        page.line("n", 10, &format!("{left_out} more requests are left out"));
    }
    let height = page.y + LINE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>Waterfalls of {} \
         requests</title>\n<style>{STYLE}</style>\n<rect class=\"b\" width=\"{WIDTH}\" \
         height=\"{height}\"/>\n{}</svg>\n",
        drawn.len(),
        page.body,
    )
}

struct Page {
    body: String,
    y: u32,
}

impl Page {
    fn line(&mut self, class: &str, x: u32, text: &str) {
        self.text(class, x, text);
        self.y += LINE;
    }

    fn text(&mut self, class: &str, x: u32, text: &str) {
        let y = self.y + 15;
        let text = escaped(text);
        let _ = writeln!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
    }

    fn rect(&mut self, x: f64, width: f64, colour: &str, hint: &str) {
        let (y, height, hint) = (self.y + 4, LINE - 7, escaped(hint));
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\" \
             fill=\"{colour}\"><title>{hint}</title></rect>"
        );
    }

    fn legend(&mut self) {
        for (n, (_, colour, name)) in (0_u32..).zip(FILLS) {
            let x = 10 + n * 150;
            self.rect(x.into(), 14.0, colour, name);
            self.text("n", x + 20, name);
        }
        let x = 10 + 150 * 6;
        self.rect(x.into(), 14.0, FAILED, "failed");
        self.line("n", x + 20, "failed");
    }

    fn request(&mut self, one: &Drawn) {
        self.y += 12;
        self.line("t", 10, &format!("{} {}: {}", one.method, one.url, one.outcome));
        let summary = summary(&one.timeline);
        if !summary.is_empty() {
            self.line("s", 10, &summary);
        }
        let rows = rows(&one.timeline);
        let start = one.timeline.requested;
        let end = rows.iter().filter_map(Row::end).max().unwrap_or(start);
        let total = end.saturating_since(start).max(Duration::from_nanos(1));
        self.grid(total, rows.len());
        for row in &rows {
            self.row(row, start, total);
        }
    }

    /// Quarters of the axis, each with its time below the rows.
    fn grid(&mut self, total: Duration, rows: usize) {
        let height = LINE * u32::try_from(rows).unwrap_or(0);
        for quarter in 0..=4 {
            let x = LABELS + AXIS / 4 * quarter;
            let (top, bottom) = (self.y, self.y + LINE + height);
            let _ = writeln!(
                self.body,
                "<line class=\"g\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\"/>"
            );
            self.text("n", x + 3, &shown(total * quarter / 4));
        }
        self.y += LINE;
    }

    fn row(&mut self, row: &Row, start: Instant, total: Duration) {
        self.text("l", 10, &row.label);
        let x = |at: Instant| {
            let share = at.saturating_since(start).as_secs_f64() / total.as_secs_f64();
            f64::from(LABELS) + f64::from(AXIS) * share.min(1.0)
        };
        let last = row.stretches.len().saturating_sub(1);
        for (n, stretch) in row.stretches.iter().enumerate() {
            let colour = FILLS.iter().find(|(fill, ..)| *fill == stretch.fill);
            let (colour, name) = colour.map_or((FAILED, ""), |(_, colour, name)| (*colour, *name));
            let took = shown(stretch.to.saturating_since(stretch.from));
            let (from, to) = (x(stretch.from), x(stretch.to));
            // What took hardly any time is seen all the same.
            let width = (to - from).max(1.5);
            self.rect(from, width, colour, &format!("{name}: {took}"));
            if n == last && row.mark == Some('x') {
                self.rect(from + width - 1.5, 4.0, FAILED, "failed");
            }
        }
        let took = row.end().zip(row.start()).map(|(end, from)| end.saturating_since(from));
        let mut note = took.map(shown).unwrap_or_default();
        if !row.note.is_empty() {
            note = format!("{note}, {}", row.note);
        }
        self.line("n", LABELS + AXIS + 50, &note);
    }
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Text as XML takes it: what XML 1.0 has no letter for becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            letter if letter < ' ' || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}
