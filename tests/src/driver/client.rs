//! The client's half: callers that contradict themselves or go away.

use core::convert::Infallible;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_tokio::{Client, ErrorKind};

use crate::ask::{client, get, http2, options, send};
use crate::dsl::{Peer, code, data, headers, reset, run};
use crate::serve::{Serving, text};

fn full(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("checked", HeaderValue::from_static("yes"));
    trailers
}

/// A body that does not fit its Content-Length fails its request, and nobody waits for ever.
#[test]
fn a_body_of_another_length_than_it_says() {
    run(async {
        let server = Serving::plain(async |request: Request<regatta_tokio::Body>| {
            let _ = request.into_body().collect().await;
            text("read")
        })
        .await;
        let client = client();
        for said in ["2", "9"] {
            let request = Request::post(server.url("/")).header(CONTENT_LENGTH, said);
            let error = send(&client, request.body(full("abc")).unwrap()).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "the request's body failed: its length is not what Content-Length says"
            );
        }
        assert_eq!(get(&client, server.url("/")).await.unwrap(), "read");
    });
}

/// A head that the protocol cannot say is the caller's fault, and says so; the connection has
/// heard nothing of it and serves the next.
#[test]
fn a_head_that_cannot_be_said() {
    run(async {
        let server = Serving::plain(async |_| text("next")).await;
        let client = client();
        let request = Request::get(server.url("/x")).header(HOST, "a").header(HOST, "b");
        let error = send(&client, request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Request(_)), "{error}");
        assert!(error.to_string().contains("/x"), "{error}");
        assert_eq!(get(&client, server.url("/")).await.unwrap(), "next");
        assert_eq!(server.handle.accepted_connections(), 1);
    });
}

/// The client lives as long as what it was asked for is on its way: tower's `oneshot` drops it.
#[test]
fn a_request_outlives_the_last_handle() {
    run(async {
        let server = Serving::plain(async |_| text("answered")).await;
        let request = Request::get(server.url("/")).body(Empty::<Bytes>::new()).unwrap();
        let response = client().request(request);
        let body = response.await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "answered");
    });
}

/// A hook that panics gives its request up: the peer sees the connection end.
#[test]
fn a_hook_that_panics() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let hook = options(|options| {
            options.on_informational = Some(Arc::new(|_| panic!("as the test wants it")));
        });
        let request = Request::get(peer.url("/")).extension(hook).body(Empty::new()).unwrap();
        let asking = client.clone();
        let caller = tokio::spawn(async move { send::<Empty<Bytes>>(&asking, request).await });
        let mut line = peer.line().await;
        line.head().await;
        line.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
        assert_eq!(line.rest().await, "");
        assert!(caller.await.unwrap_err().is_panic());
    });
}

/// A stream's slot may be used again before the end of its last tenant was told: a request that is
/// given up just as another begins.
#[test]
fn one_request_ends_as_the_next_begins() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let ask = |client: &Client| {
            let request = Request::get(peer.url("/")).body(Empty::<Bytes>::new()).unwrap();
            Box::pin(client.request(request))
        };
        let mut first = ask(&client);
        let mut frames = tokio::select! {
            _ = &mut first => panic!("nobody has answered"),
            frames = async {
                let mut frames = peer.frames().await;
                frames.recv(headers(1).end()).await;
                frames
            } => frames,
        };
        let mut second = ask(&client);
        // Both letters are in the mailbox before the connection's task runs again.
        drop(first);
        assert!(pin!(&mut second).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let script = async {
            // In whatever order h2 writes them.
            let seen = [frames.next().await.unwrap(), frames.next().await.unwrap()];
            assert!(seen.contains(&reset(1, code::CANCEL)), "{seen:?}");
            frames.send_all(&[headers(3).status(200), data(3, "second").end()]).await;
        };
        let (response, ()) = tokio::join!(second, script);
        assert_eq!(response.unwrap().into_body().collect().await.unwrap().to_bytes(), "second");
        let stats = client.stats();
        let [pool] = stats.pools() else { panic!("{stats:?}") };
        let streams: u32 = pool.connections.iter().map(|connection| connection.streams).sum();
        assert_eq!(streams, 0, "a stream was never told to have ended");
    });
}

