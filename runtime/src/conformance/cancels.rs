//! Callers that go away: at every point at which they wait, and whoever waits for them hears it.

use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use bytes::Bytes;
use http::header::TRAILER;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::record::Kind;

use super::bodies::{Endless, Pieces, pattern};
use super::held::never;
use super::io::both;
use super::scene::{Play, Scene, Way, on_every_way, read, send, told};
use super::signals::{Flag, Tell};
use super::watched::Watched;
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::runtime::Runtime;

/// More polls than any request here takes.
const MOST_POLLS: usize = 1_000;

/// When a future is dropped that has been polled so often.
#[derive(Clone, Copy, Debug)]
enum Dropped {
    /// As soon as it says that it waits.
    Waiting,
    /// When it was woken, before it has looked why.
    Woken,
}

/// What a future says, or `None` if it was dropped after so many polls.
async fn polled<F: Future>(future: F, times: usize, dropped: Dropped) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match (future.as_mut().poll(cx), dropped) {
            (Poll::Ready(said), _) => Poll::Ready(Some(said)),
            (Poll::Pending, Dropped::Waiting) if left == 0 => Poll::Ready(None),
            (Poll::Pending, _) => Poll::Pending,
        }
    })
    .await
}

/// Says back what came, trailers included; and to GET its path.
async fn echo(request: Request<Body>) -> Response<Body> {
    let mut response = Response::new(request.into_body());
    response.headers_mut().insert(TRAILER, HeaderValue::from_static("checked"));
    response
}

/// Everything that a request can have: a body in pieces and trailers, both ways.
async fn whole<R: Runtime>(client: &Client<Watched<R>>, url: &str) -> Result<(), String> {
    let sent = pattern(1_000);
    let mut trailers = HeaderMap::new();
    trailers.insert("checked", HeaderValue::from_static("yes"));
    let body = Pieces::cut(&sent, 3).and_trailers(trailers);
    let request = Request::post(url).header(TRAILER, "checked").body(body);
    let answer = send(client, request).await?;
    ensure!(answer.body == sent, "{} bytes were sent, {} came", sent.len(), answer.body.len());
    ensure!(answer.trailers.is_some(), "trailers were sent and none came back");
    Ok(())
}

/// A client whose request is dropped at any point serves the next, and keeps nothing of it.
pub async fn request_can_be_dropped_at_every_poll<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        let url = format!("{}://localhost:{}/", scene.way.scheme(), scene.at.port());
        for dropped in [Dropped::Waiting, Dropped::Woken] {
            let mut waited = 0;
            for times in 0..MOST_POLLS {
                // A new client each: its name, connection and handshake are waited for too.
                let client = scene.client(|client| client)?;
                let said = polled(whole(&client, &url), times, dropped).await;
                client.check();
                let next = whole(&client, &url).await;
                next.map_err(|error| format!("{dropped:?} at poll {times}, next: {error}"))?;
                scene.rests(&client).await?;
                let Some(said) = said else {
                    waited += 1;
                    continue;
                };
                said.map_err(|error| format!("{dropped:?} behind {times} polls: {error}"))?;
                // A thread that rests within its first poll may find the answer at its end.
                if times > 3 {
                    ensure!(waited > 2, "of {times} requests {waited} had to wait");
                    break;
                }
            }
        }
        Ok(())
    })
    .await
}

/// Requests that are dropped at any point harm no other on the same connection.
pub async fn dropped_requests_harm_no_neighbour<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        let (client, url) = (&scene.client, scene.url("/"));
        whole(client, &url).await?;
        for dropped in [Dropped::Waiting, Dropped::Woken] {
            for times in 0..MOST_POLLS {
                let (said, neighbour) =
                    both(polled(whole(client, &url), times, dropped), whole(client, &url)).await;
                neighbour.map_err(|error| format!("{dropped:?} at poll {times}: {error}"))?;
                if let Some(said) = said {
                    said?;
                    break;
                }
            }
        }
        let made = client.stats().count(Kind::ConnectionMade);
        ensure!(made == 1 || !scene.way.is_shared(), "{made} connections were made");
        Ok(())
    })
    .await
}

/// A request whose future is dropped is dropped at the service too (HTTP/2; on HTTP/1 a client
/// that goes away looks like one that has only finished speaking).
pub async fn dropped_request_ends_at_the_service<R: Runtime>(runtime: R) -> Fact {
    let (begun, ended) = (Flag::default(), Flag::default());
    let (seen, tell) = (begun.clone(), ended.clone());
    let service = move |_: Request<Body>| never(&seen, &tell);
    Play::new(runtime)
        .on(&Way::SHARED)
        .run(service, async |scene| {
            let asked = scene.get("/");
            give_up_when(asked, &begun).await?;
            ended.raised().await;
            Ok(())
        })
        .await
}

