//! RFC 9110 10.1.1 and 15.2: Expect: 100-continue and interim responses (H-5, H-7, A43, A44).

use super::*;

fn expecting() -> (H1, StreamId) {
    let mut head = request("POST", "http://a/");
    head.headers_mut().insert("expect", "100-Continue".parse().unwrap());
    head.headers_mut().insert("content-length", "5".parse().unwrap());
    let mut engine = H1::client(&Config::default(), NOW);
    let stream = engine.open(NOW, &head, false).unwrap();
    engine.send(NOW, stream, Bytes::from_static(b"hello"), true);
    assert!(written(&mut engine).ends_with("content-length: 5\r\n\r\n"));
    assert_eq!(said(&mut engine), "");
    (engine, stream)
}

// rule: H-5a
#[test]
fn the_body_goes_after_100() {
    let (mut engine, _) = expecting();
    engine.receive(NOW, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(said(&mut engine), "", "100 is used up");
    assert_eq!(engine.poll_timeout(), None);
    assert_eq!(written(&mut engine), "hello");
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(said(&mut engine), "200; end; ended");
}

// rule: H-7d
#[test]
fn the_body_goes_after_the_timeout() {
    let (mut engine, _) = expecting();
    assert_eq!(engine.poll_timeout(), Some(Instant::from_millis(1000)));
    engine.handle_timeout(Instant::from_millis(999));
    assert_eq!(written(&mut engine), "");
    engine.handle_timeout(Instant::from_millis(1000));
    assert_eq!(written(&mut engine), "hello");
    assert_eq!(engine.poll_timeout(), None);
    engine.receive(NOW, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n");
    assert_eq!(said(&mut engine), "204; end; ended", "a late 100 changes nothing");
}

#[test]
fn another_interim_response_does_not_release_the_body() {
    let (mut engine, _) = expecting();
    engine.receive(NOW, b"HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(said(&mut engine), "(103)");
    assert_eq!(written(&mut engine), "");
}

/// Whether the server takes the next bytes for the body is not known: never reuse.
// rule: H-7a A44
#[test]
fn a_final_response_instead_of_100() {
    for line in ["417 Expectation Failed", "200 OK", "401 Unauthorized"] {
        let (mut engine, stream) = expecting();
        engine.receive(NOW, format!("HTTP/1.1 {line}\r\ncontent-length: 2\r\n\r\n").as_bytes());
        engine.send(NOW, stream, Bytes::from_static(b"hello"), true);
        engine.receive(NOW, b"no");
        assert_eq!(written(&mut engine), "");
        let code = &line[..3];
        let expected = format!("{code}; goaway; \"no\"; end; ended; closed ShutDown");
        assert_eq!(said(&mut engine), expected);
    }
}

#[test]
fn held_frames_keep_their_capacity() {
    let mut head = request("POST", "http://a/");
    head.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let (mut engine, stream) = asked(&head, false);
    engine.send(NOW, stream, Bytes::from_static(b"hello"), false);
    assert_eq!((written(&mut engine), said(&mut engine)), (String::new(), String::new()));
    engine.receive(NOW, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(written(&mut engine), "5\r\nhello\r\n");
    assert_eq!(said(&mut engine), "capacity");
}

/// RFC 9110 10.1.1: no body, nothing to expect.
// rule: H-7d
#[test]
fn expect_without_a_body_waits_for_nothing() {
    let mut head = get();
    head.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &head, true).unwrap();
    assert_eq!(written(&mut engine), "GET / HTTP/1.1\r\nhost: example.com\r\n\r\n");
    assert_eq!(engine.poll_timeout(), None);
}

// rule: H-5a A49
#[test]
fn interim_responses_are_passed_on_and_counted() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let done = "HTTP/1.1 204 x\r\n\r\n";
    let input =
        format!("{hints}HTTP/1.1 100 x\r\n\r\nHTTP/1.1 102 x\r\ncontent-length: 5\r\n\r\n{done}");
    assert_eq!(client(&get(), &input, Then::Open), "(103); (102); 204; end; ended");
    let config = Config { max_informational: 3, ..Config::default() };
    let flood = |n| {
        let input = hints.repeat(n) + done;
        client_with(&config, &get(), input.as_bytes(), Then::Open)
    };
    assert_eq!(flood(3), "(103); (103); (103); 204; end; ended");
    let bad = "(103); (103); (103); reset Protocol(Excessive) Answered; closed Protocol(Excessive)";
    assert_eq!(flood(4), bad);
    let input = "HTTP/1.1 100 x\r\n\r\n".repeat(4);
    assert_eq!(
        client_with(&config, &get(), input.as_bytes(), Then::Open),
        "reset Protocol(Excessive) Answered; closed Protocol(Excessive)"
    );
}

const POST: &str =
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

// rule: H-7c
#[test]
fn a_server_sends_100_when_the_body_is_wanted() {
    let (mut engine, stream) = heard(POST);
    assert_eq!(written(&mut engine), "");
    engine.allow(NOW, stream, 0);
    assert_eq!(written(&mut engine), CONTINUE);
    engine.allow(NOW, stream, 0);
    assert_eq!(written(&mut engine), "");
    engine.receive(NOW, b"hello");
    engine.respond(NOW, stream, &status(200), true);
    assert_eq!(written(&mut engine), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(said(&mut engine), "\"hello\"; end; ended");
}

// rule: H-7c
#[test]
fn a_server_sends_100_when_the_handler_does_nothing() {
    let (mut engine, _) = heard(POST);
    let deadline = engine.poll_timeout().unwrap();
    engine.handle_timeout(deadline);
    assert_eq!(written(&mut engine), CONTINUE);
    let pace = Config::default().pace.unwrap();
    assert_eq!(engine.poll_timeout(), Some(deadline + pace.window), "now the body is waited for");
}

// rule: H-7c
#[test]
fn a_body_that_comes_by_itself_needs_no_100() {
    let (mut engine, stream) = heard(&format!("{POST}hel"));
    engine.allow(NOW, stream, 3);
    assert_eq!(written(&mut engine), "");
    let pace = Config::default().pace.unwrap();
    assert_eq!(engine.poll_timeout(), Some(NOW + pace.window), "only the rest is waited for");
}

/// After the final head there is no 100, and the connection is not used again.
// rule: H-7b
#[test]
fn a_final_response_without_100_ends_the_connection() {
    let (mut engine, stream) = heard(POST);
    engine.respond(NOW, stream, &status(401), false);
    engine.allow(NOW, stream, 0);
    engine.send(NOW, stream, Bytes::from_static(b"no"), true);
    assert_eq!(
        written(&mut engine),
        "HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         2\r\nno\r\n0\r\n\r\n"
    );
    assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown");
}

/// Whether the declined body comes or not, nothing behind the head is taken for a request.
// rule: A43 H-7b
#[test]
fn a_declined_body_is_no_request() {
    for early in [true, false] {
        let (mut engine, stream) = heard(POST);
        let hidden = b"GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        engine.respond(NOW, stream, &status(413), !early);
        if early {
            engine.receive(NOW, hidden);
            engine.send(NOW, stream, Bytes::new(), true);
        }
        assert!(written(&mut engine).starts_with("HTTP/1.1 413 "));
        engine.receive(NOW, hidden);
        assert_eq!(said(&mut engine), "goaway; ended; closed ShutDown", "{early}");
        assert_eq!(written(&mut engine), "");
    }
}

// rule: H-5c H-7c
#[test]
fn a_handler_may_send_interim_responses() {
    let (mut engine, stream) = heard(POST);
    engine.respond(NOW, stream, &status(103), false);
    engine.respond(NOW, stream, &status(100), false);
    engine.allow(NOW, stream, 0);
    assert_eq!(written(&mut engine), format!("HTTP/1.1 103 Early Hints\r\n\r\n{CONTINUE}"));
    let (mut engine, stream) = heard("GET / HTTP/1.0\r\n\r\n");
    engine.respond(NOW, stream, &status(103), false);
    assert_eq!(written(&mut engine), "", "HTTP/1.0 knows none");
    let (mut engine, stream) = heard(&POST.replace("1.1", "1.0"));
    engine.allow(NOW, stream, 0);
    assert_eq!(written(&mut engine), "");
}
