//! HTTP/3 over loopback, beside `h3` with `quinn`, and beside quiche: what each end spends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Empty;
use regatta_core::engine::quic::ServerOptions;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Roots};
use tokio::runtime::{Builder, Runtime};

use crate::asker::{Asker, round};
use crate::bulk::drain;
use crate::client::Regatta;
use crate::hyper_server::{GREETING, answer, greeting};
use crate::measure::{cpu, scheduled, table};
use crate::server::{Server, own_clock, start};
use crate::tls::{Identity, NAME};

use self::quiche::Quiche;

mod quiche;
mod quinn;
mod serve;

const RUNS: usize = 5;
const WARM_UP: u64 = 1_280;
/// Requests of one run, one at a time and 64 at once.
const ALONE: u64 = 6_400;
const TOGETHER: u64 = 51_200;
const AT_ONCE: u64 = 64;
/// Streams that a server grants at a time: a stream counts until the end of its answer has been
/// acknowledged, so 64 at once with less would wait for the right to open more.
const STREAMS: NonZeroU32 = NonZeroU32::new(256).expect("not zero");
/// Bytes of one download.
const LENGTH: u64 = 512 << 20;

/// Whose end it is.
#[derive(Clone, Copy)]
enum Who {
    Regatta,
    Quinn,
    /// The same as a client that pads every packet to a whole datagram, as ngtcp2's do.
    Padding,
}

/// Who asks and who answers.
const PAIRS: [(Who, Who); 4] = [
    (Who::Quinn, Who::Quinn),
    (Who::Regatta, Who::Regatta),
    (Who::Regatta, Who::Quinn),
    (Who::Quinn, Who::Regatta),
];

/// CPU time of client and server.
#[derive(Clone, Copy)]
struct Spent {
    client: Duration,
    server: Duration,
}

/// What is counted in one run.
#[derive(Clone, Copy)]
enum Load {
    /// Requests, so many at once.
    Requests(u64),
    /// One download.
    Bulk,
}

impl Load {
    /// How many of its units one run has: requests, or megabytes.
    fn units(self) -> f64 {
        match self {
            Self::Requests(1) => ALONE as f64,
            Self::Requests(_) => TOGETHER as f64,
            Self::Bulk => LENGTH as f64 / 1e6,
        }
    }
}

/// Prints the tables, or that which the words name: `1`, `64` or `bulk`. Or serves, see
/// [`serve`](mod@serve), or does one run for a profiler, see [`pair`].
pub(crate) fn run(words: &[String]) {
    if let [word, who, port] = words
        && word == "serve"
    {
        return serve::run(who, port);
    }
    let identity: &'static Identity = Box::leak(Box::new(Identity::new().expect("a certificate")));
    if let [word, client, server, load] = words
        && word == "pair"
    {
        return pair(client, server, load, identity);
    }
    let all = [
        ("1", "1 at once", Load::Requests(1)),
        ("64", "64 at once", Load::Requests(AT_ONCE)),
        ("bulk", "bulk", Load::Bulk),
    ];
    for (word, name, load) in all {
        if words.is_empty() || words.iter().any(|said| said == word) {
            print(name, load, identity);
        }
    }
}

/// One run of one client and server, `regatta` or `quinn`, and `padding` for a client, under `1`,
/// `64` or `bulk`: what a profiler wants to see alone.
fn pair(client: &str, server: &str, load: &str, identity: &'static Identity) {
    let who = |name: &str| match name {
        "regatta" => Who::Regatta,
        "quinn" => Who::Quinn,
        "padding" => Who::Padding,
        other => panic!("{other} is no end: regatta, quinn and padding are"),
    };
    let load = match load {
        "bulk" => Load::Bulk,
        at_once => Load::Requests(at_once.parse().expect("how many at once, or `bulk`")),
    };
    let server = begin(who(server), identity);
    let spent = measure(who(client), load, &server, identity);
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / load.units();
    println!("client {:.3} us, server {:.3} us", each(spent.client), each(spent.server));
}

