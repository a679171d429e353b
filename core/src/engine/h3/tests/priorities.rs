//! Whose bytes go first (RFC 9218).

use super::super::Priority;
use super::net::frame;
use super::*;
use crate::id::StreamId;

const PRIORITY_UPDATE: u64 = 0xf0700;
const LONG: usize = 100_000;

/// A client that has asked for something with each of these priorities, where there is one, and a
/// server that has heard it all and answered nothing.
fn asked(priorities: &[&str]) -> (Net, Vec<StreamId>, Vec<StreamId>) {
    let mut net = pair(&Config::default());
    let now = net.now;
    let mut mine = Vec::new();
    for priority in priorities {
        let mut head = get("/");
        if !priority.is_empty() {
            head.headers_mut().insert("priority", priority.parse().unwrap());
        }
        mine.push(net.client.engine().open(now, &head, true).unwrap());
    }
    net.run(12);
    let heard = |event: &Event| match event {
        Event::Head { stream, .. } => Some(*stream),
        _ => None,
    };
    let theirs: Vec<StreamId> = net.server.events.iter().filter_map(heard).collect();
    assert_eq!(theirs.len(), priorities.len());
    net.client.events.clear();
    (net, mine, theirs)
}

/// The server answers all at once, each with a priority of its own or none.
fn answer(net: &mut Net, theirs: &[StreamId], own: &[&str]) {
    let now = net.now;
    for (at, stream) in theirs.iter().enumerate() {
        let mut head = status(200);
        if let Some(own) = own.get(at).filter(|own| !own.is_empty()) {
            head.headers_mut().insert("priority", own.parse().unwrap());
        }
        net.server.engine().respond(now, *stream, &head, false);
        net.server.engine().send(now, *stream, Bytes::from(vec![7; LONG]), true);
    }
}

/// Whose bytes come, as the places of streams, each once for what comes in a row; a datagram at a
/// time.
fn order(net: &mut Net, mine: &[StreamId]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    net.pace = 1;
    for _ in 0..600 {
        net.tick();
        let now = net.now;
        let mut places = Vec::new();
        for event in core::mem::take(&mut net.client.events) {
            let Event::Data { stream, bytes, .. } = event else { continue };
            net.client.engine().allow(now, stream, bytes.len());
            if !bytes.is_empty() {
                places.push(mine.iter().position(|mine| *mine == stream).unwrap());
            }
        }
        // A datagram may have the end of one and the beginning of the next.
        places.sort_by_key(|place| order.last() != Some(place));
        order.extend(places);
        order.dedup();
    }
    order
}

// rule: PR-1a
#[test]
fn the_more_urgent_goes_first_and_what_must_be_whole_goes_in_one_piece() {
    let table: [(&[&str], &[&str], &[usize]); 9] = [
        (&["u=3", "u=0", "u=7", "u=1"], &[], &[1, 3, 0, 2]),
        (&["u=3", "u=3", "u=3"], &[], &[0, 1, 2]),
        // Said with the defaults left out, with what nobody knows, and in parts.
        (&["u=2, x=\"a,u=7\";u=7", "u=1;a"], &[], &[1, 0]),
        (&["u=5,   u=4", "i=?0, u=2"], &[], &[1, 0]),
        (&["u=9", "u=2"], &[], &[1, 0]),
        // Of the same urgency what must be whole goes before what need not.
        (&["i", "u=3"], &[], &[1, 0]),
        (&["", "u=4", "u=2"], &[], &[2, 0, 1]),
        // A server's word counts, and the client's where it says nothing.
        (&["u=3", "u=3"], &["", "u=0"], &[1, 0]),
        (&["u=1", "u=2"], &["i", "u=0"], &[1, 0]),
    ];
    for (asks, answers, expected) in table {
        let (mut net, mine, theirs) = asked(asks);
        answer(&mut net, &theirs, answers);
        assert_eq!(order(&mut net, &mine), expected, "{asks:?}, {answers:?}");
    }
}

