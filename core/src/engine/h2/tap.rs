//! The frame tap: sees every frame header in both directions, counts what an attacker would
//! send, and keeps what h2 hides.
//!
//! h2's own limits are off, because they count by the wall clock or over a connection's whole
//! life and then kill peers that did nothing wrong. The limits here are per ten seconds of the
//! driver's time (attack cases A01 to A17). Over one of them the tap stops letting input through
//! and the engine closes the connection with ENHANCE_YOUR_CALM.

use std::collections::{BTreeMap, VecDeque};

use super::alternatives::Alternatives;
use super::frame::{Frame, Step, Walker, code, flag, kind};
use super::heads::Heads;
use super::input::Input;
use super::rate::Rate;
use super::setting::Settings;
use crate::downstream::Cut;
use crate::time::Instant;

/// Resets of unanswered streams by a client (A01, A02).
const RESETS: u32 = 200;
/// .. or more than half of all streams, once there were so many.
const RESETS_SAMPLE: u32 = 100;
/// Resets that the peer made us send by breaking a rule (A03).
const FORCED_RESETS: u32 = 50;
/// Streams refused because the peer opened too many (A19).
const REFUSALS: u32 = 2_000;
/// DATA frames without data that do not end a stream (A12).
const EMPTY_DATA: u32 = 256;
/// DATA frames of less than 256 bytes (A16). Memory is bounded by stream; this is processor time.
const SMALL_DATA: u32 = 200_000;
const SMALL: usize = 256;
/// PING (A09). A peer that measures its bandwidth sends one a round trip.
const PINGS: u32 = 10_000;
/// SETTINGS, with or without ACK (A09, A17).
const SETTINGS: u32 = 500;
/// PRIORITY and frames of unknown type (A11).
const OTHER: u32 = 10_000;
/// WINDOW_UPDATE, beside ten for each DATA frame that we sent.
const WINDOW_UPDATES: u32 = 10_000;
const WINDOW_UPDATES_PER_DATA: u32 = 10;
/// Frames for streams that are closed, beside those that were on their way when this side reset
/// them: about a window's worth of DATA in Ethernet's packets.
const LATE: u32 = 10_000;
const LATE_PER_RESET: u32 = 1_000;
/// CONTINUATION frames of one header block (A04).
const CONTINUATIONS: u32 = 16;

#[derive(Debug, Default)]
struct Rates {
    resets: Rate,
    forced: Rate,
    refusals: Rate,
    empty: Rate,
    small: Rate,
    pings: Rate,
    settings: Rate,
    other: Rate,
    updates: Rate,
    late: Rate,
    /// Late frames and WINDOW_UPDATE that are not counted, because this side caused them.
    late_credit: u32,
    update_credit: u32,
}

/// Which halves of a stream are still open on the wire.
#[derive(Clone, Copy, Debug)]
struct Halves {
    theirs: bool,
    ours: bool,
    /// A server has told of it.
    told: bool,
}

/// A GOAWAY of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoAway {
    /// The highest stream that it may have acted on.
    pub(super) last: u32,
    /// Its error code.
    pub(super) code: u32,
}

/// The tap of one connection.
#[derive(Debug)]
pub(super) struct Tap {
    is_server: bool,
    now: Instant,
    walker: Walker,
    /// Bytes of the client's preface that a server has yet to pass on.
    preface_left: usize,
    swallowing: bool,
    live: BTreeMap<u32, Halves>,
    highest: u32,
    opened: u32,
    unanswered_resets: u32,
    rates: Rates,
    /// Since when the peer owes the end of a header block, and its CONTINUATION frames so far.
    block: Option<Instant>,
    continuations: u32,
    /// Whether this side is inside a header block.
    block_out: bool,
    /// SETTINGS that wait for an ACK: h2's (`None`) and the engine's (the new stream limit).
    unacked: VecDeque<Option<u32>>,
    /// The limits that the peer has acknowledged: behind which of its streams, and what.
    acked_limits: VecDeque<(u32, u32)>,
    /// The peer has acknowledged h2's SETTINGS.
    acked: bool,
    next_is_ours: Option<u32>,
    go_away: Option<GoAway>,
    go_aways_sent: u32,
    streams_reset: u32,
    headers_sent: u32,
    last_received: Instant,
    abuse: Option<Cut>,
    /// The peer has sent its first frame.
    begun: bool,
    /// What comes is the payload of SETTINGS.
    in_settings: bool,
    pub(super) settings: Settings,
    /// The code of an error of the connection that h2 does not see, or calls by another name.
    fault: Option<u32>,
    /// The peer's last frame: the payload of DATA counts before it is whole.
    last_kind: u8,
    data_in: u64,
    data_out: u64,
    /// What h2 has refused by itself and was not counted yet.
    refused: Refused,
    alternatives: Alternatives,
    pub(super) heads: Heads,
}

