//! Frames that no honest transport sends: what they cost, and how the connection ends.

use std::sync::{Arc, Mutex};

use quinn_proto::coding::Codec;

use super::*;
use crate::types::ProtocolFault;

const FRAME_ENCODING_ERROR: u32 = 0x7;
const CONNECTION_ID_LIMIT_ERROR: u32 = 0x9;
const PROTOCOL_VIOLATION: u32 = 0xa;
const CRYPTO_BUFFER_EXCEEDED: u32 = 0xd;
const INTERNAL_ERROR: u32 = 0x1;

/// A client and its server, whose next packets hold these frames instead of its own.
struct Attack {
    net: Net,
    id: QuicId,
    next: Arc<Mutex<Vec<Vec<u8>>>>,
    body: Option<quinn_proto::StreamId>,
}

impl Attack {
    fn new() -> Self {
        let next = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let forged = Arc::clone(&next);
        let mut net = World::new().net_with_forger(Arc::new(move |packet| {
            let mut next = forged.lock().unwrap();
            if let Some(frames) = next.first().filter(|frames| frames.len() <= packet.len()) {
                packet[..frames.len()].copy_from_slice(frames);
                // PADDING.
                packet[frames.len()..].fill(0);
                next.remove(0);
            }
        }));
        let id = net.connect(0);
        net.run(SECOND);
        Self { net, id, next, body: None }
    }

    /// The server says this, each in a packet of its own.
    fn say(&mut self, packets: impl IntoIterator<Item = Vec<u8>>) {
        self.next.lock().unwrap().extend(packets);
        // Its packets are as long as a body makes them.
        let accepted = self.net.accepted();
        for _ in 0..200 {
            let left = self.next.lock().unwrap().len();
            if left == 0 || !self.net.clients[0].lost.is_empty() {
                break;
            }
            let Some(connection) = self.net.server.endpoint.connection(accepted) else { break };
            let open = || connection.streams().open(quinn_proto::Dir::Uni).unwrap();
            let stream = *self.body.get_or_insert_with(open);
            let _ = connection.send_stream(stream).write(&[7; 16_000]);
            self.net.run_for(100 * Duration::from_millis(1));
        }
        assert!(
            self.next.lock().unwrap().is_empty() || !self.net.clients[0].lost.is_empty(),
            "not all was said"
        );
    }

    /// With what code the client has closed.
    fn code(&mut self) -> Option<u32> {
        self.net.run_for(SECOND);
        let lost = self.net.clients[0].lost.first()?;
        match lost.cause {
            Cause::Protocol(ProtocolFault::Quic(code)) => Some(code),
            cause => panic!("{cause:?}: {lost}"),
        }
    }

    /// Whether it is as good as ever.
    fn serves(&mut self) {
        assert_eq!(self.code(), None);
        let bytes = Bytes::from_static(b"still there");
        echo(&mut self.net, self.id, &bytes, SECOND);
    }
}

fn frame(kind: u64, numbers: &[u64], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [&[kind], numbers].concat() {
        VarInt::from_u64(number).unwrap().encode(&mut out);
    }
    [&out, bytes].concat()
}

/// ACK of all packets from `first` to `last`.
fn ack(first: u64, last: u64) -> Vec<u8> {
    frame(0x02, &[last, 0, 0, last - first], &[])
}

fn new_connection_id(sequence: u64, retire: u64, length: u8) -> Vec<u8> {
    let id = vec![sequence.to_le_bytes()[0]; length.into()];
    let front = frame(0x18, &[sequence, retire], &[length]);
    [&front[..], &id, &[sequence.to_le_bytes()[0]; 16]].concat()
}

/// How a client ends its connection that hears this.
fn after(packets: impl IntoIterator<Item = Vec<u8>>) -> Option<u32> {
    let mut attack = Attack::new();
    attack.say(packets);
    attack.code()
}

// rule: Q-2
#[test]
fn what_was_not_sent_cannot_be_acknowledged() {
    // A number far ahead.
    assert_eq!(after([ack(1 << 20, 1 << 20)]), Some(PROTOCOL_VIOLATION));
    // All numbers up to the last that was sent: some of them never were.
    let mut attack = Attack::new();
    let sent = |attack: &mut Attack| {
        let connection = attack.net.clients[0].endpoint.connection(attack.id).unwrap();
        connection.stats().path.sent_packets
    };
    let before = sent(&mut attack);
    let id = attack.id;
    attack.net.clients[0].send(id, Bytes::from(vec![1; 300_000]));
    attack.net.run_for(5 * SECOND);
    let largest = sent(&mut attack) - 10;
    assert!(largest > before + 128, "{before}, {largest}");
    attack.say([ack(0, largest)]);
    assert_eq!(attack.code(), Some(PROTOCOL_VIOLATION));
}

