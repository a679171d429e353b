//! Bodies: back-pressure both ways, trailers both ways, readers that stop.

use core::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use regatta_core::record::Kind;
use regatta_tokio::{Body, Client};

use crate::ask::{client, get, http2};
use crate::bodies::{Counted, channel};
use crate::dsl::{Peer, run};
use crate::serve::{Serving, text};

const GIGABYTE: u64 = 1 << 30;

/// What two pipes, two HTTP/2 windows or both kernels' socket buffers may hold at most.
const HELD: u64 = 24 << 20;

/// Waits until nobody takes from the body any more: its count stays through many exchanges, each
/// of which lets every task run. Then it must be far below the whole.
async fn comes_to_rest(taken: &AtomicU64, client: &Client, url: &str) -> u64 {
    let (mut last, mut same) = (0, 0);
    while same < 50 {
        assert_eq!(get(client, url).await.unwrap(), "tick");
        let now = taken.load(Ordering::Relaxed);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        assert!(now < HELD, "{now} bytes were taken and nobody reads");
    }
    last
}

/// A service that answers `/down` with a gigabyte, reads nothing of `/up`, and says tick.
async fn gigabytes(down: Counted) -> Serving {
    let down = std::sync::Mutex::new(Some(down));
    Serving::plain(move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let down = if path == "/down" { down.lock().unwrap().take() } else { None };
        async move {
            match (path.as_str(), down) {
                (_, Some(down)) => Response::new(down.boxed()),
                ("/up", _) => {
                    let body = request.into_body();
                    core::future::pending::<()>().await;
                    drop(body);
                    Response::new(text("").into_body().boxed())
                }
                _ => Response::new(text("tick").into_body().boxed()),
            }
        }
    })
    .await
}

async fn unread_download(client: Client) {
    let (down, taken) = Counted::new(GIGABYTE);
    let server = gigabytes(down).await;
    let request = Request::get(server.url("/down")).body(Empty::<Bytes>::new()).unwrap();
    let response = client.request(request).await.unwrap();
    let held = comes_to_rest(&taken, &client, &server.url("/")).await;
    // A reader that goes on lets the rest come.
    let mut body = response.into_body();
    let mut read = 0;
    while read <= held {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len() as u64;
    }
    assert!(taken.load(Ordering::Relaxed) > held);
}

async fn unread_upload(client: Client) {
    let (down, _) = Counted::new(0);
    let server = gigabytes(down).await;
    let (up, taken) = Counted::new(GIGABYTE);
    let request = Request::post(server.url("/up")).body(up).unwrap();
    let url = server.url("/");
    tokio::select! {
        _ = client.request(request) => panic!("nobody answers that"),
        _ = comes_to_rest(&taken, &client, &url) => {}
    }
}

// rule: L-8
#[test]
fn unread_download_http1() {
    run(async { unread_download(client()).await });
}

// rule: L-8
#[test]
fn unread_download_http2() {
    run(async { unread_download(http2().build().unwrap()).await });
}

#[test]
fn unread_upload_http1() {
    run(async { unread_upload(client()).await });
}

#[test]
fn unread_upload_http2() {
    run(async { unread_upload(http2().build().unwrap()).await });
}

/// Of 64 readers on one connection one stops, long before its body's end: the other 63 go on,
/// and it may go on as well.
// rule: A22
#[test]
fn one_reader_of_64_stops() {
    const STALLED: u64 = 4 << 20;
    const OTHERS: u64 = 256 << 10;
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let length = if request.uri().path() == "/stalled" { STALLED } else { OTHERS };
            Response::new(Counted::new(length).0)
        })
        .await;
        let client = http2().build().unwrap();
        let request = Request::get(server.url("/stalled")).body(Empty::<Bytes>::new()).unwrap();
        let mut stalled = client.request(request).await.unwrap().into_body();
        stalled.frame().await.unwrap().unwrap();
        let others = (0..63).map(|n| {
            let (client, url) = (client.clone(), server.url(&format!("/{n}")));
            tokio::spawn(async move { get(&client, url).await.unwrap().len() as u64 })
        });
        for other in others.collect::<Vec<_>>() {
            assert_eq!(other.await.unwrap(), OTHERS);
        }
        let mut rest = 0;
        while let Some(frame) = stalled.frame().await {
            rest += frame.unwrap().into_data().unwrap().len() as u64;
        }
        assert!(rest > STALLED - (64 << 10) && rest < STALLED, "{rest} came after the first frame");
        assert_eq!(client.stats().count(Kind::ConnectionMade), 1);
    });
}

