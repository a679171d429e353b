//! One long download: how many megabytes each client takes in a second of its CPU time.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use regatta_core::upstream::Protocols;
use regatta_runtime::Roots;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::asker::{self, way};
use crate::hyper_server;
use crate::measure::{Cost, cpu, median, scheduled, table};
use crate::secure::{connect, connector};
use crate::tls::{Identity, NAME};

const RUNS: usize = 5;
const LENGTH: u64 = 512 << 20;

/// One column: its name, whether it is HTTP/2, whether over TLS.
#[derive(Clone, Copy)]
struct Case(&'static str, bool, bool);

const CASES: [Case; 4] = [
    Case("HTTP/1.1", false, false),
    Case("HTTP/1.1, TLS", false, true),
    Case("HTTP/2", true, false),
    Case("HTTP/2, TLS", true, true),
];

type Measure = fn(Case, SocketAddr, &Identity) -> Option<Duration>;

const CLIENTS: [(&str, Measure); 3] = [("hyper", hyper), ("regatta", regatta), ("curl", curl)];

/// Prints the table; or does one run of one client for a profiler, as `one regatta http1`.
pub(crate) fn run(words: &[String]) {
    let identity: &'static Identity = Box::leak(Box::new(Identity::new().expect("a certificate")));
    if let [word, who, protocol] = words
        && word == "one"
    {
        return one(who, way(protocol, "1"), identity);
    }
    let mut head = vec!["client"];
    let mut rows = CLIENTS.map(|(name, _)| vec![name.to_owned()]);
    for case in CASES {
        head.extend([case.0, "ratio"]);
        let origin = origin(case, identity);
        let mut runs = CLIENTS.map(|_| Vec::new());
        for _ in 0..RUNS {
            for (runs, (_, measure)) in runs.iter_mut().zip(CLIENTS) {
                runs.extend(measure(case, origin, identity));
            }
        }
        let rates = runs.map(|runs| {
            let cost = |time: Duration| Cost { nanos: time.as_nanos() as f64, ..Cost::default() };
            LENGTH as f64 * 1e3 / median(runs.into_iter().map(cost).collect()).nanos
        });
        for (row, rate) in rows.iter_mut().zip(rates) {
            let is_known = rate.is_finite();
            let told = |text: String| if is_known { text } else { "-".to_owned() };
            row.push(told(format!("{rate:.0}")));
            row.push(told(format!("{:.2}", rate / rates[0])));
        }
    }
    table(
        "Bulk transfer",
        &format!(
            "Megabytes (10^6) that a client takes in a second of its own CPU time, user and \
             system: one download of {} MiB over loopback from hyper's server on another thread. \
             TLS is rustls with ring, 1.3; curl brings its own. The ratio is to hyper's bare \
             connection. Median of {RUNS} runs.",
            LENGTH >> 20
        ),
        &head,
        &rows,
    );
}

fn one(who: &str, way: asker::Case, identity: &'static Identity) {
    let case = Case(way.name, way.http2, way.tls);
    let client = CLIENTS.iter().find(|(name, _)| *name == who);
    let (_, measure) = client.expect("hyper, regatta or curl");
    let spent = measure(case, origin(case, identity), identity).expect("a whole download");
    println!("{:.0} MB/s", LENGTH as f64 / 1e6 / spent.as_secs_f64());
}

fn origin(Case(_, http2, tls): Case, identity: &'static Identity) -> SocketAddr {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        current().block_on(async {
            let tell = |address| tell.send(address).expect("somebody waits");
            hyper_server::serve(tell, http2, tls.then_some(identity)).await;
        });
    });
    told.blocking_recv().expect("an origin")
}

fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn uri(tls: bool, to: SocketAddr) -> Uri {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{NAME}:{}/{LENGTH}", to.port()).parse().expect("a URI")
}

/// Reads a body to its end, and says what that took. In a task: what `block_on` runs by itself is
/// woken through the kernel.
pub(crate) async fn drain<B>(mut body: B) -> Duration
where
    B: http_body::Body<Data = Bytes, Error: core::fmt::Debug> + Send + Unpin + 'static,
{
    let reading = tokio::spawn(async move {
        let begun = cpu();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.expect("a frame").into_data().map_or(0, |data| data.len() as u64);
        }
        assert_eq!(length, LENGTH);
        cpu() - begun
    });
    reading.await.expect("a whole body")
}

fn hyper(Case(_, is_http2, tls): Case, to: SocketAddr, identity: &Identity) -> Option<Duration> {
    let connector = tls.then(|| connector(identity, is_http2));
    Some(current().block_on(async {
        let peer = TokioIo::new(connect(to, connector.as_ref()).await);
        let uri = uri(tls, to);
        if is_http2 {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = http2::handshake(executor, peer).await.expect("HTTP/2");
            tokio::spawn(connection);
            let request = Request::get(uri).body(Empty::<Bytes>::new()).expect("a request");
            drain(sender.send_request(request).await.expect("an answer").into_body()).await
        } else {
            let (mut sender, connection) = http1::handshake(peer).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            let request = Request::get(uri.path()).header("host", NAME);
            let request = request.body(Empty::<Bytes>::new()).expect("a request");
            drain(sender.send_request(request).await.expect("an answer").into_body()).await
        }
    }))
}

fn regatta(Case(_, http2, tls): Case, to: SocketAddr, identity: &Identity) -> Option<Duration> {
    let protocols = match (http2, tls) {
        (false, _) => Protocols::Http1,
        (true, false) => Protocols::Http2PriorKnowledge,
        (true, true) => Protocols::Http2,
    };
    Some(current().block_on(async {
        let client = regatta_tokio::client()
            .profile(|profile| profile.protocols = protocols)
            .roots(Roots::Der(vec![identity.root.clone()]))
            .resolve(NAME, vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
            .build()
            .expect("a client");
        let request = Request::get(uri(tls, to)).body(Empty::<Bytes>::new()).expect("a request");
        drain(client.request(request).await.expect("an answer").into_body()).await
    }))
}

/// All of the process, its start included; `None` where there is no curl.
fn curl(Case(_, http2, tls): Case, to: SocketAddr, _: &Identity) -> Option<Duration> {
    let version = match (http2, tls) {
        (false, _) => "--http1.1",
        (true, false) => "--http2-prior-knowledge",
        (true, true) => "--http2",
    };
    let resolve = format!("{NAME}:{}:{}", to.port(), to.ip());
    let mut command = Command::new("curl");
    command.args(["-sSk", "-o", "/dev/null", "-w", "%{size_download}", version, "--resolve"]);
    let mut child =
        command.arg(resolve).arg(uri(tls, to).to_string()).stdout(Stdio::piped()).spawn().ok()?;
    let mut said = String::new();
    child.stdout.take()?.read_to_string(&mut said).ok()?;
    // What it has used can be read until it is waited for.
    let stat = format!("/proc/{}/stat", child.id());
    while !fs::read_to_string(&stat).ok()?.contains(") Z") {
        thread::sleep(Duration::from_millis(1));
    }
    let spent = scheduled(&format!("/proc/{}/schedstat", child.id()));
    let ended = child.wait().ok()?;
    (ended.success() && said == LENGTH.to_string()).then_some(spent)
}
