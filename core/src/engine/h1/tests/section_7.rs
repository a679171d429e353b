//! RFC 9112 7: the chunked coding.

use super::*;

const CHUNK: &str = "reset Protocol(Chunk)";

fn chunked(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let said = client(&get(), &format!("{head}{body}"), Then::Open);
    let behind = said.strip_prefix("200").unwrap();
    behind.strip_prefix("; ").unwrap_or(behind).to_owned()
}

/// 7.1: sizes are hexadecimal, lines end in CRLF, data is exactly as long as said.
// rule: M-5a M-5c A40 A41
#[test]
fn chunks() {
    for (body, expected) in [
        ("5\r\nhello\r\n0\r\n\r\n", "\"hello\"; end; ended"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "\"hello world\"; end; ended"),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "\"01234567890123456789\"; end; ended"),
        ("0005\r\nhello\r\n000\r\n\r\n", "\"hello\"; end; ended"),
        ("0\r\n\r\n", "end; ended"),
        ("5\r\nhello\r\n0\r\n", "\"hello\""),
        ("5\r\nhello\r\n0\r\n\r", "\"hello\""),
        ("5\r\nhel", "\"hel\""),
        ("ffffffffffffffff\r\nx", "\"x\""),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "\"hello\"; end; ended"),
    ] {
        assert_eq!(chunked(body), expected, "{body:?}");
    }
    for body in [
        "\r\n",
        "g\r\n",
        "-5\r\n",
        "+5\r\n",
        "0x5\r\n",
        " 5\r\n",
        "5 \r\n",
        "5\t\r\n",
        "5\n",
        "5\rh",
        "5\r\r\n",
        ";a\r\n",
        "5,\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\n",
        "\u{665}\r\n",
        "5h\r\n",
        "",
    ] {
        let said = chunked(&format!("{body}hello\r\n0\r\n\r\n"));
        assert!(said.starts_with(CHUNK), "{body:?}: {said}");
    }
    for behind in
        ["\n", "\r", "x\r\n", " \r\n", "\n\r\n", "\r\r\n", "0\r\n\r\n", "\0", "x\n", "\0\n"]
    {
        let said = chunked(&format!("5\r\nhello{behind}0\r\n\r\n"));
        assert!(said.starts_with("\"hello\"; reset Protocol(Chunk)"), "{behind:?}: {said}");
    }
}

/// 7.1.1: extensions are passed over, as long as they are text and not too much of it.
// rule: M-5b A39
#[test]
fn chunk_extensions() {
    for line in ["5;", "5;a", "5;a=b", "5 ;a", "5\t; a=\"b c\"", "5;a;b=c", "5;\u{e9}"] {
        let said = chunked(&format!("{line}\r\nhello\r\n0;x\r\n\r\n"));
        assert_eq!(said, "\"hello\"; end; ended", "{line:?}");
    }
    for line in ["5;a\nb", "5;\n", "5;a\rb", "5;\0", "5;\x7f", "5;\x01", "5 a", "5 ;\n"] {
        let said = chunked(&format!("{line}\r\nhello\r\n0\r\n\r\n"));
        assert!(said.starts_with(CHUNK), "{line:?}: {said}");
    }
    let long = |n| chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(n)));
    assert_eq!(long(4095), "\"hello\"; end; ended");
    assert!(long(4096).starts_with(CHUNK));
    let many = "1;x\r\na\r\n".repeat(2049);
    assert!(chunked(&many).contains(CHUNK));
}

/// 7.1.2: trailers, without what may not stand there.
// rule: M-5d
#[test]
fn trailers() {
    let large = "reset Protocol(HeadTooLarge) Answered; closed Protocol(HeadTooLarge)".to_owned();
    let field = "reset Protocol(Field) Answered; closed Protocol(Field)".to_owned();
    for (section, expected) in [
        ("x: y\r\n", "trailers x=y; ended".to_owned()),
        ("X-A: 1\r\nx-a:  2 \r\nb:\r\n", "trailers x-a=1 x-a=2 b=; ended".to_owned()),
        ("content-length: 5\r\nx: y\r\n", "trailers x=y; ended".to_owned()),
        ("transfer-encoding: chunked\r\nhost: b\r\ntrailer: x\r\n", "end; ended".to_owned()),
        ("Authorization: x\r\nset-cookie: a\r\nX-Forwarded-For: b\r\n", "end; ended".to_owned()),
        ("x: y\n", field.clone()),
        ("x : y\r\n", field.clone()),
        ("x: y\r\n z\r\n", field.clone()),
        (" x: y\r\n", field.clone()),
        ("x\r\n", field.clone()),
        ("x: \0\r\n", field),
        (&"x: y\r\n".repeat(101), large.clone()),
        (&format!("x: {}\r\n", "y".repeat(40_000)), large),
    ] {
        let said = chunked(&format!("1\r\na\r\n0\r\n{section}\r\n"));
        assert_eq!(said, format!("\"a\"; {expected}"), "{:?}", section.get(..60));
    }
}

