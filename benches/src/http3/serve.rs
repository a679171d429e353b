//! A server on one thread for a load from outside: `http3 serve regatta|quinn PORT`, with the
//! certificate `cert.pem` and its key `key.pem` in the folder that `CERTS` names.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use http::{Request, Response};
use regatta_core::engine::quic::ServerOptions;
use regatta_core::engine::tls;
use regatta_runtime::Body;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::Builder;

use super::quinn;
use crate::hyper_server::Zeroes;
use crate::secure::provider;

/// What is answered to everything.
const LENGTH: u64 = 60;

/// Serves until it is ended.
pub(super) fn run(who: &str, port: &str) {
    let port = port.parse().expect("a port");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let folder = std::env::var_os("CERTS").expect("CERTS: a folder with cert.pem and key.pem");
    let (chain, key) = identity(folder.as_ref());
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        match who {
            "regatta" => {
                let chain = chain.iter().map(|der| der.to_vec()).collect();
                let tls = tls::ServerOptions::new(chain, key.secret_der().to_vec());
                let builder = regatta_tokio::server().tls(tls).http3(ServerOptions::default());
                let server = builder.bind(address).await.expect("a port");
                server.serve(|_: Request<Body>| async { answer() }).await;
            }
            _ => {
                let builder = ServerConfig::builder_with_provider(provider());
                let builder = builder.with_safe_default_protocol_versions().expect("TLS");
                let builder = builder.with_no_client_auth();
                let tls = builder.with_single_cert(chain, key).expect("a certificate");
                quinn::serve_by(address, |_| {}, tls, |_| answer()).await;
            }
        }
    });
}

fn answer() -> Response<Zeroes> {
    let answer = Response::builder().header("content-type", "text/plain");
    answer.body(Zeroes::new(LENGTH)).expect("an answer")
}

fn identity(folder: &Path) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).expect("a file");
    let chain = chain.collect::<Result<_, _>>().expect("a chain of certificates");
    (chain, PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key"))
}
