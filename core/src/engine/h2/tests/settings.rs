//! RFC 9113 3.4, 5.1.1 and 6.5: how a connection begins, and what SETTINGS do to it.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// All that an engine writes, as bytes.
fn written(engine: &mut H2) -> Vec<u8> {
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, usize::MAX);
    let mut bytes = Vec::new();
    while let Some(chunk) = out.pop() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// The settings in a frame: identifiers and values.
fn values(frame: &Seen) -> Vec<(u16, u32)> {
    let pair = |six: &[u8]| {
        let (id, value) = six.split_at(2);
        let id = u16::from_be_bytes(*id.first_chunk().unwrap());
        (id, u32::from_be_bytes(*value.first_chunk().unwrap()))
    };
    frame.payload.chunks(6).map(pair).collect()
}

/// Both roles, with the handshake behind them.
fn both() -> [Scripted; 2] {
    let config = Config::default();
    [Scripted::server(&config, &[]), Scripted::client(&config)]
}

// rule: H2-1b H2-1e
#[test]
fn a_connection_begins_with_preface_and_settings() {
    let config = Config { max_frame_size: 20_000, stream_window: 77_777, ..Config::default() };
    let mut client = H2::client(&config, NOW);
    let bytes = written(&mut client);
    assert!(bytes.starts_with(PREFACE));
    let mut peer = Scripted::of(client);
    peer.bytes = bytes;
    let first = peer.frames().remove(0);
    assert_eq!((first.kind, first.flags, first.stream), (kind::SETTINGS, 0, 0));
    let said = values(&first);
    // No push, and what the configuration says.
    for pair in [(2, 0), (4, 77_777), (5, 20_000), (6, config.max_head_bytes)] {
        assert!(said.contains(&pair), "{pair:?} in {said:?}");
    }

    // A server says its own before it has heard the client's.
    let mut peer = Scripted::of(H2::server(&config, NOW));
    peer.feed(PREFACE);
    let first = peer.frames().remove(0);
    assert_eq!((first.kind, first.flags, first.stream), (kind::SETTINGS, 0, 0));
    let said = values(&first);
    for pair in [(3, 100), (4, 77_777), (5, 20_000), (6, config.max_head_bytes), (8, 1)] {
        assert!(said.contains(&pair), "{pair:?} in {said:?}");
    }
}

// rule: H2-1a
#[test]
fn a_damaged_preface_ends_the_connection() {
    for at in [0, 5, 13, 17, 18, 23] {
        let mut damaged = PREFACE.to_vec();
        damaged[at] ^= 1;
        let mut peer = Scripted::of(H2::server(&Config::default(), NOW));
        peer.feed(&damaged);
        peer.feed(&settings(&[]));
        assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1, "{at}");
        assert_eq!(peer.told(), ["Closed { cause: Protocol(Connection(1)) }"], "{at}");
    }
}

// rule: H2-1b
#[test]
fn a_peer_that_does_not_begin_with_settings_is_none() {
    let ping = encode(kind::PING, 0, 0, &[0; 8]);
    let ack = encode(kind::SETTINGS, flag::ACK, 0, &[]);
    for first in [ping, ack, window_update(0, 1), answer(1, true), ask(1, true)] {
        let mut client = Scripted::of(H2::client(&Config::default(), NOW));
        client.frames();
        let mut server = Scripted::of(H2::server(&Config::default(), NOW));
        server.feed(PREFACE);
        for mut peer in [client, server] {
            peer.feed(&first);
            assert_eq!(peer.told(), ["Closed { cause: Protocol(Connection(1)) }"], "{first:?}");
            assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 1, "{first:?}");
        }
    }
}

// rule: H2-1c
#[test]
fn settings_are_acknowledged_each() {
    for mut peer in both() {
        for n in 1..4 {
            peer.feed(&settings(&[(4, 1_000 * n)]));
        }
        let said = peer.frames_of(kind::SETTINGS);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().all(|frame| frame.flags == flag::ACK && frame.payload.is_empty()));
    }
}

// rule: H2-1f H2-1g H2-7c
#[test]
fn settings_and_lengths_that_cannot_be() {
    const PROTOCOL: u32 = 1;
    const FLOW_CONTROL: u32 = 3;
    const FRAME_SIZE: u32 = 6;
    for (frame, code) in [
        (settings(&[(2, 2)]), PROTOCOL),
        (settings(&[(4, 1 << 31)]), FLOW_CONTROL),
        (settings(&[(5, (16 << 10) - 1)]), PROTOCOL),
        (settings(&[(5, 1 << 24)]), PROTOCOL),
        (settings(&[(8, 2)]), PROTOCOL),
        (encode(kind::SETTINGS, 0, 1, &[]), PROTOCOL),
        (encode(kind::SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        (encode(kind::SETTINGS, flag::ACK, 0, &[0; 6]), FRAME_SIZE),
        (encode(kind::PING, 0, 0, &[0; 7]), FRAME_SIZE),
        (encode(kind::RST_STREAM, 0, 1, &[0; 5]), FRAME_SIZE),
        (encode(kind::WINDOW_UPDATE, 0, 0, &[0; 3]), FRAME_SIZE),
        (encode(kind::GOAWAY, 0, 0, &[0; 7]), FRAME_SIZE),
    ] {
        for mut peer in both() {
            peer.told();
            peer.feed(&frame);
            assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), code, "{frame:?}");
            let told = peer.told();
            assert_eq!(told, [format!("Closed {{ cause: Protocol(Connection({code})) }}")]);
        }
    }
    // Only a server may not ask for pushes.
    let [mut client, mut server] = both();
    client.feed(&settings(&[(2, 1)]));
    assert_eq!(client.frames_of(kind::GOAWAY)[0].code(), PROTOCOL);
    server.feed(&settings(&[(2, 1)]));
    // RFC 8441 3: what was allowed stays allowed.
    let [mut client, _] = both();
    client.feed(&settings(&[(8, 0), (8, 1)]));
    client.feed(&settings(&[(8, 1), (0x1234, 0)]));
    assert_eq!(client.frames_of(kind::GOAWAY), []);
    client.feed(&settings(&[(8, 0)]));
    assert_eq!(client.frames_of(kind::GOAWAY)[0].code(), PROTOCOL);
    // What nobody knows means nothing.
    server.feed(&settings(&[(0xbeef, 7)]));
    assert_eq!(server.frames_of(kind::GOAWAY), []);
}

// rule: H2-1g
#[test]
fn no_frame_is_longer_than_the_peer_takes() {
    for most in [16 << 10, 30_000] {
        let mut peer = Scripted::server(&Config::default(), &[(5, most), (4, 1 << 20)]);
        let stream = peer.open(&post("/"), false);
        peer.engine.send(NOW, stream, bytes(60_000), true);
        let said = peer.frames();
        let longest = said.iter().map(|frame| frame.payload.len()).max().unwrap();
        assert_eq!(longest, most as usize);
    }
}

// rule: H2-1g
#[test]
fn frames_longer_than_granted_end_the_connection() {
    for mut peer in both() {
        peer.feed(&encode(0xbe, 0, 0, &vec![0; 16 << 10]));
        assert_eq!(peer.frames_of(kind::GOAWAY), []);
        peer.feed(&encode(0xbe, 0, 0, &vec![0; (16 << 10) + 1]));
        assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), 6);
    }
}
