//! Huffman's code for strings (RFC 7541 5.2, appendix B).
//!
//! The code is canonical: codes of one length follow each other in the order of their symbols,
//! and longer ones behind shorter ones. So the lengths say it all, and every table is made of
//! them when this is compiled.

use super::integer::Stop;

/// How many bits each byte has, and at last the end of the string (RFC 7541 appendix B).
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The symbol that no string may hold (RFC 7541 5.2).
const END: u16 = 256;
/// The shortest code, in bits.
const SHORTEST: usize = 5;
/// The longest code, in bits.
const LONGEST: usize = 30;
/// A byte takes at most so many bytes.
pub(super) const WORST: usize = 4;
/// Codes of up to so many bits are found by one look.
const LOOK: u32 = 10;

/// Codes by length.
struct Codes {
    /// The first code of each length.
    first: [u32; LONGEST + 1],
    /// How many there are.
    count: [u32; LONGEST + 1],
    /// Where their symbols begin.
    begin: [u32; LONGEST + 1],
    /// All symbols by length, then value.
    symbols: [u16; 257],
}

const CODES: Codes = codes();
/// The code of each byte and its length in bits.
const BYTES: [(u32, u8); 256] = bytes();
/// By the next bits: the symbol above, the length of its code below; 0 where that is longer.
static SHORT: [u16; 1 << LOOK] = short();
static LONG: Codes = CODES;
static ENCODE: [(u32, u8); 256] = BYTES;

#[expect(clippy::indexing_slicing, reason = "runs when this is compiled, over whole tables")]
const fn codes() -> Codes {
    let mut codes = Codes {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        begin: [0; LONGEST + 1],
        symbols: [0; 257],
    };
    let (mut length, mut placed, mut next) = (1, 0, 0_u32);
    while length <= LONGEST {
        next <<= 1;
        codes.first[length] = next;
        codes.begin[length] = placed;
        let mut symbol = 0_u16;
        while symbol <= END {
            if LENGTHS[symbol as usize] as usize == length {
                codes.symbols[placed as usize] = symbol;
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        codes.count[length] = placed - codes.begin[length];
        length += 1;
    }
    codes
}

#[expect(clippy::indexing_slicing, reason = "runs when this is compiled, over whole tables")]
const fn bytes() -> [(u32, u8); 256] {
    let mut bytes = [(0, 0); 256];
    let mut length = 1;
    while length <= LONGEST {
        let mut n = 0;
        while n < CODES.count[length] {
            let symbol = CODES.symbols[(CODES.begin[length] + n) as usize];
            if symbol != END {
                bytes[symbol as usize] = (CODES.first[length] + n, LENGTHS[symbol as usize]);
            }
            n += 1;
        }
        length += 1;
    }
    bytes
}

#[expect(clippy::indexing_slicing, reason = "runs when this is compiled, over whole tables")]
const fn short() -> [u16; 1 << LOOK] {
    let mut short = [0; 1 << LOOK];
    let mut symbol = 0;
    while symbol < 256 {
        let (code, length) = BYTES[symbol];
        if length as u32 <= LOOK {
            let spare = LOOK - length as u32;
            let mut n = 0;
            while n < 1 << spare {
                short[((code << spare) + n) as usize] = (symbol as u16) << 8 | length as u16;
                n += 1;
            }
        }
        symbol += 1;
    }
    short
}

/// How many bytes `text` takes.
pub(super) fn coded_len(text: &[u8]) -> usize {
    let bits = |byte: &u8| ENCODE.get(usize::from(*byte)).map_or(0, |code| usize::from(code.1));
    text.iter().map(bits).sum::<usize>().div_ceil(8)
}

/// Writes `text` in code; what is left of the last byte are ones.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u64, 0_u32);
    for byte in text {
        let &(code, length) = ENCODE.get(usize::from(*byte)).unwrap_or(&(0, 0));
        bits = bits << length | u64::from(code);
        held += u32::from(length);
        if held >= 32 {
            held -= 32;
            let [.., a, b, c, d] = (bits >> held).to_be_bytes();
            out.extend_from_slice(&[a, b, c, d]);
        }
    }
    while held > 0 {
        let spare = 8_u32.saturating_sub(held);
        let [.., byte] =
            (((bits << spare) | ((1 << spare) - 1)) >> held.saturating_sub(8)).to_be_bytes();
        out.push(byte);
        held = held.saturating_sub(8);
    }
}

/// Reads what is in code onto the end of `out`, up to `most` bytes.
pub(super) fn decode(mut coded: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
    let begin = out.len();
    // No code is shorter than five bits, so that there is a place for each byte.
    out.resize(begin + (coded.len() * 8 / SHORTEST).min(most), 0);
    let mut places = out.get_mut(begin..).unwrap_or_default().iter_mut();
    // Up to 64 bits, the next one highest.
    let (mut bits, mut held) = (0_u64, 0_u32);
    loop {
        if held < LONGEST as u32 {
            if let Some((word, rest)) = coded.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*word)) << (32 - held);
                held += 32;
                coded = rest;
            } else {
                while let Some((byte, rest)) = coded.split_first() {
                    bits |= u64::from(*byte) << (56 - held);
                    held += 8;
                    coded = rest;
                }
            }
        }
        let found = SHORT.get((bits >> (64 - LOOK)) as usize).copied().unwrap_or(0);
        let (symbol, length) = match found {
            0 => long(bits).ok_or(Stop::Bad)?,
            _ => (found >> 8, u32::from(found & 0xff)),
        };
        if length > held {
            break;
        }
        if symbol == END {
            return Err(Stop::Bad);
        }
        let Some(place) = places.next() else { return Err(Stop::Large) };
        [_, *place] = symbol.to_be_bytes();
        bits <<= length;
        held -= length;
    }
    let left = places.len();
    out.truncate(out.len() - left);
    // RFC 7541 5.2: padding is the beginning of the end's code, and shorter than a byte.
    if held < 8 && bits.leading_ones() >= held { Ok(()) } else { Err(Stop::Bad) }
}

/// A symbol whose code is long, and how long.
#[cold]
fn long(bits: u64) -> Option<(u16, u32)> {
    (LOOK as usize + 1..=LONGEST).find_map(|length| {
        let code = (bits >> (64 - length)) as u32;
        let n = code.checked_sub(*LONG.first.get(length)?)?;
        let symbol = LONG.symbols.get((LONG.begin.get(length)? + n) as usize);
        if n < *LONG.count.get(length)? { Some((*symbol?, length as u32)) } else { None }
    })
}
