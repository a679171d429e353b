//! Requests and answers between two engines.

use http::{HeaderMap, Method};

use super::net::frame;
use super::*;
use crate::engine::{OpenError, Shutdown};
use crate::id::StreamId;
use crate::types::{Cause, Limit};

fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect::<Vec<(http::HeaderName, http::HeaderValue)>>()
        .into_iter()
        .collect()
}

/// Sends a request and answers it, and returns what both engines were told of them.
fn exchange(request: &Request<()>, response: &Response<()>) -> (HeaderMap, HeaderMap) {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, request, true).unwrap();
    net.run(5);
    net.server.engine().respond(net.now, stream, response, true);
    net.run(5);
    let head = |events: &[Event]| {
        events
            .iter()
            .find_map(|event| match event {
                Event::Head { head: Head::Request(head), .. } => Some(head.headers().clone()),
                Event::Head { head: Head::Response(head), .. } => Some(head.headers().clone()),
                _ => None,
            })
            .unwrap()
    };
    (head(&net.server.events), head(&net.client.events))
}

#[test]
fn a_request_and_its_answer() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &get("/a?b"), true).unwrap();
    assert_eq!(net.server_told(), ["s0.0 GET https://example.com/a?b end"]);
    net.server.engine().respond(net.now, stream, &status(200), false);
    net.server.engine().send(net.now, stream, Bytes::from_static(b"hello"), true);
    assert_eq!(net.client_told(), ["s0.0 200", "s0.0 5 bytes end", "s0.0 ended"]);
    assert_eq!(net.server_told(), ["s0.0 ended"]);
}

#[test]
fn bodies_and_trailers_both_ways() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &post("/"), false).unwrap();
    net.client.engine().send(net.now, stream, Bytes::from(vec![1; 3_000]), false);
    assert_eq!(net.client_told(), ["s0.0 capacity"]);
    net.client.engine().trailers(net.now, stream, fields(&[("a", "b")]));
    let heard = net.server_told();
    assert_eq!(heard.first().unwrap(), "s0.0 POST https://example.com/");
    assert_eq!(heard.last().unwrap(), "s0.0 trailers");
    net.server.engine().respond(net.now, stream, &status(103), false);
    net.server.engine().respond(net.now, stream, &status(200), false);
    net.server.engine().trailers(net.now, stream, fields(&[("c", "d"), ("connection", "x")]));
    assert_eq!(net.client_told(), ["s0.0 103", "s0.0 200", "s0.0 trailers", "s0.0 ended"]);
    assert_eq!(net.server_told(), ["s0.0 ended"]);
}

