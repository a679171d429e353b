//! How long does a client need when IPv6 is broken, over several attempt delays? Run it with
//! `cargo run -p regatta-sim --example fallback`; it takes no time, for time is virtual.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use regatta_runtime::{Client, Error, Runtime as _, Server};
use regatta_sim::net::rule::{Action, Family, Rule};
use regatta_sim::{Link, Net, Stuck};

fn main() -> Result<(), Stuck> {
    for delay in [100, 200, 300, 500] {
        let net = Net::seeded(1);
        let answered = net.run(first_byte(&net, Duration::from_millis(delay)))?;
        match answered {
            Ok(()) => println!("attempt delay {delay} ms: first byte at {}", net.now()),
            Err(error) => println!("attempt delay {delay} ms: {error}"),
        }
    }
    Ok(())
}

async fn first_byte(net: &Net, attempt_delay: Duration) -> Result<(), Error> {
    let ipv4 = IpAddr::from([192, 0, 2, 1]);
    let ipv6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let server = net.host("server", [ipv4, ipv6]);
    let own = [IpAddr::from([192, 0, 2, 9]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9])];
    let client = net.host("client", own);
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    net.name("www.test", [ipv6, ipv4]);
    net.rule(Rule::new(Action::Drop).family(Family::V6));

    let listening = Server::builder(server.clone()).bind(SocketAddr::new(ipv4, 80)).await?;
    server.spawn(listening.serve(|_| async { Response::new(Empty::<Bytes>::new()) }));
    let client = Client::builder(client)
        .eyeballs(|eyeballs| eyeballs.attempt_delay = attempt_delay)
        .build()?;
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = http::Uri::from_static("http://www.test/");
    client.request(request).await.map(drop)
}
