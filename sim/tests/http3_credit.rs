//! A server of HTTP/3 that grants no stream at first, or never, on virtual time.

mod raw3;
mod stage;

use core::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use quinn_proto::{Dir, VarInt};
use regatta_core::engine::quic::ServerOptions;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Builder, Client, Error, Runtime as _, Server};
use regatta_sim::{Host, Net, tls};

use self::raw3::{Peer, ok, settings};
use self::stage::{AT, SECOND, hosts, offer, origin, trusting};

fn builder(host: &Host) -> Builder<Host> {
    trusting(host)
}

/// A server that grants no stream.
async fn stingy(host: &Host) -> Peer {
    let mut options = ServerOptions::default();
    options.connection.bidirectional_streams = 0;
    Peer::server(host, AT, &options).await
}

type Ended = Arc<Mutex<Vec<Result<Version, Error>>>>;

/// Asks so often at once, each in a task of its own.
fn ask(host: &Host, client: &Client<Host>, count: usize) -> Ended {
    let ended = Ended::default();
    for _ in 0..count {
        let (told, client) = (Arc::clone(&ended), client.clone());
        host.spawn(async move {
            let request = Request::get("https://www.test/").body(Full::new(Bytes::new()));
            let asked = async {
                let response = client.request(request.unwrap()).await?;
                let version = response.version();
                response.into_body().collect().await?;
                Ok(version)
            };
            let answer = asked.await;
            told.lock().unwrap().push(answer);
        });
    }
    ended
}

fn versions(ended: &Ended) -> Vec<Version> {
    ended.lock().unwrap().iter().map(|one| *one.as_ref().unwrap()).collect()
}

/// Where there is HTTP/3 alone, requests wait until streams are granted; no second connection is
/// made for them.
#[test]
fn requests_wait_for_the_first_stream_and_are_served() {
    let net = Net::seeded(1);
    net.run(async {
        let (server, host) = hosts(&net);
        let mut peer = stingy(&server).await;
        let builder = builder(&host).profile(|profile| profile.protocols = Protocols::Http3);
        let client = builder.build().unwrap();
        let ended = ask(&host, &client, 6);
        peer.until("a handshake", |peer| peer.connected).await;
        peer.open(Dir::Uni, &settings(&[]));
        peer.run(2 * SECOND).await;
        assert!(ended.lock().unwrap().is_empty(), "{ended:?}");
        assert_eq!(peer.endpoint.counts().connections, 1);
        peer.connection().set_max_concurrent_streams(Dir::Bi, VarInt::from_u32(20));
        for count in 1..=6 {
            peer.until("a request", |peer| peer.streams(Dir::Bi).count() >= count).await;
            let (stream, _) = peer.streams(Dir::Bi).nth(count - 1).unwrap();
            peer.say(stream, &ok());
            peer.finish(stream);
        }
        peer.run(SECOND).await;
        assert_eq!(versions(&ended), [Version::HTTP_3; 6]);
        assert_eq!(peer.endpoint.counts().connections, 1);
        client.check();
    })
    .unwrap();
}

/// A QUIC connection that may carry nothing wins no race: TCP serves as if QUIC said nothing.
#[test]
fn a_connection_without_streams_leaves_requests_to_tcp() {
    let net = Net::seeded(1);
    net.run(async {
        let (server, host) = hosts(&net);
        let mut peer = stingy(&server).await;
        let at: SocketAddr = AT.parse().unwrap();
        let listening = Server::builder(server.clone()).tls(tls::good()).bind(at).await.unwrap();
        let handle = listening.handle();
        server.spawn(listening.serve(|_: Request<Body>| async {
            Response::new(Full::new(Bytes::from_static(b"over TCP")))
        }));
        let client = builder(&host).http3().alternative(origin(), offer()).build().unwrap();
        let ended = ask(&host, &client, 6);
        peer.run(SECOND).await;
        assert_eq!(versions(&ended), [Version::HTTP_2; 6]);
        assert_eq!(handle.accepted_connections(), 1);
        // The attempt goes on, and serves when it can.
        peer.open(Dir::Uni, &settings(&[]));
        peer.connection().set_max_concurrent_streams(Dir::Bi, VarInt::from_u32(2));
        peer.run(SECOND).await;
        let later = ask(&host, &client, 1);
        peer.until("a request", |peer| peer.streams(Dir::Bi).next().is_some()).await;
        let (stream, _) = peer.streams(Dir::Bi).next().unwrap();
        peer.say(stream, &ok());
        peer.finish(stream);
        peer.run(SECOND).await;
        assert_eq!(versions(&later), [Version::HTTP_3]);
        client.check();
    })
    .unwrap();
}
