//! Malformed messages (RFC 9114 4.1.2, 4.2, 4.3): their stream ends, and nobody hears of them.

use super::net::frame;
use super::*;
use crate::engine::h3::qpack::{Encoder, Line};

const HEADERS: u64 = 1;
const DATA: u64 = 0;

fn section(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let lines = fields.iter().map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()));
    Encoder::new(0).encode(0, lines, false, &mut out);
    frame(HEADERS, &out)
}

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "example.com"), (":path", "/")];

/// What a server makes of a request: what its driver hears, or the code on the stream.
fn heard(fields: &[(&str, &str)], body: &[u8]) -> String {
    let mut net = Net::new(None, Some(&Config::default()));
    net.run(20);
    net.client.begin(0, &frame(4, &[]));
    let mut said = section(fields);
    if !body.is_empty() {
        said.extend(frame(DATA, body));
    }
    let stream = net.client.ask(&said, true);
    net.run(8);
    let told = told(core::mem::take(&mut net.server.events));
    assert!(net.client.lost.is_none());
    match told.is_empty() {
        true => net.client.read(stream).1,
        false => told.join(", "),
    }
}

const MALFORMED: &str = "reset 0x10e";

type Row = (Vec<(&'static str, &'static str)>, &'static str);

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&GET, more].concat()
}

fn check(rows: Vec<Row>) {
    for (fields, expected) in rows {
        assert_eq!(heard(&fields, b""), expected, "{fields:?}");
    }
}

/// 4.3, 4.3.1.
// rule: H3-5a
#[test]
fn pseudo_fields() {
    let fine = "s0.0 GET https://example.com/ end";
    let rows: Vec<Row> = vec![
        (with(&[]), fine),
        (with(&[("host", "example.com")]), fine),
        (with(&[("host", "example.com:443")]), fine),
        (with(&[("te", "trailers")]), fine),
        (with(&[("x", "a\tb \u{e4}")]), fine),
        (with(&[("content-length", "0")]), fine),
        // Pseudo-fields (4.3, 4.3.1).
        (GET[..3].to_vec(), MALFORMED),
        (GET[1..].to_vec(), MALFORMED),
        ([&GET[..1], &GET[2..]].concat(), MALFORMED),
        ([&GET[..2], &GET[3..]].concat(), MALFORMED),
        (with(&[(":path", "/")]), MALFORMED),
        (with(&[(":status", "200")]), MALFORMED),
        (with(&[(":unknown", "1")]), MALFORMED),
        (with(&[("a", "b"), (":extra", "1")]), MALFORMED),
        ([&[("a", "b")], &GET[..]].concat(), MALFORMED),
        (with(&[(":protocol", "websocket")]), MALFORMED),
        ([&GET[..3], &[(":path", "")]].concat(), MALFORMED),
        ([&GET[..3], &[(":path", "relative")]].concat(), MALFORMED),
        ([&GET[..3], &[(":path", "/a b")]].concat(), MALFORMED),
        ([&GET[..3], &[(":path", "/a#b")]].concat(), MALFORMED),
        ([&GET[..3], &[(":path", "*")]].concat(), MALFORMED),
        ([&[(":method", "")], &GET[1..]].concat(), MALFORMED),
        ([&[(":method", "G T")], &GET[1..]].concat(), MALFORMED),
        ([&GET[..1], &[(":scheme", "1")], &GET[2..]].concat(), MALFORMED),
        ([&GET[..2], &[(":authority", "user@example.com")], &GET[3..]].concat(), MALFORMED),
        ([&GET[..2], &[(":authority", "")], &GET[3..]].concat(), MALFORMED),
        (
            [&[(":method", "OPTIONS")], &GET[1..3], &[(":path", "*")]].concat(),
            "s0.0 OPTIONS https://example.com* end",
        ),
        ([&GET[..2], &GET[3..], &[("host", "example.com")]].concat(), "s0.0 GET / end"),
        // Host and authority agree (A23).
        (with(&[("host", "other.com")]), MALFORMED),
        (with(&[("host", "example.com"), ("host", "example.com")]), MALFORMED),
    ];
    check(rows);
}