fn print(name: &str, load: Load, identity: &'static Identity) {
    let servers: Vec<Server> = PAIRS.iter().map(|(_, server)| begin(*server, identity)).collect();
    let quiche = Quiche::find(identity);
    let (mut runs, mut of_quiche) = (vec![Vec::new(); PAIRS.len()], Vec::new());
    for _ in 0..RUNS {
        for ((runs, (client, _)), server) in runs.iter_mut().zip(&PAIRS).zip(&servers) {
            runs.push(measure(*client, load, server, identity));
        }
        of_quiche.extend(quiche.as_ref().map(|quiche| quiche.measure(load)));
    }
    let medians: Vec<[f64; 3]> = runs.into_iter().map(|runs| rates(load, runs)).collect();
    let row = |client: &str, server: &str, rate: &[f64; 3]| {
        let mut row = vec![client.to_owned(), server.to_owned()];
        for (rate, first) in rate.iter().zip(&medians[0]) {
            row.extend([format!("{rate:.0}"), format!("{:.2}", rate / first)]);
        }
        row
    };
    let pairs = PAIRS.iter().zip(&medians);
    let pairs = pairs.map(|((client, server), rate)| row(label(*client), label(*server), rate));
    let mut rows: Vec<_> = pairs.collect();
    if !of_quiche.is_empty() {
        rows.push(row("quiche", "quiche", &rates(load, of_quiche)));
    }
    let what = match load {
        Load::Requests(_) => format!(
            "Requests a second of CPU time, user and system: GET with a body of {} bytes in the \
             answer, {name} on one connection over loopback, all warm.",
            GREETING.len()
        ),
        Load::Bulk => format!(
            "Megabytes (10^6) a second of CPU time, user and system: one download of {} MiB over \
             loopback.",
            LENGTH >> 20
        ),
    };
    table(
        &format!("HTTP/3, {name}"),
        &format!(
            "{what} Client and server are a thread each; both is what either end would do alone, \
             the other's time counted with it. The ratio is to h3 with quinn at both ends. Median \
             of {RUNS} runs."
        ),
        &["client", "server", "client's", "ratio", "server's", "ratio", "both", "ratio"],
        &rows,
    );
}

/// The median rates of client, server and both.
fn rates(load: Load, runs: Vec<Spent>) -> [f64; 3] {
    let parts: [fn(&Spent) -> Duration; 3] =
        [|spent| spent.client, |spent| spent.server, |spent| spent.client + spent.server];
    parts.map(|part| {
        let mut times: Vec<Duration> = runs.iter().map(part).collect();
        times.sort();
        load.units() / times[times.len() / 2].as_secs_f64()
    })
}

const fn label(who: Who) -> &'static str {
    match who {
        Who::Regatta => "regatta",
        Who::Quinn => "h3, quinn",
        Who::Padding => "h3, quinn, padding",
    }
}

fn begin(who: Who, identity: &'static Identity) -> Server {
    match who {
        Who::Regatta => start(move |tell| async move {
            let builder = regatta_tokio::server().tls(identity.server());
            let builder = builder.http3(ServerOptions::default());
            let builder = builder.engine(|engine| engine.max_concurrent_streams = STREAMS);
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let server = builder.bind(any).await.expect("a port");
            let address = server.local_address().expect("an address");
            tell.send((address, own_clock())).expect("somebody waits");
            server.serve(|request: Request<Body>| async move { answer(&request, greeting) }).await;
        }),
        Who::Quinn | Who::Padding => start(move |tell| async move {
            let tell = |address| tell.send((address, own_clock())).expect("somebody waits");
            quinn::serve(tell, identity).await;
        }),
    }
}

fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn uri(load: Load, to: SocketAddr) -> Uri {
    let path = match load {
        Load::Requests(_) => String::new(),
        Load::Bulk => LENGTH.to_string(),
    };
    format!("https://{NAME}:{}/{path}", to.port()).parse().expect("a URI")
}

/// What one run costs both ends, on a connection of its own.
fn measure(who: Who, load: Load, server: &Server, identity: &Identity) -> Spent {
    let uri = uri(load, server.address);
    match who {
        Who::Regatta => current().block_on(async {
            let client = regatta(identity);
            match load {
                Load::Requests(at_once) => many(Regatta(client, uri), at_once, server).await,
                Load::Bulk => {
                    let begun = scheduled(&server.clock);
                    let request = Request::get(uri).body(Empty::<Bytes>::new()).expect("a request");
                    let answer = client.request(request).await.expect("an answer");
                    let client = drain(answer.into_body()).await;
                    Spent { client, server: scheduled(&server.clock) - begun }
                }
            }
        }),
        Who::Quinn | Who::Padding => current().block_on(async {
            let begun = scheduled(&server.clock);
            let pads = matches!(who, Who::Padding);
            let (asker, _kept) = quinn::connect(server.address, uri, identity, pads).await;
            match load {
                Load::Requests(at_once) => many(asker, at_once, server).await,
                Load::Bulk => {
                    let client = asker.drain(LENGTH).await;
                    Spent { client, server: scheduled(&server.clock) - begun }
                }
            }
        }),
    }
}

/// Lets so many ask side by side, first to warm up and then measured.
async fn many<A: Asker + Clone>(asker: A, at_once: u64, server: &Server) -> Spent {
    let requests = Load::Requests(at_once).units() as u64;
    let askers = vec![asker; at_once as usize];
    let askers = round(askers, WARM_UP.div_ceil(at_once)).await;
    let (begun, server_begun) = (cpu(), scheduled(&server.clock));
    round(askers, requests / at_once).await;
    Spent { client: cpu() - begun, server: scheduled(&server.clock) - server_begun }
}

fn regatta(identity: &Identity) -> regatta_tokio::Client {
    regatta_tokio::client()
        .profile(|profile| profile.protocols = Protocols::Http3)
        .roots(Roots::Der(vec![identity.root.clone()]))
        .resolve(NAME, vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        .build()
        .expect("a client")
}
