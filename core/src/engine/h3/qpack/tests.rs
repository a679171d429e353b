//! Tables that read like RFC 9204, and any order of what may be late.

use super::*;
use crate::rng::Rng;

const WIDE: Limits = Limits { bytes: 1 << 20, fields: 1_000 };

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn decode(decoder: &mut Decoder, stream: u64, section: &[u8]) -> Result<String, Error> {
    let mut fields = Vec::new();
    Ok(match decoder.decode(stream, section, WIDE, &mut fields)? {
        Decoded::Blocked => "blocked".into(),
        Decoded::TooLarge => "too large".into(),
        Decoded::Fields => said(&fields),
    })
}

fn said(fields: &[Field]) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let line = |field: &Field| format!("{}={}", text(&field.name), text(&field.value));
    fields.iter().map(line).collect::<Vec<_>>().join(" ")
}

fn told(decoder: &mut Decoder) -> Vec<u8> {
    let mut out = Vec::new();
    decoder.take_instructions(&mut out);
    out
}

fn lines<'a>(fields: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = Line<'a>> {
    fields.iter().map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
}

fn encode(encoder: &mut Encoder, stream: u64, fields: &[(&str, &str)]) -> (Vec<u8>, Vec<u8>) {
    let (mut section, mut inserts) = (Vec::new(), Vec::new());
    encoder.encode(stream, lines(fields), true, &mut section);
    encoder.take_instructions(&mut inserts);
    (section, inserts)
}

/// The bytes of RFC 9204 appendix B, one after the other.
#[test]
fn appendix_b() {
    let mut decoder = Decoder::new(220, 4);
    // B.1: a literal with a name of the static table.
    let section = hex("0000 510b 2f69 6e64 6578 2e68 746d 6c");
    assert_eq!(decode(&mut decoder, 0, &section).unwrap(), ":path=/index.html");
    assert_eq!(told(&mut decoder), b"");
    // B.2: two inserts, a section that comes before them, and its acknowledgement.
    let section = hex("0381 10 11");
    assert_eq!(decode(&mut decoder, 4, &section).unwrap(), "blocked");
    assert_eq!(decoder.unblocked(), None);
    let inserts =
        hex("3fbd01 c00f 7777 772e 6578 616d 706c 652e 636f 6d c10c 2f73 616d 706c 652f 7061 7468");
    decoder.on_encoder_stream(&inserts).unwrap();
    assert_eq!(decoder.unblocked(), Some(4));
    assert_eq!(decoder.unblocked(), None);
    let fields = ":authority=www.example.com :path=/sample/path";
    assert_eq!(decode(&mut decoder, 4, &section).unwrap(), fields);
    assert_eq!(told(&mut decoder), hex("84"));
    // B.3: a speculative insert, and how its coming is told.
    let insert = hex("4a63 7573 746f 6d2d 6b65 790c 6375 7374 6f6d 2d76 616c 7565");
    decoder.on_encoder_stream(&insert).unwrap();
    assert_eq!(told(&mut decoder), hex("01"));
    // B.4: a duplicate, a section that refers to it, and a stream that is cancelled.
    decoder.on_encoder_stream(&hex("02")).unwrap();
    let section = hex("0500 80 c1 81");
    let fields = ":authority=www.example.com :path=/ custom-key=custom-value";
    assert_eq!(decode(&mut decoder, 8, &section).unwrap(), fields);
    assert_eq!(told(&mut decoder), hex("88"));
    decoder.cancel(8);
    assert_eq!(told(&mut decoder), hex("48"));
    // B.5: an insert by a name of the table, which puts the oldest entry out.
    decoder.on_encoder_stream(&hex("810d 6375 7374 6f6d 2d76 616c 7565 32")).unwrap();
    assert_eq!(decoder.size(), 215);
    assert_eq!(told(&mut decoder), hex("01"));
}