/// Streams that h2 has refused without telling of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refused {
    /// REFUSED_STREAM: more than are granted.
    pub(super) streams: u32,
    /// 431: their head was too large.
    pub(super) heads: u32,
}

impl Tap {
    /// Makes the tap of a new connection.
    pub(super) fn new(is_server: bool, preface_left: usize, max_head: u32, now: Instant) -> Self {
        Self {
            is_server,
            now,
            walker: Walker::default(),
            preface_left,
            swallowing: false,
            live: BTreeMap::new(),
            highest: 0,
            opened: 0,
            unanswered_resets: 0,
            rates: Rates::default(),
            block: None,
            continuations: 0,
            block_out: false,
            unacked: VecDeque::new(),
            acked_limits: VecDeque::new(),
            acked: false,
            next_is_ours: None,
            go_away: None,
            go_aways_sent: 0,
            streams_reset: 0,
            headers_sent: 0,
            last_received: now,
            abuse: None,
            begun: false,
            in_settings: false,
            settings: Settings::default(),
            fault: None,
            last_kind: kind::SETTINGS,
            data_in: 0,
            data_out: 0,
            refused: Refused::default(),
            alternatives: Alternatives::default(),
            heads: Heads::new(max_head),
        }
    }

    /// Tells the time.
    pub(super) const fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Whether this side is the server.
    pub(super) const fn is_server(&self) -> bool {
        self.is_server
    }

    /// Which limit the peer went over, if any.
    pub(super) const fn abuse(&self) -> Option<Cut> {
        self.abuse
    }

    /// The code of an error of the connection, if the peer has made one that h2 was not shown.
    pub(super) const fn fault(&self) -> Option<u32> {
        self.fault
    }

    /// Bytes of DATA so far: from the peer, and to it.
    pub(super) const fn data(&self) -> (u64, u64) {
        (self.data_in, self.data_out)
    }

    /// The type of the peer's last frame.
    pub(super) const fn last_kind(&self) -> u8 {
        self.last_kind
    }

    /// What h2 has refused by itself since the last call.
    pub(super) const fn take_refused(&mut self) -> Refused {
        core::mem::replace(&mut self.refused, Refused { streams: 0, heads: 0 })
    }

    /// The oldest ALTSVC frame that came to a client and was not taken.
    pub(super) fn take_alternative(&mut self) -> Option<(u32, Vec<u8>)> {
        self.alternatives.take()
    }

    /// A server knows of the stream: what is sent on it is the server's own.
    pub(super) fn told(&mut self, stream: u32) {
        if let Some(halves) = self.live.get_mut(&stream) {
            halves.told = true;
        }
    }

    /// Whether no stream is open in either direction.
    pub(super) fn is_idle(&self) -> bool {
        self.live.is_empty()
    }

    /// The peer's last GOAWAY.
    pub(super) const fn go_away(&self) -> Option<GoAway> {
        self.go_away
    }

    /// How many GOAWAY frames this side has sent.
    pub(super) const fn go_aways_sent(&self) -> u32 {
        self.go_aways_sent
    }

    /// How many streams this side has reset.
    pub(super) const fn streams_reset(&self) -> u32 {
        self.streams_reset
    }

    /// Whether the request of `stream` has been written (or came, at a server).
    pub(super) const fn was_sent(&self, stream: u32) -> bool {
        self.is_server || stream <= self.headers_sent
    }

