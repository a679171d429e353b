//! RFC 9112 5: field syntax, and the limits on heads.

use super::*;

const OK: &str = "GET /; end; ended << 200 OK";
const FIELD: &str = "closed Protocol(Field) << 400 Bad Request";
const LARGE: &str = "closed Protocol(HeadTooLarge) << 431 Request Header Fields Too Large";

/// 5.1, 5.2: no space before the colon, no folding, token names, visible values.
// rule: M-4a M-4b A37 A38
#[test]
fn field_lines() {
    for (line, expected) in [
        ("x: y", OK),
        ("x:y", OK),
        ("x:\t y \t", OK),
        ("x:", OK),
        ("x: a\tb", OK),
        ("x : y", FIELD),
        ("x\t: y", FIELD),
        (": y", FIELD),
        ("x", FIELD),
        ("x y: z", FIELD),
        ("x: y\r\n z", FIELD),
        ("x: y\r\n\tz", FIELD),
        ("x(: y", FIELD),
        ("x: \x01", FIELD),
        ("x: a\x7fb", FIELD),
        ("x\x0b: y", FIELD),
        ("x: \x0by", FIELD),
    ] {
        let input = format!("GET / HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n");
        assert_eq!(server(&input, Then::Open), expected, "{line:?}");
        let input = format!("HTTP/1.1 204 No Content\r\n{line}\r\n\r\n");
        let expected = match expected {
            OK => "204; end; ended",
            _ => "reset Protocol(Field) Answered; closed Protocol(Field)",
        };
        assert_eq!(client(&get(), &input, Then::Open), expected, "{line:?}");
    }
}

/// Names are compared without case and kept in lower case; values lose only outer white space.
#[test]
fn names_and_values() {
    let (mut engine, _) = asked(&get(), true);
    engine.receive(NOW, b"HTTP/1.1 204 x\r\nX-Y:  a\xe9 b \r\nx-y: c\r\n\r\n");
    let Some(Event::Head { head: Head::Response(head), .. }) = engine.poll_event() else {
        panic!("no response");
    };
    let values: Vec<_> =
        head.headers().get_all("x-y").iter().map(|value| value.as_bytes()).collect();
    assert_eq!(values, [b"a\xe9 b".as_slice(), b"c"]);
}

// rule: L-4a A49
#[test]
fn limits_on_heads() {
    let config = Config { max_head_bytes: 100, max_head_fields: 3, ..Config::default() };
    let with = |fields: &str| format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    let exact = with(&format!("x: {}\r\n", "y".repeat(100 - 16 - 9 - 5 - 2)));
    assert_eq!(exact.len(), 100);
    for (input, expected) in [
        (exact, OK),
        (with(&format!("x: {}\r\n", "y".repeat(100 - 16 - 9 - 5 - 1))), LARGE),
        (with(&format!("x: {}", "y".repeat(100))), LARGE),
        (format!("GET /{}", "y".repeat(100)), LARGE),
        (with("x: y\r\nx: y\r\n"), OK),
        (with("x: y\r\nx: y\r\nx: y\r\n"), LARGE),
    ] {
        assert_eq!(server_with(&config, input.as_bytes(), Then::Open), expected, "{input:?}");
        let input = input.replace("GET / HTTP/1.1", "HTTP/1.1 204 x");
        let expected = match expected {
            OK => "204; end; ended",
            _ => "reset Protocol(HeadTooLarge) Answered; closed Protocol(HeadTooLarge)",
        };
        if input.starts_with("HTTP") {
            let got = client_with(&config, &get(), input.as_bytes(), Then::Open);
            assert_eq!(got, expected, "{input:?}");
        }
    }
}

/// More fields than the parser has on its stack.
// rule: L-4a
#[test]
fn many_fields() {
    let fields: String = (0..99).map(|n| format!("x-{n}: {n}\r\n")).collect();
    assert_eq!(server(&format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"), Then::Open), OK);
    let more = format!("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n{fields}\r\n");
    assert_eq!(server(&more, Then::Open), LARGE);
}

/// However the bytes come: the start line comes before the fields.
#[test]
fn a_bad_start_line_of_a_head_with_too_many_fields() {
    let config = Config { max_head_fields: 1, ..Config::default() };
    let long = "y".repeat(20);
    for (start, expected) in [
        (
            format!("HTTP/1.1 200 {long}\0"),
            "reset Protocol(StartLine) Answered; closed Protocol(StartLine)",
        ),
        (
            format!("HTTP/1.1 200 {long}"),
            "reset Protocol(HeadTooLarge) Answered; closed Protocol(HeadTooLarge)",
        ),
    ] {
        let input = format!("{start}\r\nx: y\r\nx: y\r\n\r\n");
        assert_eq!(client_with(&config, &get(), input.as_bytes(), Then::Open), expected);
    }
}

/// Fields that are the connection's are never the caller's.
// rule: H-1a H-1b
#[test]
fn connection_fields_are_ours() {
    let mut head = request("POST", "http://a/");
    for (name, value) in [
        ("transfer-encoding", "gzip, chunked"),
        ("connection", "X-Hop, keep-alive, content-length, te"),
        ("connection", "x-other"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("upgrade", "websocket"),
        ("te", "gzip, trailers;q=0.5"),
        ("te", "Trailers"),
        ("x-hop", "1"),
        ("x-other", "2"),
        ("x", "y"),
    ] {
        head.headers_mut().append(name, value.parse().unwrap());
    }
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &head, false).unwrap();
    assert_eq!(
        written(&mut engine),
        "POST / HTTP/1.1\r\nhost: a\r\nx: y\r\nte: trailers\r\n\
         transfer-encoding: chunked\r\nconnection: te\r\n\r\n"
    );
    // A coding that cannot be decoded is not asked for.
    let mut head = get();
    head.headers_mut().insert("te", "gzip".parse().unwrap());
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &head, true).unwrap();
    assert_eq!(written(&mut engine), "GET / HTTP/1.1\r\nhost: example.com\r\n\r\n");
    // A server's answer, and one before it.
    let mut head = status(200);
    for (name, value) in [("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=5")] {
        head.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut engine, stream) = heard("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut early = head.clone();
    *early.status_mut() = StatusCode::EARLY_HINTS;
    engine.respond(NOW, stream, &early, false);
    engine.respond(NOW, stream, &head, true);
    assert_eq!(
        written(&mut engine),
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    );
}
