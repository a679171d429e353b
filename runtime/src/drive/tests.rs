//! The driver on a runtime that a test turns by hand: for what needs one order of events among
//! threads.

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use regatta_core::Instant;
use regatta_core::engine::tls::{Provider, ServerOptions};
use regatta_core::types::Cause;

use crate::client::Client;
use crate::response::ResponseFuture;
use crate::runtime::{Address, Answer, Listener, Resolution, Runtime, Stream, Timer};
use crate::server::Server;

#[derive(Clone, Default)]
struct Bench(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    now: Instant,
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    dials: u32,
    /// The dials that are answered.
    answered: Vec<u32>,
    /// While this dial is answered, all other tasks run.
    meanwhile: Option<u32>,
    /// TLS is given no cipher.
    no_cipher: bool,
    /// What is answered to whatever is said first, unless it is 204, and how many bytes of it one
    /// read brings.
    answer: Option<(Vec<u8>, usize)>,
}

impl Bench {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Polls every task a few times, as if all were always woken.
    fn turn(&self) {
        for _ in 0..8 {
            let mut slot = 0;
            while slot < self.world().tasks.len() {
                let task = self.world().tasks[slot].take();
                if let Some(mut task) = task
                    && task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
                {
                    self.world().tasks[slot] = Some(task);
                }
                slot += 1;
            }
        }
    }

    fn poll_dial(&self, dial: u32) -> Poll<io::Result<Socket>> {
        if !self.world().answered.contains(&dial) {
            return Poll::Pending;
        }
        if self.world().meanwhile.take_if(|meanwhile| *meanwhile == dial).is_some() {
            self.world().answered.push(dial - 1);
            self.turn();
        }
        let answer = self.world().answer.clone();
        let (answer, most) = answer.unwrap_or_else(|| (NO_CONTENT.to_vec(), NO_CONTENT.len()));
        Poll::Ready(Ok(Socket { asked: false, answer, most }))
    }
}

impl Runtime for Bench {
    type Stream = Socket;
    type Listener = Nobody;
    type Datagrams = Infallible;
    type Timer = Alarm;
    type Resolution = Nobody;

    fn now(&self) -> Instant {
        self.world().now
    }

    fn unix_at_epoch(&self) -> Duration {
        Duration::ZERO
    }

    fn seed(&self) -> u64 {
        1
    }

    fn tls_provider(&self) -> Provider {
        let mut provider = rustls::crypto::ring::default_provider();
        if self.world().no_cipher {
            provider.cipher_suites.clear();
        }
        Provider::custom(provider)
    }

    fn timer(&self, at: Instant) -> Alarm {
        Alarm(self.clone(), at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.world().tasks.push(Some(Box::pin(task)));
    }

    async fn connect(&self, _: Address) -> io::Result<Socket> {
        let dial = {
            let mut world = self.world();
            world.dials += 1;
            world.dials
        };
        poll_fn(|_| self.poll_dial(dial)).await
    }

    async fn listen(&self, _: Address) -> io::Result<Nobody> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn bind(&self, _: SocketAddr, _: Option<SocketAddr>) -> io::Result<Infallible> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn resolve(&self, _: &str) -> Nobody {
        Nobody
    }
}

struct Alarm(Bench, Instant);

impl Timer for Alarm {
    fn reset(&mut self, at: Instant) {
        self.1 = at;
    }

