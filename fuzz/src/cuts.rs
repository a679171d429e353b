//! How a text is cut on its way in: the sizes are in front of it, in the input itself.
//!
//! ```text
//!   settings | how the transport ends | n | n sizes | the text
//! ```

use regatta_core::engine::Config;
use regatta_core::types::Cause;
use regatta_core::{Duration, Instant};

/// When everything happens that has no time of its own.
pub(crate) const NOW: Instant = Instant::from_millis(1);

/// Most sizes in front of a text.
const SIZES_MAX: u8 = 15;

/// How the transport ends behind the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Not at all.
    Open,
    /// By the peer's word.
    Clean,
    /// By an error.
    Broken,
}

/// One input, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// Picks what the target can be set to.
    pub(crate) settings: u8,
    pub(crate) then: Then,
    sizes: &'a [u8],
    pub(crate) text: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[settings, then, count], rest) = bytes.split_first_chunk()?;
        let (sizes, text) = rest.split_at_checked(usize::from(count.min(SIZES_MAX)))?;
        let then = [Then::Open, Then::Clean, Then::Broken][usize::from(then % 3)];
        Some(Self { settings, then, sizes, text })
    }

    /// The text in pieces of the sizes, taken in turn; size 0 is an empty piece. Without sizes
    /// there is one piece.
    pub(crate) fn pieces(&self) -> Vec<&'a [u8]> {
        if self.sizes.iter().all(|size| *size == 0) {
            return vec![self.text];
        }
        let mut rest = self.text;
        let mut pieces = Vec::new();
        for size in self.sizes.iter().cycle() {
            let (piece, behind) = rest.split_at(usize::from(*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        pieces
    }

    /// The settings of an engine: the defaults, or limits so tiny that they are reached.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        if self.settings & 1 == 1 {
            config.max_head_bytes = 200;
            config.max_head_fields = 4;
            config.max_informational = 2;
            config.stream_buffer = 10;
            config.expect_timeout = Duration::from_millis(10);
        }
        config
    }

    /// Tells `end` how the transport ends, unless it does not.
    pub(crate) fn end(&self, mut end: impl FnMut(bool, Cause)) {
        match self.then {
            Then::Open => {}
            Then::Clean => end(true, Cause::Closed),
            Then::Broken => end(false, Cause::ConnectionReset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_whatever_the_sizes() {
        let input = Input::new(&[0, 1, 3, 0, 2, 1, b'a', b'b', b'c', b'd', b'e']).unwrap();
        assert_eq!(input.then, Then::Clean);
        assert_eq!(input.pieces(), [&b""[..], b"ab", b"c", b"", b"de"]);
        let input = Input::new(&[0, 0, 1, 0, b'a', b'b']).unwrap();
        assert_eq!(input.pieces(), [b"ab"]);
        assert!(Input::new(&[0, 0]).is_none());
        assert!(Input::new(&[0, 0, 2, 1]).is_none());
    }
}
