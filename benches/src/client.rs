//! The whole client beside its peers: CPU time of the client's thread for one request over
//! loopback.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use regatta_core::upstream::Protocols;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::asker::{Asker, round};
use crate::measure::{Cost, cost, median, table};
use crate::origin;

const RUNS: usize = 5;
const TASKS: u64 = 64;
const WARM_UP: u64 = 50;
const EACH: u64 = 600;
const LENGTH: usize = 13;

type Nothing = Empty<Bytes>;

/// Who asks.
#[derive(Clone, Copy)]
enum Who {
    Sockets,
    Bare,
    Legacy,
    Regatta,
}

const HTTP1: [(Who, &str); 4] = [
    (Who::Regatta, "regatta"),
    (Who::Bare, "hyper, bare connections"),
    (Who::Legacy, "hyper-util, legacy client"),
    (Who::Sockets, "tokio sockets, fixed bytes"),
];
const HTTP2: [(Who, &str); 3] = [
    (Who::Regatta, "regatta"),
    (Who::Bare, "hyper, bare connection"),
    (Who::Legacy, "hyper-util, legacy client"),
];

/// Prints the tables.
pub(crate) fn run() {
    print("HTTP/1.1", "64 connections", &HTTP1, false);
    print("HTTP/2", "one connection", &HTTP2, true);
}

fn print(protocol: &str, connections: &str, all: &[(Who, &str)], http2: bool) {
    let address = origin::start(http2);
    let mut runs = vec![Vec::new(); all.len()];
    for _ in 0..RUNS {
        for (runs, (who, _)) in runs.iter_mut().zip(all) {
            runs.push(measure(*who, address, http2));
        }
    }
    let costs: Vec<Cost> = runs.into_iter().map(median).collect();
    let bare = costs[1].nanos;
    let row = |((_, name), cost): (&(Who, &str), &Cost)| {
        vec![
            (*name).to_owned(),
            format!("{:.2}", cost.nanos / 1e3),
            format!("{:.1}", cost.allocations),
            format!("{:.2}", cost.nanos / bare),
        ]
    };
    table(
        &format!("Client, {protocol}"),
        &format!(
            "CPU time, user and system, and allocations of the client's thread for one GET with a \
             body of {LENGTH} bytes in the answer, over loopback to an origin on another thread: \
             {TASKS} at a time on {connections}, all warm. Median of {RUNS} runs of {}.",
            TASKS * EACH
        ),
        &["client", "us", "allocations", "ratio to hyper's bare connection"],
        &all.iter().zip(&costs).map(row).collect::<Vec<_>>(),
    );
}

/// What one request costs `who`, on a runtime of its own.
fn measure(who: Who, to: SocketAddr, http2: bool) -> Cost {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    match (who, http2) {
        (Who::Sockets, _) => many(&runtime, || sockets(to)),
        (Who::Bare, false) => many(&runtime, || bare_http1(to)),
        (Who::Bare, true) => {
            let sender = runtime.block_on(connect_http2(to));
            many(&runtime, || bare_http2(to, sender.clone()))
        }
        (Who::Legacy, _) => {
            let mut builder = legacy::Client::builder(TokioExecutor::new());
            let client = builder.http2_only(http2).build_http();
            many(&runtime, || ask_legacy(to, client.clone()))
        }
        (Who::Regatta, _) => {
            let client = runtime.block_on(async {
                let protocols =
                    if http2 { Protocols::Http2PriorKnowledge } else { Protocols::Http1 };
                let builder = regatta_tokio::client();
                builder.profile(|profile| profile.protocols = protocols).build()
            });
            let client = client.expect("a client");
            many(&runtime, || ask_regatta(to, client.clone()))
        }
    }
}

/// Runs [`TASKS`] askers side by side, first to warm up and then measured.
fn many<A, F>(runtime: &tokio::runtime::Runtime, asker: impl Fn() -> F) -> Cost
where
    F: Future<Output = A>,
    A: Asker,
{
    let mut askers = Vec::new();
    for _ in 0..TASKS {
        askers.push(runtime.block_on(asker()));
    }
    let askers = runtime.block_on(round(askers, WARM_UP));
    let mut left = None;
    let cost = cost(TASKS * EACH, || left = Some(runtime.block_on(round(askers, EACH))));
    drop(left);
    cost
}

struct Sockets(TcpStream, SocketAddr);

async fn sockets(to: SocketAddr) -> Sockets {
    let stream = TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    Sockets(stream, to)
}

impl Asker for Sockets {
    async fn ask(&mut self) {
        let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1:12345\r\n\r\n";
        self.0.write_all(request).await.expect("a request");
        let mut buffer = [0; 1_024];
        let read = self.0.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..read].ends_with(b"Hello, world!"), "whole answer from {}", self.1);
    }
}

/// What every request asks for; parsed once.
fn uri(to: SocketAddr) -> Uri {
    format!("http://{to}/").parse().expect("a URI")
}

fn get(uri: &Uri) -> Request<Nothing> {
    Request::get(uri.clone()).body(Empty::new()).expect("a request")
}

struct BareHttp1(http1::SendRequest<Nothing>, HeaderValue);

async fn bare_http1(to: SocketAddr) -> BareHttp1 {
    let stream = TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    BareHttp1(sender, HeaderValue::from_str(&to.to_string()).expect("a name"))
}

impl Asker for BareHttp1 {
    async fn ask(&mut self) {
        self.0.ready().await.expect("a ready connection");
        let request = Request::get("/").header("host", self.1.clone());
        let request = request.body(Empty::new()).expect("a request");
        let answer = self.0.send_request(request).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), LENGTH);
    }
}

struct BareHttp2(http2::SendRequest<Nothing>, Uri);

async fn connect_http2(to: SocketAddr) -> http2::SendRequest<Nothing> {
    let stream = TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn bare_http2(to: SocketAddr, sender: http2::SendRequest<Nothing>) -> BareHttp2 {
    BareHttp2(sender, uri(to))
}

impl Asker for BareHttp2 {
    async fn ask(&mut self) {
        self.0.ready().await.expect("a ready connection");
        let answer = self.0.send_request(get(&self.1)).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), LENGTH);
    }
}

type LegacyClient = legacy::Client<legacy::connect::HttpConnector, Nothing>;

struct Legacy(LegacyClient, Uri);

async fn ask_legacy(to: SocketAddr, client: LegacyClient) -> Legacy {
    Legacy(client, uri(to))
}

impl Asker for Legacy {
    async fn ask(&mut self) {
        let answer = self.0.request(get(&self.1)).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), LENGTH);
    }
}

struct Regatta(regatta_tokio::Client, Uri);

async fn ask_regatta(to: SocketAddr, client: regatta_tokio::Client) -> Regatta {
    Regatta(client, uri(to))
}

impl Asker for Regatta {
    async fn ask(&mut self) {
        let answer = self.0.request(get(&self.1)).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), LENGTH);
    }
}
