//! The ALTSVC frame of HTTP/2 (RFC 7838 4, AS-10).

use core::fmt;

use crate::types::{Origin, Scheme};

/// An ALTSVC frame's payload, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whom it is about; `None` is the origin of the stream's request.
    pub origin: Option<Origin>,
    /// What [`parse`](super::parse) reads.
    pub value: &'a [u8],
}

/// Why a frame is ignored; never an error of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is shorter than it says.
    Short,
    /// On stream 0, and names no origin.
    OriginMissing,
    /// On a request's stream, and names an origin.
    OriginOnStream,
    /// What it names is no origin of https.
    NoOrigin,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the ALTSVC frame is shorter than it says",
            Self::OriginMissing => "the ALTSVC frame on stream 0 names no origin",
            Self::OriginOnStream => "the ALTSVC frame on a request's stream names an origin",
            Self::NoOrigin => "the ALTSVC frame names no origin of https",
        })
    }
}

impl core::error::Error for FrameError {}

impl<'a> Frame<'a> {
    /// Reads a frame that came on stream `stream` from a server.
    ///
    /// Whether the connection may speak for the origin, its certificate says: only then is it
    /// to be learnt. A server ignores the frame, and no intermediary passes it on.
    pub fn read(stream: u32, payload: &'a [u8]) -> Result<Self, FrameError> {
        let (length, rest) = payload.split_first_chunk().ok_or(FrameError::Short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (name, value) = rest.split_at_checked(length).ok_or(FrameError::Short)?;
        let origin = match (stream, name) {
            (0, b"") => return Err(FrameError::OriginMissing),
            (0, name) => Some(origin(name).ok_or(FrameError::NoOrigin)?),
            (_, b"") => None,
            _ => return Err(FrameError::OriginOnStream),
        };
        Ok(Self { origin, value })
    }
}

/// The origin of a text like `https://example.org:8443`, and of nothing longer (RFC 6454 6.2).
pub(super) fn origin(text: &[u8]) -> Option<Origin> {
    let name = text.strip_prefix(b"https://")?;
    if name.iter().any(|byte| matches!(byte, b'/' | b'?' | b'#' | b'@')) {
        return None;
    }
    let origin = match super::authority::split(name) {
        Some((Some(host), port)) => (host, port),
        Some((None, _)) => return None,
        None => (super::authority::host(name)?, Scheme::Https.default_port()),
    };
    Some(Origin { scheme: Scheme::Https, host: (&*origin.0).into(), port: origin.1 })
}
