//! Runs a journal again.

use core::fmt;

use super::difference::Difference;
use super::error::{Error, Wrong};
use super::head::Head;
use super::lines::{Input, Line, Output};
use super::text::{Fields, Part, Value};
use super::{NAME, VERSION};
use crate::time::Instant;
use crate::upstream::{Event, Upstream};

/// Most bytes of one line.
const LINE_MAX: usize = 16 << 20;

/// Reads a journal in pieces of any size, tells its inputs to a new [`Upstream`], and compares
/// what comes of each.
#[derive(Debug)]
pub struct Replay {
    stage: Stage,
    /// How many lines were read.
    line: u64,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    summary: Summary,
    /// The last word.
    failed: Option<Failure>,
}

#[derive(Debug)]
enum Stage {
    /// The first line comes next.
    Version,
    Head(Box<Head>),
    Steps(Box<Steps>),
    Ended,
}

#[derive(Debug)]
struct Steps {
    upstream: Upstream,
    step: Option<Step>,
}

/// An input that was told, and what came of it.
#[derive(Debug)]
struct Step {
    line: u64,
    at: Instant,
    input: Input,
    actual: Vec<Output>,
    expected: Vec<Output>,
    /// The line of the first output that is not the same.
    differs: Option<(u64, usize)>,
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many inputs.
    pub steps: u64,
    /// How many actions, all the same.
    pub actions: u64,
    /// When the last input came.
    pub last: Instant,
    /// How the journal ends.
    pub end: End,
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By its last line: nothing is missing.
    Complete,
    /// In the middle: whoever wrote it was stopped.
    Cut,
    /// By a gap: the run went on, and could not be written fast enough.
    Gap,
}

/// Why a replay is not a repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The journal cannot be read.
    Unreadable(Error),
    /// Something else came of an input.
    Different(Box<Difference>),
}

/// Replays a whole journal.
pub fn replay(journal: &[u8]) -> Result<Summary, Failure> {
    let mut replay = Replay::new();
    replay.push(journal)?;
    replay.finish()
}

impl Replay {
    /// Begins before the first line.
    pub const fn new() -> Self {
        let summary = Summary { steps: 0, actions: 0, last: Instant::EPOCH, end: End::Cut };
        Self { stage: Stage::Version, line: 0, rest: Vec::new(), summary, failed: None }
    }

