//! One line of our own file: a word that says what it is, then fields with a space between.

use core::fmt;

use super::health::Mark;
use super::{Alternative, Source, authority, field, frame};
use crate::types::Origin;

/// Seconds since 1970 that never come.
pub(super) const NEVER: u64 = u64::MAX;

/// What a file says of one origin in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) origin: Origin,
    pub(super) what: What,
}

/// Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Offer { alternative: Alternative, until: u64, source: Source, persist: bool },
    Health { alternative: Alternative, mark: Mark, failures: u8, until: u64 },
    Rtt(u32),
}

/// What belongs where, before it is known in which line.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    pub(super) expected: &'static str,
    pub(super) found: &'a str,
}

const MARKS: [(Mark, &str); 4] = [
    (Mark::Unknown, "unknown"),
    (Mark::Confirmed, "confirmed"),
    (Mark::Suspect, "suspect"),
    (Mark::Broken, "broken"),
];

/// The words of a line; each is asked for with what it should be.
pub(super) struct Words<'a> {
    line: &'a str,
    rest: Option<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { line, rest: Some(line) }
    }

    pub(super) fn next(&mut self) -> &'a str {
        let rest = self.rest.take().unwrap_or_default();
        match rest.split_once(' ') {
            Some((word, rest)) => {
                self.rest = Some(rest);
                word
            }
            None => rest,
        }
    }

    /// The next word as `read` understands it.
    pub(super) fn take<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Wrong<'a>> {
        let found = self.next();
        read(found).ok_or(Wrong { expected, found })
    }

    /// Nothing may be left.
    pub(super) const fn end(&self) -> Result<(), Wrong<'a>> {
        match self.rest {
            None => Ok(()),
            Some(_) => Err(Wrong { expected: "the end of the line", found: self.line }),
        }
    }
}

impl Row {
    pub(super) fn read(line: &str) -> Result<Self, Wrong<'_>> {
        let mut words = Words::new(line);
        let word = words.next();
        if !matches!(word, "offer" | "health" | "rtt") {
            return Err(Wrong { expected: "`offer`, `health` or `rtt`", found: word });
        }
        let origin = words.take("an origin like https://example.org:443", origin)?;
        let what = match word {
            "offer" => What::Offer {
                alternative: words.take("an alternative like h3=\":443\"", alternative)?,
                until: words.take("seconds since 1970 or `never`", time)?,
                source: words.take("where it was heard", source)?,
                persist: words.take("`persist` or `-`", |word| match word {
                    "persist" => Some(true),
                    "-" => Some(false),
                    _ => None,
                })?,
            },
            "health" => What::Health {
                alternative: words.take("an alternative like h3=\":443\"", alternative)?,
                mark: words.take("`unknown`, `confirmed`, `suspect` or `broken`", |word| {
                    MARKS.iter().find(|(_, name)| *name == word).map(|(mark, _)| *mark)
                })?,
                failures: words.take("a count up to 255", |word| digits(word)?.try_into().ok())?,
                until: words.take("seconds since 1970 or `never`", time)?,
            },
            _ => What::Rtt(words.take("microseconds", |word| digits(word)?.try_into().ok())?),
        };
        words.end()?;
        Ok(Self { origin, what })
    }

    /// Whether it is the same when it is read again: names that no host has are not kept.
    pub(super) fn is_plain(&self) -> bool {
        let same = origin(&self.origin.to_string()).as_ref() == Some(&self.origin);
        same && match &self.what {
            What::Offer { alternative: it, .. } | What::Health { alternative: it, .. } => {
                alternative(&it.to_string()).as_ref() == Some(it)
            }
            What::Rtt(_) => true,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match &self.what {
            What::Offer { alternative, until, source, persist } => {
                write!(f, "offer {origin} {alternative} {} {}", Time(*until), source.name())?;
                f.write_str(if *persist { " persist" } else { " -" })
            }
            What::Health { alternative, mark, failures, until } => {
                let name = MARKS.iter().find(|(it, _)| it == mark).map(|(_, name)| *name);
                let name = name.unwrap_or_default();
                write!(f, "health {origin} {alternative} {name} {failures} {}", Time(*until))
            }
            What::Rtt(micros) => write!(f, "rtt {origin} {micros}"),
        }
    }
}

struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NEVER => f.write_str("never"),
            seconds => write!(f, "{seconds}"),
        }
    }
}

fn time(word: &str) -> Option<u64> {
    if word == "never" { Some(NEVER) } else { digits(word).filter(|time| *time != NEVER) }
}

pub(super) fn digits(word: &str) -> Option<u64> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| plain)
}

fn origin(word: &str) -> Option<Origin> {
    frame::origin(word.as_bytes())
}

fn source(word: &str) -> Option<Source> {
    Source::ALL.into_iter().find(|source| source.name() == word)
}

fn alternative(word: &str) -> Option<Alternative> {
    let (name, rest) = word.split_once("=\"")?;
    let protocol = field::protocol(name.as_bytes())?;
    let (host, port) = authority::split(rest.strip_suffix('"')?.as_bytes())?;
    Some(Alternative { protocol, host, port })
}
