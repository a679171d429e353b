//! HTTP/1 peers that do not do what they should.

use regatta_core::record::Kind;
use regatta_core::types::{Cause, ProtocolFault, Refusal};
use regatta_tokio::{Client, Error, ErrorKind};

use crate::ask::{client, get, post};
use crate::dsl::{Line, Peer, run};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The next request on a new connection goes well.
async fn serves_next(client: &Client, peer: &Peer) {
    let script = async {
        let mut line = peer.line().await;
        line.head().await;
        line.send(OK).await;
    };
    let (said, ()) = tokio::join!(get(client, peer.url("/next")), script);
    assert_eq!(said.unwrap(), "ok");
}

/// What a client makes of an answer that a peer gives before it closes.
async fn against(answer: &str) -> (String, Error) {
    let (client, peer) = (client(), Peer::bind().await);
    let script = async {
        let mut line = peer.line().await;
        line.head().await;
        line.send(answer).await;
        line.finish().await;
        line
    };
    let (said, line) = tokio::join!(get(&client, peer.url("/")), script);
    drop(line);
    serves_next(&client, &peer).await;
    (format!("http://{}", peer.address()), said.unwrap_err())
}

#[test]
fn keeps_and_counts_its_connection() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let url = peer.url("/");
        let asks = async {
            for _ in 0..5 {
                assert_eq!(get(&client, &url).await.unwrap(), "ok");
            }
        };
        let script = async {
            let mut line = peer.line().await;
            for _ in 0..5 {
                assert!(line.head().await.starts_with("GET / HTTP/1.1\r\n"));
                line.send(OK).await;
            }
        };
        tokio::join!(asks, script);
        let stats = client.stats();
        assert_eq!(stats.count(Kind::ConnectionMade), 1, "{stats}");
        assert_eq!(stats.count(Kind::Completed), 5, "{stats}");
    });
}

/// RFC 9112 9.6: `Connection: close` is believed.
// rule: M-8c
#[test]
fn does_not_reuse_what_will_close() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
            // The client closes, without waiting for us.
            assert_eq!(line.rest().await, "");
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        assert_eq!(said.unwrap(), "ok");
        serves_next(&client, &peer).await;
    });
}

/// RFC 9112 9.3.1, RFC 9110 9.2.2: the peer closes while the next request is on its way. A safe
/// one goes again by itself; of the other the caller hears, and it was sent once.
// rule: H-4a
#[test]
fn closed_at_the_moment_of_reuse() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let url = peer.url("/");
        let first = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send(OK).await;
            line
        };
        let (said, mut line) = tokio::join!(get(&client, &url), first);
        assert_eq!(said.unwrap(), "ok");

        let again = async {
            assert!(line.head().await.starts_with("GET / "));
            drop(line);
            let mut line = peer.line().await;
            assert!(line.head().await.starts_with("GET / "));
            line.send(OK).await;
            line
        };
        let (said, mut line) = tokio::join!(get(&client, &url), again);
        assert_eq!(said.unwrap(), "ok");
        assert_eq!(client.stats().count(Kind::Resent), 1);

        let once = async {
            line.until("\r\n\r\nbody").await;
            drop(line);
        };
        let (said, ()) = tokio::join!(post(&client, &url, "body"), once);
        let error = said.unwrap_err();
        assert!(matches!(error.cause(), Some(Cause::Closed | Cause::ConnectionReset)), "{error}");
        serves_next(&client, &peer).await;
        assert_eq!(client.stats().count(Kind::Resent), 1);
    });
}

