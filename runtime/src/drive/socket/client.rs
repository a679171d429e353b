//! One attempt over QUIC: a socket of its own, the handshake, then its connection, in the same
//! task and with the same mailbox.

use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::Instant;
use regatta_core::engine::h3::{H3, code};
use regatta_core::engine::quic::{
    ClientConfig, Endpoint, Event as QuicEvent, QuicError, ReceiveWindows,
};
use regatta_core::id::QuicId;
use regatta_core::types::{Cause, Protocol, TlsFault};
use regatta_core::upstream::Event;

use super::super::attempt::{Failed, Job, Upward};
use super::super::deadline::Deadline;
use super::super::party::Party;
use super::journey::Journey;
use super::port::{Port, Sent};
use super::talk::Talk;
use crate::datagrams::Datagrams as _;
use crate::hub::Hub;
use crate::mail::Letters;
use crate::runtime::Runtime;
use crate::timeline::TlsTrace;

/// Rounds of one wake; then the task yields.
const BUDGET: u32 = 32;

/// Runs one attempt over QUIC, and the connection that it becomes.
pub(crate) async fn run<R: Runtime>(hub: Arc<Hub<R>>, job: Job) {
    let mut letters = Letters::new();
    let begun = {
        let mut work = pin!(begin(&hub, &job));
        poll_fn(|cx| {
            // Only an abort comes to an attempt.
            if job.mailbox.poll(cx, &mut letters).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    };
    let mut attempt = match begun {
        None => return,
        Some(Ok(attempt)) => attempt,
        Some(Err(failed)) => return fail(&hub, &job, failed),
    };
    if attempt.is_early && attempt.offer(&hub, &job) {
        let mut connection = attempt.carry(hub, job, true);
        poll_fn(|cx| connection.poll(cx)).await;
        return;
    }
    let shaken = poll_fn(|cx| {
        if job.mailbox.poll(cx, &mut letters).is_ready() {
            attempt.give_up(&hub, cx);
            return Poll::Ready(None);
        }
        attempt.poll(&hub, &job, cx).map(Some)
    })
    .await;
    match shaken {
        None => return,
        Some(Ok(())) => {}
        Some(Err(failed)) => return fail(&hub, &job, failed),
    }
    let Some(mut connection) = attempt.establish(hub, job) else { return };
    poll_fn(|cx| connection.poll(cx)).await;
}

fn fail<R: Runtime>(hub: &Arc<Hub<R>>, job: &Job, failed: Failed) {
    job.mailbox.close();
    hub.attempt_failed(job.attempt, failed.cause, failed.detail);
}

fn failed(cause: Cause, detail: &str) -> Failed {
    Failed { cause, detail: Some(detail.into()) }
}

impl From<QuicError> for Failed {
    fn from(error: QuicError) -> Self {
        let detail = error.source.is_some().then(|| error.to_string().into());
        Self { cause: error.cause, detail }
    }
}

/// Opens a socket and begins a handshake on it.
async fn begin<R: Runtime>(hub: &Arc<Hub<R>>, job: &Job) -> Result<Attempt<R>, Failed> {
    let mut config = hub
        .settings
        .quic_client(job.profile, &job.origin)
        .map_err(|detail| Failed { cause: Cause::Tls(TlsFault::Other), detail: Some(detail) })?;
    let may_go_early = hub.look(|upstream| upstream.early_data(job.connection)).is_ok();
    let remembered = config.early_data().filter(|_| may_go_early);
    let granted = remembered.map(|(early, settings)| {
        config = early;
        settings
    });
    let socket = bind(&hub.runtime, job.address).await;
    let socket = socket.map_err(|error| Failed::from(Cause::from(&error)))?;
    let (mut options, engine) = hub.settings.quic_now();
    let windows = ReceiveWindows::of(&mut options);
    let config = config.with_options(&options);
    let endpoint = Endpoint::client(&config, socket.may_fragment());
    let mut endpoint = endpoint.map_err(|error| failed(error.cause, &error.to_string()))?;
    let id = endpoint.connect(hub.runtime.now(), job.address, &job.origin.host)?;
    let port = Port::new(socket, endpoint);
    // Without a ticket that allows it there is no early data.
    let granted = granted.filter(|_| port.endpoint.early_data(id).is_some());
    let mut engine = match granted {
        Some(granted) => H3::client_early(&engine, hub.runtime.now(), granted),
        None => H3::client(&engine, hub.runtime.now()),
    };
    if let Some(log) = port.endpoint.qlog(id) {
        engine.set_qlog(log);
    }
    Ok(Attempt {
        port,
        id,
        engine,
        windows,
        deadline: Deadline::new(),
        is_early: granted.is_some(),
        is_connected: false,
        told: 0,
        config,
    })
}

/// A socket to speak with `remote`, from wherever this host's routes lead there.
pub(super) async fn bind<R: Runtime>(runtime: &R, remote: SocketAddr) -> io::Result<R::Datagrams> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let any = SocketAddr::new(any, 0);
    match runtime.bind(any, Some(remote)).await {
        // A connected socket hears that nobody is there; where it cannot be had, silence must do.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => runtime.bind(any, None).await,
        bound => bound,
    }
}

/// A handshake under way.
struct Attempt<R: Runtime> {
    port: Port<R::Datagrams>,
    id: QuicId,
    /// What a server's first streams say may come with the handshake's last packets.
    engine: H3,
    windows: ReceiveWindows,
    deadline: Deadline<R>,
    /// Early data may be sent.
    is_early: bool,
    /// The handshake is complete.
    is_connected: bool,
    /// How often the race has heard that it moves.
    told: u32,
    /// Where the server's tickets are kept.
    config: ClientConfig,
}

impl<R: Runtime> Attempt<R> {
    fn poll(
        &mut self,
        hub: &Arc<Hub<R>>,
        job: &Job,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failed>> {
        loop {
            let now = hub.runtime.now();
            self.deadline.passed(now);
            let mut progress = false;
            let heard = self.port.receive(cx, now);
            let nobody = heard.nobody.filter(|_| !heard.datagrams);
            if let Some(cause) = heard.broken.or(nobody) {
                return Poll::Ready(Err(cause.into()));
            }
            progress |= heard.is_something();
            // As with TCP: that somebody is there, and that TLS moves.
            if heard.datagrams && self.told < 2 {
                self.told += 1;
                hub.feed(Event::AttemptProgress(job.attempt));
            }
            let endpoint = &mut self.port.endpoint;
            if endpoint.poll_timeout().is_some_and(|at| at <= now) {
                endpoint.handle_timeout(now);
                progress = true;
            }
            while let Some((_, event)) = endpoint.poll_event() {
                match event {
                    QuicEvent::Connected => {
                        self.is_connected = true;
                        if endpoint.early_data(self.id) == Some(false) {
                            self.engine.early_data_rejected(now);
                        }
                    }
                    QuicEvent::Lost(error) => {
                        // The alert says why: give it one chance to leave.
                        let _ = self.port.transmit(cx, now);
                        return Poll::Ready(Err(error.into()));
                    }
                    QuicEvent::Stream(event) => self.engine.handle(now, &event),
                    _ => {}
                }
            }
            if self.is_connected && self.may_carry(now) {
                return Poll::Ready(Ok(()));
            }
            match self.port.transmit(cx, now) {
                Ok(sent) => progress |= sent.some,
                Err(cause) => return Poll::Ready(Err(cause.into())),
            }
            let next = self.port.endpoint.poll_timeout();
            if !progress && !self.deadline.arm(&hub.runtime, cx, now, next) {
                return Poll::Pending;
            }
        }
    }

    /// Whether the connection can carry a request, or is over.
    fn may_carry(&mut self, now: Instant) -> bool {
        let Some(connection) = self.port.endpoint.connection(self.id) else { return true };
        self.engine.pump(now, connection);
        self.engine.may_carry()
    }

    /// Offers to take requests before the handshake is complete; whether core wants that.
    fn offer(&mut self, hub: &Arc<Hub<R>>, job: &Job) -> bool {
        let now = hub.runtime.now();
        let Some(connection) = self.port.endpoint.connection(self.id) else { return false };
        // What the server granted is known only when its streams are opened.
        self.engine.pump(now, connection);
        self.engine.may_carry() && hub.offer_early_data(job, self.engine.limit())
    }

    /// The connection that it becomes.
    fn carry(self, hub: Arc<Hub<R>>, job: Job, early: bool) -> Connection<R, Upward<R>> {
        let Self { port, id, engine, windows, deadline, config, is_early, .. } = self;
        let runtime = hub.runtime.clone();
        let remembers = hub.settings.early_data(job.profile);
        let memory = remembers.then_some(Memory { config, is_early });
        let party = Upward::new(hub, &job, Protocol::Http3);
        let journey = Journey::new(job.address);
        let talk = Talk::new(id, engine, windows, job.mailbox, party);
        let talk = if early { talk.with_early_data() } else { talk };
        Connection { runtime, port, id, talk, journey, deadline, memory }
    }

    /// Nobody needs it any more: the server is told so, if it can be at once.
    fn give_up(&mut self, hub: &Hub<R>, cx: &mut Context<'_>) {
        let now = hub.runtime.now();
        self.port.endpoint.close(now, self.id, H3_NO_ERROR, Bytes::new());
        let _ = self.port.transmit(cx, now);
    }

    /// The handshake is done; `None` when the attempt was given up in the meantime.
    fn establish(mut self, hub: Arc<Hub<R>>, job: Job) -> Option<Connection<R, Upward<R>>> {
        let now = hub.runtime.now();
        let tls = tls_trace(&self.port.endpoint, self.id);
        // What the server grants is known only when its streams are opened.
        self.engine.pump(now, self.port.endpoint.connection(self.id)?);
        let connected = Event::Connected {
            attempt: job.attempt,
            protocol: Protocol::Http3,
            limit: self.engine.limit(),
        };
        if !hub.connected(connected, job.connection, &job.mailbox, tls) {
            return None;
        }
        Some(self.carry(hub, job, false))
    }
}

/// The code of a close without a fault (RFC 9114 8.1).
const H3_NO_ERROR: u32 = code::NO_ERROR as u32;

fn tls_trace(endpoint: &Endpoint, id: QuicId) -> Option<TlsTrace> {
    let handshake = endpoint.handshake(id)?;
    Some(TlsTrace {
        version: "TLSv1.3".to_owned(),
        cipher: handshake.cipher_suite.unwrap_or_default().to_owned(),
        alpn: handshake.protocol,
        resumed: handshake.is_resumed,
        certificate: handshake.certificate().map(Arc::new),
    })
}

/// One connection and its socket.
struct Connection<R: Runtime, P: Party> {
    runtime: R,
    port: Port<R::Datagrams>,
    id: QuicId,
    talk: Talk<P>,
    journey: Journey<R>,
    deadline: Deadline<R>,
    /// Until the server's SETTINGS have come.
    memory: Option<Memory>,
}

/// Where what the server grants is kept beside its tickets.
struct Memory {
    config: ClientConfig,
    /// It went by what was kept before.
    is_early: bool,
}

/// What one turn of a connection came to.
struct Turn {
    /// There was something to do.
    progress: bool,
    /// Somebody was told what came.
    has_told: bool,
    /// The socket, which is still the same, has nothing more and will say when it has.
    has_all: bool,
}

/// A deadline so near is waited for awake: what has passed since the turn began may reach it, and a
/// runtime's timer may be as coarse.
const NEAR: Duration = Duration::from_millis(1);

impl<R: Runtime, P: Party> Connection<R, P> {
    /// Serves it; ready when it is gone.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BUDGET {
            let now = self.runtime.now();
            let Turn { mut progress, has_told, has_all } = self.turn(cx, now);
            // A close leaves before what is done about it.
            if self.port.waits(has_told && !self.talk.is_over()) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let sent = self.port.transmit(cx, now).unwrap_or(Sent::LOST);
            progress |= sent.some;
            if !progress && self.talk.is_over() {
                return Poll::Ready(());
            }
            let rests = !progress || (has_all && sent.all && self.is_at_rest(now));
            if rests && !self.arm(cx, now) {
                return Poll::Pending;
            }
        }
        self.talk.party().on_budget_spent();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether a turn right behind one that has read and sent all there was would find nothing to
    /// do. It would read the socket and the mailbox, which wake the task for what comes from here
    /// on; do what is due; hear what the endpoint tells; and serve what has moved meanwhile.
    fn is_at_rest(&self, now: Instant) -> bool {
        let is_far = self.next().is_none_or(|at| at > now + NEAR);
        is_far && self.port.is_at_rest() && self.talk.is_at_rest()
    }

    fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> Turn {
        self.deadline.passed(now);
        let heard = self.port.receive(cx, now);
        // Later, that nobody is there is passed over: silence will tell.
        let nobody = heard.nobody.filter(|_| self.talk.is_early() && !heard.datagrams);
        if let Some(cause) = heard.broken.or(nobody) {
            self.talk.lose(now, cause);
        }
        let wants = self.talk.wants_to_move();
        let has_moved = self.journey.poll(&self.runtime, &mut self.port, wants, cx, now);
        let mut progress = heard.is_something() || has_moved;
        let endpoint = &mut self.port.endpoint;
        if endpoint.poll_timeout().is_some_and(|at| at <= now) {
            endpoint.handle_timeout(now);
            progress = true;
        }
        let mut has_told = false;
        while let Some((_, event)) = endpoint.poll_event() {
            match event {
                QuicEvent::Connected if self.talk.is_early() => {
                    let accepted = endpoint.early_data(self.id) == Some(true);
                    self.talk.complete(now, tls_trace(endpoint, self.id), accepted);
                }
                event => {
                    if let QuicEvent::Lost(error) = &event
                        && self.talk.is_early()
                        && error.source.is_some()
                    {
                        self.talk.party().on_detail(error.to_string().into());
                    }
                    self.talk.handle(now, &event, endpoint);
                }
            }
            (progress, has_told) = (true, heard.datagrams);
        }
        progress |= self.talk.turn(cx, now, endpoint);
        self.remember();
        Turn { progress, has_told, has_all: heard.is_all() && !has_moved }
    }

    /// Keeps what the server grants, when it has said so.
    fn remember(&mut self) {
        let Some(Memory { config, is_early }) = &self.memory else { return };
        match (self.talk.settings(), self.talk.over()) {
            (Some(settings), _) => config.remember(settings),
            (None, Some(cause)) if *is_early => config.disappointed(cause),
            (None, _) => return,
        }
        self.memory = None;
    }

    /// The next deadline.
    fn next(&self) -> Option<Instant> {
        let next = [self.port.endpoint.poll_timeout(), self.talk.poll_timeout()];
        next.into_iter().flatten().min()
    }

    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.deadline.arm(&self.runtime, cx, now, self.next())
    }
}

impl<R: Runtime, P: Party> Drop for Connection<R, P> {
    /// Tells everyone, also when the task is dropped in the middle of its work.
    fn drop(&mut self) {
        self.talk.end(self.runtime.now());
    }
}
