//! regatta on tokio: one file that implements [`Runtime`], and what users want of it.
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

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, ErrorKind::WouldBlock};
use std::sync::Arc;
use std::time::{Instant as SystemInstant, SystemTime};

#[cfg(any(test, doctest))]
mod tests;

use regatta_core::Instant;
use regatta_core::types::Cause;
pub use regatta_runtime::*;
use regatta_sockets::{Reactor, Side, Source};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// A client on tokio.
pub type Client = regatta_runtime::Client<Tokio>;

/// A server on tokio.
pub type Server = regatta_runtime::Server<Tokio>;

/// A TCP or Unix socket.
pub type Socket = regatta_sockets::Socket<Tokio>;

/// A listening TCP or Unix socket.
pub type ListeningSocket = regatta_sockets::ListeningSocket<Tokio>;

/// A UDP socket.
pub type DatagramSocket = regatta_sockets::DatagramSocket<Tokio>;

/// Begins to build a client on the tokio runtime that this is called in; it trusts what the
/// operating system trusts.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`Tokio::new`].
pub fn client() -> Builder<Tokio> {
    system::client(Tokio::new())
}

/// Begins to build a server on the tokio runtime that this is called in.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`Tokio::new`].
pub fn server() -> ServerBuilder<Tokio> {
    Server::builder(Tokio::new())
}

/// Tokio as a [`Runtime`], of either flavour.
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
    epoch: system::Epoch,
}

impl Tokio {
    /// The tokio runtime that this is called in; its epoch is now.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new() -> Self {
        let epoch = system::Epoch::new(clock(), SystemTime::now());
        Self { handle: Handle::current(), epoch }
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
    type Resolution = Option<system::LookUp>;

    fn now(&self) -> Instant {
        self.epoch.instant(clock())
    }

    fn unix_at_epoch(&self) -> Duration {
        self.epoch.unix()
    }

    fn seed(&self) -> u64 {
        self.epoch.seed()
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        let _entered = self.handle.enter();
        let sleep = Box::pin(sleep_until(self.epoch.system_instant(at).into()));
        TokioTimer { sleep, epoch: self.epoch }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    async fn connect(&self, to: Address) -> io::Result<Socket> {
        regatta_sockets::connect(self, to).await
    }

    async fn listen(&self, at: Address) -> io::Result<ListeningSocket> {
        regatta_sockets::listen(self, at)
    }

    async fn bind(&self, at: SocketAddr, to: Option<SocketAddr>) -> io::Result<DatagramSocket> {
        regatta_sockets::bind(self, at, to)
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        let task = self.handle.spawn_blocking(system::look_up(name));
        let given_up = GivenUp(task.abort_handle());
        Some(Box::pin(async {
            let _given_up = given_up;
            task.await.unwrap_or(Err(Cause::ResolveFailed))
        }))
    }
}

/// The one place where time is read.
fn clock() -> SystemInstant {
    TokioInstant::now().into_std()
}

/// A look-up that nobody waits for is not begun.
struct GivenUp(AbortHandle);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A tokio timer.
#[derive(Debug)]
pub struct TokioTimer {
    sleep: Pin<Box<Sleep>>,
    epoch: system::Epoch,
}

impl Timer for TokioTimer {
    fn reset(&mut self, at: Instant) {
        self.sleep.as_mut().reset(self.epoch.system_instant(at).into());
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Tokio answers a task that has used its budget up without remembering it; the driver
        // asks an armed timer only once.
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }
}

impl Reactor for Tokio {
    type Watched<S: Source> = Watched<S>;

    fn watch<S: Source>(&self, socket: S) -> io::Result<Watched<S>> {
        let _entered = self.handle.enter();
        #[expect(deprecated, reason = "`register` is unsafe, and a source is what it asks for")]
        let socket = Arc::new(AsyncFd::with_interest(socket, interest(S::SIDE))?);
        Ok(Watched { socket, failure: None })
    }
}

const fn interest(side: Option<Side>) -> Interest {
    match side {
        Some(Side::Read) => Interest::READABLE,
        Some(Side::Write) => Interest::WRITABLE,
        None => Interest::READABLE.add(Interest::WRITABLE),
    }
}

/// A socket that tokio waits for.
pub struct Watched<S: Source> {
    socket: Arc<AsyncFd<S>>,
    /// Ends with the next error of a socket that goes on after it: tokio would sleep.
    failure: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
}

impl<S: Source> regatta_sockets::Watched<S> for Watched<S> {
    fn socket(&self) -> &S {
        self.socket.get_ref()
    }

    fn try_io<T>(&self, side: Side, mut call: impl FnMut(&S) -> io::Result<T>) -> io::Result<T> {
        match self.socket.try_io(interest(Some(side)), &mut call) {
            Err(error) if error.kind() == WouldBlock && S::FAILS && side == Side::Read => {
                self.socket.try_io(Interest::ERROR, call)
            }
            done => done,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        let ready = match side {
            Side::Read => self.socket.poll_read_ready(cx)?.map(drop),
            Side::Write => self.socket.poll_write_ready(cx)?.map(drop),
        };
        if side == Side::Write || !S::FAILS || ready.is_ready() {
            return ready.map(Ok);
        }
        let failure = self.failure.get_or_insert_with(|| {
            let socket = Arc::clone(&self.socket);
            Box::pin(async move { socket.ready(Interest::ERROR).await.map(drop) })
        });
        let failed = failure.as_mut().poll(cx);
        if failed.is_ready() {
            self.failure = None;
        }
        failed
    }
}

impl<S: Source> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.socket).finish()
    }
}
