//! HTTP/2 peers: GOAWAY, RST_STREAM, SETTINGS, late frames.

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use regatta_core::record::Kind;
use regatta_core::types::{Cause, Refusal};
use regatta_tokio::{Client, ErrorKind};
use tokio::sync::mpsc;

use crate::ask::{get, http2, post};
use crate::dsl::{
    Frame, Frames, Peer, code, data, go_away, headers, reset, run, setting, settings,
};

/// Answers a stream with 200 and this text.
async fn answer(peer: &mut Frames, stream: u32, text: &str) {
    peer.send_all(&[headers(stream).status(200), data(stream, text).end()]).await;
}

/// Asks once, on stream 1 of the connection that this makes.
async fn warm_up(client: &Client, peer: &Peer, values: &[(u16, u32)]) -> Frames {
    let script = async {
        let mut frames = peer.frames_with(values).await;
        frames.recv(headers(1).end()).await;
        answer(&mut frames, 1, "warm").await;
        frames.recv_settings_acks(1).await;
        frames
    };
    let (said, frames) = tokio::join!(get(client, peer.url("/")), script);
    assert_eq!(said.unwrap(), "warm");
    frames
}

/// RFC 9113 6.8: the streams up to the id are complete, those above go again elsewhere, whatever
/// their method.
// rule: H2-3a
#[test]
fn go_away_with_streams_above_and_below() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let script = async {
            let mut first = peer.frames().await;
            first.recv(headers(1).end()).await;
            first.recv(headers(3).end()).await;
            first.recv(headers(5)).await;
            first.recv(data(5, "above").end()).await;
            first.send(go_away(3, code::NO_ERROR)).await;
            let mut second = peer.frames().await;
            second.recv(headers(1)).await;
            second.recv(data(1, "above").end()).await;
            answer(&mut second, 1, "five").await;
            answer(&mut first, 3, "three").await;
            answer(&mut first, 1, "one").await;
            first.recv_end().await;
        };
        let (one, three, five, ()) = tokio::join!(
            get(&client, peer.url("/1")),
            get(&client, peer.url("/3")),
            post(&client, peer.url("/5"), "above"),
            script,
        );
        assert_eq!(
            (one.unwrap(), three.unwrap(), five.unwrap()),
            ("one".into(), "three".into(), "five".into())
        );
        let stats = client.stats();
        assert_eq!(stats.count(Kind::Resent), 1, "{stats}");
        assert_eq!(stats.count(Kind::ConnectionMade), 2, "{stats}");
    });
}

/// RFC 9113 8.7: of a stream below GOAWAY's id that is never answered the fate is unknown: a POST
/// fails, a GET goes again.
#[test]
fn go_away_and_no_answer() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let script = async {
            let mut first = peer.frames().await;
            // Two HEADERS and one DATA, in either order.
            for _ in 0..3 {
                first.next().await.unwrap();
            }
            first.send(go_away(3, code::ENHANCE_YOUR_CALM)).await;
            drop(first);
            let mut second = peer.frames().await;
            second.recv(headers(1).end()).await;
            answer(&mut second, 1, "again").await;
            second
        };
        let (posted, got, _frames) =
            tokio::join!(post(&client, peer.url("/"), "once"), get(&client, peer.url("/")), script);
        let error = posted.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::GoAway(code::ENHANCE_YOUR_CALM)), "{error}");
        assert_eq!(
            error.to_string(),
            format!(
                "http://{}: the peer ended the connection with GOAWAY ENHANCE_YOUR_CALM",
                peer.address()
            )
        );
        assert_eq!(got.unwrap(), "again");
    });
}

