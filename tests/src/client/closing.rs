//! The end of a client, on real sockets.

use core::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use regatta_core::types::Refusal;
use regatta_tokio::{Client, ErrorKind};

use crate::ask::{client, get, http2};
use crate::dsl::{Frame, Peer, code, headers, run};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Long enough for everything that ends by itself.
const LONG: Duration = Duration::from_secs(30);

async fn ask(client: &Client, url: String) -> Result<http::StatusCode, regatta_tokio::Error> {
    let request = Request::get(url).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let response = client.request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}

/// An idle connection closes at once, the one in use when its answer is there.
#[test]
fn what_is_under_way_is_finished() {
    run(async {
        let (client, idle, busy) = (client(), Peer::bind().await, Peer::bind().await);
        let script = async {
            let mut line = idle.line().await;
            line.head().await;
            line.send(OK).await;
            line
        };
        let (said, mut idle) = tokio::join!(get(&client, idle.url("/")), script);
        assert_eq!(said.unwrap(), "ok");
        let script = async {
            let mut line = busy.line().await;
            line.head().await;
            let closing = client.close(LONG);
            assert_eq!(idle.rest().await, "", "the idle one closes at once");
            let refused = ask(&client, busy.url("/")).await.unwrap_err();
            assert_eq!(*refused.kind(), ErrorKind::Refused(Refusal::Draining));
            line.send(OK).await;
            let rest = line.rest().await;
            (closing.await, rest)
        };
        let (said, (closed, rest)) = tokio::join!(get(&client, busy.url("/")), script);
        assert_eq!(said.unwrap(), "ok");
        assert_eq!((closed.cut, rest.as_str()), (0, ""));
        client.check();
    });
}

/// At the deadline streams are reset, and both who sends and who waits for a body hears why.
#[test]
fn what_takes_too_long_is_cut_off() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            frames.recv(headers(3).end()).await;
            frames.send(headers(3).status(200)).await;
            let closing = client.close(Duration::from_millis(50));
            let mut reset = Vec::new();
            while reset.len() < 2 {
                let frame = frames.next().await.expect("resets before the end");
                if let Frame::Reset { stream, code } = frame {
                    reset.push((stream, code));
                }
            }
            reset.sort_unstable();
            assert_eq!(reset, [(1, code::CANCEL), (3, code::CANCEL)]);
            drop(frames);
            closing.await
        };
        let (first, second, closed) =
            tokio::join!(ask(&client, peer.url("/1")), ask(&client, peer.url("/3")), script);
        assert_eq!(closed.cut, 2);
        for said in [first, second] {
            let error = said.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Closed));
            let text = format!(
                "http://{}: the client was closed before the response was complete",
                peer.address()
            );
            assert_eq!(error.to_string(), text);
        }
        client.check();
    });
}

/// A peer that takes nothing of an upload holds nobody up, nor one that never answers.
#[test]
fn a_peer_that_takes_nothing_is_left() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let (body, _) = crate::bodies::Counted::new(256 << 20);
        let request = Request::post(peer.url("/")).body(body).unwrap();
        let script = async {
            let line = peer.line().await;
            let closed = client.close(Duration::from_millis(50)).await;
            drop(line);
            closed
        };
        let (said, closed) = tokio::join!(client.request(request), script);
        assert_eq!(*said.unwrap_err().kind(), ErrorKind::Refused(Refusal::Closed));
        assert_eq!(closed.cut, 1);
        assert_eq!(client.inspect(|upstream| upstream.connections()), 0);
    });
}
