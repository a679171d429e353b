//! What an attacker sends (attack cases A01 to A20), and what only looks like it.

use super::*;
use crate::time::Duration;

const CALM: u32 = 11;

/// Feeds until the engine says GOAWAY; returns after how many pieces, and the error code.
fn until_go_away(
    peer: &mut Scripted,
    most: u32,
    piece: impl Fn(u32) -> Vec<u8>,
) -> Option<(u32, u32)> {
    until_cut(peer, most, piece).map(|(n, code, _)| (n, code))
}

/// The same, and what it was counted as.
fn until_cut(
    peer: &mut Scripted,
    most: u32,
    piece: impl Fn(u32) -> Vec<u8>,
) -> Option<(u32, u32, Option<Cut>)> {
    for n in 0..most {
        peer.feed(&piece(n));
        if let Some(frame) = peer.frames_of(kind::GOAWAY).pop() {
            let (told, mut cuts) = told_and_cut(&mut peer.engine);
            assert!(told.last().is_some_and(|word| word.starts_with("Closed")));
            return Some((n, frame.code(), cuts.pop()));
        }
    }
    None
}

// rule: A01 A04 A05 A09 A10 A11 A12 A16 L-5 L-6
#[test]
fn floods_end_the_connection() {
    let rapid_reset = |n: u32| [ask(2 * n + 1, true), reset(2 * n + 1, 8)].concat();
    let ping = |_: u32| encode(kind::PING, 0, 0, &[0; 8]);
    let empty_settings = |_: u32| settings(&[]);
    let empty_data = |n: u32| if n == 0 { ask(1, false) } else { data(1, 0, false) };
    let tiny_data = |n: u32| if n == 0 { ask(1, false) } else { data(1, 1, false) };
    let padded = |n: u32| match n {
        0 => ask(1, false),
        _ => encode(kind::DATA, flag::PADDED, 1, &[[255].to_vec(), vec![0; 255]].concat()),
    };
    let priority = |_: u32| encode(2, 0, 1, &[0, 0, 0, 0, 0]);
    let unknown = |_: u32| encode(0xbe, 0, 0, &[]);
    let update = |_: u32| window_update(0, 1);
    let continuation = |n: u32| match n {
        0 => encode(kind::HEADERS, 0, 1, &REQUEST),
        _ => encode(kind::CONTINUATION, 0, 1, &field("a", "b")),
    };
    let bomb = |n: u32| match n {
        // One entry of 1,000 bytes in the dynamic table, named again and again (A05).
        0 => {
            let big = [vec![0x40, 1, b'x', 0x7f, 0xe9, 6], vec![b'v'; 1_000]].concat();
            block(1, true, &[REQUEST.to_vec(), big, vec![0xbe; 5_000]].concat())
        }
        _ => vec![],
    };
    let too_many = |n: u32| ask(2 * n + 1, true);
    type Flood<'a> = (&'a str, u32, &'a dyn Fn(u32) -> Vec<u8>, Cut);
    let floods: [Flood<'_>; 12] = [
        ("rapid reset", 300, &rapid_reset, Cut::FloodReset),
        ("PING", 10_001, &ping, Cut::FloodPing),
        ("SETTINGS", 501, &empty_settings, Cut::FloodSettings),
        ("empty DATA", 258, &empty_data, Cut::FloodEmptyData),
        ("one byte of DATA", 30_000, &tiny_data, Cut::FloodSmallData),
        ("DATA of padding", 258, &padded, Cut::FloodEmptyData),
        ("PRIORITY", 10_001, &priority, Cut::FloodOther),
        ("unknown", 10_001, &unknown, Cut::FloodOther),
        ("WINDOW_UPDATE", 10_001, &update, Cut::FloodWindowUpdate),
        ("CONTINUATION", 17, &continuation, Cut::FloodContinuation),
        ("HPACK bomb", 1, &bomb, Cut::HeadTooLarge),
        ("streams", 3_000, &too_many, Cut::FloodRefused),
    ];
    for (name, most, piece, cut) in floods {
        let mut peer = Scripted::client(&Config::default());
        let end = until_cut(&mut peer, most, piece);
        if name == "one byte of DATA" {
            // Its stream is reset, the others live.
            assert_eq!(end, None, "{name}");
            let (told, cuts) = told_and_cut(&mut peer.engine);
            assert_eq!(cuts, [cut], "{name}");
            assert_eq!(told.last().unwrap(), "s0.0 Protocol(Excessive) Unknown");
            peer.feed(&ask(3, true));
            assert_eq!(peer.told(), ["s0.1 GET https://a.b/ end"]);
        } else {
            assert_eq!(end.map(|(_, code, cut)| (code, cut)), Some((CALM, Some(cut))), "{name}");
        }
    }
}

// rule: A03 L-3
#[test]
fn made_you_reset() {
    // A03: each makes a server reset a stream of the client's.
    for provoke in [
        |stream| window_update(stream, 0),
        |stream| [window_update(stream, 0x7fff_ffff), window_update(stream, 1)].concat(),
        |stream| block(stream, false, &[0x88]),
        |stream| data(stream, 1, false),
    ] {
        let mut peer = Scripted::client(&Config::default());
        let end = until_go_away(&mut peer, 100, |n| {
            [ask(2 * n + 1, false), provoke(2 * n + 1), data(2 * n + 1, 1, true)].concat()
        });
        if let Some((n, _)) = end {
            assert!(n <= 51, "{n}");
        }
    }
    let mut peer = Scripted::client(&Config::default());
    let end = until_go_away(&mut peer, 100, |n| {
        let stream = 2 * n + 1;
        [ask(stream, true), window_update(stream, 0x7fff_ffff)].concat()
    });
    assert_eq!(end, Some((50, CALM)));
}

