//! What an engine promises of its events, and how they read in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use http::HeaderMap;
use regatta_core::engine::{Event, Head};
use regatta_core::id::StreamId;

/// Whether an engine's promises hold over all its events so far: every stream begins once and
/// ends once, nothing is said of a stream that is not open, and `Closed` is the last word.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) open: BTreeSet<StreamId>,
    seen: BTreeSet<StreamId>,
    pub(crate) closed: bool,
}

impl Promises {
    /// A stream was announced, or opened by this side.
    pub(crate) fn begin(&mut self, id: StreamId) {
        assert!(self.seen.insert(id), "{id} begins twice");
        self.open.insert(id);
    }

    pub(crate) fn event(&mut self, event: &Event) {
        assert!(!self.closed, "{event:?} after Closed");
        match event {
            Event::Head { stream, head: Head::Request(_), .. } => self.begin(*stream),
            Event::Head { stream, .. }
            | Event::Informational { stream, .. }
            | Event::Trailers { stream, .. }
            | Event::Capacity { stream } => assert!(self.open.contains(stream), "{event:?}"),
            Event::Data { stream, bytes, end } => {
                assert!(self.open.contains(stream), "{event:?}");
                assert!(*end || !bytes.is_empty(), "data without a byte and without an end");
            }
            Event::Ended { stream } | Event::Reset { stream, .. } => {
                assert!(self.open.remove(stream), "{event:?} of a stream that is not open");
            }
            Event::Closed { .. } => {
                assert!(self.open.is_empty(), "Closed while {:?} are open", self.open);
                self.closed = true;
            }
            _ => {}
        }
    }
}

/// A text for each stream and one for the connection; runs of data are joined, since how many
/// there are depends on how the bytes came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    streams: BTreeMap<StreamId, Line>,
    connection: Line,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    words: Vec<String>,
    data: Vec<u8>,
}

impl Line {
    fn word(&mut self, word: String) {
        if !self.data.is_empty() {
            let data = core::mem::take(&mut self.data);
            self.words.push(format!("\"{}\"", data.escape_ascii()));
        }
        self.words.push(word);
    }
}

impl Log {
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Head { stream, head, end } => {
                let text = match head {
                    Head::Request(head) => {
                        let (method, uri, version) = (head.method(), head.uri(), head.version());
                        format!("{method} {uri} {version:?}{}", fields(head.headers()))
                    }
                    Head::Response(head) => {
                        let (status, version) = (head.status(), head.version());
                        format!("{} {version:?}{}", status.as_u16(), fields(head.headers()))
                    }
                };
                self.line(*stream).word(text);
                self.end(*stream, *end);
            }
            Event::Informational { stream, head } => {
                let text = format!("({}{})", head.status().as_u16(), fields(head.headers()));
                self.line(*stream).word(text);
            }
            Event::Data { stream, bytes, end } => {
                self.line(*stream).data.extend_from_slice(bytes);
                self.end(*stream, *end);
            }
            Event::Trailers { stream, trailers } => {
                self.line(*stream).word(format!("trailers{}", fields(trailers)));
            }
            Event::Ended { stream } => self.line(*stream).word("ended".to_owned()),
            Event::Reset { stream, cause, retry } => {
                self.line(*stream).word(format!("reset {cause:?} {retry:?}"));
            }
            // When a frame leaves depends on when it was asked for.
            Event::Capacity { .. } => {}
            other => self.connection.word(format!("{other:?}")),
        }
    }

    fn line(&mut self, stream: StreamId) -> &mut Line {
        self.streams.entry(stream).or_default()
    }

    fn end(&mut self, stream: StreamId, end: bool) {
        if end {
            self.line(stream).word("end".to_owned());
        }
    }
}

fn fields(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name}={}", value.as_bytes().escape_ascii());
    }
    text
}
