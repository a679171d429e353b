//! What a client promises beside the single request, on virtual time.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::Instant;
use regatta_core::record::Kind;
use regatta_core::types::Refusal;
use regatta_core::upstream::Protocols;
use regatta_runtime::{
    Body, Client, Error, ErrorKind, RequestOptions, RetryBudget, RetryPolicy, Runtime as _, Server,
    Timer as _, Verdict, Why,
};
use regatta_sim::net::fault::Fault;
use regatta_sim::net::nat::Nat;
use regatta_sim::{Host, Link, Net};

mod dropped;

const MS: Duration = Duration::from_millis(1);

/// A server, and a client 10 ms away from it.
fn two_hosts(net: &Net) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&client, &server, Link::delay(10 * MS));
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    (server, client)
}

/// Answers `/N` after N milliseconds.
async fn serve_late(server: &Host) {
    let at: std::net::SocketAddr = "192.0.2.1:80".parse().unwrap();
    let listening = Server::builder(server.clone()).bind(at).await.unwrap();
    let host = server.clone();
    server.spawn(listening.serve(move |request: Request<_>| {
        let host = host.clone();
        async move {
            let millis = request.uri().path().trim_start_matches('/').parse().unwrap();
            host.sleep(Duration::from_millis(millis)).await;
            Response::new(Full::new(Bytes::from("late")))
        }
    }));
}

fn client(host: &Host, protocols: Protocols) -> Client<Host> {
    let builder = Client::builder(host.clone());
    builder.profile(|profile| profile.protocols = protocols).build().unwrap()
}

async fn get(client: Client<Host>, path: &str) -> Result<Bytes, Error> {
    let request = Request::get(format!("http://www.test/{path}"));
    let response = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

/// Starts a request that goes on by itself; what came of it is left in the returned place.
fn begin(host: &Host, client: &Client<Host>, path: &'static str) -> Place {
    let place = Place::default();
    let (client, to) = (client.clone(), place.clone());
    host.spawn(async move {
        let said = get(client, path).await;
        *to.lock().unwrap() = Some(said);
    });
    place
}

type Place = Arc<Mutex<Option<Result<Bytes, Error>>>>;

fn kind(place: &Place) -> Option<ErrorKind> {
    place.lock().unwrap().take().unwrap().err().map(|error| error.kind().clone())
}

#[test]
fn a_close_waits_for_what_is_under_way_and_cuts_the_rest_off_at_its_deadline() {
    for protocols in [Protocols::Http1, Protocols::Http2PriorKnowledge] {
        let net = Net::seeded(1);
        let (server, host) = two_hosts(&net);
        net.run(async {
            serve_late(&server).await;
            let client = client(&host, protocols);
            let quick = begin(&host, &client, "50");
            let slow = begin(&host, &client, "60000");
            host.sleep(45 * MS).await;
            let before = host.now();
            let closing = client.close(500 * MS);
            let refused = get(client.clone(), "0").await.unwrap_err();
            assert_eq!(*refused.kind(), ErrorKind::Refused(Refusal::Draining));
            let closed = closing.await;
            assert_eq!(closed.cut, 1, "{protocols:?}");
            assert!(host.now() >= before + 500 * MS);
            // The abort is on its way; nobody waits for the peer.
            assert!(host.now() <= before + 550 * MS, "{:?}", host.now());
            assert_eq!(kind(&quick), None, "it was answered in time");
            assert_eq!(kind(&slow), Some(ErrorKind::Refused(Refusal::Closed)));
            client.check();
            assert_eq!(client.inspect(|upstream| upstream.sockets()), 0);
        })
        .unwrap();
    }
}

#[test]
fn a_close_with_nothing_under_way_takes_no_longer_than_the_goodbyes() {
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        serve_late(&server).await;
        let client = client(&host, Protocols::Http1);
        assert_eq!(get(client.clone(), "0").await.unwrap(), "late");
        let before: Instant = host.now();
        assert_eq!(client.close(Duration::from_secs(60)).await.cut, 0);
        assert!(host.now() <= before + 50 * MS, "{:?} after {before:?}", host.now());
    })
    .unwrap();
}

/// A server whose answers are a script: statuses, each once, then 200 for ever. The answer's body
/// is the request's; 503 asks to come again after a second.
struct Script {
    statuses: Mutex<Vec<u16>>,
    asked: AtomicUsize,
    /// Of the newest request's connection.
    last: AtomicU16,
}

