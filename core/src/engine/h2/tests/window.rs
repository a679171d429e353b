//! Windows that grow: what is measured, when PINGs go, and what makes a window stay.

use std::collections::VecDeque;

use super::*;
use crate::engine::h2::window::{Brought, Mark, Windows};

fn config(most: u32) -> Config {
    Config { stream_window_max: most, ..Config::default() }
}

/// One measurement: when a PING would go, what came until its answer, and the window after it.
#[test]
fn the_window_follows_what_a_round_trip_brings() {
    let mut windows = Windows::new(&config(8 << 20));
    // (sent at, answered at, KiB brought in between, the window that is asked for, in MiB)
    let table = [
        (0, 50, 1_000, Some(2)),
        (100, 150, 2_000, Some(4)),
        // Half of the window, but as fast as before: a queue has grown, not the path.
        (200, 275, 3_000, None),
        // Faster, and not half of the window: it holds nobody back.
        (375, 415, 2_000, None),
        (625, 675, 4_000, Some(8)),
        // No more than allowed.
        (725, 775, 8_000, None),
    ];
    for (sent, answered, brought, grown) in table {
        let window = windows.stream;
        windows.round(at(sent));
        assert_eq!(windows.note(came(64)), window < 8 << 20, "{sent}");
        if window == 8 << 20 {
            continue;
        }
        windows.begin(at(sent));
        assert!(!windows.note(came(brought)), "one at a time");
        let asked = windows.end(at(answered));
        assert_eq!(asked, grown.map(|mib| mib << 20), "{sent}");
        windows.stream = asked.unwrap_or(window);
    }
}

/// So many KiB came and were read.
const fn came(kib: u64) -> Brought {
    Brought { came: kib << 10, read: kib << 10 }
}

/// PINGs that grow nothing become rare.
#[test]
fn pings_are_few() {
    let mut windows = Windows::new(&config(8 << 20));
    let mut sent = Vec::new();
    for millis in 0..10_000 {
        windows.round(at(millis));
        if windows.note(came(64)) {
            sent.push(millis);
            windows.begin(at(millis));
            assert_eq!(windows.end(at(millis + 1)), None, "slow");
        }
    }
    assert_eq!(sent, [0, 101, 302, 703, 1_504, 3_105, 5_106, 7_107, 9_108]);
    windows = Windows::new(&config(8 << 20));
    windows.round(NOW);
    assert!(!windows.note(came(63)), "a short body is not worth one");
}

/// What came before a round does not count, nor what waits for its reader.
#[test]
fn a_stream_brings_what_came_and_was_read() {
    let mut mark = Mark::default();
    let brought = |came, read| Brought { came, read };
    mark.set(1, 900, 100);
    assert_eq!(mark.since(1, 900, 100), brought(0, 0));
    assert_eq!(mark.since(1, 1_000, 900), brought(100, 100));
    assert_eq!(mark.since(1, 2_000, 1_000), brought(1_100, 900));
    assert_eq!(mark.since(2, 2_000, 2_000), brought(0, 0), "nothing has come yet");
    mark.set(2, 2_000, 2_000);
    assert_eq!(mark.since(2, 2_010, 2_000), brought(10, 0));
}

/// Bytes that the path takes in a millisecond: 20 MiB in its round trip of 50.
const PATH: usize = 400 << 10;