    fn poll_expired(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if self.1 <= self.0.now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct Nobody;

impl Listener for Nobody {
    type Stream = Socket;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        Poll::Pending
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Resolution for Nobody {
    fn poll_answer(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Answer, Cause>>> {
        Poll::Ready(None)
    }
}

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Answers what is said first.
struct Socket {
    asked: bool,
    /// What is left of the answer, and how many bytes of it one read brings.
    answer: Vec<u8>,
    most: usize,
}

impl Stream for Socket {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = self.answer.len().min(self.most).min(buffer.len());
        if !self.asked || count == 0 {
            return Poll::Pending;
        }
        for (to, from) in buffer.iter_mut().zip(self.answer.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.asked = true;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Two attempts of a race are done at the same time, on two threads: the one that lost says nothing
/// in the name of the connection, which is the winner's.
#[test]
fn an_attempt_that_wins_too_late_does_not_close_the_winner() {
    let bench = Bench::default();
    let addresses = vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
    let client = Client::builder(bench.clone()).resolve("a.test", addresses).build().unwrap();
    let ask = || {
        let request = Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
        Box::pin(client.request(request))
    };
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = ask();
    assert!(first.as_mut().poll(&mut cx).is_pending());
    bench.turn();
    bench.world().now = Instant::from_millis(400);
    bench.turn();
    assert_eq!(bench.world().dials, 2, "the second attempt has begun");
    {
        let mut world = bench.world();
        world.meanwhile = Some(2);
        world.answered.push(2);
    }
    bench.turn();
    let mut second = ask();
    let mut answer = |asked: &mut ResponseFuture<Bench>| {
        let Poll::Ready(response) = Pin::new(asked).poll(&mut cx) else { return None };
        Some(response.unwrap().status())
    };
    assert_eq!(answer(&mut first), Some(StatusCode::NO_CONTENT));
    // On the same connection.
    assert_eq!(answer(&mut second), None);
    bench.turn();
    assert_eq!(bench.world().dials, 2, "the winner was thought to be closed");
    let stats = client.stats();
    let [pool] = stats.pools() else { panic!("{stats:?}") };
    assert_eq!(pool.connections.len(), 1, "{stats:?}");
}

/// What a future that is done has come to.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = core::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the future is not done"),
    }
}

#[test]
fn a_clients_cryptography_is_its_runtimes() {
    let bench = Bench::default();
    bench.world().no_cipher = true;
    let client = Client::builder(bench.clone()).resolve("a.test", vec![[192, 0, 2, 1].into()]);
    let client = client.build().unwrap();
    let request = Request::get("https://a.test/").body(Empty::<Bytes>::new()).unwrap();
    let mut asked = Box::pin(client.request(request));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    bench.turn();
    bench.world().answered.push(1);
    bench.turn();
    let error = now(asked).unwrap_err().to_string();
    assert!(error.contains("no usable cipher suites"), "{error}");
}

#[test]
fn a_servers_cryptography_is_its_runtimes_unless_it_names_another() {
    let bench = Bench::default();
    bench.world().no_cipher = true;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let mut options = ServerOptions::new(vec![certificate.der().to_vec()], key.serialize_der());
    let at = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = |options: &ServerOptions| {
        let server = Server::builder(bench.clone()).tls(options.clone());
        now(server.bind(at)).unwrap_err().to_string()
    };
    let error = bind(&options);
    assert!(error.contains("no usable cipher suites"), "{error}");
    options.provider = Some(Provider::default());
    let error = bind(&options);
    assert!(error.contains("cannot listen"), "{error}");
}

/// All of an answer is there, and comes in ever so many reads: also when the last of them is the
/// last that one wake has, the caller hears of it.
#[test]
fn an_answer_of_many_reads_is_heard_wherever_a_wake_ends() {
    for length in 0..80 {
        let bench = Bench::default();
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: ".to_vec();
        answer.resize(answer.len() + length, b'x');
        answer.extend_from_slice(b"\r\n\r\n");
        bench.world().answer = Some((answer, 1));
        let addresses = vec![[192, 0, 2, 1].into()];
        let client = Client::builder(bench.clone()).resolve("a.test", addresses).build().unwrap();
        let request = Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
        let mut asked = Box::pin(client.request(request));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut cx).is_pending());
        bench.turn();
        bench.world().answered.push(1);
        bench.turn();
        assert_eq!(now(asked).unwrap().status(), StatusCode::OK, "{length} bytes more");
    }
}
