//! RFC 9112 6: message body length, and every way to hide one message in another.

use super::*;

const LENGTH: &str = "closed Protocol(ConflictingLength) << 400 Bad Request";
const CODING: &str = "closed Protocol(ConflictingLength) << 501 Not Implemented";
const BAD: &str = "reset Protocol(ConflictingLength) Answered; closed Protocol(ConflictingLength)";

fn post(fields: &str, body: &str) -> String {
    server(&format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}"), Then::Open)
}

fn answer(fields: &str, body: &str) -> String {
    client(&get(), &format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}"), Then::Open)
}

/// 6.2, 6.3 (5): Content-Length is one run of digits on one line.
// rule: M-2a M-2b A33 A34
#[test]
fn content_length() {
    for value in [
        "+5",
        "-5",
        "0x5",
        "5,5",
        "5, 5",
        "5;",
        "5 5",
        "",
        "a",
        "5.0",
        "5e0",
        "\u{665}",
        ",5",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let field = format!("content-length: {value}\r\n");
        assert_eq!(post(&field, "hello"), LENGTH, "{value:?}");
        assert_eq!(answer(&field, "hello"), BAD, "{value:?}");
    }
    for fields in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\nx: y\r\nContent-Length: 0\r\n",
    ] {
        assert_eq!(post(fields, "hello"), LENGTH, "{fields:?}");
        assert_eq!(answer(fields, "hello"), BAD, "{fields:?}");
    }
    let ok = "POST /; \"hello\"; end; ended << 200 OK";
    assert_eq!(post("content-length: 5\r\n", "hello"), ok);
    assert_eq!(post("content-length:   005 \r\n", "hello"), ok);
    assert_eq!(post("content-length: 0\r\n", ""), "POST /; end; ended << 200 OK");
    assert_eq!(answer("content-length: 5\r\n", "hello"), "200; \"hello\"; end; ended");
    assert_eq!(answer("content-length: 0\r\n", ""), "200; end; ended");
    let most = "content-length: 18446744073709551615\r\n";
    assert_eq!(answer(most, "hello"), "200; \"hello\"");
}

/// 6.1, 6.3 (4): Transfer-Encoding is `chunked`, once, last, alone.
// rule: M-3a M-3b A32
#[test]
fn transfer_encoding() {
    for (value, expected) in [
        ("gzip, chunked", CODING),
        ("gzip,chunked", CODING),
        ("identity, chunked", CODING),
        ("chunked, identity", LENGTH),
        ("chunked, gzip", LENGTH),
        ("chunked, chunked", LENGTH),
        ("chunked,", LENGTH),
        (",chunked", LENGTH),
        ("gzip", LENGTH),
        ("identity", LENGTH),
        ("xchunked", LENGTH),
        ("chunkedx", LENGTH),
        ("x chunked", LENGTH),
        ("chunked;q=1", LENGTH),
        ("\"chunked\"", LENGTH),
        ("", LENGTH),
    ] {
        let field = format!("transfer-encoding: {value}\r\n");
        assert_eq!(post(&field, "0\r\n\r\n"), expected, "{value:?}");
        assert_eq!(answer(&field, "0\r\n\r\n"), BAD, "{value:?}");
    }
    for value in ["chunked", "Chunked", "CHUNKED", "\tchunked\t"] {
        let field = format!("transfer-encoding: {value}\r\n");
        assert_eq!(post(&field, "0\r\n\r\n"), "POST /; end; ended << 200 OK", "{value:?}");
        assert_eq!(answer(&field, "0\r\n\r\n"), "200; end; ended", "{value:?}");
    }
    let twice = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n";
    assert_eq!(post(twice, "0\r\n\r\n"), LENGTH);
    assert_eq!(answer(twice, "0\r\n\r\n"), BAD);
    let split = "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n";
    assert_eq!(post(split, "0\r\n\r\n"), CODING);
    let vertical = "transfer-encoding: \x0bchunked\r\n";
    assert_eq!(post(vertical, ""), "closed Protocol(Field) << 400 Bad Request");
}

/// 6.1, 6.3 (3): both fields at once, in either order, in either direction.
// rule: M-1a A30 A31
#[test]
fn both_lengths() {
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
        "transfer-encoding: identity\r\ncontent-length: 5\r\n",
    ] {
        assert_eq!(post(fields, "0\r\n\r\n"), LENGTH, "{fields:?}");
        assert_eq!(answer(fields, "0\r\n\r\n"), BAD, "{fields:?}");
    }
}

/// 6.1: HTTP/1.0 has no Transfer-Encoding.
// rule: M-1b A35
#[test]
fn http_10_with_transfer_encoding() {
    let te = "transfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(server(&format!("POST / HTTP/1.0\r\n{te}"), Then::Open), LENGTH);
    assert_eq!(client(&get(), &format!("HTTP/1.0 200 OK\r\n{te}"), Then::Open), BAD);
}

/// 6.3 (1): these responses end with their head, whatever it says.
// rule: M-6a
#[test]
fn responses_without_a_body() {
    for fields in ["", "content-length: 5\r\n", "transfer-encoding: chunked\r\n"] {
        for code in [204, 304] {
            let input = format!("HTTP/1.1 {code} x\r\n{fields}\r\n");
            assert_eq!(client(&get(), &input, Then::Open), format!("{code}; end; ended"));
        }
        let input = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let head = request("HEAD", "http://a/");
        assert_eq!(client(&head, &input, Then::Open), "200; end; ended");
    }
}

