//! 1xx, Expect: 100-continue, upgrades and CONNECT.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use regatta_core::types::{Cause, Origin, ProtocolFault, Scheme};
use regatta_tokio::{Body, Client, Tunnel};

use crate::ask::{client, get, http2, options, send};
use crate::dsl::{Peer, data, headers, run};
use crate::serve::{Serving, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A GET whose hook writes down what it hears.
fn hooked(url: &str) -> (Request<Empty<Bytes>>, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&heard);
    let mut request = Request::get(url).body(Empty::new()).unwrap();
    request.extensions_mut().insert(options(|options| {
        options.on_informational = Some(Arc::new(move |head: &Response<()>| {
            let link = head.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
            tell.lock().unwrap().push(format!("{} {link:?}", head.status().as_u16()));
        }));
    }));
    (request, heard)
}

/// RFC 9110 15.2: any number of interim responses come before the final one.
// rule: H-5a
#[test]
fn interim_responses_http1() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let (request, heard) = hooked(&peer.url("/"));
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 102 P\r\n\r\n").await;
            line.send(OK).await;
        };
        let (answer, ()) = tokio::join!(send(&client, request), script);
        assert_eq!(answer.unwrap().body, "ok");
        assert_eq!(*heard.lock().unwrap(), ["103 Some(\"a\")", "102 None"]);
    });
}

// rule: H-5a
#[test]
fn interim_responses_http2() {
    run(async {
        let (client, peer) = (http2().build().unwrap(), Peer::bind().await);
        let (request, heard) = hooked(&peer.url("/"));
        let script = async {
            let mut frames = peer.frames().await;
            frames.recv(headers(1).end()).await;
            frames.send(headers(1).status(103).field("link", "a")).await;
            frames.send_all(&[headers(1).status(200), data(1, "ok").end()]).await;
            frames
        };
        let (answer, _frames) = tokio::join!(send(&client, request), script);
        assert_eq!(answer.unwrap().body, "ok");
        assert_eq!(*heard.lock().unwrap(), ["103 Some(\"a\")"]);
    });
}

/// Interim responses without end are given up at the limit.
// rule: A49
#[test]
fn endless_interim_responses() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            for _ in 0..100 {
                line.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
            }
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        let excessive = Cause::Protocol(ProtocolFault::Excessive);
        assert_eq!(said.unwrap_err().cause(), Some(excessive));
    });
}

fn expecting(url: &str) -> Request<Full<Bytes>> {
    let request = Request::post(url).header(EXPECT, "100-continue");
    request.body(Full::new(Bytes::from_static(b"body"))).unwrap()
}

/// A client whose patience for 100 is so long.
fn patient(patience: Duration) -> Client {
    let builder = regatta_tokio::client();
    builder.engine(|engine| engine.expect_timeout = patience).build().unwrap()
}

const FOREVER: Duration = Duration::from_secs(3_600);

/// RFC 9110 10.1.1: the body goes when 100 came.
// rule: H-5a
#[test]
fn continues_on_100() {
    run(async {
        let (client, peer) = (patient(FOREVER), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            assert!(line.head().await.to_ascii_lowercase().contains("expect: 100-continue"));
            line.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            line.recv("body").await;
            line.send(OK).await;
        };
        let (answer, ()) = tokio::join!(send(&client, expecting(&peer.url("/"))), script);
        assert_eq!(answer.unwrap().body, "ok");
    });
}

/// The body stays where it is when a final response came instead.
// rule: H-7a A44
#[test]
fn keeps_the_body_on_417() {
    run(async {
        let (client, peer) = (patient(FOREVER), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n").await;
            line.rest().await
        };
        let (answer, rest) = tokio::join!(send(&client, expecting(&peer.url("/"))), script);
        assert_eq!(answer.unwrap().status, StatusCode::EXPECTATION_FAILED);
        assert_eq!(rest, "");
    });
}

/// A peer that knows nothing of it gets the body after the time.
// rule: H-7d
#[test]
fn continues_when_nothing_comes() {
    run(async {
        let (client, peer) = (patient(Duration::from_millis(20)), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.recv("body").await;
            line.send(OK).await;
        };
        let (answer, ()) = tokio::join!(send(&client, expecting(&peer.url("/"))), script);
        assert_eq!(answer.unwrap().body, "ok");
    });
}

fn upgrade(url: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(url).header(CONNECTION, "upgrade").header(UPGRADE, "echo");
    request.body(Empty::new()).unwrap()
}

/// RFC 9110 7.8: 101 makes a tunnel of the response, and each side ends by itself.
// rule: H-5b H-6c A45
#[test]
fn upgrades_with_half_close() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            let head = line.head().await.to_ascii_lowercase();
            assert!(head.contains("upgrade: echo\r\n"), "{head}");
            let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n";
            line.send(&format!("{switch}upgrade: echo\r\n\r\nearly")).await;
            line.recv("from the client").await;
            assert_eq!(line.rest().await, "");
            line.send("still speaking").await;
            line.finish().await;
        };
        let asks = async {
            let response = client.request(upgrade(&peer.url("/"))).await.unwrap();
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            let mut tunnel = Tunnel::from_body(response.into_body()).unwrap();
            assert_eq!(tunnel.read().await.unwrap().unwrap(), "early");
            tunnel.send(Bytes::from_static(b"from the client")).await.unwrap();
            tunnel.finish();
            assert_eq!(tunnel.read().await.unwrap().unwrap(), "still speaking");
            assert!(tunnel.read().await.is_none());
        };
        tokio::join!(asks, script);
    });
}

