//! Frames and settings (RFC 9114 7), which are made of integers of variable length.

use bytes::{Buf, BufMut, Bytes};

use super::code;
use crate::engine::integer;

/// Kinds of frames (RFC 9114 7.2, RFC 9218 7.2).
pub(super) mod kind {
    pub(crate) const DATA: u64 = 0x0;
    pub(crate) const HEADERS: u64 = 0x1;
    pub(crate) const CANCEL_PUSH: u64 = 0x3;
    pub(crate) const SETTINGS: u64 = 0x4;
    pub(crate) const PUSH_PROMISE: u64 = 0x5;
    pub(crate) const GOAWAY: u64 = 0x7;
    pub(crate) const MAX_PUSH_ID: u64 = 0xd;
    pub(crate) const PRIORITY_UPDATE: u64 = 0xf_0700;
    pub(crate) const PRIORITY_UPDATE_PUSH: u64 = 0xf_0701;
    /// What HTTP/2 has and HTTP/3 has not (RFC 9114 7.2.8).
    pub(crate) const HTTP2_ONLY: [u64; 4] = [0x2, 0x6, 0x8, 0x9];
}

/// Settings (RFC 9114 7.2.4.1, RFC 9204 5, RFC 9220 5, RFC 9297 5.1).
mod setting {
    pub(super) const TABLE_CAPACITY: u64 = 0x1;
    pub(super) const MAX_FIELD_SECTION: u64 = 0x6;
    pub(super) const BLOCKED_STREAMS: u64 = 0x7;
    pub(super) const CONNECT_PROTOCOL: u64 = 0x8;
    pub(super) const DATAGRAM: u64 = 0x33;
    /// What HTTP/2 has and HTTP/3 has not (RFC 9114 7.2.4.1).
    pub(super) const HTTP2_ONLY: [u64; 5] = [0x0, 0x2, 0x3, 0x4, 0x5];
}

/// Writes the front of a frame.
pub(super) fn put_front(out: &mut impl BufMut, kind: u64, len: usize) {
    integer::put(out, kind);
    integer::put(out, len as u64);
}

/// How long a frame's front is.
pub(super) const fn front_len(kind: u64, len: usize) -> usize {
    integer::len(kind) + integer::len(len as u64)
}

/// Writes a frame that is one integer.
pub(super) fn put_number(out: &mut Vec<u8>, kind: u64, number: u64) {
    let mut payload = Vec::with_capacity(8);
    integer::put(&mut payload, number);
    put_front(out, kind, payload.len());
    out.append(&mut payload);
}

/// A part of a stream of frames.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A frame begins. What follows are its `len` bytes, in parts.
    Front {
        /// Which.
        kind: u64,
        /// How long.
        len: u64,
    },
    /// Some of its bytes.
    Part(Bytes),
}

/// Takes a stream of frames apart, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The front of a frame, as far as it has come.
    front: [u8; 16],
    filled: u8,
    /// What is left of the frame.
    left: u64,
}

impl Frames {
    /// Whether the stream may end here (RFC 9114 7.1).
    pub(super) const fn is_between(&self) -> bool {
        self.filled == 0 && self.left == 0
    }

    /// What is left of the frame that has begun.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// The next piece of `input`; nothing when it is used up.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Option<Piece> {
        if input.is_empty() {
            return None;
        }
        if self.left > 0 {
            let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
            self.left -= n as u64;
            return Some(Piece::Part(input.split_to(n)));
        }
        if self.filled == 0 {
            let mut rest = &input[..];
            if let Some(front) = front(&mut rest) {
                let read = input.len() - rest.len();
                input.advance(read);
                return Some(self.begin(front));
            }
        }
        while !input.is_empty() {
            if let Some(place) = self.front.get_mut(usize::from(self.filled)) {
                *place = input.get_u8();
                self.filled += 1;
            }
            let mut so_far = self.front.get(..usize::from(self.filled))?;
            if let Some(front) = front(&mut so_far) {
                self.filled = 0;
                return Some(self.begin(front));
            }
        }
        None
    }

    const fn begin(&mut self, (kind, len): (u64, u64)) -> Piece {
        self.left = len;
        Piece::Front { kind, len }
    }
}

