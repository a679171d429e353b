//! One request's stream: frames in, pieces out.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use smallvec::SmallVec;

use super::code;
use super::frame::{Frames, Piece, front_len, kind, put_front};
use super::log::{self, Shown};
use super::priority::Priority;
use super::shelf::Shelf;
use crate::engine::Event;
use crate::engine::qlog::Log;
use crate::types::ProtocolFault;

/// Bytes by which DATA frames of less than 256 bytes may fall short of that, per stream (A16).
const SMALL_DATA_DEBT: u64 = 5 << 20;
const SMALL: u64 = 256;
/// Bytes of frames that mean nothing, per stream.
const MOST_UNKNOWN: u64 = 1 << 20;

/// A body's part of fewer bytes goes into one piece with the frames around it.
const SHORT: usize = 1_024;

/// What the peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends with this code.
    Connection(u64),
    /// The stream ends with this code.
    Stream(u64, ProtocolFault),
}

impl Fault {
    /// A malformed message (RFC 9114 4.1.2).
    pub(super) const MALFORMED: Self =
        Self::Stream(code::MESSAGE_ERROR, ProtocolFault::Stream(code::MESSAGE_ERROR as u32));
    /// A frame where it may not stand.
    const UNEXPECTED: Self = Self::Connection(code::FRAME_UNEXPECTED);
}

/// Which part of a message is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The head; a client may get interim ones before.
    Head,
    /// DATA, then perhaps trailers.
    Body,
    /// DATA alone (RFC 9114 4.4).
    Tunnel,
    /// Nothing but the end.
    End,
}

/// What is said behind a section, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// It will be seen.
    Unknown,
    /// A part of a body, so many bytes long, which is not none.
    Part(usize),
    /// Nothing: the message ends.
    Nothing,
}

/// What has come of a frame of fields.
#[derive(Debug)]
enum Section {
    None,
    /// Not whole.
    Partial(BytesMut, u64),
    /// Whole; it waits for the table.
    Blocked(Bytes),
}

/// What there is to do with what came.
#[derive(Debug)]
pub(super) enum Came {
    /// A whole section.
    Section(Bytes),
    /// Part of the body.
    Data(Bytes),
    /// A section beyond the limit begins.
    TooLarge,
}

/// What this side has still to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToSay {
    /// A server's final head.
    Head,
    /// The body.
    Body,
    /// Nothing.
    Nothing,
}

/// A piece of a body that waits for 100 (Continue), or for 2xx to CONNECT.
#[derive(Debug)]
pub(super) enum Held {
    /// Bytes, and whether they are the last.
    Data(Bytes, bool),
    /// A trailer section as it goes out.
    Trailers(http::HeaderMap),
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// The transport's own.
    pub(super) quic: quinn_proto::StreamId,
    /// The driver knows of it.
    pub(super) is_told: bool,
    /// Any part of a response has come.
    pub(super) answered: bool,
    /// Neither the request nor any answer has a body whatever is sent.
    pub(super) is_head: bool,
    pub(super) is_connect: bool,
    /// A server owes 100 (Continue).
    pub(super) owes_continue: bool,
    /// Pieces that wait, if they do.
    pub(super) held: Option<Vec<Held>>,
    pub(super) informational: u32,
    // From the peer.
    pub(super) due: Due,
    /// The peer's half is over, or not wanted.
    pub(super) is_received: bool,
    frames: Frames,
    kind: u64,
    section: Section,
    /// What came behind a section that waits.
    behind: Bytes,
    /// The stream's last event, until it is known whether it ends.
    pub(super) event: Option<Event>,
    /// What the body's length is to be.
    pub(super) length: Option<u64>,
    pub(super) received: u64,
    /// Bytes of the body that came.
    pub(super) came: u64,
    /// A server's deadline is set for it.
    pub(super) is_timed: bool,
    /// Bytes that are delivered and not yet allowed on.
    pub(super) unallowed: usize,
    /// What the transport may hold of it while it is not read.
    pub(super) withheld: u64,
    /// Something of it waits for the transport, which took no more.
    pub(super) is_stuck: bool,
    small_debt: u64,
    unknown: u64,
    // To the peer.
    pub(super) to_say: ToSay,
    /// What has not gone to the transport.
    out: SmallVec<[Bytes; 2]>,
    /// The frames behind it, in one piece for as long as they are short.
    tail: Vec<u8>,
    /// Whether the end goes behind it.
    ends: bool,
    /// The end has gone to the transport, or the half was reset.
    pub(super) is_sent: bool,
    /// Whether the driver waits for [`Event::Capacity`].
    owes_capacity: bool,
    /// Some of it has gone to the transport, and how many bytes.
    pub(super) was_written: bool,
    pub(super) written: u64,
    /// The peer's half may have something to read.
    pub(super) is_readable: bool,
    /// It is on the list of those to be looked at.
    pub(super) is_listed: bool,
    /// What was said of its priority, and whether a frame said it, which counts more than the
    /// head (RFC 9218 7).
    pub(super) priority: Option<Priority>,
    pub(super) is_updated: bool,
    /// The same as the transport's number, and the one that it was told.
    pub(super) rank: i32,
    pub(super) told_rank: i32,
    /// It may have datagrams.
    pub(super) has_datagrams: bool,
}

