//! Proxies on virtual time: how long their part takes, and that nobody is asked twice.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use regatta_core::types::{Cause, Refusal};
use regatta_runtime::{
    AttemptOutcome, Body, Client, Error, ErrorKind, Proxies, Proxy, Runtime as _, Server, Timeline,
    Tunnel,
};
use regatta_sim::{Host, Link, Net};

const MS: Duration = Duration::from_millis(1);

/// A proxy of two addresses, and a client 10 ms away from it. Nobody else has a name.
fn two_hosts(net: &Net) -> (Host, Host) {
    let addresses = ["2001:db8::1", "192.0.2.1"].map(|address| address.parse().unwrap());
    let proxy = net.host("proxy", addresses);
    let client =
        net.host("client", ["2001:db8::9", "192.0.2.9"].map(|address| address.parse().unwrap()));
    net.link(&client, &proxy, Link::delay(10 * MS));
    net.name("proxy.test", addresses);
    (proxy, client)
}

/// Opens tunnels after `delay`, and is the origin in each; how often it was asked.
async fn serve(proxy: &Host, at: &[&str], delay: Duration) -> Arc<AtomicU32> {
    let asked = Arc::new(AtomicU32::new(0));
    for at in at {
        let address: std::net::SocketAddr = at.parse().unwrap();
        let listening = Server::builder(proxy.clone()).bind(address).await.unwrap();
        let (host, asked) = (proxy.clone(), Arc::clone(&asked));
        proxy.spawn(listening.serve(move |request: Request<Body>| {
            let (host, asked) = (host.clone(), Arc::clone(&asked));
            async move {
                let mut response = Response::new(Empty::<Bytes>::new());
                asked.fetch_add(1, Ordering::Relaxed);
                if request.method() != Method::CONNECT {
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    return response;
                }
                let tunnel = Tunnel::from_body(request.into_body()).unwrap();
                host.sleep(delay).await;
                host.spawn(answer(tunnel));
                response
            }
        }));
    }
    asked
}

/// An origin that knows one answer.
async fn answer(mut tunnel: Tunnel) {
    let mut all = Vec::new();
    while let Some(Ok(bytes)) = tunnel.read().await {
        all.extend_from_slice(&bytes);
        if all.ends_with(b"\r\n\r\n") {
            all.clear();
            let said = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            if tunnel.send(said).await.is_err() {
                return;
            }
        }
    }
}

fn client(host: &Host) -> Client<Host> {
    let proxy = Proxy::parse("http://proxy.test:3128").unwrap();
    let proxies = Proxies::new().all(proxy).tunnels_all(true);
    Client::builder(host.clone()).proxies(proxies).build().unwrap()
}

async fn get(client: &Client<Host>) -> Result<Timeline, Error> {
    let request = Request::get("http://far.test/").body(Empty::<Bytes>::new()).unwrap();
    let response = client.request(request).await?;
    let timeline = response.body().timeline().unwrap();
    assert_eq!(response.into_body().collect().await?.to_bytes(), "ok");
    Ok(timeline.snapshot())
}

/// The race is over when TCP is up: an origin that is slow to reach is asked for once, and not at
/// every address of the proxy.
#[test]
fn a_slow_origin_is_asked_for_once() {
    let net = Net::seeded(1);
    let (proxy, host) = two_hosts(&net);
    net.run(async {
        let at = ["[2001:db8::1]:3128", "192.0.2.1:3128"];
        let asked = serve(&proxy, &at, 2_000 * MS).await;
        let client = client(&host);
        let timeline = get(&client).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(timeline.attempts.len(), 1);
        let attempt = timeline.attempts[0];
        assert_eq!(attempt.outcome, AttemptOutcome::Won);
        let tunnel = attempt.tunnel.unwrap();
        assert_eq!(tunnel.status, Some(200));
        let up = attempt.connected.unwrap().saturating_since(attempt.started);
        let opened = tunnel.answered.unwrap().saturating_since(tunnel.asked);
        assert!(up >= 20 * MS && up < 30 * MS, "TCP took {up:?}");
        assert!(opened >= 2_020 * MS && opened < 2_030 * MS, "the tunnel took {opened:?}");
        let name = timeline.proxy.unwrap();
        assert_eq!((&*name.host, name.port), ("proxy.test", 3128));
        client.check();
    })
    .unwrap();
}

#[test]
fn the_next_address_of_a_proxy_is_tried_where_the_first_refuses() {
    let net = Net::seeded(2);
    let (proxy, host) = two_hosts(&net);
    net.run(async {
        let asked = serve(&proxy, &["192.0.2.1:3128"], MS).await;
        let timeline = get(&client(&host)).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let refused = AttemptOutcome::Failed(Cause::Refused);
        let outcomes: Vec<_> = timeline.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [refused, AttemptOutcome::Won]);
    })
    .unwrap();
}

/// The connect timeout counts the tunnel, and nothing of it is left behind.
#[test]
fn a_tunnel_that_never_opens_ends_with_the_connect_timeout() {
    let net = Net::seeded(3);
    let (proxy, host) = two_hosts(&net);
    let failed = Mutex::new(None);
    net.run(async {
        serve(&proxy, &["[2001:db8::1]:3128"], 3_600_000 * MS).await;
        let client = client(&host);
        let before = host.now();
        *failed.lock().unwrap() = Some(get(&client).await.unwrap_err());
        let took = host.now().saturating_since(before);
        assert!(took >= 5_000 * MS && took < 5_100 * MS, "{took:?}");
        client.check();
        assert_eq!(client.inspect(|upstream| upstream.sockets()), 0);
    })
    .unwrap();
    let error = failed.into_inner().unwrap().unwrap();
    let timeout = ErrorKind::Refused(Refusal::ConnectFailed(Cause::ConnectTimeout));
    assert_eq!(*error.kind(), timeout);
    let said = error.to_string();
    let expected =
        "cannot connect to http://far.test:80 through the proxy http://proxy.test:3128: ";
    assert!(said.starts_with(expected), "{said}");
}

/// One after the other go through one tunnel.
#[test]
fn a_proxy_keeps_its_pool() {
    let net = Net::seeded(4);
    let (proxy, host) = two_hosts(&net);
    net.run(async {
        let asked = serve(&proxy, &["[2001:db8::1]:3128"], MS).await;
        let client = client(&host);
        for _ in 0..3 {
            get(&client).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "one tunnel carries one after the other");
    })
    .unwrap();
}