/// Every field that was said is heard, but those of a connection of HTTP/1.1 (H-1).
#[test]
fn fields_are_carried() {
    let mut request = get("/");
    *request.headers_mut() = fields(&[
        ("x-one", "1"),
        ("connection", "x-two, te"),
        ("x-two", "2"),
        ("keep-alive", "1"),
        ("te", "gzip, trailers"),
        ("host", "example.com"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
    ]);
    request.headers_mut().append("x-one", "another".parse().unwrap());
    let mut response = status(200);
    *response.headers_mut() = fields(&[("set-cookie", "a"), ("upgrade", "x"), ("vary", "origin")]);
    let (heard, answered) = exchange(&request, &response);
    let expected = fields(&[("x-one", "1"), ("te", "trailers"), ("cookie", "a=b; c=d")]);
    let mut expected = expected;
    expected.append("x-one", "another".parse().unwrap());
    assert_eq!(heard, expected);
    assert_eq!(answered, fields(&[("set-cookie", "a"), ("vary", "origin")]));
}

/// Answers that have no body, whatever is given.
#[test]
fn answers_of_every_shape() {
    for (method, code, length) in
        [(Method::HEAD, 200, "5"), (Method::GET, 204, "0"), (Method::GET, 304, "5")]
    {
        let mut net = pair(&Config::default());
        let mut request = get("/");
        *request.method_mut() = method;
        let stream = net.client.engine().open(net.now, &request, true).unwrap();
        net.run(5);
        let mut response = status(code);
        response.headers_mut().insert("content-length", length.parse().unwrap());
        net.server.engine().respond(net.now, stream, &response, false);
        net.server.engine().send(net.now, stream, Bytes::from_static(b"hello"), true);
        assert_eq!(net.client_told(), [format!("s0.0 {code} end"), "s0.0 ended".into()]);
    }
}

/// What is not allowed on stays with the peer, and other streams go on.
#[test]
fn a_reader_that_stops_holds_up_its_own_stream_alone() {
    let config = Config { stream_buffer: 10_000, ..Config::default() };
    let mut net = pair(&config);
    let slow = net.client.engine().open(net.now, &get("/slow"), true).unwrap();
    let fast = net.client.engine().open(net.now, &get("/fast"), true).unwrap();
    net.run(5);
    for stream in [slow, fast] {
        net.server.engine().respond(net.now, stream, &status(200), false);
        net.server.engine().send(net.now, stream, Bytes::from(vec![0; 100_000]), true);
    }
    net.run(50);
    assert_eq!(net.client.engine().unread(), 20_000);
    for _ in 0..30 {
        net.client.engine().allow(net.now, fast, 10_000);
        net.run(2);
    }
    assert_eq!(net.client.engine().unread(), 10_000);
    let heard = told(core::mem::take(&mut net.client.events));
    assert_eq!(heard.last().unwrap(), "s1.0 ended");
    for _ in 0..30 {
        net.client.engine().allow(net.now, slow, usize::MAX);
        net.run(2);
    }
    assert_eq!(net.client_told().last().unwrap(), "s0.0 ended");
    assert_eq!(net.client.engine().unread(), 0);
}

/// The body waits for 100 (Continue), for its time, or is not sent (H-7).
#[test]
fn a_body_waits_for_continue() {
    let mut request = post("/");
    request.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let body = Bytes::from_static(b"body");
    // The server asks for it.
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.client.engine().send(net.now, stream, body.clone(), true);
    assert_eq!(net.server_told(), ["s0.0 POST https://example.com/"]);
    net.server.engine().allow(net.now, stream, 0);
    assert_eq!(net.server_told(), ["s0.0 4 bytes end"]);
    assert_eq!(net.client_told(), [""; 0]);
    // Nobody says anything: both sides wait a second.
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.client.engine().send(net.now, stream, body.clone(), true);
    assert_eq!(net.server_told().len(), 1);
    net.run(1_000);
    assert_eq!(net.server_told(), ["s1.0 4 bytes end"]);
    // The answer comes at once.
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.client.engine().send(net.now, stream, body, true);
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(417), true);
    assert_eq!(net.client_told(), ["s2.0 417 end", "s2.0 ended"]);
    let heard = net.server_told();
    assert_eq!(heard.last().unwrap(), "s2.0 StreamReset(268) Unknown", "{heard:?}");
}

#[test]
fn a_tunnel_ends_by_halves() {
    let mut net = pair(&Config::default());
    let request = Request::connect("example.com:443").body(()).unwrap();
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.client.engine().send(net.now, stream, Bytes::from_static(b"early"), false);
    assert_eq!(net.server_told(), ["s0.0 CONNECT example.com:443"]);
    net.server.engine().respond(net.now, stream, &status(200), false);
    assert_eq!(net.client_told(), ["s0.0 200", "s0.0 capacity"]);
    assert_eq!(net.server_told(), ["s0.0 5 bytes"]);
    net.server.engine().send(net.now, stream, Bytes::from_static(b"all"), true);
    assert_eq!(net.client_told(), ["s0.0 3 bytes end"]);
    net.client.engine().send(net.now, stream, Bytes::from_static(b"rest"), true);
    assert_eq!(net.server_told(), ["s0.0 4 bytes end", "s0.0 ended"]);
    assert_eq!(net.client_told(), ["s0.0 ended"]);
    // One that is refused: what was meant for it goes nowhere.
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.client.engine().send(net.now, stream, Bytes::from_static(b"early"), false);
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(403), true);
    assert_eq!(net.client_told(), ["s0.1 403 end", "s0.1 ended"]);
    let heard = net.server_told();
    assert_eq!(heard[1..], ["s0.1 0 bytes end", "s0.1 ended"], "{heard:?}");
    // The same where nothing was meant for it.
    let stream = net.client.engine().open(net.now, &request, false).unwrap();
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(403), true);
    assert_eq!(net.client_told(), ["s0.2 403 end", "s0.2 ended"]);
    assert_eq!(net.server_told().last().unwrap(), "s0.2 ended");
}

