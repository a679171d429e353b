//! One handshake: TCP, a proxy's tunnel, then TLS where the origin asks for it; the winner goes on
//! as its connection, in the same task and with the same mailbox.

use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::num::NonZeroU32;
use core::pin::pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response};
use regatta_core::altsvc::{self, Heard as Learning, Said};
use regatta_core::engine::tls::Tls;
use regatta_core::engine::{Config as EngineConfig, Engine, h1::H1, h2::H2};
use regatta_core::id::{AttemptId, ConnectionId, ProfileId};
use regatta_core::limits::Windows;
use regatta_core::types::{
    Cause, Limit, Origin, Outcome, Protocol, RetrySafe, Scheme, Timing, TlsFault, Transport,
};
use regatta_core::upstream::{Event, Protocols};

use super::connection::Connection;
use super::letter::Letter;
use super::party::{Ended, Party};
use super::tunnel;
use super::wire::{Early, Flushed, Heard, Wire};
use crate::body::Side;
use crate::hooks::Facts;
use crate::hub::Hub;
use crate::mail::{Letters, Mailbox};
use crate::runtime::{Address, Runtime};
use crate::timeline::TlsTrace;

/// RFC 7838 5; the http crate has no constant for it.
const ALT_USED: HeaderName = HeaderName::from_static("alt-used");

/// What an attempt must know.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) attempt: AttemptId,
    pub(crate) connection: ConnectionId,
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    pub(crate) profile: ProfileId,
    pub(crate) mailbox: Arc<Mailbox<Letter>>,
}

/// Why an attempt ended without a connection.
pub(super) struct Failed {
    pub(super) cause: Cause,
    pub(super) detail: Option<Arc<str>>,
}

impl Failed {
    /// Says also where it was.
    pub(super) fn at(mut self, place: &str) -> Self {
        self.detail = Some(match self.detail {
            Some(detail) => format!("{place}: {detail}").into(),
            None => place.into(),
        });
        self
    }
}

impl From<Cause> for Failed {
    fn from(cause: Cause) -> Self {
        Self { cause, detail: None }
    }
}

/// Runs one attempt, and the connection that it becomes. What the attempt needs is a future of its
/// own, which is gone then: an idle connection keeps no room for it.
pub(crate) fn run<R: Runtime>(hub: Arc<Hub<R>>, job: Job) -> impl Future<Output = ()> + Send {
    let begun = Box::pin(begin(hub, job));
    async move {
        let Some(mut connection) = begun.await else { return };
        poll_fn(|cx| connection.poll(cx)).await;
    }
}

