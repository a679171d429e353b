//! Responses: our client on the fuzzer's bytes.

use http::{Method, Request, Uri, header};
use regatta_core::engine::h1::H1;
use regatta_core::engine::{Event, Head};

use super::message::{End, Message};
use super::{hyper_client, written};
use crate::cuts::{Input, NOW};
use crate::log::{Log, Promises};

/// Reads a response.
pub fn responses(bytes: &[u8]) {
    let Some(input) = Input::new(bytes) else { return };
    let request = question(input.settings >> 1);
    let whole = Reading::new(&input, &request, &[input.text]);
    let pieces = Reading::new(&input, &request, &input.pieces());
    assert_eq!(whole.log, pieces.log, "reading depends on how the bytes were cut");
    let Some(ours) = whole.message else { return };
    if let Some(theirs) = hyper_client::read(&input, &request) {
        ours.must_agree(&theirs);
    }
}

/// What was asked: it decides whether the answer has a body, and whether it may be a tunnel.
fn question(settings: u8) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/");
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("a"));
    match settings % 5 {
        0 => {}
        1 => *request.method_mut() = Method::HEAD,
        2 => *request.method_mut() = Method::POST,
        3 => {
            *request.method_mut() = Method::CONNECT;
            *request.uri_mut() = Uri::from_static("a:443");
        }
        _ => {
            let headers = request.headers_mut();
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, header::HeaderValue::from_static("a, b"));
        }
    }
    request
}

/// All that our client makes of one input.
#[derive(Debug, Default)]
struct Reading {
    log: Log,
    message: Option<Message>,
}

impl Reading {
    fn new(input: &Input<'_>, request: &Request<()>, pieces: &[&[u8]]) -> Self {
        let mut reading = Self::default();
        let mut promises = Promises::default();
        let mut engine = H1::client(&input.config(), NOW);
        match engine.open(NOW, request, true) {
            Ok(stream) => promises.begin(stream),
            Err(error) => panic!("a good question could not be asked: {error:?}"),
        }
        written(&mut engine);
        for piece in pieces {
            engine.receive(NOW, piece);
            reading.step(&mut engine, &mut promises);
        }
        input.end(|clean, cause| engine.receive_end(NOW, clean, cause));
        reading.step(&mut engine, &mut promises);
        reading
    }

    fn step(&mut self, engine: &mut H1, promises: &mut Promises) {
        loop {
            written(engine);
            let Some(event) = engine.poll_event() else { return };
            self.log.event(&event);
            promises.event(&event);
            self.hear(event, engine);
        }
    }

    fn hear(&mut self, event: Event, engine: &mut H1) {
        match event {
            Event::Head { head: Head::Response(head), end, .. } => {
                self.message = Some(Message::response(*head));
                self.end(end);
            }
            Event::Data { stream, bytes, end } => {
                engine.allow(NOW, stream, bytes.len());
                if let Some(message) = &mut self.message {
                    message.body.extend_from_slice(&bytes);
                }
                self.end(end);
            }
            Event::Trailers { trailers, .. } => {
                if let Some(message) = &mut self.message {
                    message.trailers = *trailers;
                }
                self.end(true);
            }
            Event::Reset { .. } => {
                if let Some(message) = &mut self.message {
                    message.end = End::Broken;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, end: bool) {
        if let Some(message) = &mut self.message
            && end
        {
            message.end = End::Whole;
        }
    }
}
