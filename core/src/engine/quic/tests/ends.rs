//! How connections end, and how some never begin.

use std::sync::Arc;

use quinn_proto::ConnectionError;
use quinn_proto::coding::Codec;
use quinn_proto::crypto::rustls::QuicClientConfig;

use super::net::{Net, SERVER};
use super::*;
use crate::engine::tls::tests::{Authority, JUNE};
use crate::engine::tls::{self, Clock, Versions};
use crate::types::{ProtocolFault, TlsFault};

/// Neither side keeps anything.
fn forgotten(net: &Net) {
    for side in net.clients.iter().chain([&net.server]) {
        let counts = side.endpoint.counts();
        assert_eq!((counts.connections, counts.handshakes), (0, 0));
        assert_eq!(side.endpoint.poll_timeout(), None);
        assert_eq!(side.heard.iter().filter(|heard| heard.2 == "drained").count(), 1);
    }
}

#[test]
fn a_close_is_heard_by_the_other_side_and_both_forget_it() {
    let gone = "the peer closed the connection (0x10b): gone\u{fffd}";
    let codes = [
        (0x100, "", Cause::Closed, "the peer closed the connection (0x100)"),
        (0x10b, "gone\n", Cause::GoAway(0x10b), gone),
    ];
    for (code, reason, cause, sentence) in codes {
        for by_client in [true, false] {
            let (mut net, id) = connected(&World::new());
            let (from, to) = if by_client { (Some(0), None) } else { (None, Some(0)) };
            let id = if by_client { id } else { net.accepted() };
            let now = net.now;
            net.side(from).endpoint.close(now, id, code, Bytes::from_static(reason.as_bytes()));
            net.run_for(5 * SECOND);
            assert_eq!(net.side(from).words().last(), Some(&"drained"));
            assert!(net.side(from).lost.is_empty(), "who closes knows it");
            assert_eq!(net.side(to).lost[0].cause, cause);
            assert_eq!(net.side(to).lost[0].to_string(), sentence);
            assert_eq!(net.side(to).words().last(), Some(&"drained"));
            forgotten(&net);
        }
    }
}

/// A close before the handshake is complete bears no code of the application's (RFC 9000 10.2.3).
#[test]
fn a_close_during_the_handshake_is_heard_too() {
    let mut net = World::new().net(1);
    let id = net.connect(0);
    net.run(Duration::from_millis(15));
    let server = net.accepted();
    net.server.endpoint.close(net.now, server, 0x10b, Bytes::from_static(b"secret"));
    net.run(60 * SECOND);
    assert_eq!(net.clients[0].heard[0].1, id);
    assert_eq!(net.clients[0].lost[0].cause, Cause::Quic(0xc));
    forgotten(&net);
}

/// Who is asked, whether its certificate holds, what both sides hear.
#[test]
fn a_handshake_fails_by_the_rules_of_tls() {
    let year_later = JUNE + 365 * Duration::from_secs(86_400);
    let cases = [
        (NAME, true, year_later, TlsFault::Expired, TlsFault::Alert(45)),
        (NAME, false, JUNE, TlsFault::UnknownIssuer, TlsFault::Alert(48)),
        ("other.example", true, JUNE, TlsFault::NameMismatch, TlsFault::Alert(42)),
    ];
    for (name, is_trusted, today, at_client, at_server) in cases {
        let world = World::new();
        let mut net = world.net(1);
        let issuer =
            if is_trusted { world.authority.root() } else { Authority::named("two").root() };
        let options = tls::ClientOptions { roots: vec![issuer], ..Default::default() };
        let tls = tls::ClientConfig::new(&Clock::new(today), options).unwrap();
        let config = ClientConfig::new(&tls, &world.client).unwrap();
        net.clients[0].endpoint = Endpoint::client(&config, false).unwrap();
        net.clients[0].endpoint.connect(net.now, SERVER.parse().unwrap(), name).unwrap();
        net.run(60 * SECOND);
        assert_eq!(net.clients[0].lost[0].cause, Cause::Tls(at_client), "{name}");
        assert_eq!(net.server.lost[0].cause, Cause::Tls(at_server), "{name}");
        assert!(net.clients[0].lost[0].to_string().starts_with("invalid peer certificate"));
        forgotten(&net);
    }
}

