//! A server: one service function answers HTTP/1.1 and HTTP/2.

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body as HttpBody;
use regatta_core::downstream::{self, Advertise};
use regatta_core::engine::Config as EngineConfig;
use regatta_core::engine::tls::{Clock, ServerConfig, ServerOptions};
#[cfg(feature = "http3")]
use regatta_core::engine::{qlog, quic};
use regatta_core::types::Protocol;

use crate::body::{Body, BoxError};
#[cfg(feature = "http3")]
use crate::datagrams::Datagrams as _;
use crate::drive::gate::{Draining, Gate, Speaks};
use crate::drive::letter::Letter;
use crate::drive::listener;
use crate::error::{Error, Kind};
use crate::hooks::{
    ServerConnectionEvent, ServerConnectionFacts, ServerHooks, ServerRequestEvent,
    ServerRequestFacts, TellServer,
};
use crate::mail::Mailbox;
use crate::runtime::{Address, Listener as _, Runtime};

/// Answers requests. Every function from a request to a future response is one.
pub trait Service: Send + Sync + 'static {
    /// The response's body.
    type Body: HttpBody<Error: Into<BoxError>> + Send + 'static;

    /// Answers one request. The future is dropped when the peer gives the request up.
    fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

impl<F, Answer, B> Service for F
where
    F: Fn(Request<Body>) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Response<B>> + Send + 'static,
    B: HttpBody<Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;

    fn call(&self, request: Request<Body>) -> impl Future<Output = Response<B>> + Send + 'static {
        self(request)
    }
}

/// Builds a [`Server`].
#[derive(Debug)]
pub struct ServerBuilder<R> {
    runtime: R,
    tls: Option<ServerOptions>,
    plain: bool,
    engine: EngineConfig,
    downstream: downstream::Config,
    #[cfg(feature = "http3")]
    http3: Option<quic::ServerOptions>,
    #[cfg(feature = "http3")]
    qlog: Option<Arc<dyn qlog::Sink>>,
    hooks: ServerHooks,
}

