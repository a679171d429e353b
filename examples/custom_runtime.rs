//! A runtime of one's own, whole: one thread, and mio to ask the system what is ready.
//!
//! regatta's driver runs on anything that implements `Runtime`. It wants a clock, timers, tasks,
//! byte streams and names, and decides everything else itself. Whether an implementation is right
//! is for the conformance suite to say, and `tests/run/custom_runtime.rs` has it say so of this.
//! It has neither Unix sockets nor UDP; HTTP/1 and HTTP/2 do without. What each promise means is in
//! `docs/runtimes.md`.
//!
//! ```sh
//! cargo run -p regatta-examples --example custom_runtime   # asks a server on the same loop
//! cargo run -p regatta-examples --example custom_runtime -- https://example.org
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn, ready};
use std::io::ErrorKind::{Interrupted, NotConnected, Unsupported, WouldBlock};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::{replace, take};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, ToSocketAddrs as _};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use futures_channel::oneshot;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Token};
use regatta_core::{Instant, types::Cause};
use regatta_runtime::{Address, Answer, Body, BoxError, Client, Listener, Roots};
use regatta_runtime::{Runtime, Server, Stream, Timer, system, system_roots};

type Io<T> = Poll<io::Result<T>>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The runtime: a handle to the loop that [`run`] turns.
#[derive(Clone)]
pub(crate) struct Loop(Arc<Shared>);

pub(crate) struct Shared {
    epoch: Clock,
    unix_at_epoch: Duration,
    registry: mio::Registry,
    bell: mio::Waker,
    todo: Mutex<Todo>,
}

/// Tasks, timers and sockets have a number each; 0 is the loop's own.
#[derive(Default)]
struct Todo {
    last: usize,
    spawned: Vec<(usize, Boxed<()>)>,
    woken: BTreeSet<usize>,
    timers: BTreeMap<(Instant, usize), Waker>,
    sockets: BTreeMap<usize, [Option<Waker>; 2]>,
    asleep: bool,
}

/// Who waits for a socket waits to read or to write.
const READ: usize = 0;
const WRITE: usize = 1;

