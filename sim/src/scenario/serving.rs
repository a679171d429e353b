//! Servers: those that answer, and those that misbehave.

use core::future::poll_fn;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::ALT_SVC;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use regatta_core::downstream::Advertise;
use regatta_core::engine::qlog::Sink;
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::rng::Rng;
use regatta_runtime::{
    Address, Body, ConnectionHandle, Error, Listener as _, Runtime as _, ServerHandle, Stream as _,
};

use super::format::service::{Alpn, Behaviour, Change, Server, Tls};
use super::units::{Range, Time};
use super::zeros::Zeros;
use crate::host::{Host, Socket};
use crate::peer::{self, Conduct, Scene};
use crate::tls;

/// An `alt_svc` that is not sent.
pub(super) const NOTHING: &str = "none";

/// Starts a server at one address and lets it change as the scenario says.
pub(super) async fn start(
    host: &Host,
    at: SocketAddr,
    server: &Server,
    rng: Rng,
    qlog: Option<&Arc<dyn Sink>>,
) -> Result<(), Error> {
    if let Some(script) = server.behaviour.script() {
        let scene = Arc::new(Scene::new(Vec::new()));
        let tls = server.tls != Tls::None;
        host.spawn(peer::endpoint(host.clone(), at, tls, Conduct::Raw(script), scene));
    } else if server.behaviour == Behaviour::ResetsAtReuse {
        reset_at_reuse(host, at).await;
    } else {
        let state = Arc::new(State::new(host.clone(), server, rng, qlog.cloned()));
        let handle = listen(&state, at).await?;
        host.spawn(change(state, at, handle));
    }
    Ok(())
}

/// What the requests of a server share.
struct State {
    host: Host,
    server: Server,
    qlog: Option<Arc<dyn Sink>>,
    inner: Mutex<Inner>,
}

struct Inner {
    rng: Rng,
    answer_after: Range<Time>,
    stream_limit: Option<u32>,
    /// Connections by the peer's address, with how many requests they carried.
    seen: BTreeMap<Option<SocketAddr>, (ConnectionHandle, u32)>,
}