/// 6.3 (1), A48, A49: what follows such a head is nobody's: the connection is poisoned.
// rule: M-6c A48 A49
#[test]
fn a_body_where_none_may_be() {
    let input = "HTTP/1.1 204 x\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(
        client(&get(), input, Then::Open),
        "204; end; ended; closed Protocol(UnsolicitedBytes)"
    );
}

/// 6.3 (8): a response without a length lasts until the connection ends.
// rule: M-7b M-7c
#[test]
fn close_delimited() {
    let input = "HTTP/1.1 200 OK\r\n\r\nhello";
    assert_eq!(client(&get(), input, Then::Open), "200; goaway; \"hello\"");
    let whole = "200; goaway; \"hello\"; end; ended; closed GoAway(0)";
    assert_eq!(client(&get(), input, Then::Clean), whole);
    let cut = "200; goaway; \"hello\"; reset Incomplete Answered; closed Incomplete";
    assert_eq!(client(&get(), input, Then::Broken), cut);
}

/// 6.3 (7): a request without a length has no body; what follows is the next request.
#[test]
fn a_request_without_length_has_no_body() {
    let input = "POST / HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n";
    let expected = "POST /; end; ended; GET /b; end; ended << 200 OK << 200 OK";
    assert_eq!(server(input, Then::Open), expected);
}

/// A30, A31: the classic pair.
// rule: A30 A31 A36 A38
#[test]
fn smuggled_requests_are_never_heard() {
    for input in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\ncontent-length: 4\r\n\r\n\
         5c\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nx: y\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let heard = server(input, Then::Open);
        assert!(!heard.contains("/admin") && heard.contains("closed"), "{heard}");
    }
}

/// What this side declares it keeps to.
// rule: M-2c
#[test]
fn our_own_content_length_is_enforced() {
    for (parts, expected) in [
        (&[("hello", true)][..], ""),
        (&[("hel", false), ("lo", false), ("", true)], "capacity; capacity"),
        (&[("hell", true)], "reset Cancelled Unsent; closed Cancelled"),
        (&[("hello!", false)], "reset Cancelled Unsent; closed Cancelled"),
        (&[("hel", false), ("", true)], "capacity; reset Cancelled Unknown; closed Cancelled"),
    ] {
        let mut head = request("POST", "http://a/");
        head.headers_mut().insert("content-length", "5".parse().unwrap());
        let mut engine = H1::client(&Config::default(), NOW);
        let stream = engine.open(NOW, &head, false).unwrap();
        for (bytes, end) in parts {
            engine.send(NOW, stream, Bytes::from_static(bytes.as_bytes()), *end);
            written(&mut engine);
        }
        assert_eq!(said(&mut engine), expected, "{parts:?}");
    }
}

/// 6: how a server frames which response.
// rule: M-6b
#[test]
fn framing_of_responses() {
    let with = |code: u16, fields: &[(&'static str, &str)]| {
        let mut head = status(code);
        for (name, value) in fields {
            head.headers_mut().append(*name, value.parse().unwrap());
        }
        head
    };
    let answer = |line: &str, head: &Response<()>, body: Option<&'static str>| {
        let (mut engine, stream) = heard(&format!("{line}\r\nhost: a\r\n\r\n"));
        engine.respond(NOW, stream, head, body.is_none());
        if let Some(body) = body {
            engine.send(NOW, stream, Bytes::from_static(body.as_bytes()), true);
        }
        written(&mut engine).replace("\r\n", "|")
    };
    let (new, old, head) = ("GET / HTTP/1.1", "GET / HTTP/1.0", "HEAD / HTTP/1.1");
    let five = [("content-length", "5")];
    for (line, response, body, expected) in [
        (new, with(200, &[]), None, "HTTP/1.1 200 OK|content-length: 0||"),
        (new, with(200, &[]), Some("hi"), "HTTP/1.1 200 OK|transfer-encoding: chunked||2|hi|0||"),
        (new, with(200, &five), Some("hello"), "HTTP/1.1 200 OK|content-length: 5||hello"),
        (new, with(204, &five), None, "HTTP/1.1 204 No Content||"),
        (new, with(204, &[]), Some("hello"), "HTTP/1.1 204 No Content||"),
        (new, with(304, &five), None, "HTTP/1.1 304 Not Modified|content-length: 5||"),
        (head, with(200, &five), None, "HTTP/1.1 200 OK|content-length: 5||"),
        (head, with(200, &five), Some("hello"), "HTTP/1.1 200 OK|content-length: 5||"),
        (head, with(200, &[]), None, "HTTP/1.1 200 OK||"),
        (old, with(200, &[]), Some("hi"), "HTTP/1.1 200 OK|connection: close||hi"),
        (
            old,
            with(200, &five),
            Some("hello"),
            "HTTP/1.1 200 OK|content-length: 5|connection: close||hello",
        ),
        (
            new,
            with(299, &[("transfer-encoding", "gzip")]),
            None,
            "HTTP/1.1 299 |content-length: 0||",
        ),
        (
            new,
            with(200, &[("connection", "close")]),
            None,
            "HTTP/1.1 200 OK|content-length: 0|connection: close||",
        ),
    ] {
        assert_eq!(answer(line, &response, body), expected, "{line} {response:?}");
    }
}

/// A response that contradicts itself is not begun.
// rule: M-2c
#[test]
fn a_handler_that_contradicts_itself() {
    let mut head = status(200);
    head.headers_mut().insert("content-length", "5".parse().unwrap());
    let (mut engine, stream) = heard("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    engine.respond(NOW, stream, &head, true);
    assert_eq!(said(&mut engine), "reset Cancelled Unsent; closed Cancelled");
    assert_eq!(written(&mut engine), "");
}
