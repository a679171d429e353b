//! RFC 9112 2: message format.

use super::*;

const OK: &str = "GET /; end; ended << 200 OK";
const START: &str = "closed Protocol(StartLine) << 400 Bad Request";
const FIELD: &str = "closed Protocol(Field) << 400 Bad Request";

/// 2.1, 2.2: every line ends in CRLF, nothing else does.
// rule: M-4b M-4c A36
#[test]
fn lines_end_in_crlf_only() {
    for (input, expected) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", OK),
        ("GET / HTTP/1.1\nhost: a\r\n\r\n", START),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", FIELD),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n", FIELD),
        ("GET / HTTP/1.1\n\n", START),
        ("GET / HTTP/1.1\rhost: a\r\n\r\n", START),
        ("GET / HTTP/1.1\r\nhost: a\rx: b\r\n\r\n", FIELD),
        ("GET / HTTP/1.1\r\nhost: a\r\n\rx", ""),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", FIELD),
        ("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n", START),
    ] {
        assert_eq!(server(input, Then::Open), expected, "{input:?}");
    }
}

/// 2.2: an empty line before a request is passed over; white space is not.
// rule: M-4c M-4d
#[test]
fn what_may_stand_before_a_request_line() {
    for (input, expected) in [
        ("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", OK),
        ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", OK),
        ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", START),
        ("\rGET / HTTP/1.1\r\nhost: a\r\n\r\n", START),
        (" GET / HTTP/1.1\r\nhost: a\r\n\r\n", START),
        ("\tGET / HTTP/1.1\r\nhost: a\r\n\r\n", START),
        ("\r\n", ""),
    ] {
        assert_eq!(server(input, Then::Open), expected, "{input:?}");
    }
}

/// 2.2: white space between start line and first field is refused.
// rule: M-4a
#[test]
fn no_space_before_the_first_field() {
    assert_eq!(server("GET / HTTP/1.1\r\n host: a\r\n\r\n", Then::Open), FIELD);
    assert_eq!(
        client(&get(), "HTTP/1.1 200 OK\r\n x: y\r\n\r\n", Then::Open),
        "reset Protocol(Field) Answered; closed Protocol(Field)"
    );
}

/// 2.3: versions.
// rule: M-4d
#[test]
fn versions() {
    const VERSION: &str = "closed Protocol(Version) << 505 HTTP Version Not Supported";
    for (input, expected) in [
        ("GET / HTTP/1.0\r\n\r\n", "GET /; end; goaway; ended; closed GoAway(0) << 200 OK"),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", VERSION),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
        ("GET / HTTP/0.9\r\n\r\n", VERSION),
        ("GET / HTTP/1.12\r\nhost: a\r\n\r\n", START),
        ("GET / http/1.1\r\nhost: a\r\n\r\n", START),
        ("GET / HTTP/ 1.1\r\nhost: a\r\n\r\n", START),
        ("GET /\r\n\r\n", START),
    ] {
        assert_eq!(server(input, Then::Open), expected, "{input:?}");
    }
    let (old, bad) =
        ("HTTP/2 200\r\n\r\n", "reset Protocol(Version) Answered; closed Protocol(Version)");
    assert_eq!(client(&get(), old, Then::Open), bad);
}

/// What is not HTTP at all is told before a line of it is whole.
#[test]
fn other_protocols_are_told_at_once() {
    assert_eq!(server("\x16\x03\x01", Then::Open), START);
    let bad = "reset Protocol(StartLine) Answered; closed Protocol(StartLine)";
    assert_eq!(client(&get(), "SSH-2", Then::Open), bad);
    assert_eq!(client(&get(), "\x15\x03", Then::Open), bad);
}
