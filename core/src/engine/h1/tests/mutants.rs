//! Messages with random damage: never a panic, never a broken promise, and the same events
//! however the input is cut.

use super::*;

const REQUESTS: &[&str] = &[
    "GET /a?b HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nx: y\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\nbytes",
    "\r\nOPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\nGET",
];

const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello",
    "HTTP/1.1 103 x\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
     5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\nconnection: close\r\n\r\n",
];

const BYTES: &[u8] = b"\r\n\0 \t:;,/0159afgxHT+-\x7f\xff";

fn damage(rng: &mut Rng, input: &str) -> Vec<u8> {
    let mut bytes = input.as_bytes().to_vec();
    for _ in 0..=rng.below(2) {
        let at = rng.below(bytes.len() as u64) as usize;
        let with = BYTES[rng.below(BYTES.len() as u64) as usize];
        match rng.below(5) {
            0 => bytes[at] = with,
            1 => bytes.insert(at, with),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, bytes[at]),
            _ => bytes.truncate(at + 1),
        }
    }
    bytes
}

#[test]
fn damaged_messages() {
    let mut rng = Rng::new(9112);
    let config = Config { max_head_bytes: 200, ..Config::default() };
    let (mut fine, mut bad) = (0, 0);
    for round in 0..5_000 {
        let then = [Then::Open, Then::Clean, Then::Broken][rng.below(3) as usize];
        let text = if round % 2 == 0 {
            let input = REQUESTS[rng.below(REQUESTS.len() as u64) as usize];
            server_with(&config, &damage(&mut rng, input), then)
        } else {
            let input = RESPONSES[rng.below(RESPONSES.len() as u64) as usize];
            client_with(&config, &get(), &damage(&mut rng, input), then)
        };
        if text.contains("Protocol") { bad += 1 } else { fine += 1 }
    }
    assert!(fine > 1000 && bad > 1000, "the damage is one-sided: {fine} fine, {bad} bad");
}
