//! regatta on async-io: one file that implements [`Runtime`], its sockets beside it, and what users
//! want of it. Tasks run on the executor of async-std (`AsyncStd`) or smol (`Smol`).
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
use core::future::{self, Future};
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::ToSocketAddrs as _;
use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

mod datagrams;
mod sockets;
#[cfg(test)]
mod tests;

/// async-std itself, of the version on whose executor tasks run.
#[cfg(feature = "async-std")]
pub use async_std;
pub use datagrams::{DatagramSocket, Waiter};
use regatta_core::Instant;
use regatta_core::types::Cause;
pub use regatta_runtime::*;
pub use sockets::{ListeningSocket, Socket};

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

/// Begins to build a client that trusts what the operating system trusts.
pub fn client() -> Builder<Chosen> {
    let builder = Client::builder(Chosen::new());
    #[cfg(feature = "system-roots")]
    let builder = builder.roots(Roots::Load(system_roots));
    builder
}

/// Begins to build a server.
pub fn server() -> ServerBuilder<Chosen> {
    Server::builder(Chosen::new())
}

/// Where tasks run: all that is used of async-std or smol.
pub trait Executor: Clone + Debug + Send + Sync + 'static {
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
    epoch: StdInstant,
    unix_at_epoch: Duration,
    seed: u64,
    executor: PhantomData<E>,
}

impl<E: Executor> AsyncIo<E> {
    /// Its epoch is now.
    pub fn new() -> Self {
        let unix_at_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = system::seed(unix_at_epoch);
        Self { epoch: clock(), unix_at_epoch, seed, executor: PhantomData }
    }
}

impl<E: Executor> Default for AsyncIo<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Executor> Runtime for AsyncIo<E> {
    type Stream = Socket;
    type Listener = ListeningSocket;
    type Datagrams = DatagramSocket;
    type Timer = AsyncIoTimer;
    type Resolution = LookUp;

    fn now(&self) -> Instant {
        Instant::EPOCH + clock().saturating_duration_since(self.epoch)
    }

    fn unix_at_epoch(&self) -> Duration {
        self.unix_at_epoch
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn timer(&self, at: Instant) -> AsyncIoTimer {
        let timer = async_io::Timer::at(self.epoch + Duration::from_nanos(at.as_nanos()));
        AsyncIoTimer { timer, epoch: self.epoch }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        E::spawn(task);
    }

    fn connect(&self, to: Address) -> impl Future<Output = io::Result<Socket>> + Send + 'static {
        sockets::connect(to)
    }

    fn listen(
        &self,
        at: Address,
    ) -> impl Future<Output = io::Result<ListeningSocket>> + Send + 'static {
        future::ready(sockets::listen(at))
    }

    fn bind(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> impl Future<Output = io::Result<DatagramSocket>> + Send + 'static {
        future::ready(datagrams::bind(local, remote))
    }

    fn resolve(&self, name: &str) -> LookUp {
        let name = name.to_owned();
        // The port is not looked up; any will do.
        let task = blocking::unblock(move || system::answer((name, 0).to_socket_addrs()));
        LookUp { task: Some(task) }
    }
}

/// The one place where time is read.
fn clock() -> StdInstant {
    StdInstant::now()
}

/// A timer of async-io.
#[derive(Debug)]
pub struct AsyncIoTimer {
    timer: async_io::Timer,
    epoch: StdInstant,
}

impl Timer for AsyncIoTimer {
    fn reset(&mut self, at: Instant) {
        self.timer.set_at(self.epoch + Duration::from_nanos(at.as_nanos()));
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // async-io forgets when a timer was due once it has said that it has expired.
        if !self.timer.will_fire() {
            return Poll::Ready(());
        }
        Pin::new(&mut self.timer).poll(cx).map(|_| ())
    }
}

/// One look-up by the system's resolver, on a thread that may block; one that is dropped before
/// it began is not made.
#[derive(Debug)]
pub struct LookUp {
    task: Option<blocking::Task<Result<Answer, Cause>>>,
}

impl Resolution for LookUp {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>> {
        let Some(task) = &mut self.task else { return Poll::Ready(None) };
        Pin::new(task).poll(cx).map(|answer| {
            self.task = None;
            Some(answer)
        })
    }
}
