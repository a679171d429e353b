//! Early data: what is remembered for it, who takes it, and how often.

use super::net::Side;
use super::*;
use crate::engine::h3::Settings;
use crate::types::ProtocolFault;

/// A server that takes early data, a client that has a ticket of it, and another that may use that.
fn resumable(world: &World) -> (Net, ClientConfig) {
    let (client, server) = world.configs();
    let mut net = world.net_of(&client, &server, 2);
    assert!(client.early_data().is_none(), "nothing is known of what the server grants");
    client.remember(Settings::default());
    let (early, _) = client.early_data().unwrap();
    net.clients[1] = Side::new(Endpoint::client(&early, false).unwrap());
    let first = net.connect(0);
    net.run(SECOND);
    assert_eq!(net.clients[0].endpoint.early_data(first), None);
    net.server.heard.clear();
    (net, client)
}

fn taking() -> World {
    let mut world = World::new();
    world.server.early_data = true;
    world
}

// rule: ED-2a
#[test]
fn a_server_takes_early_data_only_where_it_was_told_to() {
    for takes in [true, false] {
        let mut world = World::new();
        world.server.early_data = takes;
        let (mut net, _) = resumable(&world);
        let id = net.connect(1);
        assert_eq!(net.clients[1].endpoint.early_data(id), takes.then_some(false));
        if takes {
            net.clients[1].send(id, pattern(500));
        }
        net.run_for(SECOND);
        assert_eq!(net.clients[1].endpoint.early_data(id), takes.then_some(true));
        let told = ["accepted 192.0.2.2:1000", "early data", "connected"];
        let told: Vec<&str> =
            told.into_iter().filter(|one| takes || *one != "early data").collect();
        assert_eq!(net.server.words(), told);
        assert!(net.clients[1].endpoint.handshake(id).unwrap().is_resumed);
        // It came with the first flight, and was echoed with the server's.
        let early = net.clients[1].read.values().next();
        assert_eq!(early.map(Vec::len), takes.then_some(500));
    }
}

/// Whoever has recorded a first flight sends it again when the connection is over.
// rule: ED-2b A82
#[test]
fn a_first_flight_that_is_sent_again_is_not_taken() {
    let (mut net, _) = resumable(&taking());
    let id = net.connect(1);
    net.clients[1].send(id, pattern(500));
    net.run_for(Duration::from_millis(1));
    let flight: Vec<(Received, Vec<u8>)> =
        net.flying.values().map(|one| (one.from, one.contents.clone())).collect();
    assert!(!flight.is_empty());
    net.run_for(SECOND);
    assert_eq!(net.server.words(), ["accepted 192.0.2.2:1000", "early data", "connected"]);
    let now = net.now;
    net.clients[1].endpoint.close(now, id, 0, Bytes::new());
    net.run_for(10 * SECOND);
    assert_eq!(net.server.words().last(), Some(&"drained"));
    net.server.heard.clear();
    let read = net.server.read.len();
    for (from, contents) in flight {
        let now = net.now;
        net.server.endpoint.receive(now, &from, &contents);
    }
    net.run_for(SECOND);
    assert_eq!(net.server.words(), ["accepted 192.0.2.2:1000"]);
    assert_eq!(net.server.read.len(), read, "nothing of it was read");
}

/// RFC 9114 7.2.4.2: what is kept beside the tickets is what was said with them.
// rule: H3-7c
#[test]
fn tickets_of_other_settings_are_forgotten() {
    type Change = fn(&ClientConfig);
    let rows: [(Change, bool); 4] = [
        (|config| config.remember(Settings::default()), true),
        (
            |config| config.remember(Settings { max_field_section: 10_000, ..Settings::default() }),
            false,
        ),
        (|config| config.disappointed(Cause::ConnectTimeout), true),
        (|config| config.disappointed(Cause::Protocol(ProtocolFault::Connection(0x109))), false),
    ];
    for (change, has_ticket) in rows {
        let (mut net, config) = resumable(&taking());
        change(&config);
        let id = net.connect(1);
        assert_eq!(net.clients[1].endpoint.early_data(id).is_some(), has_ticket);
    }
}