/// RFC 9113 7: every error code but REFUSED_STREAM fails its own stream, and the connection
/// serves on.
#[test]
fn reset_of_every_kind() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let mut frames = warm_up(&client, &peer, &[]).await;
        let at = peer.address();
        let codes = (0..=13).chain([0xbeef]).filter(|code| *code != code::REFUSED_STREAM);
        for (stream, code) in (3..).step_by(2).zip(codes) {
            let script = async {
                frames.recv(headers(stream)).await;
                frames.recv(data(stream, "body").end()).await;
                frames.send(reset(stream, code)).await;
            };
            let (said, ()) = tokio::join!(post(&client, peer.url("/"), "body"), script);
            let error = said.unwrap_err();
            let reset = Refusal::StreamFailed(Cause::StreamReset(code));
            assert_eq!(*error.kind(), ErrorKind::Refused(reset));
            let name = match code {
                code::NO_ERROR => "NO_ERROR",
                code::PROTOCOL_ERROR => "PROTOCOL_ERROR",
                code::CANCEL => "CANCEL",
                code::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
                0xbeef => "error code 0xbeef",
                _ => continue,
            };
            let sentence = format!("http://{at}: the peer reset the stream with {name}");
            assert_eq!(error.to_string(), sentence);
        }
        let stats = client.stats();
        assert_eq!(stats.count(Kind::ConnectionMade), 1, "{stats}");
        assert_eq!(stats.count(Kind::Resent), 0, "{stats}");
    });
}

/// RFC 9113 8.7: REFUSED_STREAM proves that nothing was done: a POST goes again too, on another
/// connection, as often as it may.
// rule: H-4a
#[test]
fn refused_stream_goes_again() {
    run(async {
        let builder = http2().pool(|pool| pool.max_unprocessed_resends = 1);
        let (client, peer) = (builder.build().unwrap(), Peer::bind().await);
        let mut first = warm_up(&client, &peer, &[]).await;
        let script = async {
            first.recv(headers(3)).await;
            first.recv(data(3, "body").end()).await;
            first.send(reset(3, code::REFUSED_STREAM)).await;
            let mut second = peer.frames().await;
            second.recv(headers(1)).await;
            second.recv(data(1, "body").end()).await;
            answer(&mut second, 1, "accepted").await;
            second
        };
        let (said, mut second) = tokio::join!(post(&client, peer.url("/"), "body"), script);
        assert_eq!(said.unwrap(), "accepted");

        let script = async {
            // Whichever of the two it is tried on first, the other refuses it as well.
            for _ in 0..2 {
                let (frames, stream) = tokio::select! {
                    frame = first.next() => (&mut first, stream_of(frame)),
                    frame = second.next() => (&mut second, stream_of(frame)),
                };
                frames.recv(data(stream, "body").end()).await;
                frames.send(reset(stream, code::REFUSED_STREAM)).await;
            }
        };
        let (said, ()) = tokio::join!(post(&client, peer.url("/"), "body"), script);
        let refused = Cause::StreamReset(code::REFUSED_STREAM);
        assert_eq!(said.unwrap_err().cause(), Some(refused));
    });
}

fn stream_of(frame: Option<Frame>) -> u32 {
    match frame {
        Some(Frame::Headers { stream, .. }) => stream,
        other => panic!("expected HEADERS, came {other:?}"),
    }
}

/// After the head a reset fails the body, and nothing goes again.
#[test]
fn reset_in_the_middle_of_a_body() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let mut frames = warm_up(&client, &peer, &[]).await;
        for (stream, code) in [(3, code::REFUSED_STREAM), (5, code::CANCEL)] {
            let script = async {
                frames.recv(headers(stream).end()).await;
                let half = [headers(stream).status(200), data(stream, "half"), reset(stream, code)];
                frames.send_all(&half).await;
            };
            let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
            let error = said.unwrap_err();
            assert!(
                matches!(error.cause(), Some(Cause::StreamReset(_) | Cause::Incomplete)),
                "{error}"
            );
        }
        assert_eq!(client.stats().count(Kind::Resent), 0);
        assert_eq!(client.stats().count(Kind::ConnectionMade), 1);
    });
}

/// RFC 9113 8.1: a complete response stands, though the peer wants no more of the request.
#[test]
fn answered_before_the_request_is_complete() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let (sender, body) = crate::bodies::channel();
        let request = http::Request::post(peer.url("/")).body(body).unwrap();
        sender.send("a part").unwrap();
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1)).await;
            frames.recv(data(1, "a part")).await;
            let enough =
                [headers(1).status(200), data(1, "enough").end(), reset(1, code::NO_ERROR)];
            frames.send_all(&enough).await;
            frames
        };
        let (said, mut frames) = tokio::join!(crate::ask::send(&client, request), script);
        assert_eq!(said.unwrap().body, "enough");
        drop(sender);
        // The connection serves on.
        let next = async {
            loop {
                match frames.next().await.unwrap() {
                    Frame::Headers { stream: 3, .. } => break,
                    frame => assert!(matches!(frame, Frame::Reset { stream: 1, .. }), "{frame:?}"),
                }
            }
            answer(&mut frames, 3, "next").await;
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), next);
        assert_eq!(said.unwrap(), "next");
    });
}

