//! A client engine and a server engine, and random exchanges between them.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::*;
use crate::engine::{Extended, OpenError, Shutdown};
use crate::rng::Rng;
use crate::types::Cause;

/// Moves all bytes from one engine to the other, in pieces; returns how many.
fn carry(from: &mut H2, to: &mut H2, rng: &mut Rng, piece: u64, room: usize) -> usize {
    let mut out = Output::new();
    from.transmit(NOW, &mut out, room);
    let mut moved = 0;
    while let Some(mut bytes) = out.pop() {
        while !bytes.is_empty() {
            let n = bytes.len().min(1 + rng.below(piece) as usize);
            to.receive(NOW, &bytes.split_to(n));
            moved += n;
        }
    }
    moved
}

fn settle(client: &mut H2, server: &mut H2) {
    let mut rng = Rng::new(0);
    loop {
        let moved = carry(client, server, &mut rng, 1 << 20, usize::MAX)
            + carry(server, client, &mut rng, 1 << 20, usize::MAX);
        if moved == 0 {
            break;
        }
    }
}

#[test]
fn a_request_and_its_response() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    let stream = client.open(NOW, &post("/x?y"), false).unwrap();
    client.send(NOW, stream, Bytes::from_static(b"question"), true);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut server), ["s0.0 POST https://example.com/x?y", "s0.0 8 bytes end"]);
    server.respond(NOW, stream, &status(200), false);
    server.send(NOW, stream, Bytes::from_static(b"answer"), true);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.0 200", "s0.0 6 bytes end", "s0.0 ended"]);
    assert_eq!(told(&mut server), ["s0.0 ended"]);
    assert_eq!(client.poll_timeout(), None);
}

// rule: H-1a
#[test]
fn trailers_both_ways() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    trailers.insert("connection", "close".parse().unwrap());
    let stream = client.open(NOW, &post("/"), false).unwrap();
    client.trailers(NOW, stream, trailers.clone());
    settle(&mut client, &mut server);
    assert_eq!(told(&mut server), ["s0.0 POST https://example.com/", "s0.0 trailers"]);
    server.respond(NOW, stream, &status(200), false);
    server.send(NOW, stream, bytes(3), false);
    server.trailers(NOW, stream, trailers);
    settle(&mut client, &mut server);
    let heard = events(&mut client);
    let Event::Trailers { trailers, .. } = &heard[2] else {
        panic!("{heard:?}");
    };
    assert_eq!(trailers.len(), 1, "fields of the connection stay behind");
    assert!(matches!(heard[3], Event::Ended { .. }));
}

// rule: H-6c
#[test]
fn a_tunnel_ends_by_halves() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    let stream = client.open(NOW, &Request::connect("a.b:443").body(()).unwrap(), false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(told(&mut server), ["s0.0 CONNECT a.b:443"]);
    server.respond(NOW, stream, &status(200), false);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.0 200"]);
    client.send(NOW, stream, bytes(3), false);
    server.send(NOW, stream, bytes(4), true);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.0 capacity", "s0.0 4 bytes end"]);
    client.send(NOW, stream, bytes(5), true);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.0 ended"]);
    assert_eq!(told(&mut server), ["s0.0 3 bytes", "s0.0 5 bytes end", "s0.0 ended"]);
    // One that is refused ends, though it was opened to go on.
    let stream = client.open(NOW, &Request::connect("a.b:443").body(()).unwrap(), false).unwrap();
    settle(&mut client, &mut server);
    server.respond(NOW, stream, &status(403), true);
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.1 403 end", "s0.1 ended"]);
    assert_eq!(told(&mut server).last().unwrap(), "s0.1 ended");
}

// rule: H2-7c
#[test]
fn extended_connect_needs_the_servers_word() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    let mut head = Request::connect("https://a.b/chat").body(()).unwrap();
    head.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    // Before the server has said that it takes any: the head waits, and what is said behind it.
    let stream = client.open(NOW, &head, false).unwrap();
    client.send(NOW, stream, Bytes::from_static(b"first words"), false);
    settle(&mut client, &mut server);
    let heard = events(&mut server);
    let Event::Head { head: Head::Request(head), .. } = &heard[0] else {
        panic!("{heard:?}");
    };
    assert_eq!(head.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
    assert_eq!(head.uri(), "https://a.b/chat");
    assert_eq!(head.extensions().get::<Extended>().unwrap().as_str(), "websocket");
    let Event::Head { stream: asked, .. } = heard[0] else { panic!("{heard:?}") };
    server.respond(NOW, asked, &Response::new(()), false);
    settle(&mut client, &mut server);
    let said = told(&mut server);
    assert!(said.iter().any(|said| said.contains("11 bytes")), "{said:?}");
    // Our own word for it says the same.
    let mut head = Request::connect("https://a.b/other").body(()).unwrap();
    head.extensions_mut().insert(Extended::new("connect-udp").unwrap());
    client.open(NOW, &head, false).unwrap();
    settle(&mut client, &mut server);
    let heard = events(&mut server);
    let Event::Head { head: Head::Request(head), .. } = &heard[0] else {
        panic!("{heard:?}");
    };
    assert_eq!(head.extensions().get::<Extended>().unwrap().as_str(), "connect-udp");
    assert_eq!(head.uri(), "https://a.b/other");
}

