//! The whole client beside its peers: CPU time of the client's thread for one request over
//! loopback.

use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use regatta_core::upstream::Protocols;
use regatta_runtime::Roots;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

use crate::asker::{Asker, Case, HTTP1, HTTP2, round, way};
use crate::measure::{Cost, begin, median, table};
use crate::origin;
use crate::secure::{Peer, client_config, connect, connector};
use crate::tls::Identity;

const RUNS: usize = 5;
const WARM_UP: u64 = 640;
/// Requests of one run, one at a time and many.
const ALONE: u64 = 6_400;
const TOGETHER: u64 = 25_600;
const LENGTH: usize = 13;

type Nothing = Empty<Bytes>;

/// Longer than any run.
const A_WHILE: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Sockets,
    Bare,
    /// The same while a timer of the runtime is set, as one is of whoever limits anything in time:
    /// with it epoll is waited for until then, which costs the kernel a timer for every wait.
    BareWithTimer,
    Legacy,
    Reqwest,
    Regatta,
}

const OVER_HTTP1: [(Who, &str); 6] = [
    (Who::Bare, "hyper, bare connections"),
    (Who::BareWithTimer, "the same beside a timer"),
    (Who::Regatta, "regatta"),
    (Who::Legacy, "hyper-util, legacy client"),
    (Who::Reqwest, "reqwest"),
    (Who::Sockets, "tokio sockets, fixed bytes"),
];
const OVER_HTTP2: [(Who, &str); 5] = [
    (Who::Bare, "hyper, bare connection"),
    (Who::BareWithTimer, "the same beside a timer"),
    (Who::Regatta, "regatta"),
    (Who::Legacy, "hyper-util, legacy client"),
    (Who::Reqwest, "reqwest"),
];

/// Prints the tables, or that of the protocol that the words name: `http1` or `http2`; or does one
/// run of one client for a profiler, as `one regatta http1 64`.
pub(crate) fn run(words: &[String]) {
    let identity = Identity::new().expect("a certificate");
    if let [word, who, protocol, at_once] = words
        && word == "one"
    {
        return one(who, way(protocol, at_once), &identity);
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if wanted("http1") {
        print("HTTP/1.1", "as many connections", &HTTP1, &OVER_HTTP1, &identity);
    }
    if wanted("http2") {
        print("HTTP/2", "one connection", &HTTP2, &OVER_HTTP2, &identity);
    }
}

fn one(who: &str, case: Case, identity: &Identity) {
    let who = match who {
        "sockets" => Who::Sockets,
        "hyper" => Who::Bare,
        "hyper-timer" => Who::BareWithTimer,
        "legacy" => Who::Legacy,
        "reqwest" => Who::Reqwest,
        "regatta" => Who::Regatta,
        other => panic!(
            "{other} is no client: sockets, hyper, hyper-timer, legacy, reqwest and regatta are"
        ),
    };
    let origin = origin::start(case.http2, case.tls.then_some(identity));
    let cost = measure(who, case, origin, identity);
    println!("{:.0} ns, {:.1} allocations", cost.nanos, cost.allocations);
}

fn print(
    protocol: &str,
    connections: &str,
    cases: &[Case],
    all: &[(Who, &str)],
    identity: &Identity,
) {
    let mut head = vec!["client"];
    let mut rows: Vec<_> = all.iter().map(|(_, name)| vec![(*name).to_owned()]).collect();
    for case in cases {
        head.extend([case.name, "allocations", "ratio"]);
        let costs = costs(*case, all, identity);
        for (row, cost) in rows.iter_mut().zip(&costs) {
            row.push(format!("{:.2}", cost.nanos / 1e3));
            row.push(format!("{:.1}", cost.allocations));
            row.push(format!("{:.2}", cost.nanos / costs[0].nanos));
        }
    }
    table(
        &format!("Client, {protocol}"),
        &format!(
            "Microseconds of CPU time, user and system, and allocations of the client's thread \
             for one GET with a body of {LENGTH} bytes in the answer, over loopback to an origin \
             on another thread, so many at once on {connections}, all warm. TLS is rustls with \
             ring. The ratio is to hyper's bare connection. Median of {RUNS} runs of {TOGETHER} \
             requests, or of {ALONE} one at a time."
        ),
        &head,
        &rows,
    );
}

/// What a request costs each of them.
fn costs(case: Case, all: &[(Who, &str)], identity: &Identity) -> Vec<Cost> {
    let origin = origin::start(case.http2, case.tls.then_some(identity));
    let mut runs = vec![Vec::new(); all.len()];
    for _ in 0..RUNS {
        for (runs, (who, _)) in runs.iter_mut().zip(all) {
            runs.push(measure(*who, case, origin, identity));
        }
    }
    runs.into_iter().map(median).collect()
}

/// What one request costs `who`, on a runtime of its own.
fn measure(who: Who, case: Case, to: SocketAddr, identity: &Identity) -> Cost {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if who == Who::BareWithTimer {
            tokio::spawn(tokio::time::sleep(A_WHILE));
        }
        match who {
            Who::Sockets => many(sockets(case, to, identity).await).await,
            Who::Bare | Who::BareWithTimer if case.http2 => {
                let (sender, connection) = bare_http2(case, to, identity).await;
                let asker = |_| BareHttp2(sender.clone(), uri(case, to));
                let cost = many((0..case.at_once).map(asker).collect()).await;
                connection.abort();
                cost
            }
            Who::Bare | Who::BareWithTimer => many(bare_http1(case, to, identity).await).await,
            Who::Legacy => many(clones(case, Legacy(legacy(case, identity), uri(case, to)))).await,
            Who::Reqwest => many(clones(case, reqwest(case, to, identity))).await,
            Who::Regatta => {
                many(clones(case, Regatta(regatta(case, identity), uri(case, to)))).await
            }
        }
    })
}

