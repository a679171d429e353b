//! Integers and strings with a prefix (RFC 9204 4.1.1, 4.1.2; RFC 7541 5.1, 5.2).

use super::huffman;
// As great as QUIC's have to be understood (RFC 9204 4.1.1).
use crate::engine::integer::MOST;

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What came ends in the middle.
    Short,
    /// What came is malformed.
    Bad,
    /// A string is longer than allowed.
    Large,
}

/// Writes `value` behind the bits of `first`, in a prefix of `bits` bits.
pub(super) fn put(out: &mut Vec<u8>, first: u8, bits: u8, value: u64) {
    let most = u8::MAX >> (8 - bits);
    if value < u64::from(most) {
        return out.push(first | low(value));
    }
    out.push(first | most);
    let mut rest = value - u64::from(most);
    while rest >= 0x80 {
        out.push(low(rest & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// Writes a string whose length has a prefix of `bits` bits, by Huffman's code where that is
/// shorter; the bit above the prefix says so.
pub(super) fn put_string(out: &mut Vec<u8>, first: u8, bits: u8, text: &[u8]) {
    let coded = huffman::coded_len(text);
    if coded < text.len() {
        put(out, first | (1 << bits), bits, coded as u64);
        huffman::encode(text, out);
    } else {
        put(out, first, bits, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// The low byte.
const fn low(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Reads from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next byte, which is not taken.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes an integer with a prefix of `bits` bits.
    pub(super) fn integer(&mut self, bits: u8) -> Result<u64, Stop> {
        let (&first, mut rest) = self.0.split_first().ok_or(Stop::Short)?;
        let most = u8::MAX >> (8 - bits);
        let mut value = u64::from(first & most);
        if value < u64::from(most) {
            self.0 = rest;
            return Ok(value);
        }
        for shift in (0..=56).step_by(7) {
            let (&byte, left) = rest.split_first().ok_or(Stop::Short)?;
            rest = left;
            value += u64::from(byte & 0x7f) << shift;
            if value > MOST {
                return Err(Stop::Bad);
            }
            if byte & 0x80 == 0 {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(Stop::Bad)
    }

    /// Takes a string whose length has a prefix of `bits` bits, onto the end of `out`; one that is
    /// longer than `most` is mostly known to be so before it has come.
    pub(super) fn string(&mut self, bits: u8, most: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        let (text, is_coded) = self.raw_string(bits, most)?;
        if is_coded {
            return huffman::decode(text, most, out);
        }
        out.extend_from_slice(text);
        Ok(())
    }

    /// Passes over a string, unless it is longer than `most` however it is coded.
    pub(super) fn skip_string(&mut self, bits: u8, most: usize) -> Result<(), Stop> {
        self.raw_string(bits, most).map(|_| ())
    }

    /// A string as it was sent, and whether by Huffman's code.
    fn raw_string(&mut self, bits: u8, most: usize) -> Result<(&'a [u8], bool), Stop> {
        let first = self.peek().ok_or(Stop::Short)?;
        let is_coded = first & (1 << bits) != 0;
        let len = usize::try_from(self.integer(bits)?).map_err(|_| Stop::Bad)?;
        if len > if is_coded { most.saturating_mul(huffman::WORST) } else { most } {
            return Err(Stop::Large);
        }
        let (text, rest) = self.0.split_at_checked(len).ok_or(Stop::Short)?;
        self.0 = rest;
        Ok((text, is_coded))
    }
}
