//! What h2 has still to read: copied, or where the driver has it.

use core::ops::Range;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

/// Less is copied: to look for what lies behind one another would cost more.
const LEAST: usize = 1 << 10;

/// Bytes in the order in which they are read: `front`, `range` of `lent`, `back`.
#[derive(Debug, Default)]
pub(super) struct Input {
    front: BytesMut,
    /// The driver's, while h2 is at work on it.
    lent: BytesMut,
    range: Range<usize>,
    back: BytesMut,
    /// How long what is walked is, where it may be read in its place; else 0.
    whole: usize,
}

impl Input {
    /// How much there is.
    pub(super) fn len(&self) -> usize {
        self.front.len() + self.range.len() + self.back.len()
    }

    /// Whether all was read.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// So much is to be put now.
    pub(super) fn reserve(&mut self, len: usize) {
        self.front.reserve(len);
    }

    /// Whether `bytes` may be read in their place: what is put from now on and lies behind one
    /// another in them is not copied. [`Input::borrow`] follows.
    pub(super) fn may_borrow(&mut self, bytes: &[u8]) -> bool {
        let may = self.is_empty() && bytes.len() >= LEAST;
        self.whole = if may { bytes.len() } else { 0 };
        may
    }

    /// Adds what h2 is to see. `left`: how far from the end of what is walked it begins, if it
    /// lies there.
    pub(super) fn put(&mut self, bytes: &[u8], left: Option<usize>) {
        let at = left.and_then(|left| self.whole.checked_sub(left));
        let is_begun = !self.range.is_empty() || !self.back.is_empty();
        match at {
            Some(at) if !is_begun && bytes.len() >= LEAST => self.range = at..at + bytes.len(),
            Some(at) if at == self.range.end && self.back.is_empty() && is_begun => {
                self.range.end += bytes.len();
            }
            _ if is_begun => self.back.extend_from_slice(bytes),
            _ => self.front.extend_from_slice(bytes),
        }
    }

    /// Takes the buffer of what was walked.
    pub(super) fn borrow(&mut self, bytes: &mut BytesMut) {
        self.whole = 0;
        core::mem::swap(&mut self.lent, bytes);
    }

    /// Gives it back as it was; what was not read is copied.
    pub(super) fn give_back(&mut self, bytes: &mut BytesMut) {
        let range = core::mem::take(&mut self.range);
        self.front.extend_from_slice(self.lent.get(range).unwrap_or_default());
        self.front.extend_from_slice(&core::mem::take(&mut self.back));
        core::mem::swap(&mut self.lent, bytes);
    }

    /// Fills `buf` as far as it goes.
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) {
        take(&mut self.front, buf);
        let n = self.range.len().min(buf.remaining());
        let end = self.range.start + n;
        buf.put_slice(self.lent.get(self.range.start..end).unwrap_or_default());
        self.range.start = end;
        if self.range.is_empty() {
            take(&mut self.back, buf);
        }
    }

    /// Keeps no buffer of more than `most` bytes for what may come.
    pub(super) fn shrink(&mut self, most: usize) {
        if self.front.capacity() > most {
            self.front = BytesMut::new();
        } else {
            self.front.clear();
        }
    }
}

fn take(bytes: &mut BytesMut, buf: &mut ReadBuf<'_>) {
    let n = bytes.len().min(buf.remaining());
    buf.put_slice(bytes.get(..n).unwrap_or_default());
    bytes.advance(n);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks `whole`, of which the given ranges are put; reads `first` bytes while it is lent, and
    /// the rest behind that.
    fn pass(whole: &[u8], put: &[(Range<usize>, bool)], first: usize) -> Vec<u8> {
        let (mut input, mut bytes) = (Input::default(), BytesMut::from(whole));
        assert!(input.may_borrow(&bytes));
        for (range, lies) in put {
            let left = whole.len() - range.start;
            input.put(&whole[range.clone()], lies.then_some(left));
        }
        input.borrow(&mut bytes);
        let mut read = vec![0; first];
        let mut buf = ReadBuf::new(&mut read);
        input.read(&mut buf);
        let n = buf.filled().len();
        input.give_back(&mut bytes);
        assert_eq!(bytes, whole);
        let mut rest = vec![0; 2 * whole.len()];
        let mut buf = ReadBuf::new(&mut rest);
        input.read(&mut buf);
        assert!(input.is_empty());
        [&read[..n], buf.filled()].concat()
    }

    #[test]
    fn what_is_put_is_read_in_its_order() {
        let whole: Vec<u8> = (0..5_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let rows: [&[(Range<usize>, bool)]; 7] = [
            &[(0..5_000, true)],
            &[(0..9, true), (9..4_000, true), (4_000..4_009, true), (4_009..5_000, true)],
            // The begin of a header came before, and is put with it.
            &[(0..9, false), (4..4_000, true), (4_000..5_000, true)],
            // Something is kept back.
            &[(0..2_000, true), (2_009..5_000, true)],
            &[(0..9, true), (18..3_000, true), (3_000..3_009, true), (3_500..5_000, true)],
            // Not long enough to stay.
            &[(0..1_000, true), (1_500..2_000, true)],
            &[],
        ];
        for put in rows {
            let wanted: Vec<u8> =
                put.iter().flat_map(|(range, _)| &whole[range.clone()]).copied().collect();
            for first in [0, 1, 8, 9, 10, 1_000, 2_000, 2_001, 3_999, 4_995, 5_000] {
                assert_eq!(pass(&whole, put, first), wanted, "{put:?}, {first} at first");
            }
        }
    }

    #[test]
    fn what_lies_behind_one_another_is_not_copied() {
        let mut input = Input::default();
        let whole = [7; 3_000];
        assert!(input.may_borrow(&whole));
        input.put(&whole[..9], Some(3_000));
        input.put(&whole[9..2_000], Some(2_991));
        input.put(&whole[2_000..], Some(1_000));
        assert_eq!((input.front.len(), input.range, input.back.len()), (9, 9..3_000, 0));
    }

    #[test]
    fn nothing_is_borrowed_behind_what_is_not_read() {
        let mut input = Input::default();
        input.put(b"unread", None);
        assert!(!input.may_borrow(&[0; 3_000]));
        assert!(!Input::default().may_borrow(b"short"));
    }
}
