//! The loop of one byte stream: mailbox to engine, engine to wire, wire to engine, engine to
//! pipes. Clients and servers run the same; what differs is a [`Party`].

use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use regatta_core::Instant;
use regatta_core::downstream::Cut;
use regatta_core::engine::{Engine, Event, Head, Meter, OpenError, Shutdown};
use regatta_core::id::{RequestId, StreamId};
use regatta_core::types::{Cause, Outcome, RetrySafe, Timing};
use smallvec::SmallVec;

use super::lane::{EngineSink, Lane, unsayable, wants_input};
use super::last::{LastFrames, write_last};
use super::letter::Letter;
use super::party::{Ended, Party};
use super::stage::Stage;
use super::wire::{Flushed, Heard, Wire};
use crate::body::Side;
use crate::exchange::{Exchange, Parcel};
use crate::mail::{Bell, Frame, Letters, Mailbox, Received, is_interim};
use crate::runtime::{Runtime, Timer};

/// Rounds of one wake; then the task yields.
const BUDGET: u32 = 32;

/// Bytes that are made ready for one write.
const ROOM: usize = 64 << 10;

/// How long a closing server still reads what the peer had sent, so that its last answer is not
/// lost to a reset (RFC 9112 9.6).
const LINGER: Duration = Duration::from_millis(500);

/// One connection's task.
pub(crate) struct Connection<R: Runtime, P: Party> {
    runtime: R,
    wire: Wire<R::Stream>,
    engine: Engine,
    mailbox: Arc<Mailbox<Letter>>,
    letters: Letters<Letter>,
    /// By slot of the stream.
    lanes: SmallVec<[Option<Lane>; 1]>,
    /// By slot of the stream; made once, used by every stream there.
    bells: SmallVec<[Arc<Bell<Letter>>; 1]>,
    /// Slots whose pipes moved.
    moved: SmallVec<[u32; 4]>,
    last: LastFrames,
    timer: Option<R::Timer>,
    /// What the timer is set to, while it has not expired.
    armed: Option<Instant>,
    party: P,
    stage: Stage,
    /// The engine was told that nothing can be said any more.
    cut: bool,
    /// Since when the transport takes nothing of what is to be written.
    stalled: Option<Instant>,
    /// A server's patience with a peer that takes little of it.
    meter: Meter,
    /// Nobody misses what is not written.
    aborted: bool,
    /// Nothing waits in the engine or for the transport: without news there is nothing to do.
    settled: bool,
}

impl<R: Runtime, P: Party> Connection<R, P> {
    pub(crate) fn new(
        runtime: R,
        wire: Wire<R::Stream>,
        engine: Engine,
        mailbox: Arc<Mailbox<Letter>>,
        party: P,
    ) -> Self {
        Self {
            runtime,
            wire,
            engine,
            mailbox,
            letters: Letters::new(),
            lanes: SmallVec::new(),
            bells: SmallVec::new(),
            moved: SmallVec::new(),
            last: LastFrames::default(),
            timer: None,
            armed: None,
            party,
            stage: Stage::Open,
            cut: false,
            stalled: None,
            meter: Meter::default(),
            aborted: false,
            settled: false,
        }
    }

