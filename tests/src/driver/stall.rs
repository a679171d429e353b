//! Peers that take nothing: what waits for them is bounded, and so is the wait.

use core::sync::atomic::Ordering;
use core::time::Duration;

use http::{Request, Response};
use rcgen::{CertificateParams, KeyPair};
use regatta_core::engine::tls::ServerOptions;
use regatta_core::upstream::Protocols;
use regatta_tokio::Body;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::ask::send;
use crate::bodies::Counted;
use crate::dsl::{Line, Peer, run};
use crate::serve::{ANY, Serving, text};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// More than pipes, engines and sockets hold together.
const MUCH: u64 = 256 << 20;

async fn endless(_: Request<Body>) -> Response<Counted> {
    Response::new(Counted::new(u64::MAX).0)
}

/// Sealed bytes that the socket does not take hold the body up.
#[test]
fn an_upload_under_tls_that_nobody_reads() {
    run(async {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().der().to_vec();
        let options = ServerOptions::new(vec![certificate], key.serialize_der());
        let (body, taken) = Counted::new(MUCH);
        // Answers as soon as the upload stands still, whatever it holds by then.
        let service = move |request: Request<Body>| {
            let taken = std::sync::Arc::clone(&taken);
            async move {
                let _unread = request;
                let mut before = 0;
                loop {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let now = taken.load(Ordering::Relaxed);
                    if now == before {
                        return text(now.to_string());
                    }
                    before = now;
                }
            }
        };
        let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
        let server = Serving::start(server, service);
        let client = regatta_tokio::client().profile(|profile| {
            profile.protocols = Protocols::Http1;
            profile.danger_accept_any_certificate = true;
        });
        let url = format!("https://{}/", server.address);
        let request = Request::post(url).body(body).unwrap();
        let answer = send(&client.build().unwrap(), request).await.unwrap();
        let taken: u64 = String::from_utf8_lossy(&answer.body).parse().unwrap();
        assert!(taken < MUCH / 4, "{taken} bytes were taken for a peer that reads nothing");
    });
}

/// A drain that is over cuts also who reads nothing.
#[test]
fn an_aborted_connection_whose_peer_reads_nothing() {
    run(async {
        let server = regatta_tokio::server()
            .downstream(|config| config.drain_timeout = Some(Duration::from_millis(10)));
        let server = Serving::start(server.bind(ANY).await.unwrap(), endless);
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        line.head().await;
        server.handle.drain();
        server.task.await.unwrap();
        assert_eq!(server.handle.active_connections(), 0);
    });
}

/// A client's connection that is done goes, though its peer reads nothing.
#[test]
fn a_cancelled_upload_whose_peer_reads_nothing() {
    run(async {
        let peer = Peer::bind().await;
        let client = regatta_tokio::client().build().unwrap();
        let (body, taken) = Counted::new(MUCH);
        let request = Request::post(peer.url("/")).body(body).unwrap();
        let asking = client.clone();
        let caller = tokio::spawn(async move { send(&asking, request).await });
        let mut line = peer.line().await;
        line.head().await;
        let mut before = 0;
        while taken.load(Ordering::Relaxed) != before {
            before = taken.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        caller.abort();
        let connections =
            || client.stats().pools().iter().map(|pool| pool.connections.len()).sum::<usize>();
        while connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

/// The same over HTTP/2, where the stream alone is given up: the goodbye stands behind what was
/// written for it.
#[test]
fn a_drained_connection_whose_peer_reads_nothing() {
    // SETTINGS and WINDOW_UPDATE that grant all there is.
    const GRANT: [u8; 28] = [
        0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff, //
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0, 0,
    ];
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let client = regatta_tokio::client()
            .profile(|profile| profile.protocols = Protocols::Http2PriorKnowledge)
            .build()
            .unwrap();
        let (body, taken) = Counted::new(MUCH);
        let (asking, request) = (client.clone(), Request::post(url).body(body).unwrap());
        let caller = tokio::spawn(async move { send(&asking, request).await });
        let (mut line, _) = listener.accept().await.unwrap();
        line.write_all(&GRANT).await.unwrap();
        let mut before = 0;
        while before == 0 || taken.load(Ordering::Relaxed) != before {
            before = taken.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        caller.abort();
        client.drain();
        let connections =
            || client.stats().pools().iter().map(|pool| pool.connections.len()).sum::<usize>();
        while connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

/// A transport that broke while more requests wait unread: nothing can be answered any more.
#[test]
fn a_pipeline_whose_peer_goes_away() {
    run(async {
        let server = Serving::plain(endless).await;
        let mut line = Line::connect(server.address).await;
        line.send(&GET.repeat(3)).await;
        line.head().await;
        line.reset();
        while server.handle.active_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

/// A response that nobody reads is given up after a minute (tokio's clock jumps there).
// rule: A15 A22
#[test]
fn a_response_that_nobody_reads() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Serving::plain(endless).await;
        let mut line = Line::connect(server.address).await;
        line.send(GET).await;
        line.head().await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        while server.handle.active_connections() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(600), "it is held for ever");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(begun.elapsed() >= Duration::from_secs(50), "{:?}", begun.elapsed());
    });
}
