//! Expectations: `first_byte_max <= 350ms`, `winner == ipv4`, `ok == requests`.

use core::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::metric::{Figures, METRICS, Value};
use super::nearest;
use super::units::{Bytes, Quantity as _, Rate, Time};

/// A condition on one figure.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    left: String,
    relation: Relation,
    right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    AtMost,
    AtLeast,
    Less,
    More,
    Equal,
    Other,
}

#[derive(Clone, Debug)]
enum Right {
    Figure(String),
    Number(u64),
    Word(String),
}

const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("!=", Relation::Other),
    ("<", Relation::Less),
    (">", Relation::More),
];

/// What became of a condition.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The condition as it is written.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// What the figure really is.
    pub was: String,
}

impl Condition {
    /// Reads `figure relation value`; the error says what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [left, relation, right] = words.as_slice() else {
            return Err(format!(
                "`{text}` is no condition: expected a figure, a relation and a value, as in \
                 `first_byte_max <= 350ms`"
            ));
        };
        let sample = sample(left)?;
        let known = RELATIONS.iter().find(|(sign, _)| sign == relation);
        let Some((_, relation)) = known else {
            return Err(format!("`{relation}` is no relation: expected <=, >=, ==, !=, < or >"));
        };
        let right = Right::read(right, sample)?;
        Ok(Self { text: words.join(" "), left: (*left).to_owned(), relation: *relation, right })
    }

    /// The load whose figure it is of, where it is one's own.
    pub fn load(&self) -> Option<&str> {
        self.left.split_once(':').map(|(load, _)| load)
    }

    /// Whether it holds of these figures.
    pub fn judge(&self, figures: &Figures) -> Verdict {
        let was = figures.get(&self.left);
        let holds = was.is_some_and(|was| self.holds(was, figures));
        let mut shown = was.map_or_else(|| "nothing".to_owned(), |was| was.to_string());
        if let Right::Figure(other) = &self.right
            && let Some(value) = figures.get(other)
        {
            shown = format!("{shown}, and {other} is {value}");
        }
        Verdict { condition: self.text.clone(), holds, was: shown }
    }

    fn holds(&self, was: Value, figures: &Figures) -> bool {
        let right = match &self.right {
            Right::Word(word) => {
                let same = was == Value::Word(word_of(word));
                return same == (self.relation == Relation::Equal);
            }
            Right::Number(number) => Some(*number),
            Right::Figure(name) => figures.get(name).and_then(Value::number),
        };
        let (Some(left), Some(right)) = (was.number(), right) else { return false };
        match self.relation {
            Relation::AtMost => left <= right,
            Relation::AtLeast => left >= right,
            Relation::Less => left < right,
            Relation::More => left > right,
            Relation::Equal => left == right,
            Relation::Other => left != right,
        }
    }
}

/// What kind of figure this name means.
fn sample(name: &str) -> Result<Value, String> {
    // Whether there is such a load, the file's check says.
    let name = name.split_once(':').map_or(name, |(_, name)| name);
    if name.strip_prefix("failed.").is_some_and(|cause| !cause.is_empty()) {
        return Ok(Value::Count(0));
    }
    let found = METRICS.iter().find(|metric| metric.name() == name);
    found.map(|metric| metric.sample()).ok_or_else(|| {
        let near = nearest::name(name, METRICS.iter().map(|metric| metric.name()));
        format!("`{name}` is no figure: {near}")
    })
}

fn word_of(word: &str) -> &'static str {
    let words = ["ipv4", "ipv6", "both", "none"];
    words.into_iter().find(|known| *known == word).unwrap_or("")
}

impl Right {
    fn read(text: &str, sample: Value) -> Result<Self, String> {
        if METRICS.iter().any(|metric| metric.name() == text) {
            return Ok(Self::Figure(text.to_owned()));
        }
        let read = match sample {
            Value::Count(_) => text.replace('_', "").parse().ok(),
            Value::Ratio(_) => thousandths(text),
            Value::Time(_) => Time::read(text).map(|time| Value::Time(time.0).number_or_zero()),
            Value::Bytes(_) => Bytes::read(text).map(|bytes| bytes.0),
            Value::Rate(_) => Rate::read(text).map(|rate| rate.0),
            Value::Word(_) => {
                return match word_of(text) {
                    "" => Err(format!("`{text}` is not ipv4, ipv6, both or none")),
                    word => Ok(Self::Word(word.to_owned())),
                };
            }
        };
        let expected = match sample {
            Value::Count(_) => "a whole number",
            Value::Ratio(_) => "a number with at most three decimals",
            Value::Time(_) => Time::EXPECTED,
            Value::Bytes(_) => Bytes::EXPECTED,
            Value::Rate(_) => Rate::EXPECTED,
            Value::Word(_) => "a word",
        };
        let wrong = || format!("`{text}` does not fit: expected {expected}, or another figure");
        read.map(Self::Number).ok_or_else(wrong)
    }
}

fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: u64 = (fraction.len() <= 3).then(|| format!("{fraction:0<3}").parse().ok())??;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(fraction)
}

impl Value {
    /// What it is compared by.
    fn number(self) -> Option<u64> {
        match self {
            Self::Count(n) | Self::Ratio(n) | Self::Bytes(n) | Self::Rate(n) => Some(n),
            Self::Time(time) => u64::try_from(time.as_nanos()).ok(),
            Self::Word(_) => None,
        }
    }

    fn number_or_zero(self) -> u64 {
        self.number().unwrap_or(0)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Ratio(n) => write!(f, "{}.{:02}", n / 1_000, n % 1_000 / 10),
            Self::Time(time) => {
                let micros = time.as_micros();
                write!(f, "{}.{:03} ms", micros / 1_000, micros % 1_000)
            }
            Self::Bytes(n) => write!(f, "{n} bytes"),
            Self::Rate(n) => write!(f, "{}.{:01} Mbit/s", n / 1_000_000, n % 1_000_000 / 100_000),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_say_what_they_expected() {
        let all = [
            ("ok", "no condition: expected a figure, a relation and a value"),
            ("okay == 1", "`okay` is no figure: did you mean `ok`?"),
            ("ok = 1", "`=` is no relation"),
            ("ok == 1.5", "`1.5` does not fit: expected a whole number, or another figure"),
            ("first_byte_max <= 350", "expected a time such as"),
            ("winner == ipv5", "`ipv5` is not ipv4, ipv6, both or none"),
        ];
        for (text, expected) in all {
            let said = Condition::read(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn conditions_are_judged_by_figures() {
        let mut figures = Figures::default();
        (figures.ok, figures.requests) = (3, 4);
        figures.failed.insert("gone".to_owned(), 1);
        figures.total = vec![core::time::Duration::from_millis(250)];
        let all = [
            ("ok == 3", true),
            ("ok < requests", true),
            ("ok == requests", false),
            ("failed.gone == 1", true),
            ("failed.deadline >= 1", false),
            ("total_max <= 250ms", true),
            ("total_max < 0.25s", false),
            ("winner == none", true),
            ("winner != none", false),
            // Not measured: whatever is asked of it does not hold.
            ("first_byte_max <= 1h", false),
        ];
        for (text, holds) in all {
            let verdict = Condition::read(text).unwrap().judge(&figures);
            assert_eq!(verdict.holds, holds, "{text}: was {}", verdict.was);
        }
        let verdict = Condition::read("ok == requests").unwrap().judge(&figures);
        assert_eq!(verdict.was, "3, and requests is 4");
    }
}
