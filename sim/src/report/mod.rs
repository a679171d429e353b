//! What came of scenarios, for people and for programs: tables, files and pictures.

pub mod cdf;
pub mod csv;
pub mod json;
mod svg;
pub mod table;
pub mod waterfall;

use crate::scenario::expect::Verdict;
use crate::scenario::metric::Figures;
use crate::scenario::{Outcome, Setting};

/// All runs of one combination of settings, one for each seed.
#[derive(Debug)]
pub struct Row {
    /// What was swept to what.
    pub settings: Vec<Setting>,
    /// The runs' figures together.
    pub figures: Figures,
    /// The digests of all runs in one number.
    pub digest: u64,
    /// Conditions that must hold, judged of every run by itself: the first run of which it does
    /// not hold, or else the last.
    pub expected: Vec<Verdict>,
    /// The same for goals that are not met yet.
    pub unmet: Vec<Verdict>,
    /// What kept runs from being run to their end, with their seeds.
    pub failed: Vec<(u64, String)>,
}

impl Row {
    /// Sums up `runs`, which must not be empty to say anything.
    pub fn of(
        settings: &[Setting],
        scenario: &crate::scenario::Scenario,
        runs: &[Outcome],
    ) -> Self {
        let each: Vec<Figures> = runs.iter().map(|run| Figures::of([run])).collect();
        let judge = |conditions: &[crate::scenario::expect::Condition]| {
            let verdicts = conditions.iter().filter_map(|condition| {
                let verdicts = each.iter().map(|figures| condition.judge(figures));
                let verdicts: Vec<Verdict> = verdicts.collect();
                verdicts.iter().find(|verdict| !verdict.holds).or_else(|| verdicts.last()).cloned()
            });
            verdicts.collect()
        };
        let expect = &scenario.file().expect;
        let failed = runs.iter().filter_map(|run| Some((run.seed, run.failed.clone()?)));
        Self {
            settings: settings.to_vec(),
            figures: Figures::of(runs),
            digest: runs.iter().fold(0, |all: u64, run| all.rotate_left(7) ^ run.digest),
            expected: judge(&expect.holds),
            unmet: judge(&expect.unmet),
            failed: failed.collect(),
        }
    }

    /// Whether everything is as expected, and what is not met is said to be: of the file as it
    /// stands, since a sweep may well meet a goal.
    pub fn holds(&self) -> bool {
        self.failed.is_empty()
            && self.expected.iter().all(|verdict| verdict.holds)
            && !self.unmet.iter().any(|verdict| verdict.holds && self.settings.is_empty())
    }

    /// `link.access.loss=1% client.host=a`, or nothing.
    pub fn label(&self) -> String {
        let all: Vec<String> =
            self.settings.iter().map(|(path, value)| format!("{path}={value}")).collect();
        all.join(" ")
    }
}
