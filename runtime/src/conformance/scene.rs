//! A server and a client that talk to each other, on a runtime that is watched.

use bytes::Bytes;
use core::fmt;
use core::future::{Future, poll_fn};
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body_util::{BodyExt as _, Empty};
#[cfg(feature = "http3")]
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::record::Kind;
use regatta_core::upstream::Protocols;

use super::io::{ANY, either, pause};
use super::signals::{Flag, Tell};
use super::watched::Watched;
use super::{Fact, ensure};
use crate::body::{Body, BoxError};
use crate::builder::Builder;
use crate::client::Client;
use crate::error::Error;
use crate::runtime::{Runtime, Timer as _};
use crate::server::{Server, ServerBuilder, ServerHandle, Service};
use crate::settings::Roots;

/// What a client must trust, in DER. Its key was thrown away.
const ROOT: &[u8] = include_bytes!("certificate/root.der");

/// How long something may take that happens at once: it makes a fact that hangs a sentence, and
/// is nothing that anybody waits for. Beside a dozen others at work 20 s were not enough.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// As much for all that happens in one scene, so that what hangs in it is named first.
const LONG_PATIENCE: Duration = Duration::from_secs(90);

/// A server's certificate for localhost, server.test and both loopback addresses, until 2120.
pub(super) fn certificate() -> ServerOptions {
    let certificate = include_bytes!("certificate/server.der").to_vec();
    let key = include_bytes!("certificate/server.key.der").to_vec();
    ServerOptions::new(vec![certificate], key)
}

/// What is spoken, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Http1,
    Http1OverTls,
    /// By prior knowledge.
    Http2,
    /// By ALPN.
    Http2OverTls,
    /// Over QUIC, without asking.
    #[cfg(feature = "http3")]
    Http3,
}

impl Way {
    /// All that this build speaks.
    #[cfg(feature = "http3")]
    pub(super) const ALL: [Self; 5] =
        [Self::Http1, Self::Http1OverTls, Self::Http2, Self::Http2OverTls, Self::Http3];
    #[cfg(not(feature = "http3"))]
    pub(super) const ALL: [Self; 4] =
        [Self::Http1, Self::Http1OverTls, Self::Http2, Self::Http2OverTls];

    /// Those that are spoken over TCP.
    pub(super) const OVER_TCP: [Self; 4] =
        [Self::Http1, Self::Http1OverTls, Self::Http2, Self::Http2OverTls];

    /// Those whose connections carry many requests at a time.
    #[cfg(feature = "http3")]
    pub(super) const SHARED: [Self; 3] = [Self::Http2, Self::Http2OverTls, Self::Http3];
    #[cfg(not(feature = "http3"))]
    pub(super) const SHARED: [Self; 2] = [Self::Http2, Self::Http2OverTls];

    pub(super) const fn is_tls(self) -> bool {
        !matches!(self, Self::Http1 | Self::Http2)
    }

    /// Whether a connection carries many requests at a time.
    pub(super) const fn is_shared(self) -> bool {
        !matches!(self, Self::Http1 | Self::Http1OverTls)
    }

    /// Whether it is spoken over UDP.
    pub(super) const fn is_quic(self) -> bool {
        !matches!(self, Self::Http1 | Self::Http1OverTls | Self::Http2 | Self::Http2OverTls)
    }

