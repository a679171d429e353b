//! One request and its response, as the caller's task and the connection's task share them.

use core::fmt;
#[cfg(feature = "http3")]
use core::sync::atomic::AtomicU8;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::{Request, StatusCode};
use regatta_core::Instant;
#[cfg(feature = "http3")]
use regatta_core::engine::h3::Priority;
use regatta_core::id::{ConnectionId, RequestId, StreamId};
use regatta_core::types::Origin;

use crate::budget::{Budget, Charge};
use crate::error::Error;
use crate::hooks::{Facts, Told};
use crate::legs::Legs;
#[cfg(feature = "http3")]
use crate::mail::Packets;
use crate::mail::{Account, Pipe};
use crate::timeline::{AttemptTrace, ConnectionTrace, EarlyOutcome, EarlyTrace, Span, Timeline};

/// Bytes that one direction of one stream may hold between its two tasks.
pub(crate) const PIPE_CAPACITY: usize = 64 << 10;

/// Bytes of a request's body that are kept for sending it again.
pub(crate) const REPLAY_BUFFER: usize = 64 << 10;

/// Two pipes and the trace of what happened.
pub(crate) struct Exchange {
    /// The request's body: client to server.
    pub(crate) up: Pipe<Error>,
    /// The response, head first: server to client.
    pub(crate) down: Pipe<Error>,
    /// Where it travels on its connection now.
    lane: AtomicU64,
    /// Bytes of the peer's body that came.
    received: AtomicU64,
    /// Server: the answer makes it a tunnel; the request's body was dropped, so that nobody has
    /// the tunnel's end.
    tunnel: AtomicBool,
    /// Server: what the response holds of the memory of all bodies.
    pub(crate) charge: Charge,
    bodiless: AtomicBool,
    /// Client: what the caller has said since of how urgent it is.
    #[cfg(feature = "http3")]
    wish: AtomicU8,
    trace: Mutex<Trace>,
    hold: Mutex<Hold>,
}

/// Client: what is kept while another try may follow this one.
#[derive(Debug, Default)]
struct Hold {
    /// Either side: the datagrams of the stream that carries it.
    #[cfg(feature = "http3")]
    packets: Option<Arc<Packets>>,
    /// Nobody has decided yet.
    held: bool,
    /// The hub is done with the request: nothing of its body is sent any more.
    over: bool,
    /// What came back.
    message: Option<Box<Message>>,
    /// Nothing will come back any more.
    gone: bool,
    waiter: Option<Waker>,
}

impl Hold {
    /// Keeps what came back while another try may follow: who waits for it is to be woken. What
    /// is not kept is left, to be dropped without the lock.
    fn take_back(&mut self, message: &mut Option<Box<Message>>) -> Option<Waker> {
        if !self.held || message.is_none() {
            return None;
        }
        self.message = message.take();
        self.waiter.take()
    }
}

#[derive(Clone, Debug, Default)]
struct Trace {
    requested: Instant,
    connection: Option<Arc<Made>>,
    tried: Option<Box<Tried>>,
    reused: bool,
    assigned: Option<Instant>,
    first_byte: Option<Instant>,
    status: Option<StatusCode>,
    ended: Option<Instant>,
    resends: u32,
    early: Option<EarlyTrace>,
}

/// How a connection came to be: shared by all requests that it carries.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) resolve: Option<Span>,
    pub(crate) proxy: Option<Origin>,
    pub(crate) attempts: Vec<AttemptTrace>,
    /// What else its race did.
    pub(crate) legs: Option<Legs>,
    pub(crate) trace: ConnectionTrace,
    /// The same when its handshake was over, where requests went before that.
    pub(crate) whole: OnceLock<Arc<Self>>,
}

impl Made {
    /// As much of it as is known by now.
    fn latest(&self) -> &Self {
        self.whole.get().map_or(self, |whole| whole)
    }
}

/// What was done for a request that got no connection.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) resolve: Option<Span>,
    pub(crate) proxy: Option<Origin>,
    pub(crate) attempts: Vec<AttemptTrace>,
    pub(crate) legs: Option<Legs>,
}

const NO_LANE: u64 = u64::MAX;

#[cfg(feature = "http3")]
const NO_WISH: u8 = u8::MAX;
#[cfg(feature = "http3")]
const INCREMENTAL: u8 = 1 << 3;

impl Exchange {
    pub(crate) fn new(requested: Instant, replay: usize) -> Self {
        Self::of(requested, replay, Hold::default(), Charge::default())
    }

    /// A client's, whose body and head are kept for another try until [`Exchange::let_go`].
    pub(crate) fn held(requested: Instant, replay: usize) -> Self {
        let hold = Hold { held: true, ..Hold::default() };
        Self::of(requested, replay, hold, Charge::default())
    }

    /// A server's, whose response is charged.
    pub(crate) fn charged(requested: Instant, budget: &Arc<Budget>) -> Self {
        Self::of(requested, 0, Hold::default(), Charge::of(budget))
    }

