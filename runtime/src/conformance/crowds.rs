//! Many requests at once.

use core::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};

use super::io::all;
use super::scene::{Play, Scene, Way, on_every_way, send};
use super::signals::Count;
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;

async fn say_path(request: Request<Body>) -> Response<Full<Bytes>> {
    Response::new(Full::new(request.uri().path().to_owned().into()))
}

/// Asks for so many paths at once; each must get its own answer.
async fn each_gets_its_own<R: Runtime>(scene: &Scene<R>, count: usize) -> Fact {
    let paths: Vec<_> = (0..count).map(|n| format!("/{n}")).collect();
    let said = all(paths.iter().map(|path| scene.get(path))).await;
    for (path, said) in paths.iter().zip(said) {
        let said = said.map_err(|error| format!("{path}: {error}"))?;
        ensure!(said == path.as_bytes(), "{path} was asked for and {said:?} came");
    }
    Ok(())
}

/// 48 requests at once: on HTTP/2 they share one connection.
pub async fn many_at_once<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        each_gets_its_own(scene, 48).await?;
        let made = scene.server.accepted_connections();
        let most = if scene.way.is_shared() { 1 } else { 48 };
        ensure!(made <= most, "48 requests at once made {made} connections");
        Ok(())
    })
    .await
}

/// Where there may be two connections, 40 requests wait for each other and are all answered.
pub async fn requests_wait_for_a_connection<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http1, Way::Http1OverTls]);
    play.client(|client| client.limits(|limits| limits.max_connections = Some(2)))
        .run(say_path, async |scene| {
            each_gets_its_own(scene, 40).await?;
            let made = scene.server.accepted_connections();
            ensure!(made == 2, "40 requests at once on at most 2 connections made {made}");
            Ok(())
        })
        .await
}

/// Where a connection may have four streams, 40 requests wait for each other and are all
/// answered.
pub async fn requests_wait_for_a_stream<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&Way::SHARED);
    play.client(|client| client.limits(|limits| limits.max_connections = Some(1)))
        .server(|server| {
            let four = NonZeroU32::MIN.saturating_add(3);
            server.engine(|engine| engine.max_concurrent_streams = four)
        })
        .run(say_path, async |scene| each_gets_its_own(scene, 40).await)
        .await
}

/// Sixteen tasks, each with its own handle of one client.
pub async fn many_tasks_share_a_client<R: Runtime>(runtime: R) -> Fact {
    const TASKS: usize = 16;
    on_every_way(runtime, say_path, async |scene| {
        let (ended, failed) = (Arc::new(Count::default()), Arc::new(Mutex::new(Vec::new())));
        for task in 0..TASKS {
            let (client, url) = (scene.client.clone(), scene.url(&format!("/{task}")));
            let (ended, failed) = (Arc::clone(&ended), Arc::clone(&failed));
            scene.runtime.spawn(async move {
                for _ in 0..10 {
                    let said = send(&client, Request::get(&url).body(Empty::<Bytes>::new())).await;
                    let said = said.map(|answer| answer.body);
                    if said.as_ref().map_or(true, |said| *said != format!("/{task}")) {
                        let sentence = format!("/{task} was asked for and {said:?} came");
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
                    }
                }
                drop(client);
                ended.add();
            });
        }
        ended.reached(TASKS).await;
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).pop();
        failed.map_or(Ok(()), Err)
    })
    .await
}
