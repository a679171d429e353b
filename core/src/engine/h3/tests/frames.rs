//! What a peer may not say, by the sections of RFC 9114, and the code that it hears.

use super::net::{Grants, frame};
use super::*;
use crate::engine::integer;

const DATA: u64 = 0;
const HEADERS: u64 = 1;
const CANCEL_PUSH: u64 = 3;
const SETTINGS: u64 = 4;
const PUSH_PROMISE: u64 = 5;
const GOAWAY: u64 = 7;
const MAX_PUSH_ID: u64 = 0xd;
const PRIORITY_UPDATE: u64 = 0xf0700;
const PRIORITY_UPDATE_PUSH: u64 = 0xf0701;

const CONTROL: u64 = 0;
const PUSH: u64 = 1;
const ENCODER: u64 = 2;
const DECODER: u64 = 3;

/// GET https://example.com/ as an encoder without a table says it.
fn request() -> Vec<u8> {
    let mut section = vec![0, 0, 0xd1, 0xd7, 0xc1, 0x50, 11];
    section.extend_from_slice(b"example.com");
    section
}

/// 200.
const ANSWER: [u8; 3] = [0, 0, 0xd9];

/// A peer that the test speaks for, past the handshake; it has said its SETTINGS.
fn client_of(config: &Config) -> Net {
    let mut net = Net::new(None, Some(config));
    net.run(20);
    net.client.begin(CONTROL, &frame(SETTINGS, &[]));
    net
}

fn server_of(config: &Config) -> Net {
    let mut net = Net::new(Some(config), None);
    net.run(20);
    net.server.begin(CONTROL, &frame(SETTINGS, &[]));
    net.run(5);
    net
}

/// What a server that hears this on the control stream closes with.
fn server_says(control: &[u8]) -> Option<u64> {
    let mut net = Net::new(None, Some(&Config::default()));
    net.run(20);
    net.client.begin(CONTROL, control);
    net.run(10);
    assert_eq!(net.client.code(), net.server.closed.map(|close| close.code));
    net.client.code()
}

fn client_says(control: &[u8]) -> Option<u64> {
    let mut net = Net::new(Some(&Config::default()), None);
    net.run(20);
    net.server.begin(CONTROL, control);
    net.run(10);
    net.server.code()
}

