//! The race between QUIC and TCP: an origin offers HTTP/3, and networks carry it or do not.

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{Empty, Full};
use regatta_core::altsvc::{Alternative, Offer};
use regatta_core::race::Delay;
use regatta_core::types::{Origin, Scheme};

use super::io::pause;
use super::scene::{PATIENCE, Play, Scene, Way, has_no_udp, read, told};
use super::watched::{Place, Watched};
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::runtime::Runtime;
use crate::server::ServerBuilder;

async fn say_path(request: Request<Body>) -> Response<Full<Bytes>> {
    Response::new(Full::new(request.uri().path().to_owned().into()))
}

/// A server that speaks HTTP/3 beside the others.
fn and_http3<R: Runtime>(server: ServerBuilder<Watched<R>>) -> ServerBuilder<Watched<R>> {
    #[cfg(feature = "http3")]
    let server = server.http3(regatta_core::engine::quic::ServerOptions::default());
    server
}

/// Sets the scene where HTTP/3 can be spoken at all.
async fn raced<R: Runtime>(runtime: R, act: impl AsyncFn(&Scene<R>) -> Fact) -> Fact {
    if !cfg!(feature = "http3") || has_no_udp(&runtime).await {
        return Ok(());
    }
    Play::new(runtime).on(&[Way::Http2OverTls]).server(and_http3).run(say_path, act).await
}

/// How soon TCP begins where QUIC says nothing.
#[derive(Clone, Copy)]
enum Tcp {
    /// As always.
    Soon,
    /// So late that it takes nothing from QUIC on a machine under load.
    Late,
}

/// A client that knows from the beginning that the server offers HTTP/3.
fn knowing<R: Runtime>(scene: &Scene<R>, tcp: Tcp) -> Result<Client<Watched<R>>, String> {
    let (host, port) = (scene.at.ip().to_string().into(), scene.at.port());
    let origin = Origin { scheme: Scheme::Https, host, port };
    let offer = Offer::new(Alternative::http3(port));
    scene.client(|client| {
        let client = client.http3().alternative(origin, offer);
        match tcp {
            Tcp::Soon => client,
            Tcp::Late => client.race(|race| race.delay = Delay::Fixed(PATIENCE)),
        }
    })
}

/// What a request was answered over.
async fn asked<R: Runtime>(
    scene: &Scene<R>,
    client: &Client<Watched<R>>,
) -> Result<Version, String> {
    let request = Request::get(scene.url("/asked")).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(told)?;
    let version = response.version();
    let said = read(response).await?.body;
    ensure!(said == "/asked", "/asked was asked for and {said:?} came over {version:?}");
    Ok(version)
}

/// Asks several times; each must be answered over `wanted`.
async fn each_over<R: Runtime>(
    scene: &Scene<R>,
    client: &Client<Watched<R>>,
    wanted: Version,
) -> Fact {
    for _ in 0..4 {
        let version = asked(scene, client).await?;
        ensure!(version == wanted, "it was to be answered over {wanted:?} and was {version:?}");
    }
    Ok(())
}

/// The first answer says that there is HTTP/3, and soon nothing goes over TCP any more.
pub async fn learnt_http3_serves_later_requests<R: Runtime>(runtime: R) -> Fact {
    raced(runtime, async |scene| {
        let client = scene.client(|client| client.http3())?;
        let first = asked(scene, &client).await?;
        ensure!(first == Version::HTTP_2, "nothing was known, and {first:?} was spoken");
        let end = scene.runtime.now() + PATIENCE;
        while asked(scene, &client).await? != Version::HTTP_3 {
            ensure!(scene.runtime.now() < end, "HTTP/3 was offered and never used");
            pause(&scene.runtime, core::time::Duration::from_millis(1)).await;
        }
        each_over(scene, &client, Version::HTTP_3).await
    })
    .await
}

/// Where HTTP/3 is known and the network carries it, it is spoken from the first request on.
pub async fn known_http3_serves_the_first_request<R: Runtime>(runtime: R) -> Fact {
    raced(runtime, async |scene| {
        each_over(scene, &knowing(scene, Tcp::Late)?, Version::HTTP_3).await?;
        // Also where nothing else would.
        scene.runtime.put_udp(scene.at.ip(), Place::Is(scene.at));
        scene.runtime.put(scene.at.ip(), Place::Silent);
        each_over(scene, &knowing(scene, Tcp::Late)?, Version::HTTP_3).await
    })
    .await
}

/// A network that swallows UDP loses no request: TCP serves them.
pub async fn swallowed_udp_leaves_requests_to_tcp<R: Runtime>(runtime: R) -> Fact {
    raced(runtime, async |scene| {
        scene.runtime.put_udp(scene.at.ip(), Place::Silent);
        each_over(scene, &knowing(scene, Tcp::Soon)?, Version::HTTP_2).await
    })
    .await
}

/// A server at whose UDP port nobody is loses no request either.
pub async fn refused_udp_leaves_requests_to_tcp<R: Runtime>(runtime: R) -> Fact {
    raced(runtime, async |scene| {
        let closed = super::datagrams::closed_port(&scene.runtime).await?;
        scene.runtime.put_udp(scene.at.ip(), Place::Is(closed));
        each_over(scene, &knowing(scene, Tcp::Soon)?, Version::HTTP_2).await
    })
    .await
}
