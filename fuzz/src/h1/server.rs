//! Requests: our server on the fuzzer's bytes.

use http::{Method, Request, Response, StatusCode, header};
use regatta_core::engine::h1::H1;
use regatta_core::engine::{Event, Head};

use super::message::{End, Message};
use super::{hyper_server, written};
use crate::cuts::{Input, NOW};
use crate::log::{Log, Promises};

/// Bytes of the settings beside what [`Input::config`] takes.
const TUNNELS: u8 = 2;

/// Reads requests.
pub fn requests(bytes: &[u8]) {
    let Some(input) = Input::new(bytes) else { return };
    let whole = Reading::new(&input, &[input.text]);
    let pieces = Reading::new(&input, &input.pieces());
    assert_eq!(whole.log, pieces.log, "reading depends on how the bytes were cut");
    assert_eq!(whole.answers(), pieces.answers(), "answers depend on how the bytes were cut");
    if input.settings & TUNNELS == 0 {
        let theirs = hyper_server::read(&input);
        for (ours, theirs) in whole.messages.iter().zip(&theirs) {
            ours.must_agree(theirs);
            if ours.end == End::Broken || theirs.end == End::Broken {
                break;
            }
        }
    }
}

/// What every handler here answers: an empty 200, and no to who wants a tunnel.
pub(super) fn answer(head: &Request<()>) -> Response<()> {
    let mut response = Response::new(());
    if is_tunnel(head) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    }
    response
}

pub(super) fn is_tunnel(head: &Request<()>) -> bool {
    head.method() == Method::CONNECT
}

/// All that our server makes of one input.
#[derive(Debug, Default)]
struct Reading {
    log: Log,
    messages: Vec<Message>,
    wire: Vec<u8>,
}

impl Reading {
    fn new(input: &Input<'_>, pieces: &[&[u8]]) -> Self {
        let mut reading = Self::default();
        let mut promises = Promises::default();
        let mut engine = H1::server(&input.config(), NOW);
        let tunnels = input.settings & TUNNELS != 0;
        for piece in pieces {
            engine.receive(NOW, piece);
            reading.step(&mut engine, &mut promises, tunnels);
        }
        input.end(|clean, cause| engine.receive_end(NOW, clean, cause));
        reading.step(&mut engine, &mut promises, tunnels);
        reading
    }

    /// Hears and answers until nothing is left.
    fn step(&mut self, engine: &mut H1, promises: &mut Promises, tunnels: bool) {
        loop {
            self.wire.extend_from_slice(&written(engine));
            let Some(event) = engine.poll_event() else { return };
            self.log.event(&event);
            promises.event(&event);
            self.hear(event, engine, tunnels);
        }
    }

    fn hear(&mut self, event: Event, engine: &mut H1, tunnels: bool) {
        match event {
            Event::Head { stream, head: Head::Request(head), end } => {
                let early = early_answer(&head, tunnels);
                let last = answer(&head);
                self.messages.push(Message::request(*head));
                if let Some(response) = early {
                    engine.respond(NOW, stream, &response, false);
                } else if end || self.is_tunnel() {
                    self.end(End::Whole);
                    engine.respond(NOW, stream, &last, true);
                } else {
                    engine.allow(NOW, stream, 0);
                }
            }
            Event::Data { stream, bytes, end } => {
                engine.allow(NOW, stream, bytes.len());
                if let Some(message) = self.messages.last_mut() {
                    message.body.extend_from_slice(&bytes);
                }
                if end {
                    self.end(End::Whole);
                    engine.respond(NOW, stream, &Response::new(()), true);
                    // A tunnel's other half.
                    engine.send(NOW, stream, bytes::Bytes::new(), true);
                }
            }
            Event::Trailers { stream, trailers } => {
                self.end(End::Whole);
                if let Some(message) = self.messages.last_mut() {
                    message.trailers = *trailers;
                }
                engine.respond(NOW, stream, &Response::new(()), true);
            }
            Event::Reset { .. } => self.end(End::Broken),
            _ => {}
        }
    }

    /// What was written, without the 100 (Continue) that a body makes needless when it is there.
    fn answers(&self) -> String {
        self.wire.escape_ascii().to_string().replace("HTTP/1.1 100 Continue\\r\\n\\r\\n", "")
    }

    fn is_tunnel(&self) -> bool {
        use super::message::Start;
        let last = self.messages.last().map(|message| &message.start);
        matches!(last, Some(Start::Request { method, .. }) if *method == Method::CONNECT)
    }

    fn end(&mut self, how: End) {
        if let Some(message) = self.messages.last_mut()
            && message.end == End::Open
        {
            message.end = how;
        }
    }
}

/// Where tunnels are granted: 200 to CONNECT, 101 to the first protocol that is asked for.
fn early_answer(head: &Request<()>, tunnels: bool) -> Option<Response<()>> {
    if !tunnels {
        return None;
    }
    let mut response = Response::new(());
    if is_tunnel(head) {
        return Some(response);
    }
    let asked = head.headers().get(header::UPGRADE)?.clone();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::UPGRADE, asked);
    Some(response)
}