/// RFC 9220: a CONNECT that says what is to be spoken.
#[test]
fn an_extended_connect() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &extended(), false).unwrap();
    net.run(5);
    let Some(Event::Head { head: Head::Request(head), .. }) = net.server.events.first() else {
        panic!("{:?}", net.server.events);
    };
    assert_eq!(head.uri(), "https://example.com/chat");
    let protocol = head.extensions().get::<crate::engine::Extended>().unwrap();
    assert_eq!(protocol.as_str(), "websocket");
    net.server.engine().respond(net.now, stream, &status(200), false);
    assert_eq!(net.client_told(), ["s0.0 200"]);
}

fn extended() -> Request<()> {
    let mut request = Request::connect("https://example.com/chat").body(()).unwrap();
    request.extensions_mut().insert(crate::engine::Extended::new("websocket").unwrap());
    request
}

/// A client that may open streams and does not know yet what the server takes, which is silent.
fn unsettled() -> Net {
    let mut net = Net::new(Some(&Config::default()), None);
    while net.client.engine().limit() == Limit::Total(0) {
        net.tick();
    }
    assert_eq!(net.client.engine().settings(), None);
    net
}

/// The first request of a connection may be one: it waits for the server's word (RFC 9220 3), and
/// what is behind it does not.
// rule: H3-8
#[test]
fn an_extended_connect_waits_for_the_servers_settings() {
    let mut net = unsettled();
    let now = net.now;
    let given_up = net.client.engine().open(now, &extended(), false).unwrap();
    let stream = net.client.engine().open(now, &extended(), false).unwrap();
    net.client.engine().send(now, stream, Bytes::from_static(b"hello"), false);
    net.client.engine().open(now, &get("/"), true).unwrap();
    net.client.engine().reset(now, given_up);
    net.run(12);
    net.server.engine = Some(super::super::H3::server(&Config::default(), net.now));
    let heard = net.server_told();
    let get = heard.iter().position(|word| word.contains("GET https://example.com/")).unwrap();
    let connect = heard.iter().position(|word| word.contains("CONNECT https://example.com/chat"));
    assert!(get < connect.unwrap(), "{heard:?}");
    assert_eq!(heard.iter().filter(|word| word.contains("CONNECT")).count(), 1, "{heard:?}");
    let now = net.now;
    let asked = heard[connect.unwrap()].split(' ').next().unwrap();
    let theirs = [0, 1, 2].map(|slot| StreamId::new(slot, 0));
    let theirs = *theirs.iter().find(|id| id.to_string() == asked).unwrap();
    net.server.engine().respond(now, theirs, &status(200), false);
    assert!(net.server_told().contains(&format!("{asked} 5 bytes")));
    let told = net.client_told();
    assert!(told.contains(&format!("{given_up} Cancelled Unsent")), "{told:?}");
}

/// A server that takes none: nothing of it was sent.
// rule: H3-8
#[test]
fn an_extended_connect_that_the_server_does_not_take_is_unsayable() {
    for settings in [&[][..], &[0x08, 0]] {
        let mut net = unsettled();
        let stream = net.client.engine().open(net.now, &extended(), false).unwrap();
        net.run(12);
        net.server.begin(0, &frame(0x4, settings));
        let unsayable = format!("{:?}", Event::Unsayable { stream });
        assert_eq!(net.client_told(), [unsayable, format!("{stream} Cancelled Unsent")]);
        let refused = net.client.engine().open(net.now, &extended(), false);
        assert_eq!(refused, Err(OpenError::Unsayable), "{settings:?}");
    }
}

/// Nothing is a piece of a body too: the next one is welcome.
#[test]
fn an_empty_piece_makes_room_for_the_next() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &post("/"), false).unwrap();
    assert_eq!(net.client_told(), [""; 0]);
    for _ in 0..2 {
        net.client.engine().send(net.now, stream, Bytes::new(), false);
        assert_eq!(net.client_told(), ["s0.0 capacity"]);
    }
    net.client.engine().send(net.now, stream, Bytes::new(), true);
    assert_eq!(net.server_told(), ["s0.0 POST https://example.com/", "s0.0 0 bytes end"]);
}

