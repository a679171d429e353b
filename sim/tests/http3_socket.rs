//! What becomes of HTTP/3 when the system's UDP sockets fail, on virtual time.

mod stage;

use core::future::Future;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSliceMut};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::Instant;
use regatta_core::engine::h3::code;
use regatta_core::engine::quic;
use regatta_core::engine::tls::Provider;
use regatta_core::types::Cause;
use regatta_core::upstream::Protocols;
use regatta_runtime::{
    Address, Body, Client, Datagrams, Error, Received, Roots, Runtime, Server, ServerHandle,
    Transmit,
};
use regatta_sim::{Host, Net, tls};

use self::stage::{AT, MS};

/// How reading a host's UDP sockets fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Once behind every read that brought something.
    Behind(ErrorKind),
    /// From now on.
    Always(ErrorKind),
}

#[derive(Debug)]
struct State {
    fault: Fault,
    /// The last read brought something.
    is_behind: bool,
    /// How many reads failed.
    failed: u32,
}

/// A host whose UDP sockets fail as a test says.
#[derive(Clone)]
struct Faulty {
    host: Host,
    state: Arc<Mutex<State>>,
}

impl Faulty {
    fn new(host: Host) -> Self {
        let state = State { fault: Fault::None, is_behind: false, failed: 0 };
        Self { host, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Runtime for Faulty {
    type Stream = <Host as Runtime>::Stream;
    type Listener = <Host as Runtime>::Listener;
    type Datagrams = FaultySocket;
    type Timer = <Host as Runtime>::Timer;
    type Resolution = <Host as Runtime>::Resolution;

    fn now(&self) -> Instant {
        self.host.now()
    }

    fn unix_at_epoch(&self) -> Duration {
        self.host.unix_at_epoch()
    }

    fn seed(&self) -> u64 {
        self.host.seed()
    }

    fn tls_provider(&self) -> Provider {
        self.host.tls_provider()
    }

    fn timer(&self, at: Instant) -> Self::Timer {
        self.host.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.host.spawn(task);
    }

    async fn connect(&self, to: Address) -> io::Result<Self::Stream> {
        self.host.connect(to).await
    }

    async fn listen(&self, at: Address) -> io::Result<Self::Listener> {
        self.host.listen(at).await
    }

    async fn bind(&self, at: SocketAddr, to: Option<SocketAddr>) -> io::Result<FaultySocket> {
        let socket = self.host.bind(at, to).await?;
        Ok(FaultySocket { socket, on: self.clone() })
    }

    fn resolve(&self, name: &str) -> Self::Resolution {
        self.host.resolve(name)
    }
}

struct FaultySocket {
    socket: <Host as Runtime>::Datagrams,
    on: Faulty,
}

impl Datagrams for FaultySocket {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.on.state();
        let failing = match state.fault {
            Fault::None => None,
            Fault::Behind(kind) => core::mem::take(&mut state.is_behind).then_some(kind),
            Fault::Always(kind) => Some(kind),
        };
        if let Some(kind) = failing {
            state.failed += 1;
            assert!(state.failed < 10_000, "it is read for ever");
            return Poll::Ready(Err(kind.into()));
        }
        let read = self.socket.poll_receive(cx, buffers, received);
        state.is_behind |= matches!(read, Poll::Ready(Ok(_)));
        read
    }

    fn try_send(&mut self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_writable(cx)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_address()
    }

    fn max_segments(&self) -> usize {
        self.socket.max_segments()
    }

    fn max_received_segments(&self) -> usize {
        self.socket.max_received_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// A server and a client, 20 ms apart.
fn hosts(net: &Net) -> (Faulty, Faulty) {
    let (server, client) = stage::hosts(net);
    (Faulty::new(server), Faulty::new(client))
}

/// Sends every request's body back, over TCP and UDP.
async fn serve(server: &Faulty) -> ServerHandle<Faulty> {
    let at: SocketAddr = AT.parse().unwrap();
    let builder = Server::builder(server.clone()).tls(tls::good());
    let listening = builder.http3(quic::ServerOptions::default()).bind(at).await.unwrap();
    let handle = listening.handle();
    server.spawn(listening.serve(|request: Request<Body>| async {
        let body = request.into_body().collect().await.map(|all| all.to_bytes());
        Response::new(Full::new(body.unwrap_or_default()))
    }));
    handle
}

fn client(host: &Faulty, protocols: Protocols) -> Client<Faulty> {
    let builder = Client::builder(host.clone()).roots(Roots::Der(vec![tls::ROOT.to_vec()]));
    builder.profile(|profile| profile.protocols = protocols).build().unwrap()
}

async fn echo(client: &Client<Faulty>) -> Result<Version, Error> {
    let body = Bytes::from(vec![7; 50_000]);
    let request = Request::post("https://www.test/").body(Full::new(body.clone())).unwrap();
    let response = client.request(request).await?;
    let version = response.version();
    assert!(response.into_body().collect().await?.to_bytes() == body, "other bytes came back");
    Ok(version)
}

/// A datagram that found nobody says nothing about those that came, on either side.
#[test]
fn that_nobody_is_there_is_passed_over() {
    let kinds =
        [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset, ErrorKind::HostUnreachable];
    for kind in kinds {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            for one in [&server, &host] {
                one.state().fault = Fault::Behind(kind);
            }
            serve(&server).await;
            let client = client(&host, Protocols::Http3);
            for _ in 0..3 {
                assert_eq!(echo(&client).await.unwrap(), Version::HTTP_3, "{kind}");
            }
            for one in [&server, &host] {
                assert!(one.state().failed > 5, "{kind}");
            }
        })
        .unwrap();
    }
}

/// Clients hear of it at once, TCP is served on, and a drain waits for nobody.
#[test]
fn a_server_whose_socket_breaks_ends_http3_alone() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server).await;
        let over_quic = client(&host, Protocols::Http3);
        echo(&over_quic).await.unwrap();
        assert_eq!(handle.active_connections(), 1);
        server.state().fault = Fault::Always(ErrorKind::PermissionDenied);
        let begun = host.now();
        let error = echo(&over_quic).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::GoAway(code::INTERNAL_ERROR as u32)), "{error}");
        assert!(host.now() <= begun + 40 * MS);
        assert_eq!((handle.active_connections(), server.state().failed), (0, 1));
        let over_tcp = client(&host, Protocols::Auto);
        assert_eq!(echo(&over_tcp).await.unwrap(), Version::HTTP_2);
        handle.drain().await;
    })
    .unwrap();
}

#[test]
fn a_client_whose_socket_breaks_fails_what_is_on_it() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        serve(&server).await;
        let client = client(&host, Protocols::Http3);
        echo(&client).await.unwrap();
        let asked = client.clone();
        let (done, mut ended) = (Arc::new(Mutex::new(None)), None);
        let told = Arc::clone(&done);
        host.spawn(async move { *told.lock().unwrap() = Some(echo(&asked).await) });
        host.host.sleep(10 * MS).await;
        host.state().fault = Fault::Always(ErrorKind::PermissionDenied);
        host.host.sleep(100 * MS).await;
        core::mem::swap(&mut ended, &mut done.lock().unwrap());
        let error = ended.expect("it has ended").unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Os(0)), "{error}");
        assert_eq!(host.state().failed, 1);
        // The next one has a socket of its own.
        host.state().fault = Fault::None;
        assert_eq!(echo(&client).await.unwrap(), Version::HTTP_3);
        client.check();
    })
    .unwrap();
}