/// How far a client's window grows while a server sends as fast as it may for a second, over 25 ms
/// each way, and the client reads so many bytes each millisecond.
fn grown(config: &Config, reads: usize) -> u32 {
    let mut client = H2::client(config, at(0));
    let mut server = H2::server(&Config::default(), at(0));
    client.open(at(0), &get("/"), true).unwrap();
    let mut on_its_way: VecDeque<[Output; 2]> = (0..25).map(|_| Default::default()).collect();
    let (mut unread, mut reader) = (0, None);
    for step in 0..1_000 {
        let now = at(step);
        let [mut up, mut down] = on_its_way.pop_front().unwrap_or_default();
        while let Some(bytes) = up.pop() {
            server.receive(now, &bytes);
        }
        while let Some(bytes) = down.pop() {
            client.receive(now, &bytes);
        }
        for event in events(&mut client) {
            if let Event::Data { stream, bytes, .. } = event {
                reader = Some(stream);
                unread += bytes.len();
            }
        }
        if let Some(stream) = reader {
            let n = unread.min(reads);
            unread -= n;
            client.allow(now, stream, n);
        }
        let (mut up, mut down) = (Output::new(), Output::new());
        client.transmit(now, &mut up, usize::MAX);
        loop {
            for event in events(&mut server) {
                match event {
                    Event::Head { stream, .. } => {
                        server.respond(now, stream, &status(200), false);
                        server.send(now, stream, bytes(64 << 10), false);
                    }
                    Event::Capacity { stream } => {
                        server.send(now, stream, bytes(64 << 10), false);
                    }
                    event => assert!(matches!(event, Event::Limit(_)), "{event:?}"),
                }
            }
            let before = down.len();
            server.transmit(now, &mut down, PATH);
            if down.len() == before || down.len() >= PATH {
                break;
            }
        }
        on_its_way.push_back([up, down]);
    }
    assert!(unread <= client.windows.stream as usize, "the window bounds what is unread");
    client.windows.stream
}

#[test]
fn a_window_grows_while_its_reader_keeps_up() {
    let (mib, third) = (1 << 20, (1 << 20) / 3);
    let table = [
        ("all that comes", 16 * mib, usize::MAX, 16 * mib),
        ("up to another maximum", 3 * mib, usize::MAX, 3 * mib),
        ("not at all", mib, usize::MAX, mib),
        ("a maximum below the window", 1, usize::MAX, mib),
        ("a reader that has stopped", 16 * mib, 0, mib),
        ("a reader that takes a third of a window in a round trip", 16 * mib, third / 50, mib),
    ];
    for (what, most, reads, window) in table {
        assert_eq!(grown(&config(most), reads), window, "{what}");
    }
}

/// Nobody is dead for want of an answer to a PING that measures, and one that measures answers a
/// driver that asks meanwhile.
#[test]
fn a_measuring_ping_is_no_question_of_life() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.open(&get("/"), true);
    peer.frames();
    peer.feed(&answer(1, false));
    for _ in 0..4 {
        assert_eq!(peer.frames(), []);
        peer.feed(&data(1, 16 << 10, false));
    }
    let frames = peer.frames();
    let pings: Vec<&Seen> = frames.iter().filter(|frame| frame.kind == kind::PING).collect();
    assert_eq!(pings.len(), 1, "{:?} {frames:?}", peer.engine.windows);
    assert_eq!(peer.engine.poll_timeout(), None, "no deadline");
    peer.engine.ping(NOW);
    assert_eq!(peer.frames_of(kind::PING).len(), 0, "one at a time");
    assert!(peer.engine.poll_timeout().is_some(), "now there is one");
    peer.feed(&encode(kind::PING, flag::ACK, 0, &pings[0].payload));
    assert!(peer.told().contains(&"Pong".to_owned()));
    assert_eq!(peer.engine.poll_timeout(), None);
}

/// New streams are granted little, and those under way no more than they were; later as before.
#[test]
fn a_narrow_connection_grants_new_streams_little() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    let first = peer.open(&get("/"), true);
    peer.frames();
    let (small, large) = (65_535, 1 << 20);
    let told = |peer: &mut Scripted| -> Vec<Vec<u8>> {
        peer.frames_of(kind::SETTINGS).iter().map(|frame| frame.payload.to_vec()).collect()
    };
    let window = |bytes: u32| [&4_u16.to_be_bytes()[..], &bytes.to_be_bytes()[..]].concat();
    peer.engine.narrow(true);
    peer.engine.narrow(true);
    assert_eq!(told(&mut peer), [window(small)], "once");
    // Not before the peer has acknowledged it.
    peer.engine.narrow(false);
    assert_eq!(told(&mut peer), Vec::<Vec<u8>>::new());
    peer.feed(&encode(kind::SETTINGS, flag::ACK, 0, &[]));
    // What it was granted before still comes.
    peer.feed(&answer(1, false));
    for _ in 0..3 {
        peer.feed(&data(1, 16 << 10, false));
    }
    peer.engine.allow(NOW, first, 3 << 14);
    assert_eq!(peer.frames_of(kind::GOAWAY).len(), 0);
    peer.engine.narrow(false);
    assert_eq!(told(&mut peer), [window(large)]);
}
