//! The reverse proxy, between sockets that say exactly what the test wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use regatta_core::types::Protocol;

use super::origin::{Origin, Trust};
use super::peers::{head, hyper, say, scripted};
use super::program::{built, dead_port, run};

/// A proxy that runs until this is dropped.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn to(upstream: &str) -> Self {
        Self::start(Command::new(built("axum_forward")), upstream)
    }

    fn start(mut command: Command, upstream: &str) -> Self {
        let mut child = command.arg(upstream).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_suffix(&format!(" forwards to {upstream}\n"));
        let url = url.unwrap_or_else(|| panic!("it said {line:?}")).to_owned();
        Self { child, url }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_shows_itself_off() {
    let out = run("axum_forward", &[]).well();
    let all = [
        "/hello: 200 OK\n  hello from behind the proxy\n",
        "/echo: 200 OK\n  said through the proxy\n",
        "/never: 504 Gateway Timeout\n",
        "the request's time limit passed while waiting for the complete response\n",
        "/hello: 502 Bad Gateway\n  cannot connect to http://127.0.0.1:",
    ];
    for words in all {
        assert!(out.contains(words), "no {words:?}:\n{out}");
    }
}

#[test]
fn fields_of_one_connection_stay_on_it() {
    let (heard, hears) = mpsc::channel();
    let origin = scripted(move |head, mut socket| {
        heard.send(head).unwrap();
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kept: 1\r\nX-Hop: 1\r\n\
            Keep-Alive: timeout=9\r\nConnection: x-hop\r\n\r\nok";
        socket.get_mut().write_all(answer.as_bytes()).unwrap();
    });
    let proxy = Proxy::to(&origin);
    let mut socket = say(
        &proxy.url,
        "GET /a?b HTTP/1.1\r\nHost: front.test\r\nX-Kept: 1\r\nX-Hop: 1\r\nTE: trailers\r\n\
        Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nConnection: close, X-Hop\r\n\r\n",
    );
    let answer = head(&mut socket).unwrap();
    let asked = hears.recv().unwrap();

    assert!(asked.starts_with("get /a?b http/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("\r\nhost: {}\r\n", &origin["http://".len()..])), "{asked}");
    assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
    for head in [&asked, &answer] {
        assert!(head.contains("x-kept: 1\r\n"), "{head}");
        assert!(head.contains("via: 1.1 axum_forward\r\n"), "{head}");
        for name in ["x-hop", "keep-alive", "proxy-connection", "te"] {
            assert!(!head.contains(&format!("\r\n{name}:")), "{name} went on:\n{head}");
        }
    }
}

/// The proxy says of a body that it has not seen no more than it was told (RFC 9110 8.6).
#[test]
fn answers_without_a_body_gain_no_length() {
    let all = [
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", None),
        ("HEAD", "200 OK\r\nContent-Length: 6", Some("6")),
        ("GET", "304 Not Modified", None),
    ];
    for (method, answer, expected) in all {
        let origin = scripted(move |_, mut socket| {
            let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
            socket.get_mut().write_all(answer.as_bytes()).unwrap();
        });
        let proxy = Proxy::to(&origin);
        let question = format!("{method} / HTTP/1.1\r\nHost: front.test\r\n\r\n");
        let head = head(&mut say(&proxy.url, &question)).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(length, expected, "{method}, {answer}:\n{head}");
    }
}

/// Neither side has said all when the other hears the beginning.
#[test]
fn bodies_go_on_as_they_come() {
    let (heard, hears) = mpsc::channel();
    let (go, going) = mpsc::channel();
    let origin = scripted(move |_, mut socket| {
        let mut half = [0; 5];
        socket.read_exact(&mut half).unwrap();
        heard.send(half).unwrap();
        socket.read_exact(&mut half).unwrap();
        let begin = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nthere";
        socket.get_mut().write_all(begin).unwrap();
        going.recv().unwrap();
        socket.get_mut().write_all(b" you!").unwrap();
    });
    let proxy = Proxy::to(&origin);
    let begin = "POST / HTTP/1.1\r\nHost: front.test\r\nContent-Length: 10\r\n\r\nhello";
    let mut socket = say(&proxy.url, begin);
    assert_eq!(&hears.recv().unwrap(), b"hello");
    socket.get_mut().write_all(b" you!").unwrap();
    head(&mut socket).unwrap();
    let mut half = [0; 5];
    socket.read_exact(&mut half).unwrap();
    assert_eq!(&half, b"there");
    go.send(()).unwrap();
    socket.read_exact(&mut half).unwrap();
    assert_eq!(&half, b" you!");
}

/// A part is never handed on as the whole.
#[test]
fn a_body_that_breaks_off_breaks_off() {
    let (go, going) = mpsc::channel();
    let origin = scripted(move |_, mut socket| {
        let begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthere\r\n";
        socket.get_mut().write_all(begin).unwrap();
        going.recv().unwrap();
    });
    let proxy = Proxy::to(&origin);
    let mut socket = say(&proxy.url, "GET / HTTP/1.1\r\nHost: front.test\r\n\r\n");
    let head = head(&mut socket).unwrap();
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    let mut part = [0; 10];
    socket.read_exact(&mut part).unwrap();
    assert_eq!(&part, b"5\r\nthere\r\n");
    go.send(()).unwrap();
    // It ends, or is reset; but there is no last chunk.
    assert_eq!(socket.read(&mut part).unwrap_or(0), 0, "{part:?}");
}

#[test]
fn a_caller_that_leaves_ends_the_request_to_the_origin() {
    let (heard, hears) = mpsc::channel();
    let origin = scripted(move |_, mut socket| {
        heard.send(0).unwrap();
        heard.send(socket.read(&mut [0; 8]).unwrap_or(0) + 1).unwrap();
    });
    let proxy = Proxy::to(&origin);
    let socket = say(&proxy.url, "GET / HTTP/1.1\r\nHost: front.test\r\n\r\n");
    assert_eq!(hears.recv(), Ok(0));
    drop(socket);
    assert_eq!(hears.recv_timeout(Duration::from_secs(10)), Ok(1), "the origin still waits");
}

/// What came over HTTP/2 goes on over HTTP/1.1.
#[test]
fn the_upstream_may_speak_http2_over_tls() {
    let trust = Trust::new();
    let origin = Origin::tls(&trust, &[Protocol::Http2]);
    let mut command = Command::new(built("axum_forward"));
    command.env("SSL_CERT_FILE", trust.ca());
    let proxy = Proxy::start(command, &format!("https://localhost:{}", origin.port()));
    let question = "GET /protocol HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n";
    let mut socket = say(&proxy.url, question);
    let head = head(&mut socket).unwrap();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("via: 2 axum_forward\r\n"), "{head}");
    let mut body = String::new();
    socket.read_to_string(&mut body).unwrap();
    assert_eq!(body, "HTTP/2");
}

#[test]
fn it_stands_between_any_client_and_any_server() {
    let proxy = Proxy::to(&hyper());
    let out = run("tokio_client", &[&format!("{}/big", proxy.url)]).well();
    assert!(out.contains("\n  3145728 bytes\n"), "{out}");
    let proxy = Proxy::to(&format!("http://127.0.0.1:{}", dead_port()));
    let said = run("tower_stack", &[&proxy.url]).failed();
    assert_eq!(said, format!("{} answered 502 Bad Gateway", proxy.url));
}

#[test]
fn failures_are_one_sentence() {
    let said = run("axum_forward", &["/just/a/path"]).failed();
    assert_eq!(said, "expected a URL like http://example.org, not `/just/a/path`");
}