impl Stream {
    pub(super) fn new(quic: quinn_proto::StreamId, to_say: ToSay) -> Self {
        Self {
            quic,
            is_told: false,
            answered: false,
            is_head: false,
            is_connect: false,
            owes_continue: false,
            held: None,
            informational: 0,
            due: Due::Head,
            is_received: false,
            frames: Frames::default(),
            kind: 0,
            section: Section::None,
            behind: Bytes::new(),
            event: None,
            length: None,
            received: 0,
            came: 0,
            is_timed: false,
            unallowed: 0,
            withheld: 0,
            is_stuck: false,
            small_debt: 0,
            unknown: 0,
            to_say,
            out: SmallVec::new(),
            tail: Vec::new(),
            ends: false,
            is_sent: false,
            owes_capacity: false,
            was_written: false,
            written: 0,
            is_readable: false,
            is_listed: false,
            priority: None,
            is_updated: false,
            rank: 0,
            told_rank: 0,
            has_datagrams: false,
        }
    }

    /// `n` bytes were read.
    pub(super) fn give_back(&mut self, n: usize) {
        if self.unallowed > 0 {
            // The debt of the frames that were read goes with them, on average.
            let left = self.unallowed - n;
            let debt = u128::from(self.small_debt) * left as u128 / self.unallowed as u128;
            self.small_debt = u64::try_from(debt).unwrap_or(u64::MAX);
            self.unallowed = left;
        }
    }

