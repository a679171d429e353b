//! Padding at the end of a packet, which quinn-proto never sees: it takes each byte of it for a
//! frame of its own (RFC 9000 19.1), which costs more than all that the packet says. Whoever pads
//! each request to a whole datagram, as ngtcp2 does, would have the server do little else.

use bytes::BytesMut;
use quinn_proto::crypto::{CryptoError, KeyPair, Keys, PacketKey};

use crate::engine::integer;

/// Shorter padding is left as it is: most packets have none, and are not looked at.
const LEAST: usize = 16;

/// The keys of a packet space, of which what comes loses its padding. Not for Initial packets:
/// from the length of the first quinn-proto takes how much may be said to its sender.
pub(super) fn keys(keys: Keys) -> Keys {
    Keys { header: keys.header, packet: pair(keys.packet) }
}

/// The same of the keys of packets alone.
pub(super) fn pair(keys: KeyPair<Box<dyn PacketKey>>) -> KeyPair<Box<dyn PacketKey>> {
    KeyPair { local: keys.local, remote: key(keys.remote) }
}

/// The same of the key of what comes.
pub(super) fn key(inner: Box<dyn PacketKey>) -> Box<dyn PacketKey> {
    Box::new(Unpadding(inner))
}

struct Unpadding(Box<dyn PacketKey>);

impl PacketKey for Unpadding {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        self.0.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.0.decrypt(packet, header, payload)?;
        payload.truncate(length(payload));
        Ok(())
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

/// How long the frames are without the padding behind them, of which one byte stays: a packet of
/// nothing else is one of PADDING, and none without frames. All of them, where they are not known
/// or do not end where the packet does; what is wrong there quinn-proto finds.
fn length(frames: &[u8]) -> usize {
    if !frames.ends_with(&[0; LEAST]) {
        return frames.len();
    }
    // From the front: zeros may as well be a stream's, and a packet of them has one frame.
    let mut rest = frames;
    while !rest.is_empty() {
        match skip(&mut rest) {
            Some(PADDING) => {}
            Some(_) => continue,
            None => break,
        }
        let others = without_zeros(rest);
        if others.is_empty() {
            return frames.len() - rest.len();
        }
        rest = others;
    }
    frames.len()
}

/// What follows the zeros in front.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let (pieces, _) = bytes.as_chunks();
    let zeros = pieces.iter().take_while(|piece| u128::from_ne_bytes(**piece) == 0).count();
    let rest = bytes.get(zeros * size_of::<u128>()..).unwrap_or_default();
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    rest.get(zeros..).unwrap_or_default()
}

/// RFC 9000 19.1.
const PADDING: u64 = 0;

/// What follows a frame's integers.
enum Tail {
    /// So many bytes.
    Bytes(usize),
    /// Their number, and they.
    Counted,
    /// All there is.
    Rest,
}

