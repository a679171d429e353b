//! The engine against itself and against scripted peers, in memory.

use bytes::Bytes;
use http::{Request, Response};

use super::H2;
use crate::engine::{Config, Event, Head, Output};
use crate::id::StreamId;
use crate::time::Instant;

const NOW: Instant = Instant::from_millis(1);

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://example.com{path}")).body(()).unwrap()
}

/// Moves all bytes from one engine to the other; returns how many.
fn carry(from: &mut H2, to: &mut H2) -> usize {
    let mut out = Output::new();
    from.transmit(NOW, &mut out, usize::MAX);
    let mut moved = 0;
    while let Some(bytes) = out.pop() {
        moved += bytes.len();
        to.receive(NOW, &bytes);
    }
    moved
}

fn settle(client: &mut H2, server: &mut H2) {
    while carry(client, server) + carry(server, client) > 0 {}
}

fn events(engine: &mut H2) -> Vec<Event> {
    core::iter::from_fn(|| engine.poll_event()).collect()
}

fn request_of(events: &[Event]) -> StreamId {
    events
        .iter()
        .find_map(|event| match event {
            Event::Head { stream, head: Head::Request(_), .. } => Some(*stream),
            _ => None,
        })
        .expect("a request")
}

#[test]
fn a_request_and_its_response() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    let stream = client.open(NOW, &get("/"), false).unwrap();
    client.send(NOW, stream, Bytes::from_static(b"question"), true);
    settle(&mut client, &mut server);
    let heard = events(&mut server);
    let served = request_of(&heard);
    assert!(
        matches!(&heard[1], Event::Data { bytes, end: true, .. } if &bytes[..] == b"question"),
        "{heard:?}"
    );
    server.respond(NOW, served, &Response::new(()), false);
    server.send(NOW, served, Bytes::from_static(b"answer"), true);
    settle(&mut client, &mut server);
    let heard = events(&mut client);
    assert!(matches!(&heard[0], Event::Head { head: Head::Response(_), end: false, .. }));
    assert!(
        matches!(&heard[1], Event::Data { bytes, end: true, .. } if &bytes[..] == b"answer"),
        "{heard:?}"
    );
    assert!(matches!(&heard[2], Event::Ended { .. }), "{heard:?}");
    assert!(matches!(&events(&mut server)[..], [Event::Ended { .. }]));
}
