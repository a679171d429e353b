//! HTTP datagrams and capsules (RFC 9297).

use core::num::NonZeroU32;

use super::super::{CapsuleError, Capsules, DatagramError, DatagramQueue, capsule};
use super::net::frame;
use super::*;
use crate::engine::Extended;
use crate::id::StreamId;

/// Room for ten datagrams of 36 bytes.
fn config() -> Config {
    Config { h3_datagrams: NonZeroU32::new(1_000), ..Config::default() }
}

fn connect() -> Request<()> {
    let mut request = Request::connect("https://example.com/masque").body(()).unwrap();
    request.extensions_mut().insert(Extended::new("connect-udp").unwrap());
    request
}

/// A tunnel's both ends.
fn tunnel(client: &Config, server: &Config) -> (Net, StreamId, StreamId) {
    let mut net = Net::new(Some(client), Some(server));
    net.run(20);
    let now = net.now;
    let mine = net.client.engine().open(now, &connect(), false).unwrap();
    net.run(5);
    let (now, theirs) = (net.now, net.server.asked());
    net.server.engine().respond(now, theirs, &status(200), false);
    net.run(5);
    (net, mine, theirs)
}

fn taken(engine: &mut super::super::H3) -> Vec<(StreamId, Bytes)> {
    core::iter::from_fn(|| engine.poll_datagram()).collect()
}

// rule: Q-7a
#[test]
fn datagrams_go_both_ways() {
    let (mut net, mine, theirs) = tunnel(&config(), &config());
    let now = net.now;
    net.client.engine().send_datagram(now, mine, Bytes::from_static(b"there")).unwrap();
    net.server.engine().send_datagram(now, theirs, Bytes::from_static(b"and back")).unwrap();
    net.server.engine().send_datagram(now, theirs, Bytes::new()).unwrap();
    net.run(5);
    assert_eq!(taken(net.server.engine()), [(theirs, Bytes::from_static(b"there"))]);
    let back = [(mine, Bytes::from_static(b"and back")), (mine, Bytes::new())];
    assert_eq!(taken(net.client.engine()), back);
    assert_eq!(net.client.engine().max_datagram(mine), Some(936), "of a queue of 1,000 bytes");
    // Where there is room for it, as much as the path carries.
    let roomy = Config { h3_datagrams: NonZeroU32::new(10_000), ..Config::default() };
    let (mut net, mine, _) = tunnel(&roomy, &config());
    let longest = net.client.engine().max_datagram(mine).unwrap();
    assert!((1_100..1_200).contains(&longest), "{longest}");
    let now = net.now;
    let (whole, more) = (Bytes::from(vec![1; longest]), Bytes::from(vec![1; longest + 1]));
    let client = net.client.engine();
    assert_eq!(client.send_datagram(now, mine, more), Err(DatagramError::TooLong));
    assert_eq!(client.send_datagram(now, mine, whole), Ok(()));
}

#[test]
fn a_queue_gives_back_what_is_lost_for_another() {
    let mut queue = DatagramQueue::default();
    let bytes = |len: usize| Bytes::from(vec![0; len]);
    assert_eq!(queue.push(300, 'a', bytes(36)), []);
    assert_eq!(queue.push(300, 'b', bytes(136)), []);
    // Exactly as much as there is room for, then more.
    let lost = queue.push(300, 'c', bytes(236));
    assert_eq!(lost.iter().map(|one| one.0).collect::<String>(), "ab");
    assert_eq!(queue.push(300, 'd', bytes(237)), [('d', bytes(237))]);
    assert_eq!((queue.pop(), queue.pop(), queue.lost()), (Some(('c', bytes(236))), None, 3));
}

// rule: Q-7a
#[test]
fn nothing_is_sent_where_it_is_not_agreed_on_or_has_no_place() {
    let hello = || Bytes::from_static(b"hello");
    for (client, server) in [(config(), Config::default()), (Config::default(), config())] {
        let (mut net, mine, theirs) = tunnel(&client, &server);
        let now = net.now;
        let sent = net.client.engine().send_datagram(now, mine, hello());
        assert_eq!(sent, Err(DatagramError::Unsupported));
        let sent = net.server.engine().send_datagram(now, theirs, hello());
        assert_eq!(sent, Err(DatagramError::Unsupported));
        assert_eq!(net.client.engine().max_datagram(mine), None);
    }
    let (mut net, mine, _) = tunnel(&config(), &config());
    let now = net.now;
    let plain = net.client.engine().open(now, &post("/"), false).unwrap();
    let client = net.client.engine();
    assert_eq!(client.send_datagram(now, plain, hello()), Err(DatagramError::NoStream));
    let long = Bytes::from(vec![0; 937]);
    assert_eq!(client.send_datagram(now, mine, long), Err(DatagramError::TooLong));
    // Not behind the end of what this side says.
    client.send(now, mine, Bytes::new(), true);
    net.run(5);
    let now = net.now;
    let sent = net.client.engine().send_datagram(now, mine, hello());
    assert_eq!(sent, Err(DatagramError::NoStream));
}

