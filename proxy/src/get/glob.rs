//! Sets and ranges in URLs, as curl has them: `{one,two}`, `[1-9]`, `[001-100:5]`, `[a-z:2]`. The
//! last one of a URL changes fastest; `#1` in the name of a file stands for what the first one is.

use std::net::Ipv6Addr;

/// Most URLs that one pattern may stand for.
pub(crate) const MOST: u64 = 1_000_000;

/// A pattern of URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(String),
    Set(Vec<String>),
    Letters {
        first: u8,
        last: u8,
        step: u8,
    },
    /// With zeros in front up to this width.
    Numbers {
        first: u64,
        last: u64,
        step: u64,
        width: usize,
    },
}

impl Part {
    fn count(&self) -> u64 {
        match self {
            Self::Fixed(_) => 1,
            Self::Set(all) => all.len() as u64,
            Self::Letters { first, last, step } => u64::from((last - first) / step) + 1,
            Self::Numbers { first, last, step, .. } => ((last - first) / step).saturating_add(1),
        }
    }

    fn value(&self, at: u64) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Set(all) => {
                usize::try_from(at).ok().and_then(|at| all.get(at)).cloned().unwrap_or_default()
            }
            Self::Letters { first, step, .. } => {
                let letter = u64::from(*first) + at * u64::from(*step);
                u8::try_from(letter)
                    .map(|letter| char::from(letter).to_string())
                    .unwrap_or_default()
            }
            Self::Numbers { first, step, width, .. } => format!("{:0width$}", first + at * step),
        }
    }
}

impl Glob {
    /// A URL that is nothing but itself.
    pub(crate) fn literal(url: &str) -> Self {
        Self { parts: vec![Part::Fixed(url.to_owned())] }
    }

    /// Reads a pattern; what is wrong with it, otherwise.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let mut reader = Reader { pattern, at: 0 };
        let mut parts = Vec::new();
        let mut fixed = String::new();
        while let Some(c) = reader.peek() {
            match c {
                '{' | '[' if !reader.skip_literal(&mut fixed) => {
                    if !fixed.is_empty() {
                        parts.push(Part::Fixed(std::mem::take(&mut fixed)));
                    }
                    reader.next();
                    parts.push(if c == '{' { reader.set()? } else { reader.range()? });
                }
                '{' | '[' => {}
                '}' | ']' => return Err(reader.wrong("a brace or bracket closes nothing")),
                '\\' if reader.rest()[1..].starts_with(['{', '[', '}', ']']) => {
                    reader.next();
                    fixed.extend(reader.next());
                }
                _ => fixed.extend(reader.next()),
            }
        }
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed));
        }
        let glob = Self { parts };
        match glob.count() {
            0..=MOST => Ok(glob),
            _ => Err(format!("{pattern} stands for more than {MOST} URLs")),
        }
    }

    /// How many URLs it stands for.
    fn count(&self) -> u64 {
        self.parts.iter().fold(1, |count: u64, part| count.saturating_mul(part.count()))
    }

    /// All URLs in order, each with what its sets and ranges were.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (String, Vec<String>)> + '_ {
        (0..self.count()).map(|mut number| {
            let mut values: Vec<String> = Vec::new();
            for part in self.parts.iter().rev() {
                values.push(part.value(number % part.count()));
                number /= part.count();
            }
            values.reverse();
            let is_glob = |part: &Part| !matches!(part, Part::Fixed(_));
            let own = self.parts.iter().zip(&values).filter(|(part, _)| is_glob(part));
            let own = own.map(|(_, value)| value.clone()).collect();
            (values.concat(), own)
        })
    }
}

/// A file's name with what `#1`, `#2` and so on stand for.
pub(crate) fn fill(name: &str, globbed: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = name;
    while let Some(at) = rest.find('#') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        filled.push_str(before);
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let number = behind[..end].parse::<usize>().ok();
        match number.and_then(|number| globbed.get(number.checked_sub(1)?)) {
            Some(value) => {
                filled.push_str(value);
                rest = &behind[end..];
            }
            None => {
                filled.push('#');
                rest = behind;
            }
        }
    }
    filled + rest
}

