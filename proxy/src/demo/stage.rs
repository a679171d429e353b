//! What the scenes are played on: origins, a black hole and a scripted peer, all on loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use regatta_core::altsvc::{Alternative, Offer, Said};
use regatta_core::downstream::Advertise;
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::record::Kind;
use regatta_tokio::{Client, ServerBuilder, ServerHandle, Timeline, Tokio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::{origin, waterfall};

/// Why a scene could not be played, in one sentence.
pub(crate) type Obstacle = String;

/// An origin and how many requests it has at once.
pub(crate) struct Origin {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    load: Arc<Load>,
    handle: ServerHandle<Tokio>,
}

/// Requests under way at an origin.
#[derive(Debug, Default)]
struct Load {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Origin {
    /// Starts one on a free port of 127.0.0.1.
    pub(crate) async fn start(tls: Option<ServerOptions>) -> Result<Self, Obstacle> {
        let mut builder = regatta_tokio::server();
        if let Some(options) = tls {
            builder = builder.tls(options);
        }
        Self::serve(builder).await
    }

    /// Starts one that speaks HTTP/3 as well, takes early data, and says that it does at another
    /// port.
    pub(crate) async fn start_http3(tls: ServerOptions, port: u16) -> Result<Self, Obstacle> {
        let said = Said::Offers(vec![Offer::new(Alternative::http3(port))]);
        let mut quic = quic::ServerOptions::default();
        quic.early_data = true;
        let builder = regatta_tokio::server().tls(tls).http3(quic);
        Self::serve(builder.alt_svc(Advertise::Said(said))).await
    }

    async fn serve(builder: ServerBuilder<Tokio>) -> Result<Self, Obstacle> {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = builder.bind(at).await.map_err(|error| error.to_string())?;
        let address = server.local_address().map_err(|error| error.to_string())?;
        let (load, handle) = (Arc::<Load>::default(), server.handle());
        let counted = Arc::clone(&load);
        let clock = Tokio::new();
        tokio::spawn(server.serve(move |request| {
            let (load, clock) = (Arc::clone(&counted), clock.clone());
            async move {
                let now = load.now.fetch_add(1, Ordering::Relaxed) + 1;
                load.peak.fetch_max(now, Ordering::Relaxed);
                let response = origin::respond(clock, request).await;
                load.now.fetch_sub(1, Ordering::Relaxed);
                response
            }
        }));
        Ok(Self { address, load, handle })
    }

    /// The most requests that were answered at once since the last call.
    pub(crate) fn take_peak(&self) -> usize {
        self.load.peak.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.handle.drain();
    }
}

/// An address that answers nothing at all: a listener whose queue is full drops every SYN.
pub(crate) struct BlackHole {
    /// The address, IPv6 where the machine has it.
    pub(crate) address: SocketAddr,
    _full: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    /// Makes one at `port` of another loopback address than 127.0.0.1.
    pub(crate) async fn dig(port: u16) -> Result<Self, Obstacle> {
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let v4 = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
        let mut obstacle = String::new();
        for address in [v6, v4] {
            match Self::fill(address).await {
                Ok(full) => return Ok(Self { address, _full: full }),
                Err(error) => {
                    obstacle = format!("no black hole can be made at {address}: {error}");
                }
            }
        }
        Err(obstacle)
    }

    async fn fill(address: SocketAddr) -> io::Result<(TcpListener, Vec<TcpStream>)> {
        /// More than any queue that a system makes of a backlog of 0.
        const MOST: usize = 300;
        /// On loopback a SYN is answered at once, or not at all.
        const ANSWER: Duration = Duration::from_millis(150);
        let socket = match address.ip() {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(address)?;
        let listener = socket.listen(0)?;
        let mut waiting = Vec::new();
        while waiting.len() < MOST {
            match timeout(ANSWER, TcpStream::connect(address)).await {
                Ok(connected) => waiting.push(connected?),
                Err(_) => return Ok((listener, waiting)),
            }
        }
        Err(io::Error::other("its queue never fills up"))
    }
}

/// An HTTP/1.1 server that closes its first connection when the second request has come in on
/// it, as a server does whose idle timeout has just passed; it serves all others.
pub(crate) struct Closer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    heads: Arc<AtomicUsize>,
}

impl Closer {
    /// Starts it.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let heads = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&heads);
        tokio::spawn(async move {
            let mut answers = 1;
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&counted), answers));
                answers = usize::MAX;
            }
        });
        Ok(Self { address, heads })
    }

    /// How many requests it has received, answered or not.
    pub(crate) fn received(&self) -> usize {
        self.heads.load(Ordering::Relaxed)
    }
}