    /// How many requests up to `highest`, a client's last, have not been written.
    pub(super) const fn unsent(&self, highest: u32) -> u32 {
        highest.saturating_sub(self.headers_sent).div_ceil(2)
    }

    /// When something last came from the peer.
    pub(super) const fn last_received(&self) -> Instant {
        self.last_received
    }

    /// Since when a header block is incomplete.
    pub(super) const fn block_since(&self) -> Option<Instant> {
        self.block
    }

    /// Whether writing may pause here: not inside a header block.
    pub(super) const fn may_pause(&self) -> bool {
        !self.block_out
    }

    /// The next SETTINGS that is sent sets the stream limit and is the engine's own.
    pub(super) const fn expect_own_settings(&mut self, limit: u32) {
        self.next_is_ours = Some(limit);
    }

    /// The stream limit that holds for a stream of the peer, if one was acknowledged since the
    /// stream before: what came in front of the ACK, be it in the same bytes, is not held to it.
    pub(super) fn take_acked_limit(&mut self, stream: u32) -> Option<u32> {
        let mut limit = None;
        while let Some((_, acked)) = self.acked_limits.pop_front_if(|(last, _)| *last < stream) {
            limit = Some(acked);
        }
        limit
    }

    /// The peer will keep to a limit from the stream on that it opens next.
    fn acked_limit(&mut self, limit: u32) {
        let last = self.highest;
        self.acked_limits.pop_back_if(|(earlier, _)| *earlier == last);
        self.acked_limits.push_back((last, limit));
    }

    /// Whether the peer has acknowledged h2's SETTINGS since the last call.
    pub(super) const fn take_acked(&mut self) -> bool {
        core::mem::replace(&mut self.acked, false)
    }

    /// Walks what the peer sent, and passes on what h2 is to see.
    pub(super) fn incoming(&mut self, mut input: &[u8], pass: &mut Input) {
        self.last_received = self.now;
        while !input.is_empty() && self.abuse.is_none() && self.fault.is_none() {
            let n = if self.preface_left > 0 {
                let n = input.len().min(self.preface_left);
                self.preface_left -= n;
                pass.put(input.get(..n).unwrap_or_default(), Some(input.len()));
                n
            } else {
                self.incoming_step(input, pass)
            };
            input = input.get(n..).unwrap_or_default();
        }
    }

    fn incoming_step(&mut self, input: &[u8], pass: &mut Input) -> usize {
        match self.walker.step(input) {
            Step::Partial(n) => n,
            Step::Header(n, frame) => {
                self.last_kind = frame.kind;
                self.began(frame);
                self.swallowing = self.is_swallowed(frame);
                if !self.swallowing && self.fault.is_none() {
                    let header = self.walker.header();
                    pass.put(header, (n == header.len()).then_some(input.len()));
                }
                if self.walker.is_bare()
                    && let Step::Payload(_, Some(frame)) = self.walker.step(&[])
                {
                    self.received(frame);
                }
                n
            }
            Step::Payload(n, done) => {
                let payload = input.get(..n).unwrap_or_default();
                if self.in_settings {
                    self.fault = self.settings.take(payload, self.is_server);
                }
                if self.fault.is_some() {
                    return n;
                }
                if self.last_kind == kind::DATA {
                    self.data_in += n as u64;
                }
                self.alternatives.take_in(payload);
                if !self.swallowing {
                    pass.put(payload, Some(input.len()));
                }
                if let Some(frame) = done {
                    self.received(frame);
                }
                n
            }
        }
    }

    /// The ACK of the engine's own SETTINGS, which h2 would take for an error, and empty DATA
    /// that means nothing, of which h2 allows a hundred in a connection's life.
    fn is_swallowed(&self, frame: Frame) -> bool {
        match frame.kind {
            kind::SETTINGS => frame.has(flag::ACK) && matches!(self.unacked.front(), Some(Some(_))),
            kind::DATA => {
                frame.len == 0
                    && !frame.has(flag::END_STREAM)
                    && self.live.get(&frame.stream).is_some_and(|halves| halves.theirs)
            }
            _ => false,
        }
    }

