//! What a scene has shown: drawings, claims and numbers, in words for a newcomer.

use std::fmt::Write as _;
use std::time::Duration;

/// The outcome of one scene.
#[derive(Debug)]
pub(crate) struct Report {
    /// Its short name.
    pub(crate) name: &'static str,
    /// What happens, in one line.
    pub(crate) title: &'static str,
    /// What to look for, in a few lines.
    pub(crate) story: String,
    /// Titles and waterfalls.
    pub(crate) drawings: Vec<String>,
    /// What must have happened.
    pub(crate) claims: Vec<Claim>,
    /// Its row of the table.
    pub(crate) numbers: Numbers,
}

/// One thing that must have happened, and whether it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What.
    pub(crate) text: String,
    /// What was seen.
    pub(crate) seen: String,
    /// Whether it has.
    pub(crate) holds: bool,
}

/// The numbers of one scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Requests that were made.
    pub(crate) requests: u64,
    /// Requests that were answered as they should be.
    pub(crate) answered: u64,
    /// Connections that were established.
    pub(crate) connections: u64,
    /// How often a request was sent again by itself.
    pub(crate) resent: u64,
    /// How long the scene took.
    pub(crate) took: Duration,
}

impl Report {
    /// Begins the report of a scene.
    pub(crate) fn new(name: &'static str, title: &'static str, story: impl Into<String>) -> Self {
        Self {
            name,
            title,
            story: story.into(),
            drawings: Vec::new(),
            claims: Vec::new(),
            numbers: Numbers::default(),
        }
    }

    /// Claims that `holds`, with what was seen.
    pub(crate) fn claim(&mut self, text: impl Into<String>, holds: bool, seen: impl Into<String>) {
        self.claims.push(Claim { text: text.into(), seen: seen.into(), holds });
    }

    /// How many claims hold.
    pub(crate) fn held(&self) -> usize {
        self.claims.iter().filter(|claim| claim.holds).count()
    }

    /// The scene's text: story, drawings, claims.
    pub(crate) fn text(&self, number: usize) -> String {
        let mut text = format!("{number}. {}: {}\n", self.name, self.title);
        for line in self.story.lines() {
            let _ = writeln!(text, "   {line}");
        }
        for drawing in &self.drawings {
            text.push('\n');
            text.push_str(drawing);
        }
        text.push('\n');
        for claim in &self.claims {
            let mark = if claim.holds { "  yes " } else { "  NO! " };
            let _ = writeln!(text, "{mark} {} ({})", claim.text, claim.seen);
        }
        text
    }
}

/// The last words: one row for each scene, and the sum of the claims.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut text = String::from(
        "scene   requests  answered  connections  sent again     time   claims that hold\n",
    );
    for report in reports {
        let numbers = &report.numbers;
        let _ = writeln!(
            text,
            "{:6} {:9} {:9} {:12} {:11} {:6} ms   {} of {}",
            report.name,
            numbers.requests,
            numbers.answered,
            numbers.connections,
            numbers.resent,
            numbers.took.as_millis(),
            report.held(),
            report.claims.len(),
        );
    }
    let broken = reports.iter().flat_map(|report| {
        let claims = report.claims.iter().filter(|claim| !claim.holds);
        claims.map(|claim| (report.name, claim))
    });
    let mut broken = broken.peekable();
    text.push('\n');
    if broken.peek().is_none() {
        text.push_str("All that was claimed has happened.\n");
    } else {
        text.push_str("This did not happen as claimed:\n");
    }
    for (name, claim) in broken {
        let _ = writeln!(text, "  {name}: {} ({})", claim.text, claim.seen);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(holds: bool) -> Report {
        let mut report = Report::new("race", "one of two", "First this,\nthen that.");
        report.drawings.push("a picture\n".to_owned());
        report.claim("it works", true, "2 of 2");
        report.claim("it is quick", holds, "9 ms");
        report.numbers = Numbers {
            requests: 2,
            answered: 2,
            connections: 1,
            resent: 0,
            took: Duration::from_millis(312),
        };
        report
    }

    #[test]
    fn a_scene_reads_like_a_story() {
        let expected = "\
1. race: one of two
   First this,
   then that.

a picture

  yes  it works (2 of 2)
  yes  it is quick (9 ms)
";
        assert_eq!(report(true).text(1), expected);
    }

    #[test]
    fn the_table_names_what_did_not_happen() {
        let expected = "\
scene   requests  answered  connections  sent again     time   claims that hold
race           2         2            1           0    312 ms   2 of 2

All that was claimed has happened.
";
        assert_eq!(table(&[report(true)]), expected);
        let broken = table(&[report(false)]);
        assert!(broken.contains("1 of 2"), "{broken}");
        assert!(broken.ends_with("as claimed:\n  race: it is quick (9 ms)\n"), "{broken}");
    }
}
