//! What a peer may cost: field blocks that decode to much more than they are (A05 to A08), frames
//! that make this side work (A02, A03, A12, A14, A17), and ends with many streams (A20).

use super::*;
use crate::types::Cause;

const CALM: u32 = 11;

/// An entry for the dynamic table, and what names it again.
fn entry() -> Vec<u8> {
    vec![0x40, 1, b'a', 1, b'b']
}

/// A request with so many fields of a byte each.
fn indexed(stream: u32, fields: usize) -> Vec<u8> {
    block(stream, true, &[REQUEST.to_vec(), entry(), vec![0xbe; fields]].concat())
}

// rule: A06 L-4b
#[test]
fn a_hundred_streams_of_fields_that_cost_a_byte_each() {
    // Few enough for the bytes of a head: the count refuses them.
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&settings(&[(4, 0)]));
    for n in 0..100 {
        peer.feed(&indexed(2 * n + 1, 400));
    }
    let refused = peer.frames_of(kind::HEADERS);
    assert_eq!(refused.len(), 100);
    assert!(refused.iter().all(|frame| frame.flags & flag::END_STREAM != 0), "431, and no more");
    assert_eq!((peer.told(), peer.engine.streams.len()), (vec![], 0));
    // Ten thousand: the first of them ends the connection.
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&indexed(1, 10_000));
    assert_eq!(peer.frames_of(kind::GOAWAY)[0].code(), CALM);
    assert_eq!(peer.told(), ["Closed { cause: Protocol(Connection(11)) }"]);
}

// rule: A07 H2-6b L-4a
#[test]
fn cookie_crumbs_count_each() {
    let crumbs = |n: usize| field("cookie", "a=1").repeat(n);
    let others: Vec<u8> = (0..15).flat_map(|n| field(&format!("x-{n}"), "y")).collect();
    let ask = |peer: &mut Scripted, stream: u32, n: usize| {
        peer.feed(&block(stream, true, &[REQUEST.to_vec(), crumbs(n), others.clone()].concat()));
        peer.told().len()
    };
    // The default of a hundred, and one that is made for a browser full of cookies.
    let mut peer = Scripted::client(&Config::default());
    assert_eq!((ask(&mut peer, 1, 85), ask(&mut peer, 3, 86)), (1, 0));
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 1, "431");
    let config = Config { max_head_fields: 200, ..Config::default() };
    let mut peer = Scripted::client(&config);
    assert_eq!((ask(&mut peer, 1, 90), ask(&mut peer, 3, 186)), (1, 0));
    let refused = peer.frames_of(kind::HEADERS);
    assert_eq!((refused.len(), refused[0].stream), (1, 3));
}

// rule: H2-9b A08
#[test]
fn a_head_that_is_refused_is_still_decoded() {
    let config = Config { max_head_bytes: 1_000, ..Config::default() };
    let mut peer = Scripted::client(&config);
    let long = field("x", &"y".repeat(100)).repeat(12);
    peer.feed(&block(1, true, &[REQUEST.to_vec(), long, entry()].concat()));
    assert_eq!(peer.frames_of(kind::HEADERS).len(), 1, "431");
    assert_eq!(peer.told(), [""; 0]);
    // Behind the limit it went into the table all the same.
    peer.feed(&block(3, true, &[REQUEST.to_vec(), vec![0xbf]].concat()));
    let heard = events(&mut peer.engine);
    let Some(Event::Head { head: Head::Request(head), .. }) = heard.first() else {
        panic!("{heard:?}");
    };
    assert_eq!(head.headers()["a"], "b");
}

// rule: A04 A12
#[test]
fn frames_that_say_nothing_are_counted() {
    // Heads without a field break the rules; CONTINUATION has a number of its own.
    let empty_head = |n: u32| block(2 * n + 1, false, &[]);
    let mut peer = Scripted::client(&Config::default());
    let ends = (0..100).find(|n| {
        peer.feed(&empty_head(*n));
        peer.frames_of(kind::GOAWAY).iter().any(|frame| frame.code() == CALM)
    });
    assert_eq!(ends, Some(50));
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&encode(kind::HEADERS, 0, 1, &REQUEST));
    let ends = (1..100).find(|_| {
        peer.feed(&encode(kind::CONTINUATION, 0, 1, &[]));
        !peer.frames_of(kind::GOAWAY).is_empty()
    });
    // h2 takes as many as a head of the allowed size can need, and five at least.
    assert!(ends.is_some_and(|n| n <= 17), "{ends:?}");
}

// rule: A03
#[test]
fn each_way_to_make_this_side_reset_has_an_end() {
    type Provoke = fn(u32) -> Vec<u8>;
    let ways: [(&str, bool, Provoke); 6] = [
        ("an update of 0", false, |stream| window_update(stream, 0)),
        ("a window too wide", false, |stream| window_update(stream, 0x7fff_ffff)),
        ("PRIORITY of four bytes", false, |stream| encode(2, 0, stream, &[0; 4])),
        ("PRIORITY on itself", false, |stream| {
            encode(2, 0, stream, &[&stream.to_be_bytes()[..], &[16]].concat())
        }),
        ("HEADERS behind the end", true, |stream| ask(stream, true)),
        ("DATA behind the end", true, |stream| data(stream, 1, false)),
    ];
    for (name, end, provoke) in ways {
        let mut peer = Scripted::client(&Config::default());
        let mut begun = 0;
        for n in 0..200 {
            peer.feed(&[ask(2 * n + 1, end), provoke(2 * n + 1)].concat());
            begun += peer.told().iter().filter(|word| word.contains("GET")).count();
            if peer.frames_of(kind::GOAWAY).iter().any(|frame| frame.code() != 0) {
                break;
            }
        }
        assert!(begun <= 51, "{name}: {begun} requests begun");
    }
}

