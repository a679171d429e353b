//! Frame headers (RFC 9113 4.1), walked in pieces of any size.

/// Frame types (RFC 9113 6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const PUSH_PROMISE: u8 = 5;
    pub(in super::super) const PING: u8 = 6;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
    /// RFC 7838 4.
    pub(in super::super) const ALTSVC: u8 = 10;
}

/// Frame flags (RFC 9113 6).
pub(super) mod flag {
    pub(in super::super) const ACK: u8 = 0x1;
    pub(in super::super) const END_STREAM: u8 = 0x1;
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    pub(in super::super) const PADDED: u8 = 0x8;
}

/// Error codes (RFC 9113 7).
pub(super) mod code {
    pub(in super::super) const NO_ERROR: u32 = 0;
    pub(in super::super) const PROTOCOL_ERROR: u32 = 1;
    pub(in super::super) const FLOW_CONTROL_ERROR: u32 = 3;
    pub(in super::super) const STREAM_CLOSED: u32 = 5;
    pub(in super::super) const FRAME_SIZE_ERROR: u32 = 6;
    pub(in super::super) const REFUSED_STREAM: u32 = 7;
    pub(in super::super) const COMPRESSION_ERROR: u32 = 9;
    pub(in super::super) const ENHANCE_YOUR_CALM: u32 = 11;
}

/// Length of a frame header.
pub(super) const HEADER: usize = 9;
/// How much of each payload is kept: GOAWAY's stream id and code.
const KEPT: usize = 8;

/// One frame as its header says, with the first bytes of its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its type.
    pub(super) kind: u8,
    /// Its flags.
    pub(super) flags: u8,
    /// Its stream, 0 for the connection.
    pub(super) stream: u32,
    /// Length of its payload.
    pub(super) len: usize,
    first: [u8; KEPT],
}

impl Frame {
    /// Whether `flag` is set.
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload's `index`-th 32-bit word (0 or 1); absent bytes are zero.
    pub(super) const fn word(&self, index: usize) -> u32 {
        let [a, b, c, d, e, f, g, h] = self.first;
        if index == 0 { u32::from_be_bytes([a, b, c, d]) } else { u32::from_be_bytes([e, f, g, h]) }
    }

    /// Whether it has a length that no frame of its type has (RFC 9113 6.4 to 6.9).
    pub(super) const fn is_misshapen(&self) -> bool {
        match self.kind {
            kind::RST_STREAM | kind::WINDOW_UPDATE => self.len != 4,
            kind::SETTINGS => !self.len.is_multiple_of(6) || (self.has(flag::ACK) && self.len > 0),
            kind::PING => self.len != 8,
            kind::GOAWAY => self.len < 8,
            _ => false,
        }
    }

    /// How much of a DATA frame is data: its payload without the padding.
    pub(super) fn data_len(&self) -> usize {
        let [pad, ..] = self.first;
        let padding = if self.has(flag::PADDED) { usize::from(pad) + 1 } else { 0 };
        self.len.saturating_sub(padding)
    }
}

/// Finds the frames in a stream of bytes that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Walker {
    head: [u8; HEADER],
    head_len: usize,
    frame: Frame,
    /// Payload bytes seen so far.
    seen: usize,
}

/// What [`Walker::step`] found at the start of its input.
pub(super) enum Step {
    /// Part of a header; so many bytes belong to it.
    Partial(usize),
    /// So many bytes complete the header; the frame's payload follows.
    Header(usize, Frame),
    /// So many bytes are payload; the frame is complete if it is given.
    Payload(usize, Option<Frame>),
}

impl Walker {
    /// The header that was just completed, for whoever held its bytes back.
    pub(super) const fn header(&self) -> &[u8; HEADER] {
        &self.head
    }

    /// Whether the next byte begins a frame.
    pub(super) const fn at_boundary(&self) -> bool {
        self.head_len == 0
    }

    /// Looks at the start of `input`, which is not empty. A frame without payload is reported
    /// as a header and then, by a payload of 0 bytes, as complete; `input` may be empty for that.
    pub(super) fn step(&mut self, input: &[u8]) -> Step {
        if self.head_len < HEADER {
            let n = input.len().min(HEADER - self.head_len);
            // Most come whole.
            if let (0, Some(whole)) = (self.head_len, input.first_chunk()) {
                self.head = *whole;
            } else {
                for (to, from) in self.head.iter_mut().skip(self.head_len).zip(input) {
                    *to = *from;
                }
            }
            self.head_len += n;
            if self.head_len < HEADER {
                return Step::Partial(n);
            }
            let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.head;
            self.frame = Frame {
                kind,
                flags,
                stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
                len: u32::from_be_bytes([0, l0, l1, l2]) as usize,
                first: [0; KEPT],
            };
            self.seen = 0;
            return Step::Header(n, self.frame);
        }
        let n = input.len().min(self.frame.len - self.seen);
        if let (0, KEPT.., Some(first)) = (self.seen, n, input.first_chunk()) {
            self.frame.first = *first;
        } else {
            let first = self.frame.first.iter_mut().skip(self.seen);
            for (to, from) in first.zip(input.iter().take(n)) {
                *to = *from;
            }
        }
        self.seen += n;
        if self.seen < self.frame.len {
            return Step::Payload(n, None);
        }
        self.head_len = 0;
        Step::Payload(n, Some(self.frame))
    }

    /// Whether a header is complete and no payload is left to come.
    pub(super) const fn is_bare(&self) -> bool {
        self.head_len == HEADER && self.seen >= self.frame.len
    }
}

/// Writes a frame.
pub(super) fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + payload.len());
    let [_, l0, l1, l2] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}
