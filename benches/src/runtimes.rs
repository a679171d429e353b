//! The runtimes beside each other: CPU time of one request, both of its ends on one runtime.

use core::future::Future;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use futures_channel::oneshot;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_async_std::{AsyncStd, Smol};
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, Roots, Runtime, Server};
use regatta_sim::Net;
use regatta_tokio::Tokio;
use tokio::runtime::Builder;

use crate::measure::{Cost, median, process_cpu, table};
use crate::tls::{Identity, NAME};

const RUNS: usize = 5;
const TASKS: u64 = 64;
const WARM_UP: u64 = 20;
const EACH: u64 = 150;
const BODY: &[u8] = b"Hello, world!";

/// What is spoken.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    Http1,
    Http2,
    Tls,
}

const CASES: [(Case, &str); 3] = [
    (Case::Http1, "HTTP/1.1, 64 connections"),
    (Case::Http2, "HTTP/2, one connection"),
    (Case::Tls, "HTTP/2 over TLS, one connection"),
];

type Measure = fn(Case, &Identity) -> f64;

/// Every runtime by its name; the first is the measure of the others.
const RUNTIMES: [(&str, Measure); 5] = [
    ("tokio, current_thread", on_one_thread),
    ("tokio, multi_thread, 2 workers", on_two_threads),
    ("async-std", on_async_std),
    ("smol", on_smol),
    ("the simulator", on_a_simulated_host),
];

fn on_one_thread(case: Case, identity: &Identity) -> f64 {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { measure(Tokio::new(), case, identity).await })
}

fn on_two_threads(case: Case, identity: &Identity) -> f64 {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async { measure(Tokio::new(), case, identity).await })
}

fn on_async_std(case: Case, identity: &Identity) -> f64 {
    async_io::block_on(measure(AsyncStd::new(), case, identity))
}

fn on_smol(case: Case, identity: &Identity) -> f64 {
    async_io::block_on(measure(Smol::new(), case, identity))
}

fn on_a_simulated_host(case: Case, identity: &Identity) -> f64 {
    let net = Net::seeded(1);
    let host = net.host("host", [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]);
    net.run(measure(host, case, identity)).expect("the simulation ends")
}

/// Prints the table.
pub(crate) fn run() {
    let identity = Identity::new().expect("a certificate");
    let mut runs = CASES.map(|_| RUNTIMES.map(|_| Vec::new()));
    for _ in 0..RUNS {
        for ((case, _), runs) in CASES.iter().zip(&mut runs) {
            for ((_, measure), runs) in RUNTIMES.iter().zip(runs) {
                runs.push(Cost { nanos: measure(*case, &identity), allocations: 0.0 });
            }
        }
    }
    let costs = runs.map(|runs| runs.map(|runs| median(runs).nanos));
    let mut head = vec!["runtime"];
    for (_, name) in CASES {
        head.extend([name, "ratio"]);
    }
    let rows = RUNTIMES.iter().enumerate().map(|(at, (name, _))| {
        let mut row = vec![(*name).to_owned()];
        for costs in &costs {
            row.push(format!("{:.1}", costs[at] / 1e3));
            row.push(format!("{:.2}", costs[at] / costs[0]));
        }
        row
    });
    table(
        "Runtimes",
        &format!(
            "Microseconds of CPU time, user and system, of the whole process for one GET with a \
             body of {} bytes in the answer: our client and our server on one runtime, over \
             loopback, {TASKS} at a time, all warm. The ratio is to the first row. async-std has \
             as many threads as cores and smol one, besides one for async-io. The simulator's \
             sockets are memory. Median of {RUNS} runs of {}.",
            BODY.len(),
            TASKS * EACH
        ),
        &head,
        &rows.collect::<Vec<_>>(),
    );
}

/// Nanoseconds of CPU time that one request costs on `runtime`.
async fn measure<R: Runtime>(runtime: R, case: Case, identity: &Identity) -> f64 {
    let mut builder = Server::builder(runtime.clone());
    let mut protocols = Protocols::Http2PriorKnowledge;
    match case {
        Case::Http1 => protocols = Protocols::Http1,
        Case::Http2 => {}
        Case::Tls => {
            protocols = Protocols::Http2;
            builder = builder.tls(identity.server());
        }
    }
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = builder.bind(any).await.expect("a port");
    let port = server.local_address().expect("an address").port();
    let handle = server.handle();
    runtime
        .spawn(server.serve(|_: Request<Body>| async {
            Response::new(Full::new(Bytes::from_static(BODY)))
        }));
    let client = Client::builder(runtime.clone())
        .profile(|profile| profile.protocols = protocols)
        .roots(Roots::Der(vec![identity.root.clone()]))
        .resolve(NAME, vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        .build()
        .expect("a client");
    let scheme = if case == Case::Tls { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{NAME}:{port}/").parse().expect("a URI");
    many(&runtime, &client, &uri, WARM_UP).await;
    let begun = process_cpu();
    many(&runtime, &client, &uri, EACH).await;
    let spent = process_cpu() - begun;
    handle.drain();
    spent.as_nanos() as f64 / (TASKS * EACH) as f64
}

/// Asks from [`TASKS`] tasks, so many times each.
fn many<R: Runtime>(
    runtime: &R,
    client: &Client<R>,
    uri: &Uri,
    each: u64,
) -> impl Future<Output = ()> {
    let done: Vec<_> = (0..TASKS)
        .map(|_| {
            let (client, uri, (end, ended)) = (client.clone(), uri.clone(), oneshot::channel());
            runtime.spawn(async move {
                for _ in 0..each {
                    let request = Request::get(uri.clone()).body(Empty::<Bytes>::new());
                    let answer = client.request(request.expect("a request")).await;
                    let body = answer.expect("an answer").into_body().collect().await;
                    assert_eq!(body.expect("a body").to_bytes(), BODY);
                }
                end.send(()).expect("somebody waits");
            });
            ended
        })
        .collect();
    async {
        for ended in done {
            ended.await.expect("every request is answered");
        }
    }
}
