//! What a client promises beside the single request, on virtual time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::Instant;
use regatta_core::types::Refusal;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Client, Error, ErrorKind, Runtime as _, Server, Timer as _};
use regatta_sim::{Host, Link, Net};

const MS: Duration = Duration::from_millis(1);

/// A server, and a client 10 ms away from it.
fn two_hosts(net: &Net) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&client, &server, Link::delay(10 * MS));
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    (server, client)
}

async fn sleep(host: &Host, time: Duration) {
    if time.is_zero() {
        return;
    }
    let mut timer = host.timer(host.now() + time);
    std::future::poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// Answers `/N` after N milliseconds.
async fn serve_late(server: &Host) {
    let at: std::net::SocketAddr = "192.0.2.1:80".parse().unwrap();
    let listening = Server::builder(server.clone()).bind(at).await.unwrap();
    let host = server.clone();
    server.spawn(listening.serve(move |request: Request<_>| {
        let host = host.clone();
        async move {
            let millis = request.uri().path().trim_start_matches('/').parse().unwrap();
            sleep(&host, Duration::from_millis(millis)).await;
            Response::new(Full::new(Bytes::from("late")))
        }
    }));
}

fn client(host: &Host, protocols: Protocols) -> Client<Host> {
    let builder = Client::builder(host.clone());
    builder.profile(|profile| profile.protocols = protocols).build().unwrap()
}

async fn get(client: Client<Host>, path: &str) -> Result<Bytes, Error> {
    let request = Request::get(format!("http://www.test/{path}"));
    let response = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

/// Starts a request that goes on by itself; what came of it is left in the returned place.
fn begin(host: &Host, client: &Client<Host>, path: &'static str) -> Place {
    let place = Place::default();
    let (client, to) = (client.clone(), place.clone());
    host.spawn(async move {
        let said = get(client, path).await;
        *to.lock().unwrap() = Some(said);
    });
    place
}

type Place = std::sync::Arc<std::sync::Mutex<Option<Result<Bytes, Error>>>>;

fn kind(place: &Place) -> Option<ErrorKind> {
    place.lock().unwrap().take().unwrap().err().map(|error| error.kind().clone())
}

#[test]
fn a_close_waits_for_what_is_under_way_and_cuts_the_rest_off_at_its_deadline() {
    for protocols in [Protocols::Http1, Protocols::Http2PriorKnowledge] {
        let net = Net::seeded(1);
        let (server, host) = two_hosts(&net);
        net.run(async {
            serve_late(&server).await;
            let client = client(&host, protocols);
            let quick = begin(&host, &client, "50");
            let slow = begin(&host, &client, "60000");
            sleep(&host, 45 * MS).await;
            let before = host.now();
            let closing = client.close(500 * MS);
            let refused = get(client.clone(), "0").await.unwrap_err();
            assert_eq!(*refused.kind(), ErrorKind::Refused(Refusal::Draining));
            let closed = closing.await;
            assert_eq!(closed.cut, 1, "{protocols:?}");
            assert!(host.now() >= before + 500 * MS);
            // The abort is on its way; nobody waits for the peer.
            assert!(host.now() <= before + 550 * MS, "{:?}", host.now());
            assert_eq!(kind(&quick), None, "it was answered in time");
            assert_eq!(kind(&slow), Some(ErrorKind::Refused(Refusal::Closed)));
            client.check();
            assert_eq!(client.inspect(|upstream| upstream.sockets()), 0);
        })
        .unwrap();
    }
}

#[test]
fn a_close_with_nothing_under_way_takes_no_longer_than_the_goodbyes() {
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        serve_late(&server).await;
        let client = client(&host, Protocols::Http1);
        assert_eq!(get(client.clone(), "0").await.unwrap(), "late");
        let before: Instant = host.now();
        assert_eq!(client.close(Duration::from_secs(60)).await.cut, 0);
        assert!(host.now() <= before + 50 * MS, "{:?} after {before:?}", host.now());
    })
    .unwrap();
}
