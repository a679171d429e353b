//! RFC 9112 9: reuse, closing, pipelining, bytes that nobody asked for.

use super::*;

/// 9.3: when a connection persists.
// rule: M-8c
#[test]
fn a_client_reads_persistence() {
    let end = "; ended; closed GoAway(0)";
    for (version, field, persists) in [
        ("1.1", "", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "connection: x\r\nconnection: close\r\n", false),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.1", "connection: keep-alive, close\r\n", false),
        ("1.1", "proxy-connection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "connection: Keep-Alive\r\n", true),
        ("1.0", "proxy-connection: keep-alive\r\n", false),
    ] {
        let input = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{field}\r\n");
        let expected =
            if persists { "200; end; ended".to_owned() } else { format!("200; end; goaway{end}") };
        assert_eq!(client(&get(), &input, Then::Open), expected, "{version} {field:?}");
    }
}

// rule: M-8c
#[test]
fn a_server_reads_persistence() {
    let kept = "GET /; end; ended << 200 OK";
    let closed = "GET /; end; goaway; ended; closed GoAway(0) << 200 OK";
    for (version, field, expected) in [
        ("1.1", "", kept),
        ("1.1", "connection: close\r\n", closed),
        ("1.1", "connection: keep-alive\r\n", kept),
        ("1.0", "", closed),
        ("1.0", "connection: keep-alive\r\n", kept),
        ("1.0", "connection: keep-alive, close\r\n", closed),
    ] {
        let input = format!("GET / HTTP/{version}\r\nhost: a\r\n{field}\r\n");
        assert_eq!(server(&input, Then::Open), expected, "{version} {field:?}");
    }
}

/// 9.6: this side says `close` when it means it, and `keep-alive` to HTTP/1.0.
// rule: M-8c
#[test]
fn what_a_server_says_about_the_connection() {
    for (line, drain, expected) in [
        ("GET / HTTP/1.1\r\nhost: a", false, ""),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close", false, "connection: close\r\n"),
        ("GET / HTTP/1.1\r\nhost: a", true, "connection: close\r\n"),
        ("GET / HTTP/1.0\r\nconnection: keep-alive", false, "connection: keep-alive\r\n"),
        ("GET / HTTP/1.0\r\nconnection: keep-alive", true, "connection: close\r\n"),
        ("GET / HTTP/1.0", false, "connection: close\r\n"),
    ] {
        let (mut engine, stream) = heard(&format!("{line}\r\n\r\n"));
        if drain {
            engine.shutdown(NOW, Shutdown::Graceful);
        }
        engine.respond(NOW, stream, &status(200), true);
        let expected = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{expected}\r\n");
        assert_eq!(written(&mut engine), expected, "{line:?}");
    }
}

#[test]
fn what_a_client_says_about_the_connection() {
    let open = |old: bool, connection: &str| {
        let mut head = get();
        if old {
            *head.version_mut() = http::Version::HTTP_10;
        }
        head.headers_mut().insert("connection", connection.parse().unwrap());
        let mut engine = H1::client(&Config::default(), NOW);
        engine.open(NOW, &head, true).unwrap();
        (written(&mut engine), said(&mut engine))
    };
    let wire = |version: &str, rest: &str| {
        format!("GET / HTTP/{version}\r\nhost: example.com\r\n{rest}\r\n")
    };
    let (none, away) = (String::new(), "goaway".to_owned());
    assert_eq!(open(false, "x"), (wire("1.1", ""), none.clone()));
    assert_eq!(open(false, "close"), (wire("1.1", "connection: close\r\n"), away.clone()));
    assert_eq!(open(true, "keep-alive"), (wire("1.0", "connection: keep-alive\r\n"), none));
    assert_eq!(open(true, "x"), (wire("1.0", ""), away));
}

/// 9.2, A48: bytes on an idle connection, or behind a response, poison it.
// rule: M-6c A48
#[test]
fn unsolicited_bytes() {
    let one = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let poisoned = "200; \"hi\"; end; ended; closed Protocol(UnsolicitedBytes)";
    assert_eq!(client(&get(), &format!("{one}{one}"), Then::Open), poisoned);
    assert_eq!(client(&get(), &format!("{one}x"), Then::Open), poisoned);
    assert_eq!(client(&get(), &format!("{one}\r\n"), Then::Open), poisoned);
    let mut engine = H1::client(&Config::default(), NOW);
    engine.receive(NOW, b"H");
    assert_eq!(said(&mut engine), "closed Protocol(UnsolicitedBytes)");
    assert_eq!(engine.open(NOW, &get(), true), Err(OpenError::Refusing));
}

/// 9.2: poison is told even where the connection would have ended anyway.
// rule: M-6c A48
#[test]
fn unsolicited_bytes_before_the_request_is_out() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), true);
    engine.receive(NOW, b"HTTP/1.1 204 x\r\nconnection: close\r\n\r\nHTTP/1.1 200 OK\r\n");
    assert_eq!(said(&mut engine), "204; end; goaway");
    written(&mut engine);
    assert_eq!(said(&mut engine), "ended; closed Protocol(UnsolicitedBytes)");
}

/// 9.2: an answer that came before the question left is no answer to it.
// rule: M-6c A48
#[test]
fn a_response_before_the_request_was_written() {
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &get(), true).unwrap();
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        said(&mut engine),
        "reset Protocol(UnsolicitedBytes) Unsent; closed Protocol(UnsolicitedBytes)"
    );
    assert_eq!(written(&mut engine), "");
}