#[test]
fn who_offers_no_http3_is_told_so() {
    let world = World::new();
    let mut net = world.net(1);
    let (tls, _) = world.tls();
    let mut config = world.configs().0;
    let tls = tls.with_alpn(&[Protocol::Http2]).rustls;
    let quinn = quinn_proto::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.quinn = quinn;
    net.clients[0].endpoint = Endpoint::client(&config, false).unwrap();
    net.connect(0);
    net.run(60 * SECOND);
    let nothing = Cause::Tls(TlsFault::NothingInCommon);
    assert_eq!(net.clients[0].lost[0].cause, nothing);
}

#[test]
fn silence_ends_a_connection_after_the_idle_timeout() {
    let (mut net, _) = connected(&World::new());
    net.is_cut = true;
    net.run_for(60 * SECOND);
    for side in [&net.clients[0], &net.server] {
        assert_eq!(side.lost[0].cause, Cause::KeepAliveTimeout);
        let (at, _, _) = side.heard[side.heard.len() - 2];
        let (least, most) = (Instant::from_millis(30_000), Instant::from_millis(31_500));
        assert!(at >= least && at < most, "lost at {at}");
    }
    forgotten(&net);
}

#[test]
fn a_keep_alive_keeps_an_idle_connection() {
    let mut world = World::new();
    world.client.keep_alive = Some(10 * SECOND);
    let (mut net, id) = connected(&world);
    net.run_for(300 * SECOND);
    echo(&mut net, id, &pattern(10), SECOND);
}

#[test]
fn a_handshake_with_nobody_ends_as_a_timeout() {
    let mut net = World::new().net(1);
    net.connect(0);
    net.is_cut = true;
    net.run(120 * SECOND);
    assert_eq!(net.clients[0].words(), ["lost ConnectTimeout", "drained"]);
    assert_eq!(
        net.clients[0].lost[0].to_string(),
        "nothing was heard of the peer until the idle timeout"
    );
}

/// A client that begins and says no more.
#[test]
fn a_server_waits_so_long_for_a_handshake() {
    let mut net = World::new().net(1);
    net.connect(0);
    net.run(Duration::from_millis(12));
    net.is_cut = true;
    net.run(60 * SECOND);
    assert_eq!(net.server.words()[..2], ["accepted 192.0.2.1:1000", "lost ConnectTimeout"]);
    let (begun, lost) = (net.server.heard[0].0, net.server.heard[1].0);
    assert_eq!(lost, begun + 20 * SECOND);
    assert_eq!(net.server.words().last(), Some(&"drained"));
    assert_eq!(net.server.endpoint.counts().handshakes, 0);
}

// rule: Q-1
#[test]
fn retry_proves_the_address_for_one_round_trip_more() {
    let mut world = World::new();
    world.server.retry = Retry::Always;
    let (mut net, id) = connected(&world);
    assert_eq!(net.clients[0].heard[0].0, Instant::from_millis(40));
    assert_eq!(net.server.endpoint.counts().retried, 1);
    echo(&mut net, id, &pattern(1_000), SECOND);
}

/// The token that the server gave to one address is not good for another.
// rule: Q-1
#[test]
fn a_token_of_retry_is_good_for_one_address() {
    let mut world = World::new();
    world.server.retry = Retry::Always;
    let mut net = world.net(1);
    net.connect(0);
    net.run(Duration::from_millis(25));
    net.flying.values_mut().for_each(|one| one.from.source.set_port(9));
    net.port = 9;
    net.run(SECOND);
    assert_eq!(net.clients[0].lost[0].cause, Cause::Quic(0xb));
    assert_eq!(net.server.endpoint.counts().connections, 0);
}