    pub(super) const fn scheme(self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    const fn protocols(self) -> Protocols {
        match self {
            Self::Http1 | Self::Http2OverTls => Protocols::Auto,
            Self::Http1OverTls => Protocols::Http1,
            Self::Http2 => Protocols::Http2PriorKnowledge,
            #[cfg(feature = "http3")]
            Self::Http3 => Protocols::Http3,
        }
    }

    /// What counts the connections that speak it.
    const fn kind(self) -> Kind {
        match self {
            Self::Http1 | Self::Http1OverTls => Kind::Http1,
            Self::Http2 | Self::Http2OverTls => Kind::Http2,
            #[cfg(feature = "http3")]
            Self::Http3 => Kind::Http3,
        }
    }

    /// A client's settings, so that this is what it speaks.
    pub(super) fn client<R: Runtime>(self, runtime: &R) -> Builder<R> {
        Client::builder(runtime.clone())
            .profile(|profile| profile.protocols = self.protocols())
            .roots(Roots::Der(vec![ROOT.to_vec()]))
    }

    /// A server's settings, so that it can be spoken.
    pub(super) fn server<R: Runtime>(self, runtime: &R) -> ServerBuilder<R> {
        let server = Server::builder(runtime.clone());
        match self {
            Self::Http1 | Self::Http2 => server,
            Self::Http1OverTls | Self::Http2OverTls => server.tls(certificate()),
            #[cfg(feature = "http3")]
            Self::Http3 => server.tls(certificate()).http3(quic::ServerOptions::default()),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http1OverTls => "HTTP/1.1 over TLS",
            Self::Http2 => "HTTP/2",
            Self::Http2OverTls => "HTTP/2 over TLS",
            #[cfg(feature = "http3")]
            Self::Http3 => "HTTP/3",
        })
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

/// A server that serves in a task, and a client.
pub(super) struct Scene<R: Runtime> {
    pub(super) way: Way,
    pub(super) runtime: Watched<R>,
    pub(super) client: Client<Watched<R>>,
    pub(super) server: ServerHandle<Watched<R>>,
    pub(super) at: SocketAddr,
    /// The server's own future has ended.
    pub(super) ended: Flag,
    /// Raising it drops the server's own future.
    pub(super) stop: Flag,
}

impl<R: Runtime> Scene<R> {
    /// With settings of the client's and the server's.
    pub(super) async fn set(
        runtime: &R,
        way: Way,
        address: IpAddr,
        service: impl Service,
        client: impl FnOnce(Builder<Watched<R>>) -> Builder<Watched<R>>,
        server: impl FnOnce(ServerBuilder<Watched<R>>) -> ServerBuilder<Watched<R>>,
    ) -> Result<Self, String> {
        let runtime = Watched::new(runtime.clone());
        let bound =
            server(way.server(&runtime)).bind(SocketAddr::new(address, 0)).await.map_err(told)?;
        let at = bound.local_address().map_err(|error| error.to_string())?;
        let (server, ended, stop) = (bound.handle(), Flag::default(), Flag::default());
        let (tell, stopped) = (Tell(ended.clone()), stop.clone());
        runtime.spawn(async move {
            either(bound.serve(service), stopped.raised()).await;
            drop(tell);
        });
        let client = client(way.client(&runtime)).build().map_err(told)?;
        Ok(Self { way, runtime, client, server, at, ended, stop })
    }

    /// The URL of `path` at the server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.way.scheme(), self.at)
    }

    /// A request for `path` at the server, as far as it is the same for all.
    pub(super) fn request(&self, method: Method, path: &str) -> request::Builder {
        Request::builder().method(method).uri(self.url(path))
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn send<B>(&self, request: http::Result<Request<B>>) -> Result<Answer, String>
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        send(&self.client, request).await
    }

    /// A GET of `path`, which must be answered with 200; its body.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, String> {
        let request = self.request(Method::GET, path).body(Empty::<Bytes>::new());
        let answer = self.send(request).await?;
        let status = answer.status;
        ensure!(status == StatusCode::OK, "{path} was answered with {status}");
        Ok(answer.body)
    }

    /// Another client of the same kind.
    pub(super) fn client(
        &self,
        change: impl FnOnce(Builder<Watched<R>>) -> Builder<Watched<R>>,
    ) -> Result<Client<Watched<R>>, String> {
        change(self.way.client(&self.runtime)).build().map_err(told)
    }

    /// Waits until `client` has nothing under way, and recounts it.
    pub(super) async fn rests(&self, client: &Client<Watched<R>>) -> Fact {
        until(&self.runtime, || {
            let requests = client.inspect(|upstream| upstream.requests());
            let stats = client.stats();
            let connections = stats.pools().iter().flat_map(|pool| &pool.connections);
            let streams: u32 = connections.map(|connection| connection.streams).sum();
            let done = requests == 0 && streams == 0;
            (!done).then(|| format!("{requests} requests and {streams} streams are under way"))
        })
        .await?;
        client.check();
        Ok(())
    }

    /// Waits until the client has no connection, whatever its state.
    pub(super) async fn disconnects(&self, client: &Client<Watched<R>>) -> Fact {
        until(&self.runtime, || {
            let stats = client.stats();
            let left: usize = stats.pools().iter().map(|pool| pool.connections.len()).sum();
            (left > 0).then(|| format!("{left} connections are left"))
        })
        .await
    }

    /// Ends all of it, and waits until nothing is left. What was spoken is what was meant.
    pub(super) async fn end(self) -> Fact {
        self.rests(&self.client).await?;
        let stats = self.client.stats();
        let spoken = [Kind::Http1, Kind::Http2, Kind::Http3].map(|kind| (kind, stats.count(kind)));
        let meant = self.way.kind();
        let other = spoken.iter().find(|(kind, count)| *kind != meant && *count > 0);
        ensure!(other.is_none(), "{other:?} connections were made");
        let Self { runtime, client, server, ended, .. } = self;
        drop(client);
        server.drain();
        let wait = async {
            ended.raised().await;
            Ok(())
        };
        patiently(&runtime, "the server's end after a drain", wait).await?;
        drop(server);
        until(&runtime, || runtime.left().map(|left| format!("{left} are left of all"))).await
    }
}

