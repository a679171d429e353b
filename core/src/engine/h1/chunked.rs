//! The chunked coding (RFC 9112 7.1), decoded byte by byte between the data, with every line
//! end exactly CRLF.

use super::head::Fault;

/// Most bytes of chunk extensions in one message.
const MAX_EXTENSIONS: u32 = 4 << 10;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A chunk size, so many digits of which came.
    Size(u8),
    /// White space before `;`.
    Space,
    /// An extension.
    Extension,
    /// The LF that ends the size line.
    SizeLf,
    /// Data.
    Data,
    /// The CRLF behind the data.
    DataCr,
    DataLf,
    /// The trailer section and its empty line.
    Trailers,
}

/// A decoder of one message body.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    left: u64,
    extensions: u32,
}

/// One step of decoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More input is needed.
    More,
    /// So many bytes of data come next in the input, at least 1.
    Data(usize),
    /// The last chunk was read: the trailer section begins.
    Trailers,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { state: State::Size(0), left: 0, extensions: 0 }
    }

    /// The unread rest of the current chunk.
    pub(super) const fn room(&self) -> u64 {
        match self.state {
            State::Data => self.left,
            _ => 0,
        }
    }

    /// Whether only the trailer section is missing.
    pub(super) const fn in_trailers(&self) -> bool {
        matches!(self.state, State::Trailers)
    }

    /// Notes that `n` bytes of data were taken, at most [`Decoder::room`].
    pub(super) const fn took(&mut self, n: u64) {
        self.left = self.left.saturating_sub(n);
        if self.left == 0 {
            self.state = State::DataCr;
        }
    }

    /// Reads up to the next data; returns how much of `buf` lies before it.
    pub(super) fn step(&mut self, buf: &[u8]) -> Result<(usize, Step), Fault> {
        for (at, &byte) in buf.iter().enumerate() {
            match self.state {
                State::Data => {
                    let there = u64::try_from(buf.len() - at).unwrap_or(u64::MAX);
                    let n = usize::try_from(self.left.min(there)).unwrap_or(usize::MAX);
                    return Ok((at, Step::Data(n)));
                }
                State::Trailers => return Ok((at, Step::Trailers)),
                _ => self.state = self.next(byte)?,
            }
        }
        let step = if self.in_trailers() { Step::Trailers } else { Step::More };
        Ok((buf.len(), step))
    }

    fn next(&mut self, byte: u8) -> Result<State, Fault> {
        match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let shifted = self.left.checked_mul(16).ok_or(Fault::CHUNK)?;
                self.left = shifted | digit;
                // Sixteen digits hold every size; more could only be zeros.
                if digits == 16 { Err(Fault::CHUNK) } else { Ok(State::Size(digits + 1)) }
            }
            (State::Size(1..) | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Size(1..) | State::Space, b';') => self.extension(),
            (State::Size(1..) | State::Space, b' ' | b'\t') => {
                self.extension()?;
                Ok(State::Space)
            }
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.extension(),
            (State::SizeLf, b'\n') if self.left == 0 => Ok(State::Trailers),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size(0)),
            _ => Err(Fault::CHUNK),
        }
    }

    fn extension(&mut self) -> Result<State, Fault> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS { Err(Fault::CHUNK) } else { Ok(State::Extension) }
    }
}
