//! Very many origins behind one client that may have few sockets: none is refused, no more are
//! open than may be, and memory hangs on neither the requests nor the origins that were.
//!
//! Connections are kept for the next request, as always. There are more who ask than sockets: who
//! finds none waits, and what is idle is closed for it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::record::Kind;
use regatta_runtime::{Body, Client, Runtime, Server};
use regatta_sim::{Link, Net};
use regatta_tokio::Tokio;
use tokio::sync::mpsc;

use crate::dsl::run_for;
use crate::serve::memory;

/// Sockets that the client may have.
const SOCKETS: u32 = 256;

/// How many ask one origin at about the same time, so that there is something to keep a connection
/// for.
const TOGETHER: usize = 5;

/// Who ask at a time: almost as many as may wait by default, and four for each socket.
const ASKERS: usize = 200 * TOGETHER;

/// More than it may cost beside the simulated network, in bytes.
const MOST: u64 = 48 << 20;

/// How long it may take on sockets; it takes as long as connections are made.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many requests there are, all together.
const REQUESTS: usize = 100_000;

/// To how many origins.
const ORIGINS: usize = 10_000;

fn name(n: usize) -> String {
    format!("o{n}.test")
}

/// Serves and asks; `address` is where an origin is.
async fn play<R: Runtime>(
    (serving, asking): (R, R),
    at: SocketAddr,
    address: impl Fn(usize) -> IpAddr,
) {
    let server = Server::builder(serving.clone()).bind(at).await.unwrap();
    let port = server.local_address().unwrap().port();
    let answer = |_: Request<Body>| async { Response::new(Full::new(Bytes::from_static(b"ok"))) };
    serving.spawn(server.serve(answer));
    let mut builder =
        Client::builder(asking.clone()).upstream(|upstream| upstream.max_sockets = SOCKETS);
    for n in 0..ORIGINS {
        builder = builder.resolve(&name(n), vec![address(n)]);
    }
    let client = builder.build().unwrap();
    let (before, most) = (memory(), Arc::new(AtomicUsize::new(0)));
    let (done, mut ended) = mpsc::unbounded_channel();
    for asker in 0..ASKERS {
        let (client, most, done) = (client.clone(), Arc::clone(&most), done.clone());
        asking.spawn(async move {
            for n in (asker..REQUESTS).step_by(ASKERS) {
                let url = format!("http://{}:{port}/", name(n / TOGETHER % ORIGINS));
                let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
                let answer = client.request(request).await.unwrap();
                let body = answer.into_body().collect().await.unwrap();
                assert_eq!(body.to_bytes(), "ok");
                let sockets = client.inspect(|upstream| upstream.sockets());
                most.fetch_max(sockets as usize, Ordering::Relaxed);
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..ASKERS {
        ended.recv().await.unwrap();
    }
    client.check();
    let (stats, most) = (client.stats(), most.load(Ordering::Relaxed));
    let made = stats.count(Kind::ConnectionMade);
    let gave_way = stats.count(Kind::MadeRoom);
    let grown = memory().saturating_sub(before);
    println!(
        "{REQUESTS} requests to {ORIGINS} origins: {made} connections, {most} at a time, \
         {gave_way} gave way, {} KiB more",
        grown >> 10
    );
    assert!(most <= SOCKETS as usize, "{most} sockets");
    assert!(made < REQUESTS as u64, "{made} connections: none was of use twice");
    assert!(gave_way > 0 && gave_way < made, "{gave_way} of {made} gave way");
    assert_eq!(client.inspect(|upstream| upstream.requests()), 0);
    // Where others run in the same process it is their memory, too.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(grown < MOST, "{grown} bytes more");
    }
}

#[test]
fn hundred_thousand_on_sockets() {
    run_for(PATIENCE, async {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        // An address of its own each: ports that were used lately are used up otherwise.
        let address = |n: usize| {
            let n = u32::try_from(n).unwrap();
            IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + n))
        };
        play((Tokio::new(), Tokio::new()), any, address).await;
    });
}

#[test]
fn hundred_thousand_simulated() {
    let net = Net::seeded(1);
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let asking = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&asking, &server, Link::delay(Duration::from_millis(5)));
    let at: SocketAddr = "192.0.2.1:80".parse().unwrap();
    net.run(play((server, asking), at, |_| at.ip())).unwrap();
}
