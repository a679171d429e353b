//! Requests over HTTP/3 through the production driver of both sides, on virtual time.

mod stage;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::types::{Cause, Refusal};
use regatta_models::tape::Tape;
use regatta_runtime::{Body, Client, Error, ErrorKind, Runtime as _, Server, ServerHandle};
use regatta_sim::choice::Choices;
use regatta_sim::{Host, Link, Net, tls};

use self::stage::{AT, MS, NEAR, hosts, linked, only_http3};

/// Sends every request's body back, over TCP and UDP.
async fn serve(server: &Host, options: ServerOptions) -> ServerHandle<Host> {
    let builder = Server::builder(server.clone()).tls(options);
    stage::serve(
        server,
        AT,
        builder.http3(quic::ServerOptions::default()),
        |request: Request<Body>| async {
            let body = request.into_body().collect().await.map(|all| all.to_bytes());
            Response::new(Full::new(body.unwrap_or_default()))
        },
    )
    .await
}

async fn echo(client: &Client<Host>, bytes: Bytes) -> Result<(), Error> {
    let request = Request::post("https://www.test/").body(Full::new(bytes.clone())).unwrap();
    let response = client.request(request).await?;
    assert_eq!(response.version(), Version::HTTP_3);
    assert!(response.into_body().collect().await?.to_bytes() == bytes, "other bytes came back");
    Ok(())
}

/// Asks `count` times in turn and gives the net's digest.
fn echoes(net: &Net, link: Link, count: usize) -> u64 {
    let (server, host) = linked(net, link);
    net.run(async {
        serve(&server, tls::good()).await;
        let client = only_http3(&host);
        for n in 0..count {
            echo(&client, Bytes::from(vec![n as u8; n * 5_000])).await.unwrap();
        }
        client.check();
    })
    .unwrap();
    net.steps(|steps| steps.digest())
}

#[test]
fn a_request_takes_two_round_trips() {
    let net = Net::seeded(1);
    echoes(&net, NEAR, 1);
    assert_eq!(net.now().as_nanos(), 2 * 40_000_000);
}

#[test]
fn the_same_tape_gives_the_same_steps() {
    for seed in 0..20 {
        let net = || Net::new(Choices::new(Tape::seeded(seed)), seed);
        let (first, second) = (net(), net());
        first.steps(|steps| steps.log());
        let digest = echoes(&first, NEAR, 8);
        let log = first.steps(|steps| steps.take_log());
        second.steps(|steps| steps.expect(log));
        let again = echoes(&second, NEAR, 8);
        assert_eq!(second.steps(|steps| steps.divergence()), None, "seed {seed}");
        assert_eq!(digest, again, "seed {seed}");
    }
}

#[test]
fn what_the_network_loses_is_sent_again() {
    for seed in 0..10 {
        echoes(&Net::seeded(seed), NEAR.loss_ppm(50_000), 20);
    }
}

#[test]
fn ninety_requests_share_one_connection() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, tls::good()).await;
        let client = only_http3(&host);
        echo(&client, Bytes::new()).await.unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        for n in 0..90 {
            let (client, done) = (client.clone(), Arc::clone(&done));
            host.spawn(async move {
                echo(&client, Bytes::from(vec![n; 20_000])).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(done.load(Ordering::Relaxed), 90);
        assert_eq!(handle.accepted_connections(), 1);
        client.check();
    })
    .unwrap();
}

#[test]
fn bad_certificates_are_refused() {
    for options in [tls::expired(), tls::stranger()] {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            serve(&server, options).await;
            let error = echo(&only_http3(&host), Bytes::new()).await.unwrap_err();
            let is_tls =
                matches!(error.kind(), ErrorKind::Refused(Refusal::ConnectFailed(Cause::Tls(_))));
            assert!(is_tls, "{error}");
        })
        .unwrap();
    }
}

/// A drain tells the client, which makes another connection for what it asks next; here nobody
/// is there any more.
#[test]
fn a_server_drains_what_is_idle() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, tls::good()).await;
        let client = only_http3(&host);
        echo(&client, Bytes::from_static(b"once")).await.unwrap();
        assert_eq!(handle.active_connections(), 1);
        let drained = handle.drain().await;
        assert_eq!((drained.connections, drained.requests), (0, 0));
        host.sleep(100 * MS).await;
        assert_eq!(client.inspect(|upstream| upstream.sockets()), 0);
        let error = echo(&client, Bytes::new()).await.unwrap_err();
        let nobody = ErrorKind::Refused(Refusal::ConnectFailed(Cause::Refused));
        assert_eq!(*error.kind(), nobody);
    })
    .unwrap();
}

#[test]
fn a_client_that_closes_leaves_nothing_at_the_server() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, tls::good()).await;
        let client = only_http3(&host);
        echo(&client, Bytes::from_static(b"once")).await.unwrap();
        assert_eq!(client.close(Duration::from_secs(5)).await.cut, 0);
        host.sleep(100 * MS).await;
        assert_eq!(handle.active_connections(), 0);
    })
    .unwrap();
}

/// HTTP/3 is not for plain text.
#[test]
fn an_origin_without_tls_is_refused() {
    let net = Net::seeded(1);
    let (_, host) = hosts(&net);
    net.run(async {
        let request = Request::get("http://www.test/").body(Full::new(Bytes::new())).unwrap();
        let error = only_http3(&host).request(request).await.unwrap_err();
        assert!(error.to_string().contains("HTTP/3 is for https alone"), "{error}");
    })
    .unwrap();
}
