//! Connections that are to end, by either side: what is under way is finished, and what comes
//! next goes elsewhere.

use bytes::Bytes;
use core::num::NonZeroU32;
use core::time::Duration;
use http::{Method, Request, Response};
use http_body_util::{Empty, Full};
use regatta_core::record::Kind;
use regatta_core::types::{Cause, Refusal};

use super::held::{Held, held_meanwhile, with_held};
use super::io::{all, pause};
use super::scene::{PATIENCE, Play, Scene, on_every_way, until};
use super::{Fact, ensure};
use crate::body::Body;
use crate::error::Kind as ErrorKind;
use crate::runtime::{Address, Runtime};

/// A server that drains takes no connection more, answers what is under way, and then nobody is
/// there.
pub async fn draining_server_answers_what_is_under_way<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, held| {
        held_meanwhile(scene, held, async || {
            scene.server.drain();
            refuses(scene).await
        })
        .await?;
        scene.ended.raised().await;
        let active = scene.server.active_connections();
        ensure!(active == 0, "the server has ended, with {active} connections");
        let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
        match scene.client.request(request.map_err(|error| error.to_string())?).await {
            Ok(response) => Err(format!("{} came from nobody", response.status())),
            Err(error) if error.cause() == Some(Cause::Refused) => Ok(()),
            Err(error) => Err(format!("expected a refused connection, came: {error}")),
        }
    })
    .await
}

/// Connects again and again until nobody listens.
pub(super) async fn refuses<R: Runtime>(scene: &Scene<R>) -> Fact {
    let end = scene.runtime.now() + PATIENCE;
    while scene.runtime.connect(Address::Ip(scene.at)).await.is_ok() {
        ensure!(scene.runtime.now() < end, "a server still listens that was to end");
        pause(&scene.runtime, Duration::from_millis(1)).await;
    }
    Ok(())
}

/// A server that has nothing to do and drains ends, though its connections are open.
pub async fn idle_server_drains_at_once<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, _| {
        scene.get("/").await?;
        scene.server.drain();
        scene.ended.raised().await;
        scene.disconnects(&scene.client).await
    })
    .await
}

/// A service drains the connection that its request came on: the next ones go on another, and
/// none is lost.
pub async fn drained_connection_is_replaced<R: Runtime>(runtime: R) -> Fact {
    async fn last(request: Request<Body>) -> Response<Full<Bytes>> {
        let handle = request.body().connection();
        if let ("/last", Some(handle)) = (request.uri().path(), handle) {
            handle.drain();
        }
        Response::new(Full::new(request.uri().path().to_owned().into()))
    }
    on_every_way(runtime, last, async |scene| {
        for _ in 0..4 {
            for path in ["/first", "/last"] {
                let said = scene.get(path).await?;
                ensure!(said == path, "{path} was asked for and {said:?} came");
            }
        }
        let made = scene.server.accepted_connections();
        // GOAWAY may come so late that a request is sent behind it, and again elsewhere.
        ensure!((4..=8).contains(&made), "four drains made {made} connections");
        Ok(())
    })
    .await
}

/// Requests that are sent while connections are drained again and again are all answered.
pub async fn requests_survive_drains<R: Runtime>(runtime: R) -> Fact {
    const REQUESTS: usize = 60;
    async fn fickle(request: Request<Body>) -> Response<Full<Bytes>> {
        let handle = request.body().connection();
        if let (true, Some(handle)) = (request.uri().path().ends_with('7'), handle) {
            handle.drain();
        }
        Response::new(Full::new(request.uri().path().to_owned().into()))
    }
    on_every_way(runtime, fickle, async |scene| {
        let paths: Vec<_> = (0..REQUESTS).map(|n| format!("/{n}")).collect();
        for (path, said) in paths.iter().zip(all(paths.iter().map(|path| scene.get(path))).await) {
            let said = said.map_err(|error| format!("{path}: {error}"))?;
            ensure!(said == path.as_bytes(), "{path} was asked for and {said:?} came");
        }
        Ok(())
    })
    .await
}

/// A client that drains finishes what is under way, takes nothing new and has no connection in
/// the end.
pub async fn draining_client_finishes_what_is_under_way<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, held| {
        held_meanwhile(scene, held, async || {
            scene.client.drain();
            let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
            match scene.client.request(request.map_err(|error| error.to_string())?).await {
                Ok(response) => Err(format!("{} came after a drain", response.status())),
                Err(error) if *error.kind() == ErrorKind::Refused(Refusal::Draining) => Ok(()),
                Err(error) => Err(format!("expected a refusal, came: {error}")),
            }
        })
        .await?;
        scene.disconnects(&scene.client).await?;
        until(&scene.runtime, || {
            let active = scene.server.active_connections();
            (active > 0).then(|| format!("the server has {active} connections"))
        })
        .await
    })
    .await
}

/// When the network changed, what is under way is finished, over HTTP/3 from another socket, and
/// what comes next goes on a new connection.
pub async fn changed_network_replaces_connections<R: Runtime>(runtime: R) -> Fact {
    with_held(runtime, async |scene, held| {
        held_meanwhile(scene, held, async || {
            let before = scene.server.accepted_connections();
            let sockets = scene.runtime.bound();
            scene.client.network_changed();
            until(&scene.runtime, || {
                let has_moved = !scene.way.is_quic() || scene.runtime.bound() > sockets;
                (!has_moved).then(|| "the connection uses the socket that it had".to_owned())
            })
            .await?;
            scene.get("/").await?;
            let made = scene.server.accepted_connections() - before;
            ensure!(made == 1, "one request after a change made {made} connections");
            Ok(())
        })
        .await
    })
    .await
}

/// A connection that may carry three requests carries three.
pub async fn connections_carry_what_they_may<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime)
        .client(|client| client.pool(|pool| pool.max_requests_per_connection = NonZeroU32::new(3)));
    play.run(Held::default().service(), async |scene| {
        for _ in 0..9 {
            scene.get("/").await?;
        }
        let made = scene.client.stats().count(Kind::ConnectionMade);
        ensure!(made == 3, "9 requests, 3 on each connection, made {made} of them");
        scene.disconnects(&scene.client).await
    })
    .await
}