/// RFC 9113 6.5.2: no stream is opened while the peer grants none; they go out when it does.
// rule: H2-2a
#[test]
fn streams_lowered_to_zero_and_back() {
    run(async {
        let client = http2().limits(|limits| limits.max_connections = Some(1)).build().unwrap();
        let peer = Peer::bind().await;
        let mut frames = warm_up(&client, &peer, &[]).await;
        frames.send(settings(&[(setting::MAX_CONCURRENT_STREAMS, 0)])).await;
        frames.recv_settings_acks(2).await;
        let script = async {
            frames.round_trip().await;
            frames.round_trip().await;
            assert!(!frames.has_news(), "a stream was opened while none is granted");
            frames.send(settings(&[(setting::MAX_CONCURRENT_STREAMS, 2)])).await;
            frames.recv(headers(3).end()).await;
            frames.recv(headers(5).end()).await;
            frames.round_trip().await;
            assert!(!frames.has_news(), "a third stream was opened while two are granted");
            answer(&mut frames, 5, "five").await;
            frames.recv(headers(7).end()).await;
            answer(&mut frames, 7, "seven").await;
            answer(&mut frames, 3, "three").await;
        };
        let url = peer.url("/");
        let (a, b, c, ()) =
            tokio::join!(get(&client, &url), get(&client, &url), get(&client, &url), script);
        assert_eq!(
            (a.unwrap(), b.unwrap(), c.unwrap()),
            ("three".into(), "five".into(), "seven".into())
        );
        assert_eq!(client.stats().count(Kind::ConnectionMade), 1);
    });
}

/// Where one connection's limit is used up, another is made; streams over a lowered limit go on.
// rule: H2-2a H2-8c
#[test]
fn a_lowered_limit_makes_a_second_connection() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let mut first = warm_up(&client, &peer, &[(setting::MAX_CONCURRENT_STREAMS, 2)]).await;
        let url = peer.url("/");
        let script = async {
            first.recv(headers(3).end()).await;
            first.recv(headers(5).end()).await;
            first.send(settings(&[(setting::MAX_CONCURRENT_STREAMS, 1)])).await;
            first.recv_settings_acks(2).await;
            let mut second = peer.frames().await;
            second.recv(headers(1).end()).await;
            answer(&mut second, 1, "on the second").await;
            answer(&mut first, 3, "three").await;
            answer(&mut first, 5, "five").await;
            second
        };
        let (a, b, c, _second) =
            tokio::join!(get(&client, &url), get(&client, &url), get(&client, &url), script);
        assert_eq!(
            (a.unwrap(), b.unwrap(), c.unwrap()),
            ("three".into(), "five".into(), "on the second".into())
        );
        assert_eq!(client.stats().count(Kind::ConnectionMade), 2);
    });
}

