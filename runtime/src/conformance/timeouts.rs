//! What takes too long ends, and says so.

use core::convert::Infallible;
use core::future::{pending, poll_fn};
use core::net::{IpAddr, Ipv4Addr};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty};
use regatta_core::record::Kind;
use regatta_core::types::{Phase, Refusal};

use super::io::{listen, read_to_end, write_all};
use super::scene::{PATIENCE, Play, Scene, Way, on_every_way, until};
use super::watched::Place;
use super::{Fact, ensure};
use crate::body::Body;
use crate::error::{Error, Kind as ErrorKind};
use crate::options::RequestOptions;
use crate::runtime::{Address, Runtime};
use crate::server::ServerBuilder;

const SHORT: Duration = Duration::from_millis(20);
/// RFC 5737: nobody's address, and here what the fact puts there.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

async fn never(_: Request<Body>) -> Response<Empty<Bytes>> {
    pending().await
}

async fn at_once(_: Request<Body>) -> Response<Empty<Bytes>> {
    Response::new(Empty::new())
}

/// A body that gives one byte, and then nothing for ever.
struct Stalling {
    begun: bool,
}

impl http_body::Body for Stalling {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if core::mem::replace(&mut self.begun, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

/// A client that gives up looks on HTTP/1 like one that has only finished speaking: a service
/// that never answers is cut by the drain.
pub(super) fn cut_soon<R: Runtime>(server: ServerBuilder<R>) -> ServerBuilder<R> {
    server.downstream(|downstream| downstream.drain_timeout = Some(SHORT))
}

/// A GET with a time limit.
fn hurried<R: Runtime>(scene: &Scene<R>) -> Result<Request<Empty<Bytes>>, String> {
    let options = RequestOptions { timeout: Some(SHORT), ..RequestOptions::default() };
    let request = scene.request(Method::GET, "/").extension(options).body(Empty::new());
    request.map_err(|error| error.to_string())
}

fn is_late(error: &Error, phase: Phase) -> Fact {
    let wanted = ErrorKind::Refused(Refusal::Deadline(phase));
    ensure!(
        *error.kind() == wanted && error.is_timeout(),
        "expected the time limit to pass ({phase:?}), came: {error}"
    );
    Ok(())
}

/// A request that is not answered in its time fails.
pub async fn timeout_ends_an_unanswered_request<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime)
        .server(cut_soon)
        .run(never, async |scene| {
            for _ in 0..2 {
                match scene.client.request(hurried(scene)?).await {
                    Ok(response) => {
                        return Err(format!("nobody answers, {} came", response.status()));
                    }
                    // On a machine under load it may not even be connected by then.
                    Err(error) => {
                        let kind = error.kind();
                        let late = matches!(kind, ErrorKind::Refused(Refusal::Deadline(_)));
                        ensure!(late && error.is_timeout(), "expected a timeout, came: {error}");
                    }
                }
            }
            Ok(())
        })
        .await
}

/// A time limit holds until the response's end.
pub async fn timeout_ends_a_response<R: Runtime>(runtime: R) -> Fact {
    async fn stalls(_: Request<Body>) -> Response<Stalling> {
        Response::new(Stalling { begun: false })
    }
    Play::new(runtime)
        .server(cut_soon)
        .run(stalls, async |scene| {
            let late = match scene.client.request(hurried(scene)?).await {
                Err(error) => error,
                Ok(response) => {
                    let mut body = response.into_body();
                    loop {
                        match body.frame().await {
                            Some(Ok(_)) => {}
                            Some(Err(error)) => break error,
                            None => return Err("a body ended that has no end".to_owned()),
                        }
                    }
                }
            };
            ensure!(late.is_timeout(), "expected a timeout, came: {late}");
            Ok(())
        })
        .await
}

/// A request that waits for a connection which does not come fails in its own time.
pub async fn timeout_ends_a_request_that_waits<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, at_once, async |scene| {
        scene.runtime.put(NOBODY, Place::Silent);
        scene.runtime.put(scene.at.ip(), Place::Silent);
        match scene.client.request(hurried(scene)?).await {
            Ok(response) => Err(format!("nobody is there, {} came", response.status())),
            // On a machine under load its address may not even be known by then.
            Err(error) => {
                let waited = is_late(&error, Phase::Connecting);
                waited.or_else(|sentence| is_late(&error, Phase::Resolving).map_err(|_| sentence))
            }
        }
    })
    .await
}

/// A request behind another on the only connection fails in its own time, and the first goes on.
pub async fn timeout_ends_a_queued_request<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http1, Way::Http1OverTls]);
    play.client(|client| client.limits(|limits| limits.max_connections = Some(1)))
        .server(cut_soon)
        .run(never, async |scene| {
            let first = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            let first = scene.client.request(first.map_err(|error| error.to_string())?);
            let mut first = pin!(first);
            ensure!(!is_ready(first.as_mut()).await, "nobody answers, and an answer came");
            let stats = || scene.client.stats();
            until(&scene.runtime, || {
                let assigned = stats().count(Kind::Assigned);
                (assigned == 0).then(|| "the first request has no connection".to_owned())
            })
            .await?;
            match scene.client.request(hurried(scene)?).await {
                Ok(response) => return Err(format!("nobody answers, {} came", response.status())),
                Err(error) => is_late(&error, Phase::Queued)?,
            }
            ensure!(!is_ready(first).await, "the first request ended with the second");
            Ok(())
        })
        .await
}