    /// A header of the peer is complete; its payload may still be to come.
    fn began(&mut self, frame: Frame) {
        self.in_settings = frame.kind == kind::SETTINGS && !frame.has(flag::ACK);
        self.settings.begin();
        if !core::mem::replace(&mut self.begun, true) && !self.in_settings {
            // RFC 9113 3.4: each side begins with SETTINGS. h2 would go on without.
            self.fault = Some(code::PROTOCOL_ERROR);
        } else if frame.is_misshapen() {
            // h2 calls it PROTOCOL_ERROR.
            self.fault = Some(code::FRAME_SIZE_ERROR);
        }
        match frame.kind {
            kind::HEADERS | kind::PUSH_PROMISE => {
                self.block = Some(self.now);
                self.continuations = 0;
                self.heads.begin(frame.stream, frame.len);
            }
            kind::ALTSVC if !self.is_server => self.alternatives.begin(frame.len),
            kind::CONTINUATION => {
                self.continuations += 1;
                self.heads.go_on(frame.len);
                self.limit(self.continuations, CONTINUATIONS, Cut::FloodContinuation);
            }
            _ => {}
        }
    }

    /// A frame of the peer is complete.
    fn received(&mut self, frame: Frame) {
        let now = self.now;
        match frame.kind {
            kind::DATA => self.received_data(frame),
            kind::HEADERS => self.received_headers(frame),
            kind::CONTINUATION | kind::PUSH_PROMISE => self.received_block_end(frame),
            kind::RST_STREAM => self.received_reset(frame),
            kind::SETTINGS => {
                let count = self.rates.settings.hit(now);
                self.limit(count, SETTINGS, Cut::FloodSettings);
                self.settings.end(frame);
                if frame.has(flag::ACK) {
                    match self.unacked.pop_front() {
                        Some(Some(limit)) => self.acked_limit(limit),
                        Some(None) => self.acked = true,
                        None => {}
                    }
                }
            }
            kind::PING => {
                let count = self.rates.pings.hit(now);
                self.limit(count, PINGS, Cut::FloodPing);
            }
            kind::GOAWAY => {
                // h2 ends a connection whose last stream rises.
                let last = frame.word(0) & 0x7fff_ffff;
                self.go_away = Some(GoAway { last, code: frame.word(1) });
            }
            kind::WINDOW_UPDATE => {
                if let Some(left) = self.rates.update_credit.checked_sub(1) {
                    self.rates.update_credit = left;
                } else {
                    let count = self.rates.updates.hit(now);
                    self.limit(count, WINDOW_UPDATES, Cut::FloodWindowUpdate);
                }
            }
            _ => {
                let is_ours = frame.stream == 0 || self.live.contains_key(&frame.stream);
                self.alternatives.end(frame.stream, is_ours);
                let count = self.rates.other.hit(now);
                self.limit(count, OTHER, Cut::FloodOther);
            }
        }
    }

    fn received_data(&mut self, frame: Frame) {
        let now = self.now;
        if !self.note_late(frame) {
            return;
        }
        let end = frame.has(flag::END_STREAM);
        let len = frame.data_len();
        if end {
            self.close(frame.stream, |halves| halves.theirs = false);
        } else if len == 0 {
            let count = self.rates.empty.hit(now);
            self.limit(count, EMPTY_DATA, Cut::FloodEmptyData);
        } else if len < SMALL {
            let count = self.rates.small.hit(now);
            self.limit(count, SMALL_DATA, Cut::FloodSmallData);
        }
    }

    fn received_headers(&mut self, frame: Frame) {
        if self.is_server && frame.stream > self.highest {
            self.highest = frame.stream;
            self.note_opened(frame.stream);
        } else if !self.note_late(frame) {
            self.received_block_end(frame);
            return;
        }
        if frame.has(flag::END_STREAM) {
            self.close(frame.stream, |halves| halves.theirs = false);
        }
        self.received_block_end(frame);
    }

    const fn received_block_end(&mut self, frame: Frame) {
        if frame.has(flag::END_HEADERS) {
            self.block = None;
        }
    }

