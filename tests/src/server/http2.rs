//! HTTP/2 (RFC 9113) towards our server.

use core::future::pending;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use regatta_tokio::Body;
use tokio::sync::mpsc;

use crate::dsl::{Frame, Frames, code, data, headers, reset, run, setting};
use crate::serve::{Serving, text};

/// RFC 9113 5: streams are answered as they are ready, not in order.
#[test]
fn answers_streams_out_of_order() {
    run(async {
        let (open, gate) = tokio::sync::watch::channel(false);
        let server = Serving::plain(move |request: Request<Body>| {
            let mut gate = gate.clone();
            async move {
                if request.uri().path() == "/slow" {
                    gate.wait_for(|open| *open).await.unwrap();
                }
                text(request.uri().path().to_owned())
            }
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("GET", "/slow").end()).await;
        peer.send(headers(3).request("GET", "/fast").end()).await;
        let head = peer.recv(headers(3)).await;
        assert_eq!(head.seen_status(), Some(200));
        peer.recv(data(3, "/fast").end()).await;
        open.send(true).unwrap();
        peer.recv(headers(1)).await;
        peer.recv(data(1, "/slow").end()).await;
    });
}

/// RFC 9113 8.1: trailers both ways.
#[test]
fn reads_a_body_and_its_trailers() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let sent = request.into_body().collect().await.unwrap();
            let sum = sent.trailers().unwrap()["x-sum"].clone();
            text([sent.to_bytes(), Bytes::from_owner(sum.as_bytes().to_vec())].concat())
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("POST", "/")).await;
        peer.send(data(1, "abc")).await;
        peer.send(headers(1).field("x-sum", "7").end()).await;
        peer.recv(headers(1)).await;
        peer.recv(data(1, "abc7").end()).await;
    });
}

/// A stream that the peer resets drops the service's future, and no other.
#[test]
fn drops_the_answer_to_a_stream_that_was_reset() {
    struct Tell(mpsc::UnboundedSender<String>, String);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(core::mem::take(&mut self.1));
        }
    }
    run(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = Serving::plain(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let tell = Tell(tell.clone(), path.clone());
            async move {
                if path == "/never" {
                    pending::<()>().await;
                }
                drop(tell);
                text("well")
            }
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("GET", "/never").end()).await;
        peer.send(reset(1, code::CANCEL)).await;
        assert_eq!(told.recv().await.unwrap(), "/never");
        peer.send(headers(3).request("GET", "/well").end()).await;
        peer.recv(headers(3)).await;
        peer.recv(data(3, "well").end()).await;
    });
}

/// RFC 9113 6.5.2: a service may lower its connection's streams to 0 and raise them again.
// rule: H2-2c
#[test]
fn changes_how_many_streams_it_grants() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            let connection = request.body().connection().unwrap().clone();
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                let said = frame.into_data().unwrap();
                connection.set_max_concurrent_streams(u32::from(said[0]));
            }
            text("")
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("POST", "/")).await;
        for wanted in [0, 7] {
            peer.send(data(1, [wanted])).await;
            while peer.setting(setting::MAX_CONCURRENT_STREAMS) != Some(u32::from(wanted)) {
                peer.next_setting().await;
            }
        }
        peer.send(data(1, "").end()).await;
        peer.recv(headers(1).end()).await;
    });
}

/// RFC 9113 6.9: what the peer grants is what is sent, and no more until it grants more.
// rule: H2-4b
#[test]
fn sends_no_more_than_the_window() {
    run(async {
        let server = Serving::plain(async |_: Request<Body>| text(vec![b'x'; 100])).await;
        let mut peer =
            Frames::connect_with(server.address, &[(setting::INITIAL_WINDOW_SIZE, 30)]).await;
        peer.send(headers(1).request("GET", "/").end()).await;
        peer.recv(headers(1)).await;
        peer.recv(data(1, vec![b'x'; 30])).await;
        peer.send(Frame::WindowUpdate { stream: 1, n: 69 }).await;
        peer.recv(data(1, vec![b'x'; 69])).await;
        peer.send(Frame::WindowUpdate { stream: 1, n: 1 }).await;
        peer.recv(data(1, "x").end()).await;
    });
}

/// RFC 9113 6.9: a service that does not read keeps the peer within the stream's window, and
/// reading gives it back.
// rule: L-8
#[test]
fn grants_more_only_when_the_body_is_read() {
    const WINDOW: usize = 1 << 20;
    run(async {
        let (open, gate) = tokio::sync::watch::channel(false);
        let server = Serving::plain(move |request: Request<Body>| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                text(body.len().to_string())
            }
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("POST", "/")).await;
        // The first window of a connection is 65,535 bytes (RFC 9113 6.9.2), until SETTINGS and
        // WINDOW_UPDATE say more; both are here once PING is answered.
        peer.round_trip().await;
        for _ in 0..WINDOW / 16_384 {
            peer.send(data(1, vec![0; 16_384])).await;
        }
        peer.round_trip().await;
        assert_eq!(peer.credit(1), 0, "nobody has read anything");
        open.send(true).unwrap();
        while peer.credit(1) == 0 {
            peer.round_trip().await;
        }
        peer.send(data(1, "").end()).await;
        peer.recv(headers(1)).await;
        peer.recv(data(1, WINDOW.to_string()).end()).await;
    });
}

/// Responses and requests of a service that fails half-way are reset, and no other stream.
#[test]
fn resets_a_response_whose_body_fails() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            // The request's own body ends by a reset, and so does the response that is made of it.
            Response::new(request.into_body())
        })
        .await;
        let mut peer = Frames::connect(server.address).await;
        peer.send(headers(1).request("POST", "/")).await;
        peer.send(data(1, "half")).await;
        peer.recv(headers(1)).await;
        peer.recv(data(1, "half")).await;
        peer.send(reset(1, code::CANCEL)).await;
        peer.send(headers(3).request("POST", "/")).await;
        peer.send(data(3, "whole").end()).await;
        peer.recv(headers(3)).await;
        peer.recv(data(3, "whole").end()).await;
    });
}
