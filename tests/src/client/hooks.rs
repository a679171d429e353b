//! What an owner's functions hear of connections and requests.

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use regatta_core::types::{Cause, Protocol, Refusal, TlsFault};
use regatta_tokio::{
    Body, Builder, Client, ConnectionEvent, DrainReason, Ended, Ending, RequestEvent, RequestFacts,
    RequestOptions, RetryPolicy, Tokio,
};

use crate::ask::{get, send};
use crate::dsl::{Peer, run, run_on_two};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

type Heard = Arc<Mutex<Vec<String>>>;

/// Requests and how they ended.
type Ends = Arc<Mutex<Vec<(RequestFacts, Ended)>>>;

fn word(event: &RequestEvent) -> String {
    match event {
        RequestEvent::Begun => "begun".to_owned(),
        RequestEvent::Assigned { reused, .. } => {
            if *reused { "assigned, reused" } else { "assigned" }.to_owned()
        }
        RequestEvent::SentAgain { cause } => format!("sent again: {cause:?}"),
        RequestEvent::Answered { status } => format!("answered {status}"),
        RequestEvent::Ended(ended) => format!("ended {:?}", ended.ending),
        other => format!("{other:?}"),
    }
}

/// A client whose functions write down what they hear, ids and times left out.
fn listening(builder: Builder<Tokio>) -> (Client, Heard) {
    let heard = Heard::default();
    let (connections, requests) = (Arc::clone(&heard), Arc::clone(&heard));
    let client = builder
        .on_connection(move |_, event| {
            connections.lock().unwrap().push(match event {
                ConnectionEvent::Connecting { .. } => "connecting".to_owned(),
                ConnectionEvent::Connected { trace, .. } => {
                    assert!(!trace.reused);
                    format!("connected by {}", trace.protocol)
                }
                ConnectionEvent::Failed { cause, .. } => format!("failed: {cause:?}"),
                ConnectionEvent::Draining { reason } => format!("draining: {reason:?}"),
                ConnectionEvent::Closed { requests, .. } => format!("closed after {requests}"),
                other => format!("{other:?}"),
            });
        })
        .on_request(move |_, event| requests.lock().unwrap().push(word(event)))
        .build()
        .unwrap();
    (client, heard)
}

fn taken(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

/// A client whose requests' ends are kept, and what they were.
fn ends(builder: Builder<Tokio>) -> (Client, Ends) {
    let all = Ends::default();
    let keeps = Arc::clone(&all);
    let client = builder.on_request(move |request, event| {
        if let RequestEvent::Ended(ended) = event {
            keeps.lock().unwrap().push((request.clone(), (**ended).clone()));
        }
    });
    (client.build().unwrap(), all)
}

#[test]
fn a_request_that_is_sent_again_is_told_step_by_step() {
    run(async {
        let ((client, heard), peer) = (listening(regatta_tokio::client()), Peer::bind().await);
        let url = peer.url("/");
        let first = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send(OK).await;
            line
        };
        let (said, mut line) = tokio::join!(get(&client, &url), first);
        assert_eq!(said.unwrap(), "ok");
        let all = ["begun", "connecting", "connected by HTTP/1.1", "assigned", "answered 200 OK"];
        assert_eq!(taken(&heard), [&all[..], &["ended Complete"]].concat());

        let again = async {
            line.head().await;
            drop(line);
            let mut line = peer.line().await;
            line.head().await;
            line.send(OK).await;
            line
        };
        let (said, mut line) = tokio::join!(get(&client, &url), again);
        assert_eq!(said.unwrap(), "ok");
        let of_connection = |said: &String| {
            ["connect", "clos", "drain"].iter().any(|begin| said.starts_with(begin))
        };
        let (connections, requests): (Vec<_>, Vec<_>) =
            taken(&heard).into_iter().partition(of_connection);
        let all = ["begun", "assigned, reused", "sent again: Some(Closed)", "assigned"];
        assert_eq!(requests, [&all[..], &["answered 200 OK", "ended Complete"]].concat());
        assert!(connections.contains(&"closed after 2".to_owned()), "{connections:?}");

        client.drain();
        line.rest().await;
        assert!(taken(&heard).contains(&format!("draining: {:?}", DrainReason::Pool)));
    });
}

/// One line of a log needs nothing but the end of a request.
#[test]
fn the_end_of_a_request_tells_all_that_a_log_wants() {
    run(async {
        let (client, ends) = ends(regatta_tokio::client());
        let server = Serving::plain(async |request: Request<Body>| {
            http_body_util::BodyExt::collect(request.into_body()).await.unwrap();
            text("hello, world")
        })
        .await;
        let url = server.url("/a/b?token=secret");
        let request = Request::post(url).body(Full::new(Bytes::from_static(b"ping"))).unwrap();
        send(&client, request).await.unwrap();
        let (facts, end) = ends.lock().unwrap().pop().unwrap();
        assert_eq!((facts.method.as_str(), &*facts.path), ("POST", "/a/b"));
        assert_eq!(facts.origin.port, server.address.port());
        assert_eq!(facts.after, None);
        assert_eq!((end.ending, end.status), (Ending::Complete, Some(StatusCode::OK)));
        assert_eq!((end.sent, end.received), (4, 12));
        assert_eq!(end.timeline.connection.unwrap().address, server.address);
        assert!(!format!("{facts:?}").contains("secret"));
    });
}

