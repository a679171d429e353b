//! The streams of one connection, whatever carries it: letters to the engine, its events to pipes,
//! pipes to the engine.

use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use regatta_core::Instant;
use regatta_core::engine::{Event, Head, OpenError, Shutdown};
use regatta_core::id::{RequestId, StreamId};
use regatta_core::race::Again;
use regatta_core::types::{BodyState, Cause, Outcome, RetrySafe, Timing};
use smallvec::SmallVec;

use super::http::Http;
use super::lane::{Lane, Place, Said, unsayable};
use super::last::{LastFrames, write_last};
use super::letter::Letter;
#[cfg(feature = "http3")]
use super::packets;
use super::party::{Begun, Ended, Party};
use crate::answer::Whole;
use crate::body::Side;
use crate::exchange::{Exchange, Parcel};
use crate::mail::{Bell, Frame, Letters, Mailbox, Received, is_interim};

/// The streams of one connection, its mailbox and its party.
pub(super) struct Lanes<P: Party> {
    mailbox: Arc<Mailbox<Letter>>,
    letters: Letters<Letter>,
    /// By slot of the stream.
    pub(super) places: SmallVec<[Place; 1]>,
    /// By slot of the stream; made once, used by every lane there.
    bells: SmallVec<[Arc<Bell<Letter>>; 1]>,
    /// Slots whose pipes moved.
    pub(super) moved: SmallVec<[u32; 4]>,
    last: LastFrames,
    /// Bytes of the answers that were whole at once and have not left.
    said: usize,
    pub(super) party: P,
    /// The network changed, and nobody has looked at that.
    #[cfg(feature = "http3")]
    pub(super) moved_away: bool,
    /// Nobody misses what is not written.
    pub(super) aborted: bool,
    /// The engine's last event, to be taken by who carries it.
    pub(super) closed: Option<Cause>,
}

impl<P: Party> Lanes<P> {
    pub(super) fn new(mailbox: Arc<Mailbox<Letter>>, party: P) -> Self {
        Self {
            mailbox,
            letters: Letters::new(),
            places: SmallVec::new(),
            bells: SmallVec::new(),
            moved: SmallVec::new(),
            last: LastFrames::default(),
            said: 0,
            party,
            #[cfg(feature = "http3")]
            moved_away: false,
            aborted: false,
            closed: None,
        }
    }

