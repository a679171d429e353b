//! Names with several addresses, of which some are of no use.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{Empty, Full};
use regatta_core::record::Kind;
use regatta_core::types::Cause;

use super::io::listen;
use super::scene::{Play, Scene, Way, on_every_way, read, send, told, until};
use super::watched::{Place, Watched};
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::runtime::{Address, Runtime};
use crate::timeline::{AttemptOutcome, Timeline};

/// Addresses that are documentation's (RFC 5737, RFC 3849), and here what the fact puts there.
const FIRST: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
pub(super) const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

async fn say_path(request: Request<Body>) -> Response<Full<Bytes>> {
    Response::new(Full::new(request.uri().path().to_owned().into()))
}

/// A client that knows the server by a name, which is at both addresses.
fn racing<R: Runtime>(scene: &Scene<R>) -> Result<Client<Watched<R>>, String> {
    scene.client(|client| {
        client
            .resolve("server.test", vec![FIRST, SECOND])
            .eyeballs(|eyeballs| eyeballs.attempt_delay = Duration::from_millis(10))
    })
}

fn named<R: Runtime>(scene: &Scene<R>) -> http::Result<Request<Empty<Bytes>>> {
    let port = scene.at.port();
    let url = format!("{}://server.test:{port}/raced", scene.way.scheme());
    Request::builder().method(Method::GET).uri(url).body(Empty::new())
}

/// Asks by the name, and tells what happened to the attempts.
async fn raced<R: Runtime>(scene: &Scene<R>) -> Result<(Client<Watched<R>>, Timeline), String> {
    let client = racing(scene)?;
    let request = named(scene).map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(told)?;
    let timeline = response.body().timeline();
    let answer = read(response).await?;
    ensure!(answer.body == "/raced", "came {:?}", answer.body);
    let timeline = timeline.ok_or("a response has no timeline")?.snapshot();
    Ok((client, timeline))
}

fn ended(timeline: &Timeline, wanted: [AttemptOutcome; 2]) -> Fact {
    let attempts: Vec<_> =
        timeline.attempts.iter().map(|one| (one.address.ip(), one.outcome)).collect();
    let [first, second] = wanted;
    ensure!(
        attempts == [(FIRST, first), (SECOND, second)],
        "the first was to be {first:?}, the second {second:?}; it was {attempts:?}"
    );
    Ok(())
}

/// An address on loopback at which nobody listens.
async fn closed_port<R: Runtime>(runtime: &R) -> Result<SocketAddr, String> {
    let (listener, at) = listen(runtime).await?;
    drop(listener);
    Ok(at)
}

/// The first address refuses: the second serves.
pub async fn second_address_serves_when_the_first_refuses<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        scene.runtime.put(FIRST, Place::Is(closed_port(&scene.runtime).await?));
        scene.runtime.put(SECOND, Place::Is(scene.at));
        let (_, timeline) = raced(scene).await?;
        ended(&timeline, [AttemptOutcome::Failed(Cause::Refused), AttemptOutcome::Won])
    })
    .await
}

/// The first address does not answer: the second wins, and the first is given up.
pub async fn second_address_wins_when_the_first_is_silent<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        scene.runtime.put(FIRST, Place::Silent);
        scene.runtime.put(SECOND, Place::Is(scene.at));
        let (client, timeline) = raced(scene).await?;
        ended(&timeline, [AttemptOutcome::Aborted, AttemptOutcome::Won])?;
        given_up(scene).await?;
        let aborted = client.stats().count(Kind::AttemptAborted);
        ensure!(aborted == 1, "{aborted} attempts were given up");
        Ok(())
    })
    .await
}

/// The first address takes the connection and says nothing in TLS: the second wins.
pub async fn second_address_wins_when_the_first_stalls_in_tls<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http1OverTls, Way::Http2OverTls]);
    play.run(say_path, async |scene| {
        // The system takes connections that nobody accepts.
        let (_listener, at) = listen(&scene.runtime).await?;
        scene.runtime.put(FIRST, Place::Is(at));
        scene.runtime.put(SECOND, Place::Is(scene.at));
        let (_, timeline) = raced(scene).await?;
        ended(&timeline, [AttemptOutcome::Aborted, AttemptOutcome::Won])
    })
    .await
}

/// Both addresses are good: one of them serves, and of the other nothing is left.
pub async fn one_of_two_good_addresses_serves<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        for address in [FIRST, SECOND] {
            scene.runtime.put(address, Place::Is(scene.at));
        }
        for _ in 0..5 {
            let (client, timeline) = raced(scene).await?;
            let won = timeline.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Won);
            ensure!(won.count() == 1, "one was to win; it was {:?}", timeline.attempts);
            given_up(scene).await?;
            drop(client);
        }
        Ok(())
    })
    .await
}

/// No address is of use: one error names each of them and why.
pub async fn all_addresses_refuse<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        let closed = closed_port(&scene.runtime).await?;
        for address in [FIRST, SECOND] {
            scene.runtime.put(address, Place::Is(closed));
        }
        let client = racing(scene)?;
        for _ in 0..2 {
            let request = named(scene).map_err(|error| error.to_string())?;
            let error = match client.request(request).await {
                Ok(response) => return Err(format!("{} came from nobody", response.status())),
                Err(error) => error,
            };
            let attempts = error.attempts().map_or(&[][..], |failed| &failed.attempts);
            let tried: Vec<_> = attempts.iter().map(|one| (one.address.ip(), one.cause)).collect();
            let wanted = [(FIRST, Cause::Refused), (SECOND, Cause::Refused)];
            ensure!(error.is_connect() && tried == wanted, "expected {wanted:?}, came: {error}");
        }
        // The same origin, once somebody is there.
        scene.runtime.put(SECOND, Place::Is(scene.at));
        let said = send(&client, named(scene)).await?.body;
        ensure!(said == "/raced", "came {said:?}");
        Ok(())
    })
    .await
}

/// A name by the runtime's own resolver: localhost may be at two addresses, one of them serves.
pub async fn requests_by_name<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_path, async |scene| {
        let url = format!("{}://localhost:{}/named", scene.way.scheme(), scene.at.port());
        let said = scene.send(Request::get(url).body(Empty::<Bytes>::new())).await?.body;
        ensure!(said == "/named", "came {said:?}");
        Ok(())
    })
    .await
}

/// IPv6, where the host has it.
pub async fn requests_over_ipv6<R: Runtime>(runtime: R) -> Fact {
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if runtime.listen(Address::Ip(SocketAddr::new(loopback, 0))).await.is_err() {
        return Ok(());
    }
    Play::new(runtime)
        .at(loopback)
        .run(say_path, async |scene| {
            let said = scene.get("/six").await?;
            ensure!(scene.at.is_ipv6() && said == "/six", "{} said {said:?}", scene.at);
            Ok(())
        })
        .await
}

/// Every attempt that lost is gone.
async fn given_up<R: Runtime>(scene: &Scene<R>) -> Fact {
    until(&scene.runtime, || {
        let left = scene.runtime.connects();
        (left > 0).then(|| format!("{left} attempts are under way"))
    })
    .await
}
