//! regatta on tokio: one file that implements [`Runtime`], its sockets beside it, and what users
//! want of it.
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
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

mod datagrams;
mod sockets;
#[cfg(test)]
mod tests;

pub use datagrams::{DatagramSocket, Waiter};
use regatta_core::Instant;
use regatta_core::types::Cause;
pub use regatta_runtime::*;
pub use sockets::{ListeningSocket, Socket};
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
        let seed = system::seed(unix_at_epoch);
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
        sockets::connect(to)
    }

    fn listen(
        &self,
        at: Address,
    ) -> impl Future<Output = io::Result<ListeningSocket>> + Send + 'static {
        sockets::listen(at)
    }

    fn bind(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> impl Future<Output = io::Result<DatagramSocket>> + Send + 'static {
        datagrams::bind(local, remote)
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
    system::answer(tokio::net::lookup_host((name, 0)).await)
}

/// The README's example is true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