async fn serve_script(server: &Host, statuses: &[u16]) -> Arc<Script> {
    let statuses = Mutex::new(statuses.iter().rev().copied().collect());
    let script = Arc::new(Script { statuses, asked: AtomicUsize::new(0), last: AtomicU16::new(0) });
    let at: std::net::SocketAddr = "192.0.2.1:80".parse().unwrap();
    let listening = Server::builder(server.clone()).bind(at).await.unwrap();
    let state = Arc::clone(&script);
    server.spawn(listening.serve(move |request: Request<Body>| {
        let state = Arc::clone(&state);
        async move {
            state.asked.fetch_add(1, Ordering::Relaxed);
            let status = state.statuses.lock().unwrap().pop().unwrap_or(200);
            state.last.store(status, Ordering::Relaxed);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut answer = Response::builder().status(status);
            if status == 503 {
                answer = answer.header("retry-after", "1");
            }
            answer.body(Full::new(body)).unwrap()
        }
    }));
    script
}

/// What came of a PUT of 40,000 bytes, which is sent whole each time.
struct Came {
    status: u16,
    verdict: Option<Verdict>,
    asked: usize,
    took: Duration,
    connections: u64,
}

fn put(statuses: &[u16], protocols: Protocols, policy: RetryPolicy) -> Came {
    put_within(statuses, protocols, policy, Duration::from_secs(600))
}

fn put_within(
    statuses: &[u16],
    protocols: Protocols,
    policy: RetryPolicy,
    timeout: Duration,
) -> Came {
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        let script = serve_script(&server, statuses).await;
        let client = client(&host, protocols);
        let sent = Bytes::from(vec![7; 40_000]);
        let options = RequestOptions::default().with_retry(policy).with_timeout(timeout);
        let request = Request::put("http://www.test/").extension(options);
        let began = host.now();
        let response = client.request(request.body(Full::new(sent.clone())).unwrap()).await;
        let response = response.unwrap();
        let (parts, body) = response.into_parts();
        assert_eq!(body.collect().await.unwrap().to_bytes(), sent);
        client.check();
        assert_eq!(client.inspect(|upstream| upstream.requests()), 0);
        Came {
            status: parts.status.as_u16(),
            verdict: parts.extensions.get::<Verdict>().copied(),
            asked: script.asked.load(Ordering::Relaxed),
            took: host.now().saturating_since(began),
            connections: client.stats().count(Kind::ConnectionMade),
        }
    })
    .unwrap()
}

const BOTH: [Protocols; 2] = [Protocols::Http1, Protocols::Http2PriorKnowledge];

#[test]
fn statuses_are_tried_again_with_the_whole_body() {
    use Verdict::{NotRetried, Retried};
    let on = RetryPolicy::retries(2);
    let rows: [(&[u16], RetryPolicy, u16, Option<Verdict>); 7] = [
        (&[], on.clone(), 200, None),
        (&[502], RetryPolicy::default(), 502, None),
        (&[502], on.clone(), 200, Some(Retried { retries: 1, why: Why::NotCovered })),
        (&[502, 504], on.clone(), 200, Some(Retried { retries: 2, why: Why::NotCovered })),
        (&[502, 502, 502], on.clone(), 502, Some(Retried { retries: 2, why: Why::Spent })),
        (&[500], on.clone(), 500, None),
        (&[503], on, 200, Some(Retried { retries: 1, why: Why::NotCovered })),
    ];
    for protocols in BOTH {
        for (statuses, policy, status, verdict) in rows.clone() {
            let came = put(statuses, protocols, policy);
            let told = format!("{statuses:?} over {protocols:?}");
            assert_eq!((came.status, came.verdict), (status, verdict), "{told}");
            let retries = match verdict {
                Some(Retried { retries, .. }) => retries as usize,
                Some(NotRetried { .. }) | None => 0,
            };
            assert_eq!(came.asked, retries + 1, "{told}");
            let asks = statuses == [503];
            if asks {
                assert_eq!(came.connections, 1, "what has ended leaves its connection: {told}");
            }
            assert_eq!(came.took >= Duration::from_secs(1), asks, "{told}: {:?}", came.took);
        }
    }
}