/// 9.3: pipelined requests are heard one after another, in order.
// rule: M-8a
#[test]
fn pipelining() {
    let input = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n\
                 POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi\
                 GET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n\
                 GET /4 HTTP/1.1\r\nhost: a\r\n\r\n";
    let expected = "GET /1; end; ended; POST /2; \"hi\"; end; ended; \
                    GET /3; end; goaway; ended; closed GoAway(0) << 200 OK << 200 OK << 200 OK";
    assert_eq!(server(input, Then::Open), expected);
}

// rule: M-8a
#[test]
fn a_pipelined_request_waits_unread() {
    let (mut engine, first) = heard("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(engine.wants_input());
    engine.receive(NOW, b"GET /2 HTTP/1.1\r\nhost: a\r\n\r\nG");
    assert!(!engine.wants_input());
    assert_eq!(said(&mut engine), "");
    engine.respond(NOW, first, &status(200), true);
    assert_eq!(said(&mut engine), "", "not before the first response is written");
    written(&mut engine);
    assert_eq!(said(&mut engine), "ended; GET /2; end");
    assert!(!engine.wants_input());
}

/// 9.6: a client that has ended its own direction still gets its answers.
#[test]
fn half_closed_clients_are_answered() {
    let one = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut engine, first) = heard(&one.repeat(2));
    engine.receive_end(NOW, true, Cause::Closed);
    engine.respond(NOW, first, &status(200), true);
    assert!(written(&mut engine).starts_with("HTTP/1.1 200 OK"));
    let heard = events(&mut engine);
    let [Event::Ended { .. }, Event::Head { stream, .. }] = heard[..] else {
        panic!("{heard:?}");
    };
    engine.respond(NOW, stream, &status(200), true);
    assert!(written(&mut engine).starts_with("HTTP/1.1 200 OK"));
    assert_eq!(said(&mut engine), "ended; closed Closed");
}

/// A request of which the client never sent the end is not waited for.
#[test]
fn half_closed_in_the_middle_of_a_pipelined_request() {
    let (mut engine, stream) = heard("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nho");
    engine.receive_end(NOW, true, Cause::Closed);
    engine.respond(NOW, stream, &status(200), true);
    written(&mut engine);
    assert_eq!(said(&mut engine), "ended; closed Closed");
}

/// RFC 9110 7.5 and A46: a short unread request is read on, a long one ends the connection.
// rule: A46
#[test]
fn unread_request_bodies() {
    let answer = |length: u64, first: usize| {
        let (mut engine, stream) =
            heard(&format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"));
        engine.receive(NOW, &vec![b'x'; first]);
        engine.respond(NOW, stream, &status(200), true);
        let wire = written(&mut engine);
        (engine, wire.contains("close"))
    };
    let (mut engine, _) = answer(70_000, 10);
    assert_eq!(said(&mut engine), "\"xxxxxxxxxx\"; goaway; ended; closed ShutDown");
    let (mut engine, _) = answer(60_000, 10);
    assert_eq!(said(&mut engine), "\"xxxxxxxxxx\"");
    assert!(engine.wants_input());
    engine.receive(NOW, &vec![b'x'; 59_989]);
    assert_eq!(said(&mut engine), "");
    engine.receive(NOW, b"xGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(said(&mut engine), "ended; GET /2; end");
    // A rest that never comes is not waited for.
    let (mut engine, _) = answer(60_000, 10);
    said(&mut engine);
    let deadline = engine.poll_timeout().unwrap();
    engine.handle_timeout(deadline);
    assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown");
}

// rule: A46
#[test]
fn unread_chunked_request_bodies() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let (mut engine, stream) = heard(head);
    engine.respond(NOW, stream, &status(200), true);
    written(&mut engine);
    engine.receive(NOW, b"3\r\nabc\r\n0\r\nx: y\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(said(&mut engine), "ended; GET /2; end");
    let (mut engine, stream) = heard(head);
    engine.respond(NOW, stream, &status(200), true);
    written(&mut engine);
    for _ in 0..70 {
        engine.receive(NOW, b"400\r\n");
        engine.receive(NOW, &[b'x'; 1024]);
        engine.receive(NOW, b"\r\n");
    }
    assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown");
}

/// A response that is complete stands, whatever becomes of the rest of its request.
#[test]
fn a_bad_rest_does_not_take_the_response_back() {
    for then in [Then::Open, Then::Clean] {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let (mut engine, stream) = heard(head);
        engine.respond(NOW, stream, &status(200), true);
        match then {
            Then::Open => engine.receive(NOW, b"nonsense"),
            _ => engine.receive_end(NOW, true, Cause::Closed),
        }
        assert_eq!(written(&mut engine), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown");
    }
}

/// 9.3: a response that is complete before its request ends both.
#[test]
fn early_responses() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), false);
    written(&mut engine);
    said(&mut engine);
    engine.receive(NOW, b"HTTP/1.1 413 x\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(said(&mut engine), "413");
    engine.send(NOW, stream, Bytes::from_static(b"more"), false);
    assert_eq!(written(&mut engine), "4\r\nmore\r\n", "the request goes on meanwhile");
    engine.receive(NOW, b"no");
    assert_eq!(said(&mut engine), "capacity; \"no\"; end; goaway; ended; closed ShutDown");
    engine.send(NOW, stream, Bytes::from_static(b"late"), true);
    assert_eq!(written(&mut engine), "");
}

/// A request whose end waits for the socket is not cut off by the response.
#[test]
fn a_response_while_the_request_is_being_written() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), true);
    engine.receive(NOW, b"HTTP/1.1 204 x\r\n\r\n");
    assert_eq!(said(&mut engine), "204; end");
    assert_eq!(written(&mut engine), "5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(said(&mut engine), "ended");
    engine.open(NOW, &get(), true).unwrap();
}
