//! Many at once: cold starts, and both flavours of tokio under load.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use regatta_core::record::Kind;
use regatta_tokio::{Body, Client};
use tokio::sync::Barrier;

use crate::ask::{client, get, http2, post};
use crate::dsl::{run, run_on_two};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

/// So many GETs of one URL at the same time, each in a task of its own.
async fn all_at_once(client: &Client, url: &str, requests: usize) {
    let tasks: Vec<_> = (0..requests)
        .map(|_| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move { get(&client, url).await.map(|said| said.len()) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 2);
    }
}

/// 1,000 requests to an HTTP/2 origin that nobody has asked before. Until its SETTINGS say more,
/// a connection counts for 100 streams (as Envoy counts): never more than ten handshakes run
/// side by side, and those that nobody needs any more are given up.
#[test]
fn cold_start_of_a_thousand() {
    run_on_two(async {
        let authority = Authority::new();
        let builder = regatta_tokio::server().tls(authority.server(&["cold.test"]));
        let builder = builder.engine(|engine| {
            engine.max_concurrent_streams = NonZeroU32::new(1_000).unwrap();
        });
        let server = Serving::start(builder.bind(ANY).await.unwrap(), async |_| text("ok"));
        let loopback = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let builder = regatta_tokio::client().roots(authority.roots());
        let client = builder.resolve("cold.test", loopback).build().unwrap();
        let url = format!("https://cold.test:{}/", server.address.port());
        all_at_once(&client, &url, 1_000).await;
        let stats = client.stats();
        let (begun, done) = (stats.count(Kind::ConnectionMade), stats.count(Kind::Http2));
        println!("1,000 cold requests: {begun} handshakes begun, {done} completed");
        assert!((1..=10).contains(&begun), "{stats}");
        assert_eq!(stats.count(Kind::Completed), 1_000, "{stats}");
    });
}

/// 1,000 requests to an HTTP/1 origin: never more connections than allowed, and none is lost.
#[test]
fn a_thousand_over_few_connections() {
    run_on_two(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let builder = regatta_tokio::client().limits(|limits| limits.max_connections = Some(8));
        let client = builder.build().unwrap();
        all_at_once(&client, &server.url("/"), 1_000).await;
        let stats = client.stats();
        assert!(stats.count(Kind::ConnectionMade) <= 8, "{stats}");
        assert_eq!(stats.count(Kind::Completed), 1_000, "{stats}");
    });
}

/// Streams of one HTTP/2 connection really are under way together: nobody is answered before
/// all have arrived.
// rule: H2-8c
#[test]
fn streams_run_side_by_side() {
    run(async {
        let all = Arc::new(Barrier::new(64));
        let server = Serving::plain(move |_: Request<Body>| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                text("ok")
            }
        })
        .await;
        let client = http2().build().unwrap();
        all_at_once(&client, &server.url("/"), 64).await;
        assert_eq!(server.handle.accepted_connections(), 1);
    });
}

/// Gets, posts and cancelled requests from four tasks at once, over both protocols.
async fn mixture() {
    let server = Serving::plain(async |request: Request<Body>| {
        use http_body_util::BodyExt as _;
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        http::Response::new(Full::new(body.unwrap_or_default()))
    })
    .await;
    for client in [client(), http2().build().unwrap()] {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/"));
                tokio::spawn(async move {
                    for round in 0..100 {
                        if round % 5 == 4 {
                            let request = Request::post(&url).body(Full::new(Bytes::from("x")));
                            let asked = client.request(request.unwrap());
                            tokio::select! {
                                biased;
                                _ = asked => {}
                                () = tokio::task::yield_now() => {}
                            }
                        } else {
                            assert_eq!(post(&client, &url, "body").await.unwrap(), "body");
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let stats = client.stats();
        assert!(stats.count(Kind::Completed) >= 320, "{stats}");
    }
}

#[test]
fn mixture_on_one_thread() {
    run(mixture());
}

#[test]
fn mixture_on_two_threads() {
    run_on_two(mixture());
}
