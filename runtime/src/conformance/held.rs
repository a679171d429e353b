//! Requests that wait at their service until a fact lets them go.

use core::future::{Future, pending};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};

use super::io::{all, both};
use super::scene::{Play, Scene, Way};
use super::signals::{Count, Flag, Tell};
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;
use crate::server::Service;

/// How many requests are under way when the end comes.
pub(super) const UNDER_WAY: usize = 8;

/// Requests for `/held` are counted and answered when they are let go.
#[derive(Clone, Default)]
pub(super) struct Held {
    pub(super) begun: Arc<Count>,
    pub(super) go: Flag,
}

impl Held {
    pub(super) fn service(&self) -> impl Service + Clone + use<> {
        let held = self.clone();
        move |request: Request<Body>| {
            let held = held.clone();
            async move {
                if request.uri().path() == "/held" {
                    held.begun.add();
                    held.go.raised().await;
                }
                Response::new(Full::new(Bytes::from_static(b"done")))
            }
        }
    }
}

/// Asks for `/held` several times at once; when all of that is at the service, `meanwhile` runs,
/// and then all are let go. Every one must be answered.
pub(super) async fn held_meanwhile<R: Runtime>(
    scene: &Scene<R>,
    held: &Held,
    meanwhile: impl AsyncFnOnce() -> Fact,
) -> Fact {
    let ask = all((0..UNDER_WAY).map(|_| scene.get("/held")));
    let (said, done) = both(ask, async {
        held.begun.reached(UNDER_WAY).await;
        let done = meanwhile().await;
        held.go.raise();
        done
    })
    .await;
    done?;
    for said in said {
        let said = said.map_err(|error| format!("a request that was under way: {error}"))?;
        ensure!(said == "done", "a request that was under way got {said:?}");
    }
    Ok(())
}

/// Each way has its own counter.
pub(super) async fn with_held<R: Runtime>(
    runtime: R,
    act: impl AsyncFn(&Scene<R>, &Held) -> Fact,
) -> Fact {
    for way in &Way::ALL {
        let held = Held::default();
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        play.run(held.service(), async |scene| act(scene, &held).await).await?;
    }
    Ok(())
}

/// What a service does that never answers: `begun` is raised when it is asked, `dropped` when
/// nobody waits for it any more.
pub(super) fn never(
    begun: &Flag,
    dropped: &Flag,
) -> impl Future<Output = Response<Empty<Bytes>>> + Send + use<> {
    begun.raise();
    let tell = Tell(dropped.clone());
    async move {
        pending::<()>().await;
        drop(tell);
        Response::new(Empty::new())
    }
}
