//! Writes a journal into memory; whose file or socket it becomes is the owner's affair.

use super::lines::{Input, Line, Output};
use super::text::Value as _;
use super::{End, NAME, VERSION, head};
use crate::id::RequestId;
use crate::time::Instant;
use crate::types::{Key, MethodClass};
use crate::upstream::{Action, Config, Event};

/// A journal as it grows. The owner takes the text away and calls [`Writer::clear`]; in the
/// steady state nothing is allocated.
#[derive(Debug)]
pub struct Writer {
    text: String,
    steps: u64,
}

impl Writer {
    /// Begins the journal of an upstream with these settings.
    pub fn new(config: &Config) -> Self {
        let mut text = format!("{NAME} {VERSION}\n");
        head::write(config, &mut text);
        Self { text, steps: 0 }
    }

    /// Notes that the upstream is told `event`. Its actions follow by [`Writer::action`].
    pub fn event(&mut self, now: Instant, event: &Event) {
        self.step(now);
        event.write(&mut self.text);
        self.text.push('\n');
    }

    /// Notes a call of [`Upstream::request`](crate::upstream::Upstream::request), and the id
    /// that it gave.
    pub fn request(
        &mut self,
        now: Instant,
        key: &Key,
        method: MethodClass,
        deadline: Option<Instant>,
        minted: RequestId,
    ) {
        self.event(now, &Event::Requested { key: key.clone(), method, deadline });
        self.output(&Output::Minted(minted));
    }

    /// Notes a call of
    /// [`Upstream::handle_timeout`](crate::upstream::Upstream::handle_timeout).
    pub fn timeout(&mut self, now: Instant) {
        self.step(now);
        Input::Timeout.write(&mut self.text);
        self.text.push('\n');
    }

    /// Notes an action that was taken from the upstream.
    pub fn action(&mut self, action: &Action) {
        self.text.push_str("> ");
        action.write(&mut self.text);
        self.text.push('\n');
    }

    /// Notes what came of the last input.
    pub fn output(&mut self, output: &Output) {
        self.text.push_str("> ");
        output.write(&mut self.text);
        self.text.push('\n');
    }

    /// Writes the last line of a journal of so many inputs. One that is cut has none.
    pub fn end(end: End, steps: u64, out: &mut String) {
        out.push_str(match end {
            End::Complete => "end steps=",
            End::Gap => "gap steps=",
            End::Cut => return,
        });
        steps.write(out);
        out.push('\n');
    }

    /// How many inputs were noted.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What was not taken yet.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Forgets the text and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    fn step(&mut self, now: Instant) {
        self.steps += 1;
        self.text.push('@');
        now.write(&mut self.text);
        self.text.push(' ');
    }
}
