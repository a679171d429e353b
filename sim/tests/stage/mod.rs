//! Where tests of HTTP/3 play: a server and a client on virtual time, 20 ms apart.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use core::net::SocketAddr;
use core::time::Duration;

use regatta_core::altsvc::{Alternative, Offer};
use regatta_core::engine::quic::ServerOptions;
use regatta_core::types::{Origin, Scheme};
use regatta_core::upstream::Protocols;
use regatta_runtime::Service;
use regatta_runtime::{Builder, Client, Roots, Runtime as _, Server, ServerBuilder, ServerHandle};
use regatta_sim::{Host, Link, Net, tls};

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
/// Where the server listens; the client is the host with a 9 at the end.
pub const AT: &str = "192.0.2.1:443";
/// The link of [`hosts`]: a round trip takes 40 ms.
pub const NEAR: Link = Link::delay(Duration::from_millis(20));

/// A server, `www.test`, and a client.
pub fn hosts(net: &Net) -> (Host, Host) {
    linked(net, NEAR)
}

/// The same, on a link of one's own.
pub fn linked(net: &Net, link: Link) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&client, &server, link);
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    (server, client)
}

/// The server's origin.
pub fn origin() -> Origin {
    Origin { scheme: Scheme::Https, host: "www.test".into(), port: 443 }
}

/// What a client knows that was told beforehand that HTTP/3 is at the same port.
pub fn offer() -> Offer {
    Offer::new(Alternative::http3(443))
}

/// A client that trusts the simulator's certificates.
pub fn trusting(host: &Host) -> Builder<Host> {
    Client::builder(host.clone()).roots(Roots::Der(vec![tls::ROOT.to_vec()]))
}

/// A client that speaks HTTP/3 and nothing else.
pub fn only_http3(host: &Host) -> Client<Host> {
    trusting(host).profile(|profile| profile.protocols = Protocols::Http3).build().unwrap()
}

/// A server over TCP with TLS, and over QUIC.
pub fn server(host: &Host) -> ServerBuilder<Host> {
    Server::builder(host.clone()).tls(tls::good()).http3(ServerOptions::default())
}

/// Listens and serves in a task of its own.
pub async fn serve<S: Service>(
    host: &Host,
    at: &str,
    builder: ServerBuilder<Host>,
    service: S,
) -> ServerHandle<Host> {
    let at: SocketAddr = at.parse().unwrap();
    let listening = builder.bind(at).await.unwrap();
    let handle = listening.handle();
    host.spawn(listening.serve(service));
    handle
}
