//! Ends, of time and of transport: what is told to whom, and whether a request may go again.

use super::*;

const ONE: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// What a client's stream says when the transport ends, by how far it was.
// rule: M-7c A41
#[test]
fn a_client_when_the_transport_ends() {
    for (input, then, expected) in [
        ("", Then::Clean, "reset Closed Unknown; closed Closed"),
        ("", Then::Broken, "reset ConnectionReset Unknown; closed ConnectionReset"),
        ("H", Then::Clean, "reset Incomplete Answered; closed Incomplete"),
        ("HTTP/1.1 200 OK\r\n", Then::Broken, "reset Incomplete Answered; closed Incomplete"),
        ("HTTP/1.1 100 x\r\n\r\n", Then::Clean, "reset Incomplete Answered; closed Incomplete"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
            Then::Clean,
            "200; \"hel\"; reset Incomplete Answered; closed Incomplete",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            Then::Clean,
            "200; \"hello\"; reset Incomplete Answered; closed Incomplete",
        ),
        ("HTTP/1.1 204 x\r\n\r\n", Then::Clean, "204; end; ended; closed Closed"),
        ("HTTP/1.1 204 x\r\n\r\n", Then::Broken, "204; end; ended; closed ConnectionReset"),
    ] {
        assert_eq!(client(&get(), input, then), expected, "{input:?} {then:?}");
    }
}

#[test]
fn an_unwritten_request_is_unsent() {
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &get(), true).unwrap();
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "reset Closed Unsent; closed Closed");
    let mut engine = H1::client(&Config::default(), NOW);
    let stream = engine.open(NOW, &get(), true).unwrap();
    engine.reset(NOW, stream);
    assert_eq!(said(&mut engine), "reset Cancelled Unsent; closed Cancelled");
    assert_eq!(written(&mut engine), "");
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &get(), true).unwrap();
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, 0);
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "reset Closed Unsent; closed Closed");
}

#[test]
fn an_idle_client_hears_of_the_end() {
    let mut engine = H1::client(&Config::default(), NOW);
    assert!(engine.wants_input());
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "closed Closed");
    assert!(!engine.wants_input());
    engine.receive(NOW, b"late");
    engine.receive_end(NOW, false, Cause::ConnectionReset);
    assert_eq!(said(&mut engine), "");
    assert_eq!(engine.open(NOW, &get(), true), Err(OpenError::Refusing));
}

// rule: M-7c
#[test]
fn a_server_when_the_transport_ends() {
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel";
    for (input, then, expected) in [
        ("", Then::Clean, "closed Closed"),
        ("GET / H", Then::Clean, "closed Closed"),
        (ONE, Then::Clean, "GET /; end; ended; closed Closed << 200 OK"),
        (post, Then::Clean, "POST /; \"hel\"; reset Incomplete Unsent; closed Incomplete"),
        (
            post,
            Then::Broken,
            "POST /; \"hel\"; reset ConnectionReset Unsent; closed ConnectionReset",
        ),
    ] {
        assert_eq!(server(input, then), expected, "{input:?} {then:?}");
    }
    // The client is gone while the handler works: a write that fails says so.
    let (mut engine, _) = heard(ONE);
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "goaway");
    engine.receive_end(NOW, false, Cause::ConnectionReset);
    assert_eq!(said(&mut engine), "reset ConnectionReset Unsent; closed ConnectionReset");
}

#[test]
fn graceful_shutdown() {
    for server in [false, true] {
        let config = Config::default();
        let mut engine = if server { H1::server(&config, NOW) } else { H1::client(&config, NOW) };
        engine.shutdown(NOW, Shutdown::Graceful);
        assert_eq!(said(&mut engine), "goaway; closed ShutDown");
        engine.shutdown(NOW, Shutdown::Graceful);
        engine.shutdown(NOW, Shutdown::Now);
        assert_eq!(said(&mut engine), "");
    }
    let (mut engine, stream) = heard(ONE);
    engine.shutdown(NOW, Shutdown::Graceful);
    assert_eq!(said(&mut engine), "goaway");
    engine.respond(NOW, stream, &status(200), false);
    engine.send(NOW, stream, Bytes::from_static(b"bye"), true);
    assert!(written(&mut engine).contains("connection: close\r\n"));
    assert_eq!(said(&mut engine), "ended; closed ShutDown");
    let (mut engine, _) = asked(&get(), true);
    engine.shutdown(NOW, Shutdown::Graceful);
    engine.receive(NOW, b"HTTP/1.1 204 x\r\n\r\n");
    assert_eq!(said(&mut engine), "goaway; 204; end; ended; closed ShutDown");
}

