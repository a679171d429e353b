//! The server: its answers begin at once and end when all connections have one.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Sample, Way, Who, raise_limits, wait_for_word};
use crate::tls::Identity;

/// How many answers have begun, and whether they may end.
#[derive(Clone)]
struct Answers {
    begun: Arc<AtomicUsize>,
    all: usize,
    end: Arc<watch::Sender<bool>>,
}

impl Answers {
    fn new(all: usize) -> Self {
        Self { begun: Arc::default(), all, end: Arc::new(watch::Sender::new(false)) }
    }

    fn answer(&self) -> Response<Held> {
        if self.begun.fetch_add(1, Ordering::Relaxed) + 1 >= self.all {
            self.end.send_replace(true);
        }
        let mut end = self.end.subscribe();
        let end = async move {
            end.wait_for(|end| *end).await.ok();
        };
        Response::new(Held(Some(Box::pin(end))))
    }
}

/// A body of one byte, which comes when the last connection has its answer.
struct Held(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(end) = &mut self.0 else { return Poll::Ready(None) };
        end.as_mut().poll(cx).map(|()| {
            self.0 = None;
            Some(Ok(Frame::data(Bytes::from_static(b"x"))))
        })
    }
}

/// Serves, and says what it holds when it is told to.
pub(super) fn run(who: Who, way: Way, count: usize) {
    raise_limits();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let base = Sample::take();
    let answers = Answers::new(count);
    runtime.block_on(async {
        match who {
            Who::Regatta => regatta(way, answers).await,
            Who::Hyper => hyper(way, answers).await,
        }
        tokio::task::spawn_blocking(wait_for_word).await.expect("a word");
        base.say();
        std::future::pending::<()>().await;
    });
}

async fn regatta(way: Way, answers: Answers) {
    let mut builder = regatta_tokio::server()
        .downstream(|port| port.max_connections = u32::MAX)
        .engine(|engine| engine.idle_timeout = None);
    if way != Way::Http1 {
        builder = builder.tls(Identity::new().expect("a certificate").server());
    }
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = builder.bind(any).await.expect("a port");
    println!("{}", server.local_address().expect("an address"));
    tokio::spawn(server.serve(move |_| {
        let answers = answers.clone();
        async move { answers.answer() }
    }));
}

async fn hyper(way: Way, answers: Answers) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let acceptor = acceptor(way);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("no delay");
            let (acceptor, answers) = (acceptor.clone(), answers.clone());
            tokio::spawn(async move {
                if way == Way::Http1 {
                    return serve(stream, way, answers).await;
                }
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, way, answers).await;
                }
            });
        }
    });
}

async fn serve<S>(stream: S, way: Way, answers: Answers)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |_| {
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answers.answer()) }
    });
    let stream = TokioIo::new(stream);
    if way == Way::Http2Tls {
        http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await.ok();
    } else {
        http1::Builder::new().serve_connection(stream, service).await.ok();
    }
}

fn acceptor(way: Way) -> TlsAcceptor {
    let identity = Identity::new().expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key));
    let certificates = vec![CertificateDer::from(identity.certificate)];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("a certificate");
    config.alpn_protocols = match way {
        Way::Http2Tls => vec![b"h2".to_vec()],
        _ => vec![b"http/1.1".to_vec()],
    };
    TlsAcceptor::from(Arc::new(config))
}