/// 5,000 streams are cancelled, and the peer's answers to all of them come too late, 20 MB in
/// all: more than the connection's window. It lives.
#[test]
fn late_frames_of_five_thousand_cancelled_streams() {
    const BATCH: u32 = 50;
    const BATCHES: u32 = 100;
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let mut frames = warm_up(&client, &peer, &[]).await;
        let (tell, mut told) = mpsc::unbounded_channel();
        let script = async {
            for batch in 0..BATCHES {
                let first = 3 + batch * BATCH * 2;
                let streams = (first..first + BATCH * 2).step_by(2);
                for stream in streams.clone() {
                    let frame = passing_over_late(&mut frames).await;
                    assert_eq!(stream_of(Some(frame)), stream);
                }
                tell.send(()).unwrap();
                for _ in streams.clone() {
                    let frame = passing_over_late(&mut frames).await;
                    assert!(matches!(frame, Frame::Reset { code: code::CANCEL, .. }), "{frame:?}");
                }
                for stream in streams {
                    let late = [headers(stream).status(200), data(stream, vec![0; 4_096]).end()];
                    frames.send_all(&late).await;
                }
                tell.send(()).unwrap();
            }
            let last = 3 + BATCHES * BATCH * 2;
            let frame = passing_over_late(&mut frames).await;
            assert_eq!(stream_of(Some(frame)), last);
            answer(&mut frames, last, "alive").await;
        };
        let asks = async {
            let url = peer.url("/");
            for _ in 0..BATCHES {
                let mut asked: Vec<_> = (0..BATCH)
                    .map(|_| {
                        let request = http::Request::get(&url).body(String::new()).unwrap();
                        client.request(request)
                    })
                    .collect();
                poll_fn(|cx| {
                    for asked in &mut asked {
                        let asked = core::pin::Pin::new(asked);
                        assert!(Future::poll(asked, cx).is_pending());
                    }
                    Poll::Ready(())
                })
                .await;
                told.recv().await.unwrap();
                drop(asked);
                told.recv().await.unwrap();
            }
            get(&client, &url).await
        };
        let (said, ()) = tokio::join!(asks, script);
        assert_eq!(said.unwrap(), "alive");
        let stats = client.stats();
        assert_eq!(stats.count(Kind::ConnectionMade), 1, "{stats}");
        assert_eq!(stats.count(Kind::Cancelled), u64::from(BATCH * BATCHES), "{stats}");
    });
}

/// The next frame, but for what late frames are answered with (RFC 9113 5.1, closed).
async fn passing_over_late(frames: &mut Frames) -> Frame {
    loop {
        match frames.next().await.unwrap() {
            Frame::Reset { code: code::STREAM_CLOSED, .. } => {}
            frame => return frame,
        }
    }
}

/// RFC 9113 5.4.1: a peer that breaks the rules loses its connection; the pool makes another.
#[test]
fn a_connection_error() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let mut frames = warm_up(&client, &peer, &[]).await;
        let script = async {
            frames.recv(headers(3)).await;
            frames.recv(data(3, "body").end()).await;
            // DATA on a stream that nobody opened.
            frames.send(data(9, "who")).await;
            frames.recv_end().await;
            let mut second = peer.frames().await;
            second.recv(headers(1).end()).await;
            answer(&mut second, 1, "next").await;
            second
        };
        let asks = async {
            let posted = post(&client, peer.url("/"), "body").await;
            (posted, get(&client, peer.url("/")).await)
        };
        let ((posted, got), _second) = tokio::join!(asks, script);
        let error = posted.unwrap_err();
        let said = error.to_string();
        assert!(said.ends_with("HTTP/2 failed on the connection with PROTOCOL_ERROR"), "{said}");
        assert_eq!(got.unwrap(), "next");
    });
}

/// A peer that does not speak HTTP/2 at all.
#[test]
fn not_http2() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.until("SM\r\n\r\n").await;
            line.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            line.rest().await;
        };
        let (said, ()) = tokio::join!(post(&client, peer.url("/"), "body"), script);
        let error = said.unwrap_err();
        assert!(matches!(error.cause(), Some(Cause::Protocol(_))), "{error}");
    });
}

/// A peer that vanished while its connection was idle: it takes the PING and says nothing. The
/// request goes to a new connection, and nothing of it was ever on the old one.
#[test]
fn a_ping_before_reuse_that_is_not_answered() {
    run(async {
        let builder = http2().connect_timeout(Duration::from_secs(2));
        let client = builder.pool(|pool| pool.probe_after_idle = Some(Duration::ZERO)).build();
        let (client, peer) = (client.unwrap(), Peer::bind().await);
        let mut first = warm_up(&client, &peer, &[]).await;
        first.fall_silent();
        let script = async {
            let asked = first.next().await;
            assert!(matches!(asked, Some(Frame::Ping { ack: false, .. })), "{asked:?}");
            let mut second = peer.frames().await;
            second.recv(headers(1)).await;
            second.recv(data(1, "once").end()).await;
            answer(&mut second, 1, "elsewhere").await;
            first.recv_end().await;
            second
        };
        let (said, _frames) = tokio::join!(post(&client, peer.url("/"), "once"), script);
        assert_eq!(said.unwrap(), "elsewhere");
        let stats = client.stats();
        assert_eq!(stats.count(Kind::ConnectionMade), 2, "{stats}");
        assert_eq!(stats.count(Kind::Resent), 0, "{stats}");
    });
}
