//! A runtime that counts what it gave away, and that can be told what is at an address.
//!
//! Everything else is the runtime's own that it stands on: its clock, its tasks, its sockets.

use core::fmt;
use core::future::{Future, pending};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::Instant;
use regatta_core::engine::tls::Provider;

use self::datagrams::{Road, Socket};
use crate::runtime::{Address, Listener, Runtime, ServicesLookUp, Stream, Timer};

mod datagrams;

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
    datagrams: AtomicUsize,
    timers: AtomicUsize,
    tasks: AtomicUsize,
    connects: AtomicUsize,
    /// UDP sockets with a remote that there ever were.
    bound: AtomicUsize,
    places: Mutex<BTreeMap<IpAddr, Place>>,
    /// For UDP alone, where that differs.
    udp_places: Mutex<BTreeMap<IpAddr, Place>>,
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

    /// As [`Watched::put`], for UDP alone.
    pub(super) fn put_udp(&self, address: IpAddr, place: Place) {
        let mut places = self.ledger.udp_places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(address, place);
    }

    /// What lives, in words; `None` when all of it is gone.
    pub(super) fn left(&self) -> Option<String> {
        let all = [
            ("tasks", &self.ledger.tasks),
            ("streams", &self.ledger.streams),
            ("listeners", &self.ledger.listeners),
            ("UDP sockets", &self.ledger.datagrams),
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

    /// How many calls of `connect` have neither ended nor been dropped, and how many UDP sockets
    /// there are whose remote never answers.
    pub(super) fn connects(&self) -> usize {
        self.ledger.connects.load(Ordering::SeqCst)
    }

    /// How many UDP sockets with a remote were made since the beginning.
    pub(super) fn bound(&self) -> usize {
        self.ledger.bound.load(Ordering::SeqCst)
    }

    fn place(&self, to: SocketAddr) -> Option<Place> {
        let places = self.ledger.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&to.ip()).copied()
    }

    fn udp_place(&self, to: SocketAddr) -> Option<Place> {
        let places = self.ledger.udp_places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&to.ip()).copied();
        drop(places);
        place.or_else(|| self.place(to))
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
    Datagrams,
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
            Of::Datagrams => &self.ledger.datagrams,
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
    type Datagrams = Held<Socket<R::Datagrams>>;
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
        let place = match to {
            Address::Ip(to) => self.place(to),
            Address::Unix(_) => None,
        };
        let to = match place {
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
        let (remote, road, of) = match remote.and_then(|to| Some((to, self.udp_place(to)?))) {
            None => (remote, Road::Straight, Of::Datagrams),
            Some((_, Place::Silent)) => (None, Road::Nowhere, Of::Connect),
            Some((asked, Place::Is(real))) => {
                (Some(real), Road::Detour { asked, real }, Of::Datagrams)
            }
        };
        // A detour may be of the other family.
        let fits = remote.is_none_or(|remote| remote.is_ipv4() == local.is_ipv4());
        let local = if fits { local } else { any_of(remote) };
        let inner = self.inner.bind(local, remote).await?;
        if remote.is_some() {
            self.ledger.bound.fetch_add(1, Ordering::SeqCst);
        }
        Ok(self.hold(of, Socket { inner, road }))
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        self.inner.resolve(name)
    }

    fn resolve_services(&self, name: &str) -> Option<ServicesLookUp> {
        self.inner.resolve_services(name)
    }
}

/// Any address of the family that can reach `remote`.
fn any_of(remote: Option<SocketAddr>) -> SocketAddr {
    let any = match remote {
        Some(SocketAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
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