    /// Whether a pipe moved that was not served yet.
    pub(super) fn has_moved(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Whether nothing was heard that is still to be done.
    #[cfg(feature = "http3")]
    pub(super) fn is_at_rest(&self) -> bool {
        !self.has_moved() && !self.moved_away
    }

    /// The streams under way.
    pub(super) fn all(&self) -> &[Place] {
        &self.places
    }

    /// How many bytes the engine holds of answers that were whole at once.
    pub(super) const fn said(&self) -> usize {
        self.said
    }

    /// Reads what is in the mailbox.
    pub(super) fn read_letters<E: Http>(
        &mut self,
        engine: &mut E,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> bool {
        if self.mailbox.poll(cx, &mut self.letters).is_pending() {
            return false;
        }
        self.take_letters(engine, now);
        true
    }

    /// What came meanwhile. The mailbox goes on to wake the task.
    fn hear<E: Http>(&mut self, engine: &mut E, now: Instant) {
        if self.mailbox.take(&mut self.letters) {
            self.take_letters(engine, now);
        }
    }

    fn take_letters<E: Http>(&mut self, engine: &mut E, now: Instant) {
        let mut letters = core::mem::take(&mut self.letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Assign(parcel) => self.open(engine, now, parcel),
                Letter::Reset { request, exchange } => self.reset(engine, now, request, &exchange),
                Letter::Recall { request, exchange } => {
                    self.recall(engine, now, request, &exchange);
                }
                Letter::Lane(slot) => {
                    if let Some(bell) = self.bells.get(slot as usize) {
                        bell.heard();
                    }
                    self.moved.push(slot);
                }
                Letter::Shutdown => {
                    self.party.on_shutdown();
                    engine.shutdown(now, Shutdown::Graceful);
                }
                Letter::Abort => {
                    self.aborted = true;
                    engine.shutdown(now, Shutdown::Now);
                }
                Letter::Probe => engine.ping(now),
                #[cfg(feature = "http3")]
                Letter::Move => self.moved_away = true,
                #[cfg(feature = "http3")]
                Letter::Prioritize(exchange) => self.on_wish(&exchange),
                // Its turn was before there was an engine.
                Letter::Handshake => {}
                Letter::Limit(streams) => engine.set_max_concurrent_streams(now, streams),
            }
        }
        self.letters = letters;
    }

    fn open<E: Http>(&mut self, engine: &mut E, now: Instant, mut parcel: Parcel) {
        // A stream that a letter before has ended still has its lane, and its slot may come back.
        self.take_events(engine, now);
        self.party.on_opening(&mut parcel.message.head);
        let opened = match engine.open(now, &parcel.message.head, parcel.message.end) {
            Ok(stream) => stream,
            Err(error) => {
                if error == OpenError::Unsayable {
                    parcel.exchange.fail(unsayable(&parcel.message.head, engine.protocol()));
                }
                self.party.on_ended(Ended {
                    stream: None,
                    exchange: Some(Arc::clone(&parcel.exchange)),
                    said: 0,
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
        #[cfg(feature = "http3")]
        lane.set_packets(packets::of(engine, opened));
        lane.parcel = Some(parcel);
        self.place(lane);
    }

    #[inline]
    fn place(&mut self, lane: Lane) {
        let slot = lane.stream.slot();
        while self.bells.len() <= slot {
            let next = u32::try_from(self.bells.len()).unwrap_or(u32::MAX);
            self.bells.push(Bell::new(next, Letter::Lane, &self.mailbox));
        }
        if let Some(place) = self.place_of(slot) {
            *place = Place::Lane(lane);
        }
        self.moved.push(u32::try_from(slot).unwrap_or(u32::MAX));
    }

    /// A slot's place, to be taken: one is long, and is made where it stays.
    fn place_of(&mut self, slot: usize) -> Option<&mut Place> {
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, Place::default);
        }
        self.places.get_mut(slot)
    }

    /// Resets a request's stream if it is still this request's.
    fn reset<E: Http>(
        &mut self,
        engine: &mut E,
        now: Instant,
        request: RequestId,
        exchange: &Exchange,
    ) {
        if let Some(lane) = self.lane_of(request, exchange) {
            engine.reset(now, lane.stream);
        }
    }

    /// The same, unless its answer has begun or its body cannot be sent again.
    fn recall<E: Http>(
        &mut self,
        engine: &mut E,
        now: Instant,
        request: RequestId,
        exchange: &Exchange,
    ) {
        if let Some(lane) = self.lane_of(request, exchange)
            && lane.first_byte.is_none()
            && exchange.up.body_state() != BodyState::Spent
        {
            engine.reset(now, lane.stream);
        }
    }

    fn lane_of(&self, request: RequestId, exchange: &Exchange) -> Option<&Lane> {
        let lane = self.places.get(exchange.lane()?.slot())?.lane()?;
        let parcel = lane.parcel.as_ref()?;
        (parcel.request == request).then_some(lane)
    }

    /// Takes the events of the engine.
    pub(super) fn take_events<E: Http>(&mut self, engine: &mut E, now: Instant) -> bool {
        let mut progress = false;
        while let Some(event) = engine.poll_event() {
            progress = true;
            match event {
                Event::Head { stream, head, end } => self.on_head(engine, now, stream, head, end),
                Event::Informational { stream, head } => {
                    if let Some(lane) = self.lane(stream) {
                        lane.incoming(P::SIDE).write(Frame::Head(head));
                    }
                }
                Event::Data { stream, bytes, end } => self.on_data(engine, now, stream, bytes, end),
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
                    #[cfg(feature = "http3")]
                    self.deliver_packets(engine);
                    self.end(now, stream, Outcome::Complete, RetrySafe::Answered);
                }
                Event::Reset { stream, cause, retry } => {
                    // A response that was complete before stands.
                    self.last.release();
                    #[cfg(feature = "http3")]
                    self.deliver_packets(engine);
                    let outcome = match cause {
                        Cause::Cancelled => Outcome::Reset,
                        cause => Outcome::Failed(cause),
                    };
                    self.end(now, stream, outcome, retry);
                }
                Event::Unsayable { stream } => self.on_unsayable(engine, stream),
                Event::Limit(limit) => self.party.on_limit(limit),
                Event::GoAway { .. } => self.party.on_go_away(),
                Event::Pong => self.party.on_pong(),
                Event::AltSvc { stream, payload } => self.party.on_alternatives(stream, &payload),
                Event::Cut(cut) => self.party.on_cut(cut),
                Event::Closed { cause } => self.closed = Some(cause),
                _ => {}
            }
        }
        if progress {
            self.last.release();
        }
        #[cfg(feature = "http3")]
        self.deliver_packets(engine);
        progress
    }

    pub(super) fn lane(&mut self, stream: StreamId) -> Option<&mut Lane> {
        let lane = self.places.get_mut(stream.slot())?.lane_mut()?;
        (lane.stream == stream).then_some(lane)
    }

    fn on_unsayable<E: Http>(&mut self, engine: &E, stream: StreamId) {
        let Some(lane) = self.lane(stream) else { return };
        if let Some(parcel) = &lane.parcel {
            parcel.exchange.fail(unsayable(&parcel.message.head, engine.protocol()));
        }
    }

    fn on_head<E: Http>(
        &mut self,
        engine: &mut E,
        now: Instant,
        stream: StreamId,
        head: Head,
        end: bool,
    ) {
        match head {
            Head::Response(head) => {
                let Some(Place::Lane(lane)) = self.places.get_mut(stream.slot()) else { return };
                if lane.stream != stream {
                    return;
                }
                let status = head.status();
                if status == StatusCode::TOO_EARLY && lane.after_too_early() == Again::Resend {
                    lane.is_too_early = true;
                    return engine.reset(now, stream);
                }
                let facts = lane.answered(now, status);
                if status == StatusCode::SWITCHING_PROTOCOLS
                    || (lane.connect && status.is_success())
                {
                    // From here on both pipes carry the tunnel's bytes.
                    lane.sent = false;
                    lane.may_send = true;
                    self.moved.push(u32::try_from(stream.slot()).unwrap_or(u32::MAX));
                }
                let asked = lane.parcel.as_ref().map(|parcel| &parcel.message.head);
                self.party.on_answered(&facts, asked, &head);
                let frame = Frame::Head(head);
                if end {
                    self.on_last(stream, frame);
                } else if let Some(lane) = self.lane(stream) {
                    lane.exchange.down.write(frame);
                }
            }
            #[cfg_attr(not(feature = "http3"), expect(unused_mut, reason = "HTTP/3 adds to it"))]
            Head::Request(mut head) => {
                let connect = head.method() == Method::CONNECT;
                // Before the service hears of it, which may ask for them at once.
                #[cfg(feature = "http3")]
                let packets = packets::of(engine, stream);
                #[cfg(feature = "http3")]
                packets::announce(packets.as_ref(), &mut head);
                match self.party.on_request(now, stream, head, end) {
                    None => engine.reset(now, stream),
                    Some(Begun::Exchange(exchange)) => {
                        exchange.set_lane(stream);
                        #[cfg_attr(not(feature = "http3"), expect(unused_mut, reason = "as above"))]
                        let mut lane = Lane::new(stream, exchange, connect, now);
                        #[cfg(feature = "http3")]
                        lane.set_packets(packets);
                        self.place(lane);
                    }
                    Some(Begun::Whole(whole)) => {
                        #[cfg(feature = "http3")]
                        packets::end(packets.as_ref());
                        self.say(engine, now, stream, whole);
                    }
                }
            }
        }
    }

    /// Server: hands a whole answer to the engine.
    fn say<E: Http>(&mut self, engine: &mut E, now: Instant, stream: StreamId, whole: Whole) {
        // The service may have told its connection to drain: the answer says so.
        self.hear(engine, now);
        let bytes = whole.body.as_ref().map_or(0, Bytes::len);
        self.said += bytes;
        if let Some(place) = self.place_of(stream.slot()) {
            *place = Place::Said(Said { stream, opened: now, bytes });
        }
        engine.answer(now, stream, whole);
    }

    fn on_data<E: Http>(
        &mut self,
        engine: &mut E,
        now: Instant,
        stream: StreamId,
        bytes: Bytes,
        end: bool,
    ) {
        let Some(lane) = self.lane(stream).filter(|lane| !lane.is_too_early) else { return };
        lane.exchange.receive(bytes.len());
        if lane.is_too_much() {
            return engine.reset(now, stream);
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
        let Some(Place::Lane(lane)) = self.places.get(stream.slot()) else { return };
        if lane.stream != stream || lane.is_too_early {
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
        let place = self.places.get_mut(stream.slot());
        let Some(place) = place.filter(|place| place.stream() == Some(stream)) else { return };
        let lane = match core::mem::take(place) {
            Place::Free => return,
            Place::Said(said) => return self.end_said(now, &said, outcome, retry),
            Place::Lane(lane) => lane,
        };
        lane.end_packets();
        let timing = Timing { opened: lane.opened, first_byte: lane.first_byte, ended: now };
        lane.exchange.charge.give(usize::MAX);
        let (outcome, retry) = match lane.is_too_early {
            // It was answered instead of being acted on.
            true => (Outcome::Failed(Cause::EarlyDataRefused), RetrySafe::Unprocessed),
            false => (outcome, retry),
        };
        self.party.on_ended(Ended {
            stream: Some(stream),
            parcel: lane.parcel,
            exchange: Some(lane.exchange),
            said: 0,
            outcome,
            retry,
            timing,
        });
    }

    fn end_said(&mut self, now: Instant, said: &Said, outcome: Outcome, retry: RetrySafe) {
        self.said -= said.bytes;
        self.party.on_ended(Ended {
            stream: Some(said.stream),
            parcel: None,
            exchange: None,
            said: said.bytes,
            outcome,
            retry,
            timing: Timing { opened: Some(said.opened), first_byte: None, ended: now },
        });
    }

    /// Serves the lanes whose pipes moved: frames out, and room given back.
    pub(super) fn move_lanes<E: Http>(&mut self, engine: &mut E, now: Instant) -> bool {
        if self.moved.is_empty() {
            return false;
        }
        let mut progress = false;
        let mut moved = core::mem::take(&mut self.moved);
        for slot in moved.drain(..) {
            progress |= self.move_lane(engine, now, slot as usize);
        }
        if self.moved.is_empty() {
            self.moved = moved;
        }
        progress
    }

    fn move_lane<E: Http>(&mut self, engine: &mut E, now: Instant, slot: usize) -> bool {
        let (Some(Place::Lane(lane)), Some(bell)) =
            (self.places.get_mut(slot), self.bells.get(slot))
        else {
            return false;
        };
        let waker = bell.waker();
        let mut cx = Context::from_waker(&waker);
        let taken = lane.incoming(P::SIDE).poll_taken(&mut cx);
        let mut progress = taken.is_some();
        #[cfg(feature = "http3")]
        {
            progress |= packets::send(engine, now, lane, &cx);
        }
        if let Some(n) = lane.allowance(P::SIDE, taken) {
            engine.allow(now, lane.stream, n);
        }
        while lane.may_send && !lane.sent {
            let pipe = lane.outgoing(P::SIDE);
            let Poll::Ready((received, ended)) = pipe.poll_read_end(&mut cx) else { break };
            progress = true;
            match received {
                Received::Frame(Frame::Head(head)) => {
                    let last = !is_interim(head.status());
                    if P::SIDE == Side::Server && last && lane.incoming(P::SIDE).has_reader() {
                        // Who has answered and still holds the request's body may read it yet.
                        // A client that was not told to go on before this head does not send it.
                        engine.allow(now, lane.stream, 0);
                    }
                    lane.sent = last && ended;
                    engine.respond_with(now, lane.stream, *head, None, lane.sent);
                }
                Received::Frame(Frame::Data(bytes)) => {
                    lane.sent = ended;
                    lane.may_send = false;
                    lane.charged = bytes.len();
                    engine.send(now, lane.stream, bytes, lane.sent);
                }
                Received::Frame(Frame::Trailers(trailers)) => {
                    lane.sent = true;
                    engine.trailers(now, lane.stream, *trailers);
                }
                Received::Frame(Frame::End) | Received::Finished => {
                    lane.sent = true;
                    engine.send(now, lane.stream, Bytes::new(), true);
                }
                Received::Failed(error) => {
                    lane.sent = true;
                    if P::SIDE == Side::Client {
                        lane.exchange.down.fail(error);
                    }
                    engine.reset(now, lane.stream);
                }
            }
        }
        progress
    }

    /// The connection is gone: everyone is told, also when its task is dropped in the middle of
    /// its work.
    pub(super) fn close(&mut self, now: Instant, cause: Cause) {
        let outcome = Outcome::Failed(cause);
        for place in core::mem::take(&mut self.places) {
            let lane = match place {
                Place::Free => continue,
                Place::Said(said) => {
                    self.end_said(now, &said, outcome, RetrySafe::Unknown);
                    continue;
                }
                Place::Lane(lane) => lane,
            };
            lane.end_packets();
            let timing = Timing { opened: lane.opened, first_byte: lane.first_byte, ended: now };
            let retry = match lane.first_byte {
                Some(_) => RetrySafe::Answered,
                None => RetrySafe::Unknown,
            };
            self.party.on_ended(Ended {
                stream: Some(lane.stream),
                parcel: lane.parcel,
                exchange: Some(lane.exchange),
                said: 0,
                outcome,
                retry,
                timing,
            });
        }
        let mut left = core::mem::take(&mut self.letters);
        left.append(&mut self.mailbox.close());
        self.party.on_closed(cause, left);
    }
}
