//! Servers beside each other: how many requests each answers in a second of its CPU time, the same
//! load on all of them.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use regatta_runtime::Body;
use rustix::thread::gettid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::asker::{Asker, Case, HTTP1, HTTP2, round, way};
use crate::hyper_server::{self, GREETING, answer, greeting};
use crate::measure::{Cost, median, scheduled, table};
use crate::secure::{Peer, connect, connector};
use crate::tls::Identity;

const RUNS: usize = 5;
const WARM_UP: u64 = 300;
const REQUESTS: u64 = 12_800;

/// Prints the tables; or does one run of one server for a profiler, as `one regatta http1 64`.
pub(crate) fn run(words: &[String]) {
    let identity: &'static Identity = Box::leak(Box::new(Identity::new().expect("a certificate")));
    if let [word, who, protocol, at_once] = words
        && word == "one"
    {
        return one(who, way(protocol, at_once), identity);
    }
    let nginx = Nginx::start(identity);
    print("HTTP/1.1", "as many connections", &HTTP1, identity, nginx.as_ref());
    print("HTTP/2", "one connection", &HTTP2, identity, nginx.as_ref());
}

fn one(who: &str, case: Case, identity: &'static Identity) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = match who {
        "hyper" => hyper(case, identity),
        "regatta" => regatta(case, identity),
        other => panic!("{other} is no server: hyper and regatta are"),
    };
    println!("{:.0} ns", measure(&runtime, case, identity, &server));
}

fn print(
    protocol: &str,
    connections: &str,
    cases: &[Case],
    identity: &'static Identity,
    nginx: Option<&Nginx>,
) {
    let mut names = vec!["hyper", "regatta"];
    names.extend(nginx.map(|_| "nginx"));
    let mut head = vec!["server"];
    let mut rows: Vec<_> = names.iter().map(|name| vec![(*name).to_owned()]).collect();
    for case in cases {
        head.extend([case.name, "ratio"]);
        let mut servers = vec![hyper(*case, identity), regatta(*case, identity)];
        servers.extend(nginx.map(|nginx| nginx.server(*case)));
        for (row, (rate, ratio)) in rows.iter_mut().zip(rates(*case, identity, &servers)) {
            row.push(format!("{rate:.0}"));
            row.push(format!("{ratio:.2}"));
        }
    }
    table(
        &format!("Server, {protocol}"),
        &format!(
            "Requests that a server answers in a second of its own CPU time, user and system: GET \
             with a body of {} bytes in the answer, over loopback, so many at once on \
             {connections}, all warm. Ours and hyper's are a thread each, nginx is one worker; one \
             client of bare bytes (HTTP/1.1) or of h2 asks them all. The ratio is to hyper. Median \
             of {RUNS} runs of {REQUESTS}.",
            GREETING.len()
        ),
        &head,
        &rows,
    );
}

/// Every server's rate, and its ratio to that of the first.
fn rates(case: Case, identity: &Identity, servers: &[Server]) -> Vec<(f64, f64)> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runs = vec![Vec::new(); servers.len()];
    for _ in 0..RUNS {
        for (runs, server) in runs.iter_mut().zip(servers) {
            runs.push(Cost { nanos: measure(&runtime, case, identity, server), allocations: 0.0 });
        }
    }
    let rates: Vec<f64> = runs.into_iter().map(|runs| 1e9 / median(runs).nanos).collect();
    rates.iter().map(|rate| (*rate, rate / rates[0])).collect()
}

/// A server under way.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Where the kernel says what its thread has used.
    pub(crate) clock: String,
}

/// Serves on a thread of its own.
pub(crate) fn start<F: Future<Output = ()>>(
    serve: impl FnOnce(oneshot::Sender<(SocketAddr, String)>) -> F + Send + 'static,
) -> Server {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(serve(tell));
    });
    let (address, clock) = told.blocking_recv().expect("a server");
    Server { address, clock }
}

/// Where the kernel counts this thread's time.
pub(crate) fn own_clock() -> String {
    format!("/proc/self/task/{}/schedstat", gettid().as_raw_nonzero())
}

fn hyper(case: Case, identity: &'static Identity) -> Server {
    start(move |tell| async move {
        let tell = |address| tell.send((address, own_clock())).expect("somebody waits");
        hyper_server::serve(tell, case.http2, case.tls.then_some(identity)).await;
    })
}