#[test]
fn a_misdirected_request_goes_over_another_connection_by_default() {
    for protocols in BOTH {
        let came = put(&[421], protocols, RetryPolicy::default());
        assert_eq!((came.status, came.asked, came.connections), (200, 2, 2), "{protocols:?}");
        let came = put(&[421, 421], protocols, RetryPolicy::default());
        assert_eq!((came.status, came.asked), (421, 2), "{protocols:?}");
        let verdict = Verdict::Retried { retries: 1, why: Why::NotCovered };
        assert_eq!(came.verdict, Some(verdict));
    }
}

#[test]
fn the_time_limit_covers_all_tries() {
    // The second answer asks for a second that is not left.
    let timeout = Duration::from_millis(1_500);
    let policy = RetryPolicy::retries(9);
    let came = put_within(&[503, 503], Protocols::Http1, policy, timeout);
    assert_eq!((came.status, came.asked), (503, 2));
    let verdict = Verdict::Retried { retries: 1, why: Why::Deadline };
    assert_eq!(came.verdict, Some(verdict));
    assert!(came.took < timeout);
}

#[test]
fn no_connection_and_a_broken_one_are_tried_again_and_the_error_says_so() {
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        let client = client(&host, Protocols::Http1);
        // Nobody listens yet.
        let options = RequestOptions::default().with_retry(RetryPolicy::retries(2));
        let ask = || {
            let request = Request::post("http://www.test/").extension(options.clone());
            client.request(request.body(Full::new(Bytes::from("hello"))).unwrap())
        };
        let error = ask().await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        let verdict = Verdict::Retried { retries: 2, why: Why::Spent };
        assert_eq!(error.verdict(), Some(verdict));
        // Somebody does at the second try.
        let asked = ask();
        let (said, ()) = both(asked, async {
            host.sleep(21 * MS).await;
            serve_script(&server, &[]).await;
        })
        .await;
        assert_eq!(said.unwrap().status(), 200);
        assert_eq!(client.retries(), (2, 0));
    })
    .unwrap();
}

/// Both, side by side.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(cx)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(cx)
        {
            second = Some(done);
        }
        if first.is_some() && second.is_some() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
    (first.unwrap(), second.unwrap())
}

#[test]
fn the_budget_bounds_how_many_are_tried_again_at_once() {
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        let script = serve_script(&server, &[502; 1_000]).await;
        let builder = Client::builder(host.clone()).retry(RetryPolicy::retries(1));
        let builder = builder.retry_budget(Some(RetryBudget::default()));
        let client = builder.build().unwrap();
        let mut all = Vec::new();
        for _ in 0..50 {
            let request = Request::get("http://www.test/").body(Empty::<Bytes>::new()).unwrap();
            let (client, place) = (client.clone(), Arc::new(Mutex::new(None)));
            all.push(Arc::clone(&place));
            host.spawn(async move {
                let response = client.request(request).await.unwrap();
                let verdict = *response.extensions().get::<Verdict>().unwrap();
                response.into_body().collect().await.unwrap();
                *place.lock().unwrap() = Some(verdict);
            });
        }
        host.sleep(Duration::from_secs(5)).await;
        let told = all.iter().map(|place| place.lock().unwrap().take().unwrap());
        let (over, tried): (Vec<_>, Vec<_>) =
            told.partition(|verdict| *verdict == Verdict::NotRetried { why: Why::Budget });
        assert_eq!(over.len() + tried.len(), 50);
        // A fifth of those that were under way when the answers came.
        assert!((3..=10).contains(&tried.len()), "{} of 50 were tried again", tried.len());
        assert_eq!(client.retries(), (tried.len() as u64, over.len() as u64));
        assert_eq!(script.asked.load(Ordering::Relaxed), 50 + tried.len());
    })
    .unwrap();
}