    /// Takes in the next bytes of the journal. A failure is the last word.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.failed.is_none() {
            self.failed = self.lines(bytes).err();
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Says what was compared, once all bytes are in.
    pub fn finish(mut self) -> Result<Summary, Failure> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let next = self.line + 1;
        match &mut self.stage {
            Stage::Ended if self.rest.is_empty() => {}
            Stage::Ended => return Err(unreadable(next, after_end(&self.rest))),
            Stage::Steps(steps) => steps.cut(&mut self.summary)?,
            Stage::Version | Stage::Head(_) => {
                return Err(unreadable(next, Wrong::missing("the settings of an upstream")));
            }
        }
        Ok(self.summary)
    }

    fn lines(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, after) = bytes.split_at(end);
            bytes = after.get(1..).unwrap_or_default();
            let mut whole = core::mem::take(&mut self.rest);
            whole.extend_from_slice(line);
            self.line += 1;
            self.take(&whole)?;
            whole.clear();
            self.rest = whole;
        }
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > LINE_MAX {
            let expected = format!("a line of at most {LINE_MAX} bytes");
            return Err(unreadable(self.line + 1, Wrong::line(expected, "more")));
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Failure> {
        let number = self.line;
        let text = core::str::from_utf8(line).map_err(|_| {
            unreadable(number, Wrong::line("text in UTF-8", &String::from_utf8_lossy(line)))
        })?;
        let is_comment = text.is_empty() || text.starts_with('#');
        match &mut self.stage {
            Stage::Version => {
                version(text).map_err(|wrong| unreadable(number, wrong))?;
                self.stage = Stage::Head(Box::new(Head::new()));
            }
            _ if is_comment => {}
            Stage::Head(head) => {
                if let Some(config) = head.line(text).map_err(|wrong| unreadable(number, wrong))? {
                    let upstream = Upstream::new(config);
                    self.stage = Stage::Steps(Box::new(Steps { upstream, step: None }));
                }
            }
            Stage::Steps(steps) => {
                if let Some(end) = steps.line(&mut self.summary, number, text)? {
                    self.summary.end = end;
                    self.stage = Stage::Ended;
                }
            }
            Stage::Ended => return Err(unreadable(number, after_end(line))),
        }
        Ok(())
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

impl Steps {
    /// Takes in a line behind the settings; the last one says how the journal ends.
    fn line(
        &mut self,
        summary: &mut Summary,
        number: u64,
        text: &str,
    ) -> Result<Option<End>, Failure> {
        let (first, mut fields) = Fields::of(text);
        let wrong = |wrong| unreadable(number, wrong);
        if first == ">" {
            let output = rest(fields.word(), fields, "an action").map_err(wrong)?;
            let Some(step) = &mut self.step else {
                return Err(wrong(Wrong::line("an input before its actions", text)));
            };
            step.expect(number, output);
            return Ok(None);
        }
        self.close(summary, number)?;
        if let Some(at) = first.strip_prefix('@') {
            let expected = || format!("@ and {}", Instant::expected());
            let at = Instant::read(at).ok_or_else(|| wrong(Wrong::line(expected(), first)))?;
            let input = rest(fields.word(), fields, "an input").map_err(wrong)?;
            self.begin(number, at, input);
            return Ok(None);
        }
        let end = match first {
            "end" => End::Complete,
            "gap" => End::Gap,
            _ => {
                let expected = "@ and an input, > and an action, gap or end";
                return Err(wrong(Wrong::line(expected, text)));
            }
        };
        let steps: u64 = Part::take("steps", &mut fields).map_err(wrong)?;
        fields.end().map_err(wrong)?;
        if steps != summary.steps {
            let found = summary.steps.to_string();
            return Err(wrong(Wrong::field("steps", format!("{steps} inputs before"), &found)));
        }
        Ok(Some(end))
    }

    /// Tells the upstream an input.
    fn begin(&mut self, line: u64, at: Instant, input: Input) {
        let mut actual = Vec::new();
        match &input {
            Input::Timeout => self.upstream.handle_timeout(at),
            Input::Event(event) => {
                self.upstream.handle_event(at, event.clone());
                if let Event::Requested { .. } = event {
                    actual.extend(self.upstream.last_request().map(Output::Minted));
                }
            }
        }
        actual.extend(core::iter::from_fn(|| self.upstream.poll_action()).map(Output::Action));
        let expected = Vec::with_capacity(actual.len());
        self.step = Some(Step { line, at, input, actual, expected, differs: None });
    }

    /// Compares the step that ends before `line`.
    fn close(&mut self, summary: &mut Summary, line: u64) -> Result<(), Failure> {
        let Some(mut step) = self.step.take() else { return Ok(()) };
        if step.expected.len() < step.actual.len() {
            step.differs.get_or_insert((line, step.expected.len()));
        }
        step.count(summary)
    }

    /// Compares the last step of a journal that has no end: its actions may be cut off.
    fn cut(&mut self, summary: &mut Summary) -> Result<(), Failure> {
        let Some(step) = self.step.take() else { return Ok(()) };
        step.count(summary)
    }
}

impl Step {
    fn expect(&mut self, line: u64, output: Output) {
        let at = self.expected.len();
        if self.differs.is_none() && self.actual.get(at) != Some(&output) {
            self.differs = Some((line, at));
        }
        self.expected.push(output);
    }

    fn count(self, summary: &mut Summary) -> Result<(), Failure> {
        let Some((line, same)) = self.differs else {
            summary.steps += 1;
            let actions = self.expected.iter().filter(|output| output.is_action());
            summary.actions += actions.count() as u64;
            summary.last = self.at;
            return Ok(());
        };
        let Self { line: input_line, at, input, actual, expected, .. } = self;
        let difference = Difference { line, at, input, input_line, same, expected, actual };
        Err(Failure::Different(Box::new(difference)))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, actions, last, end } = self;
        write!(f, "{steps} inputs up to {last}, {actions} actions, all the same")?;
        f.write_str(match end {
            End::Complete => "",
            End::Cut => "; then the journal is cut off",
            End::Gap => "; then the journal has a gap, and what followed is lost",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Different(difference) => difference.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}

fn version(text: &str) -> Result<(), Wrong> {
    let (name, mut fields) = Fields::of(text);
    let expected = || format!("{NAME} {VERSION}, the version that is known here");
    if name != NAME || u32::read(fields.word()) != Some(VERSION) || fields.end().is_err() {
        return Err(Wrong::line(expected(), text));
    }
    Ok(())
}

fn rest<L: Line>(word: &str, mut fields: Fields<'_>, what: &str) -> Result<L, Wrong> {
    let line = L::read(word, &mut fields)?;
    let line = line.ok_or_else(|| Wrong::line(format!("{what} that is known here"), word))?;
    fields.end()?;
    Ok(line)
}

fn after_end(line: &[u8]) -> Wrong {
    Wrong::line("nothing after the journal's end", &String::from_utf8_lossy(line))
}

fn unreadable(line: u64, wrong: Wrong) -> Failure {
    Failure::Unreadable(wrong.at(line))
}
