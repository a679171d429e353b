//! TLS: whom the client trusts, what ALPN chooses, sessions that are resumed.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::engine::tls::{KeyLog, Versions};
use regatta_core::record::Kind;
use regatta_core::types::{Cause, Protocol, TlsFault};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Body, Builder, Client, Timeline, Tokio};

use crate::ask::get;
use crate::dsl::{Peer, run};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server for `right.test`, which says what is spoken.
async fn server(authority: &Authority, protocols: &[Protocol]) -> Serving {
    let mut options = authority.server(&["right.test"]);
    options.alpn = protocols.to_vec();
    let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
    Serving::start(server, async |request: Request<Body>| {
        let connection = request.body().connection().unwrap();
        if request.uri().path() == "/drain" {
            connection.drain();
        }
        text(connection.protocol().to_string())
    })
}

const BOTH: &[Protocol] = &[Protocol::Http2, Protocol::Http1];

/// A client that trusts the authority and finds the test's names on loopback.
fn builder(authority: &Authority) -> Builder<Tokio> {
    regatta_tokio::client()
        .roots(authority.roots())
        .resolve("right.test", vec![LOOPBACK])
        .resolve("wrong.test", vec![LOOPBACK])
}

fn url(server: &Serving, host: &str, path: &str) -> String {
    format!("https://{host}:{}{path}", server.address.port())
}

/// A GET and its timeline.
async fn traced(client: &Client, url: &str) -> (Bytes, Timeline) {
    let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    let response = client.request(request).await.unwrap();
    let timeline = response.body().timeline().unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (body, timeline.snapshot())
}

#[test]
fn name_mismatch() {
    run(async {
        let authority = Authority::new();
        let server = server(&authority, BOTH).await;
        let client = builder(&authority).build().unwrap();
        let error = get(&client, url(&server, "wrong.test", "/")).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Tls(TlsFault::NameMismatch)));
        assert!(error.is_connect());
        let said = error.to_string();
        let port = server.address.port();
        let begin = format!(
            "cannot connect to https://wrong.test:{port}: TLS failed, the certificate is for \
             another name"
        );
        assert!(said.starts_with(&begin), "{said}");
        assert!(said.contains("right.test"), "the sentence names what came: {said}");
        assert_eq!(get(&client, url(&server, "right.test", "/")).await.unwrap(), "HTTP/2");
    });
}

#[test]
fn unknown_issuer() {
    run(async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let server = server(&theirs, BOTH).await;
        let client = builder(&ours).build().unwrap();
        let error = get(&client, url(&server, "right.test", "/")).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Tls(TlsFault::UnknownIssuer)));
        let said = error.to_string();
        assert!(said.contains("the certificate's issuer is not trusted"), "{said}");
    });
}

/// curl's `-k`: every certificate, for every name.
#[test]
fn any_certificate() {
    run(async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let server = server(&theirs, BOTH).await;
        let any = |profile: &mut regatta_tokio::Profile| {
            profile.danger_accept_any_certificate = true;
        };
        let client = builder(&ours).profile(any).build().unwrap();
        assert_eq!(get(&client, url(&server, "wrong.test", "/")).await.unwrap(), "HTTP/2");
    });
}

#[test]
fn a_peer_without_tls() {
    run(async {
        let (client, peer) = (builder(&Authority::new()).build().unwrap(), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            line.bytes(5).await;
            line.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
            line.rest().await;
        };
        let asked = get(&client, format!("https://{}/", peer.address()));
        let (said, ()) = tokio::join!(asked, script);
        assert_eq!(said.unwrap_err().cause(), Some(Cause::Tls(TlsFault::NotTls)));
    });
}

/// A peer that takes the connection and never says a word of TLS.
#[test]
fn a_silent_peer() {
    run(async {
        let peer = Peer::bind().await;
        let builder = builder(&Authority::new()).connect_timeout(Duration::from_millis(50));
        let client = builder.build().unwrap();
        let script = async {
            let mut line = peer.line().await;
            while line.read_more().await {}
        };
        let asked = get(&client, format!("https://{}/", peer.address()));
        let (said, ()) = tokio::join!(asked, script);
        assert_eq!(said.unwrap_err().cause(), Some(Cause::ConnectTimeout));
    });
}