// rule: PR-1b
#[test]
fn what_is_of_use_in_parts_goes_in_turns() {
    for asks in [["u=3, i", "i"], ["", ""], ["u=6,i", "i=?1,u=6"]] {
        let (mut net, mine, theirs) = asked(&asks);
        answer(&mut net, &theirs, &[]);
        let order = order(&mut net, &mine);
        assert!(order.len() > 6, "{asks:?}: {order:?}");
    }
}

// rule: PR-2a
#[test]
fn a_client_changes_its_mind() {
    let (mut net, mine, theirs) = asked(&["u=7", "u=5", "u=5"]);
    let now = net.now;
    let urgent = Priority { urgency: 0, incremental: false };
    net.client.engine().prioritize(now, mine[2], urgent);
    // The same again is not said again.
    net.client.engine().prioritize(now, mine[2], urgent);
    let fair = Priority { urgency: 0, incremental: true };
    net.client.engine().prioritize(now, mine[0], fair);
    net.run(5);
    // What a head says later counts less than the frame did; a server's word still counts.
    answer(&mut net, &theirs, &[]);
    assert_eq!(order(&mut net, &mine), [2, 0, 1]);
    assert_eq!((urgent.to_string(), fair.to_string()), ("u=0".into(), "u=0, i".into()));
    assert_eq!(Priority::default().to_string(), "u=3");
}

// rule: PR-2a
#[test]
fn a_server_changes_its_mind_in_the_middle_of_an_answer() {
    let (mut net, mine, theirs) = asked(&["u=5", "u=4"]);
    let now = net.now;
    for stream in &theirs {
        net.server.engine().respond(now, *stream, &status(200), false);
        net.server.engine().send(now, *stream, Bytes::from(vec![7; LONG]), false);
    }
    net.pace = 1;
    net.run(10);
    let now = net.now;
    let late = Priority { urgency: 7, incremental: false };
    net.server.engine().prioritize(now, theirs[1], late);
    assert_eq!(order(&mut net, &mine), [1, 0, 1]);
}

// rule: PR-2b A79
#[test]
fn what_is_said_of_a_stream_before_it_comes_is_kept_for_the_next_ones_alone() {
    let config = Config::default();
    let mut net = Net::new(None, Some(&config));
    net.run(20);
    let update = |element: &[u8], value: &[u8]| frame(PRIORITY_UPDATE, &[element, value].concat());
    // Of the second stream, of one far away, and of the first, which takes it back.
    let mut said = frame(0x4, &[]);
    said.extend(update(&[4], b"u=0"));
    said.extend(update(&[0xbf, 0xff, 0xff, 0xfc], b"u=0"));
    said.extend(update(&[0], b"u=0"));
    said.extend(update(&[0], b"i"));
    net.client.begin(0, &said);
    net.run(5);
    assert_eq!(net.server.engine().early_priorities.len(), 2);
    // The field says something else.
    let fields = [&[0, 0, 0xd1, 0xd7, 0xc1][..], &[0x50, 1, b'a'], b"\x27\x01priority\x03u=7"];
    let request = frame(0x1, &fields.concat());
    let streams = [net.client.ask(&request, true), net.client.ask(&request, true)];
    net.run(5);
    assert!(net.server.engine().early_priorities.is_empty());
    let heard: Vec<StreamId> = net
        .server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Head { stream, .. } => Some(*stream),
            _ => None,
        })
        .collect();
    answer(&mut net, &heard, &[]);
    let mut came = [0, 0];
    net.pace = 1;
    for _ in 0..400 {
        net.tick();
        for (came, stream) in came.iter_mut().zip(streams) {
            *came += net.client.read(stream).0.len();
        }
        if came[1] > LONG {
            break;
        }
    }
    assert!(came[1] > LONG, "{came:?}");
    assert!(came[0] < LONG / 2, "{came:?}");
}

// rule: A79
#[test]
fn too_many_changes_end_the_connection() {
    for (count, code) in [(1_000, None), (1_017, Some(0x107))] {
        let mut net = Net::new(None, Some(&Config::default()));
        net.run(20);
        let control = net.client.begin(0, &frame(0x4, &[]));
        for _ in 0..count {
            net.client.write(control, &frame(PRIORITY_UPDATE, b"\0u=1"));
        }
        net.run(40);
        assert_eq!(net.client.code(), code, "{count}");
    }
}
