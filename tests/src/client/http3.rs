//! HTTP/3 between both sides of ours, on real sockets.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::engine::quic;
use regatta_core::types::{Cause, Refusal, TlsFault};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Body, Client, ErrorKind};

use crate::ask::{Answer, send};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

/// Sends bodies back, over TCP and UDP.
async fn serving(authority: &Authority) -> Serving {
    let builder = regatta_tokio::server().tls(authority.server(&["localhost", "127.0.0.1"]));
    let server = builder.http3(quic::ServerOptions::default()).bind(ANY).await.unwrap();
    Serving::start(server, |request: Request<Body>| async move {
        let version = request.version();
        let body = request.into_body().collect().await.map(|all| all.to_bytes());
        let mut response = text(body.unwrap_or_default());
        response.headers_mut().insert("seen", format!("{version:?}").parse().unwrap());
        response
    })
}

fn client(authority: &Authority, protocols: Protocols) -> Client {
    let builder = regatta_tokio::client().roots(authority.roots());
    builder.profile(|profile| profile.protocols = protocols).build().unwrap()
}

async fn echo(client: &Client, url: String, bytes: Bytes) -> Response<()> {
    let request = Request::put(url).body(Full::new(bytes.clone())).unwrap();
    let response = client.request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    assert!(body.collect().await.unwrap().to_bytes() == bytes, "other bytes came back");
    Response::from_parts(parts, ())
}

/// Bodies both ways, one connection, a drain; TCP is served beside it on the same port.
#[tokio::test]
async fn requests_go_over_quic_and_tcp_to_one_port() {
    let authority = Authority::new();
    let server = serving(&authority).await;
    let port = server.address.port();
    let over_quic = client(&authority, Protocols::Http3);
    for (host, length) in [("localhost", 0), ("localhost", 1), ("localhost", 1_000_000)] {
        let url = format!("https://{host}:{port}/");
        let head = echo(&over_quic, url, Bytes::from(vec![7; length])).await;
        assert_eq!((head.version(), head.status()), (Version::HTTP_3, StatusCode::OK));
        assert_eq!(head.headers()["seen"], "HTTP/3.0");
    }
    assert_eq!(server.handle.accepted_connections(), 1);
    let over_tcp = client(&authority, Protocols::Auto);
    let head = echo(&over_tcp, format!("https://127.0.0.1:{port}/"), Bytes::new()).await;
    assert_eq!(head.version(), Version::HTTP_2);
    over_quic.check();
    drop((over_quic, over_tcp));
    server.handle.drain().await;
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_server_says_why() {
    let server = serving(&Authority::new()).await;
    let client = client(&Authority::new(), Protocols::Http3);
    let url = format!("https://localhost:{}/", server.address.port());
    let asked = send(&client, Request::get(url).body(Full::new(Bytes::new())).unwrap()).await;
    let error = asked.map(|Answer { status, .. }| status).unwrap_err();
    let unknown = Refusal::ConnectFailed(Cause::Tls(TlsFault::UnknownIssuer));
    assert_eq!(*error.kind(), ErrorKind::Refused(unknown));
    assert!(error.to_string().contains("not trusted"), "{error}");
}