fn front(from: &mut &[u8]) -> Option<(u64, u64)> {
    Some((integer::take(from)?, integer::take(from)?))
}

/// What one side grants the other (RFC 9114 7.2.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most that the dynamic table of fields may hold, in bytes. Default 0.
    pub table_capacity: u64,
    /// How many streams may wait for the table. Default 0.
    pub blocked_streams: u64,
    /// Largest section of fields, in bytes as RFC 9114 4.2.2 counts them. Default without end.
    pub max_field_section: u64,
    /// Whether extended CONNECT is understood (RFC 9220). Default no.
    pub connect_protocol: bool,
    /// Whether datagrams are understood (RFC 9297). Default no.
    pub datagrams: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            table_capacity: 0,
            blocked_streams: 0,
            max_field_section: integer::MOST,
            connect_protocol: false,
            datagrams: false,
        }
    }
}

impl Settings {
    /// Writes the frame, with one setting that means nothing: `grease` chooses it (RFC 9114
    /// 7.2.4.1).
    pub(super) fn put(&self, out: &mut Vec<u8>, grease: u64) {
        let mut payload = Vec::with_capacity(32);
        let all = [
            (setting::TABLE_CAPACITY, self.table_capacity, 0),
            (setting::MAX_FIELD_SECTION, self.max_field_section, integer::MOST),
            (setting::BLOCKED_STREAMS, self.blocked_streams, 0),
            (setting::CONNECT_PROTOCOL, u64::from(self.connect_protocol), 0),
            (setting::DATAGRAM, u64::from(self.datagrams), 0),
            (reserved(grease), grease, integer::MOST),
        ];
        for (setting, value, default) in all {
            if value != default {
                integer::put(&mut payload, setting);
                integer::put(&mut payload, value);
            }
        }
        put_front(out, kind::SETTINGS, payload.len());
        out.append(&mut payload);
    }

    /// Reads a frame's payload; else the code of the error.
    pub(super) fn read(mut payload: &[u8]) -> Result<Self, u64> {
        let mut settings = Self::default();
        let mut seen = Vec::new();
        while !payload.is_empty() {
            let (id, value) = front(&mut payload).ok_or(code::FRAME_ERROR)?;
            if seen.contains(&id) || setting::HTTP2_ONLY.contains(&id) {
                return Err(code::SETTINGS_ERROR);
            }
            seen.push(id);
            match id {
                setting::TABLE_CAPACITY => settings.table_capacity = value,
                setting::MAX_FIELD_SECTION => settings.max_field_section = value,
                setting::BLOCKED_STREAMS => settings.blocked_streams = value,
                setting::CONNECT_PROTOCOL => settings.connect_protocol = is_on(value)?,
                setting::DATAGRAM => settings.datagrams = is_on(value)?,
                _ => {}
            }
        }
        Ok(settings)
    }

    /// Whether a server that has said `self` before, and `now` after early data, keeps its word
    /// (RFC 9114 7.2.4.2, RFC 9204 3.2.3).
    pub(super) const fn is_kept_by(&self, now: &Self) -> bool {
        now.max_field_section >= self.max_field_section
            && now.blocked_streams >= self.blocked_streams
            && (self.table_capacity == 0 || now.table_capacity == self.table_capacity)
            && (now.connect_protocol || !self.connect_protocol)
            && (now.datagrams || !self.datagrams)
    }
}

const fn is_on(value: u64) -> Result<bool, u64> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(code::SETTINGS_ERROR),
    }
}

/// A number of a frame, setting or stream that means nothing (RFC 9114 7.2.8).
pub(super) const fn reserved(n: u64) -> u64 {
    0x1f * (n % 0x0400_0000) + 0x21
}
