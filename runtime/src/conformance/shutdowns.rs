//! Servers and clients that go away with work under way.

use core::future::{Future as _, poll_fn};
use core::pin::pin;
use core::task::Poll;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::types::Cause;

use super::bodies::pattern;
use super::drains::refuses;
use super::held::{UNDER_WAY, held_meanwhile, never, with_held};
use super::io::{all, both};
use super::scene::{Play, Way, on_every_way, told, until};
use super::signals::Flag;
use super::timeouts::cut_soon;
use super::watched::Place;
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;

/// A server whose future is dropped listens no more, and answers what is under way.
pub async fn dropped_server_answers_what_is_under_way<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, held| {
        held_meanwhile(scene, held, async || {
            scene.stop.raise();
            scene.ended.raised().await;
            refuses(scene).await
        })
        .await?;
        scene.disconnects(&scene.client).await?;
        let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
        match scene.client.request(request.map_err(|error| error.to_string())?).await {
            Ok(response) => Err(format!("{} came from nobody", response.status())),
            Err(error) if error.cause() == Some(Cause::Refused) => Ok(()),
            Err(error) => Err(format!("expected a refused connection, came: {error}")),
        }
    })
    .await
}

/// What a drain cannot wait for is cut: the client hears an error, the service is dropped.
pub async fn long_drain_is_cut<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let (begun, dropped) = (Flag::default(), Flag::default());
        let (seen, tell) = (begun.clone(), dropped.clone());
        let service = move |_: Request<Body>| never(&seen, &tell);
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way)).server(cut_soon);
        play.run(service, async |scene| {
            let request = scene.request(Method::POST, "/").body(Empty::<Bytes>::new());
            let drain = async {
                begun.raised().await;
                scene.server.drain();
                scene.ended.raised().await;
            };
            let (said, ()) = both(scene.send(request), drain).await;
            ensure!(said.is_err(), "nobody answers, and {said:?} came");
            dropped.raised().await;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// A response is read to its end though the client it came by is gone.
pub async fn response_outlives_its_client<R: Runtime>(runtime: R) -> Fact {
    const LENGTH: usize = 400_000;
    async fn long(_: Request<Body>) -> Response<Full<Bytes>> {
        Response::new(Full::new(pattern(LENGTH)))
    }
    on_every_way(runtime, long, async |scene| {
        let client = scene.client(|client| client)?;
        let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
        let asked = client.request(request.map_err(|error| error.to_string())?);
        drop(client);
        let body = asked.await.map_err(told)?.into_body();
        let all = body.collect().await.map_err(told)?.to_bytes();
        ensure!(all == pattern(LENGTH), "{LENGTH} bytes were sent and {} came", all.len());
        until(&scene.runtime, || {
            let active = scene.server.active_connections();
            (active > 0).then(|| format!("{active} connections of nobody are open"))
        })
        .await
    })
    .await
}

/// A client that goes away while it connects gives its attempts up.
pub async fn dropped_client_gives_its_attempts_up<R: Runtime>(runtime: R) -> Fact {
    on_every_way(
        runtime,
        async |_| Response::new(Empty::<Bytes>::new()),
        async |scene| {
            scene.runtime.put(scene.at.ip(), Place::Silent);
            let client = scene.client(|client| client)?;
            let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            let mut asked = Box::pin(client.request(request.map_err(|error| error.to_string())?));
            let ready = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
            ensure!(!ready, "nobody is there, and an answer came");
            let connects = || scene.runtime.connects();
            until(&scene.runtime, || (connects() == 0).then(|| "no attempt was begun".to_owned()))
                .await?;
            drop((asked, client));
            until(&scene.runtime, || {
                (connects() > 0).then(|| format!("{} attempts of nobody are under way", connects()))
            })
            .await
        },
    )
    .await
}

/// Callers, client and server go at the same moment, with much under way: nothing is left.
pub async fn all_may_go_at_once<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, held| {
        let client = scene.client(|client| client)?;
        let asked = (0..UNDER_WAY).map(|_| {
            let request = scene.request(Method::POST, "/held").body(Full::new(pattern(1_000)));
            let request = request.map_err(|error| error.to_string());
            async { client.request(request?).await.map_err(told) }
        });
        {
            let mut asked = pin!(all(asked));
            let mut begun = pin!(held.begun.reached(UNDER_WAY));
            poll_fn(|cx| {
                let _ = asked.as_mut().poll(cx);
                begun.as_mut().poll(cx)
            })
            .await;
        }
        drop(client);
        scene.stop.raise();
        scene.server.drain();
        // On HTTP/1 a client that is gone may still want to read.
        held.go.raise();
        scene.ended.raised().await;
        Ok(())
    })
    .await
}
