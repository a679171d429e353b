//! Field compression with a dynamic table on both sides, by what goes over the wire: the same
//! fields, forty times each way, cost less than half of what they do without.

use core::net::SocketAddr;
use std::fs;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Client, Roots};

use super::site::{Served, Settings};
use super::{Peer, aioquic, envoy, nghttpx};
use crate::peers::relay::Relay;

/// What is sent; nghttp3 puts only names in its table that it knows.
const UP: [&str; 6] = ["accept-language", "cache-control", "purpose", "referer", "x-a", "x-b"];
/// What comes back.
const DOWN: [&str; 6] = [
    "cache-control",
    "content-security-policy",
    "expect-ct",
    "strict-transport-security",
    "timing-allow-origin",
    "x-frame-options",
];

/// Requests on one connection.
const REQUESTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn with_nghttpx() {
    let Some((plain, packed)) = compresses(&nghttpx::PEER).await else { return };
    // What it sends is more than fields and varies; its encoder is curl's.
    assert!(packed.up * 2 < plain.up, "{packed:?} {plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_envoy() {
    both_ways(&envoy::HTTP3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_aioquic() {
    both_ways(&aioquic::PEER).await;
}

async fn both_ways(peer: &Peer) {
    let Some((plain, packed)) = compresses(peer).await else { return };
    assert!(packed.up * 2 < plain.up, "{packed:?} {plain:?}");
    assert!(packed.down * 2 < plain.down, "{packed:?} {plain:?}");
}

/// What is asked costs without a table and with one.
async fn compresses(peer: &Peer) -> Option<(Bill, Bill)> {
    let served = Served::start(peer, &Settings::default())?;
    let plain = Bill::of(&served, 0).await;
    let packed = Bill::of(&served, 4_096).await;
    println!("{}: {plain:?}, with a table {packed:?}", peer.name);
    Some((plain, packed))
}

/// What the fields cost, in bytes of datagrams.
#[derive(Debug)]
struct Bill {
    up: u64,
    down: u64,
}

impl Bill {
    async fn of(served: &Served, table: u32) -> Self {
        let fields = |names: &[&'static str]| -> Vec<(&'static str, String)> {
            names.iter().map(|name| (*name, "v".repeat(200 + name.len()))).collect()
        };
        let query: Vec<String> =
            fields(&DOWN).iter().map(|(name, value)| format!("{name}={value}")).collect();
        let down = format!("/response-headers?{}", query.join("&"));
        Self {
            up: asked(served, table, "/headers", &fields(&UP)).await.up(),
            down: asked(served, table, &down, &[]).await.down(),
        }
    }
}

/// Asks with these fields, on one connection. The path of fields to send is long; it goes up.
async fn asked(served: &Served, table: u32, path: &str, fields: &[(&str, String)]) -> Relay {
    let relay = Relay::to(SocketAddr::from(([127, 0, 0, 1], served.site.tls))).await;
    let client = client(&served.site.ca, table);
    let url = format!("https://localhost:{}{path}", relay.address.port());
    for _ in 0..REQUESTS {
        let mut request = Request::get(&url);
        for (name, value) in fields {
            request = request.header(*name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let seen = std::str::from_utf8(&body).unwrap();
        for (name, value) in fields {
            assert!(seen.lines().any(|line| line == format!("{name}: {value}")), "{seen}");
        }
        for pair in path.split_once('?').map_or("", |(_, query)| query).split('&') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            assert!(head.headers.get(name).is_some_and(|came| came == value), "{name}: {head:?}");
        }
    }
    relay
}

fn client(ca: &str, table: u32) -> Client {
    let roots = Roots::Pem(fs::read(ca).unwrap());
    let client = regatta_tokio::client().roots(roots);
    let client = client.engine(|engine| (engine.qpack_table, engine.qpack_blocked) = (table, 16));
    client.profile(|profile| profile.protocols = Protocols::Http3).build().unwrap()
}