/// What is wrong in a section, on a connection with a table of 128 bytes and one entry in it.
// rule: QP-1a
#[test]
fn sections_that_are_refused() {
    let rows = [
        ("", "no prefix"),
        ("00", "half a prefix"),
        ("0000 ff", "half an integer"),
        ("0000 ffffffffffffffffffffff", "an integer without end"),
        ("0000 ff24", "static entry 99"),
        ("0000 5f54 00", "the name of static entry 99"),
        ("0000 80", "an entry where none is required"),
        ("0000 10", "one above the base"),
        ("0000 00 00", "a name above the base"),
        ("0200 81", "an entry before the first"),
        ("0281 11", "one beyond what is required"),
        ("0981", "more inserts than the table can ever have"),
        ("0282 10", "a base below zero"),
        ("0000 23 61", "half a name"),
        ("0000 21 61 05 62", "half a value"),
        ("0000 21 61 81 62", "padding that is no ones"),
        ("0000 21 61 82 1fff", "padding of a byte"),
        ("0000 21 61 84 ffffffff", "the end of the string"),
    ];
    for (section, what) in rows {
        let mut decoder = Decoder::new(128, 0);
        decoder.on_encoder_stream(&hex("3f61 4161 0162")).unwrap();
        assert_eq!(decode(&mut decoder, 0, &hex("0200 80")).unwrap(), "a=b");
        let failed = decode(&mut decoder, 4, &hex(section));
        assert_eq!(failed, Err(Error::DecompressionFailed), "{what}");
    }
}

/// Nobody may wait where it was not granted, and only so many where it was.
// rule: QP-1b
#[test]
fn blocked_streams_are_limited() {
    let section = hex("0200 80");
    let mut decoder = Decoder::new(128, 0);
    assert_eq!(decode(&mut decoder, 0, &section), Err(Error::DecompressionFailed));
    let mut decoder = Decoder::new(128, 2);
    for stream in [0, 4, 4, 0] {
        assert_eq!(decode(&mut decoder, stream, &section).unwrap(), "blocked");
    }
    // One that is given up waits no longer.
    decoder.cancel(0);
    assert_eq!(decode(&mut decoder, 8, &section).unwrap(), "blocked");
    assert_eq!(decode(&mut decoder, 12, &section), Err(Error::DecompressionFailed));
}

// rule: QP-1c
#[test]
fn encoder_streams_that_are_refused() {
    let rows = [
        ("3f62", "a capacity above what was granted"),
        ("3f61 00", "a duplicate of nothing"),
        ("3f61 80 00", "a name of nothing"),
        ("3f61 ff24 00", "the name of static entry 99"),
        ("41 61 01 62", "an insert without capacity"),
        ("3f00 c0 00", "an entry larger than the capacity"),
        ("3f61 c0 7f02", "a value longer than the table"),
        ("3f61 5f62", "a name longer than the table"),
        ("3f61 c0 ffffff7f", "a value in code far longer than the table"),
        ("3f61 c0 84 ffffffff", "the end of the string"),
        ("3fffffffffffffffffffff", "an integer without end"),
    ];
    for (instructions, what) in rows {
        let mut decoder = Decoder::new(128, 0);
        let failed = decoder.on_encoder_stream(&hex(instructions));
        assert_eq!(failed, Err(Error::EncoderStream), "{what}");
    }
    // Nothing at all may be said where nothing was granted.
    let mut decoder = Decoder::new(0, 0);
    assert_eq!(decoder.on_encoder_stream(&hex("21")), Err(Error::EncoderStream));
}

// rule: QP-1d
#[test]
fn decoder_streams_that_are_refused() {
    let rows = [
        ("80", "a section of a stream that had none"),
        ("84 84", "a section twice"),
        ("00", "an increment of nothing"),
        ("02", "an increment beyond what was inserted"),
        ("84 01", "one beyond what a section has said"),
        ("3fffffffffffffffffffff", "an integer without end"),
    ];
    for (instructions, what) in rows {
        let mut encoder = Encoder::new(128);
        encoder.grant(128, 1);
        encode(&mut encoder, 4, &[("a", "b")]);
        let failed = encoder.on_decoder_stream(&hex(instructions));
        assert_eq!(failed, Err(Error::DecoderStream), "{what}");
    }
    // A stream that had no section may be cancelled all the same.
    let mut encoder = Encoder::new(128);
    assert_eq!(encoder.on_decoder_stream(&hex("7f 81 01")), Ok(()));
}

