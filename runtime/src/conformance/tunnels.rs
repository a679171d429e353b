//! Tunnels: CONNECT on every protocol, and what HTTP/1.1 upgrades to.

use core::future::poll_fn;
use core::task::Poll;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use regatta_core::types::{Origin, Scheme};

use super::bodies::pattern;
use super::io::both;
use super::scene::{Play, Scene, Way, told};
use super::signals::Flag;
use super::{Fact, ensure};
use crate::body::Body;
use crate::options::RequestOptions;
use crate::runtime::Runtime;
use crate::server::Service;
use crate::tunnel::Tunnel;

/// Makes a tunnel of CONNECT and of an upgrade, and lets `act` speak on it in a task.
fn tunnelling<R, A, F>(runtime: &R, act: A) -> impl Service + Clone + use<R, A, F>
where
    R: Runtime,
    A: Fn(Tunnel) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = runtime.clone();
    move |request: Request<Body>| {
        let mut response = Response::new(Full::<Bytes>::default());
        if request.headers().contains_key(UPGRADE) {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let fields = [(CONNECTION, "upgrade"), (UPGRADE, "echo")];
            let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
            response.headers_mut().extend(fields);
        } else if request.method() != Method::CONNECT {
            *response.body_mut() = Full::new(Bytes::from_static(b"not a tunnel"));
            return core::future::ready(response);
        }
        match Tunnel::from_body(request.into_body()) {
            Some(tunnel) => runtime.spawn(act(tunnel)),
            None => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        core::future::ready(response)
    }
}

/// Says back what comes until it ends, and then goodbye.
pub(super) async fn echo(mut tunnel: Tunnel) {
    while let Some(Ok(bytes)) = tunnel.read().await {
        if tunnel.send(bytes).await.is_err() {
            return;
        }
    }
    if tunnel.send(Bytes::from_static(b"goodbye")).await.is_ok() {
        tunnel.finish();
    }
}

/// A tunnel to far.test by the server.
async fn connect<R: Runtime>(scene: &Scene<R>) -> Result<Tunnel, String> {
    let scheme = if scene.way.is_tls() { Scheme::Https } else { Scheme::Http };
    let to = Origin { scheme, host: scene.at.ip().to_string().into(), port: scene.at.port() };
    let options = RequestOptions { to: Some(to), ..RequestOptions::default() };
    let request = Request::connect("far.test:443").extension(options).body(Empty::<Bytes>::new());
    open(scene, request, StatusCode::OK).await
}

async fn open<R: Runtime>(
    scene: &Scene<R>,
    request: http::Result<Request<Empty<Bytes>>>,
    wanted: StatusCode,
) -> Result<Tunnel, String> {
    let request = request.map_err(|error| error.to_string())?;
    let response = scene.client.request(request).await.map_err(told)?;
    let status = response.status();
    ensure!(status == wanted, "a tunnel was to be opened with {wanted}, {status} came");
    Tunnel::from_body(response.into_body()).ok_or_else(|| "its body is no tunnel".to_owned())
}

