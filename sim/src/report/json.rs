//! All figures as JSON (RFC 8259). Times are in nanoseconds, rates in bits per second.

use std::fmt::Write as _;

use super::Row;
use crate::scenario::metric::{METRICS, Value};

/// `rows` of the scenario `name` as one JSON text.
pub fn text(name: &str, seeds: &[u64], rows: &[Row]) -> String {
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!(
        "{{\n  \"scenario\": {},\n  \"seeds\": [{}],\n  \"rows\": [\n{}\n  ]\n}}\n",
        quoted(name),
        seeds.join(", "),
        rows.join(",\n"),
    )
}

fn row(row: &Row) -> String {
    let settings = row.settings.iter().map(|(path, to)| (path.as_str(), quoted(to)));
    let figures = METRICS.iter().map(|metric| {
        let value = match row.figures.get(metric.name()) {
            None => "null".to_owned(),
            Some(Value::Count(n) | Value::Bytes(n) | Value::Rate(n)) => n.to_string(),
            Some(Value::Ratio(n)) => format!("{}.{:03}", n / 1_000, n % 1_000),
            Some(Value::Time(time)) => time.as_nanos().to_string(),
            Some(Value::Word(word)) => quoted(word),
        };
        (metric.name(), value)
    });
    let failed =
        row.figures.failed().iter().map(|(cause, count)| (cause.as_str(), count.to_string()));
    let expected = row.expected.iter().chain(&row.unmet);
    let expected = expected.map(|verdict| (verdict.condition.as_str(), verdict.holds.to_string()));
    format!(
        "    {{\n      \"settings\": {},\n      \"digest\": \"{:016x}\",\n      \
         \"figures\": {},\n      \
         \"failed_by_cause\": {},\n      \"conditions\": {}\n    }}",
        object(settings),
        row.digest,
        object(figures),
        object(failed),
        object(expected),
    )
}

fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> =
        members.map(|(name, value)| format!("{}: {value}", quoted(name))).collect();
    format!("{{{}}}", members.join(", "))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            letter if letter < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_cannot_hold_is_escaped() {
        assert_eq!(quoted("a\"b\\c\nd é"), "\"a\\\"b\\\\c\\u000ad é\"");
    }
}