#[test]
fn what_cannot_be_said() {
    let mut net = pair(&Config::default());
    let now = net.now;
    let client = net.client.engine();
    let relative = Request::get("/").body(()).unwrap();
    assert_eq!(client.open(now, &relative, true), Err(OpenError::Unsayable));
    let mut large = get("/");
    large.headers_mut().insert("x", "v".repeat(33_000).parse().unwrap());
    assert_eq!(client.open(now, &large, true), Err(OpenError::Unsayable));
    // No stream was used for it.
    assert_eq!(client.limit(), Limit::Total(100));
    client.open(now, &get("/"), true).unwrap();
    net.run(5);
    assert_eq!(net.server_told(), ["s0.0 GET https://example.com/ end"]);
}

/// MAX_STREAMS, of which quinn-proto tells nothing: what is used and what is in the stash.
#[test]
fn the_limit_is_told_in_all() {
    let grants = net::Grants { bidirectional: 2, ..net::Grants::default() };
    let config = Config::default();
    let mut net = Net::with(Some(&config), Some(&config), net::Grants::default(), grants);
    assert_eq!(net.client.engine().limit(), Limit::Total(0));
    assert!(!net.client.engine().may_carry());
    let early = net.client.engine().open(net.now, &get("/"), true);
    assert_eq!(early, Err(OpenError::NoCapacity));
    net.run(20);
    assert_eq!(net.client.engine().limit(), Limit::Total(2));
    assert!(net.client.engine().may_carry());
    let a = net.client.engine().open(net.now, &get("/a"), true).unwrap();
    net.client.engine().open(net.now, &get("/b"), true).unwrap();
    let third = net.client.engine().open(net.now, &get("/c"), true);
    assert_eq!(third, Err(OpenError::NoCapacity));
    net.run(5);
    net.server.engine().respond(net.now, a, &status(200), true);
    // An acknowledgement may wait for 25 ms.
    net.run(40);
    assert_eq!(net.client.engine().limit(), Limit::Total(3));
    assert!(net.client.events.iter().any(|event| matches!(event, Event::Limit(Limit::Total(3)))));
    net.client.engine().open(net.now, &get("/c"), true).unwrap();
}

/// Of a server that grants many, each stream that is used is not told of.
#[test]
fn where_many_are_granted_the_limit_is_told_of_for_many_at_once() {
    let grants = net::Grants { bidirectional: 1_000, ..net::Grants::default() };
    let config = Config::default();
    let mut net = Net::with(Some(&config), Some(&config), net::Grants::default(), grants);
    net.run(20);
    let limits = |net: &mut Net| {
        let events = core::mem::take(&mut net.client.events);
        let limits = events.into_iter().filter_map(|event| match event {
            Event::Limit(Limit::Total(limit)) => Some(limit),
            _ => None,
        });
        limits.collect::<Vec<_>>()
    };
    assert_eq!(limits(&mut net), [160]);
    let mut told = Vec::new();
    for used in 1..=100 {
        net.client.engine().open(net.now, &get("/"), true).unwrap();
        net.run(1);
        told.extend(limits(&mut net));
        let Limit::Total(limit) = net.client.engine().limit() else { unreachable!() };
        assert!(limit >= used + 128, "{used}: {limit}");
    }
    assert_eq!(told, [193, 226, 259]);
}

/// What it was given up for is then the connection's to tell.
#[test]
fn a_connection_that_is_over_may_be_used_though_nothing_is_granted() {
    let grants = net::Grants { bidirectional: 0, ..net::Grants::default() };
    let config = Config::default();
    let mut net = Net::with(Some(&config), Some(&config), net::Grants::default(), grants);
    net.run(20);
    let now = net.now;
    let client = net.client.engine();
    assert_eq!((client.limit(), client.may_carry()), (Limit::Total(0), false));
    client.receive_end(now, Cause::Closed);
    assert_eq!((client.limit(), client.may_carry()), (Limit::Total(0), true));
}