// rule: H2-7c
#[test]
fn an_extended_connect_that_waits_is_never_sent_to_a_server_that_does_not_take_it() {
    let mut head = Request::connect("https://a.b/chat").body(()).unwrap();
    head.extensions_mut().insert(Extended::new("websocket").unwrap());
    let waiting = || {
        let mut peer = Scripted::of(H2::client(&Config::default(), NOW));
        let stream = peer.open(&head, false);
        assert!(peer.frames().iter().all(|frame| frame.kind != kind::HEADERS));
        assert_eq!(peer.told(), [""; 0]);
        (peer, stream)
    };
    let (mut peer, _) = waiting();
    peer.feed(&settings(&[]));
    let told = peer.told();
    assert_eq!(told[1..], ["Unsayable { stream: s0.0 }", "s0.0 Cancelled Unsent"], "{told:?}");
    // Now it is known.
    assert_eq!(peer.engine.open(NOW, &head, false), Err(OpenError::Unsayable));
    assert!(peer.frames().iter().all(|frame| frame.kind != kind::HEADERS));
    // Given up, and the server hears of neither.
    let (mut peer, stream) = waiting();
    peer.engine.reset(NOW, stream);
    assert_eq!(peer.told(), ["s0.0 Cancelled Unsent"]);
    peer.feed(&settings(&[(8, 1)]));
    let kinds: Vec<_> = peer.frames().iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::SETTINGS], "the acknowledgement alone");
    // The connection ends first.
    let (mut peer, _) = waiting();
    peer.engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(peer.told()[0], "s0.0 Closed Unsent");
    // It is about to be closed: the request goes elsewhere.
    let (mut peer, _) = waiting();
    peer.engine.shutdown(NOW, Shutdown::Graceful);
    peer.feed(&settings(&[(8, 1)]));
    let told = peer.told();
    assert!(told.iter().any(|told| told == "s0.0 ShutDown Unsent"), "{told:?}");
}

#[test]
fn a_full_output_holds_what_comes_behind() {
    let config = Config::default();
    let (mut client, mut server) = (H2::client(&config, NOW), H2::server(&config, NOW));
    settle(&mut client, &mut server);
    let stream = client.open(NOW, &post("/"), false).unwrap();
    client.send(NOW, stream, bytes(1 << 20), false);
    let mut out = Output::new();
    client.transmit(NOW, &mut out, 16 << 10);
    assert!(out.len() < 256 << 10, "{}", out.len());
    assert_eq!(told(&mut client), [""; 0], "the frame has not left");
    assert_eq!(client.poll_timeout(), None, "waits for room, not for time");
    while let Some(bytes) = out.pop() {
        server.receive(NOW, &bytes);
    }
    settle(&mut client, &mut server);
    assert_eq!(told(&mut client), ["s0.0 capacity"]);
}

/// One exchange as both ends know it.
#[derive(Default)]
struct Exchange {
    client: Side,
    server: Side,
    cancelled: bool,
}

/// What one end of a stream has still to send, and what it has got.
#[derive(Default)]
struct Side {
    id: Option<StreamId>,
    /// Bytes that are still to be sent; `None` when the end was sent.
    left: Option<usize>,
    may_send: bool,
    got: usize,
    expected: usize,
    unread: usize,
    is_over: bool,
    ended: u32,
}

fn stream_of(event: &Event) -> Option<StreamId> {
    match event {
        Event::Head { stream, .. }
        | Event::Data { stream, .. }
        | Event::Capacity { stream }
        | Event::Ended { stream }
        | Event::Reset { stream, .. } => Some(*stream),
        _ => None,
    }
}

struct World {
    rng: Rng,
    /// Bodies are smaller.
    most: u64,
    client: H2,
    server: H2,
    exchanges: Vec<Exchange>,
    /// Exchanges by their streams.
    by_client: BTreeMap<StreamId, usize>,
    by_server: BTreeMap<StreamId, usize>,
}

impl World {
    fn new(seed: u64, most: u64) -> Self {
        let mut rng = Rng::new(seed);
        let config = Config {
            stream_window: 1 + rng.below(2 * most) as u32,
            connection_window: 65_535 + rng.below(100_000) as u32,
            max_concurrent_streams: core::num::NonZeroU32::MIN.saturating_add(9),
            ..Config::default()
        };
        let (client, server) = (H2::client(&config, NOW), H2::server(&config, NOW));
        Self {
            rng,
            most,
            client,
            server,
            exchanges: Vec::new(),
            by_client: BTreeMap::new(),
            by_server: BTreeMap::new(),
        }
    }

