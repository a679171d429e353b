//! HTTP/3 between both sides of ours, on real sockets.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::Instant;
use regatta_core::altsvc::{Alternative, Offer};
use regatta_core::engine::quic;
use regatta_core::engine::tls::{ServerConfig, Tls};
use regatta_core::types::{Cause, Origin, Refusal, Scheme, TlsFault, Transport};
use regatta_core::upstream::Protocols;
use regatta_tokio::{AttemptOutcome, Body, Client, ErrorKind};
use tokio::net::TcpListener;

use crate::ask::{Answer, send};
use crate::dsl::{Secret, clock};
use crate::peers::relay::Relay;
use crate::serve::{ANY, Serving, memory, text};
use crate::trust::Authority;

/// Sends bodies back, over TCP and UDP.
async fn serving(authority: &Authority) -> Serving {
    let builder = regatta_tokio::server().tls(authority.server(&["localhost", "127.0.0.1"]));
    let server = builder.http3(quic::ServerOptions::default()).bind(ANY).await.unwrap();
    Serving::start(server, |request: Request<Body>| async move {
        let version = request.version();
        let used = request.headers().get("alt-used").cloned();
        let body = request.into_body().collect().await.map(|all| all.to_bytes());
        let mut response = text(body.unwrap_or_default());
        response.headers_mut().insert("seen", format!("{version:?}").parse().unwrap());
        if let Some(used) = used {
            response.headers_mut().insert("used", used);
        }
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
        assert!(!head.headers().contains_key("alt-svc"));
    }
    assert_eq!(server.handle.accepted_connections(), 1);
    let over_tcp = client(&authority, Protocols::Auto);
    let head = echo(&over_tcp, format!("https://127.0.0.1:{port}/"), Bytes::new()).await;
    assert_eq!(head.version(), Version::HTTP_2);
    assert_eq!(head.headers()["alt-svc"], format!("h3=\":{port}\"; ma=86400"));
    over_quic.check();
    drop((over_quic, over_tcp));
    server.handle.drain().await;
    server.task.await.unwrap();
}

/// The first answer over TCP says where HTTP/3 is; QUIC is made beside it, and used when it is
/// ready. The request says by Alt-Used where it goes.
#[tokio::test]
async fn http3_is_learnt_from_an_answer_and_used_for_later_requests() {
    let authority = Authority::new();
    let server = serving(&authority).await;
    let port = server.address.port();
    let client = client(&authority, Protocols::AutoHttp3);
    let url = format!("https://127.0.0.1:{port}/");
    let first = echo(&client, url.clone(), Bytes::new()).await;
    assert_eq!(first.version(), Version::HTTP_2);
    let mut asked = 0;
    let later = loop {
        let head = echo(&client, url.clone(), Bytes::from_static(b"again")).await;
        if head.version() == Version::HTTP_3 {
            break head;
        }
        asked += 1;
        assert!(asked < 100_000, "HTTP/3 was never used");
    };
    assert_eq!(later.headers()["used"], format!("127.0.0.1:{port}"));
    assert!(!first.headers().contains_key("used"));
    // From now on nothing goes over TCP.
    let next = echo(&client, url, Bytes::from(vec![1; 100_000])).await;
    assert_eq!(next.version(), Version::HTTP_3);
    assert_eq!(server.handle.accepted_connections(), 2);
    client.check();
}

/// An ALTSVC frame says the same as the field; one that names somebody else says nothing.
// rule: AS-10
#[tokio::test]
async fn http3_is_learnt_from_an_altsvc_frame() {
    const SETTINGS: &str = "\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";
    // :status 200, spelt out, and the end of the stream.
    const ANSWER: &str = "\0\0\x05\x01\x05\0\0\0\x01\x08\x03200";
    let authority = Authority::new();
    let listener = TcpListener::bind(ANY).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = ServerConfig::new(&clock(), authority.server(&["127.0.0.1"])).unwrap();
    let frame = |origin: &str, value: &str| {
        let lengths = [2 + origin.len() + value.len(), origin.len()];
        let [all, origin_len] = lengths.map(|len| char::from(u8::try_from(len).unwrap()));
        assert!(all.is_ascii());
        format!("\0\0{all}\x0a\0\0\0\0\0\0{origin_len}{origin}{value}")
    };
    let script = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = Secret::new(socket, Tls::server(&config, Instant::EPOCH).unwrap());
        let (mine, other) = (format!("https://127.0.0.1:{port}"), "https://other.test");
        let alternatives = [frame(&mine, "h3=\":9\"; ma=60"), frame(other, "h3=\":7\"; ma=60")];
        peer.send(&[SETTINGS, &alternatives.concat()].concat()).await;
        // The body, which is not compressed.
        peer.until("marker").await;
        peer.send(ANSWER).await;
        peer
    };
    let client = client(&authority, Protocols::AutoHttp3);
    let request = Request::put(format!("https://127.0.0.1:{port}/"));
    let request = request.body(Full::new(Bytes::from_static(b"marker"))).unwrap();
    let (answer, _peer) = tokio::join!(send(&client, request), script);
    assert_eq!(answer.unwrap().status, StatusCode::OK);
    let known = client.alternatives();
    assert!(known.contains("127.0.0.1") && known.contains(":9"), "{known}");
    assert!(!known.contains("other.test") && !known.contains(":7"), "{known}");
}

