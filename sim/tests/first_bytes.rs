//! Real requests through the production driver, over TLS and HTTP/2, on virtual time.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use regatta_core::engine::tls::ServerOptions;
use regatta_models::tape::Tape;
use regatta_runtime::{Client, ErrorKind, Roots, Runtime as _, Server};
use regatta_sim::choice::Choices;
use regatta_sim::{Link, Net, tls};

/// Asks `count` times in turn, with a body that comes back, and gives the net's digest.
fn echoes(net: &Net, options: ServerOptions, count: usize) -> Result<u64, ErrorKind> {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    let asked = net.run(async {
        let at: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let listening = Server::builder(server.clone()).tls(options).bind(at).await.unwrap();
        server.spawn(listening.serve(|request: Request<regatta_runtime::Body>| async {
            let body = request.into_body().collect().await.map(|all| all.to_bytes());
            Response::new(Full::new(body.unwrap_or_default()))
        }));
        let roots = Roots::Der(vec![tls::ROOT.to_vec()]);
        let client = Client::builder(client).roots(roots).build().unwrap();
        for n in 0..count {
            let sent = Bytes::from(vec![n as u8; n * 5_000]);
            let request = Request::post("https://www.test/").body(Full::new(sent.clone())).unwrap();
            let response = client.request(request).await.map_err(|e| e.kind().clone())?;
            assert_eq!(response.version(), http::Version::HTTP_2);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), sent);
        }
        Ok(())
    });
    asked.unwrap()?;
    Ok(net.steps(|steps| steps.digest()))
}

#[test]
fn a_request_over_tls_takes_three_round_trips() {
    let net = Net::seeded(1);
    echoes(&net, tls::good(), 1).unwrap();
    assert_eq!(net.now().as_nanos(), 3 * 40_000_000);
}

#[test]
fn the_same_tape_gives_the_same_steps() {
    for seed in 0..20 {
        let net = || Net::new(Choices::new(Tape::seeded(seed)), seed);
        let (first, second) = (net(), net());
        first.steps(|steps| steps.log());
        let digest = echoes(&first, tls::good(), 8).unwrap();
        let log = first.steps(|steps| steps.take_log());
        second.steps(|steps| steps.expect(log));
        let again = echoes(&second, tls::good(), 8).unwrap();
        assert_eq!(second.steps(|steps| steps.divergence()), None, "seed {seed}");
        assert_eq!(digest, again, "seed {seed}");
    }
}

#[test]
fn bad_certificates_are_refused() {
    for options in [tls::expired(), tls::stranger()] {
        assert!(echoes(&Net::seeded(1), options, 1).is_err());
    }
}
