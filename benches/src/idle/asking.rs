//! The client: one request on each of many connections, whose answers all end at once.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Body, Client};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::{Sample, Way, Who, raise_limits, wait_for_word};
use crate::tls::NAME;

/// Handshakes at a time.
const AT_ONCE: usize = 64;

type Nothing = Empty<Bytes>;

/// Asks on so many connections, and says what they hold when all are idle.
pub(super) fn run(who: Who, way: Way, at: SocketAddr, count: usize) {
    raise_limits();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let base = Sample::take();
    runtime.block_on(async {
        match who {
            Who::Regatta => {
                let client = regatta(way, at, count);
                let asked = all(count, || ask_regatta(client.clone(), way, at)).await;
                for body in asked {
                    read(body).await;
                }
                settle().await;
                base.say();
                tokio::task::spawn_blocking(wait_for_word).await.expect("a word");
                drop(client);
            }
            Who::Hyper => {
                let connector = connector(way);
                let asked = all(count, || ask_hyper(connector.clone(), way, at)).await;
                let mut senders = Vec::with_capacity(count);
                for (sender, body) in asked {
                    read(body).await;
                    senders.push(sender);
                }
                settle().await;
                base.say();
                tokio::task::spawn_blocking(wait_for_word).await.expect("a word");
                drop(senders);
            }
        }
    });
}

/// Starts so many requests, a few at a time: what each gave when its answer had begun.
async fn all<T, F>(count: usize, ask: impl Fn() -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut asked, mut tasks, mut left) = (Vec::with_capacity(count), JoinSet::new(), count);
    while asked.len() < count {
        while left > 0 && tasks.len() < AT_ONCE {
            tasks.spawn(ask());
            left -= 1;
        }
        asked.push(tasks.join_next().await.expect("a task").expect("an answer"));
    }
    asked
}

async fn read<B>(body: B)
where
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    assert_eq!(body.collect().await.expect("a body").to_bytes().len(), 1);
}

/// Lets the connections' own tasks end what they were at.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn regatta(way: Way, at: SocketAddr, count: usize) -> Client {
    let most = Some(u32::try_from(count).expect("few enough"));
    regatta_tokio::client()
        .connect_timeout(Duration::from_secs(60))
        .idle_timeout(None)
        .limits(|limits| {
            limits.max_connections = most;
            limits.max_requests = most;
        })
        // One stream for each, so that there are as many connections of HTTP/2.
        .pool(|pool| pool.max_concurrent_streams = NonZeroU32::MIN)
        .profile(|profile| {
            profile.danger_accept_any_certificate = true;
            profile.protocols = match way {
                Way::Http2Tls => Protocols::Http2,
                _ => Protocols::Http1,
            };
        })
        .resolve(NAME, vec![at.ip()])
        .build()
        .expect("a client")
}

async fn ask_regatta(client: Client, way: Way, at: SocketAddr) -> Body {
    let scheme = if way == Way::Http1 { "http" } else { "https" };
    let request = Request::get(format!("{scheme}://{NAME}:{}/", at.port()));
    let request = request.body(Nothing::new()).expect("a request");
    client.request(request).await.expect("an answer").into_body()
}

/// What keeps a connection open.
enum Sender {
    Http1 { _kept: http1::SendRequest<Nothing> },
    Http2 { _kept: http2::SendRequest<Nothing> },
}

async fn ask_hyper(connector: TlsConnector, way: Way, at: SocketAddr) -> (Sender, Incoming) {
    let stream = TcpStream::connect(at).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    if way == Way::Http1 {
        return ask_on(stream, way).await;
    }
    let name = ServerName::try_from(NAME).expect("a name");
    ask_on(connector.connect(name, stream).await.expect("TLS"), way).await
}

async fn ask_on<S>(stream: S, way: Way) -> (Sender, Incoming)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let request = Request::get("http://origin.example/").header("host", NAME);
    let request = request.body(Nothing::new()).expect("a request");
    let body = |response: Response<Incoming>| response.into_body();
    if way == Way::Http2Tls {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.expect("an answer");
        return (Sender::Http2 { _kept: sender }, body(answer));
    }
    let (mut sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.expect("an answer");
    (Sender::Http1 { _kept: sender }, body(answer))
}

fn connector(way: Way) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = match way {
        Way::Http2Tls => vec![b"h2".to_vec()],
        _ => vec![b"http/1.1".to_vec()],
    };
    TlsConnector::from(Arc::new(config))
}

/// Takes every certificate; what is measured is memory.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
