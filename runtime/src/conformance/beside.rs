//! What of an exchange goes beside its head and body over HTTP/3: datagrams.

use core::cell::Cell;
use core::num::NonZeroU32;
use core::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use regatta_core::engine::h3::DatagramError;
use regatta_core::engine::{Config as EngineConfig, Extended};

use super::io::{both, either, pause};
use super::scene::{PATIENCE, Play, Scene, Way, told, until};
use super::tunnels::echo;
use super::{Fact, ensure};
use crate::body::Body;
use crate::http_datagrams::HttpDatagrams;
use crate::runtime::Runtime;
use crate::server::Service;
use crate::tunnel::Tunnel;

/// Bytes of datagrams that wait.
const ROOM: u32 = 64 << 10;

fn with_datagrams(engine: &mut EngineConfig) {
    engine.h3_datagrams = NonZeroU32::new(ROOM);
}

/// Says back bytes and datagrams of a CONNECT for `echo`.
fn echoing<R: Runtime>(runtime: &R) -> impl Service + Clone + use<R> {
    let runtime = runtime.clone();
    move |request: Request<Body>| {
        let mut response = Response::new(Full::<Bytes>::default());
        let named = request.extensions().get::<Extended>().map(Extended::as_str);
        if named != Some("echo") {
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        } else if let Some(tunnel) = Tunnel::from_body(request.into_body()) {
            runtime.spawn(async move {
                let datagrams = tunnel.datagrams();
                both(echo(tunnel), say_back(datagrams)).await;
            });
        }
        core::future::ready(response)
    }
}

async fn say_back(datagrams: Option<HttpDatagrams>) {
    let Some(datagrams) = datagrams else { return };
    while let Some(datagram) = datagrams.receive().await {
        // Whatever becomes of it: they are unreliable.
        let _ = datagrams.send(datagram);
    }
}

/// The answer to a CONNECT for a protocol of this name.
async fn ask<R: Runtime>(scene: &Scene<R>, named: &str) -> Result<Response<Body>, String> {
    let named = Extended::new(named).ok_or("no name")?;
    let request = Request::connect(scene.url("/there")).extension(named);
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    scene.client.request(request).await.map_err(told)
}

async fn open<R: Runtime>(scene: &Scene<R>) -> Result<Tunnel, String> {
    let response = ask(scene, "echo").await?;
    let status = response.status();
    ensure!(status == StatusCode::OK, "a tunnel was to be opened, {status} came");
    Tunnel::from_body(response.into_body()).ok_or_else(|| "its body is no tunnel".to_owned())
}

/// Sends a datagram until it has come back: any of them may be lost.
async fn comes_back<R: Runtime>(
    scene: &Scene<R>,
    datagrams: &HttpDatagrams,
    datagram: &Bytes,
) -> Fact {
    let end = scene.runtime.now() + PATIENCE;
    while scene.runtime.now() < end {
        datagrams.send(datagram.clone()).map_err(|error| error.to_string())?;
        let came = Cell::new(None);
        let back = async {
            loop {
                let back = datagrams.receive().await;
                if back.is_none() || back.as_ref() == Some(datagram) {
                    return came.set(Some(back));
                }
            }
        };
        either(back, pause(&scene.runtime, Duration::from_millis(100))).await;
        match came.take() {
            Some(Some(_)) => return Ok(()),
            Some(None) => return Err("the datagrams ended under way".to_owned()),
            None => {}
        }
    }
    Err(format!("a datagram of {} bytes did not come back", datagram.len()))
}

/// Datagrams go both ways beside the bytes of a tunnel, up to a length that is told, and end with
/// it.
pub async fn datagrams_go_beside_a_tunnel<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime.clone())
        .on(&[Way::Http3])
        .client(|client| client.engine(with_datagrams))
        .server(|server| server.engine(with_datagrams))
        .run(echoing(&runtime), async |scene| {
            let mut tunnel = open(scene).await?;
            let datagrams = tunnel.datagrams().ok_or("the tunnel has no datagrams")?;
            until(&scene.runtime, || {
                datagrams.max_size().is_none().then(|| "none can be sent".to_owned())
            })
            .await?;
            let longest = datagrams.max_size().unwrap_or_default();
            ensure!((1_100..1_500).contains(&longest), "{longest} bytes may be sent");
            comes_back(scene, &datagrams, &Bytes::from_static(b"short")).await?;
            comes_back(scene, &datagrams, &Bytes::new()).await?;
            comes_back(scene, &datagrams, &Bytes::from(vec![b'x'; longest])).await?;
            let long = datagrams.send(Bytes::from(vec![0; 60_000]));
            ensure!(long == Err(DatagramError::TooLong), "60,000 bytes: {long:?}");
            tunnel.send(Bytes::from_static(b"bytes")).await.map_err(told)?;
            let bytes = tunnel.read().await.ok_or("a tunnel ended early")?.map_err(told)?;
            ensure!(bytes == "bytes", "bytes were said and {bytes:?} came back");
            tunnel.finish();
            while let Some(bytes) = tunnel.read().await {
                bytes.map_err(told)?;
            }
            while datagrams.receive().await.is_some() {}
            let late = datagrams.send(Bytes::new());
            ensure!(late == Err(DatagramError::NoStream), "behind the end: {late:?}");
            Ok(())
        })
        .await
}