#[test]
fn a_server_makes_clients_retry_when_many_handshakes_are_under_way() {
    let mut world = World::new();
    world.server.retry = Retry::Above(2);
    let mut net = world.net(6);
    (0..6).for_each(|client| _ = net.connect(client));
    net.run(SECOND);
    assert_eq!(net.server.endpoint.counts().retried, 3);
    assert!(net.clients.iter().all(|client| client.words() == ["connected"]));
}

#[test]
fn a_server_refuses_more_than_its_limits_and_all_when_it_drains() {
    let limits: [fn(&mut ServerOptions); 2] =
        [|options| options.max_connections = 1, |options| options.max_handshakes = 1];
    for limit in limits {
        let mut world = World::new();
        limit(&mut world.server);
        let mut net = world.net(2);
        net.connect(0);
        net.connect(1);
        net.run(SECOND);
        assert_eq!(net.clients[0].words(), ["connected"]);
        assert_eq!(net.clients[1].lost[0].cause, Cause::Refused);
        assert_eq!(net.server.endpoint.counts().refused, 1);
    }
    let (mut net, id) = connected(&World::new());
    net.server.endpoint.drain();
    echo(&mut net, id, &pattern(1_000), SECOND);
    let late = net.connect(0);
    net.run_for(SECOND);
    let heard = net.clients[0].heard.iter().find(|heard| heard.1 == late).unwrap();
    assert_eq!(heard.2, "lost Refused");
}

/// A server that was started again knows nothing of the connection, but its secret.
// rule: Q-5b
#[test]
fn a_stateless_reset_ends_a_connection_at_once() {
    for secret in [Some([7; 32]), None] {
        let mut world = World::new();
        world.server.secret = secret;
        let (mut net, id) = connected(&world);
        world.seed = 2;
        net.server.endpoint = Endpoint::server(&world.configs().1, false).unwrap();
        net.clients[0].send(id, pattern(1_000));
        net.run_for(SECOND);
        let lost = net.clients[0].lost.first().map(|error| error.cause);
        assert_eq!(lost, secret.map(|_| Cause::ConnectionReset));
    }
}

/// A first packet of version `version`, as long as `len`.
fn hello(version: u32, len: usize) -> Vec<u8> {
    let mut packet = [&[0xc0][..], &version.to_be_bytes(), &[8], &[1; 8], &[8], &[2; 8]].concat();
    packet.resize(len, 0);
    packet
}

// rule: Q-5a
#[test]
fn a_server_names_its_versions_to_who_speaks_another() {
    let mut net = World::new().net(0);
    let source = "192.0.2.9:9".parse().unwrap();
    let from = Received { source, destination: None, ecn: None };
    let mut buffer = Vec::new();
    let server = &mut net.server.endpoint;
    // Drafts and version 2 among them; RFC 9000 14.1: a short one is not answered.
    for (version, len, answered) in
        [(0x6b33_43cf, 1_200, true), (0xff00_001d, 1_200, true), (0x6b33_43cf, 1_199, false)]
    {
        server.receive(net.now, &from, &hello(version, len));
        let sent = server.poll_transmit(net.now, 1, &mut buffer);
        assert_eq!(sent.is_some(), answered, "version {version:#x}");
        if answered {
            assert_eq!(buffer[1..5], [0; 4]);
            assert_eq!(buffer[5..23], [&[8][..], &[2; 8], &[8], &[1; 8]].concat());
            assert!(buffer[23..].chunks(4).any(|version| version == [0, 0, 0, 1]));
        }
    }
}

