//! The simulator's speed: races and requests per second of one core.

use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io::IoSlice;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use regatta_core::eyeballs::{self, Action, Event, Eyeballs};
use regatta_core::{Instant, Machine, Outbox};
use regatta_runtime::{Client, Listener as _, Roots, Runtime as _, Server, Stream as _};
use regatta_sim::{Host, Link, Net, tls};

use crate::measure::{Cost, cost, median, table};

const RUNS: usize = 5;
const DECISIONS: u64 = 200_000;
const RACES: u64 = 3_000;
const REQUESTS: u64 = 3_000;
const BATCH: u64 = 50;

/// Prints the table; or does one run for a profiler, as `one decisions`.
pub(crate) fn run(words: &[String]) {
    if let [word, what] = words
        && word == "one"
    {
        let cost = match what.as_str() {
            "decisions" => decisions(),
            "scripted" => drive(Peer::Script),
            "races" => drive(Peer::Server),
            "requests" => ask(),
            other => panic!("{other} is not: decisions, scripted, races and requests are"),
        };
        println!("{:.0} ns, {:.1} allocations", cost.nanos, cost.allocations);
        return;
    }
    table_of_all();
}

fn decisions() -> Cost {
    cost(DECISIONS, || (0..DECISIONS).for_each(|_| decide()))
}

fn table_of_all() {
    let (mut decided, mut races) = (Vec::new(), Vec::new());
    let (mut both, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        decided.push(decisions());
        races.push(drive(Peer::Script));
        both.push(drive(Peer::Server));
        requests.push(ask());
    }
    let rows = [
        ("races, decisions only", decided, 3_000_000),
        ("races, full driver, a scripted server", races, 100_000),
        ("races, full driver, the driver's own server", both, 100_000),
        ("requests, full stack, TLS, HTTP/2, both ends", requests, 10_000),
    ];
    let rows = rows.map(|(name, runs, goal)| row(name, median(runs), goal));
    let head = ["what", "a second", "ns each", "allocations each", "goal a second"];
    let what = "One core, CPU time. A race: two addresses, the first never answers, the second \
                starts 300 ms later and wins; with the driver it is a client's plain HTTP/1.1 \
                request to a new origin, answered, its connection closed, by a peer that writes a \
                fixed answer or by a server on the same driver.";
    table("Simulator", what, &head, &rows);
}

fn row(name: &str, cost: Cost, goal: u64) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}", 1e9 / cost.nanos),
        format!("{:.0}", cost.nanos),
        format!("{:.0}", cost.allocations),
        goal.to_string(),
    ]
}

const FIRST: IpAddr = IpAddr::V6(core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));

/// One race of the machine alone.
fn decide() {
    let mut out = Outbox::new();
    let mut race = Eyeballs::new(&eyeballs::Config::default(), 443);
    let mut now = Instant::from_millis(1);
    race.handle_event(now, Event::Resolved(vec![FIRST, SECOND]), &mut out);
    race.handle_event(now, Event::ResolveFinished { failed: None }, &mut out);
    now = race.poll_timeout().expect("the attempt delay runs");
    race.handle_timeout(now, &mut out);
    race.handle_event(now + Duration::from_millis(20), Event::Connected(1), &mut out);
    let mut won = false;
    while let Some(action) = out.pop() {
        won |= action == Action::Finish(Ok(1));
    }
    assert!(won, "the second address wins");
}

/// A server at the second address, and a client; the first address has nobody.
fn world(net: &Net) -> (Host, Host) {
    let server = net.host("server", [SECOND]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()]);
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    (server, client)
}

/// Who answers.
#[derive(Clone, Copy)]
enum Peer {
    Script,
    Server,
}

/// Requests to new origins, each a race, one after the other.
fn drive(peer: Peer) -> Cost {
    let net = Net::seeded(1);
    let (server, client) = world(&net);
    // Nobody answers there, not even by a refusal.
    let hole = net.host("hole", [FIRST]);
    net.link(&client, &hole, Link::cut());
    let done = net.run(async {
        match peer {
            Peer::Server => serve(&server, None, 80).await,
            Peer::Script => answer(&server).await,
        }
        let built = Client::builder(client).pool(|pool| pool.idle_timeout = Some(Duration::ZERO));
        let client = built.upstream(|config| config.records = 0).build().unwrap();
        let mut costs = Vec::new();
        for batch in 0..2 {
            let names: Vec<String> = (0..RACES).map(|n| format!("{batch}-{n}.sim.test")).collect();
            names.iter().for_each(|name| net.name(name, [FIRST, SECOND]));
            let requests = names.iter().map(|name| {
                Request::get(format!("http://{name}/")).body(Empty::<Bytes>::new()).unwrap()
            });
            let requests: Vec<_> = requests.collect();
            let start = crate::measure::begin();
            for request in requests {
                let response = client.request(request).await.expect("the second address answers");
                response.into_body().collect().await.unwrap();
            }
            costs.push(start.cost(RACES));
        }
        costs
    });
    done.unwrap().pop().unwrap_or_default()
}

/// Requests over one TLS connection, some at a time.
fn ask() -> Cost {
    let net = Net::seeded(1);
    let (server, client) = world(&net);
    net.name("www.test", [SECOND]);
    let done = net.run(async {
        serve(&server, Some(tls::good()), 443).await;
        let roots = Roots::Der(vec![tls::ROOT.to_vec()]);
        let client = Client::builder(client.clone()).roots(roots).build().unwrap();
        let mut costs = Vec::new();
        for _ in 0..2 {
            let start = crate::measure::begin();
            for _ in 0..REQUESTS / BATCH {
                let asked = (0..BATCH).map(|_| async {
                    let request = Request::get("https://www.test/").body(Empty::<Bytes>::new());
                    let response = client.request(request.unwrap()).await.expect("an answer");
                    assert_eq!(response.version(), http::Version::HTTP_2);
                    response.into_body().collect().await.unwrap()
                });
                futures_util::future::join_all(asked).await;
            }
            costs.push(start.cost(REQUESTS));
        }
        costs
    });
    done.unwrap().pop().unwrap_or_default()
}

async fn serve(host: &Host, tls: Option<regatta_core::engine::tls::ServerOptions>, port: u16) {
    let builder = Server::builder(host.clone());
    let builder = match tls {
        Some(options) => builder.tls(options),
        None => builder,
    };
    let listening = builder.bind(SocketAddr::new(SECOND, port)).await.unwrap();
    host.spawn(
        listening.serve(|_| async { Response::new(Full::new(Bytes::from_static(b"hello"))) }),
    );
}

/// Answers every connection's one request.
async fn answer(host: &Host) {
    let at = SocketAddr::new(SECOND, 80);
    let mut listener = host.listen(at.into()).await.unwrap();
    let server = host.clone();
    host.spawn(async move {
        while let Ok((mut stream, _)) = poll_fn(|cx| listener.poll_accept(cx)).await {
            server.spawn(async move {
                let mut asked = [0; 512];
                let read = poll_fn(|cx| stream.poll_read(cx, &mut asked)).await.unwrap_or(0);
                assert!(asked[..read].ends_with(b"\r\n\r\n"), "one whole request");
                let answer = [IoSlice::new(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")];
                let _ = poll_fn(|cx| stream.poll_write(cx, &answer)).await;
                let _ = poll_fn(|cx| stream.poll_read(cx, &mut asked)).await;
            });
        }
    });
}
