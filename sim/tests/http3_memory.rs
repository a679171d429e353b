//! What unread bodies of HTTP/3 hold, and whom they hold up, on virtual time.

mod stage;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::Instant;
use regatta_core::downstream::Cut;
use regatta_core::engine::quic;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, Runtime as _, Server, ServerHandle};
use regatta_sim::{Host, Net, tls};

use self::stage::{AT, MS, hosts, trusting};

const LENGTH: usize = 1_000_000;
const BODIES: usize = 40;

fn client(host: &Host, memory: Option<usize>) -> Client<Host> {
    let builder = trusting(host);
    let builder = builder.body_memory(memory);
    builder.profile(|profile| profile.protocols = Protocols::Http3).build().unwrap()
}

/// Answers with a megabyte.
async fn serve(server: &Host) -> ServerHandle<Host> {
    let builder = Server::builder(server.clone()).tls(tls::good());
    stage::serve(
        server,
        AT,
        builder.http3(quic::ServerOptions::default()),
        |_: Request<Body>| async { Response::new(Full::new(Bytes::from(vec![7; LENGTH]))) },
    )
    .await
}

async fn begin(client: &Client<Host>) -> Body {
    let request = Request::get("https://www.test/").body(Empty::<Bytes>::new()).unwrap();
    client.request(request).await.unwrap().into_body()
}

/// Forty bodies of a megabyte that nobody reads: what they hold, the transport's part included, is
/// bounded as over HTTP/2; another body is read beside them; then all are read to their end.
#[test]
fn unread_bodies_stay_within_the_bound_and_stop_nobody() {
    let each = 80 << 10;
    for (memory, most) in [
        (None, BODIES * LENGTH),
        (Some(8 << 20), (16 << 20) + BODIES * each),
        (Some(256 << 10), (512 << 10) + BODIES * each),
    ] {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            let handle = serve(&server).await;
            let client = client(&host, memory);
            let mut bodies = Vec::new();
            for _ in 0..BODIES {
                bodies.push(begin(&client).await);
            }
            host.sleep(Duration::from_secs(20)).await;
            let (held, peak) = client.body_memory();
            println!("{memory:?}: {held} bytes, at most {peak}");
            assert!(held >= BODIES * (16 << 10), "{memory:?}: {held} bytes are held");
            assert!(peak <= most, "{memory:?}: {peak} bytes were held, {most} may be");
            let read = begin(&client).await.collect().await.unwrap().to_bytes();
            assert_eq!(read.len(), LENGTH, "beside bodies that nobody reads");
            for body in bodies {
                assert_eq!(body.collect().await.unwrap().to_bytes().len(), LENGTH);
            }
            assert_eq!(client.body_memory().0, 0);
            assert_eq!(handle.accepted_connections(), 1);
            client.check();
        })
        .unwrap();
    }
}

/// Uploads that services do not read: the server holds no more than it may.
#[test]
fn unread_uploads_stay_within_the_servers_bound() {
    const MOST: u64 = 4 << 20;
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let at: SocketAddr = AT.parse().unwrap();
        let builder = Server::builder(server.clone())
            .tls(tls::good())
            .downstream(|downstream| downstream.max_buffered = MOST);
        let listening = builder.http3(quic::ServerOptions::default()).bind(at).await.unwrap();
        let handle = listening.handle();
        let clock = server.clone();
        server.spawn(listening.serve(move |request: Request<Body>| {
            let clock = clock.clone();
            async move {
                // All begin to read at the same time.
                let begin = Instant::from_millis(20_000);
                if clock.now() < begin {
                    clock.sleep(begin.saturating_since(clock.now())).await;
                }
                let all = request.into_body().collect().await.unwrap().to_bytes();
                Response::new(Full::new(Bytes::from(all.len().to_string())))
            }
        }));
        let client = client(&host, None);
        let (answered, mut peak) = (Arc::new(AtomicUsize::new(0)), 0);
        for _ in 0..BODIES {
            let request = Request::post("https://www.test/");
            let request = request.body(Full::new(Bytes::from(vec![7; LENGTH]))).unwrap();
            let client = client.clone();
            let done = Arc::clone(&answered);
            host.spawn(async move {
                let response = client.request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                let answer = response.into_body();
                assert_eq!(answer.collect().await.unwrap().to_bytes(), "1000000");
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        for _ in 0..190 {
            host.sleep(100 * MS).await;
            peak = peak.max(handle.buffered());
        }
        println!("at most {peak} bytes were buffered");
        // What comes on top is what one connection's window lets come before it is not read.
        assert!(peak <= MOST + (1 << 20), "{peak} bytes were buffered, {MOST} may be");
        assert!(handle.counts().count(Cut::MemoryPaused) > 0);
        host.sleep(Duration::from_secs(60)).await;
        assert_eq!(answered.load(Ordering::Relaxed), BODIES);
        assert_eq!(handle.buffered(), 0);
    })
    .unwrap();
}