/// An upload that is dropped is no whole upload for the service that reads it: it hears of the
/// end or is dropped itself.
pub async fn dropped_upload_is_not_complete<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let (begun, ended, whole) = (Flag::default(), Flag::default(), Flag::default());
        let (seen, tell, lie) = (begun.clone(), ended.clone(), whole.clone());
        let service = move |request: Request<Body>| {
            let (seen, tell, lie) = (seen.clone(), Tell(tell.clone()), lie.clone());
            async move {
                let mut body = request.into_body();
                while let Some(frame) = body.frame().await {
                    if frame.is_err() {
                        pending::<()>().await;
                    }
                    seen.raise();
                }
                lie.raise();
                drop(tell);
                Response::new(Empty::<Bytes>::new())
            }
        };
        let ways = core::slice::from_ref(way);
        let play = Play::new(runtime.clone()).on(ways).run(service, async |scene| {
            let request = scene.request(Method::POST, "/").body(Endless::new().0);
            give_up_when(scene.send(request), &begun).await?;
            ended.raised().await;
            ensure!(!whole.is_raised(), "an upload that was given up came whole");
            Ok(())
        });
        play.await?;
    }
    Ok(())
}

/// Ends without a word when the flag is raised, and drops the future by that.
async fn give_up_when<T>(future: impl Future<Output = Result<T, String>>, flag: &Flag) -> Fact {
    let (mut future, mut raised) = (pin!(future), pin!(flag.raised()));
    poll_fn(|cx| {
        if raised.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        future.as_mut().poll(cx).map(|said| {
            said?;
            Err("nobody answers that, and an answer came".to_owned())
        })
    })
    .await
}

/// An endless body that tells when it is dropped.
struct Told {
    body: Endless,
    _tell: Tell,
}

impl HttpBody for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

/// A response that is dropped before its end is dropped at the service too.
pub async fn dropped_response_ends_at_the_service<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let ended = Flag::default();
        let tell = ended.clone();
        let service = move |_: Request<Body>| {
            let body = Told { body: Endless::new().0, _tell: Tell(tell.clone()) };
            async { Response::new(body) }
        };
        let ways = core::slice::from_ref(way);
        let play = Play::new(runtime.clone()).on(ways).run(service, async |scene| {
            let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            let request = request.map_err(|error| error.to_string())?;
            let mut body = scene.client.request(request).await.map_err(told)?.into_body();
            body.frame().await.ok_or("an endless body ended")?.map_err(told)?;
            ensure!(!ended.is_raised(), "a body was dropped that is read");
            drop(body);
            ended.raised().await;
            Ok(())
        });
        play.await?;
    }
    Ok(())
}

/// A request that was made and never polled is nothing, and its body is dropped with it.
pub async fn request_that_is_never_polled_is_nothing<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        let dropped = Flag::default();
        let body = Told { body: Endless::new().0, _tell: Tell(dropped.clone()) };
        let request = scene.request(Method::POST, "/").body(body);
        drop(scene.client.request(request.map_err(|error| error.to_string())?));
        ensure!(dropped.is_raised(), "a request was dropped and its body was not");
        let requested = scene.client.stats().count(Kind::Requested);
        ensure!(requested == 0, "a request that nobody polled was made");
        Ok(())
    })
    .await
}

/// A response that is left anywhere in its body gives way to the next.
pub async fn response_may_be_left_in_the_middle<R: Runtime>(runtime: R) -> Fact {
    async fn long(_: Request<Body>) -> Response<Full<Bytes>> {
        Response::new(Full::new(pattern(200_000)))
    }
    on_every_way(runtime, long, async |scene: &Scene<R>| {
        for frames in 0..6 {
            let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            let request = request.map_err(|error| error.to_string())?;
            let mut body = scene.client.request(request).await.map_err(told)?.into_body();
            for _ in 0..frames {
                let Some(frame) = body.frame().await else { break };
                frame.map_err(told)?;
            }
            drop(body);
            let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            let request = request.map_err(|error| error.to_string())?;
            let next = read(scene.client.request(request).await.map_err(told)?).await?;
            ensure!(next.body == pattern(200_000), "{} bytes came", next.body.len());
        }
        Ok(())
    })
    .await
}
