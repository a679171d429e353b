//! HTTP/2 frames (RFC 9113 4, 6): built by name, written and parsed.

use super::hpack;

/// Error codes (RFC 9113 7).
pub(crate) mod code {
    pub(crate) const NO_ERROR: u32 = 0;
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    pub(crate) const STREAM_CLOSED: u32 = 5;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
    pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
    pub(crate) const HTTP_1_1_REQUIRED: u32 = 13;
}

/// Settings (RFC 9113 6.5.2).
pub(crate) mod setting {
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
}

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Data { stream: u32, data: Vec<u8>, end: bool },
    Headers { stream: u32, fields: Vec<(String, String)>, block: Vec<u8>, end: bool },
    Reset { stream: u32, code: u32 },
    Settings { ack: bool, values: Vec<(u16, u32)> },
    Ping { ack: bool, payload: [u8; 8] },
    GoAway { last: u32, code: u32 },
    WindowUpdate { stream: u32, n: u32 },
    Other { kind: u8 },
}

/// HEADERS of a stream.
pub(crate) const fn headers(stream: u32) -> Frame {
    Frame::Headers { stream, fields: Vec::new(), block: Vec::new(), end: false }
}

/// DATA of a stream.
pub(crate) fn data(stream: u32, data: impl Into<Vec<u8>>) -> Frame {
    Frame::Data { stream, data: data.into(), end: false }
}

/// RST_STREAM.
pub(crate) const fn reset(stream: u32, code: u32) -> Frame {
    Frame::Reset { stream, code }
}

/// SETTINGS.
pub(crate) fn settings(values: &[(u16, u32)]) -> Frame {
    Frame::Settings { ack: false, values: values.to_vec() }
}

/// GOAWAY: streams up to `last` may have been processed.
pub(crate) const fn go_away(last: u32, code: u32) -> Frame {
    Frame::GoAway { last, code }
}

/// PING.
pub(crate) const fn ping(payload: [u8; 8]) -> Frame {
    Frame::Ping { ack: false, payload }
}

impl Frame {
    /// A request's pseudo-fields for plain text.
    pub(crate) fn request(self, method: &str, path: &str) -> Self {
        self.field(":method", method)
            .field(":scheme", "http")
            .field(":authority", "peer")
            .field(":path", path)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.field(":status", &status.to_string())
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        if let Self::Headers { fields, .. } = &mut self {
            fields.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// With END_STREAM.
    pub(crate) fn end(mut self) -> Self {
        if let Self::Headers { end, .. } | Self::Data { end, .. } = &mut self {
            *end = true;
        }
        self
    }

    /// What an indexed `:status` of a received head says.
    pub(crate) fn seen_status(&self) -> Option<u16> {
        match self {
            Self::Headers { block, .. } => hpack::status(block),
            _ => None,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (kind, flags, stream, payload) = self.parts();
        out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        out.push(kind);
        out.push(flags);
        out.extend_from_slice(&stream.to_be_bytes());
        out.extend_from_slice(&payload);
    }

    fn parts(&self) -> (u8, u8, u32, Vec<u8>) {
        let ended = |end: &bool| if *end { END_STREAM } else { 0 };
        match self {
            Self::Data { stream, data, end } => (0, ended(end), *stream, data.clone()),
            Self::Headers { stream, fields, end, .. } => {
                (1, ended(end) | END_HEADERS, *stream, hpack::encode(fields))
            }
            Self::Reset { stream, code } => (3, 0, *stream, code.to_be_bytes().to_vec()),
            Self::Settings { ack, values } => {
                let value = |(id, value): &(u16, u32)| {
                    [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()
                };
                (4, if *ack { ACK } else { 0 }, 0, values.iter().flat_map(value).collect())
            }
            Self::Ping { ack, payload } => (6, if *ack { ACK } else { 0 }, 0, payload.to_vec()),
            Self::GoAway { last, code } => {
                (7, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
            }
            Self::WindowUpdate { stream, n } => (8, 0, *stream, n.to_be_bytes().to_vec()),
            Self::Other { kind } => (*kind, 0, 0, Vec::new()),
        }
    }

    /// Parses the first frame of `bytes` and says how long it was; `None` when more is needed.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let head = bytes.get(..9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags, stream) = (head[3], head[4], word(&head[5..]) & 0x7fff_ffff);
        let payload = bytes.get(9..9 + length)?;
        let end = flags & END_STREAM != 0;
        let frame = match kind {
            0 => Self::Data { stream, data: unpadded(flags, payload).to_vec(), end },
            1 => {
                let block = unpadded(flags, payload);
                // The priority of RFC 7540 may stand in front.
                let block = if flags & 0x20 != 0 { &block[5..] } else { block };
                Self::Headers { stream, fields: Vec::new(), block: block.to_vec(), end }
            }
            3 => Self::Reset { stream, code: word(payload) },
            4 => {
                let value = |six: &[u8]| (u16::from_be_bytes([six[0], six[1]]), word(&six[2..]));
                let values = payload.chunks_exact(6).map(value).collect();
                Self::Settings { ack: flags & ACK != 0, values }
            }
            6 => Self::Ping { ack: flags & ACK != 0, payload: payload.try_into().ok()? },
            7 => Self::GoAway { last: word(payload) & 0x7fff_ffff, code: word(&payload[4..]) },
            8 => Self::WindowUpdate { stream, n: word(payload) },
            _ => Self::Other { kind },
        };
        Some((frame, 9 + length))
    }

    /// Whether a received frame is the one that was expected. Header blocks are opaque: of
    /// HEADERS the stream and its end count.
    pub(crate) fn is_like(&self, expected: &Self) -> bool {
        match (self, expected) {
            (
                Self::Headers { stream, end, .. },
                Self::Headers { stream: wanted, end: wanted_end, .. },
            ) => stream == wanted && end == wanted_end,
            (seen, expected) => seen == expected,
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn unpadded(flags: u8, payload: &[u8]) -> &[u8] {
    if flags & 0x8 == 0 {
        return payload;
    }
    let padding = usize::from(payload[0]);
    &payload[1..payload.len() - padding]
}
