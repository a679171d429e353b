//! Accepts connections and serves each in a task of its own.

use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, UPGRADE};
use http::{Method, Request};
use regatta_core::downstream::{Cut, Event, Trial};
use regatta_core::engine::{Engine, Pace, h1::H1, h2::H2};
use regatta_core::id::StreamId;
use regatta_core::types::{Cause, Limit, Outcome, Protocol};
use regatta_core::{Duration, Instant};

use super::connection::Connection;
use super::gate::{DrainOnDrop, Gate, Served, Stage};
use super::greet::greet;
use super::letter::Letter;
use super::party::{Begun, Ended, Party};
use super::timer::yield_once;
use crate::answer::{Answer, Asked, First};
use crate::body::{Body, Side};
use crate::exchange::Exchange;
use crate::hooks::{ServerConnectionEvent, ServerRequestFacts, ToldRequest};
#[cfg(feature = "http3")]
use crate::http_datagrams::HttpDatagrams;
use crate::mail::{Frame, Letters};
use crate::runtime::{Listener, Runtime, Timer};
use crate::server::{ConnectionHandle, Service};
use crate::spans;

/// How long to wait when the system has no socket to give (EMFILE and its like).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the gate stops it, then waits until it is drained.
pub(crate) async fn run<R: Runtime, S: Service>(
    listener: R::Listener,
    datagrams: Udp<R>,
    gate: Arc<Gate<R>>,
    service: Arc<S>,
) {
    // Whoever drops the server drops its connections with it: they end as at a drain.
    let _drain = DrainOnDrop(Arc::clone(&gate));
    let mut brake = begin_http3(datagrams, &gate, &service);
    let mut listener = Some(listener);
    let mut timer: Option<R::Timer> = None;
    loop {
        let (stage, next) = gate.turn();
        match stage {
            Stage::Drained => return,
            Stage::Stopped => {
                listener = None;
                let _ = brake.take();
            }
            Stage::Accepting | Stage::Paused => {}
        }
        if let Some(at) = next {
            match &mut timer {
                Some(timer) => timer.reset(at),
                none => *none = Some(gate.runtime.timer(at)),
            }
        }
        let accepted = poll_fn(|cx| {
            if gate.wake.poll_raised(cx).is_ready() {
                return Poll::Ready(None);
            }
            if next.is_some() && timer.as_mut().is_some_and(|t| t.poll_expired(cx).is_ready()) {
                return Poll::Ready(None);
            }
            match &mut listener {
                Some(listener) if stage == Stage::Accepting => listener.poll_accept(cx).map(Some),
                _ => Poll::Pending,
            }
        })
        .await;
        match accepted {
            None => {}
            Some(Ok((socket, peer))) => {
                let address = peer.map(|peer| peer.ip());
                if let Some(served) = gate.feed(Event::Accepted { peer: address }) {
                    let guest = Guest { served, peer };
                    guest.tell(&gate, ServerConnectionEvent::Accepted);
                    let (gate, service) = (Arc::clone(&gate), Arc::clone(&service));
                    let runtime = gate.runtime.clone();
                    runtime.spawn(serve(gate, service, socket, guest));
                }
                yield_once().await;
            }
            // That connection was gone before it was accepted: no reason to let others wait.
            Some(Err(error)) if is_its_own(&error) => yield_once().await,
            Some(Err(_)) => pause(&gate.runtime, ACCEPT_PAUSE).await,
        }
    }
}

/// Where HTTP/3 is served beside TCP, if it is.
#[cfg(feature = "http3")]
pub(crate) type Udp<R> = Option<(
    <R as Runtime>::Datagrams,
    regatta_core::engine::quic::Endpoint,
    regatta_core::engine::quic::ReceiveWindows,
)>;
#[cfg(not(feature = "http3"))]
pub(crate) type Udp<R> = core::marker::PhantomData<R>;

/// Serves HTTP/3 in a task of its own, which drains when what is returned is dropped.
#[cfg(feature = "http3")]
fn begin_http3<R: Runtime, S: Service>(
    datagrams: Udp<R>,
    gate: &Arc<Gate<R>>,
    service: &Arc<S>,
) -> Option<super::socket::Brake> {
    let (socket, endpoint, windows) = datagrams?;
    let (gate, service) = (Arc::clone(gate), Arc::clone(service));
    let runtime = gate.runtime.clone();
    let (brake, task) = super::socket::serve(socket, endpoint, windows, gate, service);
    runtime.spawn(task);
    Some(brake)
}

