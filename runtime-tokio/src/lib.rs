//! regatta on tokio: one file that implements [`Runtime`], one for its UDP sockets, and what
//! users want of it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::{BodyExt, Empty};
//!
//! let client = regatta_tokio::client().build()?;
//! let request = http::Request::get("https://example.org/").body(Empty::<bytes::Bytes>::new())?;
//! let response = client.request(request).await?;
//! println!("{}", response.status());
//! let body = response.into_body().collect().await?.to_bytes();
//! println!("{} bytes", body.len());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

use core::future::Future;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::time::{SystemTime, UNIX_EPOCH};

mod datagrams;
#[cfg(test)]
mod tests;

pub use datagrams::DatagramSocket;
use regatta_core::Instant;
use regatta_core::types::Cause;
pub use regatta_runtime::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// A client on tokio.
pub type Client = regatta_runtime::Client<Tokio>;

/// A server on tokio.
pub type Server = regatta_runtime::Server<Tokio>;

/// Begins to build a client on the tokio runtime that this is called in; it trusts what the
/// operating system trusts.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`Tokio::new`].
pub fn client() -> Builder<Tokio> {
    let builder = Client::builder(Tokio::new());
    #[cfg(feature = "system-roots")]
    let builder = builder.roots(Roots::Load(system_roots));
    builder
}

/// Begins to build a server on the tokio runtime that this is called in.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`Tokio::new`].
pub fn server() -> ServerBuilder<Tokio> {
    Server::builder(Tokio::new())
}

/// The certificates that the operating system trusts, in DER; `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` take their place where they are set. Ones that cannot be read are left out.
#[cfg(feature = "system-roots")]
pub fn system_roots() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.into_iter().map(|certificate| certificate.as_ref().to_vec()).collect()
}

/// Tokio as a [`Runtime`], of either flavour.
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
    epoch: TokioInstant,
    unix_at_epoch: Duration,
    seed: u64,
}

impl Tokio {
    /// The tokio runtime that this is called in; its epoch is now.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new() -> Self {
        let unix_at_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Two processes differ by the clock and by where their stack lies; hash keys want no more.
        let here = core::ptr::from_ref(&unix_at_epoch).addr();
        let seed = unix_at_epoch.as_nanos() as u64 ^ (here as u64).rotate_left(32);
        Self { handle: Handle::current(), epoch: clock(), unix_at_epoch, seed }
    }

    fn instant(&self, at: Instant) -> TokioInstant {
        self.epoch + Duration::from_nanos(at.as_nanos())
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Tokio {
    type Stream = Socket;
    type Listener = ListeningSocket;
    type Datagrams = DatagramSocket;
    type Timer = TokioTimer;
    type Resolution = LookUp;

    fn now(&self) -> Instant {
        let elapsed = clock().saturating_duration_since(self.epoch);
        Instant::EPOCH + elapsed
    }

    fn unix_at_epoch(&self) -> Duration {
        self.unix_at_epoch
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        let _entered = self.handle.enter();
        TokioTimer { sleep: Box::pin(sleep_until(self.instant(at))), epoch: self.epoch }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    fn connect(&self, to: Address) -> impl Future<Output = io::Result<Socket>> + Send + 'static {
        connect(to)
    }

    fn listen(
        &self,
        at: Address,
    ) -> impl Future<Output = io::Result<ListeningSocket>> + Send + 'static {
        listen(at)
    }

    fn bind(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> impl Future<Output = io::Result<DatagramSocket>> + Send + 'static {
        DatagramSocket::bind(local, remote)
    }

    fn resolve(&self, name: &str) -> LookUp {
        let name = name.to_owned();
        let _entered = self.handle.enter();
        LookUp { task: Some(self.handle.spawn(look_up(name))) }
    }
}

/// The one place where time is read.
fn clock() -> TokioInstant {
    TokioInstant::now()
}

async fn connect(to: Address) -> io::Result<Socket> {
    match to {
        Address::Ip(address) => {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            Ok(Socket::Tcp(socket))
        }
        Address::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
    }
}

async fn listen(at: Address) -> io::Result<ListeningSocket> {
    match at {
        Address::Ip(address) => Ok(ListeningSocket::Tcp(TcpListener::bind(address).await?)),
        Address::Unix(path) => Ok(ListeningSocket::Unix(UnixListener::bind(path)?)),
    }
}

/// A TCP or Unix socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP, without Nagle's delay.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(UnixStream),
}

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        let done = match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, &mut read),
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, &mut read),
        };
        done.map_ok(|()| read.filled().len())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// A listening TCP or Unix socket.
#[derive(Debug)]
pub enum ListeningSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix domain socket.
    Unix(UnixListener),
}

impl Listener for ListeningSocket {
    type Stream = Socket;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(cx).map(|accepted| {
                let (socket, peer) = accepted?;
                // It fails on a connection that has been reset already, as its first read will.
                let _ = socket.set_nodelay(true);
                Ok((Socket::Tcp(socket), Some(peer)))
            }),
            Self::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| (Socket::Unix(socket), None))
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }
}

/// A tokio timer.
#[derive(Debug)]
pub struct TokioTimer {
    sleep: Pin<Box<Sleep>>,
    epoch: TokioInstant,
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        let at = self.epoch + Duration::from_nanos(at.as_nanos());
        self.sleep.as_mut().reset(at);
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Tokio answers a task that has used its budget up without remembering it; the driver
        // asks an armed timer only once.
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }
}

/// One look-up by the system's resolver, which answers both families at once.
#[derive(Debug)]
pub struct LookUp {
    task: Option<JoinHandle<Result<Answer, Cause>>>,
}

impl Resolution for LookUp {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>> {
        let Some(task) = &mut self.task else { return Poll::Ready(None) };
        Pin::new(task).poll(cx).map(|done| {
            self.task = None;
            Some(done.unwrap_or(Err(Cause::ResolveFailed)))
        })
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn look_up(name: String) -> Result<Answer, Cause> {
    // The port is not looked up; any will do.
    match tokio::net::lookup_host((name, 0)).await {
        Ok(found) => {
            let addresses: Vec<_> = found.map(|address| address.ip()).collect();
            Ok(Answer { addresses, ttl: None })
        }
        Err(error) if error.raw_os_error().is_none() => Err(reason(&error.to_string())),
        Err(_) => Err(Cause::ResolveFailed),
    }
}

/// What getaddrinfo meant: std keeps of its codes only the words, which are never translated,
/// because Rust sets no locale. A name that does not exist is the usual reason.
fn reason(words: &str) -> Cause {
    // EAI_AGAIN and EAI_FAIL of glibc, musl and the BSDs.
    let failures = ["Temporary failure", "Try again", "Non-recoverable", "non-recoverable"];
    match failures.iter().any(|failure| words.contains(failure)) {
        true => Cause::ResolveFailed,
        false => Cause::NameNotFound,
    }
}

/// The README's example is true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
