//! Readers and writers that are slow, or stop: what is held for them is bounded, others go on.

use core::future::pending;
use core::pin::pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};

use super::bodies::{Boxed, Endless, Pieces, boxed, pattern};
use super::io::{all, pause};
use super::scene::{Play, Scene, Way, on_every_way, told};
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;

/// More than two pipes, two HTTP/2 windows and both sides' socket buffers hold together.
const MUCH: u64 = 32 << 20;

/// One pipe of the client, with an HTTP/2 stream's window (1 MiB) in it, and a frame or two.
const PIPE: usize = (1 << 20) + (256 << 10);

/// A service that answers `/long` with what has no end, and other paths at once.
fn endless(taken: &Arc<AtomicU64>) -> impl crate::server::Service + Clone + use<> {
    let taken = Arc::clone(taken);
    move |request: Request<Body>| {
        let long = Endless::counted(&taken);
        async move {
            match request.uri().path() {
                "/long" => Response::new(boxed(long)),
                "/never-read" => {
                    pending::<()>().await;
                    drop(request);
                    Response::new(boxed(Empty::new()))
                }
                _ => Response::new(boxed(Full::new(Bytes::from_static(b"tick")))),
            }
        }
    }
}

/// Waits until nobody takes from the body any more: its count stays, though others are served.
async fn comes_to_rest<R: Runtime>(scene: &Scene<R>, taken: &AtomicU64) -> Result<u64, String> {
    let (mut last, mut same) = (0, 0);
    while same < 20 {
        let said = scene.get("/tick").await?;
        ensure!(said == "tick", "beside a body that nobody reads came {said:?}");
        pause(&scene.runtime, Duration::from_millis(1)).await;
        let now = taken.load(Ordering::SeqCst);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        ensure!(now < MUCH, "{now} bytes were taken and nobody reads");
        let (held, _) = scene.client.held();
        ensure!(held <= PIPE, "the client holds {held} bytes of one request");
    }
    Ok(last)
}

/// A response that nobody reads is held up; when it is read it goes on.
pub async fn unread_response_is_held_up<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let taken = Arc::new(AtomicU64::new(0));
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        play.run(endless(&taken), async |scene| {
            let request = scene.request(Method::GET, "/long").body(Empty::<Bytes>::new());
            let request = request.map_err(|error| error.to_string())?;
            let mut body = scene.client.request(request).await.map_err(told)?.into_body();
            let held = comes_to_rest(scene, &taken).await?;
            let mut read = 0;
            while read <= held {
                let frame = body.frame().await.ok_or("an endless body ended")?.map_err(told)?;
                read += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// A request that its service does not read is held up.
pub async fn unread_request_is_held_up<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let taken = Arc::new(AtomicU64::new(0));
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        let play = play.server(super::timeouts::cut_soon);
        play.run(endless(&Arc::default()), async |scene| {
            let request = scene.request(Method::POST, "/never-read");
            let request = request.body(Endless::counted(&taken));
            let request = request.map_err(|error| error.to_string())?;
            let mut asked = pin!(scene.client.request(request));
            let mut rests = pin!(comes_to_rest(scene, &taken));
            core::future::poll_fn(|cx| {
                if let core::task::Poll::Ready(rests) = rests.as_mut().poll(cx) {
                    return core::task::Poll::Ready(rests.map(|_| ()));
                }
                asked.as_mut().poll(cx).map(|_| Err("nobody answers, and it ended".to_owned()))
            })
            .await
        })
        .await?;
    }
    Ok(())
}

/// Of many responses on one connection one is not read: the others go on, and so may it.
pub async fn stopped_reader_stops_nobody<R: Runtime>(runtime: R) -> Fact {
    const LONG: usize = 3 << 19;
    const OTHERS: usize = 100_000;
    async fn lengths(request: Request<Body>) -> Response<Full<Bytes>> {
        let length = if request.uri().path() == "/stopped" { LONG } else { OTHERS };
        Response::new(Full::new(pattern(length)))
    }
    on_every_way(runtime, lengths, async |scene| {
        let request = scene.request(Method::GET, "/stopped").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        let stopped = scene.client.request(request).await.map_err(told)?.into_body();
        for other in all((0..16).map(|_| scene.get("/other"))).await {
            let came = other?.len();
            ensure!(came == OTHERS, "{OTHERS} bytes were sent and {came} came");
        }
        let rest = stopped.collect().await.map_err(told)?.to_bytes();
        ensure!(rest == pattern(LONG), "{LONG} bytes were sent and {} came", rest.len());
        let made = scene.server.accepted_connections();
        ensure!(made == 1 || !scene.way.is_shared(), "{made} connections were made");
        Ok(())
    })
    .await
}

/// Who reads slowly what is written slowly gets all of it.
pub async fn slow_readers_and_writers_lose_nothing<R: Runtime>(runtime: R) -> Fact {
    const LENGTH: usize = 200_000;
    async fn pieces(request: Request<Body>) -> Response<Boxed> {
        let came = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
        Response::new(boxed(Pieces::cut(&pattern(came), 200)))
    }
    on_every_way(runtime, pieces, async |scene| {
        let body = Pieces::cut(&pattern(LENGTH), 200);
        let request = scene.request(Method::POST, "/").body(body);
        let request = request.map_err(|error| error.to_string())?;
        let mut body = scene.client.request(request).await.map_err(told)?.into_body();
        let (mut all, mut frames) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            all.extend_from_slice(&frame.map_err(told)?.into_data().unwrap_or_default());
            frames += 1;
            if frames % 10 == 0 {
                pause(&scene.runtime, Duration::from_millis(1)).await;
            }
        }
        ensure!(all == pattern(LENGTH), "{LENGTH} bytes were sent and {} came", all.len());
        Ok(())
    })
    .await
}

/// The smallest windows let a megabyte through, both ways.
pub async fn small_windows_let_much_through<R: Runtime>(runtime: R) -> Fact {
    async fn echo(request: Request<Body>) -> Response<Body> {
        Response::new(request.into_body())
    }
    let play = Play::new(runtime).on(&Way::SHARED);
    play.client(|client| {
        client.engine(|engine| (engine.stream_window, engine.connection_window) = (1_000, 65_535))
    })
    .server(|server| {
        server.engine(|engine| (engine.stream_window, engine.connection_window) = (1_000, 65_535))
    })
    .run(echo, async |scene| {
        let sent = pattern(100_000);
        let answers = (0..4).map(|_| {
            let body = Full::new(sent.clone());
            scene.send(scene.request(Method::POST, "/").body(body))
        });
        for answer in all(answers).await {
            let came = answer?.body;
            ensure!(came == sent, "{} bytes were sent and {} came", sent.len(), came.len());
        }
        Ok(())
    })
    .await
}
