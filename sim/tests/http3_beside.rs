//! What goes beside heads and bodies over HTTP/3, and which body goes first: the production driver
//! of both sides, on virtual time.

mod stage;

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use regatta_core::Instant;
use regatta_core::engine::quic;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, DatagramError, Extended, HttpPriority, Runtime as _, Tunnel};
use regatta_sim::net::fault::Fault;
use regatta_sim::{Host, Net};

use self::stage::{AT, MS, NEAR, linked, trusting};

/// Two seconds and a half on the link.
const LENGTH: usize = 3_000_000;

/// A server and a client, 20 ms and 10 Mbit/s apart.
fn hosts(net: &Net) -> (Host, Host) {
    linked(net, NEAR.bandwidth(10_000_000))
}

fn client(host: &Host, datagrams: Option<u32>) -> Client<Host> {
    let builder = trusting(host).profile(|profile| profile.protocols = Protocols::Http3);
    let room = datagrams.and_then(NonZeroU32::new);
    builder.engine(|engine| engine.h3_datagrams = room).build().unwrap()
}

/// Answers with so many bytes, of which a part waits at the transport: an answer that it has whole
/// keeps its place. `/late` takes half a second before it begins.
async fn serve_bodies(server: &Host) {
    let mut options = quic::ServerOptions::default();
    options.connection.send_window = 1 << 20;
    let host = server.clone();
    let service = move |request: Request<Body>| {
        let host = host.clone();
        async move {
            if request.uri().path() == "/late" {
                host.sleep(500 * MS).await;
            }
            Response::new(Full::new(Bytes::from(vec![7; LENGTH])))
        }
    };
    stage::serve(server, AT, stage::server(server).http3(options), service).await;
}

/// When each of these ended.
type Ends = Arc<Mutex<Vec<(&'static str, Instant)>>>;

fn get(path: &str, priority: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("https://www.test{path}")).header("priority", priority);
    request.body(Full::default()).unwrap()
}

async fn read(host: &Host, ends: &Ends, name: &'static str, body: Body) {
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), LENGTH);
    ends.lock().unwrap().push((name, host.now()));
}

/// What a caller does about its second request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    /// It says from the beginning that it is urgent.
    Field,
    /// While its head is awaited.
    Future,
    /// When it has come.
    Body,
    /// The first one is of less use, as its body says.
    Other,
}

/// How long two bodies took of which the second was asked for 100 ms after the first.
fn race(change: Change, path: &'static str) -> [Duration; 2] {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    let ends = Ends::default();
    net.run(async {
        serve_bodies(&server).await;
        let client = client(&host, None);
        let began = host.now();
        let first = client.request(get("/first", "u=3")).await.unwrap().into_body();
        if change == Change::Other {
            host.sleep(100 * MS).await;
            first.prioritize(HttpPriority { urgency: 7, incremental: false });
        }
        let (at, told) = (host.clone(), Arc::clone(&ends));
        host.spawn(async move { read(&at, &told, "first", first).await });
        if change != Change::Other {
            host.sleep(100 * MS).await;
        }
        let urgent = HttpPriority { urgency: 0, incremental: true };
        let said = if change == Change::Field { "u=0, i" } else { "u=3" };
        let mut second = Box::pin(client.request(get(path, said)));
        if change == Change::Future {
            let mut waited = Box::pin(host.sleep(60 * MS));
            core::future::poll_fn(|cx| {
                assert!(second.as_mut().poll(cx).is_pending());
                waited.as_mut().poll(cx)
            })
            .await;
            second.prioritize(urgent);
        }
        let second = second.await.unwrap().into_body();
        if change == Change::Body {
            second.prioritize(urgent);
        }
        read(&host, &ends, "second", second).await;
        while ends.lock().unwrap().len() < 2 {
            host.sleep(10 * MS).await;
        }
        client.check();
        let ends = ends.lock().unwrap();
        ["first", "second"].map(|name| {
            let (_, at) = ends.iter().find(|end| end.0 == name).unwrap();
            at.saturating_since(began)
        })
    })
    .unwrap()
}

/// A body that is made urgent under way overtakes the one before it.
#[test]
fn the_answer_that_is_made_urgent_comes_first() {
    for path in ["/second", "/late"] {
        let [first, second] = race(Change::Nothing, path);
        assert!(first < second, "{path}: {first:?}, {second:?}");
        let changes = [Change::Field, Change::Future, Change::Body, Change::Other];
        for change in changes {
            let [first, second] = race(change, path);
            let told = format!("{path}, {change:?}: {first:?}, {second:?}");
            assert!(second < first, "{told}");
        }
    }
}

