//! A runtime of one's own, whole: one thread, mio to ask the system what is ready, and an executor
//! for tasks, here smol's.
//!
//! regatta's driver runs on anything that implements `Runtime`. It wants a clock, timers, tasks,
//! sockets and names, and decides everything else itself. Whoever can wait for a socket of the
//! system is a `Reactor`, and has TCP, Unix and UDP sockets of regatta-sockets. Whether it is all
//! right is for the conformance suite to say: `tests/run/custom_runtime.rs` has it say so of this.
//! What each promise means is in `docs/runtimes.md`.
//!
//! ```sh
//! cargo run -p regatta-examples --example custom_runtime   # asks a server on the same loop
//! cargo run -p regatta-examples --example custom_runtime -- https://example.org
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, ErrorKind::Interrupted};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Clock, SystemTime};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use regatta_core::Instant;
use regatta_runtime::{Address, Body, BoxError, Runtime, Server, system};
use regatta_sockets::{DatagramSocket, Edges, ListeningSocket, Reactor, Side, Socket, Source};
use smol::Executor;

/// The runtime: a handle to the loop that [`run`] turns.
#[derive(Clone)]
pub(crate) struct Loop {
    shared: Arc<Shared>,
    alarms: system::Alarms,
    /// Tasks hold the runtime, so the runtime does not hold them.
    tasks: Weak<Executor<'static>>,
}

struct Shared {
    epoch: system::Epoch,
    registry: mio::Registry,
    bell: mio::Waker,
    sockets: Mutex<Sockets>,
}

/// Sockets have a number each; 0 is the bell's.
#[derive(Default)]
struct Sockets {
    last: usize,
    edges: BTreeMap<usize, Arc<Edges>>,
}

impl Shared {
    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who wakes a task wakes the loop.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        let _ = self.bell.wake();
    }
}

/// Runs `main`, and every task that comes of it, on this thread until `main` ends. Tasks that
/// have not ended then are dropped.
pub(crate) fn run<F: Future>(main: impl FnOnce(Loop) -> F) -> io::Result<F::Output> {
    let mut poll = mio::Poll::new()?;
    let shared = Arc::new(Shared {
        epoch: system::Epoch::new(Clock::now(), SystemTime::now()),
        registry: poll.registry().try_clone()?,
        bell: mio::Waker::new(poll.registry(), Token(0))?,
        sockets: Mutex::default(),
    });
    let waker = Waker::from(Arc::clone(&shared));
    let alarms = system::Alarms::new({
        let waker = waker.clone();
        move || waker.wake_by_ref()
    });
    let executor = Arc::new(Executor::new());
    let this = Loop { shared, alarms, tasks: Arc::downgrade(&executor) };
    let mut all = pin!(executor.run(main(this.clone())));
    let mut events = Events::with_capacity(256);
    loop {
        if let Poll::Ready(done) = all.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(done);
        }
        this.sleep(&mut poll, &mut events)?;
    }
}

impl Loop {
    /// Sleeps until something is to be done, and wakes who waits for it.
    fn sleep(&self, poll: &mut mio::Poll, events: &mut Events) -> io::Result<()> {
        let most = self.alarms.next().map(|at| at.saturating_since(self.now()));
        match poll.poll(events, most) {
            Err(error) if error.kind() != Interrupted => return Err(error),
            _ => {}
        }
        self.alarms.wake_due(self.now());
        for event in events.iter() {
            let edges = self.shared.sockets().edges.get(&event.token().0).cloned();
            edges.iter().for_each(|edges| edges.wake(event.is_read_closed()));
        }
        Ok(())
    }
}

impl Runtime for Loop {
    type Stream = Socket<Self>;
    type Listener = ListeningSocket<Self>;
    type Datagrams = DatagramSocket<Self>;
    type Timer = system::Alarm;
    type Resolution = Option<system::LookUp>;

    fn now(&self) -> Instant {
        self.shared.epoch.instant(Clock::now())
    }

    fn unix_at_epoch(&self) -> Duration {
        self.shared.epoch.unix()
    }

    fn seed(&self) -> u64 {
        self.shared.epoch.seed()
    }

    fn timer(&self, at: Instant) -> Self::Timer {
        self.alarms.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks.upgrade() {
            tasks.spawn(task).detach();
        }
    }

    async fn connect(&self, to: Address) -> io::Result<Self::Stream> {
        regatta_sockets::connect(self, to).await
    }

    async fn listen(&self, at: Address) -> io::Result<Self::Listener> {
        regatta_sockets::listen(self, at)
    }

    async fn bind(&self, at: SocketAddr, to: Option<SocketAddr>) -> io::Result<Self::Datagrams> {
        regatta_sockets::bind(self, at, to)
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        Some(Box::pin(smol::unblock(system::look_up(name))))
    }
}

impl Reactor for Loop {
    type Watched<S: Source> = Watched<S>;

    fn watch<S: Source>(&self, socket: S) -> io::Result<Watched<S>> {
        let edges = Arc::default();
        let mut sockets = self.shared.sockets();
        sockets.last += 1;
        let number = sockets.last;
        sockets.edges.insert(number, Arc::clone(&edges));
        drop(sockets);
        let watched = Watched { socket, edges, shared: Arc::clone(&self.shared), number };
        let all = Interest::READABLE | Interest::WRITABLE;
        let mut source = SourceFd(&watched.socket.as_raw_fd());
        self.shared.registry.register(&mut source, Token(number), all)?;
        Ok(watched)
    }
}

/// A socket that the loop watches.
pub(crate) struct Watched<S: Source> {
    socket: S,
    edges: Arc<Edges>,
    shared: Arc<Shared>,
    number: usize,
}

impl<S: Source> regatta_sockets::Watched<S> for Watched<S> {
    fn socket(&self) -> &S {
        &self.socket
    }

    fn try_io<T>(&self, side: Side, mut call: impl FnMut(&S) -> io::Result<T>) -> io::Result<T> {
        self.edges.try_io(side, || call(&self.socket))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        self.edges.poll_ready(cx, side)
    }
}

impl<S: Source> Drop for Watched<S> {
    fn drop(&mut self) {
        let _ = self.shared.registry.deregister(&mut SourceFd(&self.socket.as_raw_fd()));
        self.shared.sockets().edges.remove(&self.number);
    }
}

/// What it is for: two requests, of which the second finds a connection.
async fn show(runtime: Loop) -> Result<(), BoxError> {
    let client = system::client(runtime.clone()).build()?;
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