/// A request of which part has come when the drain begins is answered.
#[test]
fn graceful_shutdown_in_the_middle_of_a_head() {
    let mut engine = H1::server(&Config::default(), NOW);
    engine.receive(NOW, b"GET / HT");
    engine.shutdown(NOW, Shutdown::Graceful);
    assert_eq!(said(&mut engine), "goaway");
    engine.receive(NOW, b"TP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(said(&mut engine), "GET /; end");
}

#[test]
fn how_long_a_transport_that_takes_nothing_is_waited_for() {
    let config = Config::default();
    let (write, close) = (Some(config.write_timeout), Some(config.close_timeout));
    let (mut client, _) = asked(&get(), true);
    assert_eq!(client.patience(), None, "who waits for the answer decides");
    client.shutdown(NOW, Shutdown::Graceful);
    assert_eq!(client.patience(), None);
    client.receive(NOW, b"HTTP/1.1 204 x\r\n\r\n");
    assert_eq!(client.patience(), close);
    let (mut server, stream) = heard(ONE);
    server.respond(NOW, stream, &status(200), true);
    server.shutdown(NOW, Shutdown::Graceful);
    assert_eq!(server.patience(), write, "its answer is missed");
    server.shutdown(NOW, Shutdown::Now);
    assert_eq!(server.patience(), close);
}

#[test]
fn immediate_shutdown() {
    let (mut engine, _) = asked(&get(), true);
    engine.shutdown(NOW, Shutdown::Now);
    assert_eq!(said(&mut engine), "reset ShutDown Unknown; closed ShutDown");
    let (mut engine, stream) = heard(ONE);
    engine.respond(NOW, stream, &status(200), false);
    engine.shutdown(NOW, Shutdown::Now);
    assert_eq!(said(&mut engine), "reset ShutDown Unsent; closed ShutDown");
    assert_eq!(written(&mut engine), "");
}

#[test]
fn stale_and_misplaced_commands_are_ignored() {
    let (mut engine, stream) = asked(&get(), true);
    let stale = StreamId::new(0, 7);
    engine.send(NOW, stream, Bytes::from_static(b"x"), true);
    engine.trailers(NOW, stream, HeaderMap::new());
    engine.respond(NOW, stream, &status(200), true);
    engine.reset(NOW, stale);
    engine.allow(NOW, stale, 5);
    engine.send(NOW, stale, Bytes::from_static(b"x"), true);
    assert_eq!((written(&mut engine), said(&mut engine)), (String::new(), String::new()));
    let (mut engine, stream) = heard(ONE);
    engine.send(NOW, stream, Bytes::from_static(b"before the head"), true);
    assert_eq!(engine.open(NOW, &get(), true), Err(OpenError::Refusing));
    engine.respond(NOW, stream, &status(200), true);
    engine.respond(NOW, stream, &status(500), true);
    assert_eq!(written(&mut engine), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

const fn seconds(n: u64) -> Instant {
    Instant::from_millis(n * 1000)
}

/// The first head is due from the connection's start, a later one from its first byte.
// rule: L-10 A21
#[test]
fn head_timeout() {
    let refused = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let config = Config { head_timeout: Duration::from_secs(10), ..Config::default() };
    let mut engine = H1::server(&config, NOW);
    assert_eq!(engine.poll_timeout(), Some(seconds(10)));
    engine.receive(seconds(9), b"GET /");
    assert_eq!(engine.poll_timeout(), Some(seconds(10)), "bytes do not put it off");
    engine.handle_timeout(seconds(9));
    assert_eq!(said(&mut engine), "");
    engine.handle_timeout(seconds(10));
    assert_eq!(said(&mut engine), "closed ShutDown");
    assert_eq!(written(&mut engine), refused);

    let mut engine = H1::server(&config, NOW);
    engine.receive(seconds(1), ONE.as_bytes());
    assert_eq!(engine.poll_timeout(), None, "a handler may take its time");
    let Some(Event::Head { stream, .. }) = engine.poll_event() else { panic!() };
    engine.respond(seconds(20), stream, &status(200), true);
    engine.transmit(seconds(20), &mut Output::new(), usize::MAX);
    assert_eq!(engine.poll_timeout(), Some(seconds(80)), "idle");
    engine.receive(seconds(30), b"G");
    assert_eq!(engine.poll_timeout(), Some(seconds(40)));
    engine.receive(seconds(31), b"E");
    assert_eq!(engine.poll_timeout(), Some(seconds(40)));
}

// rule: L-9
#[test]
fn idle_timeout() {
    let (mut engine, stream) = heard(ONE);
    engine.respond(NOW, stream, &status(200), true);
    engine.transmit(NOW, &mut Output::new(), usize::MAX);
    assert_eq!(said(&mut engine), "ended");
    assert_eq!(engine.poll_timeout(), Some(seconds(60)));
    engine.handle_timeout(seconds(60));
    assert_eq!(
        (said(&mut engine), written(&mut engine)),
        ("closed ShutDown".into(), String::new())
    );
    assert_eq!(engine.poll_timeout(), None);
}

/// A silent connection is closed without a word.
#[test]
fn nothing_ever_came() {
    let mut engine = H1::server(&Config::default(), NOW);
    engine.handle_timeout(seconds(60));
    assert_eq!(
        (said(&mut engine), written(&mut engine)),
        ("closed ShutDown".into(), String::new())
    );
}

/// Reading stops while the reader is behind, and goes on when it says so.
// rule: L-8
#[test]
fn back_pressure() {
    let config = Config { stream_buffer: 10, ..Config::default() };
    let mut engine = H1::client(&config, NOW);
    let stream = engine.open(NOW, &get(), true).unwrap();
    written(&mut engine);
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n123456789");
    assert!(engine.wants_input());
    engine.receive(NOW, b"01");
    assert!(!engine.wants_input());
    engine.allow(NOW, stream, 1);
    assert!(!engine.wants_input());
    engine.allow(NOW, stream, 1);
    assert!(engine.wants_input());
}

/// Capacity comes for each frame when all of it has left, not after the end.
#[test]
fn capacity() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    assert_eq!(said(&mut engine), "", "the first frame needs none");
    engine.send(NOW, stream, Bytes::from(vec![b'x'; 9000]), false);
    assert_eq!(said(&mut engine), "");
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, 100);
    assert_eq!(said(&mut engine), "", "part of it is still here");
    engine.transmit(NOW, &mut out, usize::MAX);
    assert_eq!(said(&mut engine), "capacity");
    engine.send(NOW, stream, Bytes::from_static(b"x"), false);
    engine.send(NOW, stream, Bytes::from_static(b"y"), true);
    written(&mut engine);
    assert_eq!(said(&mut engine), "", "the end needs none");
}