/// Says datagrams back as soon as they come, and keeps the tunnel until it ends.
async fn serve_datagrams(server: &Host, room: u32) {
    let builder = stage::server(server);
    let builder = builder.engine(|engine| engine.h3_datagrams = NonZeroU32::new(room));
    let host = server.clone();
    let service = move |request: Request<Body>| {
        let named = request.extensions().get::<Extended>().cloned();
        let mut response = Response::new(Full::<Bytes>::default());
        match (named, Tunnel::from_body(request.into_body())) {
            (Some(_), Some(mut tunnel)) => {
                let datagrams = tunnel.datagrams().unwrap();
                host.spawn(async move {
                    while let Some(datagram) = datagrams.receive().await {
                        datagrams.send(datagram).unwrap();
                    }
                });
                host.spawn(async move { while tunnel.read().await.is_some() {} });
            }
            _ => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        core::future::ready(response)
    };
    stage::serve(server, AT, builder, service).await;
}

async fn open(client: &Client<Host>) -> Tunnel {
    let request = Request::connect("https://www.test/").extension(Extended::new("echo").unwrap());
    let response = client.request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    Tunnel::from_body(response.into_body()).unwrap()
}

/// A datagram takes a round trip there and back and waits for nothing; how long it may be follows
/// the path.
#[test]
fn a_datagram_is_there_and_back_in_a_round_trip() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        serve_datagrams(&server, 64 << 10).await;
        let client = client(&host, Some(64 << 10));
        let began = host.now();
        let tunnel = open(&client).await;
        // The CONNECT has waited for the server's settings, which follow its handshake.
        let opened = host.now().saturating_since(began);
        assert!((120 * MS..125 * MS).contains(&opened), "{opened:?}");
        let datagrams = tunnel.datagrams().unwrap();
        let before = datagrams.max_size().unwrap();
        for length in [0, 1, before] {
            let sent = host.now();
            datagrams.send(Bytes::from(vec![1; length])).unwrap();
            assert_eq!(datagrams.receive().await.unwrap().len(), length);
            let took = host.now().saturating_since(sent);
            assert!((40 * MS..44 * MS).contains(&took), "{took:?}");
        }
        host.sleep(Duration::from_secs(5)).await;
        let after = datagrams.max_size().unwrap();
        assert!((1_150..=after).contains(&before), "{before}");
        assert!((1_400..1_452).contains(&after), "{after}");
        drop(tunnel);
        assert_eq!(datagrams.receive().await, None);
        assert_eq!(datagrams.send(Bytes::new()), Err(DatagramError::NoStream));
        assert_eq!(datagrams.max_size(), None);
    })
    .unwrap();
}

/// Where the connection dies, so do the datagrams of its streams.
#[test]
fn datagrams_end_with_their_connection() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        serve_datagrams(&server, 64 << 10).await;
        let client = client(&host, Some(64 << 10));
        let mut tunnel = open(&client).await;
        let datagrams = tunnel.datagrams().unwrap();
        net.apply(Fault::Stop(server.id()));
        assert_eq!(datagrams.receive().await, None);
        assert!(tunnel.read().await.unwrap().is_err());
    })
    .unwrap();
}

/// What waits is bounded by this side's own setting, and the oldest is lost.
#[test]
fn the_room_for_datagrams_is_what_was_configured() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        serve_datagrams(&server, 2_000).await;
        let client = client(&host, Some(1_000));
        let tunnel = open(&client).await;
        let datagrams = tunnel.datagrams().unwrap();
        assert_eq!(datagrams.max_size(), Some(1_000 - 64));
        for n in 0..50_u8 {
            datagrams.send(Bytes::from(vec![n; 36])).unwrap();
        }
        // Ten of them wait at a time, and nobody has taken any of these in between.
        assert_eq!(datagrams.lost(), (40, 0));
        host.sleep(Duration::from_secs(1)).await;
        let mut came = Vec::new();
        while came.last() != Some(&49) {
            came.push(datagrams.receive().await.unwrap()[0]);
        }
        assert_eq!(came, (40..50).collect::<Vec<u8>>());
    })
    .unwrap();
}