/// Where one side takes no datagrams none go, and the tunnel's bytes do.
pub async fn datagrams_need_both_sides<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime.clone())
        .on(&[Way::Http3])
        .client(|client| client.engine(with_datagrams))
        .run(echoing(&runtime), async |scene| {
            let mut tunnel = open(scene).await?;
            let datagrams = tunnel.datagrams().ok_or("this side takes datagrams")?;
            let sent = datagrams.send(Bytes::from_static(b"nobody"));
            ensure!(sent == Err(DatagramError::Unsupported), "the server takes none: {sent:?}");
            tunnel.finish();
            while let Some(bytes) = tunnel.read().await {
                bytes.map_err(told)?;
            }
            ensure!(datagrams.receive().await.is_none(), "a datagram came from nowhere");
            Ok(())
        })
        .await?;
    Play::new(runtime.clone())
        .on(&[Way::Http3])
        .server(|server| server.engine(with_datagrams))
        .run(echoing(&runtime), async |scene| {
            let mut tunnel = open(scene).await?;
            ensure!(tunnel.datagrams().is_none(), "this side takes no datagrams");
            tunnel.finish();
            while let Some(bytes) = tunnel.read().await {
                bytes.map_err(told)?;
            }
            Ok(())
        })
        .await
}

/// What nobody takes costs no more than its queue, and the newest are kept.
pub async fn datagrams_that_nobody_takes_are_lost<R: Runtime>(runtime: R) -> Fact {
    const MANY: u32 = 20_000;
    const KEPT: usize = (ROOM / (64 + 4)) as usize;
    Play::new(runtime.clone())
        .on(&[Way::Http3])
        .client(|client| client.engine(with_datagrams))
        .server(|server| server.engine(with_datagrams))
        .run(echoing(&runtime), async |scene| {
            let tunnel = open(scene).await?;
            let datagrams = tunnel.datagrams().ok_or("the tunnel has no datagrams")?;
            until(&scene.runtime, || {
                datagrams.max_size().is_none().then(|| "none can be sent".to_owned())
            })
            .await?;
            for n in 0..MANY {
                let datagram = Bytes::copy_from_slice(&n.to_be_bytes());
                datagrams.send(datagram).map_err(|error| error.to_string())?;
            }
            let (unsent, _) = datagrams.lost();
            let least = u64::from(MANY) - KEPT as u64;
            // The connection's task may have taken some meanwhile.
            ensure!(unsent <= least, "{unsent} of {MANY} were lost, of which {KEPT} may wait");
            // Enough comes back for a queue that nobody reads to overflow.
            until(&scene.runtime, || {
                for _ in 0..64 {
                    let _ = datagrams.send(Bytes::from_static(b"more"));
                }
                (datagrams.lost().1 == 0).then(|| "nothing was lost of what came".to_owned())
            })
            .await?;
            drop(tunnel);
            until(&scene.runtime, || {
                datagrams.max_size().map(|_| "datagrams outlive their tunnel".to_owned())
            })
            .await?;
            let mut kept = 0;
            while datagrams.receive().await.is_some() {
                kept += 1;
            }
            ensure!((KEPT - 8..=KEPT).contains(&kept), "{kept} datagrams were kept, not {KEPT}");
            Ok(())
        })
        .await
}

/// A CONNECT for a protocol is answered over HTTP/2 and HTTP/3 also where it is the first request
/// of its connection, and cannot be said over HTTP/1.1.
pub async fn connect_may_name_a_protocol<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime.clone())
        .on(&Way::SHARED)
        .run(echoing(&runtime), async |scene| {
            let other = ask(scene, "websocket").await?;
            let status = other.status();
            ensure!(status == StatusCode::NOT_IMPLEMENTED, "websocket was answered with {status}");
            drop(other);
            let mut tunnel = open(scene).await?;
            tunnel.finish();
            let bytes = tunnel.read().await.ok_or("a tunnel ended early")?.map_err(told)?;
            ensure!(bytes == "goodbye", "{bytes:?} came");
            Ok(())
        })
        .await?;
    Play::new(runtime.clone())
        .on(&[Way::Http1, Way::Http1OverTls])
        .run(echoing(&runtime), async |scene| match ask(scene, "echo").await {
            Ok(response) => Err(format!("it was answered with {}", response.status())),
            Err(sentence) => {
                ensure!(sentence.contains("takes no CONNECT for echo"), "{sentence}");
                Ok(())
            }
        })
        .await
}
