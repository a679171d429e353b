//! RFC 9112 9.8: under TLS an end that anyone could have made is not taken for the peer's.

use core::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::Request;
use regatta_core::Instant;
use regatta_core::engine::tls::{ClientConfig, ClientOptions, ServerConfig, Tls};
use regatta_core::types::{Cause, Protocol};
use regatta_tokio::{Body, Client, Error};
use tokio::net::{TcpListener, TcpStream};

use crate::ask::get;
use crate::dsl::{Secret, clock, run};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

/// What a client makes of an answer under TLS that ends with or without a goodbye.
async fn against(answer: &str, goodbye: bool) -> Result<Bytes, Error> {
    let authority = Authority::new();
    let listener = TcpListener::bind(ANY).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client: Client = regatta_tokio::client()
        .roots(authority.roots())
        .resolve("right.test", vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        .build()
        .unwrap();
    let mut options = authority.server(&["right.test"]);
    options.alpn = vec![Protocol::Http1];
    let config = ServerConfig::new(&clock(), options).unwrap();
    let script = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = Secret::new(socket, Tls::server(&config, Instant::EPOCH).unwrap());
        peer.until("\r\n\r\n").await;
        peer.send(answer).await;
        if goodbye {
            peer.close().await;
        }
        peer.finish().await;
        peer
    };
    let url = format!("https://right.test:{port}/");
    let (said, _peer) = tokio::join!(get(&client, url), script);
    said
}

// rule: M-7b M-7c
#[test]
fn a_body_that_only_the_end_ends_needs_a_goodbye() {
    const OPEN: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello";
    const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    run(async {
        for (answer, goodbye, whole) in [
            (OPEN, true, true),
            (OPEN, false, false),
            (WHOLE, true, true),
            (WHOLE, false, true),
            (HALF, true, false),
            (HALF, false, false),
        ] {
            match against(answer, goodbye).await {
                Ok(body) => assert!(whole && body == "hello", "{answer:?} {goodbye}"),
                Err(error) => {
                    assert_eq!(error.cause(), Some(Cause::Incomplete), "{answer:?} {goodbye}");
                    assert!(!whole, "{answer:?} {goodbye}");
                }
            }
        }
    });
}

// rule: M-7b
#[test]
fn a_server_says_goodbye_behind_its_last_answer() {
    run(async {
        let authority = Authority::new();
        let options = authority.server(&["right.test"]);
        let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_: Request<Body>| text("ok"));
        let mut options = ClientOptions::default();
        options.danger_no_verify = true;
        let config = ClientConfig::new(&clock(), options).unwrap();
        let socket = TcpStream::connect(server.address).await.unwrap();
        let tls = Tls::client(&config, "right.test", Instant::EPOCH).unwrap();
        let mut peer = Secret::new(socket, tls);
        peer.send("GET / HTTP/1.1\r\nhost: right.test\r\nconnection: close\r\n\r\n").await;
        assert!(peer.until("ok").await.starts_with("HTTP/1.1 200 OK"));
        assert!(peer.ends_with_goodbye().await);
    });
}