#[test]
fn either_side_may_give_a_stream_up() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &get("/"), true).unwrap();
    net.run(5);
    net.client.engine().reset(net.now, stream);
    assert_eq!(net.client_told(), ["s0.0 Cancelled Unknown"]);
    let heard = net.server_told();
    assert_eq!(heard[1..], ["s0.0 StreamReset(268) Unknown"], "{heard:?}");
    // Before anything went out.
    let stream = net.client.engine().open(net.now, &get("/"), true).unwrap();
    net.client.engine().reset(net.now, stream);
    assert_eq!(net.client_told(), ["s0.1 Cancelled Unsent"]);
    // By the server.
    let stream = net.client.engine().open(net.now, &get("/"), false).unwrap();
    net.run(5);
    let answered = net.server.events.iter().rev().find_map(|event| match event {
        Event::Head { stream, .. } => Some(*stream),
        _ => None,
    });
    net.server.engine().respond(net.now, answered.unwrap(), &status(200), false);
    net.run(5);
    net.server.engine().reset(net.now, answered.unwrap());
    assert_eq!(
        net.client_told(),
        [format!("{stream} 200"), format!("{stream} StreamReset(268) Answered")]
    );
}

/// A complete answer while the request is being sent: it stands (RFC 9114 4.1).
// rule: H3-4b
#[test]
fn an_early_answer_stands() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &post("/"), false).unwrap();
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(200), true);
    net.run(5);
    net.server.engine().reset(net.now, stream);
    assert_eq!(net.client_told(), ["s0.0 200 end", "s0.0 ended"]);
}

#[test]
fn a_sign_of_life() {
    let mut net = pair(&Config::default());
    net.client.engine().ping(net.now);
    net.server.engine().ping(net.now);
    // An acknowledgement may wait for 25 ms.
    net.run(30);
    assert_eq!(net.client_told(), ["Pong"]);
    assert_eq!(net.server_told(), ["Pong"]);
}

/// A server drains: what is on its way is served, then both are gone (RFC 9114 5.2).
// rule: H3-3b
#[test]
fn a_server_goes_away_gracefully() {
    let mut net = pair(&Config::default());
    let first = net.client.engine().open(net.now, &get("/a"), true).unwrap();
    net.run(5);
    net.server.engine().shutdown(net.now, Shutdown::Graceful);
    // Sent before the client can know.
    let second = net.client.engine().open(net.now, &get("/b"), true).unwrap();
    net.run(30);
    let heard = told(core::mem::take(&mut net.server.events));
    assert_eq!(heard.len(), 2, "{heard:?}");
    let refused = net.client.engine().open(net.now, &get("/c"), true);
    assert_eq!(refused, Err(OpenError::Refusing));
    for stream in [first, second] {
        net.server.engine().respond(net.now, stream, &status(200), true);
    }
    net.run(100);
    let heard = net.server_told();
    assert_eq!(heard, ["s0.0 ended", "s1.0 ended", "Closed { cause: ShutDown }"]);
    assert_eq!(net.server.closed.unwrap().code, 0x100);
    let heard = net.client_told();
    assert_eq!(heard[0], "GoAway { code: 0 }");
    assert_eq!(heard.last().unwrap(), "Closed { cause: Closed }");
    assert_eq!(heard.len(), 6, "{heard:?}");
}

/// What a server has said before it goes away arrives, also where the way there takes longer than
/// one who takes nothing is waited for; who takes nothing is not waited for longer.
// rule: H3-3d
#[test]
fn a_server_that_goes_away_waits_for_a_slow_way() {
    for is_there in [true, false] {
        let mut net = pair(&Config::default());
        net.pace = 50;
        let stream = net.client.engine().open(net.now, &get("/a"), true).unwrap();
        net.run(50);
        net.server.engine().respond(net.now, stream, &status(200), false);
        net.server.engine().send(net.now, stream, Bytes::from(vec![1; 60_000]), true);
        net.server.engine().shutdown(net.now, Shutdown::Graceful);
        if is_there {
            net.run(10_000);
            let heard = told(core::mem::take(&mut net.client.events));
            assert!(heard.iter().any(|event| event.ends_with("bytes end")), "{heard:?}");
            let closed = "Closed { cause: Closed }".to_owned();
            assert_eq!(heard.iter().rev().take(2).collect::<Vec<_>>(), [&closed, "s0.0 ended"]);
        } else {
            net.pace = 1 << 30;
            net.run(3_000);
        }
        assert_eq!(net.server_told().last().unwrap(), "Closed { cause: ShutDown }");
    }
}