/// Trailers behind an empty body are sent, and a length is said only where HTTP says it.
#[test]
fn framing_of_requests() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            let head = line.head().await;
            assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
            line.recv("0\r\nchecked: yes\r\n\r\n").await;
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let head = line.head().await;
            assert!(head.starts_with("GET /?q HTTP/1.1\r\n"), "{head}");
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        };
        let body = Empty::<Bytes>::new().with_trailers(async { Some(Ok(trailers())) });
        let asks = async {
            let request = Request::post(peer.url("/")).body(body).unwrap();
            send(&client, request).await.unwrap();
            get(&client, format!("http://{}?q", peer.address())).await.unwrap();
        };
        tokio::join!(asks, script);
    });
}

/// `http_body::Body::size_hint` tells what is left, and nothing where nothing comes.
#[test]
fn the_hint_of_a_body_that_is_being_read() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc").await;
            line
        };
        let request = Request::get(peer.url("/")).body(Empty::<Bytes>::new()).unwrap();
        let (response, mut line) = tokio::join!(client.request(request), script);
        let mut body = response.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert_eq!(body.size_hint().exact(), Some(3));
        line.send("def").await;
        body.frame().await.unwrap().unwrap();
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.is_end_stream());
    });
}

/// The Content-Length of an answer to HEAD is not its body's.
#[test]
fn the_hint_of_an_answer_to_head() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            frames.send(headers(1).status(200).field("content-length", "100")).await;
            frames
        };
        let request = Request::builder().method(Method::HEAD).uri(peer.url("/"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (response, mut frames) = tokio::join!(client.request(request), script);
        let body = response.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), None);
        frames.send(data(1, "").end()).await;
        assert_eq!(body.collect().await.unwrap().to_bytes(), "");
    });
}

/// Nor is a length of 0 said where there is no body: who hands the answer on would say it too.
#[test]
fn the_hint_of_an_answer_that_only_tells_of_a_body() {
    let all = [
        (Method::HEAD, "200 OK\r\ntransfer-encoding: chunked", None),
        (Method::HEAD, "200 OK\r\ncontent-length: 6", None),
        (Method::GET, "304 Not Modified", None),
        (Method::GET, "204 No Content", Some(0)),
        (Method::GET, "200 OK\r\ncontent-length: 0", Some(0)),
    ];
    for (method, head, expected) in all {
        run(async {
            let (client, peer) = (client(), Peer::bind().await);
            let script = async {
                let mut line = peer.line().await;
                line.head().await;
                line.send(&format!("HTTP/1.1 {head}\r\n\r\n")).await;
                line
            };
            let request = Request::builder().method(method).uri(peer.url("/"));
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let (response, _line) = tokio::join!(client.request(request), script);
            let body = response.unwrap().into_body();
            assert_eq!(body.size_hint().exact(), expected, "{head}");
            assert!(body.is_end_stream(), "{head}");
        });
    }
}

/// A body of empty frames without end stops nobody else, and no deadline.
#[test]
fn a_body_of_empty_frames() {
    #[derive(Debug)]
    struct Nothing;
    impl http_body::Body for Nothing {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
    }
    run(async {
        let server = Serving::plain(async |request: Request<regatta_tokio::Body>| {
            let _ = request.into_body().collect().await;
            text("read")
        })
        .await;
        let timeout = options(|options| options.timeout = Some(Duration::from_millis(50)));
        let request = Request::post(server.url("/")).extension(timeout).body(Nothing).unwrap();
        let error = send(&client(), request).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    });
}

/// A runtime that has shut down answers nobody: whoever asks hears of it, also where none of the
/// client's tasks has ever run.
#[test]
fn a_runtime_that_never_ran() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let client = client();
    drop(entered);
    drop(runtime);
    run(async move {
        let error = get(&client, "http://127.0.0.1:9/").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Gone), "{error}");
    });
}

/// A runtime that has shut down answers nobody: whoever asks hears of it.
#[test]
fn a_runtime_that_is_gone() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async { client() });
    runtime.shutdown_background();
    run(async move {
        let error = get(&client, "http://127.0.0.1:9/").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Gone), "{error}");
    });
}
