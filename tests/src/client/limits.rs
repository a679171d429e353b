//! Circuit breakers, deadlines and cancellation.

use core::future::Future;
use core::num::NonZeroU32;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::record::Kind;
use regatta_core::types::{Cause, Phase, Refusal};
use regatta_tokio::{Client, Error, ErrorKind, RequestOptions};

use crate::ask::{client, get, http2, options};
use crate::dsl::{Frame, Peer, code, data, headers, run};
use crate::serve::{Serving, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Begins a request: it is made, and then waits until somebody polls it again.
fn begin(client: &Client, url: &str) -> Asked {
    let (client, url) = (client.clone(), url.to_owned());
    let mut asked: Asked = Box::pin(async move { get(&client, url).await });
    let mut cx = Context::from_waker(Waker::noop());
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    asked
}

type Asked = Pin<Box<dyn Future<Output = Result<Bytes, Error>>>>;

fn timed(url: &str, timeout: Duration) -> Request<Empty<Bytes>> {
    let mut request = Request::get(url).body(Empty::new()).unwrap();
    let options: RequestOptions = options(|options| options.timeout = Some(timeout));
    request.extensions_mut().insert(options);
    request
}

/// Envoy's `max_pending_requests`: one may wait, the next is refused at once.
#[test]
fn too_many_waiting() {
    run(async {
        let peer = Peer::bind().await;
        let builder = regatta_tokio::client().limits(|limits| {
            limits.max_connections = Some(1);
            limits.max_pending_requests = Some(1);
        });
        let client = builder.build().unwrap();
        let url = peer.url("/");
        let first = begin(&client, &url);
        let mut line = peer.line().await;
        let asks = async {
            line.head().await;
            // The first has a connection now; this one waits for it, and the next may not.
            let second = begin(&client, &url);
            let error = get(&client, &url).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::PendingOverflow));
            assert_eq!(
                error.to_string(),
                format!(
                    "http://{}: max_pending_requests is reached, no more requests may wait",
                    peer.address()
                )
            );
            line.send(OK).await;
            line.head().await;
            line.send(OK).await;
            second.await
        };
        let (first, second) = tokio::join!(first, asks);
        assert_eq!((first.unwrap(), second.unwrap()), ("ok".into(), "ok".into()));
        assert_eq!(client.stats().count(Kind::PendingOverflow), 1);
        assert_eq!(client.stats().count(Kind::ConnectionMade), 1);
    });
}

/// Envoy's `max_requests`: so many on all connections together.
#[test]
fn too_many_under_way() {
    run(async {
        let peer = Peer::bind().await;
        let client = http2().limits(|limits| limits.max_requests = Some(1)).build().unwrap();
        let url = peer.url("/");
        let first = begin(&client, &url);
        let mut frames = peer.frames().await;
        let script = async {
            frames.recv(headers(1).end()).await;
            let error = get(&client, &url).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::ActiveOverflow));
            let said = error.to_string();
            assert!(said.ends_with("max_requests is reached, no more requests may be under way"));
            frames.send_all(&[headers(1).status(200), data(1, "one").end()]).await;
        };
        let (first, ()) = tokio::join!(first, script);
        assert_eq!(first.unwrap(), "one");
        // And now there is room again.
        let next = async {
            frames.recv(headers(3).end()).await;
            frames.send_all(&[headers(3).status(200), data(3, "three").end()]).await;
        };
        let (said, ()) = tokio::join!(get(&client, &url), next);
        assert_eq!(said.unwrap(), "three");
    });
}

/// Envoy's `max_connection_pools`: one origin more than allowed is refused.
#[test]
fn too_many_pools() {
    run(async {
        let first = Serving::plain(async |_| text("first")).await;
        let second = Serving::plain(async |_| text("second")).await;
        let builder =
            regatta_tokio::client().limits(|limits| limits.max_connection_pools = Some(1));
        let client = builder.build().unwrap();
        assert_eq!(get(&client, first.url("/")).await.unwrap(), "first");
        let error = get(&client, second.url("/")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::PoolOverflow));
        assert_eq!(get(&client, first.url("/")).await.unwrap(), "first");
    });
}

/// Envoy's `max_retries`, at 0: what would go again does not.
#[test]
fn no_retries() {
    run(async {
        let peer = Peer::bind().await;
        let builder = regatta_tokio::client().limits(|limits| limits.max_retries = Some(0));
        let client = builder.build().unwrap();
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        assert_eq!(said.unwrap_err().cause(), Some(Cause::Closed));
        assert_eq!(client.stats().count(Kind::ResendOverflow), 1);
    });
}

/// Envoy's `max_requests_per_connection`: exactly so many.
#[test]
fn so_many_requests_per_connection() {
    run(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let builder = regatta_tokio::client().pool(|pool| {
            pool.max_requests_per_connection = NonZeroU32::new(3);
        });
        let client = builder.build().unwrap();
        for _ in 0..7 {
            assert_eq!(get(&client, server.url("/")).await.unwrap(), "ok");
        }
        assert_eq!(server.handle.accepted_connections(), 3);
    });
}

/// An idle connection is closed after its time, and the next request makes a new one.
#[test]
fn idle_timeout() {
    run(async {
        let peer = Peer::bind().await;
        let builder = regatta_tokio::client().idle_timeout(Some(Duration::from_millis(20)));
        let client = builder.build().unwrap();
        for _ in 0..2 {
            let script = async {
                let mut line = peer.line().await;
                line.head().await;
                line.send(OK).await;
                assert_eq!(line.rest().await, "", "the client closes");
            };
            let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
            assert_eq!(said.unwrap(), "ok");
        }
        assert_eq!(client.stats().count(Kind::ConnectionMade), 2);
    });
}

