//! Clients that flood (attack cases A01 to A16): each flood ends its own connection with one
//! word, costs little memory, is counted by name, and the next request is served.

use http::Request;
use regatta_core::downstream::Cut;
use regatta_tokio::Body;

use crate::dsl::{Frame, Frames, code, run};
use crate::serve::{ANY, Serving, memory, text};

/// One frame (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET http / ` of an authority, by HPACK's static table.
const REQUEST: [u8; 8] = [0x82, 0x86, 0x84, 0x01, 3, b'a', b'.', b'b'];
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn ask(stream: u32, flags: u8) -> Vec<u8> {
    frame(1, END_HEADERS | flags, stream, &REQUEST)
}

/// The `n`-th piece of a flood, how many pieces there are at most, and what it is counted as.
type Flood = (&'static str, u32, fn(u32) -> Vec<u8>, Cut);

/// After the first piece, which opens stream 1.
fn behind_head(n: u32, piece: Vec<u8>) -> Vec<u8> {
    if n == 0 { ask(1, 0) } else { piece }
}

const FLOODS: [Flood; 12] = [
    (
        "RST_STREAM (A01)",
        100_000,
        |n| [ask(2 * n + 1, END_STREAM), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat(),
        Cut::FloodReset,
    ),
    (
        "broken rules that cost a RST_STREAM (A03)",
        100_000,
        |n| [ask(2 * n + 1, 0), frame(8, 0, 2 * n + 1, &[0x7f, 0xff, 0xff, 0xff])].concat(),
        Cut::FloodForcedReset,
    ),
    (
        "CONTINUATION (A04)",
        100_000,
        |n| match n {
            0 => frame(1, 0, 1, &REQUEST),
            _ => frame(9, 0, 1, &[0, 1, b'a', 1, b'b']),
        },
        Cut::FloodContinuation,
    ),
    ("PING (A09)", 100_000, |_| frame(6, 0, 0, &[0; 8]), Cut::FloodPing),
    ("SETTINGS (A09)", 100_000, |_| frame(4, 0, 0, &[]), Cut::FloodSettings),
    ("PRIORITY (A11)", 100_000, |_| frame(2, 0, 1, &[0; 5]), Cut::FloodOther),
    ("empty DATA (A12)", 100_000, |n| behind_head(n, frame(0, 0, 1, &[])), Cut::FloodEmptyData),
    (
        "DATA of padding (A16)",
        100_000,
        |n| behind_head(n, frame(0, 8, 1, &[&[255], &[0; 255][..]].concat())),
        Cut::FloodEmptyData,
    ),
    ("WINDOW_UPDATE", 100_000, |_| frame(8, 0, 0, &[0, 0, 0, 1]), Cut::FloodWindowUpdate),
    ("streams over the limit (A19)", 100_000, |n| ask(2 * n + 1, 0), Cut::FloodRefused),
    // One entry of 1,000 bytes in the dynamic table, named again and again.
    ("HPACK bomb (A05)", 1, |_| bomb(1, 5_000), Cut::HeadTooLarge),
    // A head that is refused, for ever: each is decoded all the same (A08).
    (
        "large heads (A06)",
        100_000,
        |n| match n {
            0 => bomb(1, 20),
            _ => frame(1, END_HEADERS | END_STREAM, 2 * n + 1, &named(300)),
        },
        Cut::HeadTooLarge,
    ),
];

/// The request with the dynamic table's newest entry, so many times.
fn named(times: usize) -> Vec<u8> {
    [&REQUEST[..], &vec![0xbe; times]].concat()
}

fn bomb(stream: u32, times: usize) -> Vec<u8> {
    let entry = [&[0x40, 1, b'x', 0x7f, 0xe9, 6][..], &[b'v'; 1_000]].concat();
    let fields = [&REQUEST[..], &entry, &vec![0xbe; times]].concat();
    frame(1, END_HEADERS | END_STREAM, stream, &fields)
}

/// Floods until the connection ends; whether GOAWAY said why.
async fn flood(server: &Serving, most: u32, piece: fn(u32) -> Vec<u8>) -> Option<u32> {
    let mut peer = Frames::connect(server.address).await;
    let mut sent = 0;
    while sent < most {
        let bytes: Vec<u8> = (sent..most.min(sent + 64)).flat_map(piece).collect();
        if !peer.send_bytes(&bytes).await {
            break;
        }
        sent += 64;
    }
    let mut said = None;
    while let Some(seen) = peer.next().await {
        if let Frame::GoAway { code, .. } = seen {
            said = Some(code);
        }
    }
    said
}

#[test]
fn each_ends_its_own_connection() {
    run(async {
        for (name, most, piece, cut) in FLOODS {
            let server = Serving::plain(async |_: Request<Body>| text("well")).await;
            let mut other = Frames::connect(server.address).await;
            other.round_trip().await;
            let before = memory();
            let said = flood(&server, most, piece).await;
            let grown = memory().saturating_sub(before);
            // A reset may overtake the last frame where the flood still runs.
            assert!(matches!(said, None | Some(code::ENHANCE_YOUR_CALM)), "{name}: {said:?}");
            let counts = server.handle.counts();
            assert!(counts.count(cut) > 0, "{name} is counted as {counts}");
            println!("{name}: {} KiB more", grown >> 10);
            assert!(grown < 8 << 20, "{name} costs {grown} bytes");
            // The connection beside it goes on, and so does a new one.
            for peer in [&mut other, &mut Frames::connect(server.address).await] {
                assert!(peer.send_bytes(&ask(1, END_STREAM)).await);
                let head = peer.next().await.unwrap();
                assert_eq!(head.seen_status(), Some(200), "{name}");
                assert_eq!(peer.recv_body(1).await, b"well");
            }
        }
    });
}

/// Connections that flood one after the other leave nothing behind.
#[test]
fn many_leave_nothing_behind() {
    run(async {
        let server = regatta_tokio::server().bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_: Request<Body>| text("well"));
        let mut after_first = 0;
        for round in 0..3 {
            for (_, most, piece, _) in FLOODS {
                flood(&server, most, piece).await;
            }
            if round == 0 {
                after_first = memory();
            }
        }
        while server.handle.active_connections() > 0 {
            tokio::time::sleep(core::time::Duration::from_millis(10)).await;
        }
        let grown = memory().saturating_sub(after_first);
        println!("all floods twice more: {} KiB more", grown >> 10);
        assert!(grown < 8 << 20, "{grown} bytes more");
    });
}
