//! TLS of the peers: rustls with ring, as ours, by tokio-rustls; and a stream that is either.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls::{Identity, NAME};

/// What ALPN calls a protocol.
const fn alpn(http2: bool) -> &'static [u8] {
    if http2 { b"h2" } else { b"http/1.1" }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A client's settings that trust this identity's root, without ALPN.
pub(crate) fn client_config(identity: &Identity) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(identity.root.clone())).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// What greets a server that has this identity's certificate.
pub(crate) fn connector(identity: &Identity, http2: bool) -> TlsConnector {
    let mut config = client_config(identity);
    config.alpn_protocols = vec![alpn(http2).to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// A server's settings with this identity's certificate, without ALPN.
pub(crate) fn server_config(identity: &Identity) -> ServerConfig {
    let chain = vec![CertificateDer::from(identity.certificate.clone())];
    let key = PrivateKeyDer::try_from(identity.key.clone()).expect("a key");
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS");
    let builder = builder.with_no_client_auth();
    builder.with_single_cert(chain, key).expect("a certificate and its key")
}

/// What answers such a greeting.
pub(crate) fn acceptor(identity: &Identity, http2: bool) -> TlsAcceptor {
    let mut config = server_config(identity);
    config.alpn_protocols = vec![alpn(http2).to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Connects, over TLS where there is a connector.
pub(crate) async fn connect(to: std::net::SocketAddr, tls: Option<&TlsConnector>) -> Peer {
    let stream = TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    match tls {
        None => Peer::Plain(stream),
        Some(tls) => {
            let name = ServerName::try_from(NAME).expect("a name");
            Peer::Tls(Box::new(tls.connect(name, stream).await.expect("TLS").into()))
        }
    }
}

/// A TCP connection with or without TLS.
pub(crate) enum Peer {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
}

impl Peer {
    /// The server's end of `stream`; `None` where the handshake comes to nothing.
    pub(crate) async fn accept(stream: TcpStream, tls: Option<&TlsAcceptor>) -> Option<Self> {
        stream.set_nodelay(true).ok()?;
        match tls {
            None => Some(Self::Plain(stream)),
            Some(tls) => Some(Self::Tls(Box::new(tls.accept(stream).await.ok()?.into()))),
        }
    }
}

macro_rules! either {
    ($peer:expr, $stream:ident => $call:expr) => {
        match $peer.get_mut() {
            Self::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Self::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
