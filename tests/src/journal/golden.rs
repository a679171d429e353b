//! Real runs whose journals are kept in `core/src/journal/golden/`. Each is made anew here, and
//! must replay; `REGATTA_GOLDEN=1` writes it down.

use core::future::Future;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::types::{Cause, Phase, Protocol, Refusal};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Builder, ErrorKind, Tokio};

use super::{finished, recording};
use crate::ask::{get, options, post};
use crate::dsl::{Peer, code, data, go_away, headers, run};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

/// Runs a scene with a recorded client, and replays it; the journal must contain these.
fn scene<F: Future<Output = ()>>(
    name: &str,
    contains: &[&str],
    play: impl FnOnce(Builder<Tokio>) -> F,
) {
    run(async {
        let (recording, memory) = recording();
        play(regatta_tokio::client().record(&recording)).await;
        let journal = finished(&recording, &memory);
        for part in contains {
            assert!(journal.contains(part), "{part} is missing in\n{journal}");
        }
        if std::env::var_os("REGATTA_GOLDEN").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/journal/golden");
            let made = "REGATTA_GOLDEN=1 cargo nextest run -p regatta-tests journal::golden";
            let journal = format!("{journal}# made by {made}\n");
            std::fs::write(Path::new(folder).join(format!("{name}.journal")), journal).unwrap();
        }
    });
}

fn http2(builder: Builder<Tokio>) -> Builder<Tokio> {
    builder.profile(|profile| profile.protocols = Protocols::Http2PriorKnowledge)
}

#[test]
fn http1() {
    let contains = ["protocol=http1", "> assign request=r0.1 connection=c0.0", "> shutdown"];
    scene("http1", &contains, async |builder| {
        let server = Serving::plain(async |_| text("ok")).await;
        let builder = builder.pool(|pool| pool.max_requests_per_connection = 2.try_into().ok());
        let client = builder.build().unwrap();
        for _ in 0..3 {
            assert_eq!(get(&client, server.url("/")).await.unwrap(), "ok");
        }
    });
}

#[test]
fn http2_limits() {
    let contains = ["protocol=http2", "limit connection=c0.0 limit=concurrent:1"];
    scene("http2", &contains, async |builder| {
        let (client, peer) = (http2(builder).build().unwrap(), Peer::bind().await);
        let script = async {
            let mut frames = peer.frames_with(&[(3, 1)]).await;
            for stream in [1, 3] {
                frames.recv(headers(stream).end()).await;
                frames.send_all(&[headers(stream).status(200), data(stream, "ok").end()]).await;
            }
            frames
        };
        let both = async {
            get(&client, peer.url("/")).await.unwrap();
            get(&client, peer.url("/")).await.unwrap();
        };
        let ((), _frames) = tokio::join!(both, script);
    });
}

#[test]
fn tls() {
    let contains = ["origin=https://right.test:", "attempt-progress", "protocol=http2"];
    scene("tls", &contains, async |builder| {
        let authority = Authority::new();
        let mut options = authority.server(&["right.test"]);
        options.alpn = vec![Protocol::Http2, Protocol::Http1];
        let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_| text("ok"));
        let loopback = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let names = builder.resolve("right.test", loopback.clone()).resolve("wrong.test", loopback);
        let client = names.roots(authority.roots()).build().unwrap();
        let port = server.address.port();
        get(&client, format!("https://right.test:{port}/")).await.unwrap();
        let error = get(&client, format!("https://wrong.test:{port}/")).await.unwrap_err();
        assert!(error.is_connect());
    });
}

#[test]
fn failed_connect() {
    let contains = ["attempt-failed attempt=a0.0 cause=refused", "reason=connect-failed:refused"];
    scene("failed-connect", &contains, async |builder| {
        let listener = tokio::net::TcpListener::bind(ANY).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let both = vec![Ipv4Addr::new(127, 0, 0, 2).into(), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let client = builder.resolve("nobody.test", both).build().unwrap();
        let error = get(&client, format!("http://nobody.test:{port}/")).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Refused));
    });
}

#[test]
fn go_away_resends() {
    let contains = ["retry=unprocessed", "> resend request="];
    scene("go-away", &contains, async |builder| {
        let (client, peer) = (http2(builder).build().unwrap(), Peer::bind().await);
        let script = async {
            let mut first = peer.frames().await;
            first.recv(headers(1)).await;
            first.recv(data(1, "twice").end()).await;
            first.send(go_away(0, code::NO_ERROR)).await;
            let mut second = peer.frames().await;
            second.recv(headers(1)).await;
            second.recv(data(1, "twice").end()).await;
            second.send_all(&[headers(1).status(200), data(1, "ok").end()]).await;
            second
        };
        let (said, _frames) = tokio::join!(post(&client, peer.url("/"), "twice"), script);
        assert_eq!(said.unwrap(), "ok");
    });
}

#[test]
fn circuit_breaker() {
    let contains = ["max_requests=1 ", "reason=active-overflow failed=none"];
    scene("circuit-breaker", &contains, async |builder| {
        let builder = http2(builder).limits(|limits| limits.max_requests = Some(1));
        let (client, peer) = (builder.build().unwrap(), Peer::bind().await);
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            let error = get(&client, peer.url("/")).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::ActiveOverflow));
            frames.send_all(&[headers(1).status(200), data(1, "ok").end()]).await;
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        assert_eq!(said.unwrap(), "ok");
    });
}

#[test]
fn deadline() {
    let contains = ["timeout\n> ", "reason=deadline:answering", "> reset connection=c0.0"];
    scene("deadline", &contains, async |builder| {
        let (client, peer) = (http2(builder).build().unwrap(), Peer::bind().await);
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            frames.next().await
        };
        let mut request = Request::get(peer.url("/")).body(Empty::<Bytes>::new()).unwrap();
        let short = options(|options| options.timeout = Some(Duration::from_millis(30)));
        request.extensions_mut().insert(short);
        let asks = async { client.request(request).await.map(|response| response.into_body()) };
        let (said, _reset) = tokio::join!(asks, script);
        let error = match said {
            Ok(body) => body.collect().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Deadline(Phase::Answering)));
    });
}
