//! Bytes on their way out: small pieces copied together, large ones kept by reference.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use super::Spare;

/// Chunks at least this long are not copied.
const BY_REFERENCE: usize = 4 << 10;

/// Most chunks of one write.
const SLICES: usize = 32;

/// A queue of bytes for one vectored write. Empty, it owns no buffer but the one it reuses.
#[derive(Debug, Default)]
pub struct Output {
    chunks: VecDeque<Bytes>,
    /// What was copied since the last chunk by reference.
    tail: BytesMut,
    len: usize,
}

impl Output {
    /// Makes an empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `bytes` in behind all others.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Adds a chunk, by reference where it is large.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() < BY_REFERENCE {
            return self.put(&bytes);
        }
        self.seal();
        self.len += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Makes room for `more` bytes that [`Output::put`] will copy in.
    pub fn reserve(&mut self, more: usize) {
        self.tail.reserve(more);
    }

    /// Moves bytes over from the front of `other` until about `room` wait here or `other` is
    /// empty.
    pub fn append(&mut self, other: &mut Self, room: usize) {
        if self.is_empty() && other.chunks.is_empty() && room > 0 {
            // What was only copied together goes over in its buffer, and the buffer here back.
            core::mem::swap(&mut self.tail, &mut other.tail);
            self.len = core::mem::take(&mut other.len);
            self.chunks.clear();
            return other.tail.clear();
        }
        while self.len < room {
            if let Some(chunk) = other.chunks.pop_front() {
                other.len -= chunk.len();
                self.push(chunk);
            } else {
                self.put(&other.tail);
                return other.clear();
            }
        }
    }

    /// Takes the first contiguous chunk out.
    pub fn pop(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.seal();
        }
        let chunk = self.chunks.pop_front()?;
        self.len -= chunk.len();
        Some(chunk)
    }

    /// All that waits, where it lies in one piece.
    pub fn only(&self) -> Option<&[u8]> {
        match (self.chunks.len(), self.tail.is_empty()) {
            (0, _) => Some(&self.tail),
            (1, true) => self.chunks.front().map(|chunk| &chunk[..]),
            _ => None,
        }
    }

    /// Fills `slices` with what to write next and returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        let all = self.chunks.iter().map(|chunk| &chunk[..]).chain(tail);
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(all) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Writes once, as much as `writer` takes in one vectored write, and drops that. Nothing is
    /// written when nothing waits.
    pub fn write_to(&mut self, writer: &mut impl io::Write) -> io::Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.slices(&mut slices);
        let written = writer.write_vectored(slices.get(..filled).unwrap_or_default())?;
        self.advance(written);
        Ok(written)
    }

    /// Drops the first `n` bytes, which were written.
    pub fn advance(&mut self, n: usize) {
        let mut left = n.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(first) = self.chunks.front_mut() else {
                // Of what is empty all the room is there for what comes next.
                match left == self.tail.len() {
                    true => self.tail.clear(),
                    false => self.tail.advance(left),
                }
                return;
            };
            if left < first.len() {
                first.advance(left);
                return;
            }
            left -= first.len();
            self.chunks.pop_front();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.tail.clear();
        self.len = 0;
    }

    /// Frees the buffers if nothing waits: an idle connection owns none.
    pub fn shrink(&mut self) {
        if self.is_empty() && (self.tail.capacity() > 0 || self.chunks.capacity() > 0) {
            *self = Self::new();
        }
    }

    /// Copies what is put next into the room of `spare`, where it owns none.
    pub fn borrow(&mut self, spare: &mut Spare) {
        spare.give_bytes(&mut self.tail);
    }

    /// As [`Output::shrink`], and leaves its room to `spare`.
    pub fn give_back(&mut self, spare: &mut Spare) {
        if self.is_empty() {
            spare.keep_bytes(&mut self.tail);
            self.shrink();
        }
    }

    /// Room for bytes and chunks that is held, in either unit.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.tail.capacity() + self.chunks.capacity()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_moves_about_as_much_as_there_is_room_for() {
        let mut from = Output::new();
        from.put(b"head");
        let large = Bytes::from(vec![b'x'; BY_REFERENCE]);
        from.push(large.clone());
        from.put(b"tail");
        let mut out = Output::new();
        out.append(&mut from, 0);
        assert_eq!((out.len(), from.len()), (0, 8 + BY_REFERENCE));
        out.append(&mut from, 5);
        assert_eq!((out.len(), from.len()), (4 + BY_REFERENCE, 4));
        assert_eq!((out.only(), from.only()), (None, Some(&b"tail"[..])));
        out.append(&mut from, usize::MAX);
        assert!(from.is_empty());
        assert_eq!(out.pop().as_deref(), Some(&b"head"[..]));
        assert_eq!(out.pop().map(|chunk| chunk.as_ptr()), Some(large.as_ptr()));
        assert_eq!(out.only(), Some(&b"tail"[..]));
        assert_eq!(out.pop().as_deref(), Some(&b"tail"[..]));
    }

    #[test]
    fn what_is_written_is_dropped() {
        let mut out = Output::new();
        out.put(b"head");
        out.push(Bytes::from(vec![b'x'; BY_REFERENCE]));
        let mut narrow = [0_u8; 6];
        assert_eq!(out.write_to(&mut narrow.as_mut_slice()).unwrap(), 6);
        assert_eq!((&narrow, out.len()), (b"headxx", BY_REFERENCE - 2));
        let mut wide = Vec::new();
        assert_eq!(out.write_to(&mut wide).unwrap(), BY_REFERENCE - 2);
        assert!(out.is_empty());
        // An empty write would be taken for the transport's end.
        let mut full: &mut [u8] = &mut [];
        assert_eq!(out.write_to(&mut full).unwrap(), 0);
    }

    #[test]
    fn order_is_kept_across_copies_and_references() {
        let mut out = Output::new();
        out.put(b"head");
        out.push(Bytes::from(vec![b'x'; BY_REFERENCE]));
        out.push(Bytes::from_static(b"tail"));
        assert_eq!(out.len(), 8 + BY_REFERENCE);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(out.slices(&mut slices), 3);
        assert_eq!(&slices[0][..], b"head");
        assert_eq!(&slices[2][..], b"tail");
        out.advance(2 + 4 + BY_REFERENCE);
        assert_eq!(out.pop().as_deref(), Some(&b"il"[..]));
        assert!(out.is_empty());
    }
}