/// A time limit that passes names the phase: here the peer never answers.
#[test]
fn deadline_while_answering() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            assert_eq!(line.rest().await, "", "the client closes");
        };
        let request = timed(&peer.url("/"), Duration::from_millis(30));
        let (said, ()) = tokio::join!(client.request(request), script);
        let error = said.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Deadline(Phase::Answering)));
        assert!(error.is_timeout());
        assert_eq!(
            error.to_string(),
            format!(
                "http://{}: the request's time limit passed while waiting for the complete response",
                peer.address()
            )
        );
    });
}

/// The limit is on the body too.
#[test]
fn deadline_in_the_body() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
            line.rest().await;
        };
        let asks = async {
            let request = timed(&peer.url("/"), Duration::from_millis(100));
            client.request(request).await.unwrap().into_body().collect().await
        };
        let (said, ()) = tokio::join!(asks, script);
        assert!(said.unwrap_err().is_timeout());
    });
}

/// And on the wait for a connection that another request has.
#[test]
fn deadline_in_the_queue() {
    run(async {
        let peer = Peer::bind().await;
        let builder = regatta_tokio::client().limits(|limits| limits.max_connections = Some(1));
        let client = builder.build().unwrap();
        let url = peer.url("/");
        let first = begin(&client, &url);
        let mut line = peer.line().await;
        line.head().await;
        let request = timed(&url, Duration::from_millis(30));
        let error = client.request(request).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Deadline(Phase::Queued)));
        let (first, ()) = tokio::join!(first, line.send(OK));
        assert_eq!(first.unwrap(), "ok");
    });
}

/// A future that is dropped resets its stream, and no other.
#[test]
fn dropped_future_http2() {
    run(async {
        let peer = Peer::bind().await;
        let client = http2().build().unwrap();
        let url = peer.url("/");
        let (dropped, kept) = (begin(&client, &url), begin(&client, &url));
        let mut frames = peer.frames().await;
        frames.recv(headers(1).end()).await;
        frames.recv(headers(3).end()).await;
        drop(dropped);
        frames.recv(Frame::Reset { stream: 1, code: code::CANCEL }).await;
        frames.send_all(&[headers(3).status(200), data(3, "kept").end()]).await;
        assert_eq!(kept.await.unwrap(), "kept");
        assert_eq!(client.stats().count(Kind::Cancelled), 1);
    });
}

/// So does a body that is dropped.
#[test]
fn dropped_body_http2() {
    run(async {
        let peer = Peer::bind().await;
        let client = http2().build().unwrap();
        let request = Request::get(peer.url("/")).body(Empty::<Bytes>::new()).unwrap();
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            frames.send_all(&[headers(1).status(200), data(1, "half")]).await;
            frames
        };
        let (response, mut frames) = tokio::join!(client.request(request), script);
        drop(response.unwrap());
        frames.recv(Frame::Reset { stream: 1, code: code::CANCEL }).await;
    });
}

/// On HTTP/1 there is nothing to reset but the connection.
#[test]
fn dropped_future_and_body_http1() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let url = peer.url("/");
        let dropped = begin(&client, &url);
        let mut line = peer.line().await;
        line.head().await;
        drop(dropped);
        assert_eq!(line.rest().await, "");

        let request = Request::get(&url).body(Empty::<Bytes>::new()).unwrap();
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
            line
        };
        let (response, mut line) = tokio::join!(client.request(request), script);
        drop(response.unwrap());
        assert_eq!(line.rest().await, "");

        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send(OK).await;
        };
        let (said, ()) = tokio::join!(get(&client, &url), script);
        assert_eq!(said.unwrap(), "ok");
    });
}

/// A request that is dropped before it has a connection is never sent.
#[test]
fn dropped_while_it_waits() {
    run(async {
        let peer = Peer::bind().await;
        let builder = regatta_tokio::client().limits(|limits| limits.max_connections = Some(1));
        let client = builder.build().unwrap();
        let first = begin(&client, &peer.url("/first"));
        let dropped = begin(&client, &peer.url("/dropped"));
        let third = begin(&client, &peer.url("/third"));
        drop(dropped);
        let script = async {
            let mut line = peer.line().await;
            for path in ["/first", "/third"] {
                let head = line.head().await;
                assert!(head.starts_with(&format!("GET {path} ")), "{head}");
                line.send(OK).await;
            }
        };
        let (first, third, ()) = tokio::join!(first, third, script);
        assert_eq!((first.unwrap(), third.unwrap()), ("ok".into(), "ok".into()));
    });
}

/// A client that is drained takes nothing new and ends what is under way.
#[test]
fn drained_client() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let url = peer.url("/");
        let first = begin(&client, &url);
        let mut line = peer.line().await;
        line.head().await;
        client.drain();
        let error = get(&client, &url).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Draining));
        assert!(error.to_string().ends_with(": the client is shutting down"), "{error}");
        line.send(OK).await;
        assert_eq!(first.await.unwrap(), "ok");
        assert_eq!(line.rest().await, "");
    });
}

/// A future that is polled again after its end does not panic.
#[test]
fn polled_after_its_end() {
    run(async {
        let client = client();
        let request = Request::get("/relative").body(Empty::<Bytes>::new()).unwrap();
        let mut asked = client.request(request);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut asked).poll(&mut cx), Poll::Ready(Err(_))));
        assert!(matches!(Pin::new(&mut asked).poll(&mut cx), Poll::Ready(Err(_))));
    });
}