async fn is_ready<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

/// A connection that is not made in its time fails whoever waits for it, and is given up.
pub async fn connect_timeout_ends_a_request<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).client(|client| client.connect_timeout(SHORT));
    play.run(at_once, async |scene| {
        scene.runtime.put(scene.at.ip(), Place::Silent);
        let error = unconnected(scene).await?;
        ensure!(error.is_timeout(), "expected the connect timeout, came: {error}");
        until(&scene.runtime, || {
            let left = scene.runtime.connects();
            (left > 0).then(|| format!("{left} attempts are under way"))
        })
        .await
    })
    .await
}

/// TLS is part of the time: a peer that takes the connection and says nothing is no connection.
pub async fn connect_timeout_counts_tls<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http1OverTls, Way::Http2OverTls]);
    play.client(|client| client.connect_timeout(SHORT))
        .run(at_once, async |scene| {
            let (_listener, at) = listen(&scene.runtime).await?;
            scene.runtime.put(scene.at.ip(), Place::Is(at));
            let error = unconnected(scene).await?;
            ensure!(error.is_timeout(), "expected the connect timeout, came: {error}");
            Ok(())
        })
        .await
}

/// Why no connection came about, once one was tried. The time may be over before the name is
/// looked up, where nobody has run meanwhile: that says nothing about attempts, and is asked again.
async fn unconnected<R: Runtime>(scene: &Scene<R>) -> Result<Error, String> {
    let end = scene.runtime.now() + PATIENCE;
    loop {
        let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
        let error = match scene.client.request(request.map_err(|error| error.to_string())?).await {
            Ok(response) => return Err(format!("nobody is there, {} came", response.status())),
            Err(error) if error.is_connect() => error,
            Err(error) => return Err(format!("expected a failed connection, came: {error}")),
        };
        let untried = error.attempts().is_some_and(|failed| failed.attempts.is_empty());
        if !untried || scene.runtime.now() >= end {
            return Ok(error);
        }
    }
}

/// A client closes a connection that it has not used for so long, and makes another.
pub async fn client_closes_idle_connections<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).client(|client| client.idle_timeout(Some(SHORT)));
    play.run(at_once, async |scene| {
        for made in 1..=2 {
            scene.get("/").await?;
            scene.disconnects(&scene.client).await?;
            let counted = scene.client.stats().count(Kind::IdleTimeout);
            ensure!(counted == made, "{made} connections were idle, {counted} timed out");
        }
        Ok(())
    })
    .await
}

/// A server closes a connection that asks for nothing; the client makes another.
pub async fn server_closes_idle_connections<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime)
        .server(|server| server.engine(|engine| engine.idle_timeout = Some(SHORT)));
    play.run(at_once, async |scene| {
        for _ in 0..2 {
            scene.get("/").await?;
            scene.disconnects(&scene.client).await?;
        }
        let made = scene.server.accepted_connections();
        ensure!(made >= 2, "two connections were to be closed, {made} were made");
        Ok(())
    })
    .await
}

/// A server waits for a head only so long, and for a TLS handshake too.
pub async fn server_closes_who_says_nothing<R: Runtime>(runtime: R) -> Fact {
    let play =
        Play::new(runtime).server(|server| server.engine(|engine| engine.head_timeout = SHORT));
    play.run(at_once, async |scene| {
        let half: [&[u8]; 2] = [b"", b"GET / HTTP/1.1\r\nhost: a\r\n"];
        for said in half {
            let mut stream =
                scene.runtime.connect(Address::Ip(scene.at)).await.map_err(|e| e.to_string())?;
            write_all(&mut stream, said).await.map_err(|error| error.to_string())?;
            // What it says before the end is its own; an end by a reset is one too.
            let _ = read_to_end(&mut stream).await;
        }
        until(&scene.runtime, || {
            let active = scene.server.active_connections();
            (active > 0).then(|| format!("{active} connections are held for who says nothing"))
        })
        .await
    })
    .await
}

/// A peer that stops answering is given up, and its requests with it.
pub async fn silent_peer_fails_its_pings<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http2]).client(|client| {
        client.engine(|engine| {
            engine.keep_alive_interval = Some(SHORT);
            engine.keep_alive_timeout = SHORT;
        })
    });
    play.run(at_once, async |scene| {
        let (_listener, at) = listen(&scene.runtime).await?;
        scene.runtime.put(scene.at.ip(), Place::Is(at));
        let request = scene.request(Method::POST, "/").body(Empty::<Bytes>::new());
        match scene.client.request(request.map_err(|error| error.to_string())?).await {
            Ok(response) => Err(format!("nobody answers, {} came", response.status())),
            Err(error) if error.is_timeout() => Ok(()),
            Err(error) => Err(format!("expected unanswered PINGs, came: {error}")),
        }
    })
    .await
}
