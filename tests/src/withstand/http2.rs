//! What goes wrong over HTTP/2.

use super::fault::Step::{Finish, Flood, Reset, Say};
use super::fault::{Comes, Fault, Step, Way};
use super::http1::{CLOSED, LATE, LATE_SAYS};

/// Empty SETTINGS.
pub(super) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// More pieces than any limit lets through.
const ENDLESS: u32 = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS_KIND: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// One frame (RFC 9113 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `:status: 200` of HPACK's static table, and fields behind it.
pub(super) fn head(stream: u32, fields: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &[&[0x88], fields].concat())
}

pub(super) fn data(stream: u32, bytes: &[u8], flags: u8) -> Vec<u8> {
    frame(DATA, flags, stream, bytes)
}

/// A field that goes into no table.
fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let length = |length: usize| u8::try_from(length).ok().filter(|n| *n < 127).unwrap();
    [&[0, length(name.len())], name.as_bytes(), &[length(value.len())], value].concat()
}

/// SETTINGS with one value.
fn setting(id: u8, value: u8) -> Vec<u8> {
    frame(SETTINGS_KIND, 0, 0, &[0, id, 0, 0, 0, value])
}

/// An answer as it should be.
pub(super) fn ok(stream: u32) -> Vec<u8> {
    [head(stream, &[]), data(stream, b"ok", END_STREAM)].concat()
}

/// One entry of 1,000 bytes in the dynamic table, named again and again (RFC 7541 6.1).
fn bomb(times: usize) -> Vec<u8> {
    let entry = [&[0x40, 1, b'x', 0x7f, 0xe9, 6][..], &[b'v'; 1_000]].concat();
    head(1, &[entry, vec![0xbe; times]].concat())
}

fn fault(name: &'static str, script: Vec<Step>, code: i32, says: &'static str) -> Fault {
    Fault::new(Way::Http2, name, script, Comes::Fails(code, says))
}

const CALM: &str = "HTTP/2 failed on the connection with ENHANCE_YOUR_CALM";
const MORE: &str = "the peer sent more frames than the limit";

/// Behind the head of an answer.
fn behind_head(piece: fn(u32) -> Vec<u8>) -> Vec<Step> {
    vec![Say(head(1, &[])), Flood(ENDLESS, piece)]
}

fn floods() -> Vec<Fault> {
    let flood = |name, piece| fault(name, vec![Flood(ENDLESS, piece)], 16, MORE).twice();
    vec![
        fault(
            "RST_STREAM without end",
            vec![Flood(ENDLESS, |_| frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]))],
            92,
            "the peer reset the stream with CANCEL",
        )
        .twice(),
        fault(
            "CONTINUATION without end",
            vec![Flood(ENDLESS, |n| match n {
                0 => frame(HEADERS, 0, 1, &[0x88]),
                _ => frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b']),
            })],
            16,
            CALM,
        )
        .twice(),
        flood("PING without end", |_| frame(PING, 0, 0, &[0; 8])),
        flood("SETTINGS without end", |_| SETTINGS.to_vec()),
        flood("PRIORITY without end", |_| frame(PRIORITY, 0, 1, &[0; 5])),
        flood("frames of no kind without end", |_| frame(0xbe, 0, 0, &[])),
        flood("WINDOW_UPDATE without end", |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        fault("empty DATA without end", behind_head(|_| frame(DATA, 0, 1, &[])), 16, MORE),
        fault(
            "DATA of padding without end",
            behind_head(|_| frame(DATA, PADDED, 1, &[&[255], &[0; 255][..]].concat())),
            16,
            CALM,
        ),
        fault(
            "interim responses without end",
            // `:status: 103`, which no table has.
            vec![Flood(ENDLESS, |_| frame(HEADERS, END_HEADERS, 1, &field(":status", b"103")))],
            16,
            MORE,
        ),
        fault(
            "pushed streams without end",
            vec![Flood(ENDLESS, |n| {
                let promised = (2 * n + 2).to_be_bytes();
                let head = [&promised[..], &[0x82, 0x86, 0x84]].concat();
                frame(PUSH_PROMISE, END_HEADERS, 1, &head)
            })],
            16,
            "HTTP/2 failed on the connection with PROTOCOL_ERROR",
        )
        .twice(),
    ]
}

/// All that fails at once.
pub(super) fn faults() -> Vec<Fault> {
    let fields = || field("a", &[b'b'; 100]).repeat(400);
    let goaway = |last: u8, code: u8| frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code]);
    let length = |n: u8| head(1, &field("content-length", &[b'0' + n]));
    let mut all = floods();
    all.extend([
        fault("an HPACK bomb", vec![Say(bomb(5_000))], 16, CALM).twice(),
        fault(
            "more fields than the limit",
            vec![Say(head(1, &field("a", b"b").repeat(150)))],
            56,
            "the peer sent a head larger than the limit",
        ),
        fault(
            "a head of 40 KB",
            vec![
                Say(frame(HEADERS, 0, 1, &[&[0x88], &fields()[..16_000]].concat())),
                Say(frame(CONTINUATION, 0, 1, &fields()[16_000..32_000])),
                Say(frame(CONTINUATION, END_HEADERS, 1, &fields()[32_000..])),
            ],
            56,
            "the peer sent a head larger than the limit",
        ),
        fault(
            "a body shorter than its length",
            vec![Say([length(9), data(1, b"short", END_STREAM)].concat())],
            92,
            "HTTP/2 failed on the stream with PROTOCOL_ERROR",
        ),
        fault(
            "a body longer than its length",
            vec![Say([length(2), data(1, b"longer", END_STREAM)].concat())],
            92,
            "HTTP/2 failed on the stream with PROTOCOL_ERROR",
        ),
        fault(
            "GOAWAY for every first stream, none of which was looked at",
            vec![Say(goaway(0, 0)), Finish],
            16,
            "the peer ended the connection with GOAWAY NO_ERROR",
        )
        .twice(),
        fault(
            "GOAWAY for every first stream, none of which is answered",
            vec![Say(goaway(1, 11)), Finish],
            16,
            "the peer ended the connection with GOAWAY ENHANCE_YOUR_CALM",
        )
        .twice(),
        fault(
            "REFUSED_STREAM for every first stream",
            vec![Say(frame(RST_STREAM, 0, 1, &[0, 0, 0, 7]))],
            92,
            "the peer reset the stream with REFUSED_STREAM",
        )
        .twice(),
        Fault::new(
            Way::Http2,
            "a connection that grants no stream any more",
            vec![Say([&setting(3, 0)[..], &ok(1)].concat())],
            Comes::Well,
        )
        .before(1),
        Fault::new(Way::Http2, "a reset at reuse", vec![Say(ok(1)), Reset], Comes::Well).before(1),
        fault("an end instead of an answer", vec![Finish], 52, CLOSED).twice(),
    ]);
    all
}

/// What only a time limit ends.
pub(super) fn silences() -> Vec<Fault> {
    vec![
        fault("no answer", Vec::new(), 28, LATE_SAYS).limit(LATE),
        fault(
            "an answer that stops",
            vec![Say([head(1, &[]), data(1, b"short", 0)].concat())],
            28,
            LATE_SAYS,
        )
        .limit(LATE),
        Fault {
            script: vec![Say([SETTINGS, &setting(4, 0)].concat()), Step::Request],
            ..fault("a window of zero", Vec::new(), 28, LATE_SAYS).limit(LATE).posts()
        },
    ]
}