fn clones<A: Clone>(case: Case, asker: A) -> Vec<A> {
    (0..case.at_once).map(|_| asker.clone()).collect()
}

/// Lets them ask side by side, first to warm up and then measured.
async fn many<A: Asker>(askers: Vec<A>) -> Cost {
    let count = askers.len() as u64;
    let requests = if count == 1 { ALONE } else { TOGETHER };
    let askers = round(askers, WARM_UP.div_ceil(count)).await;
    let begun = begin();
    let askers = round(askers, requests / count).await;
    let cost = begun.cost(requests);
    drop(askers);
    cost
}

/// What every request asks for; parsed once.
fn uri(case: Case, to: SocketAddr) -> Uri {
    let scheme = if case.tls { "https" } else { "http" };
    format!("{scheme}://{to}/").parse().expect("a URI")
}

fn get(uri: &Uri) -> Request<Nothing> {
    Request::get(uri.clone()).body(Empty::new()).expect("a request")
}

async fn read<B>(body: B)
where
    B: http_body::Body<Error: core::fmt::Debug>,
{
    assert_eq!(body.collect().await.expect("a body").to_bytes().len(), LENGTH);
}

async fn peer(case: Case, to: SocketAddr, identity: &Identity) -> Peer {
    let tls = case.tls.then(|| connector(identity, case.http2));
    connect(to, tls.as_ref()).await
}

struct Sockets(Peer);

async fn sockets(case: Case, to: SocketAddr, identity: &Identity) -> Vec<Sockets> {
    let mut all = Vec::new();
    for _ in 0..case.at_once {
        all.push(Sockets(peer(case, to, identity).await));
    }
    all
}

impl Asker for Sockets {
    async fn ask(&mut self) {
        let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1:12345\r\n\r\n";
        self.0.write_all(request).await.expect("a request");
        let mut buffer = [0; 1_024];
        let read = self.0.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..read].ends_with(b"Hello, world!"), "a whole answer");
    }
}

