//! What a server tells its owner's functions.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use regatta_core::types::Protocol;

use super::io::ANY;
use super::scene::{Scene, Way, has_no_udp, until};
use super::watched::Watched;
use super::{Fact, ensure};
use crate::body::Body;
use crate::hooks::{ServerConnectionEvent, ServerRequestEvent};
use crate::runtime::{Address, Runtime};
use crate::server::{ServerBuilder, ServerHandle};

/// What was told, ids and times left out: of each connection, and of each request.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(u64, String)>>>);

impl Heard {
    fn note(&self, of: u64, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((of, what));
    }

    fn of(&self, which: u64) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(of, _)| *of == which).map(|(_, what)| what.clone()).collect()
    }

    /// Waits until it is all that was told.
    async fn is<R: Runtime>(&self, runtime: &R, which: u64, all: &[String]) -> Fact {
        until(runtime, || {
            let heard = self.of(which);
            (heard != all).then(|| format!("{all:?} was to be told, and {heard:?} was"))
        })
        .await
    }
}

/// The server that a function asks while it is told something: no lock is held then.
type Asked<R> = Arc<OnceLock<ServerHandle<Watched<R>>>>;

fn listening<R: Runtime>(
    server: ServerBuilder<Watched<R>>,
    (connections, requests): (&Heard, &Heard),
    asked: &Asked<R>,
) -> ServerBuilder<Watched<R>> {
    let (connections, requests) = (connections.clone(), requests.clone());
    let handles = [asked, asked].map(Arc::clone);
    let [of_connections, of_requests] = handles;
    server
        .on_connection(move |facts, event| {
            of_connections.get().map(ServerHandle::active_connections);
            let what = match event {
                ServerConnectionEvent::Accepted => "accepted".to_owned(),
                ServerConnectionEvent::Failed { .. } => "failed".to_owned(),
                ServerConnectionEvent::Connected { protocol, secure } => {
                    format!("connected by {protocol:?}, secure: {secure}")
                }
                ServerConnectionEvent::Draining => "draining".to_owned(),
                ServerConnectionEvent::Closed { requests, .. } => {
                    format!("closed after {requests}")
                }
            };
            let peer = facts.peer.map_or(0, |peer| u64::from(peer.port()));
            connections.note(peer, what);
        })
        .on_request(move |facts, event| {
            of_requests.get().map(ServerHandle::active_connections);
            let what = match event {
                ServerRequestEvent::Begun => format!("{} {}", facts.method, facts.path),
                ServerRequestEvent::Answered { status } => format!("answered {status}"),
                ServerRequestEvent::Ended(end) => {
                    let status = end.status.map(|status| status.as_u16());
                    format!("{:?} {status:?}, {} in, {} out", end.ending, end.received, end.sent)
                }
            };
            requests.note(facts.number, what);
        })
}

async fn echo(request: Request<Body>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await;
    Response::new(Full::new(body.map(|body| body.to_bytes()).unwrap_or_default()))
}

/// A server's functions hear of each connection and of each request all that happens, in order.
pub async fn server_tells_what_happens<R: Runtime>(runtime: R) -> Fact {
    for way in Way::ALL {
        if way.is_quic() && has_no_udp(&runtime).await {
            continue;
        }
        tells(&runtime, way).await.map_err(|sentence| format!("{way}: {sentence}"))?;
    }
    Ok(())
}

async fn tells<R: Runtime>(runtime: &R, way: Way) -> Fact {
    let (connections, requests) = (Heard::default(), Heard::default());
    let asked = Asked::default();
    let server = |server| listening(server, (&connections, &requests), &asked);
    let scene = Scene::set(runtime, way, ANY.ip(), echo, |client| client, server).await?;
    let _ = asked.set(scene.server.clone());

    let ask = scene.request(Method::POST, "/a?secret").body(Full::new(Bytes::from_static(b"ping")));
    let answer = scene.send(ask).await?;
    ensure!(answer.body == "ping", "{answer:?} came");
    scene.get("/b").await?;
    let told = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let first = told(&["POST /a", "answered 200 OK", "Complete Some(200), 4 in, 4 out"]);
    requests.is(runtime, 1, &first).await?;
    let second = told(&["GET /b", "answered 200 OK", "Complete Some(200), 0 in, 0 out"]);
    requests.is(runtime, 2, &second).await?;

    let known = || {
        let all = connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.first().map(|(peer, _)| *peer)
    };
    let Some(peer) = known() else { return Err("no connection was told".to_owned()) };
    let protocol = match way {
        way if way.is_quic() => Protocol::Http3,
        way if way.is_shared() => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let connected = format!("connected by {protocol:?}, secure: {}", way.is_tls());
    let stands = ["accepted".to_owned(), connected];
    connections.is(runtime, peer, &stands).await?;
    if !way.is_quic() {
        // Who goes before anything was said was never connected.
        let stream = runtime.connect(Address::Ip(scene.at)).await;
        drop(stream.map_err(|error| error.to_string())?);
        until(runtime, || {
            let all = connections.0.lock().unwrap_or_else(PoisonError::into_inner);
            let other: Vec<_> = all.iter().filter(|(of, _)| *of != peer).collect();
            let words: Vec<_> = other.iter().map(|(_, what)| what.as_str()).collect();
            (words != ["accepted", "failed"]).then(|| format!("of who says nothing: {other:?}"))
        })
        .await?;
    }
    scene.server.drain().await;
    let ends = ["draining".to_owned(), "closed after 2".to_owned()];
    connections.is(runtime, peer, &[stands, ends].concat()).await?;
    scene.end().await
}