#[cfg(not(feature = "http3"))]
const fn begin_http3<R: Runtime, S: Service>(
    _: Udp<R>,
    _: &Arc<Gate<R>>,
    _: &Arc<S>,
) -> Option<core::convert::Infallible> {
    None
}

/// Whether an error of accepting is one of the accepted connection, not of the listener.
fn is_its_own(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused
    )
}

async fn pause<R: Runtime>(runtime: &R, length: Duration) {
    let mut timer = runtime.timer(runtime.now() + length);
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// An accepted connection.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) served: Served,
    pub(super) peer: Option<SocketAddr>,
}

impl Guest {
    pub(super) fn tell<R: Runtime>(&self, gate: &Gate<R>, event: ServerConnectionEvent) {
        gate.tell.connection(self.served.0, self.peer, event);
    }
}

/// Serves one connection: TLS, the choice of a protocol, then the common loop. What comes before
/// the loop is a future of its own, which is gone then: an idle connection keeps no room for it.
fn serve<R: Runtime, S: Service>(
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    socket: R::Stream,
    guest: Guest,
) -> impl Future<Output = ()> + Send {
    let begun = Box::pin(begin(gate, service, socket, guest));
    async move {
        let Some(mut connection) = begun.await else { return };
        poll_fn(|cx| connection.poll(cx)).await;
    }
}

/// The connection, once its handshakes are done.
async fn begin<R: Runtime, S: Service>(
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    socket: R::Stream,
    guest: Guest,
) -> Option<Connection<R, Downward<R, S>>> {
    let accepted = gate.runtime.now();
    let Some(greeted) = greet(&gate, socket, &guest.served).await else {
        guest.served.1.close();
        gate.feed(Event::Closed(guest.served.0));
        let after = gate.runtime.now().saturating_since(accepted);
        guest.tell(&gate, ServerConnectionEvent::Failed { after });
        return None;
    };
    let (wire, protocol) = (greeted.wire, greeted.protocol);
    let mut engine = match protocol {
        Protocol::Http2 => Engine::H2(Box::new(H2::server(&gate.engine, greeted.since))),
        _ => Engine::H1(Box::new(H1::server_sharing(Arc::clone(&gate.engine), greeted.since))),
    };
    if !greeted.early.is_empty() {
        engine.receive(gate.runtime.now(), &greeted.early);
    }
    let runtime = gate.runtime.clone();
    let mailbox = Arc::clone(&guest.served.1);
    let secure = wire.tls().is_some();
    let party = Downward::new(gate, service, guest, protocol, secure);
    Some(Connection::new(runtime, wire, engine, mailbox, party))
}

/// The server's end of a connection: requests go to the service.
pub(super) struct Downward<R: Runtime, S: Service> {
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    guest: Guest,
    protocol: Protocol,
    secure: bool,
    connection: ConnectionHandle,
    trial: Trial,
    /// What the connection itself holds of the memory of all bodies.
    held: usize,
    /// It is not read because all of that is in use.
    paused: bool,
    established: Instant,
    requests: u64,
    /// It was told that it drains.
    is_draining: bool,
    /// What is told of requests; empty where nobody listens.
    told: BTreeMap<StreamId, ToldRequest>,
}

impl<R: Runtime, S: Service> Downward<R, S> {
    /// The end of a connection whose handshakes are done, which is told.
    pub(super) fn new(
        gate: Arc<Gate<R>>,
        service: Arc<S>,
        guest: Guest,
        protocol: Protocol,
        secure: bool,
    ) -> Self {
        let established = gate.runtime.now();
        spans::served(guest.peer, protocol, secure);
        guest.tell(&gate, ServerConnectionEvent::Connected { protocol, secure });
        let connection = ConnectionHandle::new(guest.peer, protocol, secure, &guest.served.1);
        Self {
            gate,
            service,
            guest,
            protocol,
            secure,
            connection,
            trial: Trial::default(),
            held: 0,
            paused: false,
            established,
            requests: 0,
            is_draining: false,
            told: BTreeMap::new(),
        }
    }

