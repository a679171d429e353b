//! RFC 9110 7.8 and 9.3.6: Upgrade and CONNECT (H-6, A45, A49, T-1).

use super::*;

fn websocket() -> Request<()> {
    let mut head = get();
    head.headers_mut().insert("connection", "Upgrade".parse().unwrap());
    head.headers_mut().insert("upgrade", "websocket, x/1".parse().unwrap());
    head
}

const SWITCH: &str = "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\n";

/// RFC 8441 and RFC 9220 have no word for it here: a plain CONNECT would ask for something else.
#[test]
fn an_extended_connect_cannot_be_said() {
    let mut engine = H1::client(&Config::default(), NOW);
    let mut head = Request::connect("https://example.com/chat").body(()).unwrap();
    head.extensions_mut().insert(crate::engine::Extended::new("websocket").unwrap());
    assert_eq!(engine.open(NOW, &head, false), Err(OpenError::Unsayable));
}

// rule: H-5b A45
#[test]
fn an_upgraded_client() {
    let mut engine = H1::client(&Config::default(), NOW);
    let stream = engine.open(NOW, &websocket(), false).unwrap();
    assert_eq!(
        written(&mut engine),
        "GET / HTTP/1.1\r\nhost: example.com\r\nupgrade: websocket, x/1\r\n\
         connection: upgrade\r\n\r\n"
    );
    engine.send(NOW, stream, Bytes::from_static(b"early"), false);
    assert_eq!(written(&mut engine), "", "A45: nothing before 101");
    engine.receive(NOW, format!("{SWITCH}first").as_bytes());
    assert_eq!(said(&mut engine), "101; goaway; \"first\"");
    assert_eq!(written(&mut engine), "early");
    assert_eq!(said(&mut engine), "capacity");
    engine.receive(NOW, b"HTTP/1.1 is only bytes now\n");
    assert_eq!(said(&mut engine), "\"HTTP/1.1 is only bytes now\n\"");
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "end");
    assert!(!engine.write_ended());
    engine.send(NOW, stream, Bytes::from_static(b"bye"), true);
    assert_eq!(written(&mut engine), "bye");
    assert_eq!(said(&mut engine), "ended; closed ShutDown");
}

#[test]
fn a_request_that_was_ended_is_upgraded_all_the_same() {
    let (mut engine, stream) = asked(&websocket(), true);
    engine.receive(NOW, SWITCH.as_bytes());
    engine.send(NOW, stream, Bytes::from_static(b"hi"), true);
    assert_eq!(written(&mut engine), "hi");
    assert!(engine.write_ended());
    assert_eq!(said(&mut engine), "101; goaway");
    engine.receive(NOW, b"there");
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "\"there\"; end; ended; closed ShutDown");
}

#[test]
fn a_tunnel_that_breaks_is_reset() {
    let (mut engine, _) = asked(&websocket(), false);
    engine.receive(NOW, format!("{SWITCH}x").as_bytes());
    engine.receive_end(NOW, false, Cause::ConnectionReset);
    let expected = "101; goaway; \"x\"; reset ConnectionReset Answered; closed ConnectionReset";
    assert_eq!(said(&mut engine), expected);
    // The peer has ended its half; then the writing breaks.
    let (mut engine, _) = asked(&websocket(), false);
    engine.receive(NOW, SWITCH.as_bytes());
    engine.receive_end(NOW, true, Cause::Closed);
    engine.receive_end(NOW, false, Cause::ConnectionReset);
    let expected = "101; goaway; end; reset ConnectionReset Answered; closed ConnectionReset";
    assert_eq!(said(&mut engine), expected);
}

// rule: H-5b A45
#[test]
fn a_declined_upgrade_is_a_usual_response() {
    let (mut engine, stream) = asked(&websocket(), false);
    engine.send(NOW, stream, Bytes::from_static(b"early"), false);
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(said(&mut engine), "200; \"hi\"; end; ended");
    assert_eq!(written(&mut engine), "", "A45: meant for the tunnel, never sent");
    engine.open(NOW, &get(), true).unwrap();
}

/// A49: a protocol change that was not asked for.
// rule: H-5b A49
#[test]
fn switches_out_of_place() {
    let bad = "reset Protocol(Upgrade) Answered; closed Protocol(Upgrade)";
    assert_eq!(client(&get(), SWITCH, Then::Open), bad);
    assert_eq!(client(&request("CONNECT", "a:1"), SWITCH, Then::Open), bad);
    for answer in [
        "HTTP/1.1 101 x\r\n\r\n",
        "HTTP/1.1 101 x\r\nupgrade: other\r\n\r\n",
        "HTTP/1.1 101 x\r\nupgrade: websocket, other\r\n\r\n",
        "HTTP/1.1 101 x\r\nupgrade:\r\n\r\n",
    ] {
        assert_eq!(client(&websocket(), answer, Then::Open), bad, "{answer:?}");
    }
    let mut head = websocket();
    *head.method_mut() = http::Method::POST;
    let (mut engine, _) = asked(&head, false);
    engine.receive(NOW, SWITCH.as_bytes());
    assert_eq!(said(&mut engine), bad, "the request's body is not complete");
}