/// The connection that the attempt becomes, if it does.
async fn begin<R: Runtime>(hub: Arc<Hub<R>>, job: Job) -> Option<Connection<R, Upward<R>>> {
    if job.transport == Transport::Quic {
        over_quic(hub, job).await;
        return None;
    }
    let mut letters = Letters::new();
    // The job's future is dropped at the first letter: only an abort comes to an attempt.
    let established = {
        let mut work = pin!(establish(&hub, &job));
        poll_fn(|cx| {
            if job.mailbox.poll(cx, &mut letters).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    };
    let (wire, early) = match established? {
        Ok(established) => established,
        Err(Failed { cause, detail }) => {
            job.mailbox.close();
            hub.attempt_failed(job.attempt, cause, detail);
            return None;
        }
    };
    let now = hub.runtime.now();
    let Some(protocol) = protocol(&hub, &job, &wire) else {
        job.mailbox.close();
        let cause = Cause::Tls(TlsFault::NothingInCommon);
        hub.attempt_failed(job.attempt, cause, Some("the peer does not speak HTTP/2".into()));
        return None;
    };
    let mut engine = match protocol {
        Protocol::Http2 => Engine::H2(Box::new(H2::client(&http2_config(&hub, &job), now))),
        _ => Engine::H1(Box::new(H1::client_sharing(Arc::clone(&hub.settings.engine), now))),
    };
    if !early.is_empty() {
        engine.receive(now, &early);
    }
    let tls = wire.tls().map(tls_trace);
    let connected = Event::Connected { attempt: job.attempt, protocol, limit: engine.limit() };
    if !hub.connected(connected, job.connection, &job.mailbox, tls) {
        return None;
    }
    let runtime = hub.runtime.clone();
    let party = Upward::new(hub, &job, protocol);
    Some(Connection::new(runtime, wire, engine, job.mailbox, party))
}

#[cfg(feature = "http3")]
async fn over_quic<R: Runtime>(hub: Arc<Hub<R>>, job: Job) {
    // Boxed, or the attempts of TCP would have room for it.
    Box::pin(super::socket::run(hub, job)).await;
}

#[cfg(not(feature = "http3"))]
async fn over_quic<R: Runtime>(hub: Arc<Hub<R>>, job: Job) {
    use regatta_core::types::ProtocolFault;

    job.mailbox.close();
    let why = "this build does not speak HTTP/3 (the feature `http3`)";
    hub.attempt_failed(job.attempt, Cause::Protocol(ProtocolFault::Version), Some(why.into()));
}

/// An origin that granted few streams is not sent a hundred before its SETTINGS come: it would
/// refuse them, and those that go again by themselves would be refused elsewhere. Its
/// windows are in proportion to what all bodies may hold.
fn http2_config<R: Runtime>(hub: &Hub<R>, job: &Job) -> EngineConfig {
    let mut config = EngineConfig::clone(&hub.settings.engine);
    let assumed = hub.look(|upstream| upstream.assumed_streams(job.connection));
    if let Some(assumed) = assumed.and_then(NonZeroU32::new) {
        config.initial_streams = assumed;
    }
    let windows = hub
        .settings
        .bodies
        .windows(Windows { stream: config.stream_window, stream_most: config.stream_window_max });
    config.stream_window = windows.stream;
    config.stream_window_max = windows.stream_most;
    config
}

/// What ALPN chose, or what the profile says where there was none; `None` when the profile wants
/// HTTP/2 and the peer did not choose it.
fn protocol<R: Runtime>(hub: &Hub<R>, job: &Job, wire: &Wire<R::Stream>) -> Option<Protocol> {
    let wanted = hub.settings.protocols(job.profile);
    match (wire.tls(), wanted) {
        (Some(tls), Protocols::Http2PriorKnowledge) => {
            tls.alpn().filter(|chosen| *chosen == Protocol::Http2)
        }
        (Some(tls), _) => Some(tls.alpn().unwrap_or(Protocol::Http1)),
        (None, Protocols::Http2PriorKnowledge) => Some(Protocol::Http2),
        (None, _) => Some(Protocol::Http1),
    }
}

/// TCP, tunnel and TLS; what came behind the handshake is returned beside them.
async fn establish<R: Runtime>(
    hub: &Arc<Hub<R>>,
    job: &Job,
) -> Result<(Wire<R::Stream>, BytesMut), Failed> {
    let connect = hub.runtime.connect(Address::Ip(job.address));
    let socket = connect.await.map_err(|error| Failed::from(Cause::from(&error)))?;
    hub.feed(Event::AttemptProgress(job.attempt));
    let mut wire = Wire::new(socket, None);
    let begun = match hub.settings.roads.via(job.profile) {
        Some(proxy) => tunnel::open(hub, job, &mut wire, proxy).await?,
        None => Bytes::new(),
    };
    if job.origin.scheme == Scheme::Http {
        return Ok((wire, BytesMut::from(&begun[..])));
    }
    let early = secure(hub, job, &mut wire, job.profile, &job.origin, &begun).await?;
    Ok((wire, early))
}

/// Speaks TLS with `peer`, of whose bytes `begun` came already; what came behind the handshake.
pub(super) async fn secure<R: Runtime>(
    hub: &Arc<Hub<R>>,
    job: &Job,
    wire: &mut Wire<R::Stream>,
    profile: ProfileId,
    peer: &Origin,
    begun: &[u8],
) -> Result<BytesMut, Failed> {
    let now = hub.runtime.now();
    let config = hub
        .settings
        .tls_client(profile, peer)
        .map_err(|detail| Failed { cause: Cause::Tls(TlsFault::Other), detail: Some(detail) })?;
    let tls = Tls::client(&config, &peer.host, now)
        .map_err(|error| Failed { cause: error.cause, detail: Some(error.to_string().into()) })?;
    let mut early = Early::default();
    let mut told = false;
    if let Heard::End { cause, error, .. } = wire.secure(now, tls, begun, &mut early) {
        let detail = error.map(|error| error.to_string().into());
        return Err(Failed { cause, detail });
    }
    poll_fn(|cx| poll_handshake(hub, job, wire, &mut early, &mut told, cx)).await?;
    Ok(early.bytes)
}

fn poll_handshake<R: Runtime>(
    hub: &Arc<Hub<R>>,
    job: &Job,
    wire: &mut Wire<R::Stream>,
    early: &mut Early,
    told: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failed>> {
    loop {
        let now = hub.runtime.now();
        let flushed = wire.poll_flush(cx, now);
        if wire.tls().is_some_and(|tls| !tls.is_handshaking()) {
            match flushed {
                _ if wire.is_flushed() => return Poll::Ready(Ok(())),
                // What comes behind the handshake is read when there is an engine to bound it.
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => continue,
            }
        }
        match wire.poll_read(cx, now, early) {
            Poll::Pending if flushed == Poll::Ready(Flushed::Some) => {}
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Heard::Bytes) if !*told => {
                *told = true;
                hub.feed(Event::AttemptProgress(job.attempt));
            }
            Poll::Ready(Heard::Bytes) => {}
            Poll::Ready(Heard::End { cause, error, .. }) => {
                // The alert says why: give it one chance to leave.
                let _ = wire.poll_flush(cx, hub.runtime.now());
                let detail = error.map(|error| error.to_string().into());
                return Poll::Ready(Err(Failed { cause, detail }));
            }
        }
    }
}

fn tls_trace(tls: &Tls) -> TlsTrace {
    TlsTrace {
        version: tls.version().map(|version| version.to_string()).unwrap_or_default(),
        cipher: tls.cipher_suite().unwrap_or_default().to_owned(),
        alpn: tls.alpn(),
        resumed: tls.is_resumed(),
        certificate: tls.peer_certificate().map(Arc::new),
    }
}

/// The client's end of a connection: everything goes to the hub.
pub(super) struct Upward<R: Runtime> {
    hub: Arc<Hub<R>>,
    connection: ConnectionId,
    protocol: Protocol,
    /// What it is in a race between QUIC and TCP.
    leg: Option<Box<Leg>>,
    /// New streams are granted little.
    narrow: bool,
    /// What the transport holds of the memory of all bodies.
    #[cfg(feature = "http3")]
    withheld: usize,
}

/// A connection whose origin may have alternatives.
struct Leg {
    /// Whose they are.
    origin: Origin,
    /// What requests say where it goes to one (RFC 7838 5).
    alt_used: Option<HeaderValue>,
}

impl<R: Runtime> Upward<R> {
    pub(super) fn new(hub: Arc<Hub<R>>, job: &Job, protocol: Protocol) -> Self {
        let (connection, origin) = (job.connection, &job.origin);
        let alt_used = hub.look(|upstream| {
            let races = upstream.races(job.profile, origin.scheme);
            races.then(|| upstream.alt_used(connection))
        });
        let leg = alt_used.map(|alt_used| {
            let alt_used = alt_used.and_then(|value| HeaderValue::try_from(value).ok());
            Box::new(Leg { origin: origin.clone(), alt_used })
        });
        Self {
            hub,
            connection,
            protocol,
            leg,
            narrow: false,
            #[cfg(feature = "http3")]
            withheld: 0,
        }
    }

    fn learn(&self, origin: &Origin, (said, Learning { source, age }): (Said, Learning)) {
        self.hub.feed(Event::Learnt { origin: origin.clone(), said, source, age });
    }
}

impl<R: Runtime> Party for Upward<R> {
    const SIDE: Side = Side::Client;

    fn narrow(&mut self, engine: &mut Engine) {
        self.narrow = self.hub.settings.bodies.is_narrow(self.narrow);
        engine.narrow(self.narrow);
    }

    #[cfg(feature = "http3")]
    fn withhold(&mut self, _: usize, withheld: usize) -> u64 {
        // What the engine holds is in pipes, which count themselves.
        let bodies = &self.hub.settings.bodies;
        bodies.change(core::mem::replace(&mut self.withheld, withheld), withheld);
        bodies.room() as u64
    }

    fn on_limit(&mut self, limit: Limit) {
        self.hub.feed(Event::Limit { connection: self.connection, limit });
    }

    fn on_opening(&mut self, head: &mut Request<()>) {
        let Some(leg) = &self.leg else { return };
        // A request that went to an alternative before may go elsewhere now.
        match &leg.alt_used {
            Some(value) => head.headers_mut().insert(ALT_USED, value.clone()),
            None => head.headers_mut().remove(ALT_USED),
        };
    }

    fn on_answered(&mut self, facts: &Facts, asked: Option<&Request<()>>, answer: &Response<()>) {
        // Before the answer is told, so that who asks again then finds what it has taught.
        if let (Some(leg), Some(asked)) = (&self.leg, asked)
            && let Some(heard) = altsvc::heard(&leg.origin, asked.uri(), answer)
        {
            self.learn(&leg.origin, heard);
        }
        if self.leg.is_some() && answer.status() == http::StatusCode::MISDIRECTED_REQUEST {
            self.hub.feed(Event::Misdirected(self.connection));
        }
        self.hub.tell.answered(facts, answer.status());
    }

    fn on_go_away(&mut self) {
        self.hub.feed(Event::Refusing(self.connection));
    }

    #[cfg(feature = "http3")]
    fn on_confirmed(&mut self, limit: Limit, tls: Option<TlsTrace>, accepted: bool) {
        self.hub.confirmed(self.connection, limit, tls, accepted);
    }

    #[cfg(feature = "http3")]
    fn on_detail(&mut self, detail: Arc<str>) {
        self.hub.early_failed(self.connection, detail);
    }

    fn on_alternatives(&mut self, stream: u32, payload: &[u8]) {
        if let Some(leg) = &self.leg
            && let Some(heard) = altsvc::heard_frame(&leg.origin, stream, payload)
        {
            self.learn(&leg.origin, heard);
        }
    }

    fn on_pong(&mut self) {
        self.hub.feed(Event::Probed(self.connection));
    }

    #[cfg(feature = "http3")]
    fn on_mute(&mut self) {
        self.hub.feed(Event::Mute(self.connection));
    }

    fn on_budget_spent(&mut self) {
        self.hub.feed(Event::BudgetSpent(self.connection));
    }

    fn on_ended(&mut self, ended: Ended) {
        let Ended { parcel, outcome, retry, timing, .. } = ended;
        let opened = timing.opened.is_some();
        if self.protocol == Protocol::Http1 && outcome != Outcome::Complete && opened {
            // The connection ends with such a stream. The pool hears that first, or the next
            // waiting request would be sent there in vain.
            self.on_go_away();
        }
        if let Some(parcel) = parcel {
            self.hub.stream_ended(self.connection, parcel, outcome, retry, timing);
        }
    }

    fn on_closed(&mut self, cause: Cause, left: Letters<Letter>) {
        #[cfg(feature = "http3")]
        self.withhold(0, 0);
        let ended = self.hub.runtime.now();
        for letter in left {
            if let Letter::Assign(parcel) = letter {
                let timing = Timing { ended, ..Timing::default() };
                let outcome = Outcome::Failed(cause);
                let unsent = RetrySafe::Unsent;
                self.hub.stream_ended(self.connection, parcel, outcome, unsent, timing);
            }
        }
        self.hub.feed(Event::Closed { connection: self.connection, cause });
    }
}