impl Shared {
    fn todo(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is to be done. Another thread may do it while the loop sleeps.
    fn change<T>(&self, change: impl FnOnce(&mut Todo) -> T) -> T {
        let mut todo = self.todo();
        if take(&mut todo.asleep) {
            let _ = self.bell.wake();
        }
        change(&mut todo)
    }

    fn number(&self) -> usize {
        let mut todo = self.todo();
        todo.last += 1;
        todo.last
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.epoch.elapsed()
    }

    /// Sleeps until something is to be done, and wakes who waits for it.
    fn sleep(&self, poll: &mut mio::Poll, events: &mut Events) -> io::Result<()> {
        let mut todo = self.todo();
        todo.asleep = todo.woken.is_empty();
        let first = todo.timers.keys().next().map(|(at, _)| at.saturating_since(self.now()));
        let most = if todo.asleep { first } else { Some(Duration::ZERO) };
        drop(todo);
        match poll.poll(events, most) {
            Err(error) if error.kind() != Interrupted => return Err(error),
            _ => {}
        }
        let mut todo = self.todo();
        todo.asleep = false;
        let later = todo.timers.split_off(&(self.now(), usize::MAX));
        let due = replace(&mut todo.timers, later).into_values();
        // A wake without a reason does no harm, so both sides hear of every event.
        let told = events.iter().filter_map(|event| todo.sockets.remove(&event.token().0));
        let wakers: Vec<_> = due.chain(told.flatten().flatten()).collect();
        // They want the lock.
        drop(todo);
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

/// What a task's waker knows: its number, and whom to tell.
struct Task(usize, Arc<Shared>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.1.change(|todo| todo.woken.insert(self.0));
    }
}

/// Runs `main`, and every task that comes of it, on this thread until `main` ends. Tasks that
/// have not ended then are dropped.
pub(crate) fn run<F: Future>(main: impl FnOnce(Loop) -> F) -> io::Result<F::Output> {
    let mut poll = mio::Poll::new()?;
    let shared = Arc::new(Shared {
        epoch: Clock::now(),
        unix_at_epoch: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        registry: poll.registry().try_clone()?,
        bell: mio::Waker::new(poll.registry(), Token(0))?,
        todo: Mutex::new(Todo { woken: [0].into(), ..Todo::default() }),
    });
    let mut main = pin!(main(Loop(Arc::clone(&shared))));
    let mut tasks = BTreeMap::new();
    let mut events = Events::with_capacity(256);
    loop {
        let (spawned, woken) =
            shared.change(|todo| (take(&mut todo.spawned), take(&mut todo.woken)));
        tasks.extend(spawned);
        // Who is woken from here on waits for the next turn, so that nobody is kept out.
        for number in woken {
            let waker = Arc::new(Task(number, Arc::clone(&shared))).into();
            let mut cx = Context::from_waker(&waker);
            if number == 0 {
                if let Poll::Ready(done) = main.as_mut().poll(&mut cx) {
                    return Ok(done);
                }
            } else if let Some(task) = tasks.get_mut(&number)
                && task.as_mut().poll(&mut cx).is_ready()
            {
                tasks.remove(&number);
            }
        }
        shared.sleep(&mut poll, &mut events)?;
    }
}

impl Runtime for Loop {
    type Stream = Socket<TcpStream>;
    type Listener = Socket<TcpListener>;
    type Datagrams = std::convert::Infallible;
    type Timer = Alarm;
    type Resolution = Option<Boxed<Result<Answer, Cause>>>;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn unix_at_epoch(&self) -> Duration {
        self.0.unix_at_epoch
    }

    fn seed(&self) -> u64 {
        system::seed(self.0.unix_at_epoch)
    }

    fn timer(&self, at: Instant) -> Alarm {
        Alarm { shared: Arc::clone(&self.0), at, number: self.0.number() }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let number = self.0.number();
        self.0.change(|todo| {
            todo.spawned.push((number, Box::pin(task)));
            todo.woken.insert(number);
        });
    }

    fn connect(&self, to: Address) -> impl Future<Output = io::Result<Self::Stream>> + 'static {
        let shared = Arc::clone(&self.0);
        async move {
            let stream = Socket::new(&shared, TcpStream::connect(internet(to)?)?)?;
            // It is under way until it has failed or has a peer.
            let peer = |tcp: &TcpStream| match (tcp.take_error()?, tcp.peer_addr()) {
                (Some(error), _) => Err(error),
                (None, Err(error)) if error.kind() == NotConnected => Err(WouldBlock.into()),
                (None, peer) => peer,
            };
            poll_fn(|cx| stream.poll_io(cx, WRITE, peer)).await?;
            stream.inner.set_nodelay(true)?;
            Ok(stream)
        }
    }

    fn listen(&self, at: Address) -> impl Future<Output = io::Result<Self::Listener>> + 'static {
        let listener = internet(at).and_then(TcpListener::bind);
        ready(listener.and_then(|listener| Socket::new(&self.0, listener)))
    }

    fn bind(
        &self,
        _: SocketAddr,
        _: Option<SocketAddr>,
    ) -> impl Future<Output = io::Result<Self::Datagrams>> + 'static {
        ready(Err(Unsupported.into()))
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        let (tell, told) = oneshot::channel();
        let name = name.to_owned();
        // The system's resolver blocks, so it gets a thread. The port is not looked up.
        std::thread::spawn(move || tell.send(system::answer((name, 0).to_socket_addrs())));
        Some(Box::pin(async { told.await.unwrap_or(Err(Cause::ResolveFailed)) }))
    }
}