    /// Every one is made here, once: it is large to be moved about.
    #[inline]
    fn of(requested: Instant, replay: usize, hold: Hold, charge: Charge) -> Self {
        Self {
            up: Pipe::new(PIPE_CAPACITY, replay),
            down: Pipe::new(PIPE_CAPACITY, 0),
            lane: AtomicU64::new(NO_LANE),
            received: AtomicU64::new(0),
            tunnel: AtomicBool::new(false),
            charge,
            bodiless: AtomicBool::new(false),
            #[cfg(feature = "http3")]
            wish: AtomicU8::new(NO_WISH),
            trace: Mutex::new(Trace { requested, ..Trace::default() }),
            hold: Mutex::new(hold),
        }
    }

    /// The request ends with this error, whatever state its response is in.
    pub(crate) fn fail(&self, error: Error) {
        self.close_up();
        self.down.fail(Some(error));
    }

    /// Both bodies count in this account.
    pub(crate) fn count_in(&self, account: &Arc<Account>) {
        self.up.count_in(account);
        self.down.count_in(account);
    }

    /// As [`Exchange::fail`], and nothing comes back.
    pub(crate) fn abandon(&self, error: Error) {
        let waiter = {
            let mut hold = lock(&self.hold);
            hold.gone = true;
            hold.waiter.take()
        };
        self.fail(error);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// There will be no other try.
    pub(crate) fn let_go(&self) {
        let (over, head) = {
            let mut hold = lock(&self.hold);
            hold.held = false;
            (hold.over, hold.message.take())
        };
        drop(head);
        if over {
            self.up.close();
        }
    }

    /// Nothing of the request's body is sent any more.
    pub(crate) fn close_up(&self) {
        let held = {
            let mut hold = lock(&self.hold);
            hold.over = true;
            hold.held
        };
        if !held {
            self.up.close();
        }
    }

    /// Whether the hub is done with the request.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.hold).over
    }

    /// Nobody needs the request's parcel any more, but for another try.
    pub(crate) fn give_back(&self, parcel: Option<Parcel>) {
        let Some(Parcel { message, .. }) = parcel else { return };
        let mut message = Some(message);
        let waiter = lock(&self.hold).take_back(&mut message);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// The request is over: [`Exchange::give_back`] and [`Exchange::close_up`] in one hold.
    pub(crate) fn end(&self, parcel: Option<Parcel>) {
        let mut message = parcel.map(|parcel| parcel.message);
        let (waiter, held) = {
            let mut hold = lock(&self.hold);
            hold.over = true;
            (hold.take_back(&mut message), hold.held)
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        if !held {
            self.up.close();
        }
    }

    /// The head that was given back; `None` when none will be.
    pub(crate) fn poll_given_back(&self, cx: &Context<'_>) -> Poll<Option<Box<Message>>> {
        let mut hold = lock(&self.hold);
        match hold.message.take() {
            None if !hold.gone => {
                hold.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
            message => Poll::Ready(message),
        }
    }

    /// The connection that carries it.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        let trace = lock(&self.trace);
        trace.connection.as_ref().map(|made| made.trace.connection)
    }

    /// A server's answer makes the stream a tunnel; false when nobody can hold its end any more.
    pub(crate) fn begin_tunnel(&self) -> bool {
        self.tunnel.store(true, Ordering::SeqCst);
        !self.bodiless.load(Ordering::SeqCst)
    }

    /// A server's request body was dropped: if it was to be a tunnel, that is over.
    pub(crate) fn drop_body(&self) {
        self.bodiless.store(true, Ordering::SeqCst);
        if self.tunnel.load(Ordering::SeqCst) {
            self.down.fail(None);
        }
    }

    /// So many bytes of the peer's body came.
    pub(crate) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of the peer's body that came so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn set_lane(&self, stream: StreamId) {
        let packed = ((stream.slot() as u64) << 32) | u64::from(stream.generation());
        self.lane.store(packed, Ordering::Relaxed);
    }

    pub(crate) fn lane(&self) -> Option<StreamId> {
        let packed = self.lane.load(Ordering::Relaxed);
        let slot = u32::try_from(packed >> 32).ok()?;
        let generation = u32::try_from(packed & u64::from(u32::MAX)).ok()?;
        (packed != NO_LANE).then(|| StreamId::new(slot, generation))
    }

    /// The datagrams of the stream that carries it now, where it has any.
    #[cfg(feature = "http3")]
    pub(crate) fn packets(&self) -> Option<Arc<Packets>> {
        lock(&self.hold).packets.clone()
    }

    /// It is carried by a stream that has datagrams.
    #[cfg(feature = "http3")]
    pub(crate) fn set_packets(&self, packets: &Arc<Packets>) {
        lock(&self.hold).packets = Some(Arc::clone(packets));
    }

    /// The caller wants the answer to be this urgent.
    #[cfg(feature = "http3")]
    pub(crate) fn set_wish(&self, wish: Priority) {
        let incremental = if wish.incremental { INCREMENTAL } else { 0 };
        self.wish.store(wish.urgency.min(7) | incremental, Ordering::Relaxed);
    }

    /// How urgent the caller wants the answer to be, where that has changed.
    #[cfg(feature = "http3")]
    pub(crate) fn wish(&self) -> Option<Priority> {
        let wish = self.wish.load(Ordering::Relaxed);
        let incremental = wish & INCREMENTAL != 0;
        (wish != NO_WISH).then_some(Priority { urgency: wish & 7, incremental })
    }

    pub(crate) fn assigned(&self, now: Instant, made: &Arc<Made>, reused: bool) {
        let mut trace = lock(&self.trace);
        trace.assigned = Some(now);
        trace.connection = Some(Arc::clone(made));
        trace.reused = reused;
    }

    pub(crate) fn tried(&self, tried: Tried) {
        let mut trace = lock(&self.trace);
        trace.tried = Some(Box::new(tried));
    }

    /// It goes in early data.
    pub(crate) fn sent_early(&self, now: Instant) {
        let early = EarlyTrace { sent: now, outcome: EarlyOutcome::UnderWay };
        lock(&self.trace).early = Some(early);
    }

    /// Whether it is, or was, in early data that has come to nothing.
    pub(crate) fn early(&self) -> Option<EarlyOutcome> {
        lock(&self.trace).early.map(|early| early.outcome)
    }

    pub(crate) fn resent(&self) {
        let mut trace = lock(&self.trace);
        if let Some(early) = trace.early.as_mut().filter(|early| early.is_under_way()) {
            early.outcome = EarlyOutcome::SentAgain;
        }
        trace.resends += 1;
        trace.first_byte = None;
        trace.status = None;
    }

    /// The final response's head came.
    pub(crate) fn answered(&self, now: Instant, status: StatusCode) {
        let mut trace = lock(&self.trace);
        trace.status = Some(status);
        if let Some(early) = trace.early.as_mut().filter(|early| early.is_under_way()) {
            early.outcome = EarlyOutcome::Accepted;
        }
        trace.first_byte.get_or_insert(now);
    }

    /// The final response's status, if it has come.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        lock(&self.trace).status
    }

