//! The policy of retries, on real sockets.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use regatta_tokio::{RequestOptions, RetryPolicy, Verdict, Why};

use crate::ask::{Answer, client, send};
use crate::dsl::{Peer, run};

fn post(peer: &Peer, policy: RetryPolicy) -> Request<Full<Bytes>> {
    let options = RequestOptions::default().with_retry(policy);
    let request = Request::post(peer.url("/")).extension(options);
    request.body(Full::new(Bytes::from_static(b"hello"))).unwrap()
}

/// Each try is the whole request again; an answer that has ended leaves its connection usable.
#[test]
fn an_unavailable_server_is_asked_again_on_the_same_connection() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let mut policy = RetryPolicy::retries(3);
        policy.any_method = true;
        let script = async {
            let mut line = peer.line().await;
            for status in ["503 Service Unavailable", "502 Bad Gateway", "200 OK"] {
                let head = line.head().await;
                assert!(head.contains("content-length: 5\r\n"), "{head}");
                line.recv("hello").await;
                line.send(&format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok")).await;
            }
        };
        let (said, ()) = tokio::join!(client.request(post(&peer, policy)), script);
        let response = said.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let verdict = Verdict::Retried { retries: 2, why: Why::NotCovered };
        assert_eq!(response.extensions().get::<Verdict>(), Some(&verdict));
        assert_eq!(client.retries(), (1, 0), "one request, however often");
        drop(response);
        client.check();
    });
}

/// A connection that breaks under a POST: only who says so may send it again.
#[test]
fn a_broken_post_goes_again_only_where_the_caller_says_so() {
    run(async {
        let peer = Peer::bind().await;
        for any_method in [false, true] {
            let client = client();
            let mut policy = RetryPolicy::retries(1);
            policy.any_method = any_method;
            let script = async {
                let mut line = peer.line().await;
                line.head().await;
                line.recv("hello").await;
                line.reset();
                if any_method {
                    let mut line = peer.line().await;
                    line.head().await;
                    line.recv("hello").await;
                    line.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            };
            let (said, ()) = tokio::join!(send(&client, post(&peer, policy)), script);
            if any_method {
                let expected = Answer { status: StatusCode::OK, body: "ok".into() };
                assert_eq!(said.unwrap(), expected);
            } else {
                let verdict = Verdict::NotRetried { why: Why::Method };
                assert_eq!(said.unwrap_err().verdict(), Some(verdict));
            }
        }
    });
}

/// RFC 9110 15.5.20: whatever the method, over another connection, by default.
#[test]
fn a_misdirected_post_goes_over_another_connection() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut first = peer.line().await;
            first.head().await;
            first.recv("hello").await;
            first.send("HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\n\r\n").await;
            let mut second = peer.line().await;
            second.head().await;
            second.recv("hello").await;
            second.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            assert_eq!(first.rest().await, "", "it takes nothing more");
        };
        let request = post(&peer, RetryPolicy::default());
        let (said, ()) = tokio::join!(send(&client, request), script);
        assert_eq!(said.unwrap(), Answer { status: StatusCode::OK, body: "ok".into() });
    });
}