// rule: H-6a H-6c H-6d
#[test]
fn a_connected_client() {
    let (mut engine, stream) = asked(&request("CONNECT", "b:443"), false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), false);
    assert_eq!(written(&mut engine), "", "H-6: no payload before 2xx");
    // H-6: 2xx to CONNECT has no length, whatever it says.
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef");
    assert_eq!(said(&mut engine), "200; goaway; \"abcdef\"");
    assert_eq!(written(&mut engine), "hello");
    assert!(!engine.write_ended());
    engine.send(NOW, stream, Bytes::new(), true);
    assert!(engine.write_ended());
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "capacity; end; ended; closed ShutDown");
}

// rule: H-6d
#[test]
fn a_refused_connect() {
    let (mut engine, stream) = asked(&request("CONNECT", "b:443"), false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), true);
    engine.receive(NOW, b"HTTP/1.1 403 x\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!(written(&mut engine), "");
    assert_eq!(said(&mut engine), "403; \"no\"; end; ended");
}

// rule: H-6a H-6c
#[test]
fn a_server_accepts_connect() {
    let (mut engine, stream) = heard("CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\nGET / early");
    assert!(!engine.wants_input(), "what follows is kept until the answer");
    assert_eq!(said(&mut engine), "");
    let mut head = status(200);
    head.headers_mut().insert("content-length", "5".parse().unwrap());
    engine.respond(NOW, stream, &head, false);
    assert_eq!(written(&mut engine), "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(said(&mut engine), "goaway; \"GET / early\"");
    engine.receive(NOW, b"more");
    engine.send(NOW, stream, Bytes::from_static(b"back"), false);
    assert_eq!(written(&mut engine), "back");
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "\"more\"; capacity; end");
    engine.send(NOW, stream, Bytes::from_static(b"!"), true);
    assert_eq!(written(&mut engine), "!");
    assert_eq!(said(&mut engine), "ended; closed ShutDown");
}

#[test]
fn a_server_that_only_listens() {
    let (mut engine, stream) = heard("CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\n");
    engine.respond(NOW, stream, &status(200), true);
    assert!(!engine.write_ended());
    assert_eq!(written(&mut engine), "HTTP/1.1 200 OK\r\n\r\n");
    assert!(engine.write_ended());
    engine.receive(NOW, b"hello");
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "goaway; \"hello\"; end; ended; closed ShutDown");
}

/// T-1: what follows a refused CONNECT was meant for the tunnel and is not heard.
// rule: H-6b H-6d A50
#[test]
fn a_server_refuses_connect() {
    let next = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut engine, stream) = heard(&format!("CONNECT b:1 HTTP/1.1\r\nhost: b\r\n\r\n{next}"));
    engine.respond(NOW, stream, &status(403), true);
    let expected = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(written(&mut engine), expected);
    assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown");
    for field in ["content-length: 5", "transfer-encoding: chunked"] {
        let input = format!("CONNECT b:1 HTTP/1.1\r\nhost: b\r\n{field}\r\n\r\n");
        let bad = "closed Protocol(ConflictingLength) << 400 Bad Request";
        assert_eq!(server(&input, Then::Open), bad);
    }
}

// rule: H-5c
#[test]
fn a_server_upgrades() {
    let input = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nfirst";
    let mut head = status(101);
    head.headers_mut().insert("upgrade", "x".parse().unwrap());
    let (mut engine, stream) = heard(input);
    engine.respond(NOW, stream, &head, false);
    let expected = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    assert_eq!(written(&mut engine), expected);
    assert_eq!(said(&mut engine), "goaway; \"first\"");
    engine.send(NOW, stream, Bytes::new(), true);
    assert!(engine.write_ended());
    engine.receive_end(NOW, true, Cause::Closed);
    assert_eq!(said(&mut engine), "end; ended; closed ShutDown");
    // Not asked for, or not said to what.
    let (mut engine, stream) = heard("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    engine.respond(NOW, stream, &head, false);
    assert_eq!(said(&mut engine), "reset Cancelled Unsent; closed Cancelled");
    let (mut engine, stream) = heard(input);
    engine.respond(NOW, stream, &status(101), false);
    assert_eq!(said(&mut engine), "reset Cancelled Unsent; closed Cancelled");
}

/// The client's half ended before the server answered.
// rule: H-6c
#[test]
fn a_half_that_ended_before_the_tunnel_began() {
    let (mut engine, stream) = heard("CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\nall");
    engine.receive_end(NOW, true, Cause::Closed);
    engine.respond(NOW, stream, &status(200), false);
    written(&mut engine);
    assert_eq!(said(&mut engine), "goaway; \"all\"; end");
    engine.send(NOW, stream, Bytes::from_static(b"x"), true);
    written(&mut engine);
    assert_eq!(said(&mut engine), "ended; closed ShutDown");
}
