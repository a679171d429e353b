//! How long a connection lives on which nothing is said.

use quinn_proto::ConnectionError;

use super::net::Grants;
use super::*;

/// A minute, in ticks.
const MINUTE: u64 = 60_000;

/// Whichever side's idle timeout is the shorter one: an answer may take longer than that.
// rule: H3-9
#[test]
fn a_connection_is_kept_open_while_an_answer_is_outstanding() {
    let short = Grants { idle: 9_000, ..Grants::default() };
    let long = Grants { idle: 300_000, ..Grants::default() };
    for (client, server) in [(short, long), (long, short), (short, short)] {
        let config = Config::default();
        let mut net = Net::with(Some(&config), Some(&config), client, server);
        net.run(20);
        let now = net.now;
        net.client.engine().open(now, &get("/slow"), true).unwrap();
        net.run(2 * MINUTE);
        assert_eq!((&net.client.lost, &net.server.lost), (&None, &None));
        // Three seconds of silence are looked for every three seconds: not more than that.
        let pings = net.client.connection().stats().frame_tx.ping;
        assert!((13..=40).contains(&pings), "{pings} PINGs in two minutes");
        let (stream, now) = (net.server.asked(), net.now);
        net.server.engine().respond(now, stream, &status(200), true);
        net.run(20);
        assert_eq!(told(core::mem::take(&mut net.client.events)), ["s0.0 200 end", "s0.0 ended"]);
        // Nothing is outstanding: it rests, and ends.
        let before = net.client.connection().stats().frame_tx.ping;
        net.run(MINUTE);
        assert_eq!(net.client.lost, Some(ConnectionError::TimedOut));
        assert_eq!(net.client.connection().stats().frame_tx.ping, before);
    }
}

/// Where something comes all the time nothing is asked.
#[test]
fn an_answer_that_comes_is_not_asked_for() {
    let short = Grants { idle: 9_000, ..Grants::default() };
    let config = Config::default();
    let mut net = Net::with(Some(&config), Some(&config), short, short);
    net.run(20);
    let now = net.now;
    net.client.engine().open(now, &get("/long"), true).unwrap();
    net.run(20);
    let (stream, now) = (net.server.asked(), net.now);
    net.server.engine().respond(now, stream, &status(200), false);
    let before = net.client.connection().stats().frame_tx.ping;
    for _ in 0..60 {
        let now = net.now;
        net.server.engine().send(now, stream, Bytes::from_static(b"more"), false);
        net.run(1_000);
    }
    assert_eq!((&net.client.lost, &net.server.lost), (&None, &None));
    assert_eq!(net.client.connection().stats().frame_tx.ping, before);
}
