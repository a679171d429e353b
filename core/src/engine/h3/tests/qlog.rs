//! What the engine tells the connection's log.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::engine::Shutdown;
use crate::engine::qlog::Side;
use crate::engine::qlog::tests::{Memory, log, records};

/// What is told of the frames of one kind.
fn frames<'a>(records: &'a [Value], event: &str, kind: &str) -> Vec<&'a Value> {
    let told = records.iter().filter(|record| record["name"] == event);
    told.map(|record| &record["data"]).filter(|data| data["frame"]["frame_type"] == kind).collect()
}

#[test]
fn frames_settings_and_streams_are_told_and_no_secrets() {
    let (client, server) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    let config = Config::default();
    let mut net = Net::new(Some(&config), Some(&config));
    net.client.engine().set_qlog(log(&client, Side::Client));
    net.server.engine().set_qlog(log(&server, Side::Server));
    net.run(20);
    let now = net.now;
    let mut head = post("/a?key=hush");
    head.headers_mut().insert("authorization", "hush".parse().unwrap());
    let stream = net.client.engine().open(now, &head, false).unwrap();
    net.client.engine().send(now, stream, Bytes::from_static(b"hush!"), true);
    net.run(12);
    let (now, asked) = (net.now, net.server.asked());
    net.server.engine().respond(now, asked, &status(200), false);
    net.server.engine().send(now, asked, Bytes::from(vec![b'h'; 9_000]), true);
    net.run(40);
    let now = net.now;
    net.server.engine().shutdown(now, Shutdown::Graceful);
    net.run(20);
    drop(net);

    let files = [client.files(), server.files()].map(|files| files.into_values().next().unwrap());
    assert!(!files.concat().contains("hush"), "secrets are told");
    let [client, server] = files.map(|file| records(&file));
    for (from, to) in [(&client, &server), (&server, &client)] {
        for kind in ["headers", "data", "settings"] {
            let (sent, came) =
                (frames(from, "http:frame_created", kind), frames(to, "http:frame_parsed", kind));
            assert_eq!(sent, came, "{kind}");
            assert_eq!(sent.len(), 1, "{kind}");
        }
        let mine = |owner| {
            let told = from.iter().filter(|event| event["name"] == "http:stream_type_set");
            let mut kinds: Vec<&str> = told
                .filter(|event| event["data"]["owner"] == owner)
                .map(|event| event["data"]["stream_type"].as_str().unwrap())
                .collect();
            kinds.sort_unstable();
            kinds
        };
        let all = ["control", "qpack_decode", "qpack_encode", "reserved"];
        assert_eq!((mine("local"), mine("remote")), (all.to_vec(), all.to_vec()));
        let sets = from.iter().filter(|event| event["name"] == "http:parameters_set");
        let owners: Vec<&Value> = sets.map(|event| &event["data"]["owner"]).collect();
        assert_eq!(owners, ["local", "remote"]);
    }
    let asked = &frames(&server, "http:frame_parsed", "headers")[0]["frame"]["headers"];
    assert_eq!(asked[0], serde_json::json!({ "name": ":method", "value": "POST" }));
    let path = asked.as_array().unwrap().iter().find(|field| field["name"] == ":path").unwrap();
    assert_eq!(path["value"], "/a");
    let goaway = frames(&client, "http:frame_parsed", "goaway");
    assert_eq!(goaway, frames(&server, "http:frame_created", "goaway"));
    assert!(goaway[0]["frame"]["id"].is_u64());
}