struct BareHttp1(http1::SendRequest<Nothing>, HeaderValue);

async fn bare_http1(case: Case, to: SocketAddr, identity: &Identity) -> Vec<BareHttp1> {
    let mut all = Vec::new();
    for _ in 0..case.at_once {
        let stream = TokioIo::new(peer(case, to, identity).await);
        let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        all.push(BareHttp1(sender, HeaderValue::from_str(&to.to_string()).expect("a name")));
    }
    all
}

impl Asker for BareHttp1 {
    async fn ask(&mut self) {
        self.0.ready().await.expect("a ready connection");
        let request = Request::get("/").header("host", self.1.clone());
        let request = request.body(Empty::new()).expect("a request");
        read(self.0.send_request(request).await.expect("an answer").into_body()).await;
    }
}

struct BareHttp2(http2::SendRequest<Nothing>, Uri);

async fn bare_http2(
    case: Case,
    to: SocketAddr,
    identity: &Identity,
) -> (http2::SendRequest<Nothing>, JoinHandle<()>) {
    let stream = TokioIo::new(peer(case, to, identity).await);
    let handshake = http2::handshake(TokioExecutor::new(), stream);
    let (sender, connection) = handshake.await.expect("HTTP/2");
    // An error is the end of a connection that nobody asks any more.
    let connection = tokio::spawn(async move { drop(connection.await) });
    (sender, connection)
}

impl Asker for BareHttp2 {
    async fn ask(&mut self) {
        self.0.ready().await.expect("a ready connection");
        read(self.0.send_request(get(&self.1)).await.expect("an answer").into_body()).await;
    }
}

type LegacyClient = legacy::Client<HttpsConnector<HttpConnector>, Nothing>;

#[derive(Clone)]
struct Legacy(LegacyClient, Uri);

fn legacy(case: Case, identity: &Identity) -> LegacyClient {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(identity));
    let builder = builder.https_or_http();
    let connector = if case.http2 {
        builder.enable_http2().wrap_connector(http)
    } else {
        builder.enable_http1().wrap_connector(http)
    };
    legacy::Client::builder(TokioExecutor::new()).http2_only(case.http2).build(connector)
}

impl Asker for Legacy {
    async fn ask(&mut self) {
        read(self.0.request(get(&self.1)).await.expect("an answer").into_body()).await;
    }
}

#[derive(Clone)]
struct Reqwest(reqwest::Client, reqwest::Url);

fn reqwest(case: Case, to: SocketAddr, identity: &Identity) -> Reqwest {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.tls_backend_preconfigured(client_config(identity));
    let builder = if case.http2 { builder.http2_prior_knowledge() } else { builder.http1_only() };
    let url = uri(case, to).to_string().parse().expect("a URL");
    Reqwest(builder.build().expect("a client"), url)
}

impl Asker for Reqwest {
    async fn ask(&mut self) {
        let answer = self.0.get(self.1.clone()).send().await.expect("an answer");
        assert_eq!(answer.bytes().await.expect("a body").len(), LENGTH);
    }
}

/// One of those that ask by our client.
#[derive(Clone)]
pub(crate) struct Regatta(pub(crate) regatta_tokio::Client, pub(crate) Uri);

fn regatta(case: Case, identity: &Identity) -> regatta_tokio::Client {
    let protocols = match (case.http2, case.tls) {
        (false, _) => Protocols::Http1,
        (true, false) => Protocols::Http2PriorKnowledge,
        (true, true) => Protocols::Http2,
    };
    regatta_tokio::client()
        .profile(|profile| profile.protocols = protocols)
        .roots(Roots::Der(vec![identity.root.clone()]))
        .build()
        .expect("a client")
}

impl Asker for Regatta {
    async fn ask(&mut self) {
        read(self.0.request(get(&self.1)).await.expect("an answer").into_body()).await;
    }
}