    fn received_reset(&mut self, frame: Frame) {
        let now = self.now;
        let Some(halves) = self.live.remove(&frame.stream) else {
            let count = self.rates.other.hit(now);
            return self.limit(count, OTHER, Cut::FloodOther);
        };
        if self.is_server && halves.ours {
            self.unanswered_resets += 1;
            let count = self.rates.resets.hit(now);
            self.limit(count, RESETS, Cut::FloodReset);
            if self.opened >= RESETS_SAMPLE && self.unanswered_resets > self.opened / 2 {
                self.abuse = Some(Cut::FloodReset);
            }
        }
    }

    /// Whether the peer may still send on the frame's stream; counts it if not.
    fn note_late(&mut self, frame: Frame) -> bool {
        if self.live.get(&frame.stream).is_some_and(|halves| halves.theirs) {
            return true;
        }
        if let Some(left) = self.rates.late_credit.checked_sub(1) {
            self.rates.late_credit = left;
        } else {
            let count = self.rates.late.hit(self.now);
            self.limit(count, LATE, Cut::FloodLate);
        }
        false
    }

    fn note_opened(&mut self, stream: u32) {
        self.live.insert(stream, Halves { theirs: true, ours: true, told: false });
        self.opened += 1;
        if self.opened >= 10 * RESETS_SAMPLE {
            // Old streams count less and less.
            self.opened /= 2;
            self.unanswered_resets /= 2;
        }
    }

    fn close(&mut self, stream: u32, half: impl FnOnce(&mut Halves)) {
        if let Some(halves) = self.live.get_mut(&stream) {
            half(halves);
            if !halves.theirs && !halves.ours {
                self.live.remove(&stream);
            }
        }
    }

    fn limit(&mut self, count: u32, most: u32, what: Cut) {
        if count > most {
            self.abuse.get_or_insert(what);
        }
    }

    /// A frame of this side is complete.
    pub(super) fn sent(&mut self, frame: Frame) {
        match frame.kind {
            kind::DATA => {
                self.data_out += frame.len as u64;
                let credit = &mut self.rates.update_credit;
                *credit = credit.saturating_add(WINDOW_UPDATES_PER_DATA);
                if frame.has(flag::END_STREAM) {
                    self.close(frame.stream, |halves| halves.ours = false);
                }
            }
            kind::HEADERS => {
                self.block_out = !frame.has(flag::END_HEADERS);
                if !self.is_server && frame.stream > self.headers_sent {
                    self.headers_sent = frame.stream;
                    self.note_opened(frame.stream);
                }
                let untold = |halves: &Halves| self.is_server && !halves.told;
                if self.live.get(&frame.stream).is_some_and(untold) {
                    self.refused.heads += 1;
                }
                if frame.has(flag::END_STREAM) {
                    self.close(frame.stream, |halves| halves.ours = false);
                }
            }
            kind::CONTINUATION => self.block_out = !frame.has(flag::END_HEADERS),
            kind::RST_STREAM => self.sent_reset(frame),
            kind::SETTINGS if !frame.has(flag::ACK) => {
                self.unacked.push_back(self.next_is_ours.take());
            }
            kind::GOAWAY => self.go_aways_sent += 1,
            _ => {}
        }
    }

    fn sent_reset(&mut self, frame: Frame) {
        let now = self.now;
        self.live.remove(&frame.stream);
        if frame.word(0) == code::REFUSED_STREAM {
            self.refused.streams += 1;
            let count = self.rates.refusals.hit(now);
            return self.limit(count, REFUSALS, Cut::FloodRefused);
        }
        self.streams_reset = self.streams_reset.saturating_add(1);
        let forced = match frame.word(0) {
            code::PROTOCOL_ERROR
            | code::FLOW_CONTROL_ERROR
            | code::FRAME_SIZE_ERROR
            | code::COMPRESSION_ERROR => true,
            // A client answers each late frame so.
            code::STREAM_CLOSED => self.is_server,
            _ => {
                let credit = &mut self.rates.late_credit;
                *credit = credit.saturating_add(LATE_PER_RESET);
                false
            }
        };
        if forced {
            let count = self.rates.forced.hit(now);
            self.limit(count, FORCED_RESETS, Cut::FloodForcedReset);
        }
    }
}
