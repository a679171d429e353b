//! A server that drains: nothing new, what is under way ends, then it is over.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use regatta_tokio::Body;
use tokio::sync::watch;

use crate::dsl::{Frame, Frames, Line, code, data, headers, run};
use crate::serve::{ANY, Serving, text};

/// A service that answers when the gate opens, and says when a request has reached it.
async fn gated() -> (Serving, watch::Sender<bool>, watch::Receiver<u32>) {
    let (open, gate) = watch::channel(false);
    let (reached, seen) = watch::channel(0);
    let server = Serving::plain(move |request: Request<Body>| {
        let mut gate = gate.clone();
        reached.send_modify(|count| *count += 1);
        async move {
            if request.uri().path() == "/gated" {
                gate.wait_for(|open| *open).await.unwrap();
            }
            text("done")
        }
    })
    .await;
    (server, open, seen)
}

/// RFC 9112 9.6: an idle connection closes at once, a busy one after its answer.
#[test]
fn http1_ends_what_is_under_way() {
    run(async {
        let (server, open, mut seen) = gated().await;
        let mut idle = Line::connect(server.address).await;
        idle.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        idle.until("done").await;
        let mut busy = Line::connect(server.address).await;
        busy.send("GET /gated HTTP/1.1\r\nhost: a\r\n\r\n").await;
        seen.wait_for(|count| *count == 2).await.unwrap();

        server.handle.drain();
        assert_eq!(idle.rest().await, "");
        open.send(true).unwrap();
        let rest = busy.rest().await.to_ascii_lowercase();
        assert!(rest.contains("connection: close\r\n"), "{rest}");
        assert!(rest.ends_with("done"), "{rest}");
        server.task.await.unwrap();
        assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    });
}

/// RFC 9113 6.8: GOAWAY, and the streams below its id are complete.
// rule: H2-3c
#[test]
fn http2_ends_what_is_under_way() {
    run(async {
        let (server, open, mut seen) = gated().await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("GET", "/gated").end()).await;
        seen.wait_for(|count| *count == 1).await.unwrap();
        server.handle.drain();
        match peer.next().await {
            Some(Frame::GoAway { code: code::NO_ERROR, .. }) => {}
            other => panic!("expected GOAWAY, came {other:?}"),
        }
        open.send(true).unwrap();
        loop {
            // A second GOAWAY may narrow the first (RFC 9113 6.8).
            match peer.next().await {
                Some(Frame::GoAway { code: code::NO_ERROR, last }) => assert!(last >= 1),
                Some(frame) => {
                    assert!(matches!(frame, Frame::Headers { stream: 1, .. }), "{frame:?}");
                    break;
                }
                None => panic!("the connection ended before the answer"),
            }
        }
        peer.recv(data(1, "done").end()).await;
        peer.recv_end().await;
        server.task.await.unwrap();
    });
}

/// A service may drain the connection that its request came on, and no other.
#[test]
fn a_service_drains_its_own_connection() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| -> Response<Full<Bytes>> {
            if request.uri().path() == "/goaway" {
                request.body().connection().unwrap().drain();
            }
            text("done")
        })
        .await;
        let mut other = Line::connect(server.address).await;
        other.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        other.until("done").await;

        let mut line = Line::connect(server.address).await;
        line.send("GET /goaway HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let said = line.rest().await;
        // Or a client would send its next request into a connection that closes.
        assert!(said.contains("\r\nconnection: close\r\n") && said.ends_with("done"), "{said}");

        other.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        other.until("done").await;
    });
}

/// Streams that outlive the drain's time are cut.
#[test]
fn cuts_what_takes_too_long() {
    run(async {
        let short = core::time::Duration::from_millis(20);
        let builder = regatta_tokio::server().downstream(|config| {
            config.drain_timeout = Some(short);
        });
        let (reached, mut seen) = watch::channel(false);
        let server = builder.bind(ANY).await.unwrap();
        let server = Serving::start(server, move |_: Request<Body>| {
            reached.send_replace(true);
            async { core::future::pending::<Response<Full<Bytes>>>().await }
        });
        let mut line = Line::connect(server.address).await;
        line.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        seen.wait_for(|seen| *seen).await.unwrap();
        server.handle.drain();
        assert_eq!(line.rest().await, "");
        server.task.await.unwrap();
    });
}

/// One connection more than allowed is closed as soon as it is accepted.
// rule: L-11
#[test]
fn turns_connections_away_over_the_limit() {
    run(async {
        let builder = regatta_tokio::server().downstream(|config| config.max_connections = 1);
        let server = builder.bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_: Request<Body>| text("done"));
        let mut first = Line::connect(server.address).await;
        first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        first.until("done").await;
        let mut second = Line::connect(server.address).await;
        second.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(second.rest().await, "");
        first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        first.until("done").await;
    });
}