    /// Serves it; ready when the connection is gone. Polled where it lies: it is large, and a
    /// future that took it would hold it twice.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut now = self.runtime.now();
        for round in 0..BUDGET {
            // Most wakes have two rounds, the second of which finds nothing.
            if round > 1 {
                now = self.runtime.now();
            }
            // Before anything is opened, so that the peer hears of it first.
            self.party.narrow(&mut self.engine);
            let mut progress = self.read_letters(cx, now);
            progress |= self.run_timer(now);
            progress |= self.read(cx, now);
            if progress || !self.settled || !self.moved.is_empty() {
                progress |= self.take_events(now);
                progress |= self.move_lanes(now);
                progress |= self.write(cx, now);
                let told = self.take_events(now);
                progress |= told;
                self.settled &= !told && self.moved.is_empty() && self.stage == Stage::Open;
            }
            if let Stage::Closed(_) = self.stage {
                return Poll::Ready(());
            }
            if !progress && !self.arm(cx, now) {
                self.party.hold(self.engine.unread() + self.wire.backlog());
                return Poll::Pending;
            }
        }
        self.party.hold(self.engine.unread() + self.wire.backlog());
        self.party.on_budget_spent();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn read_letters(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.mailbox.poll(cx, &mut self.letters).is_pending() {
            return false;
        }
        let mut letters = core::mem::take(&mut self.letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Assign(parcel) => self.open(now, parcel),
                Letter::Reset { request, exchange } => self.reset(now, request, &exchange),
                Letter::Lane(slot) => {
                    if let Some(bell) = self.bells.get(slot as usize) {
                        bell.heard();
                    }
                    self.moved.push(slot);
                }
                Letter::Shutdown => self.engine.shutdown(now, Shutdown::Graceful),
                Letter::Abort => {
                    self.aborted = true;
                    self.engine.shutdown(now, Shutdown::Now);
                }
                Letter::Probe => self.engine.ping(now),
                // Its turn was before there was an engine.
                Letter::Handshake => {}
                Letter::Limit(streams) => self.engine.set_max_concurrent_streams(now, streams),
            }
        }
        self.letters = letters;
        true
    }

    fn open(&mut self, now: Instant, parcel: Parcel) {
        // A stream that a letter before has ended still has its lane, and its slot may come back.
        self.take_events(now);
        let opened = match self.engine.open(now, &parcel.message.head, parcel.message.end) {
            Ok(stream) => stream,
            Err(error) => {
                if error == OpenError::Unsayable {
                    parcel.exchange.fail(unsayable(&parcel.message.head, self.engine.protocol()));
                }
                self.party.on_ended(Ended {
                    exchange: Arc::clone(&parcel.exchange),
                    parcel: Some(parcel),
                    outcome: error.outcome(),
                    retry: RetrySafe::Unsent,
                    timing: Timing { ended: now, ..Timing::default() },
                });
                return;
            }
        };
        parcel.exchange.set_lane(opened);
        let connect = parcel.message.head.method() == Method::CONNECT;
        let mut lane = Lane::new(opened, Arc::clone(&parcel.exchange), connect, now);
        (lane.may_send, lane.sent) = (!parcel.message.end, parcel.message.end);
        lane.parcel = Some(parcel);
        self.place(lane);
    }

    fn place(&mut self, lane: Lane) {
        let slot = lane.stream.slot();
        while self.bells.len() <= slot {
            let next = u32::try_from(self.bells.len()).unwrap_or(u32::MAX);
            self.bells.push(Bell::new(next, Letter::Lane, &self.mailbox));
            self.lanes.push(None);
        }
        if let Some(place) = self.lanes.get_mut(slot) {
            *place = Some(lane);
        }
        self.moved.push(u32::try_from(slot).unwrap_or(u32::MAX));
    }

    /// Resets a request's stream if it is still this request's.
    fn reset(&mut self, now: Instant, request: RequestId, exchange: &Exchange) {
        let Some(stream) = exchange.lane() else { return };
        let Some(Some(lane)) = self.lanes.get(stream.slot()) else { return };
        if lane.parcel.as_ref().is_some_and(|parcel| parcel.request == request) {
            self.engine.reset(now, lane.stream);
        }
    }

    fn run_timer(&mut self, now: Instant) -> bool {
        // The timer has done its work by waking the task; it need not be asked.
        if self.armed.is_some_and(|at| at <= now) {
            self.armed = None;
        }
        if let Stage::Lingering(cause, until) = self.stage
            && until <= now
        {
            self.stage = Stage::Closed(cause);
            return true;
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            return true;
        }
        false
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if !self.wire.is_read_open() {
            return false;
        }
        let open = self.stage == Stage::Open;
        if open && !wants_input(&self.engine, &self.lanes) {
            return false;
        }
        if open && P::SIDE == Side::Server && !self.party.may_read(self.engine.unread(), cx) {
            return false;
        }
        let mut sink = EngineSink { engine: &mut self.engine, now, open };
        let Poll::Ready(heard) = self.wire.poll_read(cx, now, &mut sink) else { return false };
        if let Heard::End { clean, cause, .. } = heard {
            self.engine.receive_end(now, clean, cause);
            if let Stage::Lingering(cause, _) = self.stage {
                self.stage = Stage::Closed(cause);
            }
        }
        true
    }

    fn take_events(&mut self, now: Instant) -> bool {
        let mut progress = false;
        while let Some(event) = self.engine.poll_event() {
            progress = true;
            match event {
                Event::Head { stream, head, end } => self.on_head(now, stream, head, end),
                Event::Informational { stream, head } => {
                    if let Some(lane) = self.lane(stream) {
                        lane.incoming(P::SIDE).write(Frame::Head(head));
                    }
                }
                Event::Data { stream, bytes, end } => self.on_data(now, stream, bytes, end),
                Event::Trailers { stream, trailers } => {
                    self.on_last(stream, Frame::Trailers(trailers));
                }
                Event::Capacity { stream } => {
                    if let Some(lane) = self.lane(stream) {
                        lane.may_send = true;
                        lane.exchange.charge.give(core::mem::take(&mut lane.charged));
                        self.moved.push(u32::try_from(stream.slot()).unwrap_or(u32::MAX));
                    }
                }
                Event::Ended { stream } => {
                    self.end(now, stream, Outcome::Complete, RetrySafe::Answered);
                }
                Event::Reset { stream, cause, retry } => {
                    // A response that was complete before stands.
                    self.last.release();
                    let outcome = match cause {
                        Cause::Cancelled => Outcome::Reset,
                        cause => Outcome::Failed(cause),
                    };
                    self.end(now, stream, outcome, retry);
                }
                Event::Limit(limit) => self.party.on_limit(limit),
                Event::GoAway { .. } => self.party.on_go_away(),
                Event::Pong => self.party.on_pong(),
                Event::Cut(cut) => self.party.on_cut(cut),
                Event::Closed { cause } => {
                    self.stage = Stage::Flushing(cause);
                    self.wire.close();
                }
                _ => {}
            }
        }
        self.last.release();
        progress
    }

    fn lane(&mut self, stream: StreamId) -> Option<&mut Lane> {
        let lane = self.lanes.get_mut(stream.slot())?.as_mut()?;
        (lane.stream == stream).then_some(lane)
    }

    fn on_head(&mut self, now: Instant, stream: StreamId, head: Head, end: bool) {
        match head {
            Head::Response(head) => {
                let Some(lane) = self.lane(stream) else { return };
                let status = head.status();
                let facts = lane.answered(now, status);
                if status == StatusCode::SWITCHING_PROTOCOLS
                    || (lane.connect && status.is_success())
                {
                    // From here on both pipes carry the tunnel's bytes.
                    lane.sent = false;
                    lane.may_send = true;
                    self.moved.push(u32::try_from(stream.slot()).unwrap_or(u32::MAX));
                }
                self.party.on_answered(&facts, status);
                let frame = Frame::Head(head);
                if end {
                    self.on_last(stream, frame);
                } else if let Some(lane) = self.lane(stream) {
                    lane.exchange.down.write(frame);
                }
            }
            Head::Request(head) => {
                let connect = head.method() == Method::CONNECT;
                let Some(exchange) = self.party.on_request(now, *head, end) else {
                    self.engine.reset(now, stream);
                    return;
                };
                exchange.set_lane(stream);
                self.place(Lane::new(stream, exchange, connect, now));
            }
        }
    }

    fn on_data(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
        let Some(lane) = self.lane(stream) else { return };
        lane.exchange.receive(bytes.len());
        if lane.is_too_much() {
            return self.engine.reset(now, stream);
        }
        if end {
            let frame = if bytes.is_empty() { Frame::End } else { Frame::Data(bytes) };
            return self.on_last(stream, frame);
        }
        if !lane.incoming(P::SIDE).write(Frame::Data(bytes)) {
            // What nobody reads is passed over: the peer gets its room back at once.
            self.moved.push(u32::try_from(stream.slot()).unwrap_or(u32::MAX));
        }
    }

    /// The frame behind which the peer's message ends.
    fn on_last(&mut self, stream: StreamId, frame: Frame) {
        let Some(Some(lane)) = self.lanes.get(stream.slot()) else { return };
        if lane.stream != stream {
            return;
        }
        if P::SIDE == Side::Client {
            return self.last.hold(&lane.exchange, frame);
        }
        if !write_last(&lane.exchange.up, frame) {
            self.moved.push(u32::try_from(stream.slot()).unwrap_or(u32::MAX));
        }
    }

    fn end(&mut self, now: Instant, stream: StreamId, outcome: Outcome, retry: RetrySafe) {
        let Some(place) = self.lanes.get_mut(stream.slot()) else { return };
        let Some(lane) = place.take_if(|lane| lane.stream == stream) else { return };
        let timing = Timing { opened: lane.opened, first_byte: lane.first_byte, ended: now };
        lane.exchange.charge.give(usize::MAX);
        self.party.on_ended(Ended {
            parcel: lane.parcel,
            exchange: lane.exchange,
            outcome,
            retry,
            timing,
        });
    }

    /// Serves the lanes whose pipes moved: frames out, and room given back.
    fn move_lanes(&mut self, now: Instant) -> bool {
        if self.moved.is_empty() {
            return false;
        }
        let mut progress = false;
        let mut moved = core::mem::take(&mut self.moved);
        for slot in moved.drain(..) {
            progress |= self.move_lane(now, slot as usize);
        }
        if self.moved.is_empty() {
            self.moved = moved;
        }
        progress
    }

    fn move_lane(&mut self, now: Instant, slot: usize) -> bool {
        let (Some(Some(lane)), Some(bell)) = (self.lanes.get_mut(slot), self.bells.get(slot))
        else {
            return false;
        };
        let waker = bell.waker();
        let mut cx = Context::from_waker(&waker);
        let taken = lane.incoming(P::SIDE).poll_taken(&mut cx);
        let mut progress = taken.is_some();
        if let Some(n) = lane.allowance(P::SIDE, taken) {
            self.engine.allow(now, lane.stream, n);
        }
        while lane.may_send && !lane.sent {
            let pipe = lane.outgoing(P::SIDE);
            let Poll::Ready(received) = pipe.poll_read(&mut cx) else { break };
            progress = true;
            match received {
                Received::Frame(Frame::Head(head)) => {
                    let last = !is_interim(head.status());
                    if P::SIDE == Side::Server && last && lane.incoming(P::SIDE).has_reader() {
                        // Who has answered and still holds the request's body may read it yet.
                        // A client that was not told to go on before this head does not send it.
                        self.engine.allow(now, lane.stream, 0);
                    }
                    lane.sent = last && pipe.take_end();
                    self.engine.respond(now, lane.stream, &head, lane.sent);
                }
                Received::Frame(Frame::Data(bytes)) => {
                    lane.sent = pipe.take_end();
                    lane.may_send = false;
                    lane.charged = bytes.len();
                    self.engine.send(now, lane.stream, bytes, lane.sent);
                }
                Received::Frame(Frame::Trailers(trailers)) => {
                    lane.sent = true;
                    self.engine.trailers(now, lane.stream, *trailers);
                }
                Received::Frame(Frame::End) | Received::Finished => {
                    lane.sent = true;
                    self.engine.send(now, lane.stream, Bytes::new(), true);
                }
                Received::Failed(error) => {
                    lane.sent = true;
                    if P::SIDE == Side::Client {
                        lane.exchange.down.fail(error);
                    }
                    self.engine.reset(now, lane.stream);
                }
            }
        }
        progress
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut progress = false;
        let has_room = self.wire.backlog() < ROOM;
        if has_room {
            self.engine.transmit(now, &mut self.wire.plain, ROOM);
        }
        let has_more = !has_room || self.wire.plain.len() >= ROOM;
        if self.engine.write_ended() {
            self.wire.close();
        }
        let before = self.wire.written();
        match self.wire.poll_flush(cx, now) {
            Poll::Pending => {
                self.stalled.get_or_insert(now);
            }
            Poll::Ready(flushed) => {
                self.stalled = None;
                progress |= flushed == Flushed::Some;
            }
        }
        self.settled = !has_more && self.wire.is_flushed();
        progress |= self.lose_patience(now, self.wire.written() - before);
        let hopeless = P::SIDE == Side::Server || !self.wire.is_read_open();
        if !self.cut && self.wire.is_write_broken() && hopeless {
            // The engine has nothing to wait for.
            self.cut = true;
            self.engine.receive_end(now, false, Cause::ConnectionReset);
            self.engine.shutdown(now, Shutdown::Now);
            progress = true;
        }
        progress | self.finish_flushing(now)
    }

    fn finish_flushing(&mut self, now: Instant) -> bool {
        let Stage::Flushing(cause) = self.stage else { return false };
        if !self.wire.is_write_closed() {
            return false;
        }
        let linger =
            P::SIDE == Side::Server && self.wire.is_read_open() && !self.wire.is_write_broken();
        self.stage =
            if linger { Stage::Lingering(cause, now + LINGER) } else { Stage::Closed(cause) };
        true
    }

    /// Writes nothing more where the transport takes nothing, or a server's peer less than its
    /// pace of what waits.
    fn lose_patience(&mut self, now: Instant, moved: u64) -> bool {
        if self.wire.is_flushed() {
            self.meter.stop();
        } else if P::SIDE == Side::Server {
            self.meter.start(now);
            self.meter.moved(moved);
        }
        let slow = self.meter.is_slow(now, self.party.pace());
        if !slow && self.impatient_at().is_none_or(|at| now < at) {
            return false;
        }
        if !self.aborted {
            self.party.on_cut(Cut::ResponseTooSlow);
        }
        self.stalled = None;
        self.meter.stop();
        self.wire.break_off();
        true
    }

    /// When a transport that takes nothing is given up.
    fn impatient_at(&self) -> Option<Instant> {
        Some(self.stalled? + self.engine.patience()?)
    }

    /// Sets the timer to the earliest deadline; true when that is due already.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let engine = self.engine.poll_timeout();
        let linger = match self.stage {
            Stage::Lingering(_, until) => Some(until),
            _ => None,
        };
        let patience = self.impatient_at();
        let slow = self.meter.due(self.party.pace());
        let all = engine.into_iter().chain(linger).chain(patience).chain(slow);
        let Some(at) = all.min() else { return false };
        if at <= now {
            return true;
        }
        // A later deadline is found out when the old one fires.
        if self.armed.is_some_and(|armed| armed <= at) {
            return false;
        }
        self.armed = Some(at);
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.reset(at);
                timer
            }
            none => none.insert(self.runtime.timer(at)),
        };
        let expired = timer.poll_expired(cx).is_ready();
        if expired {
            self.armed = None;
        }
        expired
    }
}

impl<R: Runtime, P: Party> Drop for Connection<R, P> {
    /// Tells everyone, also when the task is dropped in the middle of its work.
    fn drop(&mut self) {
        let cause = match self.stage {
            Stage::Closed(cause) | Stage::Flushing(cause) | Stage::Lingering(cause, _) => cause,
            Stage::Open => Cause::ShutDown,
        };
        let now = self.runtime.now();
        let lanes = core::mem::take(&mut self.lanes);
        for lane in lanes.into_iter().flatten() {
            let timing = Timing { opened: lane.opened, first_byte: lane.first_byte, ended: now };
            let retry = match lane.first_byte {
                Some(_) => RetrySafe::Answered,
                None => RetrySafe::Unknown,
            };
            self.party.on_ended(Ended {
                parcel: lane.parcel,
                exchange: lane.exchange,
                outcome: Outcome::Failed(cause),
                retry,
                timing,
            });
        }
        let mut left = core::mem::take(&mut self.letters);
        left.append(&mut self.mailbox.close());
        self.party.on_closed(cause, left);
    }
}
