//! Draws what a peer says: frames, sections and bytes, right ones mostly.

use regatta_core::engine::h3::qpack::{Encoder, Line};
use regatta_models::tape::Tape;

use super::meaning::WHICH;

const HEADERS: u64 = 1;

/// An integer of variable length; `wide` chooses how many bytes it takes, if it fits.
pub(super) fn put(out: &mut Vec<u8>, value: u64, wide: u32) {
    let least = match value {
        0..0x40 => 0,
        0x40..0x4000 => 1,
        0x4000..0x4000_0000 => 2,
        _ => 3,
    };
    let wide = least.max(wide.min(3));
    let bytes = value.to_be_bytes();
    let from = out.len();
    out.extend_from_slice(&bytes[8 - (1 << wide)..]);
    out[from] |= (wide as u8) << 6;
}

/// A few bytes.
pub(super) fn bytes(tape: &mut Tape) -> Vec<u8> {
    let count = tape.draw("bytes", 12);
    (0..count).map(|_| tape.draw("byte", 256) as u8).collect()
}

/// The section that `number`'s message may begin with, or another one.
pub(super) fn section(tape: &mut Tape, number: usize, is_request: bool) -> Vec<u8> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut say = |name: &str, value: &str| fields.push((name.into(), value.into()));
    match tape.weighted("section", &[6, 2]) {
        0 if is_request => {
            say(":method", tape.pick("method", &["GET", "POST", "HEAD", "OPTIONS", "G(T"]));
            say(":scheme", tape.pick("scheme", &["https", "https", "http", ""]));
            say(":authority", "www.test");
            say(":path", tape.pick("path", &["/", "/a?b", "*", "", "/a#b", "a"]));
            say(WHICH, &number.to_string());
        }
        0 => {
            let all = ["200", "204", "304", "404", "100", "103", "101", "1000", "20"];
            say(":status", tape.pick("status", &all));
        }
        _ => {}
    }
    for _ in 0..tape.draw("fields", 4) {
        let odd = [
            ("a", "b"),
            ("content-length", "3"),
            ("content-length", "0"),
            ("host", "www.test"),
            ("x-y", "a value, and another one"),
            ("te", "trailers"),
            ("te", "gzip"),
            ("connection", "close"),
            ("cookie", "c=1"),
            ("Upper", "case"),
            ("blank", " b"),
            ("line", "a\r\nb"),
            ("", "nameless"),
            (":path", "/again"),
            (":unknown", "x"),
            ("content-length", "+3"),
        ];
        let (name, value) = tape.pick("field", &odd);
        say(name, value);
    }
    if tape.one_in("left out", 8) && !fields.is_empty() {
        fields.remove(tape.draw("which", fields.len() as u32) as usize);
    }
    let mut out = Vec::new();
    let lines = fields.iter().map(|(name, value)| Line::new(name, value));
    Encoder::new(0).encode(0, lines, false, &mut out);
    out
}

/// A frame; its length may lie.
pub(super) fn frame(tape: &mut Tape, number: usize, is_request: bool, is_control: bool) -> Vec<u8> {
    let kinds = match is_control {
        true => [0x4, 0x7, 0xd, 0xf_0700, 0x3, 0x21, 0x0, 0x1, 0x5, 0x6, 0xf_0701, 0x2],
        false => [HEADERS, 0x0, HEADERS, 0x0, 0x21, 0x4, 0x7, 0x5, 0xd, 0x3, 0xf_0700, 0x8],
    };
    // Mostly those that belong here.
    let most = if tape.one_in("odd", 4) { kinds.len() } else { 4 };
    let kind = kinds[tape.draw("kind", most as u32) as usize];
    let payload = match kind {
        HEADERS => section(tape, number, is_request),
        0x4 => settings(tape),
        0x3 | 0x7 | 0xd | 0xf_0700 | 0xf_0701 => {
            let mut payload = Vec::new();
            put(&mut payload, tape.pick("number", &[0, 4, 8, 1, 1 << 40]), tape.draw("wide", 4));
            if tape.one_in("more", 8) {
                payload.extend(bytes(tape));
            }
            payload
        }
        _ => bytes(tape),
    };
    let mut len = payload.len() as u64;
    if tape.one_in("lie", 12) {
        len = tape.pick("length", &[len + 1, len.saturating_sub(1), 0, 40_000, 1 << 61]);
    }
    let mut out = Vec::new();
    put(&mut out, kind, tape.draw("wide", 4));
    put(&mut out, len, tape.draw("wide", 4));
    out.extend(payload);
    out
}

fn settings(tape: &mut Tape) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..tape.draw("settings", 4) {
        put(&mut out, tape.pick("setting", &[0x6, 0x8, 0x33, 0x1, 0x7, 0x21, 0x2, 0x6]), 0);
        put(&mut out, tape.pick("value", &[1, 0, 100, 1 << 20, 2]), tape.draw("wide", 4));
    }
    if tape.one_in("cut", 12) {
        out.pop();
    }
    out
}
