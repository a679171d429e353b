//! Clients and a server against each other in memory.

mod attacks;
mod closes;
mod early;
mod ends;
mod forge;
mod hostile;
mod net;
mod qlog;

use self::net::{NAME, Net, World, pattern};
use super::*;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A client connected to a server.
fn connected(world: &World) -> (Net, QuicId) {
    let mut net = world.net(1);
    let id = net.connect(0);
    net.run(SECOND);
    assert_eq!(net.clients[0].words(), ["connected"]);
    (net, id)
}

/// Sends `bytes` to the server and expects them back.
fn echo(net: &mut Net, id: QuicId, bytes: &Bytes, time: Duration) {
    let stream = net.clients[0].send(id, bytes.clone());
    net.run_for(time);
    let client = &net.clients[0];
    assert!(client.ended.contains(&(id, stream)), "{:?}, {:?}", client.words(), net.server.words());
    assert!(client.read[&(id, stream)] == *bytes, "other bytes came back");
}

#[test]
fn a_handshake_takes_one_round_trip_and_says_what_was_agreed_on() {
    let (net, id) = connected(&World::new());
    let (at, _, _) = net.clients[0].heard[0];
    assert_eq!(at, Instant::from_millis(20));
    assert_eq!(net.server.words(), ["accepted 192.0.2.1:1000", "connected"]);
    let client = net.clients[0].endpoint.handshake(id).unwrap();
    assert_eq!(client.protocol, Some(Protocol::Http3));
    assert_eq!(client.certificate().unwrap().names, [NAME, "198.51.100.1"]);
    assert!(client.cipher_suite.unwrap().starts_with("TLS_AES_"), "{:?}", client.cipher_suite);
    assert!(!client.is_resumed);
    let server = net.server.endpoint.handshake(net.accepted()).unwrap();
    assert_eq!((server.protocol, server.name.as_deref()), (Some(Protocol::Http3), Some(NAME)));
    for side in [&net.clients[0], &net.server] {
        let counts = Counts { connections: 1, ..Counts::default() };
        assert_eq!(side.endpoint.counts(), counts);
    }
}

#[test]
fn what_is_padded_arrives_as_it_is() {
    let mut net = World::new().net_with_padding();
    let id = net.connect(0);
    net.run(SECOND);
    let (before, said) = (net.log.len(), [&b"said"[..], &[0; 400]].concat());
    for length in [0, 3, 4, 20, 404] {
        echo(&mut net, id, &Bytes::copy_from_slice(&said[..length]), SECOND);
    }
    let sent = &net.log[before..];
    assert!(sent.iter().all(|(_, _, length)| *length >= 1_200), "{sent:?}");
}

#[test]
fn the_next_session_with_a_server_goes_on_from_the_first() {
    let (mut net, first) = connected(&World::new());
    let next = net.connect(0);
    net.run(2 * SECOND);
    let said = |id| net.clients[0].endpoint.handshake(id).unwrap();
    assert_eq!((said(first).is_resumed, said(next).is_resumed), (false, true));
    assert_eq!(said(first).cipher_suite, said(next).cipher_suite);
}

#[test]
fn an_address_is_a_name_too_and_a_trailing_dot_is_not_part_of_one() {
    for name in ["198.51.100.1", "example.com."] {
        let mut net = World::new().net(1);
        let server = net::SERVER.parse().unwrap();
        net.clients[0].endpoint.connect(Instant::EPOCH, server, name).unwrap();
        net.run(SECOND);
        assert_eq!(net.clients[0].words(), ["connected"], "{name}");
    }
}

#[test]
fn bytes_go_both_ways_and_datagrams_grow_to_what_the_path_carries() {
    let (mut net, id) = connected(&World::new());
    echo(&mut net, id, &pattern(3_000_000), 10 * SECOND);
    assert_eq!(net.log.iter().map(|(_, _, len)| *len).max(), Some(1_452));
}