/// The next bytes, exactly so many.
async fn read(tunnel: &mut Tunnel, length: usize) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    while all.len() < length {
        let bytes = tunnel.read().await.ok_or("a tunnel ended early")?.map_err(told)?;
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

async fn say(tunnel: &mut Tunnel, said: &'static str) -> Fact {
    tunnel.send(Bytes::from_static(said.as_bytes())).await.map_err(told)
}

/// What is said comes back, and after the client's half has ended the other goes on.
async fn converse(mut tunnel: Tunnel) -> Fact {
    for said in ["one", "two"] {
        say(&mut tunnel, said).await?;
        let back = read(&mut tunnel, said.len()).await?;
        ensure!(back == said.as_bytes(), "{said} was said and {back:?} came back");
    }
    tunnel.finish();
    let last = read(&mut tunnel, 7).await?;
    ensure!(last == b"goodbye", "behind the end came {last:?}");
    ensure!(tunnel.read().await.is_none(), "something came behind goodbye");
    Ok(())
}

/// CONNECT makes a tunnel, and its client serves other requests as before.
pub async fn connect_makes_a_tunnel<R: Runtime>(runtime: R) -> Fact {
    let service = tunnelling(&runtime, echo);
    Play::new(runtime)
        .run(service, async |scene| {
            for _ in 0..2 {
                converse(connect(scene).await?).await?;
                let said = scene.get("/").await?;
                ensure!(said == "not a tunnel", "behind a tunnel came {said:?}");
            }
            Ok(())
        })
        .await
}

/// 101 makes a tunnel of an HTTP/1.1 connection.
pub async fn upgrade_makes_a_tunnel<R: Runtime>(runtime: R) -> Fact {
    let service = tunnelling(&runtime, echo);
    let play = Play::new(runtime).on(&[Way::Http1, Way::Http1OverTls]);
    play.run(service, async |scene| {
        let request = scene.request(Method::GET, "/").header(CONNECTION, "upgrade");
        let request = request.header(UPGRADE, "echo").body(Empty::new());
        converse(open(scene, request, StatusCode::SWITCHING_PROTOCOLS).await?).await?;
        let said = scene.get("/").await?;
        ensure!(said == "not a tunnel", "behind a tunnel came {said:?}");
        Ok(())
    })
    .await
}

/// More goes both ways than anything holds.
pub async fn tunnel_carries_much<R: Runtime>(runtime: R) -> Fact {
    const PARTS: usize = 64;
    const PART: usize = 16 << 10;
    let service = tunnelling(&runtime, echo);
    Play::new(runtime)
        .run(service, async |scene| {
            let mut tunnel = connect(scene).await?;
            let (part, mut sent, mut came) = (pattern(PART), 0, Vec::new());
            poll_fn(|cx| {
                loop {
                    let room = sent < PARTS && tunnel.poll_ready(cx).map_err(told)?.is_ready();
                    if room {
                        tunnel.write(part.clone());
                        sent += 1;
                        if sent == PARTS {
                            tunnel.finish();
                        }
                    }
                    match tunnel.poll_read(cx).map(Option::transpose).map_err(told)? {
                        Poll::Ready(Some(bytes)) => came.extend_from_slice(&bytes),
                        Poll::Ready(None) => return Poll::Ready(Ok::<_, String>(())),
                        Poll::Pending if room => {}
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await?;
            let whole = came.strip_suffix(b"goodbye").unwrap_or_default();
            let same = whole.len() == PARTS * PART && whole.chunks(PART).all(|one| one == part);
            ensure!(same, "{} bytes were sent and {} others came back", PARTS * PART, whole.len());
            Ok(())
        })
        .await
}

/// The server's half may end first, and the client still speaks.
pub async fn far_half_of_a_tunnel_may_end_first<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let heard = Flag::default();
        let tell = heard.clone();
        let service = tunnelling(&runtime, move |mut tunnel: Tunnel| {
            let tell = tell.clone();
            async move {
                let hello = tunnel.send(Bytes::from_static(b"hello")).await;
                tunnel.finish();
                let said = read(&mut tunnel, 7).await;
                if hello.is_ok() && said.is_ok_and(|said| said == b"goodbye") {
                    tell.raise();
                }
            }
        });
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        play.run(service, async |scene| {
            let mut tunnel = connect(scene).await?;
            let hello = read(&mut tunnel, 5).await?;
            ensure!(hello == b"hello", "{hello:?} came");
            ensure!(tunnel.read().await.is_none(), "something came behind hello");
            say(&mut tunnel, "goodbye").await?;
            tunnel.finish();
            heard.raised().await;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// A tunnel that is dropped at one end ends at the other.
pub async fn dropped_tunnel_ends_at_the_other_end<R: Runtime>(runtime: R) -> Fact {
    for way in &Way::ALL {
        let ended = Flag::default();
        let tell = ended.clone();
        let service = tunnelling(&runtime, move |mut tunnel: Tunnel| {
            let tell = tell.clone();
            async move {
                while let Some(Ok(_)) = tunnel.read().await {}
                tell.raise();
            }
        });
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        play.run(service, async |scene| {
            let mut tunnel = connect(scene).await?;
            say(&mut tunnel, "and then").await?;
            drop(tunnel);
            ended.raised().await;
            Ok(())
        })
        .await?;
        let service = tunnelling(&runtime, |mut tunnel: Tunnel| async move {
            tunnel.read().await;
        });
        let play = Play::new(runtime.clone()).on(core::slice::from_ref(way));
        play.run(service, async |scene| {
            let mut tunnel = connect(scene).await?;
            say(&mut tunnel, "go").await?;
            while let Some(Ok(_)) = tunnel.read().await {}
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Two tunnels of one client do not disturb each other.
pub async fn tunnels_live_side_by_side<R: Runtime>(runtime: R) -> Fact {
    let service = tunnelling(&runtime, echo);
    Play::new(runtime)
        .run(service, async |scene| {
            let talk = async || converse(connect(scene).await?).await;
            let (one, other) = both(talk(), talk()).await;
            one.and(other)
        })
        .await
}
