//! Responses that are dropped: what counts as given up.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::record::Kind;
use regatta_core::upstream::Protocols;
use regatta_runtime::Client;
use regatta_sim::{Host, Net};

use super::{MS, client, serve_late, two_hosts};

/// How often requests were completed, and how often given up.
fn counted(client: &Client<Host>) -> (u64, u64) {
    let stats = client.stats();
    (stats.count(Kind::Completed), stats.count(Kind::Cancelled))
}

/// What has come whole is no loss: neither where nobody reads it, nor where the server has not
/// taken all of the request.
#[test]
fn a_body_dropped_behind_the_responses_end_is_not_given_up() {
    for protocols in [Protocols::Http1, Protocols::Http2PriorKnowledge] {
        let net = Net::seeded(1);
        let (server, host) = two_hosts(&net);
        net.run(async {
            serve_late(&server).await;
            let client = client(&host, protocols);
            let ask = || Request::get("http://www.test/20").body(Empty::<Bytes>::new()).unwrap();
            // Nobody reads it.
            let response = client.request(ask()).await.unwrap();
            host.sleep(100 * MS).await;
            drop(response);
            // Nobody reads even its head.
            let mut asked = Box::pin(client.request(ask()));
            let pending = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
            assert!(pending.is_pending());
            host.sleep(200 * MS).await;
            drop(asked);
            host.sleep(100 * MS).await;
            assert_eq!(counted(&client), (2, 0), "{protocols:?}");

            // It was on its way: who drops it in time gives it up.
            let response = client.request(ask()).await.unwrap();
            drop(response);
            let mut asked = Box::pin(client.request(ask()));
            let _pending = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
            drop(asked);
            host.sleep(200 * MS).await;
            assert_eq!(counted(&client).1, 1, "{protocols:?}");
            client.check();
        })
        .unwrap();
    }
}

/// A body that says nothing and does not end.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

/// A server that answers before it has all of an upload: the answer counts, read or not.
#[test]
fn an_upload_dropped_behind_the_responses_end_is_not_given_up() {
    for is_read in [true, false] {
        let net = Net::seeded(1);
        let (server, host) = two_hosts(&net);
        net.run(async {
            serve_late(&server).await;
            let client = client(&host, Protocols::Http2PriorKnowledge);
            // It never ends.
            let body = Endless;
            let ask = Request::post("http://www.test/20").body(body).unwrap();
            let mut response = client.request(ask).await.unwrap();
            if is_read {
                let read = response.body_mut().frame().await.unwrap().unwrap();
                assert_eq!(read.into_data().unwrap(), "late");
            }
            host.sleep(100 * MS).await;
            drop(response);
            host.sleep(100 * MS).await;
            assert_eq!(counted(&client), (1, 0), "read: {is_read}");
            client.check();
        })
        .unwrap();
    }
}
