//! What `regatta get` says when things go wrong: one clear sentence and curl's exit code, and the
//! next URL is served all the same.

use crate::dsl::{Frames, Line, Peer, code, data, go_away, headers, reset, run};
use core::future::Future;

use super::program::{Origin, Said, get};

/// Runs `regatta get` beside a script of this test.
async fn beside(words: &[&str], script: impl Future<Output = ()>) -> Said {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let asked = tokio::task::spawn_blocking(move || {
        get(&words.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let (said, ()) = tokio::join!(asked, script);
    said.unwrap()
}

/// The sentence; what to do next may stand below it.
fn first(said: &Said) -> &str {
    let mut lines = said.err.lines();
    let first = lines.next().unwrap_or_default();
    assert!(lines.all(|line| line.starts_with("regatta: next: ")), "{}", said.err);
    first
}

/// One sentence, the code in front.
#[track_caller]
fn says(said: &Said, code: i32, sentence: &str) {
    assert_eq!(said.code, code, "{}", said.err);
    assert_eq!(first(said), format!("regatta: ({code}) {sentence}"));
}

/// Peers that answer nonsense over HTTP/1.1, each asked once, with a good one behind it.
#[test]
fn http1() {
    const CASES: [(&str, i32, &str); 6] = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            18,
            "the connection ended in the middle of a response",
        ),
        ("HTTP/1.1 two OK\r\n\r\n", 8, "the peer sent a malformed status line"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            8,
            "the peer sent conflicting lengths of the body",
        ),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", 8, "the peer sent a malformed header field"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            56,
            "the peer sent a malformed chunk",
        ),
        ("HTTP/9.9 200 OK\r\n\r\n", 8, "the peer sent an HTTP version that is not supported"),
    ];
    run(async {
        let origin = Origin::start(&[]);
        for (answer, code, sentence) in CASES {
            let peer = Peer::bind().await;
            let script = async {
                let mut line: Line = peer.line().await;
                line.head().await;
                line.send(answer).await;
                line.finish().await;
                line.rest().await;
            };
            let (bad, good) = (peer.url("/"), origin.http("/bytes/3"));
            let null = ["-o", "/dev/null"];
            let said = beside(&[&null[..], &null, &[&bad, &good]].concat(), script).await;
            // As with curl the exit code is the last URL's.
            assert_eq!(said.code, 0, "{}", said.err);
            let told = format!("regatta: ({code}) http://{}: {sentence}", peer.address());
            assert_eq!(first(&said), told);
        }
    });
}

/// RST_STREAM and GOAWAY.
#[test]
fn http2() {
    run(async {
        let null = ["--http2-prior-knowledge", "-o", "/dev/null"];
        for (number, name) in
            [(code::CANCEL, "CANCEL"), (code::HTTP_1_1_REQUIRED, "HTTP_1_1_REQUIRED")]
        {
            let peer = Peer::bind().await;
            let script = async {
                let mut frames: Frames = peer.frames().await;
                frames.recv(headers(1).end()).await;
                frames.send_all(&[headers(1).status(200), data(1, "half"), reset(1, number)]).await;
                frames.recv_end().await;
            };
            let said = beside(&[&null[..], &[&peer.url("/")]].concat(), script).await;
            let sentence =
                format!("http://{}: the peer reset the stream with {name}", peer.address());
            says(&said, 92, &sentence);
        }
        let peer = Peer::bind().await;
        let script = async {
            // A GET whose fate is unknown is tried twice.
            for _ in 0..2 {
                let mut frames = peer.frames().await;
                frames.recv(headers(1).end()).await;
                frames.send(go_away(1, code::ENHANCE_YOUR_CALM)).await;
            }
        };
        let said = beside(&[&null[..], &[&peer.url("/")]].concat(), script).await;
        let sentence = "the peer ended the connection with GOAWAY ENHANCE_YOUR_CALM";
        says(&said, 16, &format!("http://{}: {sentence}", peer.address()));
    });
}

/// Names, ports, time limits, URLs.
#[test]
fn before_there_is_a_connection() {
    let port = super::program::free_port();
    let refused = get(&[&format!("http://127.0.0.1:{port}/")]);
    let nobody = "connection refused, nobody listens on that port";
    says(
        &refused,
        7,
        &format!("cannot connect to http://127.0.0.1:{port}: {nobody} (127.0.0.1:{port})"),
    );
    let unknown = get(&["http://no-such-name.invalid/"]);
    let sentence = "cannot connect to http://no-such-name.invalid:80: the name does not exist";
    says(&unknown, 6, sentence);
    assert_eq!(get(&["ftp://host/"]).code, 1);
    assert_eq!(get(&["--no-such-option"]).code, 2);
    let origin = Origin::start(&[]);
    let late = get(&["-m", "0.1", &origin.http("/delay/60000")]);
    assert_eq!(late.code, 28, "{}", late.err);
    assert!(late.err.contains("the request's time limit passed"), "{}", late.err);
    let silent = get(&["-s", &format!("http://127.0.0.1:{port}/")]);
    assert_eq!((silent.code, silent.err.as_str()), (7, ""));
}

/// A plain port asked for TLS, and a TLS port asked without.
#[test]
fn tls() {
    let (plain, tls) = (Origin::start(&[]), Origin::start(&["--tls", "self-signed"]));
    let said = get(&[&plain.https("/")]);
    assert_eq!(said.code, 35, "{}", said.err);
    let said = get(&[&tls.https("/")]);
    assert_eq!(said.code, 60, "{}", said.err);
    let said = get(&[&tls.http("/")]);
    assert!([8, 52, 56].contains(&said.code), "{}: {}", said.code, said.err);
    assert!(said.err.lines().count() <= 2, "{}", said.err);
}