#[test]
fn a_future_dropped_at_any_moment_of_its_tries_leaves_nothing() {
    for protocols in BOTH {
        for after in (0..2_400).step_by(60) {
            let net = Net::seeded(1);
            let (server, host) = two_hosts(&net);
            net.run(async {
                serve_script(&server, &[502, 503, 421, 502]).await;
                let client = client(&host, protocols);
                let options = RequestOptions::default().with_retry(RetryPolicy::retries(9));
                let request = Request::put("http://www.test/").extension(options);
                let body = Full::new(Bytes::from(vec![7; 40_000]));
                let mut asked = Box::pin(client.request(request.body(body).unwrap()));
                let mut limit = host.timer(host.now() + Duration::from_millis(after + 1));
                std::future::poll_fn(|cx| match asked.as_mut().poll(cx) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => limit.poll_expired(cx),
                })
                .await;
                drop(asked);
                host.sleep(Duration::from_secs(1)).await;
                client.check();
                assert_eq!(client.inspect(|upstream| upstream.requests()), 0, "{after}");
                // What was retried has given its place back.
                assert_eq!(client.close(Duration::from_secs(1)).await.cut, 0, "{after}");
            })
            .unwrap();
        }
    }
}

/// What became of the peer while its connection was idle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Stayed,
    /// A NAT on the way has forgotten the connection, and resets what comes on it.
    Forgotten,
    /// It has its first address no more, and what is sent there is lost.
    Moved,
}

/// How long a request takes whose HTTP/2 connection was idle for so long, to a server 10 ms away,
/// and how many connections were made in all.
fn after_idle(idle: Duration, peer: Peer) -> (Duration, u64) {
    let net = Net::seeded(1);
    let addresses = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
    let server = net.host("server", addresses);
    let host = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&host, &server, Link::delay(10 * MS));
    net.name("www.test", addresses);
    if peer == Peer::Forgotten {
        net.nat(&host, Nat::new("198.51.100.1".parse().unwrap()).tcp_idle(8_000 * MS));
    }
    net.run(async {
        for address in addresses {
            let at = std::net::SocketAddr::new(address, 80);
            let listening = Server::builder(server.clone()).bind(at).await.unwrap();
            server.spawn(listening.serve(|_| async { Response::new(Full::new(Bytes::new())) }));
        }
        let client = client(&host, Protocols::Http2PriorKnowledge);
        get(client.clone(), "").await.unwrap();
        host.sleep(idle).await;
        if peer == Peer::Moved {
            net.apply(Fault::RemoveAddress(server.id(), addresses[0]));
        }
        let begun = host.now();
        get(client.clone(), "").await.unwrap();
        let took = host.now().saturating_since(begun);
        client.check();
        (took, client.stats().count(Kind::ConnectionMade))
    })
    .unwrap()
}

#[test]
fn a_peer_that_vanished_while_idle_costs_a_request_no_more_than_the_connect_timeout() {
    let second = Duration::from_secs(1);
    assert_eq!(after_idle(10 * second, Peer::Stayed), (20 * MS, 1), "no question yet");
    assert_eq!(after_idle(11 * second, Peer::Stayed), (40 * MS, 1), "a round trip for the PING");
    // The reset of the PING, a handshake, the request.
    assert_eq!(after_idle(11 * second, Peer::Forgotten), (60 * MS, 2));
    // 5 s for the PING, 300 ms until the second address is tried, a handshake, the request.
    assert_eq!(after_idle(11 * second, Peer::Moved), (5_340 * MS, 2));
}

/// What 40 bodies of 1 MB each hold together, on `hosts` connections each of one protocol, while
/// nobody reads them, and at most until all are read.
fn bodies_held(protocols: Protocols, origins: u16, most: Option<usize>) -> (usize, usize) {
    const LONG: usize = 1_000_000;
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        for port in 80..80 + origins {
            let at = std::net::SocketAddr::new("192.0.2.1".parse().unwrap(), port);
            let listening = Server::builder(server.clone()).bind(at).await.unwrap();
            let long = Bytes::from(vec![7; LONG]);
            server.spawn(listening.serve(move |_| {
                let long = long.clone();
                async move { Response::new(Full::new(long)) }
            }));
        }
        let builder = Client::builder(host.clone()).body_memory(most);
        let client = builder.profile(|profile| profile.protocols = protocols).build().unwrap();
        let mut bodies = Vec::new();
        for n in 0..40 {
            let url = format!("http://www.test:{}/", 80 + n % origins);
            let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
            bodies.push(client.request(request).await.unwrap().into_body());
        }
        host.sleep(Duration::from_secs(5)).await;
        let unread = client.body_memory().0;
        // Each goes on as soon as somebody reads it, whatever the others hold.
        for body in bodies.into_iter().rev() {
            assert_eq!(body.collect().await.unwrap().to_bytes().len(), LONG);
        }
        client.check();
        assert_eq!(client.body_memory().0, 0);
        (unread, client.body_memory().1)
    })
    .unwrap()
}