/// Sets the scene on every way in turn; whatever goes wrong says on which.
pub(super) async fn on_every_way<R, S, A>(runtime: R, service: S, act: A) -> Fact
where
    R: Runtime,
    S: Service + Clone,
    A: AsyncFn(&Scene<R>) -> Fact,
{
    Play::new(runtime).run(service, act).await
}

/// On which ways the scene is set, and with which settings.
pub(super) struct Play<'a, R: Runtime> {
    runtime: R,
    ways: &'a [Way],
    address: IpAddr,
    client: fn(Builder<Watched<R>>) -> Builder<Watched<R>>,
    server: fn(ServerBuilder<Watched<R>>) -> ServerBuilder<Watched<R>>,
}

impl<'a, R: Runtime> Play<'a, R> {
    pub(super) fn new(runtime: R) -> Self {
        Self {
            runtime,
            ways: &Way::ALL,
            address: ANY.ip(),
            client: |client| client,
            server: |server| server,
        }
    }

    pub(super) fn on(self, ways: &'a [Way]) -> Self {
        Self { ways, ..self }
    }

    /// Where the server listens; else on loopback.
    pub(super) fn at(self, address: IpAddr) -> Self {
        Self { address, ..self }
    }

    pub(super) fn client(self, client: fn(Builder<Watched<R>>) -> Builder<Watched<R>>) -> Self {
        Self { client, ..self }
    }

    pub(super) fn server(
        self,
        server: fn(ServerBuilder<Watched<R>>) -> ServerBuilder<Watched<R>>,
    ) -> Self {
        Self { server, ..self }
    }

    /// Sets the scene on each way in turn, lets `act` play in it, and waits until all is gone.
    pub(super) async fn run<S, A>(self, service: S, act: A) -> Fact
    where
        S: Service + Clone,
        A: AsyncFn(&Scene<R>) -> Fact,
    {
        for &way in self.ways {
            if way.is_quic() && has_no_udp(&self.runtime).await {
                continue;
            }
            let played = async {
                let service = service.clone();
                let (runtime, address) = (&self.runtime, self.address);
                let scene =
                    Scene::set(runtime, way, address, service, self.client, self.server).await?;
                let all = act(&scene);
                within(runtime, LONG_PATIENCE, "the end of all requests", all).await?;
                scene.end().await
            };
            played.await.map_err(|sentence| format!("{way}: {sentence}"))?;
        }
        Ok(())
    }
}

/// Whether the runtime says that it has no UDP; then nothing is asked of HTTP/3.
pub(super) async fn has_no_udp<R: Runtime>(runtime: &R) -> bool {
    match runtime.bind(ANY, None).await {
        Err(error) => error.kind() == std::io::ErrorKind::Unsupported,
        Ok(_) => false,
    }
}

/// What `future` says, or that it has not ended.
pub(super) async fn patiently<R: Runtime, T>(
    runtime: &R,
    what: &str,
    future: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    within(runtime, PATIENCE, what, future).await
}

async fn within<R: Runtime, T>(
    runtime: &R,
    limit: Duration,
    what: &str,
    future: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let mut future = pin!(future);
    let mut timer = runtime.timer(runtime.now() + limit);
    poll_fn(|cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        timer.poll_expired(cx).map(|()| Err(format!("{what} did not come in {limit:?}")))
    })
    .await
}

/// Waits until `missing` misses nothing. Polling is slow, not wrong.
pub(super) async fn until<R: Runtime>(
    runtime: &R,
    mut missing: impl FnMut() -> Option<String>,
) -> Fact {
    let end = runtime.now() + PATIENCE;
    while let Some(sentence) = missing() {
        ensure!(runtime.now() < end, "after {PATIENCE:?} {sentence}");
        pause(runtime, Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Sends a request and reads the answer to its end.
pub(super) async fn send<R, B>(
    client: &Client<R>,
    request: http::Result<Request<B>>,
) -> Result<Answer, String>
where
    R: Runtime,
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let request = request.map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(told)?;
    read(response).await
}

/// Reads a response to its end.
pub(super) async fn read(response: Response<Body>) -> Result<Answer, String> {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.map_err(told)?;
    let trailers = collected.trailers().cloned();
    let body = collected.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body, trailers })
}

pub(super) fn told(error: Error) -> String {
    error.to_string()
}