struct Reader<'a> {
    pattern: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn wrong(&self, what: &str) -> String {
        format!("{}: {what}, at character {}", self.pattern, self.at + 1)
    }

    /// An IPv6 address in its brackets is no range.
    fn skip_literal(&mut self, fixed: &mut String) -> bool {
        let Some(inside) = self.rest().strip_prefix('[') else { return false };
        let Some((inside, _)) = inside.split_once(']') else { return false };
        let address = inside.split('%').next().unwrap_or_default();
        let is_address = address.parse::<Ipv6Addr>().is_ok();
        if is_address {
            let whole = &self.rest()[..inside.len() + 2];
            fixed.push_str(whole);
            self.at += whole.len();
        }
        is_address
    }

    fn set(&mut self) -> Result<Part, String> {
        let (mut all, mut one) = (Vec::new(), String::new());
        if self.peek() == Some('}') {
            return Err(self.wrong("nothing is between the braces"));
        }
        loop {
            match self.next() {
                None => return Err(self.wrong("a brace is not closed")),
                Some('{' | '[') => return Err(self.wrong("a brace within braces")),
                Some(']') => return Err(self.wrong("a bracket closes nothing")),
                Some(',') => all.push(std::mem::take(&mut one)),
                Some('}') => {
                    all.push(one);
                    return Ok(Part::Set(all));
                }
                Some('\\') => one.extend(self.next()),
                Some(c) => one.push(c),
            }
        }
    }

    fn range(&mut self) -> Result<Part, String> {
        let bad = self.wrong("no range like 1-9, 01-99:2 or a-z");
        let (inside, _) = self.rest().split_once(']').ok_or_else(|| bad.clone())?;
        self.at += inside.len() + 1;
        let (ends, step) = match inside.split_once(':') {
            Some((ends, step)) => (ends, Some(step)),
            None => (inside, None),
        };
        let step = match step {
            Some(step) => number(step).ok_or_else(|| bad.clone())?,
            None => 1,
        };
        let range = ends.split_once('-').and_then(|(first, last)| match first.as_bytes() {
            [first] if first.is_ascii_alphabetic() => letters(*first, last, step),
            _ => numbers(first, last, step),
        });
        range.ok_or(bad)
    }
}

/// Digits alone.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Whether `step` leads from one end to the other.
const fn fits(first: u64, last: u64, step: u64) -> bool {
    step > 0 && ((first == last && step == 1) || (first < last && step <= last - first))
}

fn letters(first: u8, last: &str, step: u64) -> Option<Part> {
    let [last] = last.as_bytes() else { return None };
    let is_one_alphabet = last.saturating_sub(first) <= b'z' - b'a';
    let step = u8::try_from(step).ok()?;
    (fits(first.into(), (*last).into(), step.into()) && is_one_alphabet).then_some(Part::Letters {
        first,
        last: *last,
        step,
    })
}

fn numbers(first: &str, last: &str, step: u64) -> Option<Part> {
    let width = if first.starts_with('0') { first.len() } else { 0 };
    let (first, last) = (number(first)?, number(last.trim_start_matches([' ', '\t']))?);
    fits(first, last, step).then_some(Part::Numbers { first, last, step, width })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(pattern: &str) -> Vec<String> {
        Glob::parse(pattern).unwrap().urls().map(|(url, _)| url).collect()
    }

    #[test]
    fn patterns_stand_for_urls() {
        let rows: [(&str, &[&str]); 12] = [
            ("a/b", &["a/b"]),
            ("a/{x,y}", &["a/x", "a/y"]),
            ("{,x}", &["", "x"]),
            ("[1-3]", &["1", "2", "3"]),
            ("[08-10]", &["08", "09", "10"]),
            ("[1-10:4]", &["1", "5", "9"]),
            ("[a-e:2]", &["a", "c", "e"]),
            ("[7-7]", &["7"]),
            ("[1-2]{a,b}", &["1a", "1b", "2a", "2b"]),
            ("http://[::1]:80/[1-2]", &["http://[::1]:80/1", "http://[::1]:80/2"]),
            (r"a\[1-2\]\{x\}\n", &[r"a[1-2]{x}\n"]),
            (r"{a\,b,c}", &["a,b", "c"]),
        ];
        for (pattern, expected) in rows {
            assert_eq!(urls(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (pattern, word) in [
            ("a{", "not closed"),
            ("{}", "between the braces"),
            ("a}", "closes nothing"),
            ("{a]", "closes nothing"),
            ("{a{b}}", "within braces"),
            ("[", "no range"),
            ("[]", "no range"),
            ("[1]", "no range"),
            ("[2-1]", "no range"),
            ("[1-2:0]", "no range"),
            ("[1-2:5]", "no range"),
            ("[a-3]", "no range"),
            ("[A-z]", "no range"),
            ("[a-c:x]", "no range"),
            ("[1-1000][1-1001]", "more than 1000000"),
            ("[0-18446744073709551615]", "more than 1000000"),
        ] {
            let error = Glob::parse(pattern).unwrap_err();
            assert!(error.contains(word), "{pattern}: {error}");
        }
    }

    #[test]
    fn names_of_files_have_what_was_matched() {
        let all: Vec<_> = Glob::parse("x/{a,b}/[01-02]").unwrap().urls().collect();
        let (_, globbed) = &all[1];
        for (name, filled) in [
            ("plain", "plain"),
            ("#1-#2.txt", "a-02.txt"),
            ("#2#1", "02a"),
            ("#3", "#3"),
            ("#0", "#0"),
            ("#", "#"),
            ("a#b", "a#b"),
        ] {
            assert_eq!(fill(name, globbed), filled);
        }
    }
}