    pub(crate) fn ended(&self, now: Instant) {
        let mut trace = lock(&self.trace);
        trace.ended.get_or_insert(now);
    }

    pub(crate) fn timeline(&self) -> Timeline {
        let trace = lock(&self.trace).clone();
        let made = trace.connection.as_deref().map(Made::latest);
        // A connection that stood before the request came owes it neither name nor handshake.
        let waited = made.filter(|made| made.trace.established >= trace.requested);
        let (resolve, attempts, legs) = match (&trace.tried, waited) {
            (Some(tried), _) => (tried.resolve, Some(tried.attempts.clone()), tried.legs.as_ref()),
            (None, Some(made)) => (made.resolve, Some(made.attempts.clone()), made.legs.as_ref()),
            (None, None) => (None, None, None),
        };
        let mut attempts = attempts.unwrap_or_default();
        if let Some(legs) = legs {
            let until = trace.assigned.or(trace.ended).unwrap_or(Instant::MAX);
            legs.beside(trace.requested, until, &mut attempts);
        }
        Timeline {
            requested: trace.requested,
            resolve: resolve.filter(|span| span.ended.is_none_or(|at| at >= trace.requested)),
            attempts,
            proxy: match &trace.tried {
                Some(tried) => tried.proxy.clone(),
                None => made.and_then(|made| made.proxy.clone()),
            },
            connection: made
                .map(|made| ConnectionTrace { reused: trace.reused, ..made.trace.clone() }),
            assigned: trace.assigned,
            first_byte: trace.first_byte,
            ended: trace.ended,
            resends: trace.resends,
            early: trace.early,
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

/// A request on its way: what it says, and the far end of its pipes.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) request: RequestId,
    pub(crate) message: Box<Message>,
    pub(crate) exchange: Arc<Exchange>,
    /// For those who listen: what it brings, and what is known since it was made.
    pub(crate) told: Told,
    pub(crate) facts: Facts,
    /// Its connection's handshake is not complete.
    pub(crate) early: bool,
}

/// What a parcel brings to the server.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) head: Request<()>,
    /// Whether the head is all there is.
    pub(crate) end: bool,
}

impl Parcel {
    /// A parcel whose request has no id yet.
    pub(crate) fn new(message: Box<Message>, exchange: &Arc<Exchange>, told: Told) -> Self {
        let request = RequestId::new(u32::MAX, u32::MAX);
        let exchange = Arc::clone(exchange);
        Self { request, message, exchange, told, facts: None, early: false }
    }
}

/// Reads the [`Timeline`] of a request at any time, also after its response has ended. Every
/// response's body [has one](crate::Body::timeline).
#[derive(Clone, Debug)]
pub struct TimelineHandle {
    exchange: Arc<Exchange>,
}

impl TimelineHandle {
    pub(crate) fn new(exchange: &Arc<Exchange>) -> Self {
        Self { exchange: Arc::clone(exchange) }
    }

    /// What happened until now.
    pub fn snapshot(&self) -> Timeline {
        self.exchange.timeline()
    }
}