/// What comes by its number in the static table is not asked whether it concerns the connection.
#[test]
fn no_name_of_the_static_table_concerns_the_connection() {
    for (name, _) in super::super::qpack::STATIC_ENTRIES {
        if !name.starts_with(':') {
            let name = http::HeaderName::from_static(name);
            assert!(!crate::engine::head::is_of_connection(&name), "{name}");
        }
    }
}

/// 4.2, 4.1.2.
// rule: H3-5a H3-5b A47b A81
#[test]
fn fields_of_requests() {
    check(vec![
        (with(&[("Upper", "1")]), MALFORMED),
        (with(&[("a b", "1")]), MALFORMED),
        (with(&[("", "1")]), MALFORMED),
        (with(&[("a", "b\r\nc: d")]), MALFORMED),
        (with(&[("a", "b\0")]), MALFORMED),
        (with(&[("a", " b")]), MALFORMED),
        (with(&[("a", "b\t")]), MALFORMED),
        (with(&[("connection", "close")]), MALFORMED),
        (with(&[("keep-alive", "1")]), MALFORMED),
        (with(&[("proxy-connection", "close")]), MALFORMED),
        (with(&[("transfer-encoding", "chunked")]), MALFORMED),
        (with(&[("upgrade", "h2c")]), MALFORMED),
        (with(&[("te", "gzip")]), MALFORMED),
        (with(&[("te", "trailers, gzip")]), MALFORMED),
        // Length (4.1.2).
        (with(&[("content-length", "+0")]), MALFORMED),
        (with(&[("content-length", "")]), MALFORMED),
        (with(&[("content-length", "0"), ("content-length", "0")]), MALFORMED),
        (with(&[("content-length", "0, 0")]), MALFORMED),
        (with(&[("content-length", "99999999999999999999")]), MALFORMED),
    ]);
}

/// 4.4, RFC 9220.
// rule: H3-5a
#[test]
fn connects() {
    check(vec![
        (
            vec![(":method", "CONNECT"), (":authority", "example.com:443")],
            "s0.0 CONNECT example.com:443 end",
        ),
        (vec![(":method", "CONNECT"), (":authority", "example.com")], MALFORMED),
        (vec![(":method", "CONNECT"), (":authority", "example.com:0")], MALFORMED),
        (vec![(":method", "CONNECT")], MALFORMED),
        ([&[(":method", "CONNECT")], &GET[1..]].concat(), MALFORMED),
        (
            [&[(":method", "CONNECT"), (":protocol", "websocket")], &GET[1..]].concat(),
            "s0.0 CONNECT https://example.com/ end",
        ),
        ([&[(":method", "CONNECT"), (":protocol", "a b")], &GET[1..]].concat(), MALFORMED),
        (vec![(":method", "CONNECT"), (":protocol", "a"), (":authority", "a:1")], MALFORMED),
    ]);
}

/// What a body's length is and what was said of it (4.1.2).
// rule: H3-5a A47b
#[test]
fn lengths() {
    let with = |length: &'static str| [&GET[..], &[("content-length", length)]].concat();
    assert_eq!(heard(&with("4"), b"body"), "s0.0 GET https://example.com/, s0.0 4 bytes end");
    let cut = "s0.0 Protocol(Stream(270)) Unknown";
    assert_eq!(
        heard(&with("5"), b"body"),
        format!("s0.0 GET https://example.com/, s0.0 4 bytes, {cut}")
    );
    assert_eq!(heard(&with("3"), b"body"), format!("s0.0 GET https://example.com/, {cut}"));
    // A request that ends before its head is incomplete.
    let mut net = Net::new(None, Some(&Config::default()));
    net.run(20);
    net.client.begin(0, &frame(4, &[]));
    let stream = net.client.ask(&frame(0x21, b"x"), true);
    net.run(8);
    assert_eq!(net.client.read(stream).1, "reset 0x10d");
}

/// What a client makes of an answer.
fn answered(said: &[u8], request: &Request<()>) -> (String, Option<u64>) {
    let mut net = Net::new(Some(&Config::default()), None);
    net.run(20);
    net.server.begin(0, &frame(4, &[]));
    net.client.engine().open(net.now, request, false).unwrap();
    net.run(5);
    let stream = net.server.connection().streams().accept(quinn_proto::Dir::Bi).unwrap();
    net.server.write(stream, said);
    net.server.finish(stream);
    net.run(8);
    assert!(net.server.lost.is_none());
    (told(core::mem::take(&mut net.client.events)).join(", "), net.server.stopped(stream))
}