/// Rows: protocol, origins, limit, and between what the unread bodies must hold.
#[test]
fn all_bodies_together_are_bounded_and_each_goes_on_when_it_is_read() {
    const K: usize = 1 << 10;
    let http1 = Protocols::Http1;
    let http2 = Protocols::Http2PriorKnowledge;
    let rows = [
        // 40 pipes of 64 KiB without a limit; with one, a single read each beyond it.
        (http1, 1, None, 40 * 64 * K..=40 * 128 * K),
        (http1, 1, Some(256 * K), 256 * K..=256 * K + 40 * 16 * K),
        // A body that fits a stream's window comes whole; with a limit 64 KiB of it.
        (http2, 1, None, 40_000_000..=40_000_000),
        (http2, 1, Some(256 * K), 256 * K..=40 * 64 * K),
        (http2, 1, Some(8 << 20), 4 << 20..=(8 << 20) + 40 * 64 * K),
        (http2, 8, None, 40_000_000..=40_000_000),
        (http2, 8, Some(8 << 20), 4 << 20..=(8 << 20) + 40 * 64 * K),
    ];
    for (protocol, origins, most, expected) in rows {
        let (unread, peak) = bodies_held(protocol, origins, most);
        println!("{protocol:?}, {origins} origins, limit {most:?}: {unread}, at most {peak}");
        assert!(expected.contains(&unread), "{protocol:?} {origins} {most:?}: {unread}");
        assert!(most.is_none_or(|most| peak <= *expected.end() + most), "{peak}");
    }
}

/// Forty peers answer at the same moment and one of them is read: what was granted before anyone
/// knew is more than twice the limit. Those that hold more than 64 KiB end, with a sentence; the
/// one that is read goes on.
#[test]
fn bodies_that_nobody_reads_end_at_twice_what_all_may_hold() {
    const LONG: usize = 1_000_000;
    const LIMIT: usize = 512 << 10;
    let net = Net::seeded(1);
    let (server, host) = two_hosts(&net);
    net.run(async {
        let builder = Client::builder(host.clone()).body_memory(Some(LIMIT));
        let protocols = Protocols::Http2PriorKnowledge;
        let client = builder.profile(|profile| profile.protocols = protocols).build().unwrap();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        for port in 80..120 {
            let at = std::net::SocketAddr::new("192.0.2.1".parse().unwrap(), port);
            let listening = Server::builder(server.clone()).bind(at).await.unwrap();
            let long = Bytes::from(vec![7; LONG]);
            server.spawn(listening.serve(move |_| {
                let long = long.clone();
                async move { Response::new(Full::new(long)) }
            }));
            let (client, bodies) = (client.clone(), Arc::clone(&bodies));
            host.spawn(async move {
                let request = Request::get(format!("http://www.test:{port}/"));
                let response = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await;
                let mut body = response.unwrap().into_body();
                if port == 80 {
                    let mut read = 0;
                    while let Some(frame) = body.frame().await {
                        read += frame.unwrap().into_data().map_or(0, |bytes| bytes.len());
                    }
                    assert_eq!(read, LONG);
                }
                bodies.lock().unwrap().push(body);
            });
        }
        host.sleep(Duration::from_secs(5)).await;
        let (unread, _) = client.body_memory();
        let (mut whole, mut cut) = (0, 0);
        let bodies = core::mem::take(&mut *bodies.lock().unwrap());
        for body in bodies {
            match body.collect().await {
                Ok(_) => whole += 1,
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::BodyMemory, "{error}");
                    cut += 1;
                }
            }
        }
        let most = client.body_memory().1;
        println!("limit {LIMIT}: {unread} unread, at most {most}; {whole} read, {cut} cut");
        assert_eq!((whole, cut), (1, 39));
        assert!(most <= 2 * LIMIT + 40 * (80 << 10), "{most}");
        client.check();
        assert_eq!(client.body_memory().0, 0);
        assert_eq!(get(client.clone(), "").await.unwrap().len(), LONG, "the next is served");
    })
    .unwrap();
}
