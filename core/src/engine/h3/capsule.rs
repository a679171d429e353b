//! Capsules (RFC 9297 3): what a tunnel's bytes are where its protocol says so, over any version
//! of HTTP.

use core::fmt;

use bytes::{Bytes, BytesMut};

use super::frame::{Frames, Piece, put_front};

/// The kind of a datagram's (RFC 9297 3.5).
const DATAGRAM: u64 = 0;

/// Why a tunnel's bytes are no capsules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapsuleError {
    /// A datagram is longer than was to be expected.
    TooLong,
    /// The tunnel ended in the middle of one.
    Incomplete,
}

impl fmt::Display for CapsuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a datagram capsule is too long",
            Self::Incomplete => "the tunnel ended in the middle of a capsule",
        })
    }
}

impl core::error::Error for CapsuleError {}

/// Reads the datagrams among the capsules of a tunnel. Capsules of other kinds are passed over,
/// however long they say they are, and nothing of them is kept.
#[derive(Debug)]
pub struct Capsules {
    longest: u64,
    frames: Frames,
    /// A datagram, as far as it has come.
    datagram: Option<BytesMut>,
}

impl Capsules {
    /// A reader that takes datagrams of at most so many bytes.
    pub fn new(longest: u32) -> Self {
        Self { longest: longest.into(), frames: Frames::default(), datagram: None }
    }

    /// The next datagram of `input`, whose bytes are taken away; nothing when they are used up.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, CapsuleError> {
        while let Some(piece) = self.frames.next(input) {
            match piece {
                Piece::Front { kind: DATAGRAM, len } if len > self.longest => {
                    return Err(CapsuleError::TooLong);
                }
                Piece::Front { kind, .. } => {
                    self.datagram = (kind == DATAGRAM).then(BytesMut::new);
                }
                Piece::Part(part) => {
                    let Some(datagram) = &mut self.datagram else { continue };
                    if datagram.is_empty() && self.frames.left() == 0 {
                        self.datagram = None;
                        return Ok(Some(part));
                    }
                    datagram.extend_from_slice(&part);
                }
            }
            if self.frames.left() == 0
                && let Some(whole) = self.datagram.take()
            {
                return Ok(Some(whole.freeze()));
            }
        }
        Ok(None)
    }

    /// The tunnel has ended: whether it may have (RFC 9297 3.3).
    pub const fn end(&self) -> Result<(), CapsuleError> {
        match self.frames.is_between() {
            true => Ok(()),
            false => Err(CapsuleError::Incomplete),
        }
    }
}

/// A datagram as a capsule.
pub fn capsule(datagram: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(datagram.len() + 9);
    put_front(&mut out, DATAGRAM, datagram.len());
    out.extend_from_slice(datagram);
    out.into()
}
