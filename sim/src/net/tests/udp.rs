//! Datagrams: firewalls, NATs, MTU, luck.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSliceMut};

use regatta_runtime::{Datagrams as _, Ecn, Received, Transmit};

use super::*;
use crate::UdpSocket;
use crate::choice::{Choices, Point};
use crate::net::fault::Fault;
use crate::net::nat::Nat;
use crate::net::rule::{Action, Family, Rule, Transport};
use crate::net::stack::Stack;
use regatta_models::tape::Tape;

fn send(socket: &mut UdpSocket, to: SocketAddr, bytes: &[u8]) {
    while let Err(error) = socket.try_send(&Transmit::new(to, bytes)) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

async fn receive(socket: &mut UdpSocket) -> io::Result<(SocketAddr, Vec<u8>)> {
    let mut buffer = vec![0; 65_536];
    let mut received = [Received::default()];
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    poll_fn(|cx| socket.poll_receive(cx, buffers, &mut received)).await?;
    buffer.truncate(received[0].length);
    Ok((received[0].source, buffer))
}

/// Sends datagrams of these lengths, 10 ms apart, and says the lengths of those that come, with
/// the milliseconds when they do.
fn passed(pair: &Pair, lengths: &[usize]) -> Vec<(usize, u64)> {
    let done = pair.net.run(async {
        let mut near = pair.client.bind(at(CLIENT, 0), None).await.unwrap();
        let mut far = pair.server.bind(at(SERVER, 443), None).await.unwrap();
        let (sender, came) = std::sync::mpsc::channel();
        let net_now = pair.server.clone();
        pair.server.spawn(async move {
            while let Ok((_, bytes)) = receive(&mut far).await {
                let now = net_now.now().as_nanos() / 1_000_000;
                sender.send((bytes.len(), now)).unwrap();
            }
        });
        for length in lengths {
            send(&mut near, at(SERVER, 443), &vec![7; *length]);
            pair.client.sleep(ms(10)).await;
        }
        pair.client.sleep(ms(1_000)).await;
        came.try_iter().collect()
    });
    done.unwrap()
}

#[test]
fn firewalls_do_to_datagrams_what_their_rules_say() {
    let rule = |action| Rule::new(action).transport(Transport::Udp);
    let rate = Action::Rate { bits_per_second: 8 * 128 * 100, burst: 256 };
    let all = [100, 100, 1_400, 100, 1_472, 1_473, 100];
    let table: [(&str, Rule, &[usize]); 10] = [
        (
            "other transport",
            rule(Action::Drop).transport(Transport::Tcp),
            &[100, 100, 1_400, 100, 1_472, 100],
        ),
        (
            "other family",
            rule(Action::Drop).family(Family::V6),
            &[100, 100, 1_400, 100, 1_472, 100],
        ),
        ("other port", rule(Action::Drop).port(80), &[100, 100, 1_400, 100, 1_472, 100]),
        (
            "other address",
            rule(Action::Drop).to(address("192.0.2.7")),
            &[100, 100, 1_400, 100, 1_472, 100],
        ),
        (
            "other host",
            rule(Action::Drop).from(crate::net::HostId(1)).one_way(),
            &[100, 100, 1_400, 100, 1_472, 100],
        ),
        ("blocked", rule(Action::Drop).port(443), &[]),
        ("first three", rule(Action::PassFirst(3)).to(address(SERVER)), &[100, 100, 1_400]),
        ("long ones", rule(Action::DropAbove(1_399)), &[100, 100, 100, 100]),
        ("unreachable", rule(Action::RejectUnreachable), &[]),
        // A datagram of 128 bytes each 10 ms, and two at once; those above 256 bytes never.
        ("rate", rule(rate), &[100, 100, 100, 100]),
    ];
    for (what, rule, expected) in table {
        let pair = Pair::new(Link::delay(ms(20)));
        pair.net.rule(rule);
        let lengths: Vec<usize> = passed(&pair, &all).into_iter().map(|(one, _)| one).collect();
        assert_eq!(lengths, expected, "{what}");
    }
}

#[test]
fn a_closed_port_and_a_firewall_are_heard_by_connected_sockets() {
    for rule in [None, Some(Rule::new(Action::RejectReset).transport(Transport::Udp))] {
        let pair = Pair::new(Link::delay(ms(20)));
        if let Some(rule) = rule {
            pair.net.rule(rule);
        }
        let done = pair.net.run(async {
            let to = at(SERVER, 443);
            let mut near = pair.client.bind(at("0.0.0.0", 0), Some(to)).await.unwrap();
            send(&mut near, to, b"anybody?");
            let error = receive(&mut near).await.unwrap_err().kind();
            (error, pair.now_ms())
        });
        assert_eq!(done.unwrap(), (ErrorKind::ConnectionRefused, 40), "{rule:?}");
    }
}

#[test]
fn nats_map_filter_expire_and_rebind() {
    let pair = Pair::new(Link::delay(ms(20)));
    let public = address("198.51.100.1");
    pair.net.nat(&pair.client, Nat::new(public));
    let done = pair.net.run(async {
        let mut near = pair.client.bind(at(CLIENT, 5_000), None).await.unwrap();
        let mut far = pair.server.bind(at(SERVER, 443), None).await.unwrap();
        let mut other = pair.server.bind(at(SERVER, 444), None).await.unwrap();
        let mut ports = Vec::new();
        // The same port after 29 s, another after 31 s and after a rebinding.
        for (wait, rebind) in [(0, false), (29, false), (31, false), (1, true)] {
            pair.client.sleep(Duration::from_secs(wait)).await;
            if rebind {
                pair.net.apply(Fault::RebindNat(pair.client.id()));
            }
            send(&mut near, at(SERVER, 443), b"question");
            let (source, _) = receive(&mut far).await.unwrap();
            assert_eq!(source.ip(), public);
            ports.push(source.port());
            // Only who was asked may answer, and at the port of this flow.
            send(&mut other, source, b"from another");
            send(&mut far, SocketAddr::new(public, source.port() + 1), b"elsewhere");
            send(&mut far, at(CLIENT, 5_000), b"from outside");
            send(&mut far, source, b"answer");
            let answer = (at(SERVER, 443), b"answer".to_vec());
            assert_eq!(receive(&mut near).await.unwrap(), answer);
        }
        let last = SocketAddr::new(public, ports[3]);
        pair.client.sleep(Duration::from_secs(31)).await;
        send(&mut far, last, b"too late");
        send(&mut near, at(SERVER, 444), b"to another");
        assert_eq!(receive(&mut other).await.unwrap().1, b"to another");
        send(&mut other, last, b"to a port of before");
        ports
    });
    let ports = done.unwrap();
    assert_eq!(ports[0], ports[1]);
    assert!(ports[1] != ports[2] && ports[2] != ports[3], "{ports:?}");
}

#[test]
fn segments_marks_and_buffers() {
    let pair = Pair::new(Link::delay(ms(20)));
    let stack = Stack { datagram_buffer: 2_500, max_segments: 4, ..Stack::default() };
    pair.net.stack(&pair.server, stack);
    pair.net.stack(&pair.client, stack);
    let done = pair.net.run(async {
        let mut near = pair.client.bind(at(CLIENT, 0), None).await.unwrap();
        let mut far = pair.server.bind(at(SERVER, 443), None).await.unwrap();
        let contents = pattern(3_100);
        let transmit = Transmit {
            segment_size: Some(1_000),
            ecn: Some(Ecn::Ect0),
            ..Transmit::new(at(SERVER, 443), &contents)
        };
        near.try_send(&transmit).unwrap();
        let five = Transmit { segment_size: Some(700), ..transmit };
        assert_eq!(near.try_send(&five).unwrap_err().kind(), ErrorKind::InvalidInput);
        pair.client.sleep(ms(30)).await;
        let mut buffers = vec![vec![0; 2_000]; 8];
        let mut slices: Vec<_> = buffers.iter_mut().map(|one| IoSliceMut::new(one)).collect();
        let mut received = [Received::default(); 8];
        let count = poll_fn(|cx| far.poll_receive(cx, &mut slices, &mut received)).await.unwrap();
        received[..count].iter().map(|one| (one.length, one.ecn)).collect::<Vec<_>>()
    });
    // Of 1,000, 1,000, 1,000 and 100 bytes the third finds no room.
    let marked = |length| (length, Some(Ecn::Ect0));
    assert_eq!(done.unwrap(), [marked(1_000), marked(1_000), marked(100)]);
}

#[test]
fn rare_luck_loses_doubles_and_delays() {
    let mut choices = Choices::quiet(Tape::seeded(3));
    for point in [Point::DatagramLost, Point::DatagramTwice, Point::DatagramLate] {
        choices.switch(point, true);
    }
    let net = Net::new(choices, 3);
    let client = net.host("client", [address(CLIENT)]);
    let server = net.host("server", [address(SERVER)]);
    net.link(&client, &server, Link::delay(ms(20)));
    let pair = Pair { net, client, server };
    let lengths: Vec<usize> = (0..1_400).collect();
    let came = passed(&pair, &lengths);
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    came.iter().for_each(|(length, _)| *times.entry(*length).or_default() += 1);
    let lost = 1_400 - times.len();
    let twice = times.values().filter(|count| **count == 2).count();
    let late = came.windows(2).filter(|two| two[1].0 < two[0].0).count();
    assert!((5..30).contains(&lost) && (5..30).contains(&twice), "{lost} lost, {twice} twice");
    assert!((5..30).contains(&late), "{late} late");
    for point in [Point::DatagramLost, Point::DatagramTwice, Point::DatagramLate] {
        let count = pair.net.choices(|all| all.counts().find(|one| one.point == point));
        assert!(count.is_some_and(|count| count.fired > 5), "{count:?}");
    }
}
