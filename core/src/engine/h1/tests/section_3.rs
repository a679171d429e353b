//! RFC 9112 3 and 4: request line, request target, Host, status line.

use super::*;

const START: &str = "closed Protocol(StartLine) << 400 Bad Request";
const FIELD: &str = "closed Protocol(Field) << 400 Bad Request";

/// 3: single spaces, a token, no empty parts.
// rule: M-4d
#[test]
fn request_line() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET",
        "/ HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /a b HTTP/1.1",
    ] {
        assert_eq!(server(&format!("{line}\r\nhost: a\r\n\r\n"), Then::Open), START, "{line:?}");
    }
    assert_eq!(
        server("M-SEARCH / HTTP/1.1\r\nhost: a\r\n\r\n", Then::Open),
        "M-SEARCH /; end; ended << 200 OK"
    );
}

/// 3.2.1 to 3.2.4: the four forms, each only where it may stand.
// rule: H-3d H-6b
#[test]
fn request_targets() {
    for (line, expected) in [
        ("GET /a?b=c", "GET /a?b=c; end; ended << 200 OK"),
        ("GET http://b:80/a", "GET http://b:80/a; end; ended << 200 OK"),
        ("GET http://b", "GET http://b/; end; ended << 200 OK"),
        ("OPTIONS *", "OPTIONS *; end; ended << 200 OK"),
        ("GET *", START),
        ("GET b:80", START),
        ("GET a", START),
        ("GET /a#b", START),
        ("GET http://user@b/", START),
        ("GET http:///a", START),
        ("GET http://b:x/", START),
        ("GET http://b:99999/", START),
        ("CONNECT b:443", "CONNECT b:443"),
        ("CONNECT [::1]:443", "CONNECT [::1]:443"),
        ("CONNECT b", START),
        ("CONNECT b:", START),
        ("CONNECT b:0", START),
        ("CONNECT :443", START),
        ("CONNECT b:99999", START),
        ("CONNECT u@b:443", START),
        ("CONNECT /", START),
        ("CONNECT *", START),
        ("CONNECT http://b:443/", START),
    ] {
        let input = format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(server(&input, Then::Open), expected, "{line:?}");
    }
}

/// 3.2: one valid Host, unless the version is 1.0.
// rule: H-3b
#[test]
fn host() {
    let ok = "GET /; end; ended << 200 OK";
    for (fields, expected) in [
        ("", FIELD),
        ("host: a\r\nhost: a\r\n", FIELD),
        ("host: a\r\nHost: b\r\n", FIELD),
        ("host: a b\r\n", FIELD),
        ("host: u@a\r\n", FIELD),
        ("host: a:x\r\n", FIELD),
        ("host: a/b\r\n", FIELD),
        ("host: a,b\r\n", ok),
        ("host:\r\n", ok),
        ("host: [::1]:80\r\n", ok),
        ("HOST: a:80\r\n", ok),
    ] {
        let input = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(server(&input, Then::Open), expected, "{fields:?}");
    }
}

/// 3.2.2: an absolute target replaces Host.
// rule: H-3a
#[test]
fn absolute_form_replaces_host() {
    let mut engine = H1::server(&Config::default(), NOW);
    engine.receive(NOW, b"GET http://b:81/x HTTP/1.1\r\nhost: a\r\n\r\n");
    let Some(Event::Head { head: Head::Request(head), .. }) = engine.poll_event() else {
        panic!("no request");
    };
    assert_eq!(head.headers()["host"], "b:81");
}

