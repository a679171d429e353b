//! Clients that take their time (A21, A22), and what they may cost.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use regatta_core::downstream::Cut;
use regatta_core::engine::{Pace, quic};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Body, ServerBuilder, Tokio};

use crate::dsl::{Frame, Frames, Line, data, headers, run, setting};
use crate::serve::{ANY, Serving, memory, text};
use crate::trust::Authority;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);

fn brisk() -> ServerBuilder<Tokio> {
    regatta_tokio::server()
        .engine(|engine| {
            engine.head_timeout = SHORT;
            engine.pace = Some(Pace { bytes: 1_000, window: SHORT });
        })
        .downstream(|downstream| downstream.silence_timeout = SHORT)
}

/// Says how long the body was.
async fn length(request: Request<Body>) -> Response<http_body_util::Full<Bytes>> {
    match request.into_body().collect().await {
        Ok(body) => text(body.to_bytes().len().to_string()),
        Err(_) => text("cut"),
    }
}

async fn brisk_and(service: impl regatta_tokio::Service) -> Serving {
    Serving::start(brisk().bind(ANY).await.unwrap(), service)
}

/// The next request, on a connection of its own, is served.
async fn is_well(server: &Serving) {
    let mut line = Line::connect(server.address).await;
    line.send(GET).await;
    assert!(line.head().await.starts_with("HTTP/1.1 200 "));
}

async fn counted(server: &Serving, cut: Cut) -> u64 {
    while server.handle.active_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.handle.counts().count(cut)
}

/// A head that comes a byte at a time, a body that does, and nothing at all.
#[test]
fn http1() {
    run(async {
        let server = brisk_and(length).await;
        let rows = [
            ("", "", Cut::SilenceTimeout),
            ("GET / HTTP/1.1\r\nx: ", "HTTP/1.1 408 ", Cut::HeadTimeout),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9000\r\n\r\n",
                "HTTP/1.1 408 ",
                Cut::BodyTooSlow,
            ),
        ];
        for (begin, answer, cut) in rows {
            let mut line = Line::connect(server.address).await;
            line.send(begin).await;
            is_well(&server).await;
            let rest = if begin.is_empty() {
                line.rest().await
            } else {
                line.rest_while_dribbling("y", SHORT / 10).await
            };
            assert!(rest.starts_with(answer), "{begin:?} is answered by {rest:?}");
            assert_eq!(counted(&server, cut).await, 1, "{begin:?}");
        }
    });
}

/// The same over HTTP/2: only the stream ends.
#[test]
fn http2() {
    run(async {
        let server = brisk_and(length).await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("POST", "/")).await;
        peer.send(data(1, "slow")).await;
        peer.recv(headers(1).end()).await;
        assert_eq!(server.handle.counts().count(Cut::BodyTooSlow), 1);
        while !matches!(peer.next().await, Some(Frame::Reset { stream: 1, .. })) {}
        peer.send(headers(3).request("POST", "/")).await;
        peer.send(data(3, "quick").end()).await;
        assert_eq!(peer.recv(headers(3)).await.seen_status(), Some(200));
        assert_eq!(peer.recv_body(3).await, b"5");
    });
}

/// A service that answers for ever, and what it has given.
fn endless() -> (impl regatta_tokio::Service, Arc<AtomicU64>) {
    let given = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&given);
    let service = move |request: Request<Body>| {
        let given = Arc::clone(&counter);
        let is_short = request.uri().path() == "/short";
        async move {
            let frames = Endless { given, left: if is_short { 1 } else { u64::MAX } };
            Response::new(StreamBody::new(frames))
        }
    };
    (service, given)
}

struct Endless {
    given: Arc<AtomicU64>,
    left: u64,
}

impl futures_core::Stream for Endless {
    type Item = Result<http_body::Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: core::pin::Pin<&mut Self>,
        _: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<Self::Item>> {
        let Some(left) = self.left.checked_sub(1) else { return core::task::Poll::Ready(None) };
        self.left = left;
        self.given.fetch_add(16 << 10, Ordering::Relaxed);
        // Memory of its own, as a file's would be, and written to: zeroes would cost no page.
        let frame = http_body::Frame::data(Bytes::from(vec![b'x'; 16 << 10]));
        core::task::Poll::Ready(Some(Ok(frame)))
    }
}