/// A bomb is left at the limit, before it is in memory (A05, A75).
// rule: A75
#[test]
fn sections_are_given_up_at_their_limit() {
    let mut decoder = Decoder::new(4096, 0);
    let mut encoder = Encoder::new(4096);
    encoder.grant(4096, 8);
    let large = "v".repeat(2_000);
    let (_, inserts) = encode(&mut encoder, 0, &[("bomb", &large)]);
    decoder.on_encoder_stream(&inserts).unwrap();
    let mut section = hex("0200");
    section.resize(2 + 1_000, 0x80);
    let limits = Limits { bytes: 10 * (2_004 + 32), fields: 5_000 };
    let mut fields = Vec::new();
    assert_eq!(decoder.decode(4, &section, limits, &mut fields), Ok(Decoded::TooLarge));
    assert!(fields.is_empty());
    assert_eq!(decoder.decode(4, &section[..12], limits, &mut fields), Ok(Decoded::Fields));
    assert_eq!(fields.len(), 10);
    let few = Limits { bytes: 1 << 20, fields: 9 };
    assert_eq!(decoder.decode(8, &section[..12], few, &mut fields), Ok(Decoded::TooLarge));
    // A length is believed before the string has come.
    let limits = Limits { bytes: 100, fields: 5 };
    let failed = decoder.decode(12, &hex("0000 21 61 7f00"), limits, &mut fields);
    assert_eq!(failed, Ok(Decoded::TooLarge));
}

// rule: QP-2
#[test]
fn a_secret_is_in_no_table() {
    let mut encoder = Encoder::new(4096);
    encoder.grant(4096, 8);
    let secret = Line { is_sensitive: true, ..Line::new(b"x-key", b"hidden") };
    let known = Line { is_sensitive: true, ..Line::new(b"accept", b"*/*") };
    let (mut section, mut inserts) = (Vec::new(), Vec::new());
    encoder.encode(0, [secret, known], true, &mut section);
    encoder.take_instructions(&mut inserts);
    assert_eq!((inserts, encoder.size()), (hex("3fe11f"), 0));
    let mut fields = Vec::new();
    let mut decoder = Decoder::new(0, 0);
    assert_eq!(decoder.decode(0, &section, WIDE, &mut fields), Ok(Decoded::Fields));
    assert!(fields.iter().all(|field| field.is_sensitive));
    assert_eq!(said(&fields), "x-key=hidden accept=*/*");
}

/// What comes again is an index, and what the peer may not have is not referred to.
#[test]
fn the_table_is_used() {
    let mut encoder = Encoder::new(4096);
    encoder.grant(4096, 0);
    let fields = [("x-token", "a value that comes again"), ("user-agent", "regatta")];
    let (first, inserts) = encode(&mut encoder, 0, &fields);
    assert!(first.len() > 30, "no stream may wait");
    let mut decoder = Decoder::new(4096, 0);
    decoder.on_encoder_stream(&inserts).unwrap();
    encoder.on_decoder_stream(&told(&mut decoder)).unwrap();
    let (second, inserts) = encode(&mut encoder, 4, &fields);
    assert_eq!((second.len(), inserts.len()), (4, 0));
    assert_eq!(decode(&mut decoder, 4, &second).unwrap(), said_of(&fields));
    assert_eq!(told(&mut decoder), hex("84"));
}

/// A peer that never acknowledges makes nobody hold more and more (A75).
// rule: A75
#[test]
fn sections_that_are_never_acknowledged_are_limited() {
    let mut encoder = Encoder::new(4096);
    encoder.grant(4096, 100_000);
    let mut decoder = Decoder::new(4096, 0);
    for stream in 0..10_000 {
        let value = (stream % 50).to_string();
        let fields = [("x-number", &value[..])];
        let (section, inserts) = encode(&mut encoder, stream, &fields);
        decoder.on_encoder_stream(&inserts).unwrap();
        assert_eq!(decode(&mut decoder, stream, &section).unwrap(), said_of(&fields));
        assert_eq!(section[0] == 0, stream >= 4_000, "{stream}");
    }
    // All the acknowledgements at once, and the table is used again.
    encoder.on_decoder_stream(&told(&mut decoder)).unwrap();
    assert_ne!(encode(&mut encoder, 0, &[("x-number", "49")]).0[0], 0);
}