// rule: H3-5a H3-5b A81
#[test]
fn answers() {
    let ok = (":status", "200");
    let malformed = "s0.0 Protocol(Stream(270)) Answered";
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (section(&[ok]), "s0.0 200 end"),
        (section(&[(":status", "999")]), "s0.0 999 end"),
        (section(&[]), malformed),
        (section(&[(":status", "20")]), malformed),
        (section(&[(":status", "2000")]), malformed),
        (section(&[(":status", "+20")]), malformed),
        (section(&[ok, ok]), malformed),
        (section(&[ok, (":path", "/")]), malformed),
        (section(&[("a", "b"), ok]), malformed),
        (section(&[ok, ("connection", "close")]), malformed),
        (section(&[ok, ("transfer-encoding", "chunked")]), malformed),
        (section(&[ok, ("a", "b\nc")]), malformed),
        (section(&[(":status", "101")]), malformed),
        ([section(&[(":status", "103")]), section(&[ok])].concat(), "s0.0 103, s0.0 200 end"),
        ([section(&[(":status", "100")]), section(&[ok])].concat(), "s0.0 200 end"),
        ([section(&[ok]), section(&[("a", "b")])].concat(), "s0.0 200, s0.0 trailers"),
    ];
    for (said, expected) in rows {
        let (heard, stopped) = answered(&said, &post("/"));
        assert_eq!(heard, expected, "{said:?}");
        assert_eq!(stopped, (expected == malformed).then_some(0x10e), "{said:?}");
    }
    // Trailers are fields and nothing else.
    for trailer in [(":status", "200"), ("connection", "close"), ("A", "b")] {
        let said = [section(&[ok]), section(&[trailer])].concat();
        assert_eq!(answered(&said, &post("/")).0, format!("s0.0 200, {malformed}"), "{trailer:?}");
    }
    // A body that is longer or shorter than was said.
    let length = section(&[ok, ("content-length", "5")]);
    let short = [length.clone(), frame(DATA, b"body")].concat();
    let incomplete = format!("s0.0 200, s0.0 4 bytes, {malformed}");
    assert_eq!(answered(&short, &post("/")).0, incomplete);
    let long = [length, frame(DATA, b"bodies")].concat();
    assert_eq!(answered(&long, &post("/")).0, format!("s0.0 200, {malformed}"));
    // 204 has none.
    let said = [section(&[(":status", "204")]), frame(DATA, b"x")].concat();
    assert_eq!(answered(&said, &post("/")).0, format!("s0.0 204, {malformed}"));
    // Interim answers without end.
    let mut said = Vec::new();
    (0..17).for_each(|_| said.extend(section(&[(":status", "103")])));
    let (heard, stopped) = answered(&said, &post("/"));
    assert!(heard.ends_with("s0.0 Protocol(Excessive) Answered"), "{heard}");
    assert_eq!((heard.matches("103").count(), stopped), (16, Some(0x107)));
}

/// As over HTTP/1 and HTTP/2: no other error hides that it is too much.
// rule: L-4a
#[test]
fn an_answer_over_the_limit_has_a_name() {
    let ok = (":status", "200");
    let long = "v".repeat(40_000);
    let many = [&[ok][..], &[("a", "b"); 101]].concat();
    let large = "s0.0 Protocol(HeadTooLarge) Answered";
    let rows = [
        (section(&[ok, ("x", &long[..32_000])]), "s0.0 200 end".to_owned()),
        (section(&[ok, ("x", &long)]), large.to_owned()),
        (section(&many), large.to_owned()),
        (section(&[(":status", "103"), ("x", &long)]), large.to_owned()),
        ([section(&[ok]), section(&[("x", &long)])].concat(), format!("s0.0 200, {large}")),
    ];
    for (said, expected) in rows {
        let (heard, stopped) = answered(&said, &post("/"));
        assert_eq!(heard, expected);
        assert_eq!(stopped, heard.ends_with(large).then_some(0x107), "{heard}");
    }
}