    /// Says that a request has come.
    fn tell(&mut self, now: Instant, stream: StreamId, head: &Request<()>) -> ToldRequest {
        self.requests += 1;
        let facts = || ServerRequestFacts {
            connection: self.guest.served.0,
            number: self.requests,
            peer: self.guest.peer,
            protocol: self.protocol,
            method: head.method().clone(),
            path: head.uri().path().into(),
        };
        let told = self.gate.tell.begun(now, facts);
        if told.is_heard() {
            self.told.insert(stream, told.clone());
        }
        told
    }

    /// Whether a service is tried in the turn that began at `now`: most answer at once, and what
    /// goes on gets a task of its own. A connection of HTTP/1 has one request at a time and nothing
    /// else to do. What is tried on one of many streams must not hold up the others.
    fn may_try(&mut self, now: Instant) -> bool {
        if self.protocol == Protocol::Http1 {
            return true;
        }
        if self.trial.is_new(now) {
            self.trial.begin(now, self.gate.runtime.now());
        }
        self.trial.may()
    }

    /// Calls the service and polls what it gives once.
    fn attempt(
        &mut self,
        now: Instant,
        head: Box<Request<()>>,
        end: bool,
        asked: Asked,
        exchange: Option<Arc<Exchange>>,
    ) -> Begun {
        let (runtime, service) = (&self.gate.runtime, &self.service);
        let kept = exchange.clone();
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let body = body_of(&head, end, exchange.as_ref()).on(&self.connection);
            let call = asked.scope(|| service.call(head.map(|()| body)));
            let mut answer = Box::pin(Answer::new(call, asked, exchange));
            let mut cx = Context::from_waker(Waker::noop());
            match answer.as_mut().begin(&mut cx, || self.exchange(now)) {
                First::Whole(whole) => Begun::Whole(whole),
                First::Begun(exchange, rest) => {
                    if rest.is_pending() {
                        // Its own task tells it anew whom to wake.
                        runtime.spawn(answer);
                    }
                    Begun::Exchange(exchange)
                }
            }
        }));
        let begun = tried.unwrap_or_else(|fault| {
            // A service's fault is its own task's, whatever the runtime makes of that.
            runtime.spawn(async move { resume_unwind(fault) });
            let exchange = kept.unwrap_or_else(|| self.exchange(now));
            exchange.down.fail(None);
            Begun::Exchange(exchange)
        });
        if self.protocol != Protocol::Http1 {
            self.trial.tried(self.gate.runtime.now());
        }
        begun
    }

    /// What an answer goes through that is not whole at once.
    fn exchange(&self, now: Instant) -> Arc<Exchange> {
        let exchange = Arc::new(Exchange::charged(now, &self.gate.budget));
        exchange.down.await_head();
        exchange
    }

    /// The exchange of a request that has a body, or that can become a tunnel: after 101 (RFC 9110
    /// 7.8), which only HTTP/1 has, or as CONNECT.
    fn exchange_of(&self, now: Instant, head: &Request<()>, end: bool) -> Option<Arc<Exchange>> {
        let may_upgrade = || self.protocol == Protocol::Http1 && has(head, &UPGRADE);
        if end && *head.method() != Method::CONNECT && !may_upgrade() {
            return None;
        }
        let exchange = self.exchange(now);
        if !end && has(head, &EXPECT) {
            // 100 (Continue) is sent when the service asks for the body (RFC 9110 10.1.1).
            exchange.up.await_interest();
        }
        Some(exchange)
    }
}

/// Whether there is such a field. There are few: a walk takes less time than a hash.
fn has(head: &Request<()>, name: &HeaderName) -> bool {
    head.headers().keys().any(|field| field == name)
}

/// The request's body, which comes by `exchange` if there is one.
fn body_of(head: &Request<()>, end: bool, exchange: Option<&Arc<Exchange>>) -> Body {
    let Some(exchange) = exchange else { return Body::empty() };
    let exchange = Arc::clone(exchange);
    if end && *head.method() != Method::CONNECT {
        // No end goes into the pipe: after 101 it carries the tunnel's bytes.
        return Body::ended(exchange, Side::Server);
    }
    if end {
        exchange.up.write(Frame::End);
    }
    let length = head.headers().get(CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|value| value.to_str().ok()?.parse().ok());
    Body::new(exchange, Side::Server, None, None, length.into())
}

