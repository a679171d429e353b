//! A runtime that counts what it gave away, and that can be told what is at an address.
//!
//! Everything else is the runtime's own that it stands on: its clock, its tasks, its sockets.

use core::fmt;
use core::future::{Future, pending};
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::Instant;
use regatta_core::engine::tls::Provider;

use crate::runtime::{Address, Listener, Runtime, Stream, Timer};

/// What is at an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// This address of the system's.
    Is(SocketAddr),
    /// Nothing that ever answers.
    Silent,
}

/// How many things live that the runtime gave away.
#[derive(Default)]
struct Ledger {
    streams: AtomicUsize,
    listeners: AtomicUsize,
    timers: AtomicUsize,
    tasks: AtomicUsize,
    connects: AtomicUsize,
    places: Mutex<BTreeMap<IpAddr, Place>>,
}

/// A runtime that is watched.
#[derive(Clone)]
pub(super) struct Watched<R> {
    inner: R,
    ledger: Arc<Ledger>,
}

impl<R: Runtime> Watched<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, ledger: Arc::default() }
    }

    /// From now on this is what is at `address`, whatever port is asked for.
    pub(super) fn put(&self, address: IpAddr, place: Place) {
        let mut places = self.ledger.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(address, place);
    }

    /// What lives, in words; `None` when all of it is gone.
    pub(super) fn left(&self) -> Option<String> {
        let all = [
            ("tasks", &self.ledger.tasks),
            ("streams", &self.ledger.streams),
            ("listeners", &self.ledger.listeners),
            ("timers", &self.ledger.timers),
            ("connects", &self.ledger.connects),
        ];
        let all = all.map(|(name, count)| (name, count.load(Ordering::SeqCst)));
        let left: Vec<_> = all.iter().filter(|(_, count)| *count > 0).collect();
        (!left.is_empty()).then(|| {
            let words: Vec<_> = left.iter().map(|(name, n)| format!("{n} {name}")).collect();
            words.join(", ")
        })
    }

    /// How many calls of `connect` have neither ended nor been dropped.
    pub(super) fn connects(&self) -> usize {
        self.ledger.connects.load(Ordering::SeqCst)
    }

    fn place(&self, to: &Address) -> Option<Place> {
        let Address::Ip(to) = to else { return None };
        let places = self.ledger.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&to.ip()).copied()
    }

    fn hold<T>(&self, of: Of, inner: T) -> Held<T> {
        let token = Token { ledger: Arc::clone(&self.ledger), of };
        token.count().fetch_add(1, Ordering::SeqCst);
        Held { inner, token }
    }
}

impl<R> fmt::Debug for Watched<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Of {
    Stream,
    Listener,
    Timer,
    Task,
    Connect,
}

/// One living thing in the ledger.
struct Token {
    ledger: Arc<Ledger>,
    of: Of,
}

impl Token {
    fn count(&self) -> &AtomicUsize {
        match self.of {
            Of::Stream => &self.ledger.streams,
            Of::Listener => &self.ledger.listeners,
            Of::Timer => &self.ledger.timers,
            Of::Task => &self.ledger.tasks,
            Of::Connect => &self.ledger.connects,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::SeqCst);
    }
}

/// Something of the runtime's, and its place in the ledger: the thing is dropped first.
pub(super) struct Held<T> {
    inner: T,
    token: Token,
}

impl<R: Runtime> Runtime for Watched<R> {
    type Stream = Held<R::Stream>;
    type Listener = Held<R::Listener>;
    type Datagrams = R::Datagrams;
    type Timer = Held<R::Timer>;
    type Resolution = R::Resolution;

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn unix_at_epoch(&self) -> Duration {
        self.inner.unix_at_epoch()
    }

    fn seed(&self) -> u64 {
        self.inner.seed()
    }

    fn tls_provider(&self) -> Provider {
        self.inner.tls_provider()
    }

    fn timer(&self, at: Instant) -> Self::Timer {
        self.hold(Of::Timer, self.inner.timer(at))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.hold(Of::Task, ()).token;
        self.inner.spawn(async move {
            task.await;
            drop(token);
        });
    }

    async fn connect(&self, to: Address) -> io::Result<Self::Stream> {
        let _under_way = self.hold(Of::Connect, ());
        let to = match self.place(&to) {
            Some(Place::Silent) => pending().await,
            Some(Place::Is(other)) => Address::Ip(other),
            None => to,
        };
        Ok(self.hold(Of::Stream, self.inner.connect(to).await?))
    }

    async fn listen(&self, at: Address) -> io::Result<Self::Listener> {
        Ok(self.hold(Of::Listener, self.inner.listen(at).await?))
    }

    async fn bind(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> io::Result<Self::Datagrams> {
        self.inner.bind(local, remote).await
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        self.inner.resolve(name)
    }
}

impl<S: Stream> Stream for Held<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_read(cx, buffer)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, slices)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}

impl<L: Listener> Listener for Held<L> {
    type Stream = Held<L::Stream>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>> {
        self.inner.poll_accept(cx).map_ok(|(inner, peer)| {
            let token = Token { ledger: Arc::clone(&self.token.ledger), of: Of::Stream };
            token.count().fetch_add(1, Ordering::SeqCst);
            (Held { inner, token }, peer)
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_address()
    }
}

impl<T: Timer> Timer for Held<T> {
    fn reset(&mut self, at: Instant) {
        self.inner.reset(at);
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_expired(cx)
    }
}