/// Passes a frame over and says which it is (RFC 9000 19, RFC 9221 4, and those of
/// draft-ietf-quic-ack-frequency). `None` where it is not known or not whole.
fn skip(rest: &mut &[u8]) -> Option<u64> {
    let kind = integer::take(rest)?;
    let (integers, tail) = match kind {
        PADDING | 0x01 | 0x1e | 0x1f => (0, Tail::Bytes(0)),
        0x02 | 0x03 => {
            let (_largest, _delay) = (integer::take(rest)?, integer::take(rest)?);
            let ranges = integer::take(rest)?.checked_mul(2)?;
            // The first range, and with ECN three counts.
            (ranges.checked_add(if kind == 0x02 { 1 } else { 4 })?, Tail::Bytes(0))
        }
        0x04 => (3, Tail::Bytes(0)),
        0x05 | 0x11 | 0x15 => (2, Tail::Bytes(0)),
        0x06 => (1, Tail::Counted),
        0x07 | 0x31 => (0, Tail::Counted),
        // Bits say whether there is an offset, and a length (RFC 9000 19.8).
        0x08..=0x0f => {
            let tail = if kind & 0x02 == 0 { Tail::Rest } else { Tail::Counted };
            (if kind & 0x04 == 0 { 1 } else { 2 }, tail)
        }
        0x10 | 0x12..=0x14 | 0x16 | 0x17 | 0x19 => (1, Tail::Bytes(0)),
        0x18 => {
            let (_sequence, _retired) = (integer::take(rest)?, integer::take(rest)?);
            let (id, others) = rest.split_first()?;
            *rest = others;
            // The id, and the token of a stateless reset.
            (0, Tail::Bytes(usize::from(*id) + 16))
        }
        0x1a | 0x1b => (0, Tail::Bytes(8)),
        0x1c => (2, Tail::Counted),
        0x1d => (1, Tail::Counted),
        0x30 => (0, Tail::Rest),
        0xaf => (4, Tail::Bytes(0)),
        _ => return None,
    };
    for _ in 0..integers {
        integer::take(rest)?;
    }
    let bytes = match tail {
        Tail::Bytes(bytes) => bytes,
        Tail::Counted => usize::try_from(integer::take(rest)?).ok()?,
        Tail::Rest => rest.len(),
    };
    *rest = rest.get(bytes..)?;
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of each kind, whose last bytes are zeros where they may be.
    fn each() -> Vec<Vec<u8>> {
        let zeros = [0; 40];
        let of = |front: &[u8], zeros: &[u8]| [front, zeros].concat();
        let mut all = vec![
            vec![0x01],
            of(&[0x02, 9, 1, 0], &zeros[..1]),
            of(&[0x02, 0x44, 9, 1, 2], &zeros[..5]),
            of(&[0x03, 9, 1, 1], &zeros[..6]),
            of(&[0x04], &zeros[..3]),
            of(&[0x05], &zeros[..2]),
            of(&[0x06, 0, 20], &zeros[..20]),
            of(&[0x07, 20], &zeros[..20]),
            of(&[0x0a, 0, 33], &zeros[..33]),
            of(&[0x0b, 4, 0], &[]),
            of(&[0x0e, 4, 0, 20], &zeros[..20]),
            of(&[0x0f, 4, 0x40, 0, 20], &zeros[..20]),
            of(&[0x11], &zeros[..2]),
            of(&[0x15], &zeros[..2]),
            of(&[0x18, 1, 0, 8], &zeros[..24]),
            of(&[0x1a], &zeros[..8]),
            of(&[0x1b], &zeros[..8]),
            of(&[0x1c, 0, 0, 20], &zeros[..20]),
            of(&[0x1d, 0, 20], &zeros[..20]),
            vec![0x1e],
            vec![0x1f],
            of(&[0x31, 20], &zeros[..20]),
            of(&[0x40, 0xaf], &zeros[..4]),
        ];
        all.extend([0x10, 0x12, 0x13, 0x14, 0x16, 0x17, 0x19].map(|kind| vec![kind, 0x40, 0]));
        all
    }

    #[test]
    fn what_is_behind_the_last_frame_goes_and_no_more() {
        for first in each() {
            for second in each() {
                for between in [0, 1, 30] {
                    let frames = [&first[..], &vec![0; between], &second].concat();
                    for padding in [0, 1, 15, 16, 17, 40, 1_400] {
                        let padded = [&frames[..], &vec![0; padding]].concat();
                        let left = length(&padded);
                        let wanted = match padded.ends_with(&[0; LEAST]) {
                            true => frames.len() + padding.min(1),
                            false => padded.len(),
                        };
                        assert_eq!(left, wanted, "{padded:?}, {frames:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_length_has_no_padding() {
        for front in [&[0x08, 4][..], &[0x0d, 4, 9], &[0x30], &[0x01, 0x09, 0]] {
            let frames = [front, &[0; 1_000]].concat();
            assert_eq!(length(&frames), frames.len(), "{front:?}");
        }
    }

    #[test]
    fn nothing_but_padding_is_one_byte_of_it() {
        assert_eq!(length(&[]), 0);
        assert_eq!(length(&[0; 15]), 15);
        for long in [16, 17, 1_200] {
            assert_eq!(length(&vec![0; long]), 1, "{long}");
        }
    }

    #[test]
    fn what_is_not_known_or_not_whole_stays_as_it_is() {
        let rows: [&[u8]; 7] = [
            // No frame has this kind.
            &[0x20],
            &[0x40, 0xb0],
            // More bytes than there are, and more ranges.
            &[0x06, 0, 0x7f, 0xff],
            &[0x0b, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x02, 9, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x03, 9, 1, 0x7f, 0xff],
            &[0x18, 1, 0, 0xff],
        ];
        for front in rows {
            let frames = [front, &[0; 64]].concat();
            assert_eq!(length(&frames), frames.len(), "{front:?}");
        }
    }
}