/// RFC 7301: the server's first choice among what is offered, in both versions of TLS.
// rule: H2-8b
#[test]
fn alpn_chooses() {
    use Protocol::{Http1, Http2};
    let cases: [(&[Protocol], Protocols, Result<&str, ()>); 6] = [
        (&[Http2, Http1], Protocols::Auto, Ok("HTTP/2")),
        (&[Http1], Protocols::Auto, Ok("HTTP/1.1")),
        (&[Http2, Http1], Protocols::Http1, Ok("HTTP/1.1")),
        (&[Http2], Protocols::Auto, Ok("HTTP/2")),
        (&[Http2], Protocols::Http1, Err(())),
        (&[Http1], Protocols::Http2PriorKnowledge, Err(())),
    ];
    run(async {
        let authority = Authority::new();
        for (spoken, wanted, expected) in cases {
            let server = server(&authority, spoken).await;
            for versions in [Versions::Tls12, Versions::Tls13] {
                let client = builder(&authority).profile(|profile| {
                    profile.protocols = wanted;
                    profile.versions = versions;
                });
                let said = get(&client.build().unwrap(), url(&server, "right.test", "/")).await;
                match (said, expected) {
                    (Ok(said), Ok(expected)) => assert_eq!(said, expected),
                    (Err(error), Err(())) => {
                        assert!(matches!(error.cause(), Some(Cause::Tls(_))), "{error}");
                    }
                    (said, expected) => panic!("expected {expected:?}, came {said:?}"),
                }
            }
        }
    });
}

/// RFC 8446 2.2: the second connection to an origin resumes the first one's session.
#[test]
fn resumes_on_the_second_connection() {
    run(async {
        let authority = Authority::new();
        let server = server(&authority, BOTH).await;
        for versions in [Versions::Tls12, Versions::Tls13] {
            let client = builder(&authority).profile(|profile| profile.versions = versions);
            let client = client.build().unwrap();
            let mut resumed = Vec::new();
            for _ in 0..2 {
                // GOAWAY comes with the answer: the next request makes a new connection.
                let (_, timeline) = traced(&client, &url(&server, "right.test", "/drain")).await;
                let connection = timeline.connection.unwrap();
                assert!(!connection.reused);
                resumed.push(connection.tls.unwrap().resumed);
            }
            assert_eq!(resumed, [false, true], "{versions:?}");
        }
    });
}

/// A timeline tells of TLS and of every attempt.
#[test]
fn timeline_of_a_cold_and_a_warm_request() {
    run(async {
        let authority = Authority::new();
        let server = server(&authority, BOTH).await;
        let client = builder(&authority).build().unwrap();
        let (_, cold) = traced(&client, &url(&server, "right.test", "/")).await;
        let (_, warm) = traced(&client, &url(&server, "right.test", "/")).await;

        let connection = cold.connection.clone().unwrap();
        assert_eq!(connection.address, server.address);
        assert_eq!(connection.protocol, Protocol::Http2);
        let tls = connection.tls.unwrap();
        assert!(tls.version.contains("1.3") && tls.cipher.starts_with("TLS_"), "{tls:?}");
        let [attempt] = cold.attempts.as_slice() else { panic!("{cold:?}") };
        let steps = [
            Some(cold.requested),
            Some(attempt.started),
            attempt.connected,
            attempt.ended,
            cold.assigned,
            cold.first_byte,
            cold.ended,
        ];
        assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{cold:?}");

        assert!(warm.connection.unwrap().reused);
        assert!(warm.attempts.is_empty() && warm.resolve.is_none());
    });
}

/// NSS key log lines for a packet analyser, from both ends the same.
#[test]
fn key_log() {
    #[derive(Debug, Default)]
    struct Lines(Mutex<Vec<String>>);
    impl KeyLog for Lines {
        fn line(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
    }
    run(async {
        let authority = Authority::new();
        let server = server(&authority, BOTH).await;
        let lines = Arc::new(Lines::default());
        let log: Arc<dyn KeyLog> = Arc::clone(&lines) as _;
        let client = builder(&authority).profile(|profile| profile.key_log = Some(log));
        get(&client.build().unwrap(), url(&server, "right.test", "/")).await.unwrap();
        let lines = lines.0.lock().unwrap();
        assert!(lines.iter().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")), "{lines:?}");
    });
}

/// A session of one origin is not offered to another (RFC 8446 4.6.1 allows it; privacy and
/// certificates do not).
#[test]
fn sessions_stay_with_their_origin() {
    run(async {
        let authority = Authority::new();
        let (one, two) = (server(&authority, BOTH).await, server(&authority, BOTH).await);
        let client = builder(&authority).build().unwrap();
        for server in [&one, &two] {
            let (_, timeline) = traced(&client, &url(server, "right.test", "/drain")).await;
            assert!(!timeline.connection.unwrap().tls.unwrap().resumed);
        }
        assert_eq!(client.stats().count(Kind::ConnectionMade), 2);
    });
}
