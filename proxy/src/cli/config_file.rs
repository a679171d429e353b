//! curl's configuration files: one option a line, dashes left out at will.

use std::fs;
use std::io::{self, Read as _};

/// One option of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// With the dashes that it was written with.
    pub(crate) option: String,
    pub(crate) value: Option<String>,
}

/// The text of the file; `-` is standard input.
pub(crate) fn read(file: &str) -> io::Result<String> {
    if file != "-" {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// The options of a file's text, with the numbers of their lines.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, Line)> {
    text.lines().enumerate().filter_map(|(n, text)| Some((n + 1, line(text)?)))
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim_start();
    if text.is_empty() || text.starts_with(['#', '/', '*']) {
        return None;
    }
    // Behind dashes, = and : belong to the name or the value.
    let is_dashed = text.starts_with('-');
    let separates = |c: char| c.is_ascii_whitespace() || (!is_dashed && matches!(c, '=' | ':'));
    let end = text.find(separates).unwrap_or(text.len());
    let (option, rest) = text.split_at(end);
    let rest = rest.trim_start_matches(separates);
    let value = match rest.strip_prefix('"') {
        Some(quoted) => Some(unquoted(quoted)),
        None => rest.split_ascii_whitespace().next().map(str::to_owned),
    };
    Some(Line { option: option.to_owned(), value })
}

/// Up to the closing quote, with `\n`, `\r`, `\t`, `\v` and the escaped character itself.
fn unquoted(text: &str) -> String {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('v') => value.push('\u{b}'),
                Some(other) => value.push(other),
                None => {}
            },
            c => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_curls() {
        let table = [
            ("", None),
            ("# silent", None),
            ("/ silent", None),
            ("* silent", None),
            ("silent", Some(("silent", None))),
            ("--silent", Some(("--silent", None))),
            ("-s # quiet", Some(("-s", Some("#")))),
            ("url = http://a/", Some(("url", Some("http://a/")))),
            ("url=http://a/ # b", Some(("url", Some("http://a/")))),
            ("url: http://a/", Some(("url", Some("http://a/")))),
            ("  -d a=b", Some(("-d", Some("a=b")))),
            ("header = \"A: b c\" x", Some(("header", Some("A: b c")))),
            ("data = \"a\\\"b\\\\c\\n\\t\\r\\v\\x\"", Some(("data", Some("a\"b\\c\n\t\r\u{b}x")))),
            ("data = \"open", Some(("data", Some("open")))),
            ("data = \"\"", Some(("data", Some("")))),
        ];
        for (text, meant) in table {
            let meant = meant.map(|(option, value)| Line {
                option: option.to_owned(),
                value: value.map(str::to_owned),
            });
            assert_eq!(line(text), meant, "{text}");
        }
    }
}