// rule: Q-7b A80
#[test]
fn what_waits_is_bounded_and_the_oldest_is_lost() {
    let (mut net, mine, theirs) = tunnel(&config(), &config());
    let now = net.now;
    for n in 0..25_u8 {
        net.client.engine().send_datagram(now, mine, Bytes::from(vec![n; 36])).unwrap();
    }
    net.run(5);
    let came: Vec<u8> = taken(net.server.engine()).iter().map(|(_, bytes)| bytes[0]).collect();
    assert_eq!(came, (15..25).collect::<Vec<u8>>(), "of what waits to go");
    for n in 0..25_u8 {
        let now = net.now;
        net.server.engine().send_datagram(now, theirs, Bytes::from(vec![n; 36])).unwrap();
        net.run(2);
    }
    net.run(5);
    let came: Vec<u8> = taken(net.client.engine()).iter().map(|(_, bytes)| bytes[0]).collect();
    assert_eq!(came, (15..25).collect::<Vec<u8>>(), "of what waits to be taken");
}

/// What a server does with a datagram from a client that says whatever it likes: the code with
/// which the connection ends, how the request's stream ends, and how many datagrams are told.
fn server_hears(request: &[u8], datagram: &[u8]) -> (Option<u64>, Option<u64>, usize) {
    let mut net = Net::new(None, Some(&config()));
    net.run(20);
    net.client.begin(0, &frame(0x4, &[0x33, 1]));
    let stream = net.client.ask(&frame(0x1, request), false);
    net.run(5);
    let datagram = Bytes::copy_from_slice(datagram);
    net.client.connection().datagrams().send(datagram, false).unwrap();
    net.run(5);
    let told = taken(net.server.engine()).len();
    let stopped = net.client.stopped(stream);
    (net.client.code(), stopped, told)
}

// rule: Q-7c A80
#[test]
fn datagrams_that_may_not_be() {
    let get = [&[0, 0, 0xd1, 0xd7, 0xc1][..], &[0x50, 1, b'a']].concat();
    let tunnel =
        [&[0, 0, 0xcf, 0xd7, 0xc1][..], &[0x50, 1, b'a'], b"\x27\x02:protocol\x0bconnect-udp"];
    let tunnel = tunnel.concat();
    const MOST: [u8; 8] = [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    const BEYOND: [u8; 8] = [0xd0, 0, 0, 0, 0, 0, 0, 0];
    type Row<'a> = (&'a [u8], &'a [u8], (Option<u64>, Option<u64>, usize));
    let rows: &[Row<'_>] = &[
        (&tunnel, &[0, 1, 2], (None, None, 1)),
        (&tunnel, &[0], (None, None, 1)),
        // No number, or one that is cut off or cannot be.
        (&tunnel, &[], (Some(0x33), None, 0)),
        (&tunnel, &[0x40], (Some(0x33), None, 0)),
        (&tunnel, &BEYOND, (Some(0x33), None, 0)),
        // Of streams that have not come.
        (&tunnel, &[1, 1], (None, None, 0)),
        (&tunnel, &MOST, (None, None, 0)),
        // A GET has none.
        (&get, &[0, 1], (None, Some(0x33), 0)),
    ];
    for (request, datagram, expected) in rows {
        assert_eq!(server_hears(request, datagram), *expected, "{datagram:?}");
    }
}

/// All datagrams of capsules that come in pieces of so many bytes.
fn read(bytes: &[u8], piece: usize, longest: u32) -> Result<Vec<Bytes>, CapsuleError> {
    let (mut capsules, mut all) = (Capsules::new(longest), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(datagram) = capsules.next(&mut piece)? {
            all.push(datagram);
        }
    }
    capsules.end().map(|()| all)
}

// rule: Q-7d A80
#[test]
fn capsules_are_read_however_they_are_cut() {
    let unknown = frame(0x2929, &[9; 300]);
    let whole =
        [&capsule(b"one")[..], &unknown, &capsule(b""), &frame(0x17, b""), &capsule(b"two")];
    let whole = whole.concat();
    let expected = [Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"two")];
    for piece in 1..=whole.len() {
        assert_eq!(read(&whole, piece, 100).unwrap(), expected, "{piece}");
    }
    // Cut off: in a front, in a datagram, in what means nothing.
    for end in [1, 3, 9, 200] {
        assert_eq!(read(&whole[..end], 64, 100), Err(CapsuleError::Incomplete), "{end}");
    }
    assert_eq!(read(&capsule(&[0; 101]), 64, 100), Err(CapsuleError::TooLong));
    assert_eq!(read(&capsule(&[0; 100]), 64, 100).unwrap().len(), 1);
    // As long as can be said: nothing is kept of what means nothing, and a datagram is refused
    // before it has come.
    let endless = |kind: u8| [&[kind][..], &[0xff; 8], &[1; 64]].concat();
    assert_eq!(read(&endless(0), 64, 100), Err(CapsuleError::TooLong));
    assert_eq!(read(&endless(5), 64, 100), Err(CapsuleError::Incomplete));
}