/// A server that goes away closes when all is acknowledged, which is before a slow caller has asked
/// for all of it: what has come is told, then that the connection is over.
// rule: H3-3e
#[test]
fn what_came_before_the_end_is_not_lost() {
    let config = Config { stream_buffer: 10_000, ..Config::default() };
    let mut net = pair(&config);
    let stream = net.client.engine().open(net.now, &get("/a"), true).unwrap();
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(200), false);
    net.server.engine().send(net.now, stream, Bytes::from(vec![1; 100_000]), true);
    net.run(100);
    assert_eq!(net.client.engine().unread(), 10_000);
    net.server.engine().shutdown(net.now, Shutdown::Graceful);
    net.run(100);
    let events = core::mem::take(&mut net.client.events);
    let come = events.iter().map(|event| match event {
        Event::Data { bytes, .. } => bytes.len(),
        _ => 0,
    });
    assert_eq!(come.sum::<usize>(), 100_000);
    let heard = told(events);
    assert!(heard[heard.len() - 3].ends_with("bytes end"), "{heard:?}");
    assert_eq!(heard[heard.len() - 2..], ["s0.0 ended", "Closed { cause: Closed }"]);
}

#[test]
fn a_client_goes_away_gracefully() {
    let mut net = pair(&Config::default());
    let stream = net.client.engine().open(net.now, &get("/a"), true).unwrap();
    net.client.engine().shutdown(net.now, Shutdown::Graceful);
    net.run(5);
    net.server.engine().respond(net.now, stream, &status(200), true);
    let heard = net.client_told();
    assert_eq!(heard, ["s0.0 200 end", "s0.0 ended", "Closed { cause: ShutDown }"]);
    assert_eq!(net.server_told().last().unwrap(), "Closed { cause: Closed }");
    assert_eq!(net.server.code(), Some(0x100));
}

#[test]
fn a_connection_that_breaks_ends_every_stream_once() {
    let mut net = pair(&Config::default());
    let answered = net.client.engine().open(net.now, &get("/a"), true).unwrap();
    net.client.engine().open(net.now, &get("/b"), true).unwrap();
    net.run(5);
    net.server.engine().respond(net.now, answered, &status(200), false);
    net.run(5);
    net.client.engine().open(net.now, &get("/c"), true).unwrap();
    net.server.engine().shutdown(net.now, Shutdown::Now);
    // What this side has not heard of yet goes out before it does.
    let heard = net.client_told();
    assert_eq!(
        heard,
        [
            "s0.0 200",
            "s0.0 Incomplete Answered",
            "s1.0 Closed Unknown",
            "s2.0 Closed Unknown",
            "Closed { cause: Closed }"
        ]
    );
    assert_eq!(net.server_told().last().unwrap(), "Closed { cause: ShutDown }");
    assert_eq!(net.client.engine().poll_timeout(), None);
}

/// With tables on both sides, late acknowledgements and all, fields stay what they are.
#[test]
fn compression_with_tables() {
    let config = Config { qpack_table: 4_096, qpack_blocked: 16, ..Config::default() };
    let mut net = pair(&config);
    for n in 0..200 {
        let mut request = get(&format!("/{n}"));
        *request.headers_mut() = fields(&[
            ("user-agent", "regatta/0.1"),
            ("x-token", &"t".repeat(10 + n % 50)),
            ("x-number", &(n % 9).to_string()),
        ]);
        let stream = net.client.engine().open(net.now, &request, true).unwrap();
        net.run(3);
        let asked = net.server.events.iter().find_map(|event| match event {
            Event::Head { stream, head: Head::Request(head), .. } => Some((*stream, head.clone())),
            _ => None,
        });
        let (asked, head) = asked.unwrap();
        assert_eq!(head.headers(), request.headers());
        let mut response = status(200);
        *response.headers_mut() = request.headers().clone();
        net.server.engine().respond(net.now, asked, &response, true);
        net.run(3);
        let heard = net.client.events.iter().find_map(|event| match event {
            Event::Head { stream, head: Head::Response(head), .. } => Some((*stream, head.clone())),
            _ => None,
        });
        let (heard, head) = heard.unwrap();
        assert_eq!((heard, head.headers()), (stream, request.headers()));
        net.client.events.clear();
        net.server.events.clear();
    }
}
