//! Datagrams of strangers.

use super::net::SERVER;
use super::*;
use crate::rng::Rng;

/// What both sides said in a whole exchange, some of it changed, cut, or said again, reaches them
/// beside the true datagrams, and changes nothing.
#[test]
fn forged_datagrams_change_nothing() {
    let (mut net, id) = connected(&World::new());
    let mut rng = Rng::new(5);
    for round in 0..50 {
        net.clients[0].send(id, pattern(500));
        net.run_for(Duration::from_millis(1));
        let forged: Vec<_> = net
            .flying
            .values()
            .flat_map(|one| vec![(one.to, one.from, one.contents.clone()); 20])
            .collect();
        for (to, from, mut contents) in forged {
            for _ in 0..=rng.below(3) {
                let at = rng.below(contents.len() as u64) as usize;
                contents[at] ^= 1 << rng.below(8);
            }
            if rng.below(2) == 0 {
                contents.truncate(rng.below(contents.len() as u64) as usize);
            }
            let now = net.now;
            net.side(to).endpoint.receive(now, &from, &contents);
        }
        net.run_for(Duration::from_millis(100));
        assert!(net.clients[0].lost.is_empty() && net.server.lost.is_empty(), "round {round}");
    }
    echo(&mut net, id, &pattern(10_000), SECOND);
    assert_eq!(net.server.endpoint.counts().connections, 1);
}

#[test]
fn noise_makes_no_connection() {
    let mut net = World::new().net(1);
    let mut rng = Rng::new(9);
    let from = Received { source: SERVER.parse().unwrap(), destination: None, ecn: None };
    for _ in 0..20_000 {
        let len = rng.below(1_500) as usize;
        let mut noise: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
        // Half of them have the look of a first packet of version 1.
        if rng.below(2) == 0 && len > 6 {
            let first = 0xc0 | noise[0] & 0x0f;
            noise[..6].copy_from_slice(&[first, 0, 0, 0, 1, 8]);
        }
        net.server.endpoint.receive(net.now, &from, &noise);
        net.clients[0].endpoint.receive(net.now, &from, &noise);
    }
    net.run(60 * SECOND);
    assert_eq!(net.server.endpoint.counts().connections, 0);
    assert_eq!(net.clients[0].endpoint.counts().connections, 0);
}

/// The answers to strangers wait in a room of fixed size.
#[test]
fn answers_that_nobody_sends_are_not_kept_without_end() {
    let mut net = World::new().net(0);
    let from = Received { source: "192.0.2.9:9".parse().unwrap(), destination: None, ecn: None };
    let mut hello = vec![0; 1_200];
    hello[..6].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8]);
    (0..1_000).for_each(|_| net.server.endpoint.receive(net.now, &from, &hello));
    assert_eq!(net.server.endpoint.counts().unanswered, 1_000 - ANSWERS as u64);
    let mut buffer = Vec::new();
    let sent = core::iter::from_fn(|| net.server.endpoint.poll_transmit(net.now, 1, &mut buffer));
    assert_eq!(sent.count(), ANSWERS);
}

/// First packets of ever new clients, none of which says more.
#[test]
fn a_flood_of_first_packets_keeps_no_more_than_the_limits() {
    let mut world = World::new();
    (world.server.max_handshakes, world.server.retry) = (20, Retry::Above(5));
    let mut net = world.net(100);
    (0..100).for_each(|client| _ = net.connect(client));
    net.run(Duration::from_millis(12));
    net.is_cut = true;
    let counts = net.server.endpoint.counts();
    assert_eq!((counts.connections, counts.handshakes, counts.retried), (6, 6, 94));
    net.run(120 * SECOND);
    assert_eq!(net.server.endpoint.counts().connections, 0);
}
