//! The peer: `h3` with `h3-quinn` over `quinn`, which is the same quinn-proto as ours.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};

use crate::asker::Asker;
use crate::hyper_server::{Zeroes, answer, greeting};
use crate::measure::cpu;
use crate::secure::{client_config, server_config};
use crate::tls::{Identity, NAME};

const ALPN: &[u8] = b"h3";
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves for as long as the thread lives.
pub(super) async fn serve(tell: impl FnOnce(SocketAddr), identity: &Identity) {
    let respond = |request: &Request<()>| answer(request, greeting);
    serve_by(ANY, tell, server_config(identity), respond).await;
}

/// The same with these settings and answers, by quinn's default transport, each request in a task.
pub(super) async fn serve_by(
    address: SocketAddr,
    tell: impl FnOnce(SocketAddr),
    mut tls: rustls::ServerConfig,
    respond: fn(&Request<()>) -> Response<Zeroes>,
) {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).expect("TLS 1.3");
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(super::STREAMS.get().into());
    config.transport_config(Arc::new(transport));
    let endpoint = quinn::Endpoint::server(config, address).expect("a port");
    tell(endpoint.local_addr().expect("an address"));
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = h3_quinn::Connection::new(incoming.await.ok()?);
            let mut connection = h3::server::Connection::new(connection).await.ok()?;
            while let Ok(Some(request)) = connection.accept().await {
                tokio::spawn(async move {
                    let (request, mut stream) = request.resolve_request().await.ok()?;
                    let (parts, mut body) = respond(&request).into_parts();
                    stream.send_response(Response::from_parts(parts, ())).await.ok()?;
                    while let Some(Ok(frame)) = body.frame().await {
                        stream.send_data(frame.into_data().ok()?).await.ok()?;
                    }
                    stream.finish().await.ok()
                });
            }
            Some(())
        });
    }
}

type Sender = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;

/// One of those that ask on one connection.
#[derive(Clone)]
pub(super) struct H3(Sender, Uri);

/// Connects, and pads every packet where that is wanted; the endpoint keeps the connection.
pub(super) async fn connect(
    to: SocketAddr,
    uri: Uri,
    identity: &Identity,
    pads: bool,
) -> (H3, quinn::Endpoint) {
    let mut tls = client_config(identity);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let mut endpoint = quinn::Endpoint::client(ANY).expect("a port");
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    transport.pad_to_mtu(pads);
    config.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(config);
    let connection = endpoint.connect(to, NAME).expect("settings").await.expect("a connection");
    let connection = h3_quinn::Connection::new(connection);
    let (mut driver, sender) = h3::client::new(connection).await.expect("HTTP/3");
    // It ends when the last sender is dropped.
    tokio::spawn(async move { drop(driver.wait_idle().await) });
    (H3(sender, uri), endpoint)
}

impl H3 {
    async fn get(&mut self) -> u64 {
        let request = Request::get(self.1.clone()).body(()).expect("a request");
        let mut stream = self.0.send_request(request).await.expect("a stream");
        stream.finish().await.expect("a request's end");
        stream.recv_response().await.expect("an answer");
        let mut length = 0;
        while let Some(data) = stream.recv_data().await.expect("a body") {
            length += data.remaining() as u64;
        }
        length
    }

    /// Downloads what is there, in a task, and says what that took.
    pub(super) async fn drain(mut self, expected: u64) -> Duration {
        let reading = tokio::spawn(async move {
            let begun = cpu();
            assert_eq!(self.get().await, expected);
            cpu() - begun
        });
        reading.await.expect("a whole body")
    }
}

impl Asker for H3 {
    async fn ask(&mut self) {
        assert_eq!(self.get().await, crate::hyper_server::GREETING.len() as u64);
    }
}