/// 6.2.1, 7.2: what stands first on the control stream, and what may stand there at all.
// rule: H3-1a H3-2b H3-2c H3-3a H3-5c A76 A77
#[test]
fn frames_on_the_control_stream() {
    let settings = frame(SETTINGS, &[]);
    let behind = |kind, payload: &[u8]| [settings.clone(), frame(kind, payload)].concat();
    let long = vec![0; 2_000];
    // What, the server's code, the client's.
    let rows: Vec<(Vec<u8>, Option<u64>, Option<u64>)> = vec![
        (settings.clone(), None, None),
        (frame(GOAWAY, &[0]), Some(0x10a), Some(0x10a)),
        (frame(0x21, &[1]), Some(0x10a), Some(0x10a)),
        (frame(DATA, &[1]), Some(0x10a), Some(0x10a)),
        (behind(SETTINGS, &[]), Some(0x105), Some(0x105)),
        (behind(DATA, b"data"), Some(0x105), Some(0x105)),
        (behind(HEADERS, &ANSWER), Some(0x105), Some(0x105)),
        (behind(PUSH_PROMISE, &[0]), Some(0x105), Some(0x105)),
        (behind(0x2, &[0; 5]), Some(0x105), Some(0x105)),
        (behind(0x6, &[0; 8]), Some(0x105), Some(0x105)),
        (behind(0x8, &[0; 4]), Some(0x105), Some(0x105)),
        (behind(0x9, &[]), Some(0x105), Some(0x105)),
        // Frames that mean nothing.
        (behind(0x21, b"anything"), None, None),
        (behind(0x3ff, &long), None, None),
        // Pushes.
        (behind(CANCEL_PUSH, &[0]), Some(0x108), Some(0x108)),
        (behind(CANCEL_PUSH, &[0, 0]), Some(0x106), Some(0x106)),
        (behind(MAX_PUSH_ID, &[7]), None, Some(0x105)),
        (behind(MAX_PUSH_ID, &[]), Some(0x106), Some(0x105)),
        ([behind(MAX_PUSH_ID, &[7]), frame(MAX_PUSH_ID, &[6])].concat(), Some(0x108), Some(0x105)),
        ([behind(MAX_PUSH_ID, &[7]), frame(MAX_PUSH_ID, &[7])].concat(), None, Some(0x105)),
        // GOAWAY: a push's number from a client, a request's from a server; it never rises.
        (behind(GOAWAY, &[]), Some(0x106), Some(0x106)),
        (behind(GOAWAY, &[0, 0]), Some(0x106), Some(0x106)),
        (behind(GOAWAY, &[1]), None, Some(0x108)),
        (behind(GOAWAY, &[8]), None, None),
        ([behind(GOAWAY, &[8]), frame(GOAWAY, &[4])].concat(), None, None),
        ([behind(GOAWAY, &[8]), frame(GOAWAY, &[12])].concat(), Some(0x108), Some(0x108)),
        // RFC 9218 7.2.
        (behind(PRIORITY_UPDATE, b"\x04u=1"), None, Some(0x105)),
        (behind(PRIORITY_UPDATE, b"\x04 nonsense,,"), None, Some(0x105)),
        (behind(PRIORITY_UPDATE, b""), Some(0x106), Some(0x105)),
        (behind(PRIORITY_UPDATE, b"\x05u=1"), Some(0x108), Some(0x105)),
        (behind(PRIORITY_UPDATE_PUSH, b"\x04u=1"), Some(0x108), Some(0x105)),
        // More than is reasonable, known before it has come (A76).
        (frame(SETTINGS, &long), Some(0x107), Some(0x107)),
        (
            [settings.clone(), vec![0x21, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
            Some(0x107),
            Some(0x107),
        ),
    ];
    for (said, server, client) in rows {
        assert_eq!(server_says(&said), server, "a server, {said:?}");
        assert_eq!(client_says(&said), client, "a client, {said:?}");
    }
}

/// 7.2.4, RFC 9220 3, RFC 9297 2.1.1.
// rule: H3-2a H3-2c A77
#[test]
fn settings() {
    let rows: &[(&[u8], Option<u64>)] = &[
        (&[1, 0x40, 0x64, 6, 0x50, 0, 7, 9], None),
        (&[0x21, 7, 0x40, 0x5f, 0], None),
        (&[8, 1, 0x33, 0], None),
        (&[8, 2], Some(0x109)),
        (&[0x33, 2], Some(0x109)),
        (&[6, 1, 6, 1], Some(0x109)),
        (&[0x21, 1, 0x21, 2], Some(0x109)),
        (&[0, 1], Some(0x109)),
        (&[2, 1], Some(0x109)),
        (&[3, 1], Some(0x109)),
        (&[4, 1], Some(0x109)),
        (&[5, 1], Some(0x109)),
        (&[6], Some(0x106)),
        (&[6, 0x40], Some(0x106)),
    ];
    for (payload, code) in rows {
        assert_eq!(server_says(&frame(SETTINGS, payload)), *code, "{payload:?}");
    }
}

/// 4.1, 7.1, 7.2: what may stand on a request's stream, and when.
// rule: H3-2b H3-5c QP-1a
#[test]
fn frames_on_a_requests_stream() {
    let asked = frame(HEADERS, &request());
    let behind = |kind, payload: &[u8]| [asked.clone(), frame(kind, payload)].concat();
    let trailers = frame(HEADERS, &[0, 0]);
    let rows: Vec<(Vec<u8>, Option<u64>)> = vec![
        (asked.clone(), None),
        (frame(DATA, b"data"), Some(0x105)),
        (frame(SETTINGS, &[]), Some(0x105)),
        (behind(SETTINGS, &[]), Some(0x105)),
        (behind(GOAWAY, &[0]), Some(0x105)),
        (behind(MAX_PUSH_ID, &[0]), Some(0x105)),
        (behind(CANCEL_PUSH, &[0]), Some(0x105)),
        (behind(PUSH_PROMISE, &[0]), Some(0x105)),
        (behind(PRIORITY_UPDATE, &[0]), Some(0x105)),
        (behind(0x2, &[]), Some(0x105)),
        (behind(0x6, &[]), Some(0x105)),
        (behind(0x8, &[]), Some(0x105)),
        (behind(0x9, &[]), Some(0x105)),
        (behind(0x21, b"anything"), None),
        ([behind(DATA, b"data"), trailers.clone()].concat(), None),
        ([asked.clone(), trailers.clone(), trailers.clone()].concat(), Some(0x105)),
        ([asked.clone(), trailers.clone(), frame(DATA, b"data")].concat(), Some(0x105)),
        ([asked.clone(), trailers.clone(), frame(0x21, b"data")].concat(), None),
        // Not whole.
        (vec![0], Some(0x106)),
        ([asked.clone(), vec![0, 5, 1]].concat(), Some(0x106)),
        ([asked.clone(), vec![0x40]].concat(), Some(0x106)),
        // A section that cannot be understood.
        (frame(HEADERS, &[0]), Some(0x200)),
        (frame(HEADERS, &[]), Some(0x200)),
        (frame(HEADERS, &[2, 0, 0x80]), Some(0x200)),
    ];
    for (said, code) in rows {
        let mut net = client_of(&Config::default());
        net.client.ask(&said, true);
        net.run(10);
        assert_eq!(net.client.code(), code, "a server, {said:?}");
        // The same in single bytes is the same.
        let mut net = client_of(&Config::default());
        let stream = net.client.ask(&[], false);
        for byte in &said {
            if net.client.lost.is_none() {
                net.client.write(stream, &[*byte]);
                net.tick();
            }
        }
        if net.client.lost.is_none() {
            net.client.finish(stream);
        }
        net.run(10);
        assert_eq!(net.client.code(), code, "byte by byte, {said:?}");
    }
}

/// The same of an answer.
// rule: H3-2b H3-5c
#[test]
fn frames_on_an_answers_stream() {
    let head = frame(HEADERS, &ANSWER);
    let behind = |kind, payload: &[u8]| [head.clone(), frame(kind, payload)].concat();
    let rows: Vec<(Vec<u8>, Option<u64>)> = vec![
        (head.clone(), None),
        ([frame(HEADERS, &[0, 0, 0xd8]), head.clone()].concat(), None),
        (frame(DATA, b"data"), Some(0x105)),
        ([frame(HEADERS, &[0, 0, 0xd8]), frame(DATA, b"data")].concat(), Some(0x105)),
        (behind(SETTINGS, &[]), Some(0x105)),
        (behind(GOAWAY, &[0]), Some(0x105)),
        // No push was ever allowed (7.2.5).
        (behind(PUSH_PROMISE, &[0]), Some(0x108)),
        (frame(PUSH_PROMISE, &[0]), Some(0x108)),
        (behind(0x6, &[]), Some(0x105)),
        (behind(DATA, b"data"), None),
        ([head.clone(), vec![0, 5, 1]].concat(), Some(0x106)),
    ];
    for (said, code) in rows {
        let mut net = server_of(&Config::default());
        net.client.engine().open(net.now, &get("/"), true).unwrap();
        net.run(5);
        let stream = net.server.connection().streams().accept(quinn_proto::Dir::Bi).unwrap();
        net.server.write(stream, &said);
        net.server.finish(stream);
        net.run(10);
        assert_eq!(net.server.code(), code, "{said:?}");
    }
}

/// 6.2: streams of one direction, each once, never ended; others are not read.
// rule: H3-1b H3-2c A77
#[test]
fn streams_of_one_direction() {
    let settings = frame(SETTINGS, &[]);
    for (kinds, server, client) in [
        (vec![CONTROL], None, None),
        (vec![CONTROL, ENCODER, DECODER], None, None),
        (vec![CONTROL, CONTROL], Some(0x103), Some(0x103)),
        (vec![CONTROL, ENCODER, ENCODER], Some(0x103), Some(0x103)),
        (vec![CONTROL, DECODER, DECODER], Some(0x103), Some(0x103)),
        (vec![CONTROL, PUSH], Some(0x103), Some(0x108)),
        (vec![CONTROL, 0x21, 0x40, 0x3fff], None, None),
    ] {
        for (is_server, code) in [(true, server), (false, client)] {
            let config = Config::default();
            let mut net = match is_server {
                true => Net::new(None, Some(&config)),
                false => Net::new(Some(&config), None),
            };
            net.run(20);
            let end = if is_server { &mut net.client } else { &mut net.server };
            let mut unknown = Vec::new();
            for kind in &kinds {
                let said = if *kind == CONTROL { &settings[..] } else { &[] };
                let stream = end.begin(*kind, said);
                if *kind > 3 {
                    end.write(stream, b"anything");
                    unknown.push(stream);
                }
            }
            net.run(10);
            let end = if is_server { &net.client } else { &net.server };
            assert_eq!(end.code(), code, "{kinds:?} {is_server}");
            for stream in unknown {
                assert_eq!(end.stopped(stream), Some(0x103));
            }
        }
    }
}

/// Streams that mean nothing, one behind the other for as long as the server gives credit for
/// more: it stops each and keeps none, and there is room for the next when the client has let go.
/// Those that never say what they are keep their credit.
// rule: A78
#[test]
fn a_flood_of_streams_of_one_direction() {
    let grants = Grants { unidirectional: 8, ..Grants::default() };
    for says_kind in [true, false] {
        let mut net = Net::with(None, Some(&Config::default()), Grants::default(), grants);
        net.run(20);
        net.client.begin(CONTROL, &frame(SETTINGS, &[]));
        let (mut begun, mut stopped) = (0, 0);
        for _ in 0..200 {
            let mut together = 0;
            while let Some(stream) = net.client.connection().streams().open(quinn_proto::Dir::Uni) {
                // The second byte of a kind does not come.
                net.client.write(stream, if says_kind { &[0x21, 7] } else { &[0x40] });
                together += 1;
            }
            assert!(together <= 8, "{together} at a time");
            begun += together;
            net.run(3);
            for event in net.client.stream_events.split_off(0) {
                if let quinn_proto::StreamEvent::Stopped { id, .. } = event {
                    net.client.connection().send_stream(id).reset(0u32.into()).unwrap();
                    stopped += 1;
                }
            }
        }
        assert_eq!(net.client.code(), None);
        assert!(if says_kind { begun > 400 } else { begun < 8 }, "{begun} were begun");
        assert_eq!(stopped, if says_kind { begun } else { 0 });
        net.client.ask(&frame(HEADERS, &request()), true);
        assert_eq!(net.server_told(), ["s0.0 GET https://example.com/ end"]);
    }
}

/// 6.2.1: those that the connection needs may not end, or be refused.
// rule: H3-1c
#[test]
fn critical_streams() {
    for kind in [CONTROL, ENCODER, DECODER] {
        for is_reset in [false, true] {
            let mut net = Net::new(None, Some(&Config::default()));
            net.run(20);
            let settings = frame(SETTINGS, &[]);
            let stream = net.client.begin(kind, if kind == CONTROL { &settings } else { &[] });
            net.run(5);
            match is_reset {
                true => {
                    net.client.connection().send_stream(stream).reset(0_u32.into()).unwrap();
                }
                false => net.client.finish(stream),
            }
            net.run(10);
            assert_eq!(net.client.code(), Some(0x104), "{kind} {is_reset}");
        }
    }
    let mut net = client_of(&Config::default());
    net.run(5);
    let theirs = net.client.connection().streams().accept(quinn_proto::Dir::Uni).unwrap();
    net.client.connection().recv_stream(theirs).stop(0_u32.into()).unwrap();
    net.run(10);
    assert_eq!(net.client.code(), Some(0x104));
    // One that ended before it said what it is means nothing.
    let mut net = client_of(&Config::default());
    let stream = net.client.connection().streams().open(quinn_proto::Dir::Uni).unwrap();
    net.client.write(stream, &[0x40]);
    net.client.finish(stream);
    net.run(10);
    assert_eq!(net.client.code(), None);
}

/// 6.1: a server begins no stream of both directions.
#[test]
fn a_server_begins_no_request() {
    let mut net = server_of(&Config::default());
    net.server.ask(b"", true);
    net.run(10);
    assert_eq!(net.server.code(), Some(0x103));
}

/// What this side says by itself: SETTINGS first, with something that means nothing among it.
// rule: H3-1d H3-2c
#[test]
fn what_is_said_at_the_begin() {
    let mut net = client_of(&Config::default());
    net.run(5);
    let stream = net.client.connection().streams().accept(quinn_proto::Dir::Uni).unwrap();
    let (said, state) = net.client.read(stream);
    assert_eq!(state, "open");
    assert_eq!(said[..2], [0, 4]);
    let len = usize::from(said[2]);
    let settings = super::super::Settings::read(&said[3..3 + len]).unwrap();
    let expected = super::super::Settings {
        max_field_section: 32 << 10,
        connect_protocol: true,
        ..super::super::Settings::default()
    };
    assert_eq!(settings, expected);
    let mut rest = &said[3 + len..];
    let kind = integer::take(&mut rest).unwrap();
    assert_eq!(((kind - 0x21) % 0x1f, rest), (0, &[0][..]));
    // Those of the tables, which are not used: nginx takes nothing unknown before them.
    for kind in [ENCODER, DECODER] {
        let stream = net.client.connection().streams().accept(quinn_proto::Dir::Uni).unwrap();
        let (said, state) = net.client.read(stream);
        assert_eq!((&said[..], state.as_str()), (&[u8::try_from(kind).unwrap()][..], "open"));
    }
    // And a stream that means nothing.
    let stream = net.client.connection().streams().accept(quinn_proto::Dir::Uni).unwrap();
    let (said, state) = net.client.read(stream);
    let kind = integer::take(&mut &said[..]).unwrap();
    assert_eq!(((kind - 0x21) % 0x1f, state.as_str()), (0, "end"));
}

/// RFC 9204: what a peer may not do to the tables.
// rule: QP-1b QP-1c QP-1d
#[test]
fn compression_faults() {
    let config = Config { qpack_table: 128, qpack_blocked: 2, ..Config::default() };
    type Row = (&'static [u8], &'static [u8], usize, Option<u64>);
    let rows: [Row; 9] = [
        // Encoder stream, decoder stream, requests that wait for an entry, code.
        (&[0x3f, 0x61, 0x41, b'a', 1, b'b'], &[], 0, None),
        (&[0x3f, 0x62], &[], 0, Some(0x201)),
        (&[0x00], &[], 0, Some(0x201)),
        (&[], &[0x80], 0, Some(0x202)),
        (&[], &[0x01], 0, Some(0x202)),
        (&[], &[0x00], 0, Some(0x202)),
        (&[], &[0x44], 0, None),
        (&[], &[], 2, None),
        (&[], &[], 3, Some(0x200)),
    ];
    for (encoder, decoder, waiting, code) in rows {
        let mut net = client_of(&config);
        net.client.begin(ENCODER, encoder);
        net.client.begin(DECODER, decoder);
        for _ in 0..waiting {
            net.client.ask(&frame(HEADERS, &[2, 0, 0x80]), true);
        }
        net.run(10);
        assert_eq!(net.client.code(), code, "{encoder:?} {decoder:?} {waiting}");
    }
}

/// A request that waits for an entry is heard when it has come, however late.
// rule: QP-1e
#[test]
fn a_request_that_waits_for_its_fields() {
    let config = Config { qpack_table: 128, qpack_blocked: 2, ..Config::default() };
    let mut net = client_of(&config);
    let mut section = request();
    section[..2].copy_from_slice(&[2, 0]);
    section.push(0x80);
    let said = [frame(HEADERS, &section), frame(DATA, b"data")].concat();
    net.client.ask(&said, true);
    assert_eq!(net.server_told(), [""; 0]);
    let stream = net.client.begin(ENCODER, &[0x3f, 0x61, 0x41, b'a']);
    assert_eq!(net.server_told(), [""; 0]);
    net.client.write(stream, &[1, b'b']);
    assert_eq!(net.server_told(), ["s0.0 GET https://example.com/", "s0.0 4 bytes end"]);
    // It is acknowledged.
    let mut told = Vec::new();
    while let Some(stream) = net.client.connection().streams().accept(quinn_proto::Dir::Uni) {
        told.push(net.client.read(stream).0);
    }
    assert!(told.contains(&vec![3, 0x80]), "{told:?}");
}

/// A head over the limit is refused before it has come, and the connection goes on (A06, A76).
// rule: A76
#[test]
fn heads_that_are_too_large() {
    let config = Config { qpack_table: 4_096, qpack_blocked: 2, ..Config::default() };
    let mut net = client_of(&config);
    let mut encoder = super::super::qpack::Encoder::new(4_096);
    encoder.grant(4_096, 2);
    let value = "v".repeat(2_000);
    let line = super::super::qpack::Line::new(b"a", value.as_bytes());
    encoder.encode(0, [line], true, &mut Vec::new());
    let mut inserts = Vec::new();
    encoder.take_instructions(&mut inserts);
    net.client.begin(ENCODER, &inserts);
    net.run(5);
    let mut section = request();
    section[..2].copy_from_slice(&[2, 0]);
    section.resize(section.len() + 50, 0x80);
    let rows = [
        [frame(HEADERS, &section), frame(DATA, b"data")].concat(),
        // A hundred and one fields.
        frame(HEADERS, &[request(), vec![0xc1 + 1; 98]].concat()),
        // The length alone.
        vec![1, 0x80, 1, 0, 0],
    ];
    for said in rows {
        let stream = net.client.ask(&said, false);
        net.run(5);
        let (answer, state) = net.client.read(stream);
        assert_eq!((answer[0], state.as_str()), (1, "end"), "{said:?}");
        let mut decoder = super::super::qpack::Decoder::new(0, 0);
        let mut fields = Vec::new();
        let limits = super::super::qpack::Limits { bytes: 1_000, fields: 10 };
        decoder.decode(0, &answer[2..], limits, &mut fields).unwrap();
        assert_eq!(&fields[0].value[..], b"431");
        assert_eq!(net.client.stopped(stream), Some(0x100));
    }
    net.client.ask(&frame(HEADERS, &request()), true);
    assert_eq!(net.server_told(), ["s0.3 GET https://example.com/ end"]);
}

/// What is said once the server has named its last request is not acted on (5.2, 4.1.1).
// rule: H3-3b
#[test]
fn a_request_behind_goaway_is_rejected() {
    let mut net = client_of(&Config::default());
    let kept = net.client.ask(&frame(HEADERS, &request()), true);
    net.run(5);
    net.server.engine().shutdown(net.now, crate::engine::Shutdown::Graceful);
    net.run(30);
    let late = net.client.ask(&frame(HEADERS, &request()), true);
    net.run(5);
    assert_eq!(net.client.read(late).1, "reset 0x10b");
    assert_eq!(net.client.read(kept).1, "open");
    assert_eq!(net.server_told(), ["s0.0 GET https://example.com/ end"]);
}

/// What a client may send again, by what the server says (H3-3, H3-4).
// rule: H3-3c H3-4a
#[test]
fn what_is_said_of_a_requests_fate() {
    let rejected = |net: &mut Net, code: u32| {
        let stream = net.server.connection().streams().accept(quinn_proto::Dir::Bi).unwrap();
        net.server.connection().send_stream(stream).reset(code.into()).unwrap();
    };
    for (code, fate) in [
        (0x10b, "s0.0 StreamReset(267) Unprocessed"),
        (0x110, "s0.0 StreamReset(272) Unprocessed"),
        (0x10c, "s0.0 StreamReset(268) Unknown"),
        (0x102, "s0.0 StreamReset(258) Unknown"),
    ] {
        let mut net = server_of(&Config::default());
        net.client.engine().open(net.now, &get("/"), true).unwrap();
        net.run(5);
        rejected(&mut net, code);
        assert_eq!(net.client_told(), [fate]);
    }
    // GOAWAY: those from the number on.
    let mut net = server_of(&Config::default());
    for path in ["/a", "/b", "/c"] {
        net.client.engine().open(net.now, &get(path), true).unwrap();
    }
    let stream = quinn_proto::StreamId::new(quinn_proto::Side::Server, quinn_proto::Dir::Uni, 0);
    net.server.write(stream, &frame(GOAWAY, &[4]));
    let expected =
        ["GoAway { code: 0 }", "s1.0 GoAway(0) Unprocessed", "s2.0 GoAway(0) Unprocessed"];
    assert_eq!(net.client_told(), expected);
}

/// A client that asks and takes back at once costs no more than its streams (A01).
#[test]
fn streams_that_come_to_nothing() {
    let grants = Grants { bidirectional: 10, ..Grants::default() };
    let config = Config::default();
    let mut net = Net::with(None, Some(&config), Grants::default(), grants);
    net.run(20);
    net.client.begin(CONTROL, &frame(SETTINGS, &[]));
    let mut asked = 0;
    for _ in 0..200 {
        if net.client.lost.is_none()
            && let Some(stream) = net.client.connection().streams().open(quinn_proto::Dir::Bi)
        {
            net.client.write(stream, &frame(HEADERS, &request()));
            net.tick();
            let code = 0x10c_u32.into();
            net.client.connection().send_stream(stream).reset(code).unwrap();
            asked += 1;
        }
        net.tick();
    }
    assert_eq!(net.client.code(), Some(0x107), "{asked} were let through");
    assert!(asked < 120, "{asked}");
}
