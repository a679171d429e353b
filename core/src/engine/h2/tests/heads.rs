//! Heads and trailers that are larger than a client allows.

use super::*;

/// A field `x` of so many bytes, each in Huffman's code of five bits.
fn coded(len: usize) -> Vec<u8> {
    let code = [0x18, 0xc6, 0x31, 0x8c, 0x63].repeat(len / 8);
    let mut out = vec![0, 1, b'x', 0xff];
    let mut rest = code.len() - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
    [out, code].concat()
}

/// A section of fields in as many frames as it needs.
fn in_frames(stream: u32, end: bool, fields: &[u8]) -> Vec<u8> {
    let parts: Vec<_> = fields.chunks(16_000).collect();
    let frames = parts.iter().enumerate().map(|(n, part)| {
        let last = if n + 1 == parts.len() { flag::END_HEADERS } else { 0 };
        match n {
            0 => encode(kind::HEADERS, last | if end { flag::END_STREAM } else { 0 }, stream, part),
            _ => encode(kind::CONTINUATION, last, stream, part),
        }
    });
    frames.flatten().collect()
}

/// Whatever its size on the wire, and wherever it comes: no other error hides what it is.
// rule: L-4a
#[test]
fn a_section_over_the_limit_has_a_name() {
    const LIMIT: usize = 32 << 10;
    let ok = vec![0x88];
    let plain = |len: usize| field("x", &"y".repeat(100)).repeat(len / 133);
    let interim = field(":status", "103");
    let rows: [(&str, Vec<u8>, bool); 8] = [
        ("at the limit", [ok.clone(), coded(LIMIT - 80)].concat(), false),
        ("a little above it", [ok.clone(), coded(LIMIT - 72)].concat(), true),
        ("40 KB that are 25 on the wire", [ok.clone(), coded(40_000)].concat(), true),
        ("64 KB", [ok.clone(), coded(64 << 10)].concat(), true),
        ("100 KB", [ok.clone(), coded(100_000)].concat(), true),
        ("100 KB of fields", [ok.clone(), plain(100_000)].concat(), true),
        ("an interim one", [interim.clone(), coded(40_000)].concat(), true),
        ("a large interim one", [interim, coded(100_000)].concat(), true),
    ];
    for (name, fields, is_large) in rows {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        peer.open(&get("/"), true);
        peer.frames();
        peer.feed(&in_frames(1, true, &fields));
        let told = peer.told();
        let named = "s0.0 Protocol(HeadTooLarge) Answered".to_owned();
        assert_eq!(told.contains(&named), is_large, "{name}: {told:?}");
        // The next request is none the worse for it.
        peer.open(&get("/"), true);
        peer.frames();
        peer.feed(&answer(3, true));
        assert_eq!(peer.told().last().unwrap(), "s0.1 ended", "{name}");
    }
    for (name, len) in [("40 KB of trailers", 40_000), ("100 KB", 100_000)] {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        peer.open(&get("/"), true);
        peer.frames();
        peer.feed(&[answer(1, false), in_frames(1, true, &coded(len))].concat());
        assert_eq!(peer.told().last().unwrap(), "s0.0 Protocol(HeadTooLarge) Answered", "{name}");
    }
}

/// Far above the limit h2 ends the connection: who was answered so hears why, and nobody asks
/// for it again.
#[test]
fn a_section_far_over_the_limit_has_a_name_too() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.told();
    peer.open(&get("/a"), true);
    peer.open(&get("/b"), true);
    peer.frames();
    let fields = field("x", &"y".repeat(100)).repeat(4_000);
    for frame in in_frames(1, true, &[vec![0x88], fields].concat()).chunks(5_000) {
        peer.feed(frame);
    }
    let told = peer.told();
    assert!(told.contains(&"s0.0 Protocol(HeadTooLarge) Answered".to_owned()), "{told:?}");
    assert!(!told.iter().any(|word| word.starts_with("s1.0 Protocol(HeadTooLarge)")), "{told:?}");
}
