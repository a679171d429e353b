//! What a sweep came to: printed for people, and written down as JSON so that sweeps over parts
//! of the seeds, on several machines, become one.

use core::fmt::Write;
use core::ops::Range;
use std::borrow::Cow;

use regatta_models::campaign::Machine;
use regatta_models::seen::{Expected, Reached, Seen};
use regatta_sim::explore;
use serde_json::{Map, Value, json};

/// The first line of every file.
const FORMAT: &str = "regatta sweep 1";

/// How many failures are kept.
pub(crate) const FAILED_MAX: usize = 20;

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) seed: u64,
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) tape: Vec<u8>,
}

/// One subject's sweep: a machine's, or the whole stack's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) subject: String,
    /// Which seeds, in order, none twice.
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) steps: u64,
    pub(crate) seen: Seen,
    pub(crate) failures: u64,
    /// Those with the lowest seeds.
    pub(crate) failed: Vec<Failed>,
}

impl Part {
    pub(crate) fn seeds(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// What a sweep over this subject must have seen, where that is known here.
    pub(crate) fn expected(&self) -> Option<Expected> {
        // A sweep over few seeds proves nothing by what it has not reached.
        let stack = self.subject.starts_with("stack") && self.seeds() >= explore::COVERED_FROM;
        match stack {
            true => Some(explore::expected(self.seeds())),
            false => Machine::named(&self.subject).map(Machine::expected),
        }
    }

    /// Adds a sweep of the same subject over other seeds; the order does not matter.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), String> {
        for range in &other.ranges {
            let both =
                self.ranges.iter().find(|mine| mine.start < range.end && range.start < mine.end);
            if let Some(both) = both {
                let seed = both.start.max(range.start);
                return Err(format!("seed {seed} of {} was run twice", self.subject));
            }
            self.ranges.push(range.clone());
        }
        self.ranges.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in self.ranges.drain(..) {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        self.ranges = joined;
        self.steps += other.steps;
        self.seen.merge(&other.seen);
        self.failures += other.failures;
        self.failed.extend(other.failed.iter().cloned());
        self.failed.sort_by_key(|failed| failed.seed);
        self.failed.truncate(FAILED_MAX);
        Ok(())
    }

    /// The whole summary, for people; hangs on the seeds alone.
    pub(crate) fn print(&self) {
        print!("{}", self.told());
    }

    fn told(&self) -> String {
        let mut text = String::new();
        let ranges: Vec<_> =
            self.ranges.iter().map(|r| format!("{}..{}", r.start, r.end)).collect();
        let (subject, ranges, seeds) = (&self.subject, ranges.join(", "), self.seeds());
        let (steps, failures) = (self.steps, self.failures);
        let _ =
            writeln!(text, "{subject}: seeds {ranges} ({seeds}), {steps} steps, {failures} failed");
        let _ = writeln!(text, "  sometimes: times, first seed");
        for (group, item, reached) in self.seen.reached() {
            let (name, times) = (format!("{group}: {item}"), reached.times);
            let _ = writeln!(text, "    {name:<52} {times:>14} {:>10}", reached.first_seed);
        }
        let _ = writeln!(text, "  always: evaluated");
        for (invariant, times) in self.seen.evaluated() {
            let _ = writeln!(text, "    {invariant:<67} {times:>14}");
        }
        if let Some(expected) = self.expected() {
            self.tell_verdict(&expected, &mut text);
        }
        for failed in &self.failed {
            let said = failed.message.lines().next().unwrap_or_default();
            let _ = writeln!(text, "  seed {} FAILED at {}: {said}", failed.seed, failed.class);
        }
        text
    }

    fn tell_verdict(&self, expected: &Expected, text: &mut String) {
        let verdict = self.seen.verdict(expected);
        let parts = [
            ("never reached", &verdict.missing),
            ("never evaluated", &verdict.untested),
            ("reached, but not in the table of what can be", &verdict.surprising),
        ];
        for (what, names) in parts {
            for name in names {
                let _ = writeln!(text, "  LACKING: {what}: {name}");
            }
        }
        if verdict.is_good() {
            let (sometimes, always) = (expected.sometimes.len(), expected.always.len());
            let last = self.seen.last_news().unwrap_or_default();
            let _ = writeln!(
                text,
                "  all {sometimes} states reached, the last one first by seed {last}; all {always} \
                 invariants evaluated",
            );
        }
        for exception in &expected.exceptions {
            let (group, item) = (exception.group, exception.item);
            let item = if item.is_empty() { "(all)" } else { item };
            let _ = writeln!(text, "  not expected: {group}: {item}: {}", exception.reason);
        }
    }

    /// Whether all that must be seen was seen.
    pub(crate) fn is_covered(&self) -> bool {
        self.expected().is_none_or(|expected| self.seen.verdict(&expected).is_good())
    }

    fn to_json(&self) -> Value {
        let mut groups = Map::new();
        for (group, item, reached) in self.seen.reached() {
            let items = groups.entry(group).or_insert_with(|| json!({}));
            items[item] = json!({ "times": reached.times, "first_seed": reached.first_seed });
        }
        let always: Map<String, Value> =
            self.seen.evaluated().map(|(name, times)| (name.to_owned(), json!(times))).collect();
        let ranges: Vec<_> =
            self.ranges.iter().map(|range| json!([range.start, range.end])).collect();
        let failed = self.failed.iter().map(|failed| {
            json!({
                "seed": failed.seed,
                "class": failed.class,
                "message": failed.message,
                "tape": failed.tape,
            })
        });
        json!({
            "subject": self.subject,
            "ranges": ranges,
            "seeds": self.seeds(),
            "steps": self.steps,
            "sometimes": groups,
            "always": always,
            "failures": self.failures,
            "failed": failed.collect::<Vec<_>>(),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let mut seen = Seen::default();
        for (group, items) in value["sometimes"].as_object()? {
            for (item, reached) in items.as_object()? {
                let (group, item) = (Cow::Owned(group.clone()), Cow::Owned(item.clone()));
                let times = reached["times"].as_u64()?;
                let first_seed = reached["first_seed"].as_u64()?;
                seen.add_reached(group, item, Reached { times, first_seed });
            }
        }
        for (invariant, times) in value["always"].as_object()? {
            seen.add_evaluated(Cow::Owned(invariant.clone()), times.as_u64()?);
        }
        let range = |range: &Value| Some(range[0].as_u64()?..range[1].as_u64()?);
        let failed = value["failed"].as_array()?.iter().map(|failed| {
            let tape = failed["tape"].as_array()?.iter().map(|byte| byte.as_u64()?.try_into().ok());
            Some(Failed {
                seed: failed["seed"].as_u64()?,
                class: failed["class"].as_str()?.to_owned(),
                message: failed["message"].as_str()?.to_owned(),
                tape: tape.collect::<Option<_>>()?,
            })
        });
        Some(Self {
            subject: value["subject"].as_str()?.to_owned(),
            ranges: value["ranges"].as_array()?.iter().map(range).collect::<Option<_>>()?,
            steps: value["steps"].as_u64()?,
            seen,
            failures: value["failures"].as_u64()?,
            failed: failed.collect::<Option<_>>()?,
        })
    }
}

/// Every subject's part of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) parts: Vec<Part>,
}

impl Summary {
    pub(crate) fn add(&mut self, part: Part) -> Result<(), String> {
        match self.parts.iter_mut().find(|known| known.subject == part.subject) {
            Some(known) => known.merge(&part),
            None => {
                self.parts.push(part);
                self.parts.sort_by(|one, other| one.subject.cmp(&other.subject));
                Ok(())
            }
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(Part::to_json).collect();
        let whole = json!({ "format": FORMAT, "parts": parts });
        format!("{whole:#}\n")
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if whole["format"] != FORMAT {
            return Err(format!("its format is {}, expected \"{FORMAT}\"", whole["format"]));
        }
        let parts = whole["parts"].as_array().ok_or("it has no parts")?;
        let mut summary = Self::default();
        for part in parts {
            let part = Part::from_json(part).ok_or("a part of it lacks a field")?;
            summary.add(part)?;
        }
        Ok(summary)
    }

    /// The exit code: 1 where a seed failed, 4 where something was not seen, else 0.
    pub(crate) fn code(&self) -> u8 {
        if self.parts.iter().any(|part| part.failures > 0) {
            super::VIOLATION
        } else if !self.parts.iter().all(Part::is_covered) {
            super::LACKING
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: Range<u64>) -> Part {
        let mut seen = Seen::default();
        seen.begin(range.start);
        seen.sometimes("light", "red");
        seen.always("one at a time", 2);
        let failed = Failed {
            seed: range.start,
            class: "here".to_owned(),
            message: "it is \"late\"\nby far".to_owned(),
            tape: vec![0, 7, 255],
        };
        let (failures, failed) = (1, vec![failed]);
        Part { subject: "lights".to_owned(), ranges: vec![range], steps: 9, seen, failures, failed }
    }

    #[test]
    fn what_is_written_is_read() {
        let summary = Summary { parts: vec![part(3..9)] };
        let text = summary.to_text();
        assert_eq!(Summary::from_text(&text).map(|read| read.to_text()), Ok(text));
        for (wrong, says) in [
            ("", "EOF"),
            ("{}", "its format is null, expected \"regatta sweep 1\""),
            ("{\"format\": \"regatta sweep 1\"}", "it has no parts"),
            ("{\"format\": \"regatta sweep 1\", \"parts\": [{}]}", "a part of it lacks a field"),
        ] {
            let error = Summary::from_text(wrong).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn parts_become_one_and_no_seed_counts_twice() {
        let mut summary = Summary::default();
        for range in [6..9, 0..3, 3..6, 20..22] {
            summary.add(part(range)).unwrap();
        }
        let [whole] = summary.parts.as_slice() else { panic!("one subject") };
        assert_eq!(whole.ranges, [0..9, 20..22]);
        assert_eq!((whole.seeds(), whole.steps, whole.failures), (11, 36, 4));
        let seeds: Vec<_> = whole.failed.iter().map(|failed| failed.seed).collect();
        assert_eq!(seeds, [0, 3, 6, 20]);
        let error = summary.add(part(8..21)).unwrap_err();
        assert_eq!(error, "seed 8 of lights was run twice");
    }

    #[test]
    fn the_exit_code_says_what_is_wrong() {
        let lacking = Part { subject: "pool".to_owned(), ..Part::default() };
        let unknown = Part { subject: "lights".to_owned(), ..Part::default() };
        let code = |part: &Part| Summary { parts: vec![part.clone()] }.code();
        assert_eq!([code(&part(0..1)), code(&lacking), code(&unknown)], [1, 4, 0]);
        assert!(lacking.told().contains("LACKING: never reached: record upstream_rq\n"));
        assert!(part(0..1).told().contains("seed 0 FAILED at here: it is \"late\"\n"));
    }
}