// rule: A08 L-4a L-4b
#[test]
fn a_head_too_large_is_refused_and_one_far_too_large_ends_the_connection() {
    let config = Config { max_head_bytes: 1_000, ..Config::default() };
    let of = |n: usize| [REQUEST.to_vec(), field("x", &"y".repeat(100)).repeat(n)].concat();
    let mut peer = Scripted::client(&config);
    peer.feed(&block(1, true, &of(12)));
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 1, "431");
    assert_eq!(told_and_cut(&mut peer.engine), (vec![], vec![Cut::HeadTooLarge]));
    peer.feed(&ask(3, true));
    assert_eq!(peer.told(), ["s0.0 GET https://a.b/ end"]);
    peer.feed(&block(5, true, &of(60)));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), CALM);
}

// rule: A19 H2-2c L-1
#[test]
fn more_streams_than_granted_are_refused() {
    // A19: a client that has not heard of the limit.
    let mut peer = Scripted::client(&Config::default());
    for n in 0..1_000 {
        peer.feed(&ask(2 * n + 1, true));
    }
    let (told, cuts) = told_and_cut(&mut peer.engine);
    assert_eq!(told.len(), 100);
    assert_eq!(cuts, [Cut::StreamRefused; 900]);
    let refused = peer.frames_of(kind::RST_STREAM);
    assert_eq!(refused.len(), 900);
    assert!(refused.iter().all(|frame| frame.code() == 7));
    for slot in 0..100 {
        peer.engine.respond(NOW, StreamId::new(slot, 0), &status(200), true);
    }
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 100);
    peer.feed(&ask(2_001, true));
    assert!(peer.told().last().unwrap().starts_with("s"));
}

#[test]
fn busy_peers_are_no_attackers() {
    let mut peer = Scripted::client(&Config::default());
    // Empty DATA frames that mean nothing, more than h2 would allow in a connection's life.
    peer.feed(&ask(10_001, false));
    for n in 0..400_u64 {
        peer.now = at(100 * n);
        peer.feed(&data(10_001, 0, false));
    }
    peer.feed(&data(10_001, 0, true));
    assert_eq!(peer.told(), ["s0.0 GET https://a.b/", "s0.0 0 bytes end"]);
    peer.engine.respond(peer.now, StreamId::new(0, 0), &status(200), true);
    peer.frames();
    peer.told();
    // A tenth of the requests is cancelled, at 50 streams a second, with PING and SETTINGS.
    for n in 0..5_000_u32 {
        peer.now = at(40_000 + u64::from(n) * 20);
        let stream = 10_003 + 2 * n;
        peer.feed(&ask(stream, false));
        peer.feed(&data(stream, 20, false));
        let id = events(&mut peer.engine).iter().find_map(|event| match event {
            Event::Head { stream, .. } => Some(*stream),
            _ => None,
        });
        let id = id.unwrap();
        peer.engine.allow(peer.now, id, 20);
        if n % 10 == 0 {
            peer.feed(&reset(stream, 8));
        } else {
            peer.feed(&data(stream, 0, true));
            peer.engine.respond(peer.now, id, &status(200), true);
        }
        peer.feed(&encode(kind::PING, 0, 0, &[1; 8]));
        if n % 50 == 0 {
            peer.feed(&settings(&[(4, 65_535 + n)]));
        }
        let said = peer.frames();
        assert!(said.iter().all(|frame| frame.kind != kind::GOAWAY), "{n}: {said:?}");
        let told = peer.told();
        assert!(told.iter().all(|word| !word.starts_with("Closed")), "{n}: {told:?}");
    }
}

// rule: A16
#[test]
fn one_slow_reader_of_small_frames_does_not_harm_its_siblings() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&ask(1, false));
    peer.feed(&ask(3, false));
    peer.told();
    // The first is never read; 50-byte frames fill its whole window.
    for n in 0..20_000 {
        peer.now = at(n);
        peer.feed(&data(1, 50, false));
        peer.frames();
    }
    assert_eq!(peer.told().len(), 20_000);
    // The second is read, always a frame behind, and goes on for ever.
    peer.feed(&data(3, 50, false));
    for n in 0..40_000_u64 {
        peer.now = at(20_000 + n);
        peer.feed(&data(3, 50, false));
        peer.engine.allow(peer.now, StreamId::new(1, 0), 50);
        peer.frames();
    }
    let told = peer.told();
    assert_eq!(told.len(), 40_001);
    assert!(told.iter().all(|word| word == "s1.0 50 bytes"));
}

#[test]
fn a_server_that_has_reset_many_streams_drains_its_connection() {
    let mut peer = Scripted::client(&Config::default());
    let mut n = 0;
    let said = loop {
        peer.now = peer.now + Duration::from_millis(100);
        peer.feed(&ask(2 * n + 1, true));
        let id = events(&mut peer.engine).into_iter().find_map(|event| match event {
            Event::Head { stream, .. } => Some(stream),
            _ => None,
        });
        peer.engine.reset(peer.now, id.unwrap());
        n += 1;
        let said = peer.frames();
        if said.iter().any(|frame| frame.kind == kind::GOAWAY) {
            break said;
        }
        // It remembers the first as long as it lives.
        peer.feed(&data(1, 1, false));
    };
    assert_eq!(n, 900);
    let go_away = said.iter().find(|frame| frame.kind == kind::GOAWAY).unwrap();
    assert_eq!(go_away.payload[..4], [0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(go_away.code(), 0);
}