/// Answers so many requests of one connection and closes at the next.
async fn serve(mut socket: TcpStream, heads: Arc<AtomicUsize>, answers: usize) {
    let mut unread = Vec::new();
    let mut answered = 0;
    loop {
        let mut piece = [0; 4096];
        let Ok(n @ 1..) = socket.read(&mut piece).await else { return };
        unread.extend_from_slice(&piece[..n]);
        while let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            unread.drain(..end + 4);
            heads.fetch_add(1, Ordering::Relaxed);
            if answered == answers {
                return;
            }
            answered += 1;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
            if socket.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// A response that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) bytes: usize,
    pub(crate) timeline: Timeline,
}

/// Sends a request without a body and reads the whole response.
pub(crate) async fn ask(
    client: &Client,
    method: Method,
    url: &str,
) -> Result<Answered, regatta_tokio::Error> {
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method;
    // A URL that does not parse is refused by the client, as one that names no host.
    *request.uri_mut() = url.parse().unwrap_or_default();
    let response = client.request(request).await?;
    let handle = response.body().timeline();
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes().len();
    let timeline = match handle {
        Some(handle) => waterfall::settled(&handle).await,
        None => Timeline::default(),
    };
    Ok(Answered { status, bytes, timeline })
}

/// [`ask`] for a scene that cannot go on without the answer.
pub(crate) async fn must_get(client: &Client, url: &str) -> Result<Answered, Obstacle> {
    ask(client, Method::GET, url).await.map_err(|error| format!("GET {url}: {error}"))
}

/// Waits until `kind` was counted more than `before` times; says whether that came to pass.
pub(crate) async fn counted(client: &Client, kind: Kind, before: u64) -> bool {
    for _ in 0..1_000 {
        if client.stats().count(kind) > before {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

/// A waterfall under its title.
pub(crate) fn drawing(title: &str, timeline: &Timeline) -> String {
    let summary = waterfall::summary(timeline);
    format!("  {title}\n  {summary}\n{}", waterfall::draw(timeline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_black_hole_answers_nothing() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = free.local_addr().unwrap().port();
        let hole = BlackHole::dig(port).await.unwrap();
        assert!(is_silent(hole.address).await);
        if cfg!(target_os = "linux") {
            // Where there is no IPv6; elsewhere 127.0.0.1 is all there is.
            let v4 = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), port));
            let _full = BlackHole::fill(v4).await.unwrap();
            assert!(is_silent(v4).await);
        }
    }

    async fn is_silent(address: SocketAddr) -> bool {
        timeout(Duration::from_millis(100), TcpStream::connect(address)).await.is_err()
    }

    #[tokio::test]
    async fn a_closer_closes_its_first_connection_at_the_second_request() {
        let closer = Closer::start().await.unwrap();
        let mut first = TcpStream::connect(closer.address).await.unwrap();
        let mut second = TcpStream::connect(closer.address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut answer = [0; 41];
        first.write_all(request).await.unwrap();
        first.read_exact(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"ok\n"));
        first.write_all(request).await.unwrap();
        assert_eq!(first.read(&mut answer).await.unwrap(), 0);
        for _ in 0..3 {
            second.write_all(request).await.unwrap();
            second.read_exact(&mut answer).await.unwrap();
        }
        assert_eq!(closer.received(), 5);
    }
}