#[test]
fn a_socket_that_may_send_fragments_never_tries_longer_datagrams() {
    let world = World::new();
    let mut net = world.net(1);
    let (client, server) = world.configs();
    net.clients[0].endpoint = Endpoint::client(&client, true).unwrap();
    net.server.endpoint = Endpoint::server(&server, true).unwrap();
    let id = net.connect(0);
    net.run(SECOND);
    echo(&mut net, id, &pattern(100_000), SECOND);
    assert_eq!(net.log.iter().map(|(_, _, len)| *len).max(), Some(1_200));
}

/// Loss, jitter that reorders, and doubles, with each controller.
#[test]
fn whatever_the_network_does_the_bytes_are_whole() {
    let controllers = [Congestion::Cubic, Congestion::NewReno, Congestion::Bbr];
    for seed in 0..30 {
        let mut world = World::new();
        world.seed = seed;
        world.client.congestion = controllers[seed as usize % 3];
        let mut net = world.net(1);
        (net.lost, net.doubled, net.jitter) = (10, 10, Duration::from_millis(30));
        let id = net.connect(0);
        net.run(10 * SECOND);
        assert_eq!(net.clients[0].words(), ["connected"], "seed {seed}");
        echo(&mut net, id, &pattern(100_000), 25 * SECOND);
    }
}

#[test]
fn many_streams_share_a_connection_within_the_servers_limit() {
    let mut world = World::new();
    world.server.connection.bidirectional_streams = 7;
    let (mut net, id) = connected(&world);
    let streams: Vec<_> = (0..7).map(|n| net.clients[0].send(id, pattern(n * 1_000))).collect();
    let connection = net.clients[0].endpoint.connection(id).unwrap();
    assert_eq!(connection.streams().open(quinn_proto::Dir::Bi), None);
    net.run_for(SECOND);
    for (n, stream) in streams.into_iter().enumerate() {
        assert!(net.clients[0].read[&(id, stream)] == pattern(n * 1_000));
    }
    // Their end is credit for more.
    echo(&mut net, id, &pattern(10), SECOND);
}

/// What goes out together is one transmit of several datagrams.
#[test]
fn a_burst_is_one_transmit() {
    let (mut net, id) = connected(&World::new());
    net.clients[0].send(id, pattern(10_000));
    let mut buffer = Vec::new();
    let sent = net.clients[0].endpoint.poll_transmit(net.now, 4, &mut buffer).unwrap();
    let size = sent.segment_size.unwrap();
    assert!(buffer.len() > 3 * size && buffer.len() <= 4 * size, "{} of {size}", buffer.len());
    assert_eq!(sent.ecn, Some(Ecn::Ect0));
    assert_eq!(sent.destination, net::SERVER.parse().unwrap());
}

/// A system cuts up no more than one packet of IP, however long the path's datagrams are.
#[test]
fn a_burst_is_no_longer_than_a_system_takes() {
    let mut world = World::new();
    world.client.mtu_max = 9_000;
    world.server.connection.mtu_max = 9_000;
    let (mut net, id) = connected(&world);
    echo(&mut net, id, &pattern(1_000_000), 10 * SECOND);
    net.clients[0].send(id, pattern(1_000_000));
    let mut buffer = Vec::new();
    let sent = net.clients[0].endpoint.poll_transmit(net.now, 64, &mut buffer).unwrap();
    let size = sent.segment_size.unwrap();
    assert!(size > 8_000, "the path's datagrams are of {size} bytes");
    assert!(buffer.len() > 6 * size && buffer.len() <= 65_487, "{} of {size}", buffer.len());
}