/// Each try of the policy is a request of its own, which names the one before it.
#[test]
fn tries_name_each_other() {
    run(async {
        let ((client, ends), peer) = (ends(regatta_tokio::client()), Peer::bind().await);
        let script = async {
            let mut line = peer.line().await;
            for status in ["503 Service Unavailable", "200 OK"] {
                line.head().await;
                line.send(&format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok")).await;
            }
        };
        let options = RequestOptions::default().with_retry(RetryPolicy::retries(1));
        let request = Request::get(peer.url("/")).extension(options);
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let (said, ()) = tokio::join!(send(&client, request), script);
        assert_eq!(said.unwrap().status, StatusCode::OK);
        let ends = ends.lock().unwrap();
        let [(first, failed), (second, served)] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!(failed.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!((served.status, second.after), (Some(StatusCode::OK), Some(first.id)));
    });
}

#[test]
fn a_connection_that_cannot_be_made_says_why() {
    run(async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let options = theirs.server(&["localhost"]);
        let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_| text("never"));
        let details: Arc<Mutex<Vec<_>>> = Arc::default();
        let keeps = Arc::clone(&details);
        let builder = regatta_tokio::client().roots(ours.roots());
        let (client, ends) = ends(builder.on_connection(move |connection, event| {
            if let ConnectionEvent::Failed { cause, detail, address, .. } = event {
                let detail = detail.clone().unwrap();
                keeps.lock().unwrap().push((connection.origin.clone(), *address, *cause, detail));
            }
        }));
        let url = format!("https://127.0.0.1:{}/", server.address.port());
        get(&client, url).await.unwrap_err();
        let cause = Cause::Tls(TlsFault::UnknownIssuer);
        let (origin, address, why, detail) = details.lock().unwrap().pop().unwrap();
        assert_eq!((address, why), (server.address, cause));
        assert_eq!(origin.to_string(), format!("https://{address}"));
        assert!(detail.contains("issued by no authority"), "{detail}");
        let (_, end) = ends.lock().unwrap().pop().unwrap();
        assert_eq!(end.ending, Ending::Refused(Refusal::ConnectFailed(cause)));
        assert_eq!((end.status, end.timeline.attempts.len()), (None, 1));
    });
}

#[test]
fn a_connection_with_tls_tells_what_was_agreed_on() {
    run(async {
        let authority = Authority::new();
        let options = authority.server(&["localhost"]);
        let server = regatta_tokio::server().tls(options).bind(ANY).await.unwrap();
        let server = Serving::start(server, async |_| text("ok"));
        let traces: Arc<Mutex<Vec<_>>> = Arc::default();
        let keeps = Arc::clone(&traces);
        let loopback = vec![server.address.ip()];
        let builder =
            regatta_tokio::client().roots(authority.roots()).resolve("localhost", loopback);
        let client = builder.on_connection(move |_, event| {
            if let ConnectionEvent::Connected { trace, .. } = event {
                keeps.lock().unwrap().push((**trace).clone());
            }
        });
        let url = format!("https://localhost:{}/", server.address.port());
        get(&client.build().unwrap(), url).await.unwrap();
        let trace = traces.lock().unwrap().pop().unwrap();
        let tls = trace.tls.unwrap();
        assert_eq!((trace.address, trace.protocol), (server.address, Protocol::Http2));
        assert_eq!((tls.version.as_str(), tls.alpn), ("TLSv1.3", Some(Protocol::Http2)));
        assert!(tls.cipher.starts_with("TLS_"), "{}", tls.cipher);
    });
}

#[test]
fn a_request_that_is_given_up_ends_so() {
    run(async {
        let ((client, heard), peer) = (listening(regatta_tokio::client()), Peer::bind().await);
        let url = peer.url("/");
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
        };
        tokio::select! {
            _ = get(&client, &url) => panic!("nobody answers"),
            () = script => {}
        }
        let ended = format!("ended {:?}", Ending::GivenUp);
        while !heard.lock().unwrap().contains(&ended) {
            tokio::task::yield_now().await;
        }
    });
}

/// A function may use its client in every way: nothing is locked while it runs.
#[test]
fn functions_that_use_the_client_do_not_deadlock() {
    run_on_two(async {
        let server = Serving::plain(|_| async { text("ok") }).await;
        let own: Arc<OnceLock<Client>> = Arc::default();
        let (by_connection, by_request) = (Arc::clone(&own), Arc::clone(&own));
        let asked = Arc::new(Mutex::new(0));
        let asks = Arc::clone(&asked);
        let url = server.url("/");
        let within = url.clone();
        let client = regatta_tokio::client()
            .on_connection(move |_, _| {
                if let Some(client) = by_connection.get() {
                    client.check();
                    assert!(client.stats().get("upstream_rq_made").is_some());
                }
            })
            .on_request(move |_, event| {
                let Some(client) = by_request.get() else { return };
                client.check();
                let is_ended = matches!(event, RequestEvent::Ended(_));
                let mut asks = asks.lock().unwrap();
                if is_ended && *asks < 50 {
                    *asks += 1;
                    drop(asks);
                    let (client, url) = (client.clone(), within.clone());
                    // Polled here once, so that it is begun while the function runs.
                    let mut asking = Box::pin(async move { get(&client, &url).await });
                    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                    let _ = asking.as_mut().poll(&mut cx);
                    tokio::spawn(asking);
                }
            })
            .build()
            .unwrap();
        own.set(client.clone()).unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (client, url) = (client.clone(), url.clone());
                tokio::spawn(async move { get(&client, &url).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), "ok");
        }
        while *asked.lock().unwrap() < 50 {
            tokio::task::yield_now().await;
        }
    });
}
