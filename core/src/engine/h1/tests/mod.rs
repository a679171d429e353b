//! Tables that read like RFC 9112, a module per section. Every input of a table is fed whole,
//! one byte at a time, and cut at random: the events must be the same.

use core::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use super::*;
use crate::engine::{Engine, Head, OpenError};
use crate::rng::Rng;
use crate::time::Duration;

mod expect;
mod harvest;
mod lifetime;
mod limits;
mod mutants;
mod pairs;
mod section_2;
mod section_3;
mod section_5;
mod section_6;
mod section_7;
mod section_9;
mod tunnel;

const NOW: Instant = Instant::EPOCH;

/// Everything that the engine has to write.
fn written(engine: &mut H1) -> String {
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, usize::MAX);
    let mut bytes = Vec::new();
    while let Some(chunk) = out.pop() {
        bytes.extend_from_slice(&chunk);
    }
    bytes.iter().copied().map(char::from).collect()
}

fn events(engine: &mut H1) -> Vec<Event> {
    core::iter::from_fn(|| engine.poll_event()).collect()
}

/// A short text for each event, runs of data joined: `GET /; "body"; end; ended`.
#[derive(Default)]
struct Log {
    text: String,
    in_data: bool,
}

impl Log {
    fn word(&mut self, word: &str) {
        if core::mem::take(&mut self.in_data) {
            self.text.push('"');
        }
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(word);
    }

    fn data(&mut self, bytes: &[u8]) {
        if !self.in_data && !bytes.is_empty() {
            self.word("\"");
            self.in_data = true;
        }
        self.text.extend(bytes.iter().copied().map(char::from));
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Head { head, end, .. } => {
                match head {
                    Head::Request(head) => self.word(&format!("{} {}", head.method(), head.uri())),
                    Head::Response(head) => self.word(head.status().as_str()),
                }
                if *end {
                    self.word("end");
                }
            }
            Event::Informational { head, .. } => {
                self.word(&format!("({})", head.status().as_str()))
            }
            Event::Data { bytes, end, .. } => {
                self.data(bytes);
                if *end {
                    self.word("end");
                }
            }
            Event::Trailers { trailers, .. } => {
                let mut text = String::from("trailers");
                for (name, value) in &**trailers {
                    write!(text, " {name}={}", value.as_bytes().escape_ascii()).unwrap();
                }
                self.word(&text);
            }
            Event::Ended { .. } => self.word("ended"),
            Event::Reset { cause, retry, .. } => self.word(&format!("reset {cause:?} {retry:?}")),
            Event::GoAway { .. } => self.word("goaway"),
            Event::Closed { cause } => self.word(&format!("closed {cause:?}")),
            Event::Capacity { .. } => self.word("capacity"),
            // For counting: `limits` looks at them.
            Event::Cut(_) => {}
            other => self.word(&format!("{other:?}")),
        }
    }

    fn finish(mut self) -> String {
        if self.in_data {
            self.text.push('"');
        }
        self.text
    }
}

/// How the transport ends behind the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Open,
    Clean,
    Broken,
}

/// Calls `run` with each cut of `input` and wants the same text every time.
fn every_cut(
    input: &[u8],
    mut run: impl FnMut(&mut dyn Iterator<Item = &[u8]>) -> String,
) -> String {
    let whole = run(&mut core::iter::once(input));
    assert_eq!(run(&mut input.chunks(1)), whole, "byte by byte: {}", input.escape_ascii());
    let mut rng = Rng::new(input.len() as u64);
    for most in [2, 3, 7, 20, 60] {
        let mut rest = input;
        let mut cuts = Vec::new();
        while !rest.is_empty() {
            let n = (1 + rng.below(most) as usize).min(rest.len());
            let (cut, behind) = rest.split_at(n);
            cuts.push(cut);
            rest = behind;
        }
        assert_eq!(run(&mut cuts.into_iter()), whole, "{}", input.escape_ascii());
    }
    whole
}

/// Whether the engine's promises hold over all its events so far.
#[derive(Default)]
struct Promises {
    open: Vec<StreamId>,
    seen: Vec<StreamId>,
    closed: bool,
}

impl Promises {
    fn begin(&mut self, id: StreamId) {
        assert!(!self.seen.contains(&id), "{id} begins twice");
        self.seen.push(id);
        self.open.push(id);
    }

    fn event(&mut self, event: &Event) {
        assert!(!self.closed, "{event:?} after Closed");
        match event {
            Event::Head { stream, head: Head::Request(_), .. } => self.begin(*stream),
            Event::Head { stream, .. }
            | Event::Informational { stream, .. }
            | Event::Data { stream, .. }
            | Event::Trailers { stream, .. }
            | Event::Capacity { stream } => assert!(self.open.contains(stream), "{event:?}"),
            Event::Ended { stream } | Event::Reset { stream, .. } => {
                assert!(self.open.contains(stream), "{event:?}");
                self.open.retain(|open| open != stream);
            }
            Event::Closed { .. } => {
                assert!(self.open.is_empty(), "Closed while {:?} are open", self.open);
                self.closed = true;
            }
            _ => {}
        }
    }
}

