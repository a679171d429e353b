//! Accepts connections and serves each in a task of its own.

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, EXPECT};
use regatta_core::downstream::{Action, Config, Downstream, Event};
use regatta_core::engine::tls::{ServerConfig, Tls};
use regatta_core::engine::{Config as EngineConfig, Engine, h1::H1, h2::H2};
use regatta_core::id::ConnectionId;
use regatta_core::machine::{Machine as _, Outbox};
use regatta_core::types::{Cause, Limit, Protocol};
use regatta_core::{Duration, Instant};

use super::connection::Connection;
use super::letter::Letter;
use super::party::{Ended, Party};
use super::timer::yield_once;
use super::wire::{Flushed, Heard, Sink, Wire};
use crate::body::{Body, Side};
use crate::exchange::Exchange;
use crate::mail::{Mailbox, Wake};
use crate::runtime::{Listener, Runtime, Timer};
use crate::server::{ConnectionHandle, Service, answer};

/// What every HTTP/2 client says first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Its first line, which nobody else says.
const FIRST_LINE: usize = 16;

/// How long to wait when the system has no socket to give (EMFILE and its like).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The shared half of a server: its `Downstream` and what every connection needs.
pub(crate) struct Gate<R: Runtime> {
    runtime: R,
    tls: Option<ServerConfig>,
    engine: EngineConfig,
    state: Mutex<State>,
    /// Raised when the listener's own task has something to do.
    wake: Wake,
}

struct State {
    machine: Downstream,
    out: Outbox<Action>,
    mailboxes: Vec<Option<(ConnectionId, Arc<Mailbox<Letter>>)>>,
    accepting: bool,
    drained: bool,
}

impl<R: Runtime> Gate<R> {
    pub(crate) fn start(
        runtime: R,
        tls: Option<ServerConfig>,
        engine: EngineConfig,
        config: Config,
    ) -> Arc<Self> {
        let state = State {
            machine: Downstream::new(config),
            out: Outbox::new(),
            mailboxes: Vec::new(),
            accepting: true,
            drained: false,
        };
        Arc::new(Self { runtime, tls, engine, state: Mutex::new(state), wake: Wake::new() })
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Downstream) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner).machine)
    }

    /// Tells the machine what happened; the id under which an accepted connection is served.
    pub(crate) fn feed(&self, event: Event) -> Option<(ConnectionId, Arc<Mailbox<Letter>>)> {
        let now = self.runtime.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { machine, out, .. } = &mut *state;
        machine.handle_event(now, event, out);
        self.carry_out(state)
    }

    /// Does what is due and says when to come again.
    fn turn(&self) -> Option<Instant> {
        let now = self.runtime.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { machine, out, .. } = &mut *state;
        machine.handle_timeout(now, out);
        let next = machine.poll_timeout();
        self.carry_out(state);
        next
    }

    fn carry_out(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
    ) -> Option<(ConnectionId, Arc<Mailbox<Letter>>)> {
        let mut served = None;
        let mut wakers = Vec::new();
        let mut raise = false;
        while let Some(action) = state.out.pop() {
            let (connection, letter) = match action {
                Action::Serve(connection) => {
                    let mailbox = Arc::new(Mailbox::new());
                    let slot = connection.slot();
                    if state.mailboxes.len() <= slot {
                        state.mailboxes.resize_with(slot + 1, || None);
                    }
                    if let Some(place) = state.mailboxes.get_mut(slot) {
                        *place = Some((connection, Arc::clone(&mailbox)));
                    }
                    served = Some((connection, mailbox));
                    continue;
                }
                Action::TurnAway => continue,
                Action::StopAccepting => {
                    state.accepting = false;
                    raise = true;
                    continue;
                }
                Action::Drained => {
                    state.drained = true;
                    raise = true;
                    continue;
                }
                Action::Shutdown(connection) => (connection, Letter::Shutdown),
                Action::Abort(connection) => (connection, Letter::Abort),
            };
            if let Some(Some((known, mailbox))) = state.mailboxes.get(connection.slot())
                && *known == connection
                && let Ok(waker) = mailbox.push(letter)
            {
                wakers.extend(waker);
            }
        }
        drop(state);
        wakers.into_iter().for_each(core::task::Waker::wake);
        if raise {
            self.wake.raise();
        }
        served
    }

    fn stage(&self) -> (bool, bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.accepting, state.drained)
    }
}