/// A peer that does not change protocols answers as ever, and its connection is kept.
// rule: H-5b A45
#[test]
fn upgrade_declined() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send(OK).await;
            line.head().await;
            line.send(OK).await;
        };
        let asks = async {
            let answer = send(&client, upgrade(&peer.url("/"))).await.unwrap();
            assert_eq!(answer.body, "ok");
            assert_eq!(get(&client, peer.url("/")).await.unwrap(), "ok");
        };
        tokio::join!(asks, script);
    });
}

/// RFC 9110 7.8: a protocol that nobody asked for is an error.
// rule: H-5b A49
#[test]
fn upgrade_that_nobody_asked_for() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n").await;
            line.rest().await;
        };
        let (said, ()) = tokio::join!(get(&client, peer.url("/")), script);
        let upgrade = Cause::Protocol(ProtocolFault::Upgrade);
        assert_eq!(said.unwrap_err().cause(), Some(upgrade));
    });
}

/// CONNECT to far.test:443 by the proxy at this address.
fn connect(proxy: core::net::SocketAddr) -> Request<Empty<Bytes>> {
    let mut request = Request::connect("far.test:443").body(Empty::new()).unwrap();
    let to =
        Origin { scheme: Scheme::Http, host: proxy.ip().to_string().into(), port: proxy.port() };
    request.extensions_mut().insert(options(|options| options.to = Some(to)));
    request
}

/// A proxy that says everything back until the client's end, and then goodbye.
async fn proxy(request: Request<Body>) -> Response<Full<Bytes>> {
    if request.method() != Method::CONNECT {
        return text("not a tunnel");
    }
    assert_eq!(request.uri().authority().unwrap(), "far.test:443");
    let mut tunnel = Tunnel::from_body(request.into_body()).unwrap();
    tokio::spawn(async move {
        while let Some(Ok(bytes)) = tunnel.read().await {
            tunnel.send(bytes).await.unwrap();
        }
        tunnel.send(Bytes::from_static(b"goodbye")).await.unwrap();
        tunnel.finish();
    });
    Response::new(Full::default())
}

/// RFC 9110 9.3.6, RFC 9113 8.5: the same tunnel over both protocols.
// rule: H-6c
#[test]
fn connect_tunnels_with_half_close() {
    run(async {
        let server = Serving::plain(proxy).await;
        for client in [client(), http2().build().unwrap()] {
            let response = client.request(connect(server.address)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let mut tunnel = Tunnel::from_body(response.into_body()).unwrap();
            for said in ["one", "two"] {
                tunnel.send(Bytes::from_static(said.as_bytes())).await.unwrap();
                assert_eq!(tunnel.read().await.unwrap().unwrap(), said);
            }
            tunnel.finish();
            assert_eq!(tunnel.read().await.unwrap().unwrap(), "goodbye");
            assert!(tunnel.read().await.is_none());
            // And the pool serves the next request.
            assert_eq!(get(&client, server.url("/")).await.unwrap(), "not a tunnel");
        }
    });
}

/// A megabyte both ways through a tunnel, in parts that do not fit the pipes.
#[test]
fn a_tunnel_carries_much() {
    const PARTS: usize = 64;
    run(async {
        let server = Serving::plain(proxy).await;
        for client in [client(), http2().build().unwrap()] {
            let response = client.request(connect(server.address)).await.unwrap();
            let mut tunnel = Tunnel::from_body(response.into_body()).unwrap();
            let part = Bytes::from_static(&[b'x'; 16 << 10]);
            let (mut sent, mut came) = (0, 0);
            while came < PARTS * part.len() + "goodbye".len() {
                if sent < PARTS {
                    tunnel.send(part.clone()).await.unwrap();
                    sent += 1;
                    if sent == PARTS {
                        tunnel.finish();
                    }
                    if sent % 4 != 0 {
                        continue;
                    }
                }
                came += tunnel.read().await.unwrap().unwrap().len();
            }
            assert!(tunnel.read().await.is_none());
        }
    });
}

/// A proxy that says no answers like any other server.
// rule: H-6d
#[test]
fn connect_declined() {
    run(async {
        let (client, peer) = (client(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            let head = line.head().await;
            assert!(head.starts_with("CONNECT far.test:443 HTTP/1.1\r\n"), "{head}");
            line.send("HTTP/1.1 407 Who\r\ncontent-length: 2\r\n\r\nno").await;
        };
        let (answer, ()) = tokio::join!(send(&client, connect(peer.address())), script);
        let answer = answer.unwrap();
        assert_eq!(answer.status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        assert_eq!(answer.body, "no");
    });
}

/// A field that HTTP/2 forbids does not travel, or fails before it leaves.
// rule: H-1a
#[test]
fn upgrade_over_http2_is_not_said() {
    run(async {
        let server = Serving::plain(async |request: Request<Body>| {
            assert!(!request.headers().contains_key(UPGRADE));
            text("plain")
        })
        .await;
        let client = http2().build().unwrap();
        let mut request = upgrade(&server.url("/"));
        request.headers_mut().insert("te", HeaderValue::from_static("gzip"));
        if let Ok(answer) = send(&client, request).await {
            assert_eq!(answer.body, "plain");
        }
        assert_eq!(get(&client, server.url("/")).await.unwrap(), "plain");
    });
}