fn internet(address: Address) -> io::Result<SocketAddr> {
    match address {
        Address::Ip(address) => Ok(address),
        Address::Unix(_) => Err(Unsupported.into()),
    }
}

/// A socket that the loop watches.
pub(crate) struct Socket<S: mio::event::Source> {
    inner: S,
    shared: Arc<Shared>,
    number: usize,
}

impl<S: mio::event::Source> Socket<S> {
    fn new(shared: &Arc<Shared>, mut inner: S) -> io::Result<Self> {
        let (shared, number) = (Arc::clone(shared), shared.number());
        let all = Interest::READABLE | Interest::WRITABLE;
        shared.registry.register(&mut inner, Token(number), all)?;
        Ok(Self { inner, shared, number })
    }

    /// Tries, and waits where the system would. mio tells of each news once, and the lock is kept
    /// so that none comes before the waker.
    fn poll_io<T, F>(&self, cx: &Context<'_>, side: usize, mut io: F) -> Io<T>
    where
        F: FnMut(&S) -> io::Result<T>,
    {
        let mut todo = self.shared.todo();
        loop {
            match io(&self.inner) {
                Err(error) if error.kind() == Interrupted => {}
                Err(error) if error.kind() == WouldBlock => {
                    todo.sockets.entry(self.number).or_default()[side] = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                done => return Poll::Ready(done),
            }
        }
    }
}

impl<S: mio::event::Source> Drop for Socket<S> {
    fn drop(&mut self) {
        let _ = self.shared.registry.deregister(&mut self.inner);
        self.shared.change(|todo| todo.sockets.remove(&self.number));
    }
}

impl Stream for Socket<TcpStream> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Io<usize> {
        self.poll_io(cx, READ, |mut tcp| tcp.read(buffer))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Io<usize> {
        self.poll_io(cx, WRITE, |mut tcp| tcp.write_vectored(slices))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Io<()> {
        Poll::Ready(self.inner.shutdown(Shutdown::Write))
    }
}

impl Listener for Socket<TcpListener> {
    type Stream = Socket<TcpStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Io<(Self::Stream, Option<SocketAddr>)> {
        self.poll_io(cx, READ, TcpListener::accept).map(|accepted| {
            let (stream, peer) = accepted?;
            // It fails on a connection that has been reset already, as its first read will.
            let _ = stream.set_nodelay(true);
            Ok((Socket::new(&self.shared, stream)?, Some(peer)))
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

pub(crate) struct Alarm {
    shared: Arc<Shared>,
    at: Instant,
    number: usize,
}

impl Timer for Alarm {
    fn reset(&mut self, at: Instant) {
        let before = (replace(&mut self.at, at), self.number);
        // Who waits for the old time now waits for the new one.
        self.shared.change(|todo| {
            let waker = todo.timers.remove(&before)?;
            todo.timers.insert((at, self.number), waker)
        });
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.now() >= self.at {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        self.shared.change(|todo| todo.timers.insert((self.at, self.number), waker));
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.change(|todo| todo.timers.remove(&(self.at, self.number)));
    }
}

/// What it is for: two requests, of which the second finds a connection.
async fn show(runtime: Loop) -> Result<(), BoxError> {
    let client = Client::builder(runtime.clone()).roots(Roots::Load(system_roots)).build()?;
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => {
            let server = Server::builder(runtime.clone()).bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let url = format!("http://localhost:{}/", server.local_address()?.port());
            let hello = async |_: Request<Body>| Response::new(Body::from("hello from the loop"));
            runtime.spawn(server.serve(hello));
            url
        }
    };
    for _ in 0..2 {
        let response = client.request(Request::get(&url).body(Body::empty())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("GET {url}: {status}, {} bytes", body.len());
        if !status.is_success() {
            return Err(format!("{url} answered {status}").into());
        }
    }
    println!("\nwhat the client did:\n{}", client.stats());
    Ok(())
}

fn main() -> ExitCode {
    match run(show).map_err(BoxError::from).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