impl<R: Runtime> fmt::Debug for Gate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

struct DrainOnDrop<R: Runtime>(Arc<Gate<R>>);

impl<R: Runtime> Drop for DrainOnDrop<R> {
    fn drop(&mut self) {
        self.0.feed(Event::Drain);
    }
}

/// Accepts until the gate stops it, then waits until it is drained.
pub(crate) async fn run<R: Runtime, S: Service>(
    listener: R::Listener,
    gate: Arc<Gate<R>>,
    service: Arc<S>,
) {
    // Whoever drops the server drops its connections with it: they end as at a drain.
    let _drain = DrainOnDrop(Arc::clone(&gate));
    let mut listener = Some(listener);
    let mut timer: Option<R::Timer> = None;
    loop {
        let next = gate.turn();
        let (accepting, drained) = gate.stage();
        if drained {
            return;
        }
        if !accepting {
            listener = None;
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
                Some(listener) => listener.poll_accept(cx).map(Some),
                None => Poll::Pending,
            }
        })
        .await;
        match accepted {
            None => {}
            Some(Ok((socket, peer))) => {
                if let Some((connection, mailbox)) = gate.feed(Event::Accepted) {
                    let guest = Guest { connection, mailbox, peer };
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
struct Guest {
    connection: ConnectionId,
    mailbox: Arc<Mailbox<Letter>>,
    peer: Option<SocketAddr>,
}

/// Serves one connection: TLS, the choice of a protocol, then the common loop.
async fn serve<R: Runtime, S: Service>(
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    socket: R::Stream,
    guest: Guest,
) {
    let Some((wire, early, protocol)) = greet(&gate, socket, &guest).await else {
        guest.mailbox.close();
        gate.feed(Event::Closed(guest.connection));
        return;
    };
    let now = gate.runtime.now();
    let mut engine = match protocol {
        Protocol::Http2 => Engine::H2(Box::new(H2::server(&gate.engine, now))),
        _ => Engine::H1(Box::new(H1::server(&gate.engine, now))),
    };
    if !early.is_empty() {
        engine.receive(now, &early);
    }
    let runtime = gate.runtime.clone();
    let mailbox = Arc::clone(&guest.mailbox);
    let party = Downward { gate, service, guest, protocol };
    Connection::new(runtime, wire, engine, mailbox, party).run().await;
}

/// TLS handshake and protocol, within the head timeout; `None` when it came to nothing.
async fn greet<R: Runtime>(
    gate: &Arc<Gate<R>>,
    socket: R::Stream,
    guest: &Guest,
) -> Option<(Wire<R::Stream>, BytesMut, Protocol)> {
    let now = gate.runtime.now();
    let tls = match &gate.tls {
        Some(config) => Some(Tls::server(config, now).ok()?),
        None => None,
    };
    let mut wire = Wire::new(socket, tls);
    let mut early = Early::default();
    let mut timer = gate.runtime.timer(now + gate.engine.head_timeout);
    let mut letters = VecDeque::new();
    let protocol = poll_fn(|cx| {
        if timer.poll_expired(cx).is_ready() {
            return Poll::Ready(None);
        }
        // Draining or aborted before it has said anything: there is nothing to finish.
        if guest.mailbox.poll(cx, &mut letters).is_ready() {
            return Poll::Ready(None);
        }
        poll_greeting(gate, &mut wire, &mut early, cx)
    })
    .await?;
    Some((wire, early.bytes, protocol))
}

fn poll_greeting<R: Runtime>(
    gate: &Gate<R>,
    wire: &mut Wire<R::Stream>,
    early: &mut Early,
    cx: &mut Context<'_>,
) -> Poll<Option<Protocol>> {
    loop {
        let now = gate.runtime.now();
        let flushed = wire.poll_flush(cx, now);
        match wire.tls() {
            Some(tls) if !tls.is_handshaking() => {
                return Poll::Ready(Some(tls.alpn().unwrap_or_else(|| early.sniff_or_http1())));
            }
            Some(_) => {}
            None => {
                if let Some(protocol) = early.sniff() {
                    return Poll::Ready(Some(protocol));
                }
            }
        }
        match wire.poll_read(cx, now, early) {
            Poll::Pending if flushed == Poll::Ready(Flushed::Some) => {}
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Heard::Bytes) => {}
            Poll::Ready(Heard::End { .. }) => {
                // An alert says why: give it one chance to leave.
                let _ = wire.poll_flush(cx, now);
                return Poll::Ready(None);
            }
        }
    }
}

/// Bytes that came before the protocol was known.
#[derive(Default)]
struct Early {
    bytes: BytesMut,
}

impl Early {
    /// HTTP/2 by the first line of its preface, HTTP/1 as soon as it cannot be one; `None` when it
    /// is too early. What is wrong behind that line is the engine's to say.
    fn sniff(&self) -> Option<Protocol> {
        let line = PREFACE.get(..FIRST_LINE).unwrap_or(PREFACE);
        let seen = self.bytes.len().min(line.len());
        if self.bytes.get(..seen) != line.get(..seen) {
            Some(Protocol::Http1)
        } else if seen == line.len() {
            Some(Protocol::Http2)
        } else {
            None
        }
    }

    fn sniff_or_http1(&self) -> Protocol {
        self.sniff().unwrap_or(Protocol::Http1)
    }
}

impl Sink for Early {
    fn direct(&self) -> usize {
        0
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn take_direct(&mut self, bytes: bytes::Bytes) {
        self.take(&bytes);
    }
}

/// The server's end of a connection: requests go to the service, each in a task of its own.
struct Downward<R: Runtime, S: Service> {
    gate: Arc<Gate<R>>,
    service: Arc<S>,
    guest: Guest,
    protocol: Protocol,
}

impl<R: Runtime, S: Service> Party for Downward<R, S> {
    const SIDE: Side = Side::Server;

    fn on_request(
        &mut self,
        now: Instant,
        head: http::Request<()>,
        end: bool,
    ) -> Option<Arc<Exchange>> {
        let exchange = Arc::new(Exchange::new(now, 0));
        exchange.down.await_head();
        if head.headers().contains_key(EXPECT) {
            // 100 (Continue) is sent when the service asks for the body (RFC 9110 10.1.1).
            exchange.up.await_interest();
        }
        let length = head.headers().get(CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = if end && head.method() != http::Method::CONNECT {
            // No end goes into the pipe: after 101 it carries the tunnel's bytes.
            Body::ended(Arc::clone(&exchange), Side::Server)
        } else {
            if end {
                exchange.up.write(crate::mail::Frame::End);
            }
            Body::new(Arc::clone(&exchange), Side::Server, None, None, length.into())
        };
        let (mut parts, ()) = head.into_parts();
        parts.extensions.insert(ConnectionHandle {
            peer: self.guest.peer,
            protocol: self.protocol,
            mailbox: Arc::clone(&self.guest.mailbox),
        });
        let request = http::Request::from_parts(parts, body);
        let task = answer(Arc::clone(&self.service), request, Arc::clone(&exchange));
        self.gate.runtime.spawn(task);
        Some(exchange)
    }

    fn on_limit(&mut self, _: Limit) {}

    fn on_go_away(&mut self) {}

    fn on_pong(&mut self) {}

    fn on_budget_spent(&mut self) {}

    fn on_ended(&mut self, ended: Ended) {
        // Harmless where all of the request came; else its reader would wait for ever, also
        // behind a response that is complete.
        ended.exchange.up.fail(None);
        ended.exchange.down.close();
    }

    fn on_closed(&mut self, _: Cause, _: VecDeque<Letter>) {
        self.gate.feed(Event::Closed(self.guest.connection));
    }
}