impl<R: Runtime> ServerBuilder<R> {
    /// Speaks TLS with this certificate; ALPN chooses the protocol. Default plain text, where
    /// HTTP/2 is recognised by its preface (RFC 9113 3.3).
    #[must_use]
    pub fn tls(mut self, options: ServerOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// Speaks plain text too where it speaks TLS, on the same port: a connection's first byte
    /// decides. Default no. [`ConnectionHandle::is_secure`] tells a service which it was.
    #[must_use]
    pub const fn plain_too(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Speaks HTTP/3 too, on UDP at the same address and port and with the same certificate; it
    /// needs TLS. Default no.
    #[cfg(feature = "http3")]
    #[must_use]
    pub fn http3(mut self, options: quic::ServerOptions) -> Self {
        self.http3 = Some(options);
        self
    }

    /// Who gets the qlog of each connection of QUIC. Default nobody.
    #[cfg(feature = "http3")]
    #[must_use]
    pub fn qlog(mut self, sink: Arc<dyn qlog::Sink>) -> Self {
        self.qlog = Some(sink);
        self
    }

    /// Changes the limits of the protocol engines.
    #[must_use]
    pub fn engine(mut self, change: impl FnOnce(&mut EngineConfig)) -> Self {
        change(&mut self.engine);
        self
    }

    /// Changes the limits on connections, and the time of a drain.
    #[must_use]
    pub fn downstream(mut self, change: impl FnOnce(&mut downstream::Config)) -> Self {
        change(&mut self.downstream);
        self
    }

    /// What answers say of where else the server is (RFC 7838): that it speaks HTTP/3, where it
    /// does, unless another [`Advertise`] is given.
    #[must_use]
    pub fn alt_svc(self, advertise: Advertise) -> Self {
        self.downstream(|downstream| downstream.advertise = advertise)
    }

    /// Tells this function what happens to connections, in order. It runs in whichever task makes
    /// it happen, with no lock held, and must not block; it may use the server. Default nobody is
    /// told.
    #[must_use]
    pub fn on_connection(
        mut self,
        told: impl Fn(&ServerConnectionFacts, &ServerConnectionEvent) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.on_connection = Some(Arc::new(told));
        self
    }

    /// Tells this function what happens to requests, in order; else as
    /// [`ServerBuilder::on_connection`].
    #[must_use]
    pub fn on_request(
        mut self,
        told: impl Fn(&ServerRequestFacts, &ServerRequestEvent) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.on_request = Some(Arc::new(told));
        self
    }

    /// Listens at `address`; port 0 picks a free one.
    pub async fn bind(self, address: impl Into<Address>) -> Result<Server<R>, Error> {
        let address = address.into();
        #[cfg(feature = "http3")]
        let (http3, qlog) = (self.http3, self.qlog);
        let Self { runtime, tls, plain, engine, downstream, hooks, .. } = self;
        let tls = match tls {
            None => None,
            Some(mut options) => {
                options.provider.get_or_insert_with(|| runtime.tls_provider());
                let clock = Clock::new(runtime.unix_at_epoch());
                let config = ServerConfig::new(&clock, options);
                Some(config.map_err(|error| Error::new(Kind::Config(format!("tls: {error}"))))?)
            }
        };
        #[cfg(feature = "http3")]
        let (listener, udp) = match http3 {
            None => (listen::<R>(&runtime, &address).await?, None),
            Some(mut options) => {
                options.grant(&engine);
                let windows = quic::ReceiveWindows::of(&mut options.connection);
                let config = http3_config(tls.as_ref(), &options)?.with_qlog(qlog);
                let (listener, socket) = listen_on_both(&runtime, &address).await?;
                let endpoint = quic::Endpoint::server(&config, socket.may_fragment());
                let endpoint = endpoint
                    .map_err(|error| Error::new(Kind::Config(format!("http3: {error}"))))?;
                (listener, Some((socket, endpoint, windows)))
            }
        };
        #[cfg(not(feature = "http3"))]
        let (listener, udp) = (listen::<R>(&runtime, &address).await?, core::marker::PhantomData);
        let plain = plain || tls.is_none();
        #[cfg(feature = "http3")]
        let udp_port = udp.as_ref().and_then(|(socket, ..)| socket.local_address().ok());
        #[cfg(not(feature = "http3"))]
        let udp_port: Option<SocketAddr> = None;
        let udp_port = udp_port.map(|at| at.port());
        let (speaks, tell) = (Speaks { tls, plain }, TellServer::to(hooks));
        let gate = Gate::start(runtime, speaks, engine, downstream, udp_port, tell);
        Ok(Server { listener, udp, gate })
    }
}

async fn listen<R: Runtime>(runtime: &R, address: &Address) -> Result<R::Listener, Error> {
    runtime.listen(address.clone()).await.map_err(|error| {
        let at = match address {
            Address::Ip(address) => address.to_string(),
            Address::Unix(path) => path.display().to_string(),
        };
        Error::new(Kind::Config(format!("cannot listen at {at}: {error}")))
    })
}

/// How often another port is taken where any will do and UDP's is not free.
#[cfg(feature = "http3")]
const PORTS: u32 = 16;

/// TCP and UDP on one address and port.
#[cfg(feature = "http3")]
async fn listen_on_both<R: Runtime>(
    runtime: &R,
    address: &Address,
) -> Result<(R::Listener, R::Datagrams), Error> {
    let Address::Ip(asked) = address else {
        return Err(Error::new(Kind::Config("http3: a Unix socket has no datagrams".to_owned())));
    };
    let mut tries = if asked.port() == 0 { PORTS } else { 1 };
    loop {
        let listener = listen::<R>(runtime, address).await?;
        let at = listener.local_address().unwrap_or(*asked);
        match runtime.bind(at, None).await {
            Ok(socket) => return Ok((listener, socket)),
            Err(_) if tries > 1 => tries -= 1,
            Err(error) => {
                let text = format!("cannot listen at {at} for HTTP/3: {error}");
                return Err(Error::new(Kind::Config(text)));
            }
        }
    }
}

#[cfg(feature = "http3")]
fn http3_config(
    tls: Option<&ServerConfig>,
    options: &quic::ServerOptions,
) -> Result<quic::ServerConfig, Error> {
    let Some(tls) = tls else {
        return Err(Error::new(Kind::Config("http3: it needs TLS".to_owned())));
    };
    quic::ServerConfig::new(tls, options)
        .map_err(|error| Error::new(Kind::Config(format!("http3: {error}"))))
}

/// A listening server.
pub struct Server<R: Runtime> {
    listener: R::Listener,
    udp: listener::Udp<R>,
    gate: Arc<Gate<R>>,
}

impl<R: Runtime> Server<R> {
    /// Begins to build a server on `runtime`.
    pub fn builder(runtime: R) -> ServerBuilder<R> {
        ServerBuilder {
            runtime,
            tls: None,
            plain: false,
            engine: EngineConfig::default(),
            downstream: downstream::Config::default(),
            #[cfg(feature = "http3")]
            http3: None,
            #[cfg(feature = "http3")]
            qlog: None,
            hooks: ServerHooks::default(),
        }
    }

    /// Where it really listens.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_address()
    }

    /// A handle to drain it from elsewhere.
    pub fn handle(&self) -> ServerHandle<R> {
        ServerHandle { gate: Arc::clone(&self.gate) }
    }

    /// Serves until it is drained and the last connection is gone. Dropping the future stops
    /// listening and drains the connections in the background.
    pub async fn serve<S: Service>(self, service: S) {
        listener::run(self.listener, self.udp, self.gate, Arc::new(service)).await;
    }
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Drains a server.
pub struct ServerHandle<R: Runtime> {
    gate: Arc<Gate<R>>,
}

impl<R: Runtime> ServerHandle<R> {
    /// Stops accepting and lets streams end (GOAWAY, `Connection: close`), at most for
    /// [`drain_timeout`](downstream::Config::drain_timeout); then ends [`Server::serve`]. It
    /// begins at once; the future says what had to be cut, and may be dropped.
    pub fn drain(&self) -> Draining<R> {
        Draining::begin(&self.gate, None)
    }

    /// As [`ServerHandle::drain`], at most for `limit`. Of several drains the shortest counts.
    pub fn drain_within(&self, limit: Duration) -> Draining<R> {
        Draining::begin(&self.gate, Some(limit))
    }

    /// How often something was refused, cut or timed out since the beginning.
    pub fn counts(&self) -> downstream::Counts {
        self.gate.look(|downstream| *downstream.counts())
    }

    /// How many connections are served now.
    pub fn active_connections(&self) -> usize {
        self.gate.look(downstream::Downstream::active)
    }

    /// How many bytes the bodies of all requests and responses hold now.
    pub fn buffered(&self) -> u64 {
        self.gate.budget.held()
    }

    /// How many TLS handshakes are under way now.
    pub fn handshakes(&self) -> u32 {
        self.gate.look(downstream::Downstream::handshakes)
    }

    /// How many connections were served since the beginning.
    pub fn accepted_connections(&self) -> u64 {
        self.gate.look(downstream::Downstream::accepted)
    }
}

impl<R: Runtime> Clone for ServerHandle<R> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate) }
    }
}