/// 3.2: what a client writes for which URI.
// rule: H-3c
#[test]
fn a_client_says_the_target_in_its_form() {
    for (method, uri, expected) in [
        ("GET", "http://a/b?c", "GET /b?c HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("GET", "http://a:81", "GET / HTTP/1.1\r\nhost: a:81\r\n\r\n"),
        ("GET", "https://u:p@a/?x", "GET /?x HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("GET", "http://[::1]:8/", "GET / HTTP/1.1\r\nhost: [::1]:8\r\n\r\n"),
        ("CONNECT", "a:443", "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n"),
        ("CONNECT", "https://a/", "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("POST", "http://a/", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        ("DELETE", "http://a/", "DELETE / HTTP/1.1\r\nhost: a\r\n\r\n"),
    ] {
        let mut engine = H1::client(&Config::default(), NOW);
        engine.open(NOW, &request(method, uri), true).unwrap();
        assert_eq!(written(&mut engine), expected, "{method} {uri}");
    }
}

// rule: H-3c
#[test]
fn options_asterisk_and_own_host() {
    let mut head = request("OPTIONS", "*");
    head.headers_mut().insert("host", "b".parse().unwrap());
    head.headers_mut().insert("x-y", "z".parse().unwrap());
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &head, true).unwrap();
    assert_eq!(written(&mut engine), "OPTIONS * HTTP/1.1\r\nhost: b\r\nx-y: z\r\n\r\n");
    let uri = http::Uri::builder().scheme("http").authority("a").path_and_query("*");
    *head.uri_mut() = uri.build().unwrap();
    engine.receive(NOW, b"HTTP/1.1 204 No Content\r\n\r\n");
    engine.open(NOW, &head, true).unwrap();
    assert_eq!(written(&mut engine), "OPTIONS * HTTP/1.1\r\nhost: b\r\nx-y: z\r\n\r\n");
}

// rule: H-3c
#[test]
fn what_a_client_cannot_say() {
    let unsayable = |head: &Request<()>, end| {
        let mut engine = H1::client(&Config::default(), NOW);
        assert_eq!(engine.open(NOW, head, end), Err(OpenError::Unsayable), "{head:?}");
        assert_eq!(written(&mut engine), "");
        assert!(engine.open(NOW, &get(), true).is_ok());
    };
    unsayable(&request("GET", "/no-authority"), true);
    unsayable(&request("CONNECT", "a"), true);
    let mut head = get();
    head.headers_mut().append("host", "a".parse().unwrap());
    head.headers_mut().append("host", "b".parse().unwrap());
    unsayable(&head, true);
    let mut head = request("POST", "http://a/");
    head.headers_mut().append("content-length", "5".parse().unwrap());
    unsayable(&head, true);
    head.headers_mut().append("content-length", "5".parse().unwrap());
    unsayable(&head, false);
    let mut head = request("POST", "http://a/");
    *head.version_mut() = http::Version::HTTP_10;
    unsayable(&head, false);
    *head.version_mut() = http::Version::HTTP_09;
    unsayable(&head, true);
}

/// 4: status line.
// rule: M-4d
#[test]
fn status_line() {
    let bad = "reset Protocol(StartLine) Answered; closed Protocol(StartLine)";
    for (line, expected) in [
        ("HTTP/1.1 204 No Content", "204; end; ended"),
        ("HTTP/1.1 204 ", "204; end; ended"),
        ("HTTP/1.1 204", "204; end; ended"),
        ("HTTP/1.1 204 \x7a\u{e9}", "204; end; ended"),
        ("HTTP/1.1 299 x", "299; goaway"),
        ("HTTP/1.1 20 OK", bad),
        ("HTTP/1.1 2000 OK", bad),
        ("HTTP/1.1 020 OK", bad),
        ("HTTP/1.1  204 OK", bad),
        ("HTTP/1.1 abc OK", bad),
        ("HTTP/1.1204 OK", "reset Protocol(Version) Answered; closed Protocol(Version)"),
        (" HTTP/1.1 204 OK", bad),
        ("\r\nHTTP/1.1 204 OK", bad),
        ("HTTP/1.1 204 a\0b", bad),
        ("ICY 200 OK", bad),
        ("<html>", bad),
    ] {
        assert_eq!(client(&get(), &format!("{line}\r\n\r\n"), Then::Open), expected, "{line:?}");
    }
}

/// 3.2.2, 3.2.4: what a proxy forwards is asked for whole, whatever its Host says.
#[test]
fn targets_for_a_proxy_are_whole() {
    for (method, uri, line) in [
        ("GET", "http://a.test", "GET http://a.test/ HTTP/1.1"),
        ("GET", "http://a.test:81/b?c", "GET http://a.test:81/b?c HTTP/1.1"),
        ("GET", "http://user:secret@a.test/b", "GET http://a.test/b HTTP/1.1"),
        ("GET", "http://[2001:db8::1]/", "GET http://[2001:db8::1]/ HTTP/1.1"),
        ("OPTIONS", "http://a.test/", "OPTIONS http://a.test/ HTTP/1.1"),
        ("CONNECT", "a.test:443", "CONNECT a.test:443 HTTP/1.1"),
    ] {
        let mut head = request(method, uri);
        head.headers_mut().insert("host", "b.test".parse().unwrap());
        head.extensions_mut().insert(crate::engine::AbsoluteForm);
        let mut engine = H1::client(&Config::default(), NOW);
        engine.open(NOW, &head, true).unwrap();
        assert_eq!(written(&mut engine), format!("{line}\r\nhost: b.test\r\n\r\n"), "{uri}");
    }
    let mut parts = "http://a.test/".parse::<http::Uri>().unwrap().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("*"));
    let mut head = request("OPTIONS", "http://a.test/");
    *head.uri_mut() = http::Uri::from_parts(parts).unwrap();
    head.extensions_mut().insert(crate::engine::AbsoluteForm);
    let mut engine = H1::client(&Config::default(), NOW);
    engine.open(NOW, &head, true).unwrap();
    assert!(written(&mut engine).starts_with("OPTIONS http://a.test HTTP/1.1\r\n"));
}
