//! What a server takes of its clients at most.

use core::num::NonZeroU32;
use core::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use regatta_core::downstream::{Cut, WhenFull};
use regatta_tokio::Body;
use tokio::sync::watch;

use crate::ask::get;
use crate::dsl::{Frames, Line, headers, run};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// What is too much has its status, and the next request is served.
#[test]
fn heads_and_bodies() {
    run(async {
        let server = regatta_tokio::server().engine(|engine| {
            engine.max_body_bytes = Some(10);
        });
        let server =
            Serving::start(server.bind(ANY).await.unwrap(), async |request: Request<Body>| {
                drop(request.into_body().collect().await);
                text("well")
            });
        let long = "x".repeat(9_000);
        let fields = "x: y\r\n".repeat(101);
        let rows = [
            (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), "414", Cut::TargetTooLong),
            (format!("GET / HTTP/1.1\r\n{fields}\r\n"), "431", Cut::HeadTooLarge),
            (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", long.repeat(4)), "431", Cut::HeadTooLarge),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n".into(),
                "413",
                Cut::BodyTooLarge,
            ),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nb\r\n".to_owned()
                    + &long,
                "413",
                Cut::BodyTooLarge,
            ),
        ];
        for (sent, status, cut) in rows {
            let before = server.handle.counts().count(cut);
            let mut line = Line::connect(server.address).await;
            line.send(&sent).await;
            let rest = line.rest().await;
            assert!(rest.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {rest:?}");
            assert_eq!(server.handle.counts().count(cut), before + 1, "{status}");
            let mut line = Line::connect(server.address).await;
            line.send(GET).await;
            line.until("well").await;
        }
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("GET", &format!("/{long}")).end()).await;
        peer.send(headers(3).request("POST", "/").field("content-length", "11")).await;
        peer.send(headers(5).request("GET", "/").end()).await;
        for (stream, end) in [(1, true), (3, true), (5, false)] {
            let head = if end { headers(stream).end() } else { headers(stream) };
            loop {
                let seen = peer.next().await.unwrap();
                if seen.is_like(&head) {
                    break;
                }
            }
        }
    });
}

/// The last request that a connection may carry says so, and the next has one of its own.
#[test]
fn requests_of_one_connection() {
    run(async {
        let server =
            regatta_tokio::server().engine(|engine| engine.max_requests = NonZeroU32::new(2));
        let server =
            Serving::start(server.bind(ANY).await.unwrap(), async |_: Request<Body>| text("well"));
        for client in [crate::ask::client(), crate::ask::http2().build().unwrap()] {
            let before = server.handle.accepted_connections();
            for _ in 0..6 {
                get(&client, server.url("/")).await.unwrap();
            }
            assert_eq!(server.handle.accepted_connections(), before + 3);
        }
        assert_eq!(server.handle.counts().count(Cut::RequestLimit), 6);
    });
}

/// Of one address so many, and no more.
#[test]
fn connections_of_one_address() {
    run(async {
        let server = regatta_tokio::server()
            .downstream(|downstream| downstream.max_connections_per_address = Some(2));
        let server =
            Serving::start(server.bind(ANY).await.unwrap(), async |_: Request<Body>| text("well"));
        let mut lines = [Line::connect(server.address).await, Line::connect(server.address).await];
        for line in &mut lines {
            line.send(GET).await;
            line.until("well").await;
        }
        let mut third = Line::connect(server.address).await;
        third.send(GET).await;
        assert_eq!(third.rest().await, "");
        assert_eq!(server.handle.counts().count(Cut::AddressLimit), 1);
        drop(lines);
        while server.handle.active_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        line.until("well").await;
    });
}

/// A full server that lets wait serves everyone, one after the other.
#[test]
fn connections_that_wait() {
    run(async {
        let server = regatta_tokio::server().downstream(|downstream| {
            downstream.max_connections = 1;
            downstream.when_full = WhenFull::Wait;
        });
        let server =
            Serving::start(server.bind(ANY).await.unwrap(), async |_: Request<Body>| text("well"));
        let mut lines = Vec::new();
        for _ in 0..5 {
            let mut line = Line::connect(server.address).await;
            line.send(GET).await;
            lines.push(line);
        }
        for mut line in lines {
            line.until("well").await;
        }
        let counts = server.handle.counts();
        assert_eq!((counts.count(Cut::ConnectionLimit), counts.count(Cut::AcceptPaused)), (0, 5));
    });
}

/// Handshakes take turns; one that does not go on gives its turn up when its time is over.
#[test]
fn handshakes() {
    run(async {
        let authority = Authority::new();
        let server = regatta_tokio::server().tls(authority.server(&["127.0.0.1"])).downstream(
            |downstream| {
                downstream.max_handshakes = 1;
                // Longer than an honest handshake takes on a machine that is busy.
                downstream.handshake_timeout = Duration::from_secs(2);
            },
        );
        let server =
            Serving::start(server.bind(ANY).await.unwrap(), async |_: Request<Body>| text("well"));
        let mut stuck = Line::connect(server.address).await;
        stuck.send("\x16").await;
        // Its byte is there before anyone else's.
        while server.handle.handshakes() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let client = regatta_tokio::client().roots(authority.roots()).build().unwrap();
        let url = format!("https://{}/", server.address);
        assert_eq!(get(&client, &url).await.unwrap(), "well");
        assert_eq!(stuck.rest().await, "");
        let counts = server.handle.counts();
        assert_eq!(counts.count(Cut::HandshakeWaited), 1);
        assert_eq!(counts.count(Cut::HandshakeTimeout), 1);
        // What is no TLS is told so by an alert, and counted.
        let mut wrong = Line::connect(server.address).await;
        wrong.send(GET).await;
        assert!(!wrong.rest().await.is_empty(), "an alert");
        assert_eq!(server.handle.counts().count(Cut::HandshakeFailed), 1);
    });
}

/// A drain says what it had to cut.
#[test]
fn a_drain_that_cuts() {
    run(async {
        let (reached, mut seen) = watch::channel(0);
        let server = Serving::plain(move |_: Request<Body>| {
            reached.send_modify(|count| *count += 1);
            core::future::pending::<http::Response<http_body_util::Full<bytes::Bytes>>>()
        })
        .await;
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("GET", "/").end()).await;
        peer.send(headers(3).request("GET", "/").end()).await;
        let mut idle = Frames::connect(server.address).await;
        idle.round_trip().await;
        seen.wait_for(|count| *count == 3).await.unwrap();
        let drained = server.handle.drain_within(Duration::from_millis(300));
        // A client that answers the PING is let go at once (RFC 9113 6.8).
        idle.recv_end().await;
        drop(idle);
        let drained = drained.await;
        assert_eq!((drained.connections, drained.requests), (2, 3));
        assert_eq!(line.rest().await, "");
        server.task.await.unwrap();
        // Who asks afterwards hears the same.
        assert_eq!(server.handle.drain().await, drained);
    });
}
