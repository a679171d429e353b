//! What a runtime must give: a clock, timers, tasks, sockets and names.

use core::future::Future;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::engine::tls::Provider;
use regatta_core::types::Cause;

use crate::datagrams::Datagrams;

/// Everything that the driver wants of the world. One file of 100 to 250 lines implements it;
/// its futures may be `async fn`. [`system`](crate::system) has what runtimes over an operating
/// system share, and the crate regatta-sockets all kinds of sockets for who can wait for one.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected byte stream.
    type Stream: Stream;
    /// A listening socket.
    type Listener: Listener<Stream = Self::Stream>;
    /// A UDP socket.
    type Datagrams: Datagrams;
    /// One timer that can be moved.
    type Timer: Timer;
    /// Answers of one look-up.
    type Resolution: Resolution;

    /// Time since the runtime's epoch.
    fn now(&self) -> Instant;

    /// The wall clock at the epoch, as time since 1970: what certificates are checked against.
    fn unix_at_epoch(&self) -> Duration;

    /// A seed for what must differ between processes (hash keys, jitter); fixed in a simulator.
    fn seed(&self) -> u64;

    /// Where TLS takes its cryptography and randomness from, unless its options name another.
    /// Default [`Provider::default`]; a simulator gives a seeded one.
    fn tls_provider(&self) -> Provider {
        Provider::default()
    }

    /// A timer that expires at `at`; never asked for zero or the past.
    fn timer(&self, at: Instant) -> Self::Timer;

    /// Runs `task` until it ends.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Connects to `to`.
    fn connect(&self, to: Address) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens at `at`.
    fn listen(&self, at: Address) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Binds a UDP socket to `local`, where port 0 picks a free one, and connects it to `remote`
    /// where there is one. It sends no fragments where the system can promise that.
    ///
    /// With a remote the error is `Unsupported` where a connected socket cannot say where each
    /// datagram goes, as on macOS and the BSDs.
    fn bind(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> impl Future<Output = io::Result<Self::Datagrams>> + Send;

    /// Looks `name` up: a host name, never an IP literal.
    fn resolve(&self, name: &str) -> Self::Resolution;

    /// Looks the HTTPS records (RFC 9460) of `name` up, which may be no host's name. Asked only of
    /// clients that want it ([`Builder::https_records`](crate::Builder::https_records)). Default
    /// `None`: the resolver knows of addresses alone, as getaddrinfo does.
    fn resolve_services(&self, name: &str) -> Option<ServicesLookUp> {
        let _ = name;
        None
    }
}

/// A look-up of HTTPS records that goes on elsewhere. Its failure fails nobody.
pub type ServicesLookUp = Pin<Box<dyn Future<Output = Result<ServicesAnswer, Cause>> + Send>>;

/// The HTTPS records of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicesAnswer {
    /// The name that they belong to, where aliases (CNAME) lead away from the one that was asked
    /// for.
    pub owner: Option<Box<str>>,
    /// The data of each as it comes over the wire (RFC 9460 2.2); none where there is none.
    pub records: Vec<Box<[u8]>>,
    /// How long they hold, or that there are none, where the resolver says it.
    pub ttl: Option<Duration>,
}

/// Where a byte stream leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix domain socket.
    Unix(Arc<Path>),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Address {
    fn from(address: (I, u16)) -> Self {
        Self::Ip(address.into())
    }
}

/// A connected byte stream with one owner.
pub trait Stream: Send + Unpin + 'static {
    /// Reads some bytes; 0 is the peer's FIN.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `slices`.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Sends FIN after all that was written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A listening socket with one owner.
pub trait Listener: Send + Unpin + 'static {
    /// What it accepts.
    type Stream: Stream;

    /// Accepts one connection; the peer's address where it has one.
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>>;

    /// Where it really listens (port 0 becomes the chosen one).
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// One timer that can be moved.
pub trait Timer: Send + Unpin + 'static {
    /// Expires at `at` instead, also when it has expired before.
    fn reset(&mut self, at: Instant);

    /// Whether it has expired, never before its time; else the task is woken when it does,
    /// without being asked again.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The answers of one look-up, as they come.
pub trait Resolution: Send + Unpin + 'static {
    /// The next answer; `None` when there will be no more.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>>;
}

/// A resolver that answers once: the future is dropped with its answer.
impl<F> Resolution for Option<F>
where
    F: Future<Output = Result<Answer, Cause>> + Send + Unpin + 'static,
{
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>> {
        let Some(look_up) = self else { return Poll::Ready(None) };
        Pin::new(look_up).poll(cx).map(|answer| {
            *self = None;
            Some(answer)
        })
    }
}

/// Some addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In the resolver's order; of one family or both.
    pub addresses: Vec<IpAddr>,
    /// How long they hold, where the resolver says it.
    pub ttl: Option<Duration>,
}
