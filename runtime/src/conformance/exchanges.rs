//! The driver on the runtime: a client and a server that talk to each other.

use core::future::{Future, pending, poll_fn};
use core::net::SocketAddr;
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::record::Kind;
use regatta_core::upstream::Protocols;

use super::io::ANY;
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::error::Error;
use crate::options::RequestOptions;
use crate::runtime::Runtime;
use crate::server::{Server, ServerHandle, Service};

/// A server that serves in a task, and a client.
struct Ends<R: Runtime> {
    client: Client<R>,
    server: ServerHandle<R>,
    at: SocketAddr,
    ended: Arc<Mutex<bool>>,
}

impl<R: Runtime> Ends<R> {
    async fn new(runtime: &R, protocols: Protocols, service: impl Service) -> Result<Self, String> {
        let server = Server::builder(runtime.clone()).bind(ANY).await.map_err(told)?;
        let at = server.local_address().map_err(|error| error.to_string())?;
        let handle = server.handle();
        let ended = Arc::new(Mutex::new(false));
        let flag = Arc::clone(&ended);
        runtime.spawn(async move {
            server.serve(service).await;
            *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        });
        let client = Client::builder(runtime.clone());
        let client = client.profile(|profile| profile.protocols = protocols).build();
        Ok(Self { client: client.map_err(told)?, server: handle, at, ended })
    }

    fn get(&self, path: &str) -> Result<Request<Empty<Bytes>>, String> {
        let uri = format!("http://{}{path}", self.at);
        Request::get(uri).body(Empty::new()).map_err(|error| error.to_string())
    }

    async fn ask(&self, path: &str) -> Result<Bytes, String> {
        let response = self.client.request(self.get(path)?).await.map_err(told)?;
        let body = response.into_body().collect().await.map_err(told)?;
        Ok(body.to_bytes())
    }
}

fn told(error: Error) -> String {
    error.to_string()
}

async fn say_path(request: Request<Body>) -> Response<Full<Bytes>> {
    Response::new(Full::new(request.uri().path().to_owned().into()))
}

async fn echo(request: Request<Body>) -> Response<Body> {
    Response::new(request.into_body())
}

/// One GET over HTTP/1.1.
pub async fn http1_exchange<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Auto, say_path).await?;
    let said = ends.ask("/here").await?;
    ensure!(said == "/here", "expected /here, came {said:?}");
    Ok(())
}

/// Requests one after the other share one connection.
pub async fn http1_keeps_its_connection<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Auto, say_path).await?;
    for _ in 0..10 {
        ends.ask("/again").await?;
    }
    let made = ends.server.accepted_connections();
    ensure!(made == 1, "10 requests one after the other made {made} connections");
    Ok(())
}

/// One GET over HTTP/2.
pub async fn http2_exchange<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Http2PriorKnowledge, say_path).await?;
    let said = ends.ask("/here").await?;
    ensure!(said == "/here", "expected /here, came {said:?}");
    let stats = ends.client.stats();
    ensure!(stats.count(Kind::Http2) == 1, "the connection was not HTTP/2: {stats}");
    Ok(())
}

/// 64 requests at the same time share one HTTP/2 connection.
pub async fn http2_many_at_once<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Http2PriorKnowledge, say_path).await?;
    let paths: Vec<String> = (0..64).map(|n| format!("/{n}")).collect();
    let mut asked: Vec<_> = paths.iter().map(|path| Box::pin(ends.ask(path))).collect();
    let mut said: Vec<Option<Result<Bytes, String>>> = paths.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (place, asked) in said.iter_mut().zip(&mut asked).filter(|(place, _)| place.is_none()) {
            if let Poll::Ready(done) = asked.as_mut().poll(cx) {
                *place = Some(done);
            }
        }
        if said.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    for (path, said) in paths.iter().zip(said.into_iter().flatten()) {
        let said = said?;
        ensure!(said == path.as_bytes(), "expected {path}, came {said:?}");
    }
    let made = ends.server.accepted_connections();
    ensure!(made == 1, "64 requests at once made {made} connections");
    Ok(())
}

/// A megabyte goes up and comes back, over one stream.
pub async fn http2_body_of_a_megabyte_both_ways<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Http2PriorKnowledge, echo).await?;
    let sent: Bytes = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    let request = Request::post(format!("http://{}/", ends.at)).body(Full::new(sent.clone()));
    let request = request.map_err(|error| error.to_string())?;
    let response = ends.client.request(request).await.map_err(told)?;
    let back = response.into_body().collect().await.map_err(told)?.to_bytes();
    ensure!(back == sent, "{} bytes were sent and {} came back", sent.len(), back.len());
    Ok(())
}

/// A request that is not answered in its time fails, and says so.
pub async fn timeout_ends_a_request<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Auto, |_: Request<Body>| {
        pending::<Response<Empty<Bytes>>>()
    })
    .await?;
    let mut request = ends.get("/")?;
    let timeout = Some(Duration::from_millis(20));
    let options = RequestOptions { timeout, ..RequestOptions::default() };
    request.extensions_mut().insert(options);
    match ends.client.request(request).await {
        Ok(response) => Err(format!("nobody answers, and {} came", response.status())),
        Err(error) if error.is_timeout() => Ok(()),
        Err(error) => Err(format!("expected a timeout, came: {error}")),
    }
}

/// Tells when it is dropped.
struct Tell(Arc<Mutex<bool>>);

impl Drop for Tell {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// A request whose future is dropped is dropped at the service too (HTTP/2; on HTTP/1 a client
/// that goes away looks like one that has only finished speaking).
pub async fn dropped_request_ends_at_the_service<R: Runtime>(runtime: R) -> Fact {
    let (begun, dropped) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
    let (seen, tell) = (Arc::clone(&begun), Arc::clone(&dropped));
    let protocols = Protocols::Http2PriorKnowledge;
    let ends = Ends::new(&runtime, protocols, move |_: Request<Body>| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let tell = Tell(Arc::clone(&tell));
        async move {
            pending::<()>().await;
            drop(tell);
            Response::new(Empty::<Bytes>::new())
        }
    })
    .await?;
    let mut asked = Box::pin(ends.client.request(ends.get("/")?));
    let first = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
    ensure!(!first, "nobody answers, and the request ended");
    until(&runtime, &begun).await;
    drop(asked);
    until(&runtime, &dropped).await;
    Ok(())
}

/// A server that is drained ends.
pub async fn server_drains<R: Runtime>(runtime: R) -> Fact {
    let ends = Ends::new(&runtime, Protocols::Auto, say_path).await?;
    ends.ask("/").await?;
    ends.server.drain();
    until(&runtime, &ends.ended).await;
    Ok(())
}

/// Waits until a flag is set; facts have no channels, and polling is slow, not wrong.
async fn until<R: Runtime>(runtime: &R, flag: &Mutex<bool>) {
    while !*flag.lock().unwrap_or_else(PoisonError::into_inner) {
        super::io::pause(runtime, Duration::from_millis(1)).await;
    }
}
