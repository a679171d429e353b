//! Tables that read like RFC 9112, and a client against a server in memory.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use super::*;
use crate::engine::Head;

const NOW: Instant = Instant::EPOCH;

fn take(engine: &mut H1) -> Vec<u8> {
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, usize::MAX);
    let mut bytes = Vec::new();
    while let Some(chunk) = out.pop() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn events(engine: &mut H1) -> Vec<Event> {
    core::iter::from_fn(|| engine.poll_event()).collect()
}

#[test]
fn get_and_post_over_one_connection() {
    let config = Config::default();
    let (mut client, mut server) = (H1::client(&config, NOW), H1::server(&config, NOW));
    for n in 0..3 {
        let head = Request::post("http://example.com/a?b").body(()).unwrap();
        let stream = client.open(NOW, &head, false).unwrap();
        client.send(NOW, stream, Bytes::from_static(b"ping"), true);
        let bytes = take(&mut client);
        server.receive(NOW, &bytes);
        let heard = events(&mut server);
        let Event::Head { stream: theirs, head: Head::Request(_), end: false } = heard[0] else {
            panic!("{n}: {heard:?}");
        };
        server.respond(NOW, theirs, &Response::new(()), false);
        server.send(NOW, theirs, Bytes::from_static(b"pong"), false);
        server.trailers(NOW, theirs, HeaderMap::new());
        let bytes = take(&mut server);
        client.receive(NOW, &bytes);
        assert!(matches!(events(&mut server)[..], [Event::Ended { stream: id }] if id == theirs));
        let heard = events(&mut client);
        let [Event::Head { .. }, Event::Data { bytes, end: true, .. }, Event::Ended { .. }] =
            &heard[..]
        else {
            panic!("{n}: {heard:?}");
        };
        assert_eq!(&bytes[..], b"pong");
    }
}