// rule: A01 L-2
#[test]
fn a_rapid_reset_begins_about_a_hundred_requests() {
    let mut peer = Scripted::client(&Config::default());
    let mut begun = 0;
    for n in 0..100_000 {
        peer.feed(&[ask(2 * n + 1, true), reset(2 * n + 1, 8)].concat());
        begun += peer.told().iter().filter(|word| word.contains("GET")).count();
        if peer.frames_of(kind::GOAWAY).iter().any(|frame| frame.code() == CALM) {
            break;
        }
    }
    assert!((1..=100).contains(&begun), "{begun}");
}

// rule: A02 L-2
#[test]
fn resets_among_real_requests_are_counted_by_time() {
    let mut peer = Scripted::client(&Config::default());
    let mut reset_so_far = 0;
    // Two of five are given up: less than half of them, and too many for ten seconds.
    for n in 0..1_000_u32 {
        peer.now = at(1 + u64::from(n) * 5);
        peer.feed(&ask(2 * n + 1, true));
        let id = events(&mut peer.engine).into_iter().find_map(|event| match event {
            Event::Head { stream, .. } => Some(stream),
            _ => None,
        });
        if n % 5 < 2 {
            peer.feed(&reset(2 * n + 1, 8));
            reset_so_far += 1;
        } else if let Some(id) = id {
            peer.engine.respond(peer.now, id, &status(200), true);
        }
        if !peer.frames_of(kind::GOAWAY).is_empty() {
            break;
        }
    }
    assert_eq!(reset_so_far, 201);
}

// rule: A14
#[test]
fn a_window_opened_by_single_bytes_gets_single_bytes() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&settings(&[(4, 0)]));
    peer.feed(&ask(1, true));
    let id = StreamId::new(0, 0);
    peer.engine.respond(NOW, id, &status(200), false);
    peer.engine.send(NOW, id, bytes(5_000), true);
    peer.frames();
    for _ in 0..5_000 {
        peer.feed(&window_update(1, 1));
        let said = peer.frames();
        assert_eq!(said.len(), 1, "one frame for one: {said:?}");
        assert_eq!(said[0].payload.len(), 1);
    }
    // What brings nothing forth is counted.
    let ends = (0..100_000).find(|_| {
        peer.feed(&window_update(0, 1));
        peer.frames_of(kind::GOAWAY).iter().any(|frame| frame.code() == CALM)
    });
    assert!(ends.is_some_and(|n| n <= 10_000 + 10 * 5_000), "{ends:?}");
}

// rule: A17
#[test]
fn a_table_size_that_swings_costs_a_block_two_updates() {
    let mut peer = Scripted::client(&Config::default());
    for _ in 0..200 {
        peer.feed(&[settings(&[(1, 0)]), settings(&[(1, 4_096)])].concat());
    }
    peer.feed(&ask(1, true));
    peer.engine.respond(NOW, StreamId::new(0, 0), &status(200), true);
    let head = peer.frames_of(kind::HEADERS).remove(0);
    let updates = head.payload.iter().take_while(|byte| **byte & 0xe0 == 0x20).count();
    assert!(updates <= 2, "{:?}", head.payload);
}

// rule: A20
#[test]
fn a_connection_with_twenty_thousand_streams_ends_without_recursion() {
    let test = || {
        let most = 20_000;
        let mut peer = Scripted::server(&Config::default(), &[(3, most)]);
        peer.told();
        for _ in 0..most {
            peer.open(&get("/"), true);
        }
        peer.frames();
        peer.engine.receive_end(NOW, false, Cause::ConnectionReset);
        let told = peer.told();
        assert_eq!(told.len(), most as usize + 1);
        assert!(told[..most as usize].iter().all(|word| word.ends_with("ConnectionReset Unknown")));
    };
    // Two megabytes are usual.
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test).unwrap();
    thread.join().unwrap();
}

// rule: A04 A09 A12
#[test]
fn a_server_that_floods_a_client_is_left() {
    type Piece = fn(u32) -> Vec<u8>;
    let floods: [(&str, u32, Piece); 4] = [
        ("PING", 10_001, |_| encode(kind::PING, 0, 0, &[0; 8])),
        ("SETTINGS", 501, |_| settings(&[])),
        ("empty DATA", 258, |n| if n == 0 { answer(1, false) } else { data(1, 0, false) }),
        ("CONTINUATION", 18, |n| match n {
            0 => encode(kind::HEADERS, 0, 1, &[0x88]),
            _ => encode(kind::CONTINUATION, 0, 1, &field("a", "b")),
        }),
    ];
    for (name, most, piece) in floods {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.open(&get("/"), true);
        peer.frames();
        let calm = |peer: &mut Scripted| {
            peer.frames_of(kind::GOAWAY).iter().any(|frame| frame.code() == CALM)
        };
        assert!(
            (0..most).any(|n| {
                peer.feed(&piece(n));
                calm(&mut peer)
            }),
            "{name}"
        );
        let told = peer.told();
        assert!(told.last().is_some_and(|word| word.starts_with("Closed")), "{name}: {told:?}");
    }
}
