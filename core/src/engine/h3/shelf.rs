//! Short texts that lie in memory together: what one stream says or hears is mostly too short for
//! an allocation of its own, and is followed by what another one does.

use bytes::{Bytes, BytesMut};

/// So many bytes lie together at most. Who keeps a part of them keeps them all.
const TOGETHER: usize = 1 << 10;

/// What is longer lies alone.
const SHORT: usize = TOGETHER / 8;

/// Room for short texts.
#[derive(Debug, Default)]
pub(super) struct Shelf(BytesMut);

impl Shelf {
    /// The text of `length` bytes that `write` writes.
    pub(super) fn put(&mut self, length: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        if length == 0 {
            return Bytes::new();
        }
        if length > SHORT {
            let mut alone = BytesMut::with_capacity(length);
            write(&mut alone);
            return alone.freeze();
        }
        if self.0.capacity() < length {
            self.0 = BytesMut::with_capacity(TOGETHER);
        }
        write(&mut self.0);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_lie_together_and_long_ones_alone() {
        let mut shelf = Shelf::default();
        let mut put = |length: usize, byte: u8| {
            let text = vec![byte; length];
            let put = shelf.put(length, |out| out.extend_from_slice(&text));
            assert_eq!(put, text);
            put
        };
        let texts: Vec<Bytes> = (0..).take(20).map(|byte| put(100, byte)).collect();
        let long = put(SHORT + 1, 99);
        let next = put(1, 100);
        // Ten to a piece, whatever came in between.
        let begins = |text: &Bytes| text.as_ptr() as usize;
        for (n, pair) in texts.windows(2).enumerate() {
            let is_behind = begins(&pair[1]) == begins(&pair[0]) + 100;
            assert!(is_behind || n % 10 == 9, "{n}");
        }
        assert_eq!(begins(&next), begins(&texts[19]) + 100);
        assert_eq!(long.len(), SHORT + 1);
    }
}
