//! regatta on async-io: one file that implements [`Runtime`], and what users want of it. Tasks run
//! on the executor of async-std (`AsyncStd`) or smol (`Smol`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::{BodyExt, Empty};
//!
//! let client = regatta_async_std::client().build()?;
//! let request = http::Request::get("https://example.org/").body(Empty::<bytes::Bytes>::new())?;
//! let response = client.request(request).await?;
//! println!("{}", response.status());
//! let body = response.into_body().collect().await?.to_bytes();
//! println!("{} bytes", body.len());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

#[cfg(not(any(feature = "async-std", feature = "smol")))]
compile_error!("regatta-async-std needs an executor: its feature `smol` or `async-std`");

use core::fmt::Debug;
use core::future::Future;
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::time::{Instant as SystemInstant, SystemTime};

#[cfg(test)]
mod tests;

use async_io::Async;
/// async-std itself, of the version on whose executor tasks run.
#[cfg(feature = "async-std")]
pub use async_std;
use regatta_core::Instant;
pub use regatta_runtime::*;
use regatta_sockets::{Reactor, Side, Source};

/// Whose executor a client or server has that names none: smol's where its feature is on.
#[cfg(feature = "smol")]
pub type Chosen = Smol;

/// Whose executor a client or server has that names none: async-std's.
#[cfg(not(feature = "smol"))]
pub type Chosen = AsyncStd;

/// A client on async-io.
pub type Client<R = Chosen> = regatta_runtime::Client<R>;

/// A server on async-io.
pub type Server<R = Chosen> = regatta_runtime::Server<R>;

/// A TCP or Unix socket.
pub type Socket<R = Chosen> = regatta_sockets::Socket<R>;

/// A listening TCP or Unix socket.
pub type ListeningSocket<R = Chosen> = regatta_sockets::ListeningSocket<R>;

/// A UDP socket.
pub type DatagramSocket<R = Chosen> = regatta_sockets::DatagramSocket<R>;

/// Begins to build a client that trusts what the operating system trusts.
pub fn client() -> Builder<Chosen> {
    system::client(Chosen::new())
}

/// Begins to build a server.
pub fn server() -> ServerBuilder<Chosen> {
    Server::builder(Chosen::new())
}

/// Where tasks run: all that is used of async-std or smol.
pub trait Executor: Clone + Debug + Send + Sync + Unpin + 'static {
    /// Runs `task` until it ends.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);
}

/// async-std's executor.
#[cfg(feature = "async-std")]
#[derive(Clone, Debug)]
pub enum OnAsyncStd {}

#[cfg(feature = "async-std")]
impl Executor for OnAsyncStd {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}

/// smol's global executor, of as many threads as the environment's `SMOL_THREADS` says, or one.
#[cfg(feature = "smol")]
#[derive(Clone, Debug)]
pub enum OnSmol {}

#[cfg(feature = "smol")]
impl Executor for OnSmol {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

/// async-io with the executor of async-std as a [`Runtime`].
#[cfg(feature = "async-std")]
pub type AsyncStd = AsyncIo<OnAsyncStd>;

/// async-io with the executor of smol as a [`Runtime`].
#[cfg(feature = "smol")]
pub type Smol = AsyncIo<OnSmol>;

/// async-io with some executor as a [`Runtime`].
#[derive(Clone, Debug)]
pub struct AsyncIo<E> {
    epoch: system::Epoch,
    executor: PhantomData<E>,
}

impl<E: Executor> AsyncIo<E> {
    /// Its epoch is now.
    pub fn new() -> Self {
        let epoch = system::Epoch::new(clock(), SystemTime::now());
        Self { epoch, executor: PhantomData }
    }
}

impl<E: Executor> Default for AsyncIo<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Executor> Runtime for AsyncIo<E> {
    type Stream = Socket<Self>;
    type Listener = ListeningSocket<Self>;
    type Datagrams = DatagramSocket<Self>;
    type Timer = AsyncIoTimer;
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

    fn timer(&self, at: Instant) -> AsyncIoTimer {
        let timer = async_io::Timer::at(self.epoch.system_instant(at));
        AsyncIoTimer { timer, epoch: self.epoch }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        E::spawn(task);
    }

    async fn connect(&self, to: Address) -> io::Result<Socket<Self>> {
        regatta_sockets::connect(self, to).await
    }

    async fn listen(&self, at: Address) -> io::Result<ListeningSocket<Self>> {
        regatta_sockets::listen(self, at)
    }

    async fn bind(
        &self,
        at: SocketAddr,
        to: Option<SocketAddr>,
    ) -> io::Result<DatagramSocket<Self>> {
        regatta_sockets::bind(self, at, to)
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        // On a thread that may block; one that is dropped before it began is not made.
        Some(Box::pin(blocking::unblock(system::look_up(name))))
    }
}

/// The one place where time is read.
fn clock() -> SystemInstant {
    SystemInstant::now()
}

/// A timer of async-io.
#[derive(Debug)]
pub struct AsyncIoTimer {
    timer: async_io::Timer,
    epoch: system::Epoch,
}

impl Timer for AsyncIoTimer {
    fn reset(&mut self, at: Instant) {
        self.timer.set_at(self.epoch.system_instant(at));
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // async-io forgets when a timer was due once it has said that it has expired.
        if !self.timer.will_fire() {
            return Poll::Ready(());
        }
        Pin::new(&mut self.timer).poll(cx).map(|_| ())
    }
}

impl<E: Executor> Reactor for AsyncIo<E> {
    type Watched<S: Source> = Watched<S>;

    fn watch<S: Source>(&self, socket: S) -> io::Result<Watched<S>> {
        Async::new_nonblocking(socket).map(Watched)
    }
}

/// A socket that async-io waits for.
#[derive(Debug)]
pub struct Watched<S>(Async<S>);

impl<S: Source> regatta_sockets::Watched<S> for Watched<S> {
    fn socket(&self) -> &S {
        self.0.get_ref()
    }

    fn try_io<T>(&self, _: Side, mut call: impl FnMut(&S) -> io::Result<T>) -> io::Result<T> {
        call(self.0.get_ref())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        match side {
            // A socket that failed counts as readable with async-io.
            Side::Read => self.0.poll_readable(cx),
            Side::Write => self.0.poll_writable(cx),
        }
    }
}