fn regatta(case: Case, identity: &'static Identity) -> Server {
    start(move |tell| async move {
        let mut builder = regatta_tokio::server();
        if case.tls {
            builder = builder.tls(identity.server());
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = builder.bind(any).await.expect("a port");
        let address = server.local_address().expect("an address");
        tell.send((address, own_clock())).expect("somebody waits");
        server.serve(|request: Request<Body>| async move { answer(&request, greeting) }).await;
    })
}

/// nginx, with a port for each kind of connection; ended when it is dropped.
struct Nginx {
    child: Child,
    ports: [u16; 4],
}

impl Nginx {
    /// Starts it where it is installed.
    fn start(identity: &Identity) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("regatta-benches-{}", std::process::id()));
        fs::create_dir_all(&folder).ok()?;
        let [certificate, key] = &identity.pem;
        fs::write(folder.join("certificate.pem"), certificate).ok()?;
        fs::write(folder.join("key.pem"), key).ok()?;
        // Free a moment ago: if another takes one meanwhile, nginx ends and is left out.
        let ports = [(); 4].map(|()| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address").port()
        });
        fs::write(folder.join("nginx.conf"), settings(ports)).ok()?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).args(["-c", "nginx.conf"]);
        let command = command.stderr(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().inspect_err(|error| eprintln!("nginx: {error}")).ok()?;
        let mut nginx = Self { child, ports };
        let is_up = |port: &u16| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok();
        for _ in 0..100 {
            if nginx.child.try_wait().ok()?.is_some() {
                break;
            }
            if nginx.ports.iter().all(is_up) {
                return Some(nginx);
            }
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("nginx: it does not listen");
        None
    }

    fn server(&self, case: Case) -> Server {
        let port = self.ports[usize::from(case.http2) + 2 * usize::from(case.tls)];
        Server {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            clock: format!("/proc/{}/schedstat", self.child.id()),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn settings([plain, h2c, tls, h2]: [u16; 4]) -> String {
    let greeting = String::from_utf8_lossy(GREETING);
    let server = |listen: String| {
        format!("server {{ listen 127.0.0.1:{listen}; location / {{ return 200 '{greeting}'; }} }}")
    };
    let servers = [
        server(plain.to_string()),
        server(format!("{h2c} http2")),
        server(format!("{tls} ssl")),
        server(format!("{h2} ssl http2")),
    ];
    format!(
        "daemon off; master_process off; pid pid; error_log stderr crit;
         events {{ worker_connections 1024; }}
         http {{
           access_log off; default_type text/plain; keepalive_requests 1000000000;
           ssl_certificate certificate.pem; ssl_certificate_key key.pem;
           {}
         }}",
        servers.join("\n")
    )
}

/// Nanoseconds of the server's CPU time for one request.
fn measure(runtime: &Runtime, case: Case, identity: &Identity, server: &Server) -> f64 {
    let tls = case.tls.then(|| connector(identity, case.http2));
    runtime.block_on(async {
        if case.http2 {
            let peer = connect(server.address, tls.as_ref()).await;
            let (sender, connection) = h2::client::handshake(peer).await.expect("HTTP/2");
            let connection = tokio::spawn(connection);
            let askers = (0..case.at_once).map(|_| Http2(sender.clone())).collect();
            let cost = many(askers, server).await;
            connection.abort();
            cost
        } else {
            let mut askers = Vec::new();
            for _ in 0..case.at_once {
                askers.push(Http1(connect(server.address, tls.as_ref()).await));
            }
            many(askers, server).await
        }
    })
}

async fn many<A: Asker>(askers: Vec<A>, server: &Server) -> f64 {
    let count = askers.len() as u64;
    let askers = round(askers, WARM_UP.div_ceil(count)).await;
    let begun = scheduled(&server.clock);
    round(askers, REQUESTS / count).await;
    (scheduled(&server.clock) - begun).as_nanos() as f64 / REQUESTS as f64
}

struct Http1(Peer);

impl Asker for Http1 {
    async fn ask(&mut self) {
        let request = b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n";
        self.0.write_all(request).await.expect("a request");
        let mut buffer = [0; 1_024];
        let mut filled = 0;
        while !buffer[..filled].ends_with(GREETING) {
            let read = self.0.read(&mut buffer[filled..]).await.expect("an answer");
            assert!(read > 0, "the answer is not whole");
            filled += read;
        }
    }
}

struct Http2(h2::client::SendRequest<Bytes>);

impl Asker for Http2 {
    async fn ask(&mut self) {
        let uri = Uri::from_static("http://origin.example/");
        let request = Request::get(uri).body(()).expect("a request");
        let mut sender = self.0.clone().ready().await.expect("a ready connection");
        let (answer, _) = sender.send_request(request, true).expect("a stream");
        let mut body = answer.await.expect("an answer").into_body();
        let mut length = 0;
        while let Some(bytes) = body.data().await {
            let bytes = bytes.expect("a body");
            length += bytes.len();
            body.flow_control().release_capacity(bytes.len()).expect("room");
        }
        assert_eq!(length, GREETING.len());
    }
}