/// Readers that read nothing hold little, others go on, and in the end they are cut.
#[test]
fn readers_that_stop() {
    const READERS: usize = 50;
    run(async {
        let (service, given) = endless();
        let server = brisk_and(service).await;
        let before = memory();
        let mut lines = Vec::new();
        for _ in 0..READERS {
            let mut line = Line::connect(server.address).await;
            line.send(GET).await;
            line.head().await;
            lines.push(line);
        }
        let mut other = Line::connect(server.address).await;
        let mut most = 0;
        while server.handle.active_connections() > 1 {
            other.send("GET /short HTTP/1.1\r\nhost: a\r\n\r\n").await;
            other.until("\r\n0\r\n\r\n").await;
            most = most.max(memory());
            tokio::time::sleep(SHORT / 20).await;
        }
        let held = most.saturating_sub(before) / READERS as u64;
        println!(
            "{READERS} readers that stop: {} KiB of memory each, {} KiB given each",
            held >> 10,
            (given.load(Ordering::Relaxed) >> 10) / READERS as u64,
        );
        // Nine frames: four in the pipe, one in the engine, four on their way to the socket.
        assert!(held < 256 << 10, "a reader that stops holds {held} bytes");
        let cut = server.handle.counts().count(Cut::ResponseTooSlow);
        assert_eq!(cut, READERS as u64);
        drop(lines);
    });
}

/// Clients of HTTP/3 that read nothing, whose transports acknowledge what they were granted: the
/// server holds little of each, serves others, and closes their connections in the end.
#[test]
fn readers_over_http3_that_stop() {
    const READERS: usize = 20;
    run(async {
        let (service, _) = endless();
        let authority = Authority::new();
        let builder = regatta_tokio::server().tls(authority.server(&["localhost"]));
        let builder = builder.http3(quic::ServerOptions::default());
        let builder = builder.engine(|engine| (engine.pace, engine.write_timeout) = (None, SHORT));
        let server = Serving::start(builder.bind(ANY).await.unwrap(), service);
        let client = || {
            let builder = regatta_tokio::client().roots(authority.roots());
            let builder = builder.profile(|profile| profile.protocols = Protocols::Http3);
            builder.quic(|quic| quic.stream_window = 64 << 10).build().unwrap()
        };
        let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
        let get = |path| Request::get(url(path)).body(http_body_util::Empty::<Bytes>::new());
        let (before, mut kept) = (memory(), Vec::new());
        for _ in 0..READERS {
            let client = client();
            let body = client.request(get("/").unwrap()).await.unwrap().into_body();
            kept.push((client, body));
        }
        let (other, mut most) = (client(), 0);
        let cut = || server.handle.counts().count(Cut::ResponseTooSlow);
        while cut() < READERS as u64 {
            let body = other.request(get("/short").unwrap()).await.unwrap().into_body();
            assert_eq!(body.collect().await.unwrap().to_bytes().len(), 16 << 10);
            most = most.max(memory());
            tokio::time::sleep(SHORT / 20).await;
        }
        // Both ends are in this process.
        let held = most.saturating_sub(before) / READERS as u64;
        println!("{READERS} readers over HTTP/3 that stop: {} KiB of memory each", held >> 10);
        assert!(held < 2 << 20, "a reader that stops holds {held} bytes");
        for (_, body) in kept {
            let error = body.collect().await.unwrap_err().to_string();
            assert!(error.contains("H3_EXCESSIVE_LOAD"), "{error}");
        }
    });
}

/// Windows of zero: a hundred streams hold a frame or two each, and are reset one by one.
#[test]
fn windows_of_zero() {
    run(async {
        let (service, _) = endless();
        let server = brisk_and(service).await;
        let before = memory();
        let zero = [(setting::INITIAL_WINDOW_SIZE, 0)];
        let mut peer = Frames::connect_with(server.address, &zero).await;
        for n in 0..100 {
            peer.send(headers(2 * n + 1).request("GET", "/").end()).await;
        }
        let mut resets = 0;
        let mut most = 0;
        while resets < 100 {
            most = most.max(memory());
            match peer.next().await {
                Some(Frame::Headers { .. }) => {}
                Some(Frame::Reset { .. }) => resets += 1,
                other => panic!("expected RST_STREAM, came {other:?}"),
            }
        }
        let held = most.saturating_sub(before);
        println!("100 streams with windows of zero: {} KiB of memory", held >> 10);
        assert!(held < 32 << 20, "{held} bytes");
        assert_eq!(server.handle.counts().count(Cut::ResponseTooSlow), 100);
        // The connection itself did nothing wrong.
        peer.send(headers(201).request("GET", "/short").end()).await;
        peer.send(Frame::WindowUpdate { stream: 201, n: 20_000 }).await;
        assert_eq!(peer.recv(headers(201)).await.seen_status(), Some(200));
        assert_eq!(peer.recv_body(201).await.len(), 16 << 10);
    });
}
