//! A real origin in a thread of its own: our server on tokio, in plain text or over TLS.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use regatta_core::engine::tls::ServerOptions;
use regatta_core::types::Protocol;
use regatta_tokio::{Body, ConnectionHandle};
use tokio::sync::oneshot;

/// An origin that serves until it is dropped.
///
/// - `/bytes/N`: N bytes.
/// - `/protocol`: what is spoken, as `HTTP/2`.
/// - `/length`: how many bytes the request's body had.
/// - `/goaway`: an answer, and the end of the connection after it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// Who has asked: one address of a client is one connection.
    peers: Arc<Mutex<BTreeSet<SocketAddr>>>,
    _stop: oneshot::Sender<()>,
}

impl Origin {
    /// HTTP/1.1, and HTTP/2 for those who know beforehand.
    pub(crate) fn plain() -> Self {
        Self::start(None)
    }

    /// Over TLS, for `localhost` and 127.0.0.1; ALPN chooses one of `protocols`.
    pub(crate) fn tls(trust: &Trust, protocols: &[Protocol]) -> Self {
        let (certificate, key) = trust.server();
        let mut options = ServerOptions::new(vec![certificate.der().to_vec()], key.serialize_der());
        options.alpn = protocols.to_vec();
        Self::start(Some(options))
    }

    fn start(tls: Option<ServerOptions>) -> Self {
        let peers = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&peers);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let builder = regatta_tokio::server();
                let builder = match tls {
                    Some(options) => builder.tls(options),
                    None => builder,
                };
                let server = builder.bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
                tell.send(server.local_address().unwrap()).unwrap();
                let service = move |request: Request<Body>| {
                    let connection = request.body().connection();
                    seen.lock().unwrap().extend(connection.and_then(ConnectionHandle::peer));
                    answer(request)
                };
                tokio::select! {
                    () = server.serve(service) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), peers, _stop: stop }
    }

    /// On how many connections it was asked.
    pub(crate) fn connections(&self) -> usize {
        self.peers.lock().unwrap().len()
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }
}

async fn answer(request: Request<Body>) -> Response<Full<Bytes>> {
    let connection = request.body().connection().unwrap().clone();
    let path = request.uri().path().to_owned();
    let text = match path.as_str() {
        "/protocol" => connection.protocol().to_string(),
        "/length" => request.into_body().collect().await.unwrap().to_bytes().len().to_string(),
        "/goaway" => {
            connection.drain();
            "the last".to_owned()
        }
        _ => match path.strip_prefix("/bytes/").and_then(|count| count.parse().ok()) {
            Some(count) => "x".repeat(count),
            None => {
                let mut missing = Response::new(Full::default());
                *missing.status_mut() = StatusCode::NOT_FOUND;
                return missing;
            }
        },
    };
    Response::new(Full::from(text))
}

/// An authority that nobody knows but who is told, and a folder for its files.
pub(crate) struct Trust {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Trust {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two of one name would be taken for one another.
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let name = format!("regatta-examples-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file and says where it is.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.folder.join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// The authority's certificate, as a file of PEM text.
    pub(crate) fn ca(&self) -> String {
        self.file("ca.pem", self.issuer.pem())
    }

    /// A certificate for `localhost` and 127.0.0.1, and its key.
    pub(crate) fn server(&self) -> (rcgen::Certificate, KeyPair) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