/// 16 MiB of unread bodies is what a connection's window holds: the seventeenth stream still
/// gets its answer, since no stream may use more than its own.
#[test]
fn many_unread_bodies_stop_nobody() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let length = if request.uri().path() == "/long" { 8 << 20 } else { 3 };
            Response::new(Counted::new(length).0)
        })
        .await;
        let client = http2().build().unwrap();
        let mut unread = Vec::new();
        for _ in 0..15 {
            let request = Request::get(server.url("/long")).body(Empty::<Bytes>::new()).unwrap();
            unread.push(client.request(request).await.unwrap());
        }
        for _ in 0..50 {
            assert_eq!(get(&client, server.url("/short")).await.unwrap(), "xxx");
        }
        assert_eq!(client.stats().count(Kind::ConnectionMade), 1);
    });
}

/// Says the request's body and trailers back, as its own trailers.
async fn mirror(request: Request<Body>) -> Response<crate::bodies::Channel> {
    let sent = request.into_body().collect().await.unwrap();
    let trailers = sent.trailers().cloned().unwrap_or_default();
    let (sender, body) = channel();
    sender.send("answer").unwrap();
    sender.trailers(trailers).unwrap();
    Response::new(body)
}

async fn trailers_there_and_back(client: Client) {
    let server = Serving::plain(mirror).await;
    let (sender, body) = channel();
    let request = Request::post(server.url("/")).body(body).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    sender.send("part").unwrap();
    sender.trailers(trailers.clone()).unwrap();
    let answer = client.request(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers(), Some(&trailers));
    assert_eq!(answer.to_bytes(), "answer");
}

#[test]
fn trailers_http1() {
    run(async { trailers_there_and_back(client()).await });
}

#[test]
fn trailers_http2() {
    run(async { trailers_there_and_back(http2().build().unwrap()).await });
}

/// The response may begin before the request has ended: both bodies flow at once.
#[test]
fn both_ways_at_once() {
    run(async {
        let server =
            Serving::plain(async |request: Request<Body>| Response::new(request.into_body())).await;
        for client in [client(), http2().build().unwrap()] {
            let (sender, body) = channel();
            let request = Request::post(server.url("/")).body(body).unwrap();
            sender.send("first").unwrap();
            let mut echoed = client.request(request).await.unwrap().into_body();
            let mut came = Vec::new();
            for next in ["second", "third", ""] {
                let frame = echoed.frame().await.unwrap().unwrap();
                came.push(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap());
                if !next.is_empty() {
                    sender.send(next).unwrap();
                }
            }
            drop(sender);
            assert!(echoed.frame().await.is_none());
            assert_eq!(came, ["first", "second", "third"]);
        }
    });
}

/// A body of the caller's that fails is the request's end, and says whose fault it was.
#[test]
fn a_body_that_fails() {
    run(async {
        let peer = Peer::bind().await;
        let client = client();
        let body = http_body_util::StreamBody::new(Failing(0));
        let request = Request::post(peer.url("/")).body(body).unwrap();
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.rest().await
        };
        let (said, rest) = tokio::join!(client.request(request), script);
        assert_eq!(said.unwrap_err().to_string(), "the request's body failed: no more ink");
        assert!(!rest.contains("0\r\n\r\n"), "a body that failed looks complete: {rest:?}");
    });
}

/// One frame, one turn of the others, and an error.
struct Failing(u8);

impl futures_core::Stream for Failing {
    type Item = Result<http_body::Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: core::pin::Pin<&mut Self>,
        cx: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<Self::Item>> {
        self.0 += 1;
        match self.0 {
            1 => core::task::Poll::Ready(Some(Ok(http_body::Frame::data("part".into())))),
            2..20 => {
                cx.waker().wake_by_ref();
                core::task::Poll::Pending
            }
            _ => core::task::Poll::Ready(Some(Err(std::io::Error::other("no more ink")))),
        }
    }
}
