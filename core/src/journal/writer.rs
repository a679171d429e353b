//! Writes a journal into memory; whose file or socket it becomes is the owner's affair.

use super::lines::{Input, Line, Output};
use super::text::Value as _;
use super::{NAME, VERSION, head};
use crate::id::RequestId;
use crate::time::Instant;
use crate::types::{Key, MethodClass};
use crate::upstream::{Action, Config, Event};

/// A journal as it grows. The text is appended to one buffer, which the owner empties by
/// [`Writer::swap`]; in the steady state nothing is allocated.
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

    /// Ends a journal that has lost something: nothing after it could be replayed.
    pub fn gap(&mut self) {
        self.text.push_str("gap");
        self.close();
    }

    /// Ends the journal: nothing is missing.
    pub fn end(&mut self) {
        self.text.push_str("end");
        self.close();
    }

    /// How many inputs were noted.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What was not taken yet.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes the text and goes on with `empty`, whose contents are dropped and whose memory is
    /// used again.
    pub fn swap(&mut self, mut empty: String) -> String {
        empty.clear();
        core::mem::replace(&mut self.text, empty)
    }

    fn step(&mut self, now: Instant) {
        self.steps += 1;
        self.text.push('@');
        now.write(&mut self.text);
        self.text.push(' ');
    }

    fn close(&mut self) {
        self.text.push_str(" steps=");
        self.steps.write(&mut self.text);
        self.text.push('\n');
    }
}