impl State {
    fn new(host: Host, server: &Server, rng: Rng, qlog: Option<Arc<dyn Sink>>) -> Self {
        let inner = Inner {
            rng,
            answer_after: server.answer_after,
            stream_limit: None,
            seen: BTreeMap::new(),
        };
        Self { host, server: server.clone(), qlog, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, request: Request<Body>) -> Response<Zeros> {
        if let Some(connection) = request.body().connection() {
            self.seen(connection);
        }
        let size = request.uri().path().trim_start_matches('/').parse().unwrap_or(0);
        let mut body = request.into_body();
        // A request that breaks off has nobody left to be answered.
        while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
        let after = {
            let inner = &mut *self.inner();
            inner.answer_after.draw(&mut inner.rng)
        };
        self.host.sleep(after).await;
        let mut response = Response::new(Zeros(size));
        *response.status_mut() = StatusCode::from_u16(self.server.status).unwrap_or_default();
        let said = self.server.alt_svc.as_deref().filter(|said| *said != NOTHING);
        if let Some(said) = said.and_then(|said| HeaderValue::from_str(said).ok()) {
            response.headers_mut().insert(ALT_SVC, said);
        }
        response
    }

    fn seen(&self, connection: &ConnectionHandle) {
        let mut inner = self.inner();
        let limit = inner.stream_limit;
        let known = inner.seen.entry(connection.peer());
        let (_, count) = known.or_insert_with(|| {
            if let Some(limit) = limit {
                connection.set_max_concurrent_streams(limit);
            }
            (connection.clone(), 0)
        });
        *count += 1;
        let last = Some(*count) == self.server.requests_per_connection;
        if last {
            inner.seen.remove(&connection.peer());
        }
        drop(inner);
        if last {
            connection.drain();
        }
    }
}

async fn listen(state: &Arc<State>, at: SocketAddr) -> Result<ServerHandle<Host>, Error> {
    let server = &state.server;
    let mut builder = regatta_runtime::Server::builder(state.host.clone())
        .engine(|config| server.engine.apply(config))
        .downstream(|config| {
            config.max_connections = server.max_connections.unwrap_or(config.max_connections);
            if let Some(timeout) = server.drain_timeout {
                config.drain_timeout = timeout.0;
            }
        });
    if let Some(options) = tls_options(server) {
        builder = builder.tls(options);
    }
    if server.has_http3() {
        let mut options = quic::ServerOptions::default();
        if let Some(time) = server.quic_idle_timeout {
            options.connection.idle_timeout = time.0;
        }
        options.early_data = server.early_data;
        builder = builder.http3(options);
    }
    if let Some(sink) = &state.qlog {
        builder = builder.qlog(Arc::clone(sink));
    }
    if server.alt_svc.is_some() {
        // The answers say it themselves, as it is written.
        builder = builder.alt_svc(Advertise::Off);
    }
    let listening = builder.bind(at).await?;
    let handle = listening.handle();
    let service = Arc::clone(state);
    state.host.spawn(listening.serve(move |request| Arc::clone(&service).answer(request)));
    Ok(handle)
}

fn tls_options(server: &Server) -> Option<ServerOptions> {
    let mut options = match server.tls {
        Tls::Good => tls::good(),
        Tls::Expired => tls::expired(),
        Tls::Stranger => tls::stranger(),
        Tls::None => return None,
    };
    let over_tcp = server.protocols.iter().filter(|alpn| **alpn != Alpn::Http3);
    options.alpn = over_tcp.map(|alpn| (*alpn).into()).collect();
    options.versions = server.tls_versions.into();
    options.tickets = server.tickets.unwrap_or(options.tickets);
    Some(options)
}

async fn change(state: Arc<State>, at: SocketAddr, mut handle: ServerHandle<Host>) {
    let mut changes = state.server.changes.clone();
    changes.sort_by_key(|change| change.at);
    for change in changes {
        let when = regatta_core::Instant::EPOCH + change.at.0;
        state.host.sleep(when.saturating_since(state.host.now())).await;
        let Change { drain, restart, stream_limit, answer_after, .. } = change;
        if drain {
            handle.drain();
        }
        if restart && let Ok(again) = listen(&state, at).await {
            handle = again;
        }
        let mut inner = state.inner();
        inner.answer_after = answer_after.unwrap_or(inner.answer_after);
        if stream_limit.is_some() {
            inner.stream_limit = stream_limit;
            let connections: Vec<ConnectionHandle> =
                inner.seen.values().map(|(connection, _)| connection.clone()).collect();
            drop(inner);
            for connection in connections {
                connection.set_max_concurrent_streams(stream_limit.unwrap_or(0));
            }
        }
    }
}

/// Accepts connections that are reset when they are used again.
async fn reset_at_reuse(host: &Host, at: SocketAddr) {
    let Ok(mut listening) = host.listen(Address::Ip(at)).await else { return };
    let spawner = host.clone();
    host.spawn(async move {
        while let Ok((socket, _)) = poll_fn(|cx| listening.poll_accept(cx)).await {
            spawner.spawn(resets_at_reuse(socket));
        }
    });
}

/// Answers the first head and drops the connection with the second unread: the peer hears a
/// reset.
async fn resets_at_reuse(mut socket: Socket) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match poll_fn(|cx| socket.poll_read(cx, &mut byte)).await {
            Ok(1..) => head.extend_from_slice(&byte),
            _ => return,
        }
    }
    let mut answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    while !answer.is_empty() {
        let slices = [IoSlice::new(answer)];
        match poll_fn(|cx| socket.poll_write(cx, &slices)).await {
            Ok(written) => answer = answer.get(written..).unwrap_or_default(),
            Err(_) => return,
        }
    }
    let mut byte = [0];
    // What is left of the second head is unread.
    let _ = poll_fn(|cx| socket.poll_read(cx, &mut byte)).await;
}