/// A peer that closes right behind each answer races with the next request, 200 times: no
/// request is lost, and no POST arrives twice.
#[test]
fn closing_behind_every_answer_loses_nothing() {
    run(async {
        const ROUNDS: usize = 200;
        let (client, peer) = (client(), Peer::bind().await);
        let url = peer.url("/");
        let asks = async {
            let mut failed = 0;
            for round in 0..ROUNDS {
                let said = if round % 4 == 3 {
                    post(&client, &url, "body").await
                } else {
                    Ok(get(&client, &url).await.unwrap())
                };
                match said {
                    Ok(said) => assert_eq!(said, "ok"),
                    // It may have been acted on, so that its caller must decide.
                    Err(error) => {
                        failed += 1;
                        let cause = error.cause().unwrap();
                        assert!(matches!(cause, Cause::Closed | Cause::ConnectionReset), "{error}");
                    }
                }
            }
            failed
        };
        let script = async {
            let mut posts = 0;
            loop {
                let mut line = peer.line().await;
                let head = line.head().await;
                if head.starts_with("POST") {
                    posts += 1;
                    line.recv("body").await;
                }
                line.send(OK).await;
                match posts % 3 {
                    0 => drop(line),
                    1 => line.finish().await,
                    _ => line.reset(),
                }
            }
        };
        let failed = tokio::select! {
            failed = asks => failed,
            () = script => unreachable!(),
        };
        assert!(failed <= ROUNDS / 4, "{failed}");
        let stats = client.stats();
        assert_eq!(stats.count(Kind::Completed) as usize + failed, ROUNDS, "{stats}");
    });
}

// rule: M-7c
#[test]
fn half_a_response() {
    run(async {
        let (at, error) = against("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        assert_eq!(error.cause(), Some(Cause::Incomplete));
        let sentence = format!("{at}: the connection ended in the middle of a response");
        assert_eq!(error.to_string(), sentence);
    });
}

// rule: M-7c A41
#[test]
fn half_a_chunk() {
    run(async {
        let (_, error) =
            against("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha").await;
        assert_eq!(error.cause(), Some(Cause::Incomplete));
    });
}

// rule: M-7c
#[test]
fn half_a_head() {
    run(async {
        let (_, error) = against("HTTP/1.1 200 OK\r\ncontent-le").await;
        assert_eq!(error.cause(), Some(Cause::Incomplete));
    });
}

/// RFC 9112 4, 5, 6.3, 7.1: what cannot be understood in one way only is an error.
// rule: M-1a M-2b M-4d
#[test]
fn malformed_responses() {
    use ProtocolFault::{Chunk, ConflictingLength, Field, StartLine, Version};
    const WRONG: [(&str, ProtocolFault, &str); 8] = [
        ("HTTP/1.1 two OK\r\n\r\n", StartLine, "a malformed status line"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", StartLine, "a malformed status line"),
        ("HTTP/3.7 200 OK\r\n\r\n", Version, "an HTTP version that is not supported"),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", Field, "a malformed header field"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            ConflictingLength,
            "conflicting lengths of the body",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ConflictingLength,
            "conflicting lengths of the body",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            ConflictingLength,
            "conflicting lengths of the body",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            Chunk,
            "a malformed chunk",
        ),
    ];
    run(async {
        for (answer, fault, words) in WRONG {
            let (at, error) = against(answer).await;
            assert_eq!(error.cause(), Some(Cause::Protocol(fault)), "{answer:?}");
            assert_eq!(error.to_string(), format!("{at}: the peer sent {words}"));
        }
    });
}

/// RFC 9112 9.2: bytes that nobody asked for poison the connection, and harm no request.
// rule: M-6c A48
#[test]
fn unsolicited_bytes() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send(&format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")).await;
            assert_eq!(line.rest().await, "");
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        assert_eq!(said.unwrap(), "ok");
        serves_next(&client, &peer).await;
    });
}

/// A head without an end is given up at the limit.
// rule: L-4a
#[test]
fn endless_head() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\n").await;
            for _ in 0..64 {
                line.send(&format!("x: {}\r\n", "y".repeat(1_000))).await;
            }
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        let error = said.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Protocol(ProtocolFault::HeadTooLarge)));
        serves_next(&client, &peer).await;
    });
}

/// A peer that resets before it answers: the GET goes again once, then its caller hears of it.
// rule: H-4b
#[test]
fn reset_again_and_again() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            for _ in 0..2 {
                let mut line: Line = peer.line().await;
                line.head().await;
                line.reset();
            }
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        let error = said.unwrap_err();
        let reset = Refusal::StreamFailed(Cause::ConnectionReset);
        assert_eq!(*error.kind(), ErrorKind::Refused(reset));
        assert_eq!(
            error.to_string(),
            format!("http://{}: the peer reset the connection", peer.address())
        );
        serves_next(&client, &peer).await;
    });
}