fn said_of(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Every byte value through Huffman's code, and the codes that RFC 7541 appendix C has.
#[test]
fn huffman_codes() {
    let rows = [
        ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
        ("no-cache", "a8eb10649cbf"),
        ("custom-value", "25a849e95bb8e8b4bf"),
        ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
        ("", ""),
    ];
    for (text, code) in rows {
        let mut out = Vec::new();
        huffman::encode(text.as_bytes(), &mut out);
        assert_eq!(out, hex(code), "{text}");
    }
    let mut rng = Rng::new(1);
    for n in 0..2_000 {
        let text: Vec<u8> = (0..n % 300).map(|_| rng.next_u64() as u8).collect();
        let (mut coded, mut back) = (Vec::new(), Vec::new());
        huffman::encode(&text, &mut coded);
        assert_eq!(coded.len(), huffman::coded_len(&text));
        huffman::decode(&coded, text.len(), &mut back).unwrap();
        assert_eq!(back, text);
        if !text.is_empty() {
            let short = huffman::decode(&coded, text.len() - 1, &mut Vec::new());
            assert_eq!(short, Err(integer::Stop::Large));
        }
    }
}

#[test]
fn integers() {
    // RFC 7541 C.1.
    let rows = [(5, 10, "0a"), (5, 1_337, "1f9a0a"), (8, 42, "2a")];
    for (bits, value, bytes) in rows {
        let mut out = Vec::new();
        integer::put(&mut out, 0, bits, value);
        assert_eq!(out, hex(bytes));
    }
    for bits in 3..=8 {
        for value in [0, 6, 7, 8, 254, 255, 256, 1 << 20, (1 << 62) - 1] {
            let mut out = Vec::new();
            integer::put(&mut out, 0, bits, value);
            let mut reader = integer::Reader(&out);
            assert_eq!((reader.integer(bits), reader.0), (Ok(value), &b""[..]));
            for cut in 0..out.len() {
                let short = integer::Reader(&out[..cut]).integer(bits);
                assert_eq!(short, Err(integer::Stop::Short));
            }
        }
    }
    let mut out = Vec::new();
    integer::put(&mut out, 0, 8, 1 << 62);
    assert_eq!(integer::Reader(&out).integer(8), Err(integer::Stop::Bad));
}

/// Both ends of one direction, with everything between them late, in pieces, or given up.
struct Pair {
    rng: Rng,
    encoder: Encoder,
    decoder: Decoder,
    /// On their way.
    inserts: Vec<u8>,
    acknowledgements: Vec<u8>,
    /// Sections that were not read, by stream.
    sections: Vec<(u64, Vec<u8>, String)>,
    waiting: Vec<(u64, Vec<u8>, String)>,
    granted: usize,
    blocked: u64,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let granted = [0, 31, 100, 220, 4096][rng.below(5) as usize];
        let most_blocked = rng.below(4) as usize;
        let mut encoder = Encoder::new(1 << 20);
        encoder.grant(granted, most_blocked);
        let decoder = Decoder::new(granted, most_blocked);
        let (inserts, acknowledgements) = (Vec::new(), Vec::new());
        let (sections, waiting) = (Vec::new(), Vec::new());
        Self {
            rng,
            encoder,
            decoder,
            inserts,
            acknowledgements,
            sections,
            waiting,
            granted,
            blocked: 0,
        }
    }

    fn send(&mut self, stream: u64) {
        let mut fields = Vec::new();
        for _ in 0..self.rng.below(6) {
            let name =
                ["a", "x-long-name", ":path", "accept", "server"][self.rng.below(5) as usize];
            let value = "v".repeat(self.rng.below(4) as usize) + &self.rng.below(9).to_string();
            fields.push((name, if name == "accept" { "*/*".into() } else { value }));
        }
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let may_insert = self.rng.below(5) > 0;
        let mut section = Vec::new();
        self.encoder.encode(stream, lines(&fields), may_insert, &mut section);
        self.encoder.take_instructions(&mut self.inserts);
        self.sections.push((stream, section, said_of(&fields)));
    }

    fn part(rng: &mut Rng, from: &mut Vec<u8>) -> Vec<u8> {
        let n = rng.below(from.len() as u64 + 1) as usize;
        from.drain(..n).collect()
    }

    fn read(&mut self, stream: u64, section: Vec<u8>, fields: String) {
        match decode(&mut self.decoder, stream, &section).unwrap().as_str() {
            "blocked" => {
                self.blocked += 1;
                self.waiting.push((stream, section, fields));
            }
            read => assert_eq!(read, fields),
        }
    }

    fn step(&mut self, stream: u64) {
        match self.rng.below(9) {
            0..3 => self.send(stream),
            3 | 4 => {
                let came = Self::part(&mut self.rng, &mut self.inserts);
                self.decoder.on_encoder_stream(&came).unwrap();
                self.wake();
            }
            5 if !self.sections.is_empty() => {
                let n = self.rng.below(self.sections.len() as u64) as usize;
                let stream = self.sections[n].0;
                if self.waiting.iter().any(|(waiting, ..)| *waiting == stream) {
                    return;
                }
                // Of one stream the oldest.
                let n = self.sections.iter().position(|(other, ..)| *other == stream).unwrap();
                let (stream, section, fields) = self.sections.remove(n);
                if self.rng.below(8) == 0 {
                    self.sections.retain(|(other, ..)| *other != stream);
                    self.decoder.cancel(stream);
                } else {
                    self.read(stream, section, fields);
                }
            }
            6 => {
                if self.rng.below(2) == 0 {
                    self.decoder.take_instructions(&mut self.acknowledgements);
                }
                let came = Self::part(&mut self.rng, &mut self.acknowledgements);
                self.encoder.on_decoder_stream(&came).unwrap();
            }
            7 => {
                let capacity = self.rng.below(2 * self.granted as u64 + 1) as usize;
                self.encoder.set_capacity(capacity);
            }
            _ => {}
        }
        assert!(self.decoder.size() <= 9 * self.granted + 20, "{}", self.decoder.size());
        assert!(self.encoder.size() <= self.granted);
    }

    fn wake(&mut self) {
        while let Some(stream) = self.decoder.unblocked() {
            let n = self.waiting.iter().position(|(waiting, ..)| *waiting == stream).unwrap();
            let (stream, section, fields) = self.waiting.remove(n);
            let blocked = self.blocked;
            self.read(stream, section, fields);
            assert_eq!(self.blocked, blocked, "it can be read now");
        }
    }

    fn settle(&mut self) {
        self.encoder.take_instructions(&mut self.inserts);
        let came = core::mem::take(&mut self.inserts);
        self.decoder.on_encoder_stream(&came).unwrap();
        self.wake();
        assert!(self.waiting.is_empty());
        for (stream, section, fields) in core::mem::take(&mut self.sections) {
            self.read(stream, section, fields);
        }
        assert!(self.waiting.is_empty());
        self.decoder.take_instructions(&mut self.acknowledgements);
        let came = core::mem::take(&mut self.acknowledgements);
        self.encoder.on_decoder_stream(&came).unwrap();
        assert_eq!(self.decoder.size(), self.encoder.size());
    }
}

