//! The server's half: services that go on when the peer is gone, or answer what is no answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_tokio::{Body, Tunnel};
use tokio::sync::mpsc;

use crate::bodies::{Channel, Sender, channel};
use crate::dsl::{Line, run};
use crate::serve::{Serving, text};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server whose responses are made by the test.
async fn streaming() -> (Serving, mpsc::UnboundedReceiver<Sender>) {
    let (senders, made) = mpsc::unbounded_channel();
    let service = move |_: Request<Body>| {
        let (sender, body): (Sender, Channel) = channel();
        senders.send(sender).unwrap();
        async { Response::new(body) }
    };
    (Serving::plain(service).await, made)
}

/// A body that has nothing to send at the moment is dropped when the peer goes away.
#[test]
fn a_quiet_response_whose_peer_goes_away() {
    run(async {
        let (server, mut made) = streaming().await;
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        let sender = made.recv().await.unwrap();
        sender.send("x").unwrap();
        line.until("x\r\n").await;
        line.reset();
        sender.closed().await;
    });
}

/// Who reads a request's body behind the complete response hears that no more of it comes.
#[test]
fn a_request_that_is_read_after_its_answer() {
    run(async {
        let (ends, mut ended) = mpsc::unbounded_channel();
        let service = move |request: Request<Body>| {
            let ends = ends.clone();
            tokio::spawn(async move { ends.send(request.into_body().collect().await.is_ok()) });
            async { text("early") }
        };
        let server = Serving::plain(service).await;
        let mut line = Line::connect(server.address).await;
        line.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
        line.until("early").await;
        line.send("def").await;
        assert_eq!(ended.recv().await, Some(false));
    });
}

/// RFC 9110 15.2: an interim response is no answer.
#[test]
fn a_service_that_answers_with_an_interim_response() {
    run(async {
        let server = Serving::plain(async |_| {
            let mut response = text("hints");
            *response.status_mut() = StatusCode::EARLY_HINTS;
            response
        })
        .await;
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        let head = line.head().await;
        assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
        assert!(head.contains("content-length: 0\r\n"), "{head}");
    });
}

/// A service that panics, at once or later, ends its own request, and nobody else's.
#[test]
fn a_service_that_panics() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            match request.uri().path() {
                "/well" => return text("well"),
                "/later" => tokio::task::yield_now().await,
                _ => {}
            }
            panic!("as the test wants it")
        })
        .await;
        let get = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        for path in ["/at-once", "/later"] {
            let (mut well, mut ill) =
                (Line::connect(server.address).await, Line::connect(server.address).await);
            well.send(&get("/well")).await;
            well.until("well").await;
            ill.send(&get(path)).await;
            assert_eq!(ill.rest().await, "", "{path}");
            well.send(&get("/well")).await;
            well.until("well").await;
        }
        while server.handle.active_connections() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// Trailers behind an empty body are sent; an empty answer to HEAD says nothing about GET's.
#[test]
fn framing_of_responses() {
    run(async {
        let trailing = Serving::plain(async |_| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            Response::new(Empty::<Bytes>::new().with_trailers(async move { Some(Ok(trailers)) }))
        })
        .await;
        let mut line = Line::connect(trailing.address).await;
        line.send(GET).await;
        let head = line.head().await;
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        line.recv("0\r\ngrpc-status: 0\r\n\r\n").await;

        let empty = Serving::plain(async |_| Response::new(Empty::<Bytes>::new())).await;
        let mut line = Line::connect(empty.address).await;
        line.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let head = line.head().await;
        assert!(!head.contains("content-length"), "{head}");
        line.send(GET).await;
        let head = line.head().await;
        assert!(head.contains("content-length: 0\r\n"), "{head}");
    });
}

/// What a tunnel says before its 101 is written comes behind it.
#[test]
fn a_tunnel_that_speaks_before_its_answer() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let mut tunnel = Tunnel::from_body(request.into_body()).unwrap();
            tunnel.send(Bytes::from_static(b"server first")).await.unwrap();
            tunnel.finish();
            tokio::spawn(async move { while tunnel.read().await.is_some() {} });
            // The connection has time to look at the pipe.
            tokio::task::yield_now().await;
            let response = Response::builder().status(101).header("upgrade", "test");
            response.header("connection", "upgrade").body(Full::<Bytes>::default()).unwrap()
        })
        .await;
        let mut line = Line::connect(server.address).await;
        let upgrade = "connection: upgrade\r\nupgrade: test\r\n";
        line.send(&format!("GET / HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n")).await;
        let head = line.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        line.finish().await;
        assert_eq!(line.rest().await, "server first");
    });
}

/// A service that answers 200 to everything has no tunnel for CONNECT: it ends at once, instead of
/// being held for ever.
#[test]
fn a_tunnel_that_nobody_took() {
    run(async {
        let server = Serving::plain(async |_| text("yes")).await;
        let mut line = Line::connect(server.address).await;
        line.send("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n").await;
        line.rest().await;
        while server.handle.active_connections() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// Dropping a server drains its connections: an idle one ends.
#[test]
fn a_server_that_is_dropped() {
    run(async {
        let server = Serving::plain(async |_| text("once")).await;
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        line.until("once").await;
        server.task.abort();
        assert_eq!(line.rest().await, "");
    });
}