impl<R: Runtime> fmt::Debug for ServerHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}

/// The connection that a request came on: [`Body::connection`] of the request.
#[derive(Clone, Debug)]
pub struct ConnectionHandle(Arc<Connection>);

/// What all requests of a connection share.
#[derive(Debug)]
struct Connection {
    peer: Option<SocketAddr>,
    protocol: Protocol,
    secure: bool,
    mailbox: Arc<Mailbox<Letter>>,
}

impl ConnectionHandle {
    pub(crate) fn new(
        peer: Option<SocketAddr>,
        protocol: Protocol,
        secure: bool,
        mailbox: &Arc<Mailbox<Letter>>,
    ) -> Self {
        let mailbox = Arc::clone(mailbox);
        Self(Arc::new(Connection { peer, protocol, secure, mailbox }))
    }

    /// The peer's address, where it has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// What is spoken.
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// Whether it is under TLS.
    pub fn is_secure(&self) -> bool {
        self.0.secure
    }

    /// Lets this connection's streams end, then closes it (GOAWAY, `Connection: close`).
    pub fn drain(&self) {
        self.post(Letter::Shutdown);
    }

    /// Grants the peer so many concurrent streams from now on (HTTP/2's SETTINGS); HTTP/1
    /// always has one.
    pub fn set_max_concurrent_streams(&self, streams: u32) {
        self.post(Letter::Limit(streams));
    }

    fn post(&self, letter: Letter) {
        if let Ok(Some(waker)) = self.0.mailbox.push(letter) {
            waker.wake();
        }
    }
}