/// A thousand connections, in every order: what was sent is what is read.
#[test]
fn whatever_is_late_what_was_sent_is_read() {
    let (mut blocked, mut used) = (0, 0);
    for seed in 0..250 {
        let mut pair = Pair::new(seed);
        for n in 0..200 {
            pair.step(4 * (n / 3));
        }
        pair.settle();
        blocked += pair.blocked;
        used += u64::from(pair.encoder.size() > 0);
    }
    assert!(blocked > 80 && used > 100, "{blocked} were blocked, {used} tables were used");
}

/// Any bytes at all: an error or fields, and no more memory than was granted.
#[test]
fn soup() {
    for seed in 0..1_000 {
        let mut rng = Rng::new(seed);
        let mut decoder = Decoder::new(200, 2);
        let mut encoder = Encoder::new(200);
        encoder.grant(200, 2);
        for stream in 0..20 {
            let bytes: Vec<u8> = (0..rng.below(30)).map(|_| rng.next_u64() as u8).collect();
            let mut fields = Vec::new();
            let limits = Limits { bytes: 300, fields: 5 };
            let _any = decoder.decode(stream, &bytes, limits, &mut fields);
            assert!(fields.len() <= 5);
            encode(&mut encoder, stream, &[("a", "b"), ("c", "d")]);
            let _any = encoder.on_decoder_stream(&bytes);
            if decoder.on_encoder_stream(&bytes).is_err() {
                break;
            }
            assert!(decoder.size() <= 200 * 9);
        }
    }
}
