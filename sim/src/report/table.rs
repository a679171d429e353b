//! The table that is printed.

use std::fmt::Write as _;

use super::Row;
use crate::scenario::metric::{Figures, Value};

/// A figure, and its head in two lines.
type Column = (&'static str, &'static str, &'static str);

/// Columns of every table.
const COLUMNS: [Column; 16] = [
    ("requests", "", "requests"),
    ("ok", "", "ok"),
    ("failed", "", "failed"),
    ("first_byte_p50", "first byte", "p50"),
    ("first_byte_p90", "in ms", "p90"),
    ("first_byte_p99", "", "p99"),
    ("first_byte_max", "", "max"),
    ("total_p50", "whole answer", "p50"),
    ("total_p90", "in ms", "p90"),
    ("total_p99", "", "p99"),
    ("total_max", "", "max"),
    ("connections", "connec-", "tions"),
    ("attempts_per_success", "attempts", "/success"),
    ("handshakes", "TLS hand-", "shakes"),
    ("resends", "sent", "again"),
    ("virtual_time", "virtual", "seconds"),
];

/// Columns of tables in which HTTP/3 has a part: what answers came over, behind `failed`, ..
const OVER: [Column; 3] =
    [("over_http3", "over", "h3"), ("over_http2", "over", "h2"), ("over_http1", "over", "h1")];
/// .. and how it was marked, behind all others.
const MARKS: [Column; 2] = [("broken", "h3 marked", "broken"), ("suspect", "", "suspect")];

fn columns(rows: &[Row]) -> Vec<Column> {
    let mut columns = COLUMNS.to_vec();
    if rows.iter().any(|row| row.figures.knows_http3()) {
        let place = columns.iter().position(|(name, ..)| *name == "first_byte_p50");
        columns.splice(place.unwrap_or(0)..place.unwrap_or(0), OVER);
        columns.extend(MARKS);
    }
    columns
}

/// Draws the table, each line with a line feed at its end.
pub fn draw(rows: &[Row]) -> String {
    let swept: Vec<&str> = rows
        .first()
        .map_or_else(Vec::new, |row| row.settings.iter().map(|(path, _)| path.as_str()).collect());
    let mut lines: Vec<Vec<String>> = vec![Vec::new(), Vec::new()];
    for path in swept {
        let (folder, name) = path.rsplit_once('.').unwrap_or(("", path));
        lines[0].push(folder.to_owned());
        lines[1].push(name.to_owned());
    }
    let by_load = rows.iter().any(|row| row.figures.loads().len() > 1);
    if by_load {
        lines[0].push(String::new());
        lines[1].push("load".to_owned());
    }
    let columns = columns(rows);
    for (_, over, head) in &columns {
        lines[0].push((*over).to_owned());
        lines[1].push((*head).to_owned());
    }
    for row in rows {
        let mut line: Vec<String> = row.settings.iter().map(|(_, value)| value.clone()).collect();
        if by_load {
            line.push("all".to_owned());
        }
        line.extend(columns.iter().map(|(name, ..)| cell(name, &row.figures)));
        lines.push(line);
        for (load, figures) in row.figures.loads().iter().filter(|_| by_load) {
            let mut line = vec![String::new(); row.settings.len()];
            line.push(load.clone());
            // Connections are not one load's own.
            let own = columns.iter().take_while(|(name, ..)| *name != "connections");
            line.extend(own.map(|(name, ..)| cell(name, figures)));
            lines.push(line);
        }
    }
    let mut text = aligned(&lines);
    for row in rows {
        causes(row, &mut text);
    }
    text
}

fn cell(name: &str, figures: &Figures) -> String {
    match figures.get(name) {
        None => "-".to_owned(),
        Some(Value::Time(time)) if name == "virtual_time" => crate::scenario::seconds(time),
        Some(Value::Time(time)) => {
            let tenths = (time.as_micros() + 50) / 100;
            format!("{}.{}", tenths / 10, tenths % 10)
        }
        Some(value) => value.to_string(),
    }
}

/// Right-aligned columns, two spaces apart.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut whole = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(whole, "{cell:>width$}  ");
        }
        text.push_str(whole.trim_end());
        text.push('\n');
    }
    text
}

/// Why requests failed, and what kept a run from its end.
fn causes(row: &Row, text: &mut String) {
    let label = row.label();
    let label = if label.is_empty() { label } else { format!("{label}: ") };
    let unfinished = row.figures.unfinished();
    let mut causes: Vec<String> =
        row.figures.failed().iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    if unfinished > 0 {
        causes.push(format!("not ended in time {unfinished}"));
    }
    if !causes.is_empty() {
        let _ = writeln!(text, "{label}failed: {}", causes.join(", "));
    }
    for (seed, says) in &row.failed {
        let _ = writeln!(text, "{label}the run of seed {seed} broke off: {says}");
    }
}