/// A42: a trailer section that hides a request is a bad field of the first one.
// rule: A42
#[test]
fn trailers_hide_no_request() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    let said = server(&format!("{head}GET /b HTTP/1.1\r\nhost: a\r\n\r\n"), Then::Open);
    assert_eq!(
        said,
        "POST /; reset Protocol(Field) Unsent; closed Protocol(Field) << 400 Bad Request"
    );
}

/// What this side writes.
// rule: M-5d
#[test]
fn encoding() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    engine.send(NOW, stream, Bytes::from_static(b"0123456789abcdef"), false);
    assert_eq!(written(&mut engine), "10\r\n0123456789abcdef\r\n");
    engine.send(NOW, stream, Bytes::new(), false);
    assert_eq!(written(&mut engine), "", "an empty chunk would end the body");
    assert_eq!(said(&mut engine), "capacity; capacity");
    let mut trailers = HeaderMap::new();
    for name in ["x", "content-length", "transfer-encoding", "host", "connection"] {
        trailers.insert(name, "1".parse().unwrap());
    }
    engine.trailers(NOW, stream, trailers);
    assert_eq!(written(&mut engine), "0\r\nx: 1\r\n\r\n");
    engine.send(NOW, stream, Bytes::from_static(b"late"), true);
    assert_eq!((written(&mut engine), said(&mut engine)), (String::new(), String::new()));
}

/// Where the framing has no trailer section, they are left out.
#[test]
fn trailers_behind_a_length() {
    let mut head = request("POST", "http://a/");
    head.headers_mut().insert("content-length", "2".parse().unwrap());
    let (mut engine, stream) = asked(&head, false);
    engine.send(NOW, stream, Bytes::from_static(b"hi"), false);
    let mut trailers = HeaderMap::new();
    trailers.insert("x", "1".parse().unwrap());
    engine.trailers(NOW, stream, trailers);
    assert_eq!(written(&mut engine), "hi");
}

/// Large chunks go out by reference.
#[test]
fn large_chunks_are_not_copied() {
    let (mut engine, stream) = asked(&request("POST", "http://a/"), false);
    let body = Bytes::from(vec![b'x'; 10_000]);
    let at = body.as_ptr();
    engine.send(NOW, stream, body, true);
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, usize::MAX);
    let chunks: Vec<_> = core::iter::from_fn(|| out.pop()).collect();
    assert_eq!(&chunks[0][..], b"2710\r\n");
    assert_eq!(chunks[1].as_ptr(), at);
    assert_eq!(&chunks[2][..], b"\r\n0\r\n\r\n");
}

/// A driver may read the rest of a body or chunk straight into its buffer.
#[test]
fn bodies_without_a_copy() {
    let (mut engine, _) = asked(&get(), true);
    assert_eq!(engine.body_room(), 0);
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nh");
    assert_eq!(engine.body_room(), 4);
    let bytes = Bytes::from(b"ell".to_vec());
    let at = bytes.as_ptr();
    engine.receive_body(NOW, bytes);
    engine.receive_body(NOW, Bytes::from_static(b"o"));
    let heard = events(&mut engine);
    let Event::Data { bytes, .. } = &heard[2] else { panic!("{heard:?}") };
    assert_eq!(bytes.as_ptr(), at);
    assert_eq!(engine.body_room(), 0);
    assert!(
        matches!(heard[3..], [Event::Data { end: true, .. }, Event::Ended { .. }]),
        "{heard:?}"
    );

    let (mut engine, _) = asked(&get(), true);
    engine.receive(NOW, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\nhe");
    assert_eq!(engine.body_room(), 8);
    engine.receive_body(NOW, Bytes::from_static(b"llo "));
    assert_eq!(engine.body_room(), 4);
    engine.receive_body(NOW, Bytes::from_static(b"you!\r\n0\r\n\r\n"));
    assert_eq!(said(&mut engine), "200; \"hello you!\"; end; ended");
}
