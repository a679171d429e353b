//! Early data: what goes with the first flight of a connection that resumes an earlier one.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use regatta_core::engine::{EarlyData, quic};

use super::scene::{PATIENCE, Play, Scene, Way, certificate, read, told};
use super::watched::Watched;
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;
use crate::server::{ServerBuilder, Service};
use crate::timeline::{EarlyOutcome, Timeline};

fn taking<R: Runtime>(server: ServerBuilder<Watched<R>>) -> ServerBuilder<Watched<R>> {
    let mut options = quic::ServerOptions::default();
    options.early_data = true;
    server.tls(certificate()).http3(options)
}

/// Says whether the request came early; `/picky` is not answered then. Counts those that were
/// answered.
fn saying(answered: &Arc<AtomicU32>) -> impl Service + Clone + use<> {
    let answered = Arc::clone(answered);
    move |request: Request<Body>| {
        let is_early = request.extensions().get::<EarlyData>().is_some();
        let mut response = Response::new(Full::new(Bytes::from_static(match is_early {
            true => b"early",
            false => b"late",
        })));
        if is_early && request.uri().path() == "/picky" {
            *response.status_mut() = StatusCode::TOO_EARLY;
        } else {
            answered.fetch_add(1, Ordering::SeqCst);
        }
        core::future::ready(response)
    }
}

/// Asks on a connection of its own; how it went, and what was said.
async fn ask<R: Runtime>(
    scene: &Scene<R>,
    method: Method,
    path: &str,
) -> Result<(Timeline, Bytes), String> {
    scene.client.network_changed();
    scene.disconnects(&scene.client).await?;
    let request = scene.request(method, path).body(Full::<Bytes>::default());
    let request = request.map_err(|error| error.to_string())?;
    let response = scene.client.request(request).await.map_err(told)?;
    let timeline = response.body().timeline();
    let timeline = timeline.ok_or("a response without a timeline")?;
    let answer = read(response).await?;
    ensure!(answer.status == StatusCode::OK, "{path} was answered with {}", answer.status);
    Ok((timeline.snapshot(), answer.body))
}

/// Asks until it goes early: the first connection has no ticket, and one may be late.
async fn ask_early<R: Runtime>(scene: &Scene<R>, path: &str) -> Result<(Timeline, Bytes), String> {
    let end = scene.runtime.now() + PATIENCE;
    loop {
        let (timeline, said) = ask(scene, Method::GET, path).await?;
        if timeline.early.is_some() {
            return Ok((timeline, said));
        }
        ensure!(said == "late", "it did not go early, and {said:?} was said");
        ensure!(scene.runtime.now() < end, "{path} never went early");
    }
}

async fn play<R: Runtime>(
    runtime: R,
    answered: &Arc<AtomicU32>,
    act: impl AsyncFn(&Scene<R>) -> Fact,
) -> Fact {
    Play::new(runtime)
        .on(&[Way::Http3])
        .client(|client| client.early_data(true))
        .server(taking)
        .run(saying(answered), act)
        .await
}

/// A later connection's request goes before its handshake is complete, the server knows it to be
/// early, and its answer is the answer. What may not be repeated waits for the handshake.
pub async fn later_connections_take_early_data<R: Runtime>(runtime: R) -> Fact {
    let answered = Arc::new(AtomicU32::new(0));
    play(runtime, &answered, async |scene| {
        let (timeline, said) = ask_early(scene, "/").await?;
        let early = timeline.early.ok_or("it did not go early")?;
        match early.outcome {
            EarlyOutcome::Accepted => ensure!(said == "early", "it went early, and {said:?} came"),
            other => return Err(format!("what became of early data is {other:?}")),
        }
        let made = timeline.connection.ok_or("no connection")?;
        let tls = made.tls.ok_or("no TLS")?;
        ensure!(tls.resumed, "the session was not resumed");
        ensure!(
            early.sent <= made.established && Some(early.sent) == timeline.assigned,
            "sent at {:?}, and the handshake was complete at {:?}",
            early.sent,
            made.established
        );
        let before = answered.load(Ordering::SeqCst);
        let (timeline, said) = ask(scene, Method::POST, "/").await?;
        ensure!(timeline.early.is_none() && said == "late", "a POST went early: {said:?}");
        let posts = answered.load(Ordering::SeqCst) - before;
        ensure!(posts == 1, "a POST was answered {posts} times");
        Ok(())
    })
    .await
}

/// What a server would rather have over a full handshake goes again by itself, and is acted on
/// once.
pub async fn too_early_goes_again<R: Runtime>(runtime: R) -> Fact {
    let answered = Arc::new(AtomicU32::new(0));
    play(runtime, &answered, async |scene| {
        ask_early(scene, "/").await?;
        let before = answered.load(Ordering::SeqCst);
        let mut asked = 0;
        let (timeline, said) = loop {
            asked += 1;
            let (timeline, said) = ask(scene, Method::GET, "/picky").await?;
            if timeline.early.is_some() || asked == 100 {
                break (timeline, said);
            }
        };
        ensure!(said == "late", "{said:?} was said to who is picky");
        let early = timeline.early.ok_or("it never went early")?;
        ensure!(early.outcome == EarlyOutcome::SentAgain, "{:?}", early.outcome);
        ensure!(timeline.resends == 1, "it went again {} times", timeline.resends);
        let acted = answered.load(Ordering::SeqCst) - before;
        ensure!(acted == asked, "{asked} requests were acted on {acted} times");
        Ok(())
    })
    .await
}
