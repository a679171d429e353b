//! The engine against itself and against scripted peers, in memory.

use bytes::Bytes;
use http::{Request, Response};

use super::H2;
use super::frame::{encode, flag, kind};
use crate::downstream::Cut;
use crate::engine::{Config, Event, Head, Output};
use crate::id::StreamId;
use crate::time::Instant;

mod abuse;
mod alternatives;
mod client;
mod costs;
mod exchange;
mod heads;
mod hpack;
mod limits;
mod server;
mod settings;
mod soup;
mod streams;
mod window;

const NOW: Instant = Instant::from_millis(1);

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://example.com{path}")).body(()).unwrap()
}

fn post(path: &str) -> Request<()> {
    Request::post(format!("https://example.com{path}")).body(()).unwrap()
}

fn status(code: u16) -> Response<()> {
    Response::builder().status(code).body(()).unwrap()
}

fn events(engine: &mut H2) -> Vec<Event> {
    core::iter::from_fn(|| engine.poll_event()).collect()
}

/// Each event in one word or two, for tables, without what is only counted.
fn told(engine: &mut H2) -> Vec<String> {
    told_and_cut(engine).0
}

/// The same, and what was counted.
fn told_and_cut(engine: &mut H2) -> (Vec<String>, Vec<Cut>) {
    let (mut told, mut cuts) = (Vec::new(), Vec::new());
    for event in events(engine) {
        match event {
            Event::Cut(cut) => cuts.push(cut),
            event => told.push(word(&event)),
        }
    }
    (told, cuts)
}

fn word(event: &Event) -> String {
    let end = |end: &bool| if *end { " end" } else { "" };
    match event {
        Event::Head { stream, head: Head::Request(head), end: last } => {
            format!("{stream} {} {}{}", head.method(), head.uri(), end(last))
        }
        Event::Head { stream, head: Head::Response(head), end: last } => {
            format!("{stream} {}{}", head.status().as_u16(), end(last))
        }
        Event::Informational { stream, head } => {
            format!("{stream} {}", head.status().as_u16())
        }
        Event::Data { stream, bytes, end: last } => {
            format!("{stream} {} bytes{}", bytes.len(), end(last))
        }
        Event::Trailers { stream, .. } => format!("{stream} trailers"),
        Event::Capacity { stream } => format!("{stream} capacity"),
        Event::Ended { stream } => format!("{stream} ended"),
        Event::Reset { stream, cause, retry } => format!("{stream} {cause:?} {retry:?}"),
        other => format!("{other:?}"),
    }
}

/// A frame as a scripted peer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Seen {
    fn code(&self) -> u32 {
        let last = self.payload[self.payload.len().min(8) - 4..].first_chunk::<4>().unwrap();
        u32::from_be_bytes(*last)
    }
}

/// A peer that speaks in frames, and the engine it talks to.
struct Scripted {
    engine: H2,
    now: Instant,
    bytes: Vec<u8>,
    /// How much is asked for at once.
    room: usize,
    /// The stream whose header block is not complete.
    block: Option<u32>,
}

impl Scripted {
    const fn of(engine: H2) -> Self {
        Self { engine, now: NOW, bytes: Vec::new(), room: usize::MAX, block: None }
    }

    /// A client engine whose server has said what `settings` hold.
    fn server(config: &Config, settings: &[(u16, u32)]) -> Self {
        let mut peer = Self::of(H2::client(config, NOW));
        peer.frames();
        peer.feed(&self::settings(settings));
        peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
        peer.frames();
        peer
    }

    /// A server engine whose client has sent its preface.
    fn client(config: &Config) -> Self {
        let mut peer = Self::of(H2::server(config, NOW));
        peer.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        peer.feed(&settings(&[]));
        peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
        peer.frames();
        peer
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.engine.receive(self.now, bytes);
    }

    /// What the engine has to say.
    fn frames(&mut self) -> Vec<Seen> {
        let mut out = Output::new();
        self.engine.transmit(self.now, &mut out, self.room);
        while let Some(bytes) = out.pop() {
            self.bytes.extend_from_slice(&bytes);
        }
        if self.bytes.starts_with(b"PRI") {
            self.bytes.drain(..24);
        }
        let mut seen = Vec::new();
        while let Some(head) = self.bytes.first_chunk::<9>().copied() {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            if self.bytes.len() < 9 + len {
                break;
            }
            let payload = self.bytes[9..9 + len].to_vec();
            self.bytes.drain(..9 + len);
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            let goes_on = head[3] == kind::CONTINUATION;
            assert_eq!(goes_on.then_some(stream), self.block, "a header block is not interrupted");
            if head[3] == kind::HEADERS || goes_on {
                self.block = (head[4] & flag::END_HEADERS == 0).then_some(stream);
            }
            seen.push(Seen { kind: head[3], flags: head[4], stream, payload });
        }
        seen
    }

    /// The frames of one kind.
    fn frames_of(&mut self, kind: u8) -> Vec<Seen> {
        self.frames().into_iter().filter(|frame| frame.kind == kind).collect()
    }

    fn told(&mut self) -> Vec<String> {
        told(&mut self.engine)
    }

    fn open(&mut self, head: &Request<()>, end: bool) -> StreamId {
        self.engine.open(self.now, head, end).unwrap()
    }
}

fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in values {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    encode(kind::SETTINGS, 0, 0, &payload)
}

/// `:status: 200`, from HPACK's static table.
fn answer(stream: u32, end: bool) -> Vec<u8> {
    block(stream, end, &[0x88])
}

/// `GET https / ` with an authority.
fn ask(stream: u32, end: bool) -> Vec<u8> {
    block(stream, end, &REQUEST)
}

const REQUEST: [u8; 8] = [0x82, 0x87, 0x84, 0x41, 3, b'a', b'.', b'b'];

/// A field without indexing.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0, u8::try_from(name.len()).unwrap()];
    out.extend_from_slice(name.as_bytes());
    out.push(u8::try_from(value.len()).unwrap());
    out.extend_from_slice(value.as_bytes());
    out
}

fn block(stream: u32, end: bool, fields: &[u8]) -> Vec<u8> {
    let end = if end { flag::END_STREAM } else { 0 };
    encode(kind::HEADERS, flag::END_HEADERS | end, stream, fields)
}

fn data(stream: u32, len: usize, end: bool) -> Vec<u8> {
    let end = if end { flag::END_STREAM } else { 0 };
    encode(kind::DATA, end, stream, &vec![b'x'; len])
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    encode(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}

fn window_update(stream: u32, n: u32) -> Vec<u8> {
    encode(kind::WINDOW_UPDATE, 0, stream, &n.to_be_bytes())
}

fn go_away(last: u32, code: u32) -> Vec<u8> {
    encode(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

fn bytes(len: usize) -> Bytes {
    Bytes::from(vec![b'y'; len])
}

#[test]
fn an_engine_can_move_between_threads() {
    const fn is_send<T: Send>() {}
    is_send::<H2>();
}
