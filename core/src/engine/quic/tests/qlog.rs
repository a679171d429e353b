//! What connections tell their logs.

use std::collections::BTreeMap;

use super::*;
use crate::engine::qlog::tests::{Memory, names, records};

/// A client that asks for bytes, loses some and closes; and what both sides wrote.
fn files(lost: u64, retry: Retry) -> BTreeMap<String, String> {
    let mut world = World::new();
    world.server.retry = retry;
    let sink = Arc::new(Memory::default());
    let mut net = world.net_with_qlog(&(Arc::clone(&sink) as _));
    net.lost = lost;
    let id = net.connect(0);
    net.run(SECOND);
    net.clients[0].send(id, pattern(200_000));
    net.run_for(5 * SECOND);
    net.lost = 0;
    let now = net.now;
    net.clients[0].endpoint.close(now, id, 0x100, Bytes::new());
    net.run_for(5 * SECOND);
    drop(net);
    sink.files()
}

#[test]
fn a_connection_is_told_from_its_first_packet_to_its_end() {
    let files = files(0, Retry::Never);
    let all: Vec<&String> = files.keys().collect();
    let [client, server] = &all[..] else { panic!("{all:?}") };
    let id = client.strip_suffix("_client.sqlog").unwrap();
    assert_eq!(id.len(), 32);
    assert_eq!(server.strip_suffix("_server.sqlog"), Some(id), "one id for both");
    let expected = [
        "connectivity:connection_started",
        "connectivity:connection_state_updated",
        "connectivity:mtu_updated",
        "recovery:metrics_updated",
        "transport:alpn_information",
        "transport:datagrams_received",
        "transport:datagrams_sent",
        "transport:packet_received",
        "transport:packet_sent",
        "connectivity:connection_closed",
    ];
    for (name, file) in &files {
        let records = records(file);
        let names = names(&records);
        assert_eq!(names.first(), Some(&"connectivity:connection_started"), "{name}");
        for event in expected {
            assert!(names.contains(&event), "{name} has no {event}");
        }
        assert_eq!(records.last().unwrap()["data"]["new"], "closed");
        let closed = names.iter().position(|name| *name == "connectivity:connection_closed");
        let closed = &records[closed.unwrap() + 1]["data"];
        assert_eq!(closed["application_code"], 0x100);
        let owner = if name.contains("client") { "local" } else { "remote" };
        assert_eq!(closed["owner"], owner);
    }
    let client = records(&files[*client]);
    let first = client.iter().find(|event| event["name"] == "transport:packet_sent").unwrap();
    assert_eq!(first["data"]["header"]["packet_type"], "initial");
    assert_eq!(first["data"]["header"]["dcid"], id);
    // What one sends the other gets.
    let server = records(&files[*server]);
    let bytes = |records: &[serde_json::Value], name: &str| -> u64 {
        let told = records.iter().filter(|event| event["name"] == name);
        told.map(|event| event["data"]["raw"]["length"].as_u64().unwrap()).sum()
    };
    let sent = bytes(&client, "transport:packet_sent");
    assert!(sent > 200_000);
    assert_eq!(bytes(&server, "transport:packet_received"), sent);
}

#[test]
fn loss_is_counted_and_a_retry_is_seen() {
    let files = files(10, Retry::Always);
    assert_eq!(files.len(), 2, "{:?}", files.keys());
    let client = files.iter().find(|(name, _)| name.contains("client")).unwrap().1;
    assert!(client.contains("recovery:packet_lost"));
    assert!(client.contains("\"packet_type\":\"retry\""));
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    assert_eq!(files(5, Retry::Never), files(5, Retry::Never));
}

#[test]
fn a_log_changes_nothing_that_is_sent() {
    let sent = |is_logged: bool| {
        let world = World::new();
        let mut net = match is_logged {
            true => world.net_with_qlog(&(Arc::new(Memory::default()) as _)),
            false => world.net(1),
        };
        let id = net.connect(0);
        net.run(SECOND);
        net.clients[0].send(id, pattern(50_000));
        net.run_for(SECOND);
        (net.log, net.clients[0].read.clone())
    };
    assert!(sent(true) == sent(false));
}