#[test]
fn two_runs_with_one_seed_send_the_same_lengths_at_the_same_times() {
    let mut world = World::new();
    world.server.retry = Retry::Always;
    let run = |world: &World| {
        let mut net = world.net(2);
        (net.lost, net.doubled, net.jitter) = (5, 5, Duration::from_millis(5));
        let ids = [net.connect(0), net.connect(1)];
        net.run(5 * SECOND);
        for (client, id) in ids.into_iter().enumerate() {
            net.clients[client].send(id, pattern(50_000));
        }
        net.run_for(5 * SECOND);
        net.clients[0].endpoint.close(net.now, ids[0], 0x100, Bytes::new());
        net.run_for(60 * SECOND);
        (net.log, net.server.heard, net.clients[1].heard.clone())
    };
    let first = run(&world);
    assert!(first.0.len() > 100);
    assert_eq!(first, run(&world));
    world.seed = 2;
    assert_ne!(first.0, run(&world).0);
}

#[test]
fn keys_are_updated_under_way() {
    let (mut net, id) = connected(&World::new());
    for _ in 0..3 {
        net.clients[0].endpoint.connection(id).unwrap().force_key_update();
        echo(&mut net, id, &pattern(20_000), SECOND);
        let server = net.accepted();
        net.server.endpoint.connection(server).unwrap().force_key_update();
        echo(&mut net, id, &pattern(20_000), SECOND);
    }
    assert!(net.clients[0].lost.is_empty() && net.server.lost.is_empty());
}

#[test]
fn a_client_goes_on_from_another_address_where_the_server_allows_it() {
    for migration in [true, false] {
        let mut world = World::new();
        world.server.migration = migration;
        let (mut net, id) = connected(&world);
        net.port = 2_000;
        net.clients[0].endpoint.migrate(net.now);
        let stream = net.clients[0].send(id, pattern(5_000));
        net.run_for(2 * SECOND);
        assert_eq!(net.clients[0].ended.contains(&(id, stream)), migration);
        let server = net.accepted();
        let remote = net.server.endpoint.connection(server).unwrap().remote_address();
        assert_eq!(remote.port(), if migration { 2_000 } else { 1_000 });
    }
}

#[test]
fn application_datagrams_go_where_they_are_wanted() {
    let mut world = World::new();
    let room = core::num::NonZeroU32::new(1 << 16);
    world.client.datagrams = room;
    let (mut net, id) = connected(&world);
    let refused = net.clients[0]
        .endpoint
        .connection(id)
        .unwrap()
        .datagrams()
        .send(Bytes::from_static(b"no"), true);
    assert_eq!(refused, Err(quinn_proto::SendDatagramError::UnsupportedByPeer));
    world.server.connection.datagrams = room;
    (net, _) = connected(&world);
    let connection = net.clients[0].endpoint.connection(id).unwrap();
    connection.datagrams().send(Bytes::from_static(b"yes"), true).unwrap();
    net.run_for(SECOND);
    assert_eq!(net.server.datagrams, ["yes"]);
}

/// The server's ids bear its number from the client's second flight on.
#[test]
fn datagrams_say_which_worker_they_are_for() {
    let world = World::new();
    let mut net = world.net(1);
    let server = world.configs().1.of_worker(7);
    net.server.endpoint = Endpoint::server(&server, false).unwrap();
    let id = net.connect(0);
    net.run(Duration::from_millis(5));
    let workers = |net: &Net| -> Vec<_> {
        let up = net.flying.values().filter(|one| one.to.is_none());
        up.map(|one| worker(&one.contents)).collect()
    };
    assert_eq!(workers(&net), [None]);
    net.run(SECOND);
    assert_eq!(net.clients[0].words(), ["connected"]);
    net.clients[0].send(id, pattern(3_000));
    net.run_for(Duration::from_millis(1));
    assert_eq!(workers(&net), [Some(7); 3]);
    assert_eq!([worker(b""), worker(&[0x40]), worker(&[0xe0, 0, 0, 0, 1, 8])], [None; 3]);
    assert_eq!(worker(&[0xe0, 0, 0, 0, 1, 8, 9]), Some(9));
}