/// A server that speaks no HTTP/3, whatever somebody has said of it: the system says so, and TCP
/// starts at once.
#[tokio::test]
async fn where_nobody_is_at_the_udp_port_tcp_serves() {
    let authority = Authority::new();
    let builder = regatta_tokio::server().tls(authority.server(&["127.0.0.1"]));
    let server = builder.bind(ANY).await.unwrap();
    let server = Serving::start(server, |_: Request<Body>| async { text(Bytes::new()) });
    let port = server.address.port();
    let origin = Origin { scheme: Scheme::Https, host: "127.0.0.1".into(), port };
    let builder = regatta_tokio::client().roots(authority.roots()).http3();
    let client = builder.alternative(origin, Offer::new(Alternative::http3(port))).build().unwrap();
    let request = Request::get(format!("https://127.0.0.1:{port}/"));
    let response = client.request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let timeline = response.body().timeline().unwrap().snapshot();
    let tried: Vec<_> = timeline
        .attempts
        .iter()
        .map(|attempt| (attempt.transport, attempt.outcome == AttemptOutcome::Won))
        .collect();
    assert_eq!(tried, [(Transport::Quic, false), (Transport::Tcp, true)]);
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

/// Bodies of a megabyte, without end.
struct Megabytes(usize);

impl http_body::Body for Megabytes {
    type Data = Bytes;
    type Error = core::convert::Infallible;

    fn poll_frame(
        mut self: core::pin::Pin<&mut Self>,
        _: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let Some(left) = self.0.checked_sub(1) else { return core::task::Poll::Ready(None) };
        self.0 = left;
        let frame = http_body::Frame::data(Bytes::from(vec![7; 1 << 20]));
        core::task::Poll::Ready(Some(Ok(frame)))
    }
}

/// How a client's address changes in the middle of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// It is told that the network has changed, and takes another socket.
    Told,
    /// A NAT on the way gives it another port, of which it knows nothing.
    Nat,
}

/// Whatever changes, the body goes on over the same connection, and little of it is in memory.
#[tokio::test]
async fn a_body_goes_on_from_another_address() {
    const LENGTH: usize = 40;
    const HELD: u64 = 24 << 20;
    for change in [Change::Told, Change::Nat] {
        let authority = Authority::new();
        let mut options = quic::ServerOptions::default();
        options.connection.send_window = 1 << 20;
        let builder = regatta_tokio::server().tls(authority.server(&["127.0.0.1"]));
        let server = builder.http3(options).bind(ANY).await.unwrap();
        let server =
            Serving::start(server, |_: Request<Body>| async { Response::new(Megabytes(LENGTH)) });
        let relay = Relay::to(server.address).await;
        let client = client(&authority, Protocols::Http3);
        let url = format!("https://127.0.0.1:{}/", relay.address.port());
        let get = || Request::get(&url).body(Full::<Bytes>::default()).unwrap();
        let before = memory();
        let mut body = client.request(get()).await.unwrap().into_body();
        let (mut read, mut changes, mut most) = (0, 0, 0);
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().data_ref().map_or(0, Bytes::len);
            // Every ten megabytes.
            if read / (10 << 20) > changes && read < LENGTH << 20 {
                changes += 1;
                most = most.max(memory());
                match change {
                    Change::Told => client.network_changed(),
                    Change::Nat => relay.rebind().await,
                }
            }
        }
        assert_eq!((read, changes), (LENGTH << 20, 3), "{change:?}");
        assert_eq!(server.handle.accepted_connections(), 1, "{change:?}");
        let held = most.saturating_sub(before);
        println!("{change:?}: {} KiB more memory in the middle of 40 MiB", held >> 10);
        assert!(held < HELD, "{change:?}: {held} bytes");
        // What comes next is served, on whatever connection.
        let mut next = client.request(get()).await.unwrap().into_body();
        assert!(next.frame().await.unwrap().is_ok(), "{change:?}");
        client.check();
    }
}
