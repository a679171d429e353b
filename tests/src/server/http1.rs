//! HTTP/1.1 (RFC 9112) towards our server.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Mutex;

use bytes::Bytes;
use http::header::{HeaderValue, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use regatta_tokio::{Body, Tunnel};
use tokio::sync::oneshot;

use crate::dsl::{Line, run};
use crate::serve::{ANY, Serving, text};

/// Says the method, the path and the length of what it was sent.
async fn tell(request: Request<Body>) -> Response<http_body_util::Full<Bytes>> {
    let said = format!("{} {}", request.method(), request.uri().path());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    text(format!("{said} {}", body.len()))
}

/// The body of a response whose head says its length in one digit.
async fn answer(line: &mut Line, length: usize) -> String {
    let head = line.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    String::from_utf8(line.bytes(length).await).unwrap()
}

/// RFC 9112 9.3: a connection is kept, and requests that came together are answered in order.
// rule: M-8a
#[test]
fn keeps_a_connection_and_answers_in_order() {
    run(async {
        let server = Serving::plain(tell).await;
        let mut line = Line::connect(server.address).await;
        line.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer(&mut line, 8).await, "GET /a 0");
        line.send("POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET /c HTTP/1.1\r\n")
            .await;
        line.send("host: a\r\n\r\n").await;
        assert_eq!(answer(&mut line, 9).await, "POST /b 3");
        assert_eq!(answer(&mut line, 8).await, "GET /c 0");
        assert_eq!(server.handle.accepted_connections(), 1);
        line.finish().await;
        assert_eq!(line.rest().await, "");
    });
}

/// RFC 9112 9.6: `Connection: close` is the last exchange.
// rule: M-8c
#[test]
fn closes_when_asked_to() {
    run(async {
        let server = Serving::plain(tell).await;
        let mut line = Line::connect(server.address).await;
        line.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let rest = line.rest().await.to_ascii_lowercase();
        assert!(rest.contains("connection: close"), "{rest}");
        assert!(rest.ends_with("get / 0"), "{rest}");
    });
}

/// RFC 9112 2.2, 3, 6.3: what could smuggle is refused with 400 and ends the connection.
// rule: H-3b M-1a M-2a M-4a M-4d
#[test]
fn refuses_what_is_malformed() {
    const WRONG: [&str; 5] = [
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "what is this\r\n\r\n",
    ];
    run(async {
        let server = Serving::plain(tell).await;
        for wrong in WRONG {
            let mut line = Line::connect(server.address).await;
            line.send(wrong).await;
            let rest = line.rest().await;
            assert!(rest.starts_with("HTTP/1.1 400 "), "{wrong:?} was answered with {rest:?}");
        }
    });
}

/// RFC 9110 10.1.1: 100 is sent when the service reads the body, and not before.
// rule: H-7c
#[test]
fn continues_when_the_body_is_read() {
    run(async {
        // Were it the timeout that sends it, this test would hang.
        let builder = regatta_tokio::server().engine(|config| {
            config.expect_timeout = Duration::from_secs(3_600);
        });
        let server = builder.bind(ANY).await.unwrap();
        let server = Serving::start(server, async |request: Request<Body>| {
            if request.uri().path() == "/no" {
                let mut no = text("");
                *no.status_mut() = StatusCode::EXPECTATION_FAILED;
                return no;
            }
            let body = request.into_body().collect().await.unwrap().to_bytes();
            text(body)
        });
        let mut line = Line::connect(server.address).await;
        let rest = "HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        line.send(&format!("POST /yes {rest}")).await;
        assert_eq!(line.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        line.send("ok").await;
        assert_eq!(answer(&mut line, 2).await, "ok");

        line.send(&format!("POST /no {rest}")).await;
        let head = line.head().await;
        assert!(head.starts_with("HTTP/1.1 417 "), "{head}");
    });
}

/// A body that is not read before it is said.
struct Later(Option<oneshot::Receiver<()>>, Body);

impl http_body::Body for Later {
    type Data = Bytes;
    type Error = regatta_tokio::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if let Some(said) = &mut self.0 {
            let _ = ready!(Pin::new(said).poll(cx));
            self.0 = None;
        }
        Pin::new(&mut self.1).poll_frame(cx)
    }
}

/// A service that answers and reads the body afterwards gets it: the head says nothing against
/// it, and no client sends a body behind a final answer.
#[test]
fn continues_when_the_body_is_read_behind_the_head() {
    run(async {
        let builder = regatta_tokio::server().engine(|config| {
            config.expect_timeout = Duration::from_secs(3_600);
        });
        let server = builder.bind(ANY).await.unwrap();
        let (read, said) = oneshot::channel();
        let said = Mutex::new(Some(said));
        let server = Serving::start(server, move |request: Request<Body>| {
            let said = said.lock().unwrap().take();
            async { Response::new(Later(said, request.into_body())) }
        });
        let mut line = Line::connect(server.address).await;
        let head = "HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        line.send(&format!("POST / {head}")).await;
        assert_eq!(line.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        let head = line.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        read.send(()).unwrap();
        line.send("ok").await;
        line.until("ok").await;
    });
}

/// RFC 9112 7.1.2: trailers of a chunked message, both ways.
#[test]
fn carries_trailers_both_ways() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let sent = request.into_body().collect().await.unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("x-back", sent.trailers().unwrap()["x-sum"].clone());
            let frames = [
                Ok::<_, Infallible>(http_body::Frame::data(sent.to_bytes())),
                Ok(http_body::Frame::trailers(trailers)),
            ];
            Response::new(StreamBody::new(Frames(frames.into_iter())))
        })
        .await;
        let mut line = Line::connect(server.address).await;
        line.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
        line.send("3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n").await;
        let head = line.head().await.to_ascii_lowercase();
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        line.recv("3\r\nabc\r\n0\r\nx-back: 7\r\n\r\n").await;
    });
}

/// A stream of frames that are all there.
struct Frames<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// Answers with what makes a tunnel, and sends everything back until the other side's end.
async fn tunnel(request: Request<Body>) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    if request.method() != http::Method::CONNECT {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
    }
    let mut tunnel = Tunnel::from_body(request.into_body()).unwrap();
    tokio::spawn(async move {
        while let Some(Ok(bytes)) = tunnel.read().await {
            tunnel.send(bytes).await.unwrap();
        }
        tunnel.send(Bytes::from_static(b"bye")).await.unwrap();
        tunnel.finish();
    });
    response
}

/// RFC 9110 7.8: after 101 both sides speak freely, and each ends by itself.
// rule: H-5c H-6c
#[test]
fn upgrades_to_a_tunnel_with_half_close() {
    run(async {
        let server = Serving::plain(tunnel).await;
        let mut line = Line::connect(server.address).await;
        line.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly")
            .await;
        let head = line.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("upgrade: echo\r\n"), "{head}");
        line.recv("early").await;
        line.send("more").await;
        line.recv("more").await;
        line.finish().await;
        assert_eq!(line.rest().await, "bye");
    });
}

/// RFC 9110 9.3.6: 2xx to CONNECT makes a tunnel, whose half-close goes both ways.
// rule: H-6a
#[test]
fn connects_a_tunnel() {
    run(async {
        let server = Serving::plain(tunnel).await;
        let mut line = Line::connect(server.address).await;
        line.send("CONNECT far:443 HTTP/1.1\r\nhost: far:443\r\n\r\n").await;
        let head = line.head().await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
        line.send("through").await;
        line.recv("through").await;
        line.finish().await;
        assert_eq!(line.rest().await, "bye");
    });
}