/// Feeds a server whose handler answers each whole request with an empty 200. Gives the events
/// and, behind `<<`, the status lines that it wrote.
fn server(input: &str, then: Then) -> String {
    server_with(&Config::default(), input.as_bytes(), then)
}

fn server_with(config: &Config, input: &[u8], then: Then) -> String {
    harvest::request(then, input);
    every_cut(input, |cuts| {
        let mut engine = H1::server(config, NOW);
        let (mut log, mut promises) = (Log::default(), Promises::default());
        let mut wire = String::new();
        let mut step = |engine: &mut H1| {
            loop {
                let heard = events(engine);
                wire.push_str(&written(engine));
                if heard.is_empty() && engine.events.is_empty() {
                    return;
                }
                for event in heard {
                    log.event(&event);
                    promises.event(&event);
                    if let Event::Head { stream, end: true, .. }
                    | Event::Data { stream, end: true, .. }
                    | Event::Trailers { stream, .. } = event
                    {
                        engine.respond(NOW, stream, &Response::new(()), true);
                    }
                }
            }
        };
        for cut in cuts {
            engine.receive(NOW, cut);
            step(&mut engine);
        }
        match then {
            Then::Open => {}
            Then::Clean => engine.receive_end(NOW, true, Cause::Closed),
            Then::Broken => engine.receive_end(NOW, false, Cause::ConnectionReset),
        }
        step(&mut engine);
        let mut text = log.finish();
        for line in wire.lines().filter(|line| line.starts_with("HTTP/")) {
            write!(text, " << {}", line.strip_prefix("HTTP/1.1 ").unwrap()).unwrap();
        }
        text
    })
}

/// Lets a client send `request` without a body and feeds it the answer.
fn client(request: &Request<()>, input: &str, then: Then) -> String {
    client_with(&Config::default(), request, input.as_bytes(), then)
}

fn client_with(config: &Config, request: &Request<()>, input: &[u8], then: Then) -> String {
    harvest::response(request, then, input);
    every_cut(input, |cuts| {
        let mut engine = H1::client(config, NOW);
        let mut promises = Promises::default();
        promises.begin(engine.open(NOW, request, true).unwrap());
        let mut log = Log::default();
        let mut step = |engine: &mut H1| {
            written(engine);
            for event in events(engine) {
                log.event(&event);
                promises.event(&event);
            }
        };
        step(&mut engine);
        for cut in cuts {
            engine.receive(NOW, cut);
            step(&mut engine);
        }
        match then {
            Then::Open => {}
            Then::Clean => engine.receive_end(NOW, true, Cause::Closed),
            Then::Broken => engine.receive_end(NOW, false, Cause::ConnectionReset),
        }
        step(&mut engine);
        log.finish()
    })
}

fn get() -> Request<()> {
    Request::get("http://example.com/").body(()).unwrap()
}

fn request(method: &str, uri: &str) -> Request<()> {
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

fn status(code: u16) -> Response<()> {
    Response::builder().status(code).body(()).unwrap()
}

/// A client with an open request, all of it written.
fn asked(head: &Request<()>, end: bool) -> (H1, StreamId) {
    let mut engine = H1::client(&Config::default(), NOW);
    let stream = engine.open(NOW, head, end).unwrap();
    written(&mut engine);
    (engine, stream)
}

/// A server that has heard `input`, which makes one request.
fn heard(input: &str) -> (H1, StreamId) {
    harvest::request(Then::Open, input.as_bytes());
    let mut engine = H1::server(&Config::default(), NOW);
    engine.receive(NOW, input.as_bytes());
    let Some(Event::Head { stream, .. }) = engine.poll_event() else {
        panic!("no request in {input:?}");
    };
    (engine, stream)
}

fn said(engine: &mut H1) -> String {
    let mut log = Log::default();
    events(engine).iter().for_each(|event| log.event(event));
    log.finish()
}

#[test]
fn an_engine_is_small_and_owns_next_to_nothing_while_idle() {
    let (mut engine, _) = asked(&get(), true);
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(said(&mut engine), "200; \"hi\"; end; ended");
    assert!(engine.events.capacity() * size_of::<Event>() <= 192, "{}", size_of::<Event>());
    assert_eq!(engine.kept.capacity(), 0);
    assert_eq!(engine.wire.capacity(), 0);
    assert!(size_of::<H1>() <= 768, "{}", size_of::<H1>());
}

// rule: M-8b
#[test]
fn the_enum_of_engines_passes_everything_through() {
    let mut engine = Engine::H1(Box::new(H1::client(&Config::default(), NOW)));
    let stream = engine.open(NOW, &get(), true).unwrap();
    assert_eq!(engine.limit(), Limit::Concurrent(1));
    assert_eq!(engine.open(NOW, &get(), true), Err(OpenError::NoCapacity));
    engine.reset(NOW, stream);
    engine.ping(NOW);
    assert!(!engine.write_ended());
}