#[test]
fn a_client_gives_up_where_no_version_is_in_common() {
    let mut net = World::new().net(1);
    net.connect(0);
    net.run(Duration::from_millis(1));
    let hello = net.flying.values().next().unwrap().contents.clone();
    let (theirs, rest) = hello[6..].split_at(usize::from(hello[5]));
    let ours = &rest[1..=usize::from(rest[0])];
    let mut answer = vec![0x80, 0, 0, 0, 0];
    for id in [ours, theirs] {
        answer.push(u8::try_from(id.len()).unwrap());
        answer.extend_from_slice(id);
    }
    answer.extend_from_slice(&[0x6b, 0x33, 0x43, 0xcf]);
    let from = Received { source: SERVER.parse().unwrap(), destination: None, ecn: None };
    net.is_cut = true;
    net.flying.clear();
    net.clients[0].endpoint.receive(net.now, &from, &answer);
    net.run(60 * SECOND);
    assert_eq!(net.clients[0].lost[0].cause, Cause::Protocol(ProtocolFault::Version));
    let sentence = "the server speaks no version of QUIC that is spoken here";
    assert_eq!(net.clients[0].lost[0].to_string(), sentence);
}

/// Every code that a transport may close with, said by the peer.
#[test]
fn each_code_of_the_transport_has_its_cause() {
    let codes = [
        (0x0, Cause::Closed),
        (0x1, Cause::Quic(0x1)),
        (0x2, Cause::Refused),
        (0x3, Cause::Quic(0x3)),
        (0xa, Cause::Quic(0xa)),
        (0x10, Cause::Quic(0x10)),
        (0x100 + 48, Cause::Tls(TlsFault::Alert(48))),
        (0x100 + 120, Cause::Tls(TlsFault::NothingInCommon)),
        (0x2000, Cause::Quic(0x2000)),
        (1 << 40, Cause::Quic(u32::MAX)),
    ];
    for (code, cause) in codes {
        let mut wire = Vec::new();
        Codec::encode(&VarInt::from_u64(code).unwrap(), &mut wire);
        let error_code = Codec::decode(&mut wire.as_slice()).unwrap();
        let reason = Bytes::from_static(b"why");
        let close = quinn_proto::ConnectionClose { error_code, frame_type: None, reason };
        let error = QuicError::new(ConnectionError::ConnectionClosed(close), false);
        assert_eq!(error.cause, cause, "{code:#x}");
        let words = error.to_string();
        assert!(words.starts_with("the peer ended QUIC: ") && words.ends_with(": why"), "{words}");
    }
}

#[test]
fn settings_without_tls_13_cannot_speak_quic() {
    let world = World::new();
    let clock = Clock::new(JUNE);
    let options = tls::ClientOptions { versions: Versions::Tls12, ..Default::default() };
    let client = tls::ClientConfig::new(&clock, options).unwrap();
    let error = ClientConfig::new(&client, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("TLS 1.3"), "{error}");
    let options = tls::ServerOptions { versions: Versions::Tls12, ..world.certificate.clone() };
    let server = tls::ServerConfig::new(&clock, options).unwrap();
    let error = ServerConfig::new(&server, &ServerOptions::default()).unwrap_err();
    assert!(error.to_string().contains("TLS 1.3"), "{error}");
}

#[test]
fn what_cannot_be_connected_to_says_so() {
    let mut net = World::new().net(1);
    let client = &mut net.clients[0].endpoint;
    let nowhere = client.connect(net.now, "0.0.0.0:443".parse().unwrap(), NAME).unwrap_err();
    assert_eq!(nowhere.cause, Cause::Unreachable);
    let unnamed = client.connect(net.now, SERVER.parse().unwrap(), "a b").unwrap_err();
    assert_eq!(unnamed.cause, Cause::Tls(TlsFault::Other));
    let server = &mut net.server.endpoint;
    let wrong = server.connect(net.now, SERVER.parse().unwrap(), NAME).unwrap_err();
    assert_eq!(wrong.cause, Cause::ShutDown);
    assert_eq!(client.counts(), Counts::default());
}
