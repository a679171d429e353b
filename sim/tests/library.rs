//! The simulator as a library: a test of one's own, on virtual time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::types::Cause;
use regatta_runtime::{Client, Roots, Runtime as _, Server};
use regatta_sim::net::fault::Fault;
use regatta_sim::net::rule::{Action, Family, Rule};
use regatta_sim::{Host, Link, Net, tls};

/// A server with both families, and a client 20 ms away from it.
fn two_hosts(net: &Net) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1", "2001:db8::1"].map(|at| at.parse().unwrap()));
    let client = net.host("client", ["192.0.2.9", "2001:db8::9"].map(|at| at.parse().unwrap()));
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    net.name("www.test", ["2001:db8::1", "192.0.2.1"].map(|at| at.parse().unwrap()));
    (server, client)
}

/// Serves "hello" over TLS on both addresses.
async fn serve(server: &Host) {
    for at in ["192.0.2.1:443", "[2001:db8::1]:443"] {
        let at: std::net::SocketAddr = at.parse().unwrap();
        let listening = Server::builder(server.clone()).tls(tls::good()).bind(at).await.unwrap();
        server.spawn(listening.serve(|_| async { Response::new(Full::new(Bytes::from("hello"))) }));
    }
}

fn trusting(client: Host) -> Client<Host> {
    Client::builder(client).roots(Roots::Der(vec![tls::ROOT.to_vec()])).build().unwrap()
}

fn hello() -> Request<Empty<Bytes>> {
    Request::get("https://www.test/").body(Empty::new()).unwrap()
}

#[test]
fn a_client_falls_back_to_ipv4_in_300_ms() {
    let net = Net::seeded(1);
    let (server, client) = two_hosts(&net);
    // Every IPv6 packet disappears.
    net.rule(Rule::new(Action::Drop).family(Family::V6));

    let timeline = net
        .run(async {
            serve(&server).await;
            let response = trusting(client).request(hello()).await.unwrap();
            let timeline = response.body().timeline().unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
            timeline.snapshot()
        })
        .unwrap();

    assert!(timeline.connection.unwrap().address.is_ipv4());
    assert_eq!(timeline.attempts.len(), 2);
    // The attempt delay, then one round trip each for TCP, TLS 1.3 and the request.
    assert_eq!(net.now().as_nanos(), Duration::from_millis(300 + 3 * 40).as_nanos() as u64);
}

#[test]
fn a_server_that_lost_its_power_is_noticed_after_the_connect_timeout() {
    let net = Net::seeded(1);
    let (server, client) = two_hosts(&net);
    let peers = regatta_sim::net::fault::Peers::Silence;
    net.apply(Fault::Crash { host: server.id(), peers });

    let error = net.run(async { trusting(client).request(hello()).await.unwrap_err() }).unwrap();

    assert_eq!(error.cause(), Some(Cause::ConnectTimeout));
    assert_eq!(net.now().as_nanos(), Duration::from_secs(5).as_nanos() as u64);
}
