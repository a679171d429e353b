//! QUIC's integers of variable length (RFC 9000 16): 1, 2, 4 or 8 bytes, of which the first two
//! bits say how many.

use bytes::BufMut;

/// The greatest integer of variable length (RFC 9000 16).
pub(in crate::engine) const MOST: u64 = (1 << 62) - 1;

/// Writes an integer of variable length (RFC 9000 16).
pub(in crate::engine) fn put(out: &mut impl BufMut, value: u64) {
    let [a, b, c, d, e, f, g, h] = value.min(MOST).to_be_bytes();
    match value {
        0..0x40 => out.put_u8(h),
        0x40..0x4000 => out.put_slice(&[g | 0x40, h]),
        0x4000..0x4000_0000 => out.put_slice(&[e | 0x80, f, g, h]),
        _ => out.put_slice(&[a | 0xc0, b, c, d, e, f, g, h]),
    }
}

/// Takes an integer of variable length, if it has come whole.
pub(in crate::engine) fn take(from: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = from.split_first()?;
    if first < 0x40 {
        *from = rest;
        return Some(first.into());
    }
    let more = (1 << (first >> 6)) - 1;
    let (others, rest) = rest.split_at_checked(more)?;
    *from = rest;
    let first = u64::from(first & 0x3f);
    Some(others.iter().fold(first, |value, byte| value << 8 | u64::from(*byte)))
}

/// How many bytes an integer takes up.
pub(in crate::engine) const fn len(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_as_short_as_it_can_be() {
        // RFC 9000 A.1, and the ends of each length.
        let rows: [(u64, &[u8]); 11] = [
            (0, &[0]),
            (37, &[0x25]),
            (0x3f, &[0x3f]),
            (0x40, &[0x40, 0x40]),
            (15_293, &[0x7b, 0xbd]),
            (0x3fff, &[0x7f, 0xff]),
            (0x4000, &[0x80, 0, 0x40, 0]),
            (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
            (0x4000_0000, &[0xc0, 0, 0, 0, 0x40, 0, 0, 0]),
            (151_288_809_941_952_652, &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            (MOST, &[0xff; 8]),
        ];
        for (value, bytes) in rows {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!((&out[..], len(value)), (bytes, bytes.len()), "{value}");
            let behind = [bytes, b"rest"].concat();
            let mut rest = &behind[..];
            assert_eq!((take(&mut rest), rest), (Some(value), &b"rest"[..]), "{value}");
            for cut in 0..bytes.len() {
                let mut short = &bytes[..cut];
                assert_eq!((take(&mut short), short), (None, &bytes[..cut]), "{value}");
            }
        }
    }

    #[test]
    fn what_is_too_great_becomes_the_greatest() {
        let mut out = Vec::new();
        put(&mut out, u64::MAX);
        assert_eq!((&out[..], len(u64::MAX)), (&[0xff; 8][..], 8));
    }

    #[test]
    fn longer_than_needed_is_the_same() {
        assert_eq!(take(&mut &[0x40, 0x25][..]), Some(37));
    }
}