    fn open(&mut self) {
        let most = self.most;
        let (up, down) = (self.rng.below(most) as usize, self.rng.below(most) as usize);
        let up = if self.rng.below(2) == 0 { 0 } else { up };
        let n = self.exchanges.len();
        let head = post(&format!("/{n}"));
        let Ok(id) = self.client.open(NOW, &head, up == 0) else {
            return;
        };
        let mut exchange = Exchange::default();
        exchange.client.id = Some(id);
        exchange.client.left = (up > 0).then_some(up);
        exchange.client.may_send = true;
        exchange.client.expected = down;
        exchange.server.expected = up;
        exchange.server.left = Some(down);
        self.by_client.insert(id, n);
        self.exchanges.push(exchange);
    }

    /// Hears what one side has to tell.
    fn hear(&mut self, is_client: bool) {
        let events = events(if is_client { &mut self.client } else { &mut self.server });
        for event in events {
            if let Event::Head { stream, head: Head::Request(head), .. } = &event {
                let n: usize = head.uri().path()[1..].parse().unwrap();
                self.by_server.insert(*stream, n);
                self.exchanges[n].server.id = Some(*stream);
                self.server.respond(NOW, *stream, &status(200), false);
                self.exchanges[n].server.may_send = true;
                continue;
            }
            let Some(stream) = stream_of(&event) else {
                assert!(matches!(event, Event::Limit(_)), "{event:?}");
                continue;
            };
            let (ids, engine) = if is_client {
                (&mut self.by_client, &mut self.client)
            } else {
                (&mut self.by_server, &mut self.server)
            };
            let exchange = &mut self.exchanges[ids[&stream]];
            let cancelled = exchange.cancelled;
            let side = if is_client { &mut exchange.client } else { &mut exchange.server };
            match &event {
                Event::Head { end, .. } => side.is_over = *end,
                Event::Data { bytes, end, .. } => {
                    assert!(!side.is_over);
                    side.got += bytes.len();
                    side.unread += bytes.len();
                    side.is_over = *end;
                    if self.rng.below(2) == 0 {
                        engine.allow(NOW, stream, core::mem::take(&mut side.unread));
                    }
                }
                Event::Capacity { .. } => side.may_send = true,
                Event::Ended { .. } => {
                    assert!(side.is_over || side.expected == 0, "{event:?}");
                    assert_eq!(side.got, side.expected);
                    // A server may give up the rest of a request that it has answered.
                    assert!(side.left.is_none() || (is_client && cancelled), "{event:?}");
                    side.ended += 1;
                    side.id = None;
                    ids.remove(&stream);
                }
                Event::Reset { .. } => {
                    assert!(cancelled, "{event:?}");
                    side.ended += 1;
                    side.id = None;
                    ids.remove(&stream);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn send(&mut self, is_client: bool) {
        for exchange in &mut self.exchanges {
            let (side, engine) = if is_client {
                (&mut exchange.client, &mut self.client)
            } else {
                (&mut exchange.server, &mut self.server)
            };
            let Some(id) = side.id else {
                continue;
            };
            if side.unread > 0 && self.rng.below(4) == 0 {
                engine.allow(NOW, id, core::mem::take(&mut side.unread));
            }
            if let Some(left) = side.left.filter(|_| side.may_send) {
                let n = left.min(1 + self.rng.below(20_000) as usize);
                let end = n == left;
                engine.send(NOW, id, bytes(n), end);
                side.may_send = false;
                side.left = (!end).then_some(left - n);
            }
        }
    }

    fn cancel(&mut self) {
        let n = self.rng.below(self.exchanges.len() as u64 + 1) as usize;
        let Some(exchange) = self.exchanges.get_mut(n) else {
            return;
        };
        let (side, engine) = if self.rng.below(2) == 0 {
            (&exchange.client, &mut self.client)
        } else {
            (&exchange.server, &mut self.server)
        };
        if let Some(id) = side.id {
            exchange.cancelled = true;
            engine.reset(NOW, id);
        }
    }

    fn step(&mut self, piece: u64) -> usize {
        self.send(true);
        self.send(false);
        let room = 1 + self.rng.below(100_000) as usize;
        let moved = carry(&mut self.client, &mut self.server, &mut self.rng, piece, room)
            + carry(&mut self.server, &mut self.client, &mut self.rng, piece, room);
        self.hear(true);
        self.hear(false);
        moved
    }
}

#[test]
fn random_exchanges_keep_every_byte() {
    for seed in 0..40 {
        let (piece, most) = [(1, 500), (10, 3_000), (100_000, 40_000)][(seed % 3) as usize];
        let mut world = World::new(seed, most);
        for _ in 0..60 {
            if world.rng.below(2) == 0 {
                world.open();
            }
            if world.rng.below(12) == 0 {
                world.cancel();
            }
            world.step(piece);
        }
        let mut quiet = 0;
        while quiet < 100 {
            quiet = if world.step(piece) == 0 { quiet + 1 } else { 0 };
        }
        for (n, exchange) in world.exchanges.iter().enumerate() {
            assert_eq!(exchange.client.ended, 1, "seed {seed}, exchange {n}");
            assert!(exchange.server.ended <= 1, "seed {seed}, exchange {n}");
            assert!(exchange.server.ended == 1 || exchange.cancelled, "seed {seed}, {n}");
        }
        assert!(world.by_client.is_empty() && world.by_server.is_empty(), "seed {seed}");
    }
}
