//! Early data (0-RTT): what is remembered, what is refused.

use super::*;
use crate::engine::h3::{H3, Settings};
use crate::types::Limit;

/// A connection whose client may send early data, after one that was as it should be.
fn early(config: &Config) -> Net {
    let mut net = pair(config);
    net.client.engine().open(net.now, &get("/"), true).unwrap();
    net.run(30);
    let settings = net.client.engine().settings().unwrap();
    let client = H3::client_early(config, net.now, settings);
    let server = H3::server(config, net.now);
    net.again(client, Some(server));
    net.client.events.clear();
    net
}

#[test]
fn a_request_goes_with_the_handshake() {
    let mut net = early(&Config::default());
    // The stash is filled by what is remembered of the transport.
    net.tick();
    assert_eq!(net.client.engine().limit(), Limit::Total(100));
    net.client.engine().open(net.now, &get("/early"), true).unwrap();
    net.run(3);
    assert_eq!(
        told(core::mem::take(&mut net.server.events)),
        ["s0.0 GET https://example.com/early end"]
    );
    assert!(net.client.connection().is_handshaking() || net.client.connection().accepted_0rtt());
}

/// What a server said before binds it (RFC 9114 7.2.4.2).
// rule: H3-7a A82
#[test]
fn settings_may_not_shrink() {
    let before =
        Settings { max_field_section: 10_000, connect_protocol: true, ..Settings::default() };
    let rows = [
        (before, true),
        (Settings { max_field_section: 9_999, ..before }, false),
        (Settings { max_field_section: 10_001, ..before }, true),
        (Settings { connect_protocol: false, ..before }, false),
        (Settings { table_capacity: 100, blocked_streams: 7, datagrams: true, ..before }, true),
    ];
    for (now, is_kept) in rows {
        assert_eq!(before.is_kept_by(&now), is_kept, "{now:?}");
    }
    let table = Settings { table_capacity: 100, ..before };
    assert!(!table.is_kept_by(&Settings { table_capacity: 101, ..before }));
    let config = Config::default();
    let mut net = Net::new(Some(&config), Some(&config));
    let promised = Settings { blocked_streams: 1, ..Settings::default() };
    net.client.engine = Some(H3::client_early(&config, net.now, promised));
    net.run(30);
    assert_eq!(net.client.closed.unwrap().code, 0x109);
}

/// When early data is refused every stream is as if it had never been.
// rule: H3-7b
#[test]
fn early_data_that_is_refused() {
    let config = Config::default();
    let mut net = early(&config);
    net.tick();
    let stream = net.client.engine().open(net.now, &get("/early"), true).unwrap();
    net.client.engine().early_data_rejected(net.now);
    let engine = net.client.engine();
    let events: Vec<Event> = core::iter::from_fn(|| engine.poll_event()).collect();
    assert_eq!(told(events).last().unwrap(), "s0.0 EarlyDataRefused Unprocessed");
    // The id stays stale.
    engine.reset(net.now, stream);
    assert!(engine.poll_event().is_none());
    assert_eq!(engine.settings(), None);
}
