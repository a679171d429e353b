//! A server of ours for tests, and the clients and messages that they share.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use regatta_tokio::{Server, ServerHandle, Service};

/// A free port on loopback.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server that serves in the background.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle<regatta_tokio::Tokio>,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Serving {
    /// In plain text, on a port of its own.
    pub(crate) async fn plain(service: impl Service) -> Self {
        Self::start(regatta_tokio::server().bind(ANY).await.unwrap(), service)
    }

    /// The URL of `path` there, in plain text.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn start(server: Server, service: impl Service) -> Self {
        let address = server.local_address().unwrap();
        let handle = server.handle();
        let task = tokio::spawn(server.serve(service));
        Self { address, handle, task }
    }
}

/// A response with this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::new(Full::new(text.into()))
}

/// Bytes of memory that this process holds (Linux; 0 elsewhere), without the pages of its files:
/// its own code, of which a test meets some for the first time, is much more than what it measures.
pub(crate) fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = pages.split(' ').skip(1).map(|pages| pages.parse().unwrap_or(0_u64));
    let (resident, of_files) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    resident.saturating_sub(of_files) * 4_096
}