    /// Whether its section waits for the table.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.section, Section::Blocked(_))
    }

    /// The section waits for the table.
    pub(super) fn block(&mut self, section: Bytes) {
        self.section = Section::Blocked(section);
    }

    /// Takes the section that waited.
    pub(super) fn unblock(&mut self) -> Option<Bytes> {
        match core::mem::replace(&mut self.section, Section::None) {
            Section::Blocked(section) => Some(section),
            other => {
                self.section = other;
                None
            }
        }
    }

    /// What came and could not be looked at before.
    pub(super) fn take_behind(&mut self) -> Bytes {
        core::mem::take(&mut self.behind)
    }

    /// Keeps what came behind a section that waits.
    pub(super) fn keep_behind(&mut self, bytes: Bytes) {
        self.behind = bytes;
    }

    /// The next thing in `input`, which is taken apart; nothing when it is used up. Sections
    /// longer than `most` are not taken in.
    pub(super) fn take(
        &mut self,
        input: &mut Bytes,
        most: u64,
        is_server: bool,
        log: Option<&Log>,
    ) -> Result<Option<Came>, Fault> {
        while let Some(piece) = self.frames.next(input) {
            let came = match piece {
                Piece::Front { kind, len } => {
                    if let Some(log) = log.filter(|_| kind != kind::HEADERS) {
                        let stream = super::client::number(self.quic);
                        log::parsed(log, Shown { stream, kind, length: len });
                    }
                    self.on_front(kind, len, most, is_server)?
                }
                Piece::Part(bytes) => self.on_part(bytes),
            };
            if came.is_some() {
                return Ok(came);
            }
        }
        Ok(None)
    }

    fn on_front(
        &mut self,
        kind: u64,
        len: u64,
        most: u64,
        is_server: bool,
    ) -> Result<Option<Came>, Fault> {
        self.kind = kind;
        match kind {
            kind::DATA => self.on_data_front(len).map(|()| None),
            kind::HEADERS => match self.due {
                Due::Tunnel | Due::End => Err(Fault::UNEXPECTED),
                Due::Head | Due::Body if len > most => Ok(Some(Came::TooLarge)),
                Due::Head | Due::Body if len == 0 => Ok(Some(Came::Section(Bytes::new()))),
                Due::Head | Due::Body => {
                    self.section = Section::Partial(BytesMut::new(), len);
                    Ok(None)
                }
            },
            // No push was ever allowed.
            kind::PUSH_PROMISE if !is_server => Err(Fault::Connection(code::ID_ERROR)),
            kind::PUSH_PROMISE
            | kind::CANCEL_PUSH
            | kind::SETTINGS
            | kind::GOAWAY
            | kind::MAX_PUSH_ID
            | kind::PRIORITY_UPDATE
            | kind::PRIORITY_UPDATE_PUSH => Err(Fault::UNEXPECTED),
            _ if kind::HTTP2_ONLY.contains(&kind) => Err(Fault::UNEXPECTED),
            // RFC 9114 9.
            _ => {
                self.unknown = self.unknown.saturating_add(len).saturating_add(SMALL);
                match self.unknown > MOST_UNKNOWN {
                    true => Err(Fault::Connection(code::EXCESSIVE_LOAD)),
                    false => Ok(None),
                }
            }
        }
    }

    fn on_data_front(&mut self, len: u64) -> Result<(), Fault> {
        if matches!(self.due, Due::Head | Due::End) {
            return Err(Fault::UNEXPECTED);
        }
        // A body that comes by itself needs no 100 (RFC 9110 10.1.1).
        self.owes_continue = false;
        self.small_debt += SMALL.saturating_sub(len);
        if self.small_debt > SMALL_DATA_DEBT {
            return Err(Fault::Stream(code::EXCESSIVE_LOAD, ProtocolFault::Excessive));
        }
        self.received = self.received.saturating_add(len);
        match self.length {
            Some(length) if self.received > length => Err(Fault::MALFORMED),
            _ => Ok(()),
        }
    }

    fn on_part(&mut self, bytes: Bytes) -> Option<Came> {
        match self.kind {
            kind::DATA => Some(Came::Data(bytes)),
            kind::HEADERS => {
                let Section::Partial(so_far, len) = &mut self.section else { return None };
                // Mostly it comes whole.
                if so_far.is_empty() && bytes.len() as u64 == *len {
                    self.section = Section::None;
                    return Some(Came::Section(bytes));
                }
                so_far.extend_from_slice(&bytes);
                if self.frames.left() > 0 {
                    return None;
                }
                let whole = core::mem::take(so_far).freeze();
                self.section = Section::None;
                Some(Came::Section(whole))
            }
            _ => None,
        }
    }

    /// The peer has ended its half: whether the message is complete.
    pub(super) fn on_end(&self) -> Result<(), Fault> {
        if !self.frames.is_between() {
            return Err(Fault::Connection(code::FRAME_ERROR));
        }
        if self.due == Due::Head {
            let code = code::REQUEST_INCOMPLETE;
            return Err(Fault::Stream(code, ProtocolFault::Stream(code as u32)));
        }
        match self.length {
            Some(length) if self.received != length => Err(Fault::MALFORMED),
            _ => Ok(()),
        }
    }

    /// Says a section of fields. One that is the message's last word lies on the `shelf`, beside
    /// those of other streams.
    pub(super) fn say_section(&mut self, section: &[u8], behind: Behind, shelf: &mut Shelf) {
        let length = front_len(kind::HEADERS, section.len()) + section.len();
        let part = match behind {
            Behind::Unknown => 0,
            Behind::Part(length) => room_of_part(length),
            Behind::Nothing => {
                self.cut();
                return self.out.push(shelf.put(length, |out| {
                    put_front(out, kind::HEADERS, section.len());
                    out.extend_from_slice(section);
                }));
            }
        };
        self.tail.reserve_exact(length + part);
        put_front(&mut self.tail, kind::HEADERS, section.len());
        self.tail.extend_from_slice(section);
    }

    /// Says part of a body.
    pub(super) fn say(&mut self, bytes: Bytes, end: bool) {
        if !bytes.is_empty() {
            self.tail.reserve_exact(room_of_part(bytes.len()));
            put_front(&mut self.tail, kind::DATA, bytes.len());
            if bytes.len() < SHORT {
                self.tail.extend_from_slice(&bytes);
            } else {
                self.cut();
                self.out.push(bytes);
            }
        }
        if end {
            self.finish();
        } else {
            self.owes_capacity = true;
        }
    }

    /// What is said from here on is another piece.
    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.out.push(core::mem::take(&mut self.tail).into());
        }
    }

    /// This half ends behind what was said.
    pub(super) fn finish(&mut self) {
        self.to_say = ToSay::Nothing;
        self.ends = true;
        self.owes_capacity = false;
    }

    /// This half was given up: nothing more goes out.
    pub(super) fn hush(&mut self) {
        self.to_say = ToSay::Nothing;
        self.out.clear();
        self.tail.clear();
        self.held = None;
        self.ends = false;
        self.owes_capacity = false;
        self.is_sent = true;
    }

    /// Whether something waits to go to the transport, or the driver for word that all has gone.
    pub(super) fn has_output(&self) -> bool {
        let has_more = !self.out.is_empty() || !self.tail.is_empty() || self.ends;
        !self.is_sent && (has_more || self.owes_capacity)
    }

    /// Tells the transport how urgent the stream is.
    pub(super) fn prioritize(&mut self, send: &mut quinn_proto::SendStream<'_>) {
        if self.told_rank != self.rank {
            self.told_rank = self.rank;
            let _closed = send.set_priority(self.rank);
        }
    }

    /// Gives the transport what it takes. Returns whether the driver is to hear of capacity.
    pub(super) fn write(
        &mut self,
        send: &mut quinn_proto::SendStream<'_>,
    ) -> Result<bool, quinn_proto::WriteError> {
        self.cut();
        while !self.out.is_empty() {
            let written = send.write_chunks(&mut self.out)?;
            self.was_written |= written.bytes > 0;
            self.written += written.bytes as u64;
            self.out.drain(..written.chunks);
            if written.bytes == 0 && written.chunks == 0 {
                return Ok(false);
            }
        }
        if self.ends && !self.is_sent {
            self.is_sent = true;
            self.was_written = true;
            if send.finish().is_err() {
                return Err(quinn_proto::WriteError::ClosedStream);
            }
        }
        Ok(core::mem::take(&mut self.owes_capacity) && self.to_say == ToSay::Body)
    }

    /// Whether a response of this status has a body here.
    pub(super) fn has_content(&self, status: StatusCode) -> bool {
        !self.is_head && !crate::engine::head::has_no_content(status)
    }
}

/// How much of a body's part goes into one piece with the frames around it: its frame's front, and
/// itself where it is short.
const fn room_of_part(length: usize) -> usize {
    front_len(kind::DATA, length) + if length < SHORT { length } else { 0 }
}