// rule: Q-3
#[test]
fn connection_ids_that_may_not_be() {
    type Row = (&'static str, Vec<Vec<u8>>, Option<u32>);
    let rows: [Row; 7] = [
        ("one is retired that was never issued", vec![frame(0x19, &[1_000], &[])], {
            Some(PROTOCOL_VIOLATION)
        }),
        ("one without a byte", vec![new_connection_id(9, 0, 0)], Some(FRAME_ENCODING_ERROR)),
        ("one of 21 bytes", vec![new_connection_id(9, 0, 21)], Some(FRAME_ENCODING_ERROR)),
        ("what is not there is retired", vec![new_connection_id(9, 10, 8)], {
            Some(FRAME_ENCODING_ERROR)
        }),
        (
            "more than are wanted",
            vec![(1..40).flat_map(|at| new_connection_id(at, 0, 8)).collect()],
            { Some(CONNECTION_ID_LIMIT_ERROR) },
        ),
        (
            "each retires the one before",
            vec![(10..40).flat_map(|at| new_connection_id(at, at, 8)).collect()],
            None,
        ),
        (
            "more wait to be retired than are kept",
            vec![
                [63].into_iter()
                    .chain(1..56)
                    .flat_map(|at| new_connection_id(at, at / 63 * 63, 1))
                    .collect(),
            ],
            Some(CONNECTION_ID_LIMIT_ERROR),
        ),
    ];
    for (what, packets, expected) in rows {
        assert_eq!(after(packets), expected, "{what}");
    }
}

/// However many challenges come in a packet, one answer waits for each address.
// rule: Q-3
#[test]
fn challenges_of_a_path_are_not_kept() {
    let mut attack = Attack::new();
    let answers = |attack: &mut Attack| {
        let connection = attack.net.clients[0].endpoint.connection(attack.id).unwrap();
        connection.stats().frame_tx.path_response
    };
    let flood = || (0..100_u8).flat_map(|at| frame(0x1a, &[], &[at; 8])).collect::<Vec<u8>>();
    attack.say((0..20).map(|_| flood()));
    let said = answers(&mut attack);
    assert!((1..=20).contains(&said), "{said} answers to 2,000 challenges");
    attack.serves();
}

// rule: Q-4
#[test]
fn what_comes_out_of_order_is_bounded() {
    // CRYPTO far ahead of what was read.
    let far = frame(0x06, &[1 << 20, 4], b"late");
    assert_eq!(after([far]), Some(CRYPTO_BUFFER_EXCEEDED));
    // Every second byte of a stream, again and again: each piece is kept for itself.
    let stream = 3 + 4 * 10;
    let pieces = |from: u64| {
        let each = (from..from + 150).map(|at| frame(0x0e, &[stream, 2 * at, 1], b"x"));
        each.flatten().collect::<Vec<u8>>()
    };
    assert_eq!(after((0..4).map(|at| pieces(150 * at))), None, "600 of them are borne");
    assert_eq!(after((0..40).map(|at| pieces(150 * at))), Some(INTERNAL_ERROR));
}

/// A peer whose every second packet is lost learns of few of them at a time: what acknowledges
/// them does not grow.
// rule: Q-4
#[test]
fn acknowledgements_of_what_has_holes_stay_short() {
    let (mut net, id) = connected(&World::new());
    let longest = |net: &Net| {
        let to_client = net.log.iter().filter(|(_, from, _)| from.is_none());
        to_client.map(|(_, _, length)| *length).max().unwrap_or_default()
    };
    net.log.clear();
    for n in 0..600 {
        net.is_cut = n % 2 == 1;
        let client = &mut net.clients[0].endpoint;
        let datagram = client.connection(id).unwrap();
        datagram.ping();
        net.run_for(Duration::from_millis(3));
    }
    net.is_cut = false;
    let longest = longest(&net);
    assert!((100..300).contains(&longest), "{longest} bytes for 300 holes");
    echo(&mut net, id, &Bytes::from_static(b"whole"), 5 * SECOND);
}