impl<R: Runtime, S: Service> Party for Downward<R, S> {
    const SIDE: Side = Side::Server;

    fn on_request(
        &mut self,
        now: Instant,
        stream: StreamId,
        #[cfg_attr(not(feature = "http3"), expect(unused_mut, reason = "HTTP/3 adds to it"))]
        mut head: Box<Request<()>>,
        end: bool,
    ) -> Option<Begun> {
        let told = self.tell(now, stream, &head);
        let exchange = self.exchange_of(now, &head, end);
        #[cfg(feature = "http3")]
        if let Some(datagrams) = head.extensions_mut().remove::<HttpDatagrams>()
            && let Some(exchange) = &exchange
        {
            exchange.set_packets(datagrams.packets());
        }
        let alt_svc = self.gate.advertised.on(self.protocol, self.secure).cloned();
        let asked = Asked::of(&head, Some(&self.connection), alt_svc, told);
        if self.may_try(now) {
            return Some(self.attempt(now, head, end, asked, exchange));
        }
        let body = body_of(&head, end, exchange.as_ref()).on(&self.connection);
        let exchange = exchange.unwrap_or_else(|| self.exchange(now));
        // Boxed, or the task would hold it twice.
        let (service, request) = (Arc::clone(&self.service), Box::new(head.map(|()| body)));
        let answered = Arc::clone(&exchange);
        self.gate.runtime.spawn(async move {
            let call = asked.scope(|| service.call(*request));
            Answer::new(call, asked, Some(answered)).await;
        });
        Some(Begun::Exchange(exchange))
    }

    fn on_limit(&mut self, _: Limit) {}

    fn on_go_away(&mut self) {}

    fn on_pong(&mut self) {}

    fn on_budget_spent(&mut self) {}

    fn on_shutdown(&mut self) {
        if !core::mem::replace(&mut self.is_draining, true) {
            self.guest.tell(&self.gate, ServerConnectionEvent::Draining);
        }
    }

    fn on_cut(&mut self, cut: Cut) {
        self.gate.cut(cut);
    }

    fn pace(&self) -> Option<Pace> {
        self.gate.engine.pace
    }

    fn hold(&mut self, bytes: usize) {
        if bytes != self.held {
            self.gate.budget.change(self.held, bytes);
            self.held = bytes;
        }
    }

    #[cfg(feature = "http3")]
    fn withhold(&mut self, unread: usize, withheld: usize) -> u64 {
        self.hold(unread.saturating_add(withheld));
        self.gate.budget.room()
    }

    fn may_read(&mut self, unread: usize, cx: &Context<'_>) -> bool {
        let may = self.gate.budget.may_hold_more(unread, cx);
        if !may && !self.paused {
            self.gate.cut(Cut::MemoryPaused);
        }
        self.paused = !may;
        may
    }

    fn on_ended(&mut self, ended: Ended) {
        if ended.outcome == Outcome::Failed(Cause::ShutDown) {
            self.gate.cut(Cut::DrainRequest);
        }
        let exchange = ended.exchange.as_deref();
        if let Some(exchange) = exchange {
            // Harmless where all of the request came; else its reader would wait for ever, also
            // behind a response that is complete.
            exchange.up.fail(None);
        }
        if let Some(told) = ended.stream.and_then(|stream| self.told.remove(&stream)) {
            let bytes = exchange.map(|exchange| (exchange.received(), exchange.down.sent()));
            let (received, sent) = bytes.unwrap_or((0, ended.said as u64));
            told.ended(ended.timing.ended, ended.outcome, received, sent);
        }
        if let Some(exchange) = exchange {
            exchange.down.close();
        }
    }

    fn on_closed(&mut self, cause: Cause, _: Letters<Letter>) {
        self.hold(0);
        self.gate.feed(Event::Closed(self.guest.served.0));
        spans::closed(self.guest.peer, cause);
        let lived = self.gate.runtime.now().saturating_since(self.established);
        let requests = self.requests;
        self.guest.tell(&self.gate, ServerConnectionEvent::Closed { cause, requests, lived });
    }
}
