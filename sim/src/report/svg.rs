//! What the pictures share: sizes, colours, text.

use std::fmt::Write as _;

/// The colours of lines and bars: told apart also by those who do not see red or green (Okabe
/// and Ito), dark enough on white and light enough on black.
pub(super) const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#8a8a8a"];

/// A picture that is being drawn.
pub(super) struct Svg {
    width: u32,
    height: u32,
    body: String,
}

/// Where a text stands, seen from its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) const fn new(width: u32, height: u32) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = at;
        let text = escaped(text);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}\
             </text>"
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A filled box, with what is said when the pointer is over it.
    pub(super) fn bar(&mut self, at: (f64, f64), size: (f64, f64), colour: &str, says: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\">\
             <title>{}</title></rect>",
            at.0,
            at.1,
            size.0,
            size.1,
            escaped(says)
        );
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str, dashed: bool) {
        let mut way = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            let _ = write!(way, "{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" });
        }
        let dashes = if dashed { " stroke-dasharray=\"5 3\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<path d=\"{way}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"
        );
    }

    /// The whole file.
    pub(super) fn finish(self) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" \
             font-size=\"12\">\n<style>\n\
             .back {{ fill: #ffffff }} text {{ fill: #1c1c1c }} .dim {{ fill: #5f5f5f }}\n\
             .head {{ font-size: 14px; font-weight: 600 }} .end {{ font-size: 11px }}\n\
             .axis {{ stroke: #5f5f5f }} .grid {{ stroke: #dcdcdc }}\n\
             @media (prefers-color-scheme: dark) {{\n\
             .back {{ fill: #16181c }} text {{ fill: #ececec }} .dim {{ fill: #a5a5a5 }}\n\
             .axis {{ stroke: #a5a5a5 }} .grid {{ stroke: #34373d }}\n}}\n</style>\n\
             <rect class=\"back\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Round numbers of milliseconds from `least` to `most`, at most about `count`.
pub(super) fn ticks(least: f64, most: f64, count: u32) -> Vec<f64> {
    let mut step = 0.001;
    let steps = [2.0, 2.5, 2.0].iter().cycle();
    for factor in steps {
        if (most - least) / step <= f64::from(count) {
            break;
        }
        step *= factor;
    }
    let first = (least / step).ceil();
    (0..=count).map(|n| (first + f64::from(n)) * step).filter(|at| *at <= most).collect()
}

/// Milliseconds for people.
pub(super) fn millis(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{} s", round(ms / 1e3)),
        ms => format!("{} ms", round(ms)),
    }
}

fn round(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert!(ticks(3.0, 1_234.5, 8).len() <= 9);
        assert_eq!(millis(12_500.0), "12.5 s");
        assert_eq!(millis(0.25), "0.25 ms");
    }
}
